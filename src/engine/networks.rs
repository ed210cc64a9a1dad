//! The networks of an installation: the default one, and those that were made by hand.
//!
//! ```text
//! create ──▶ a record ──first pod──▶ bridge and table ──last pod──▶ a record ──rm──▶ nothing
//! ```
//!
//! The default network has no record: its subnet is chosen when its bridge is made. That of another
//! one is chosen with the record and stays; the host's and the other networks' are left out.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::installation::{Engine, EngineError};
use super::network::{self, NetworkError};
use super::sandbox;
use crate::model::network::{AddressRange, NetworkRecord};
use crate::model::observed::{Observed, PodRecord};
use crate::model::pod::Labels;
use crate::names::NetworkName;
use crate::state::{NetworkCreation, NetworkRemoval};
use crate::subnet::Ipv4Subnet;

/// How often another subnet is chosen when one was taken meanwhile.
const TRIES: usize = 10;

/// Podman's words for names that mean something else where a network is asked for.
const MODES: [&str; 9] = [
    "bridge",
    "container",
    "default",
    "host",
    "none",
    "ns",
    "pasta",
    "private",
    "slirp4netns",
];

/// A network that is asked for.
#[derive(Debug, Clone)]
pub struct NetworkWish {
    /// Without one, it gets the first free `podwrightN`.
    pub name: Option<NetworkName>,
    pub subnet: Option<Ipv4Subnet>,
    pub gateway: Option<Ipv4Addr>,
    pub range: Option<AddressRange>,
    pub internal: bool,
    pub nameless: bool,
    pub labels: Labels,
}

