//! The addresses of new pods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::play::{Host, PlanError};
use crate::model::network::{Attachment, NetworkRecord};
use crate::model::observed::{AssignedAddress, Observed};
use crate::model::pod::PodSpec;
use crate::names::{NetworkName, PodName};

/// The addresses that pods have, by network.
pub(super) type Taken = BTreeMap<NetworkName, BTreeSet<Ipv4Addr>>;

pub(super) fn addresses_in_use(observed: &Observed) -> Taken {
    let mut taken = Taken::new();
    let assigned = observed.pods.iter().flat_map(|pod| &pod.record.addresses);
    for assigned in assigned {
        if let IpAddr::V4(address) = assigned.address {
            let network = taken.entry(assigned.network.clone()).or_default();
            network.insert(address);
        }
    }
    taken
}

/// Returns one address for each network of a pod, and takes them.
pub(super) fn choose_addresses(
    spec: &PodSpec,
    host: &Host,
    taken: &mut Taken,
) -> Result<Vec<AssignedAddress>, PlanError> {
    let attachments = spec.infra.network.attachments().iter();
    attachments
        .map(|attachment| {
            let network =
                host.networks
                    .get(&attachment.network)
                    .ok_or_else(|| PlanError::NoNetwork {
                        pod: spec.name.clone(),
                        network: attachment.network.clone(),
                    })?;
            let taken = taken.entry(network.name.clone()).or_default();
            let address = choose(&spec.name, attachment, network, taken)?;
            taken.insert(address);
            Ok(AssignedAddress {
                network: network.name.clone(),
                address: IpAddr::V4(address),
                prefix: network.subnet.prefix(),
                gateway: IpAddr::V4(network.gateway),
                internal: network.internal,
            })
        })
        .collect()
}

fn choose(
    pod: &PodName,
    attachment: &Attachment,
    network: &NetworkRecord,
    taken: &BTreeSet<Ipv4Addr>,
) -> Result<Ipv4Addr, PlanError> {
    match attachment.address {
        Some(IpAddr::V4(address)) if network.has_room_at(address) => Ok(address),
        Some(address) => Err(PlanError::AddressOutside {
            pod: pod.clone(),
            address,
            network: network.name.clone(),
            subnet: network.subnet,
        }),
        None => network
            .addresses()
            .find(|address| !taken.contains(address))
            .ok_or_else(|| PlanError::NoAddress {
                pod: pod.clone(),
                network: network.name.clone(),
                subnet: network.subnet,
            }),
    }
}
