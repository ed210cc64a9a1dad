//! What a play has to do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::action::{Action, Plan};
use crate::clock::{Clock, IdSource};
use crate::model::network::NetworkSpec;
use crate::model::observed::{
    AssignedAddress, ContainerRecord, ObjectContent, ObjectRecord, Observed, ObservedPod,
    PodRecord, VolumeRecord,
};
use crate::model::pod::PodSpec;
use crate::model::volume::NamedVolumeSpec;
use crate::names::{
    ApplicationName, ContainerId, ImageId, ImageRef, NetworkName, ObjectName, PodId, PodName, hex,
};
use crate::translate::Application;

/// What a play wants.
#[derive(Debug, Clone)]
pub struct PlayWish {
    pub name: ApplicationName,
    pub application: Application,
    /// Whether the pods are started, too.
    pub start: bool,
}

/// What a plan has to know of the host.
#[derive(Debug)]
pub struct Host {
    /// The images that the pods' containers name, each resolved.
    pub images: BTreeMap<ImageRef, ImageId>,
    pub bridge: Option<Bridge>,
}

/// The network that pods get their addresses from.
#[derive(Debug, Clone, Copy)]
pub struct Bridge {
    pub network: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("name {name:?} is in use: pod already exists, with id {}", id.short())]
    PodExists { name: PodName, id: PodId },
    #[error("two documents describe pod `{name}`")]
    PodTwice { name: PodName },
    #[error("{kind} `{name}` is immutable, and the manifest has other data")]
    Immutable {
        kind: &'static str,
        name: ObjectName,
    },
    #[error("pod `{pod}`: {image}: image not known")]
    NoImage { pod: PodName, image: ImageRef },
    #[error("pod `{pod}`: no address is left in {network}/{prefix}")]
    NoAddress {
        pod: PodName,
        network: Ipv4Addr,
        prefix: u8,
    },
    #[error("pod `{pod}`: there is no network `{network}`")]
    NoNetwork { pod: PodName, network: NetworkName },
}

/// Plans a play: names checked, ids drawn, addresses chosen; nothing is touched.
///
/// # Errors
/// What makes the play impossible, as far as it can be known beforehand.
pub fn play(
    wish: PlayWish,
    observed: &Observed,
    host: &Host,
    ids: &mut dyn IdSource,
    clock: &dyn Clock,
) -> Result<Plan, PlanError> {
    let PlayWish {
        name: owner,
        application,
        start,
    } = wish;
    let Application {
        pods,
        volumes,
        config_maps,
        secrets,
    } = application;
    let now = clock.now();
    let mut taken = addresses_in_use(observed);
    let mut names = BTreeSet::new();
    let mut actions = Vec::new();
    let mut starts = Vec::new();
    // Before the pods that use them, so that an undo removes those first.
    for spec in missing_volumes(volumes, &pods, observed) {
        actions.push(Action::CreateVolume(VolumeRecord {
            application: Some(owner.clone()),
            created: now,
            spec,
        }));
    }
    for spec in pods {
        if let Some(holder) = observed.pod(&spec.name) {
            let id = holder.record.id.clone();
            return Err(PlanError::PodExists {
                name: spec.name,
                id,
            });
        }
        if !names.insert(spec.name.clone()) {
            return Err(PlanError::PodTwice { name: spec.name });
        }
        let pod = new_pod(spec, &owner, host, &mut taken, ids, now)?;
        if start {
            starts.push(Action::StartPod {
                id: pod.record.id.clone(),
                name: pod.record.spec.name.clone(),
            });
        }
        actions.push(Action::CreatePod(Box::new(pod)));
    }
    for map in config_maps {
        let record = ObjectRecord {
            name: map.name,
            application: Some(owner.clone()),
            created: now,
            immutable: map.immutable,
            content: ObjectContent::ConfigMap(map.data),
        };
        match present(observed, &record) {
            Some(old) if old.content == record.content => {}
            Some(old) if old.immutable => return Err(immutable(&record)),
            _ => actions.push(Action::PutConfigMap(record)),
        }
    }
    for data in secrets {
        let record = ObjectRecord {
            name: data.name.clone(),
            application: Some(owner.clone()),
            created: now,
            immutable: data.immutable,
            content: ObjectContent::Secret {
                id: hex(&ids.draw()),
                keys: data.values.keys().cloned().collect(),
                kind: data.kind.clone(),
            },
        };
        if present(observed, &record).is_some_and(|old| old.immutable) {
            return Err(immutable(&record));
        }
        actions.push(Action::PutSecret { record, data });
    }
    actions.extend(starts);
    Ok(Plan(actions))
}

