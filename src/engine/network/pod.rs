//! What is decided about one pod's part in one network.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use super::host::OUR_BRIDGES;
use super::ports::{host_ip, transport};
use super::{HostNetwork, NetworkError};
use crate::model::network::PublishedPort;
use crate::names::PodId;
use crate::subnet::Ipv4Subnet;
use crate::sys::firewall::{Passage, PortForward, Rules};
use crate::sys::netlink::LinkName;

/// A network of the host, fully decided.
#[derive(Debug, Clone)]
pub struct BridgeNetwork {
    pub host: HostNetwork,
    pub subnet: Ipv4Subnet,
    /// The bridge's own address.
    pub gateway: Ipv4Addr,
    /// Whether it leads nowhere but to its pods and the host.
    pub internal: bool,
}

impl BridgeNetwork {
    pub(super) fn rules(&self) -> Rules<'static> {
        Rules {
            subnet: self.subnet,
            passage: match self.internal {
                true => Passage::Closed,
                false => Passage::Except(&OUR_BRIDGES),
            },
        }
    }
}

/// What the default route of a pod leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultRoute {
    /// This network.
    Here,
    /// Another one, or nothing.
    Elsewhere,
}

/// One pod in one network, fully decided.
#[derive(Debug, Clone)]
pub struct PodNetwork {
    /// What it is joined to.
    pub bridge: BridgeNetwork,
    /// The host's end of the cable, [`PodNetwork::link_of`] the pod.
    pub link: LinkName,
    /// The pod's end of it.
    pub interface: LinkName,
    pub default_route: DefaultRoute,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// The pod's hardware address, if one was asked for.
    pub mac: Option<[u8; 6]>,
    /// The ports that the host publishes.
    pub ports: Vec<PublishedPort>,
    /// Where the pod's network namespace is pinned.
    pub netns: PathBuf,
}

impl PodNetwork {
    /// How many networks a pod can be on.
    pub const MOST: usize = 16;

    /// Returns the name of the host's end of a pod's cable to its network in this place, from 0.
    ///
    /// # Panics
    /// Never, below [`Self::MOST`].
    #[must_use]
    pub fn link_of(pod: &PodId, place: usize) -> LinkName {
        let name = match place {
            0 => format!("veth{:.11}", pod.to_string()),
            _ => format!("vet{place:x}{:.11}", pod.to_string()),
        };
        LinkName::parse(&name).expect("four letters and eleven hex digits")
    }

    /// Returns the name of the pod's end of that cable.
    ///
    /// # Panics
    /// Never, below [`Self::MOST`].
    #[must_use]
    pub fn interface_of(place: usize) -> LinkName {
        LinkName::parse(&format!("eth{place}")).expect("three letters and a small number")
    }

    pub(super) fn forwards(&self) -> Result<Vec<PortForward>, NetworkError> {
        self.ports
            .iter()
            .map(|port| {
                Ok(PortForward {
                    transport: transport(port.protocol),
                    host_ip: host_ip(port)?,
                    host_port: port.host_port,
                    to: SocketAddrV4::new(self.address, port.container_port),
                })
            })
            .collect()
    }

    pub(super) fn validate(&self) -> Result<(), NetworkError> {
        let BridgeNetwork {
            subnet, gateway, ..
        } = self.bridge;
        let address = self.address;
        let special = [subnet.network(), gateway, subnet.broadcast()];
        if !subnet.contains(address) || special.contains(&address) {
            return Err(NetworkError::Address { address, subnet });
        }
        Ok(())
    }
}
