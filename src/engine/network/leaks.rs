//! What of a network belongs to no pod.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{HostNetwork, NetworkError};
use crate::sys::firewall::{FirewallError, PortForward};
use crate::sys::netlink::{LinkName, Netlink};

/// Links and forwards that no pod has.
#[derive(Debug, Default)]
pub struct Leaks {
    pub links: Vec<LinkName>,
    pub forwards: Vec<PortForward>,
    /// Whether there is a bridge at all.
    pub bridge: bool,
}

/// Finds what is attached to the bridge and published in the table, but is none of these links and leads
/// to none of these addresses.
///
/// # Errors
/// The kernel refuses.
pub fn leaks(
    host: &HostNetwork,
    known: &BTreeSet<LinkName>,
    addresses: &BTreeSet<Ipv4Addr>,
) -> Result<Leaks, NetworkError> {
    let mut netlink = Netlink::open()?;
    let Some(bridge) = netlink.link(host.bridge())? else {
        return Ok(Leaks::default());
    };
    let links = netlink
        .links()?
        .into_iter()
        .filter(|link| link.controller == Some(bridge.index))
        .filter_map(|link| LinkName::parse(&link.name).ok())
        .filter(|link| !known.contains(link))
        .collect();
    let mut forwards = match host.firewall() {
        Ok(firewall) if firewall.exists()? => firewall.forwards()?,
        Ok(_) | Err(FirewallError::Unavailable) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    forwards.retain(|forward| !addresses.contains(forward.to.ip()));
    Ok(Leaks {
        links,
        forwards,
        bridge: true,
    })
}

/// Removes what [`leaks`] has found.
///
/// # Errors
/// The kernel refuses.
pub fn remove_leaks(host: &HostNetwork, leaks: &Leaks) -> Result<(), NetworkError> {
    if !leaks.forwards.is_empty() {
        host.firewall()?.withdraw(&leaks.forwards)?;
    }
    let mut netlink = Netlink::open()?;
    for link in &leaks.links {
        netlink.delete_link(link)?;
    }
    Ok(())
}
