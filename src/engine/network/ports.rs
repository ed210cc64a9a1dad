//! Ports of the host: held before, published after.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use super::{BridgeNetwork, NetworkError};
use crate::model::network::{Protocol, PublishedPort};
use crate::sys::conntrack::{UdpPort, forget_udp_flows};
use crate::sys::firewall::{Firewall, PortForward, check_available};
use crate::sys::socket::{Transport, hold_port};

/// The ports of the host that are held for a pod.
///
/// While it lives, no other process can listen on them.
#[derive(Debug, Default)]
pub struct PortHold {
    ports: Vec<PublishedPort>,
    sockets: Vec<OwnedFd>,
}

impl PortHold {
    /// Holds those of these ports that it does not hold yet, as far as they are free.
    ///
    /// # Errors
    /// The first of those that are not.
    pub fn hold_more(&mut self, ports: &[PublishedPort]) -> Result<(), NetworkError> {
        let mut first = None;
        for port in ports {
            if self.ports.contains(port) {
                continue;
            }
            match hold_ports(std::slice::from_ref(port)) {
                Ok(held) => {
                    self.ports.extend(held.ports);
                    self.sockets.extend(held.sockets);
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        first.map_or(Ok(()), Err)
    }
}

/// Takes the host ports of a pod before anything is touched.
///
/// # Errors
/// A port is taken, with the process that has it; an address is not the host's or is IPv6; there
/// is no packet filter to publish ports with.
pub fn hold_ports(ports: &[PublishedPort]) -> Result<PortHold, NetworkError> {
    if !ports.is_empty() {
        check_available()?;
    }
    let mut sockets = Vec::new();
    for port in ports {
        let ip = host_ip(port)?.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let address = SocketAddrV4::new(ip, port.host_port);
        sockets.extend(hold_port(transport(port.protocol), address)?);
    }
    Ok(PortHold {
        ports: ports.to_vec(),
        sockets,
    })
}

/// Publishes the forwards in a table that other pods use already.
pub(super) fn publish_more(
    firewall: &Firewall,
    bridge: &BridgeNetwork,
    forwards: &[PortForward],
) -> Result<(), NetworkError> {
    // To empty and fill the chains waits for the kernel's RCU grace periods.
    let stands = if forwards.is_empty() {
        firewall.exists()?
    } else {
        firewall.add(forwards).is_ok()
    };
    if stands {
        Ok(())
    } else {
        publish(firewall, bridge, forwards)
    }
}

/// Publishes the forwards. A port of ours that leads elsewhere is what a killed run has left,
/// because a pod claims its ports in the store before.
pub(super) fn publish(
    firewall: &Firewall,
    bridge: &BridgeNetwork,
    forwards: &[PortForward],
) -> Result<(), NetworkError> {
    let Err(error) = firewall.publish(&bridge.rules(), forwards) else {
        return Ok(());
    };
    let same_port = |a: &PortForward, b: &PortForward| {
        (a.transport, a.host_ip, a.host_port) == (b.transport, b.host_ip, b.host_port)
    };
    let mut stale = firewall.forwards()?;
    stale.retain(|old| forwards.iter().any(|new| same_port(old, new) && old != new));
    if stale.is_empty() {
        return Err(error.into());
    }
    firewall.withdraw(&stale)?;
    Ok(firewall.publish(&bridge.rules(), forwards)?)
}

pub(super) fn host_ip(port: &PublishedPort) -> Result<Option<Ipv4Addr>, NetworkError> {
    match port.host_ip {
        None => Ok(None),
        Some(IpAddr::V4(ip)) => Ok(Some(ip).filter(|ip| !ip.is_unspecified())),
        Some(ip @ IpAddr::V6(_)) => Err(NetworkError::Ipv6HostAddress {
            ip,
            port: port.host_port,
        }),
    }
}

pub(super) fn transport(protocol: Protocol) -> Transport {
    match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
        Protocol::Sctp => Transport::Sctp,
    }
}

/// Forgets the UDP flows to these ports, so that no client is led to where they led before.
pub(super) fn forget_flows(forwards: &[PortForward]) {
    let ports: Vec<UdpPort> = forwards
        .iter()
        .filter(|forward| forward.transport == Transport::Udp)
        .map(|forward| UdpPort {
            ip: forward.host_ip,
            port: forward.host_port,
        })
        .collect();
    // A kernel that does not show its flows forgets them when they have been quiet for two minutes.
    let _ = forget_udp_flows(&ports);
}