/// Returns the named volumes that are missing: those of the documents, and those that pods only name.
fn missing_volumes(
    declared: Vec<NamedVolumeSpec>,
    pods: &[PodSpec],
    observed: &Observed,
) -> Vec<NamedVolumeSpec> {
    let mut missing: Vec<NamedVolumeSpec> = Vec::new();
    let named = pods.iter().flat_map(PodSpec::claims).cloned();
    for spec in declared.into_iter().chain(named.map(NamedVolumeSpec::new)) {
        let known = missing.iter().any(|volume| volume.name == spec.name);
        if !known && observed.volume(&spec.name).is_none() {
            missing.push(spec);
        }
    }
    missing
}

fn present<'a>(observed: &'a Observed, record: &ObjectRecord) -> Option<&'a ObjectRecord> {
    observed
        .objects
        .iter()
        .find(|old| old.name == record.name && old.content.kind() == record.content.kind())
}

fn immutable(record: &ObjectRecord) -> PlanError {
    PlanError::Immutable {
        kind: record.content.kind(),
        name: record.name.clone(),
    }
}

fn new_pod(
    spec: PodSpec,
    owner: &ApplicationName,
    host: &Host,
    taken: &mut BTreeSet<Ipv4Addr>,
    ids: &mut dyn IdSource,
    now: jiff::Timestamp,
) -> Result<ObservedPod, PlanError> {
    let id = PodId::draw(ids);
    let infra = ContainerId::draw(ids);
    let containers = spec
        .all_containers()
        .map(|container| {
            let image = host
                .images
                .get(&container.image)
                .ok_or_else(|| PlanError::NoImage {
                    pod: spec.name.clone(),
                    image: container.image.clone(),
                })?;
            let record = ContainerRecord::new(
                ContainerId::draw(ids),
                id.clone(),
                container,
                image.clone(),
                now,
            );
            Ok(record)
        })
        .collect::<Result<_, PlanError>>()?;
    let record = PodRecord {
        addresses: choose_addresses(&spec, host, taken)?,
        id,
        application: owner.clone(),
        created: now,
        infra,
        spec,
    };
    Ok(ObservedPod { record, containers })
}

fn addresses_in_use(observed: &Observed) -> BTreeSet<Ipv4Addr> {
    observed
        .pods
        .iter()
        .flat_map(|pod| &pod.record.addresses)
        .filter_map(|assigned| match assigned.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect()
}

fn choose_addresses(
    spec: &PodSpec,
    host: &Host,
    taken: &mut BTreeSet<Ipv4Addr>,
) -> Result<Vec<AssignedAddress>, PlanError> {
    let NetworkSpec::Bridge { networks } = &spec.infra.network else {
        return Ok(Vec::new());
    };
    let Some(attachment) = networks.first() else {
        return Ok(Vec::new());
    };
    let no_network = |network: &NetworkName| PlanError::NoNetwork {
        pod: spec.name.clone(),
        network: network.clone(),
    };
    if let Some(second) = networks.get(1) {
        return Err(no_network(&second.network));
    }
    let bridge = host
        .bridge
        .as_ref()
        .ok_or_else(|| no_network(&attachment.network))?;
    let address = match attachment.address {
        Some(address) => address,
        None => IpAddr::V4(
            bridge
                .free_address(taken)
                .ok_or_else(|| PlanError::NoAddress {
                    pod: spec.name.clone(),
                    network: bridge.network,
                    prefix: bridge.prefix,
                })?,
        ),
    };
    if let IpAddr::V4(address) = address {
        taken.insert(address);
    }
    Ok(vec![AssignedAddress {
        network: attachment.network.clone(),
        address,
        prefix: bridge.prefix,
        gateway: IpAddr::V4(bridge.gateway),
    }])
}

impl Bridge {
    /// Returns the lowest address that is neither the network's, the gateway's, the broadcast nor in use.
    fn free_address(&self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let first = u32::from(self.network);
        let size = 1u32.checked_shl(32 - u32::from(self.prefix))?;
        (first + 1..first.saturating_add(size - 1))
            .map(Ipv4Addr::from)
            .find(|address| *address != self.gateway && !taken.contains(address))
    }
}
