//! The addresses of new pods.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::play::{Host, PlanError};
use crate::model::network::NetworkSpec;
use crate::model::observed::{AssignedAddress, Observed};
use crate::model::pod::PodSpec;
use crate::names::NetworkName;

/// The network that pods get their addresses from.
#[derive(Debug, Clone, Copy)]
pub struct Bridge {
    pub network: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
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

pub(super) fn addresses_in_use(observed: &Observed) -> BTreeSet<Ipv4Addr> {
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

pub(super) fn choose_addresses(
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
