//! What a play has to do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::action::{Action, Plan};
use super::address::{Taken, addresses_in_use, choose_addresses};
use super::replace::{self, Change};
use crate::clock::{Clock, IdSource};
use crate::model::container::ContainerSpec;
use crate::model::network::NetworkRecord;
use crate::model::observed::{
    ContainerRecord, LogDriver, ObjectContent, ObjectRecord, Observed, ObservedPod, PodRecord,
    Standing, VolumeRecord,
};
use crate::model::pod::{ObjectKind, PodSpec};
use crate::model::volume::NamedVolumeSpec;
use crate::names::{
    ApplicationName, ContainerId, ImageId, ImageRef, NetworkName, ObjectName, PodId, PodName, hex,
};
use crate::subnet::Ipv4Subnet;
use crate::translate::{Application, ConfigMapData, SecretData};

/// What a play wants.
#[derive(Debug, Clone)]
pub struct PlayWish {
    pub name: ApplicationName,
    pub application: Application,
    /// Whether the pods are started, too.
    pub start: bool,
    pub existing: Existing,
    pub log_driver: LogDriver,
}

/// What becomes of pods that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// There must not be any.
    Refuse,
    /// One that differs from what is wanted goes as soon as the new one has started (`--replace`).
    Replace,
}

/// What a plan has to know of the host.
#[derive(Debug)]
pub struct Host {
    /// The images that the pods' containers and volumes name, each resolved.
    pub images: BTreeMap<ImageRef, ImageId>,
    /// The networks that the pods name, as far as there are such.
    pub networks: BTreeMap<NetworkName, NetworkRecord>,
    /// The Secrets of the application whose values rest here already.
    pub same_secrets: BTreeSet<ObjectName>,
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
    #[error("pod `{pod}`: no address is left in the network `{network}` ({subnet})")]
    NoAddress {
        pod: PodName,
        network: NetworkName,
        subnet: Ipv4Subnet,
    },
    #[error("pod `{pod}`: {address} is no address for a pod in the network `{network}` ({subnet})")]
    AddressOutside {
        pod: PodName,
        address: IpAddr,
        network: NetworkName,
        subnet: Ipv4Subnet,
    },
    #[error("pod `{pod}`: unable to find network with name or ID {network}: network not found")]
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
        name,
        application,
        start,
        existing,
        log_driver,
    } = wish;
    let Application {
        pods,
        volumes,
        config_maps,
        secrets,
    } = application;
    let mut planner = Planner {
        owner: name,
        start,
        existing,
        log_driver,
        now: clock.now(),
        observed,
        host,
        ids,
        changed: BTreeSet::new(),
        steps: Steps::default(),
    };
    planner.volumes(missing_volumes(volumes, &pods, observed));
    planner.config_maps(config_maps)?;
    planner.secrets(secrets)?;
    planner.pods(pods)?;
    Ok(planner.steps.into_plan())
}

/// Plans one kind of object after the other.
struct Planner<'a> {
    owner: ApplicationName,
    start: bool,
    existing: Existing,
    log_driver: LogDriver,
    now: jiff::Timestamp,
    observed: &'a Observed,
    host: &'a Host,
    ids: &'a mut dyn IdSource,
    /// The ConfigMaps and Secrets that will have other data: pods that use them are made anew.
    changed: BTreeSet<(ObjectKind, ObjectName)>,
    steps: Steps,
}