/// Why a network cannot be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    #[error("network name {0} already used: network already exists")]
    NameTaken(NetworkName),
    #[error(
        "cannot create network with name \"{0}\" because it conflicts with a valid network mode"
    )]
    Mode(NetworkName),
    #[error("cannot set gateway or range without subnet")]
    NoSubnet,
    #[error("subnet {0} is too small: it has no address for a pod")]
    TooSmall(Ipv4Subnet),
    #[error("gateway {gateway} not in subnet {subnet}")]
    Gateway {
        gateway: Ipv4Addr,
        subnet: Ipv4Subnet,
    },
    #[error("lease range {end} ip {address} not in subnet {subnet}")]
    Range {
        end: &'static str,
        address: Ipv4Addr,
        subnet: Ipv4Subnet,
    },
    #[error("subnet {0} is already used on the host or by another config")]
    SubnetTaken(Ipv4Subnet),
    #[error("default network {0} cannot be removed")]
    Default(NetworkName),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<NetworkError> for NetworksError {
    fn from(error: NetworkError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<crate::state::StoreError> for NetworksError {
    fn from(error: crate::state::StoreError) -> Self {
        Self::Engine(error.into())
    }
}

/// Returns the names of all networks there are.
pub(super) fn names(observed: &Observed) -> impl Iterator<Item = NetworkName> {
    let recorded = observed.networks.iter().map(|network| network.name.clone());
    std::iter::once(NetworkName::default_network()).chain(recorded)
}

/// Returns the recorded networks of a pod as far as its own record tells of them.
pub(super) fn of_pod(pod: &PodRecord) -> Vec<NetworkRecord> {
    let assigned = pod.addresses.iter();
    assigned
        .filter(|assigned| !assigned.network.is_default())
        .filter_map(|assigned| match (assigned.address, assigned.gateway) {
            (IpAddr::V4(address), IpAddr::V4(gateway)) => {
                let subnet = Ipv4Subnet::containing(address, assigned.prefix);
                let name = assigned.network.clone();
                Some(NetworkRecord {
                    internal: assigned.internal,
                    ..NetworkRecord::new(name, pod.created, subnet, gateway)
                })
            }
            _ => None,
        })
        .collect()
}

impl Engine {
    /// Returns all networks, the default one first.
    ///
    /// # Errors
    /// The kernel or the file system does not answer, or no subnet is free for the default one.
    pub fn networks(&self, observed: &Observed) -> Result<Vec<NetworkRecord>, EngineError> {
        let mut networks = vec![self.default_network(observed)?];
        networks.extend(observed.networks.iter().cloned());
        Ok(networks)
    }

    /// Returns the default network as it is, or as the next pod will find it.
    fn default_network(&self, observed: &Observed) -> Result<NetworkRecord, EngineError> {
        let name = NetworkName::default_network();
        let host = sandbox::network_of(&self.paths, &name);
        let subnet = match host.subnet()? {
            Some(subnet) => subnet,
            None => {
                let free = network::free_subnet(&recorded(observed))?;
                // What was in the way may be the network itself, which another pod has just brought up.
                host.subnet()?.unwrap_or(free)
            }
        };
        // It is as old as the installation.
        let root = &self.paths.root;
        let made = std::fs::metadata(root)
            .and_then(|metadata| metadata.created().or_else(|_| metadata.modified()))
            .map_err(EngineError::io(root))?;
        let made = Timestamp::try_from(made).unwrap_or_default();
        let gateway = subnet.first_host();
        Ok(NetworkRecord::new(name, made, subnet, gateway))
    }

    /// Makes a network: its record; bridge and table come with its first pod.
    ///
    /// # Errors
    /// What of the wish cannot be, or the database cannot be written.
    pub fn create_network(
        &mut self,
        wish: &NetworkWish,
        now: Timestamp,
    ) -> Result<NetworkRecord, NetworksError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let network = self.decide(wish, now)?;
            match self.store.create_network(&network)? {
                NetworkCreation::Made => return Ok(network),
                NetworkCreation::NameTaken if wish.name.is_none() && tries < TRIES => {}
                NetworkCreation::NameTaken => return Err(NetworksError::NameTaken(network.name)),
                NetworkCreation::SubnetTaken(_) if wish.subnet.is_none() && tries < TRIES => {}
                NetworkCreation::SubnetTaken(_) => {
                    return Err(NetworksError::SubnetTaken(network.subnet));
                }
            }
        }
    }

    fn decide(&self, wish: &NetworkWish, now: Timestamp) -> Result<NetworkRecord, NetworksError> {
        let observed = self.store.observed()?;
        let name = match &wish.name {
            Some(name) if MODES.contains(&name.as_str()) => {
                return Err(NetworksError::Mode(name.clone()));
            }
            Some(name) if names(&observed).any(|other| other == *name) => {
                return Err(NetworksError::NameTaken(name.clone()));
            }
            Some(name) => name.clone(),
            None => free_name(&observed),
        };
        let subnet = match wish.subnet {
            Some(subnet) => {
                if network::overlapping(subnet)?.is_some() {
                    return Err(NetworksError::SubnetTaken(subnet));
                }
                subnet
            }
            None if wish.gateway.is_some() || wish.range.is_some() => {
                return Err(NetworksError::NoSubnet);
            }
            None => {
                let mut reserved = recorded(&observed);
                reserved.insert(self.default_network(&observed)?.subnet);
                network::free_subnet(&reserved)?
            }
        };
        let network = NetworkRecord {
            name,
            created: now,
            subnet,
            gateway: gateway(wish.gateway, subnet)?,
            range: wish.range.map(|range| within(range, subnet)).transpose()?,
            internal: wish.internal,
            nameless: wish.nameless,
            labels: wish.labels.clone(),
        };
        let has_room = network.addresses().next().is_some();
        match has_room {
            true => Ok(network),
            false => Err(NetworksError::TooSmall(subnet)),
        }
    }

    /// Forgets a network that no pod is on, with what a killed command may have left of it in the kernel.
    ///
    /// # Errors
    /// It is the default one; the kernel or the database refuses.
    pub fn remove_network(&mut self, name: &NetworkName) -> Result<NetworkRemoval, NetworksError> {
        if name.is_default() {
            return Err(NetworksError::Default(name.clone()));
        }
        self.remove_bridge_if_unused(&self.store.observed()?, name)?;
        Ok(self.store.remove_network(name)?)
    }

    /// Removes the bridges that no pod is left to use.
    pub(super) fn remove_unused_networks(&self) -> Result<(), EngineError> {
        let observed = self.store.observed()?;
        for name in names(&observed) {
            self.remove_bridge_if_unused(&observed, &name)?;
        }
        Ok(())
    }

    fn remove_bridge_if_unused(
        &self,
        observed: &Observed,
        name: &NetworkName,
    ) -> Result<(), EngineError> {
        if observed.pods_on(name).next().is_none() {
            network::remove_unused(&sandbox::network_of(&self.paths, name))?;
        }
        Ok(())
    }
}

fn recorded(observed: &Observed) -> BTreeSet<Ipv4Subnet> {
    let networks = observed.networks.iter();
    networks.map(|network| network.subnet).collect()
}

fn free_name(observed: &Observed) -> NetworkName {
    (1..)
        .filter_map(|number| {
            NetworkName::parse(&format!("{}{number}", NetworkName::default_network())).ok()
        })
        .find(|name| names(observed).all(|other| other != *name))
        .expect("there are fewer networks than numbers")
}

fn gateway(wished: Option<Ipv4Addr>, subnet: Ipv4Subnet) -> Result<Ipv4Addr, NetworksError> {
    let gateway = wished.unwrap_or(subnet.first_host());
    let special = [subnet.network(), subnet.broadcast()];
    if !subnet.contains(gateway) || special.contains(&gateway) {
        return Err(NetworksError::Gateway { gateway, subnet });
    }
    Ok(gateway)
}

fn within(range: AddressRange, subnet: Ipv4Subnet) -> Result<AddressRange, NetworksError> {
    for (end, address) in [("start", range.first), ("end", range.last)] {
        if !subnet.contains(address) {
            return Err(NetworksError::Range {
                end,
                address,
                subnet,
            });
        }
    }
    Ok(range)
}
