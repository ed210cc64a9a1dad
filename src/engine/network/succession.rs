//! Published ports go from one pod to the one that takes its place.

use std::collections::BTreeSet;
use std::path::Path;

use super::ports::{forget_flows, publish};
use super::{NetworkError, PodNetwork};
use crate::sys::namespace::{Namespace, NamespaceKind, in_namespaces};
use crate::sys::tcp::{TcpSocket, TcpState, tcp_sockets};

/// Leads the published ports of one pod to another, at one moment.
///
/// Connections that stand go on: the kernel remembers where each of them leads.
///
/// # Errors
/// The packet filter refuses; the ports lead where they led.
pub fn lead_ports(from: Option<&PodNetwork>, to: &PodNetwork) -> Result<(), NetworkError> {
    let old = match from {
        Some(pod) => pod.forwards()?,
        None => Vec::new(),
    };
    let new = to.forwards()?;
    if old.is_empty() && new.is_empty() {
        return Ok(());
    }
    match from.filter(|from| from.bridge.host != to.bridge.host) {
        None => {
            let firewall = to.bridge.host.firewall()?;
            if firewall.exchange(&old, &new).is_err() {
                // What stands in the way is what a killed run has left.
                publish(&firewall, &to.bridge, &new)?;
            }
        }
        // For a moment both answer.
        Some(from) => {
            publish(&to.bridge.host.firewall()?, &to.bridge, &new)?;
            from.bridge.host.firewall()?.withdraw(&old)?;
        }
    }
    forget_flows(&old);
    forget_flows(&new);
    Ok(())
}

/// Returns the TCP ports that something in a pod listens on.
///
/// # Errors
/// The namespace is not there, or the kernel does not show its sockets.
pub fn listens(netns: &Path) -> Result<BTreeSet<u16>, NetworkError> {
    let mut sockets = sockets_in(netns)?;
    sockets.retain(|socket| socket.state == TcpState::Listen);
    Ok(sockets.into_iter().map(|socket| socket.port).collect())
}

/// Counts the connections that clients have to these ports of a pod.
///
/// # Errors
/// The namespace is not there, or the kernel does not show its sockets.
pub fn connections(netns: &Path, ports: &BTreeSet<u16>) -> Result<usize, NetworkError> {
    let mut sockets = sockets_in(netns)?;
    sockets.retain(|socket| socket.state == TcpState::Open && ports.contains(&socket.port));
    Ok(sockets.len())
}

fn sockets_in(netns: &Path) -> Result<Vec<TcpSocket>, NetworkError> {
    let netns = Namespace::open(NamespaceKind::Net, netns)?;
    in_namespaces(&[&netns], tcp_sockets)?.map_err(NetworkError::Sockets)
}