impl Planner<'_> {
    fn volumes(&mut self, missing: Vec<NamedVolumeSpec>) {
        for spec in missing {
            self.steps.volumes.push(Action::CreateVolume(VolumeRecord {
                application: Some(self.owner.clone()),
                created: self.now,
                spec,
            }));
        }
    }

    fn config_maps(&mut self, maps: Vec<ConfigMapData>) -> Result<(), PlanError> {
        for map in maps {
            let content = ObjectContent::ConfigMap(map.data);
            let record = self.object(map.name, map.immutable, content);
            match present(self.observed, &record) {
                Some(old) if old.content == record.content => continue,
                Some(old) if old.immutable => return Err(immutable(&record)),
                _ => {}
            }
            self.changed
                .insert((ObjectKind::ConfigMap, record.name.clone()));
            self.steps.objects.push(Action::PutConfigMap(record));
        }
        Ok(())
    }

    fn secrets(&mut self, secrets: Vec<SecretData>) -> Result<(), PlanError> {
        for data in secrets {
            if self.existing == Existing::Replace && self.host.same_secrets.contains(&data.name) {
                continue;
            }
            let content = ObjectContent::Secret {
                id: hex(&self.ids.draw()),
                keys: data.values.keys().cloned().collect(),
                kind: data.kind.clone(),
            };
            let record = self.object(data.name.clone(), data.immutable, content);
            if present(self.observed, &record).is_some_and(|old| old.immutable) {
                return Err(immutable(&record));
            }
            self.changed
                .insert((ObjectKind::Secret, record.name.clone()));
            self.steps.objects.push(Action::PutSecret { record, data });
        }
        Ok(())
    }

    fn object(&self, name: ObjectName, immutable: bool, content: ObjectContent) -> ObjectRecord {
        ObjectRecord {
            name,
            application: Some(self.owner.clone()),
            created: self.now,
            immutable,
            content,
        }
    }

    fn pods(&mut self, pods: Vec<PodSpec>) -> Result<(), PlanError> {
        let mut taken = addresses_in_use(self.observed);
        let mut names = BTreeSet::new();
        for spec in pods {
            if !names.insert(spec.name.clone()) {
                return Err(PlanError::PodTwice { name: spec.name });
            }
            let old = self.observed.pod(&spec.name);
            let change = self.change(&spec, old)?;
            for left in replace::left_over(self.observed, &spec.name, old) {
                self.steps.left_over.push(remove(left));
            }
            if let (Some(old), Change::Keep) = (old, change) {
                self.steps.keep(old, self.start);
                continue;
            }
            let mut pod = self.new_pod(spec, &mut taken)?;
            if let Some(old) = old {
                pod.record.standing = Standing::Candidate {
                    of: old.record.id.clone(),
                };
            }
            let replaced = old.map(|old| (old, change));
            self.steps.create(pod, replaced, self.start);
        }
        Ok(())
    }

    fn change(&self, spec: &PodSpec, old: Option<&ObservedPod>) -> Result<Change, PlanError> {
        match (old, self.existing) {
            (None, _) => Ok(Change::Create),
            (Some(old), Existing::Refuse) => Err(PlanError::PodExists {
                name: spec.name.clone(),
                id: old.record.id.clone(),
            }),
            (Some(old), Existing::Replace) => {
                let wanted = (spec, self.log_driver);
                let images = &self.host.images;
                Ok(replace::change(old, wanted, images, &self.changed))
            }
        }
    }

    fn new_pod(&mut self, spec: PodSpec, taken: &mut Taken) -> Result<ObservedPod, PlanError> {
        let id = PodId::draw(self.ids);
        let infra = ContainerId::draw(self.ids);
        let containers = spec
            .all_containers()
            .map(|container| self.container(&spec, container, &id))
            .collect::<Result<_, PlanError>>()?;
        let record = PodRecord {
            addresses: choose_addresses(&spec, self.host, taken)?,
            id,
            application: self.owner.clone(),
            created: self.now,
            infra,
            standing: Standing::Serving,
            log_driver: self.log_driver,
            volume_images: spec
                .volume_images()
                .map(|(name, reference, _)| Ok((name.clone(), self.image(&spec, reference)?)))
                .collect::<Result<_, PlanError>>()?,
            spec,
        };
        Ok(ObservedPod { record, containers })
    }

    fn container(
        &mut self,
        pod: &PodSpec,
        container: &ContainerSpec,
        id: &PodId,
    ) -> Result<ContainerRecord, PlanError> {
        Ok(ContainerRecord::new(
            ContainerId::draw(self.ids),
            id.clone(),
            container,
            self.image(pod, &container.image)?,
            self.now,
        ))
    }

    /// Returns the image that a pod's reference means on this host.
    fn image(&self, pod: &PodSpec, reference: &ImageRef) -> Result<ImageId, PlanError> {
        let image = self.host.images.get(reference).cloned();
        image.ok_or_else(|| PlanError::NoImage {
            pod: pod.name.clone(),
            image: reference.clone(),
        })
    }
}

/// The actions of a play by their turn.
#[derive(Debug, Default)]
struct Steps {
    /// What commands that were killed have left of these pods.
    left_over: Vec<Action>,
    kept: Vec<Action>,
    /// Before the pods that use them, so that an undo removes those first.
    volumes: Vec<Action>,
    pods: Vec<Action>,
    objects: Vec<Action>,
    stops: Vec<Action>,
    starts: Vec<Action>,
    hand_overs: Vec<Action>,
    removals: Vec<Action>,
}

impl Steps {
    fn keep(&mut self, old: &ObservedPod, start: bool) {
        let PodRecord { id, spec, .. } = &old.record;
        let (id, name) = (id.clone(), spec.name.clone());
        if start && replace::is_stopped(old) {
            let (id, name) = (id.clone(), name.clone());
            self.starts.push(Action::StartPod { id, name });
        }
        self.kept.push(Action::KeepPod { id, name });
    }

    fn create(&mut self, pod: ObservedPod, old: Option<(&ObservedPod, Change)>, start: bool) {
        let id = pod.record.id.clone();
        let name = pod.record.spec.name.clone();
        if let Some((old, change)) = old {
            let from = old.record.id.clone();
            if change == Change::StopFirst && start {
                let (id, name) = (from.clone(), name.clone());
                self.stops.push(Action::TakeDownPod { id, name });
            }
            let (to, name) = (id.clone(), name.clone());
            self.hand_overs.push(Action::HandOver { from, to, name });
            self.removals.push(remove(old));
        }
        if start {
            self.starts.push(Action::StartPod { id, name });
        }
        self.pods.push(Action::CreatePod(Box::new(pod)));
    }

    fn into_plan(self) -> Plan {
        let turns = [
            self.left_over,
            self.kept,
            self.volumes,
            self.pods,
            self.objects,
            self.stops,
            self.starts,
            self.hand_overs,
            self.removals,
        ];
        Plan(turns.into_iter().flatten().collect())
    }
}

fn remove(pod: &ObservedPod) -> Action {
    Action::RemovePod {
        id: pod.record.id.clone(),
        name: pod.record.spec.name.clone(),
        grace: None,
    }
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
