//! What is decided about one pod's network.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use super::ports::{host_ip, transport};
use super::{HostNetwork, NetworkError};
use crate::model::network::PublishedPort;
use crate::names::PodId;
use crate::sys::firewall::PortForward;
use crate::sys::netlink::LinkName;
use crate::sys::subnet::Ipv4Subnet;

/// The network of one pod, fully decided.
#[derive(Debug, Clone)]
pub struct PodNetwork {
    /// The bridge it is joined to.
    pub host: HostNetwork,
    /// The host's end of the cable, [`PodNetwork::link_of`] the pod.
    pub link: LinkName,
    /// The bridge's network.
    pub subnet: Ipv4Subnet,
    /// The pod's address in it.
    pub address: Ipv4Addr,
    /// The pod's hardware address, if one was asked for.
    pub mac: Option<[u8; 6]>,
    /// The ports that the host publishes.
    pub ports: Vec<PublishedPort>,
    /// Where the pod's network namespace is pinned.
    pub netns: PathBuf,
}

impl PodNetwork {
    /// Returns the name of the host's end of the pod's cable.
    #[must_use]
    pub fn link_of(pod: &PodId) -> LinkName {
        let name = format!("veth{:.11}", pod.to_string());
        LinkName::parse(&name).expect("four letters and eleven hex digits")
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
        let (address, subnet) = (self.address, self.subnet);
        let special = [subnet.network(), subnet.gateway(), subnet.broadcast()];
        if !subnet.contains(address) || special.contains(&address) {
            return Err(NetworkError::Address { address, subnet });
        }
        Ok(())
    }
}
