//! The bridge: made with the first pod, joined by each, removed with the last.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::host::{subnet_of, subnets_in_use};
use super::setup::{Made, unless_missing};
use super::{HostNetwork, NetworkError, PodNetwork};
use crate::sys::firewall::Firewall;
use crate::sys::namespace::{Namespace, NamespaceKind, NamespaceLock};
use crate::sys::netlink::{Link, Netlink, Veth};
use crate::sys::sysctl::{ensure_sysctl, write_sysctl};

/// How long another's change of the network is waited for. Who waited in vain goes on: a process
/// that sits on the lock must not keep pods from starting.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Makes sure of the bridge and plugs the pod's cable in, under the lock.
pub(super) fn join_bridge(
    pod: &PodNetwork,
    netns: &Namespace,
    netlink: &mut Netlink,
    made: &mut Made,
) -> Result<(), NetworkError> {
    let _lock = lock_network()?;
    let bridge = ensure_bridge(pod, netlink, made)?;
    // A cable left by a run that was killed.
    netlink.delete_link(&pod.link)?;
    let mtu = uplink_mtu(netlink)?;
    made.link = true;
    netlink.add_veth(&Veth {
        name: &pod.link,
        bridge: bridge.index,
        peer: &pod.interface,
        peer_namespace: netns,
        peer_mac: pod.mac.unwrap_or_else(|| mac_of(pod.address)),
        mtu,
    })?;
    let port = netlink.expect_link(&pod.link)?;
    netlink.set_hairpin(port.index)?;
    Ok(())
}

fn ensure_bridge(
    pod: &PodNetwork,
    netlink: &mut Netlink,
    made: &mut Made,
) -> Result<Link, NetworkError> {
    let name = &pod.bridge.host.bridge;
    ensure_sysctl("net.ipv4.ip_forward", "1")?;
    let bridge = match netlink.link(name)? {
        Some(bridge) => bridge,
        None => {
            let used = subnets_in_use(netlink)?;
            if let Some(present) = used.iter().find(|used| used.overlaps(pod.bridge.subnet)) {
                return Err(NetworkError::SubnetInUse {
                    bridge: name.clone(),
                    wanted: pod.bridge.subnet,
                    present: *present,
                });
            }
            netlink.add_bridge(name, mac_of(pod.bridge.gateway))?;
            made.bridge = true;
            netlink.expect_link(name)?
        }
    };
    if !bridge.is_bridge {
        return Err(NetworkError::NotABridge {
            bridge: name.clone(),
        });
    }
    match subnet_of(netlink, &bridge)? {
        Some(present) if present != pod.bridge.subnet => {
            return Err(NetworkError::SubnetChanged {
                bridge: name.clone(),
                wanted: pod.bridge.subnet,
                present,
            });
        }
        Some(_) if !made.bridge => {}
        _ => configure_bridge(pod, netlink, &bridge)?,
    }
    Ok(bridge)
}

fn configure_bridge(
    pod: &PodNetwork,
    netlink: &mut Netlink,
    bridge: &Link,
) -> Result<(), NetworkError> {
    let name = &pod.bridge.host.bridge;
    // A pod must not make itself the host's IPv6 router (CVE-2020-10749).
    unless_missing(write_sysctl(
        &format!("net/ipv6/conf/{name}/accept_ra"),
        "0",
    ))?;
    // Lets the host reach published ports on 127.0.0.1; the table's `guard` chain closes what this
    // opens.
    write_sysctl(&format!("net/ipv4/conf/{name}/route_localnet"), "1")?;
    netlink.add_address(bridge.index, pod.bridge.gateway, pod.bridge.subnet.prefix())?;
    netlink.set_up(bridge.index)?;
    Ok(())
}

/// Removes bridge and table, unless something is joined to the bridge: then a pod came in the
/// meantime.
pub(super) fn remove_bridge(
    host: &HostNetwork,
    firewall: Option<&Firewall>,
) -> Result<(), NetworkError> {
    let _lock = lock_network()?;
    let mut netlink = Netlink::open()?;
    if let Some(bridge) = netlink.link(&host.bridge)? {
        let links = netlink.links()?;
        if links
            .iter()
            .any(|link| link.controller == Some(bridge.index))
        {
            return Ok(());
        }
        if bridge.is_bridge {
            netlink.delete_link(&host.bridge)?;
        }
    }
    if let Some(firewall) = firewall {
        firewall.remove()?;
    }
    Ok(())
}

/// Removes the bridge and table of an installation that has no pods any more; none is no error.
///
/// Pods that go at the same moment each see the others, and none of them is the last.
///
/// # Errors
/// The kernel refuses.
pub fn remove_unused(host: &HostNetwork) -> Result<(), NetworkError> {
    if Netlink::open()?.link(&host.bridge)?.is_none() {
        return Ok(());
    }
    remove_bridge(host, host.firewall().ok().as_ref())
}

fn lock_network() -> Result<Option<NamespaceLock>, NetworkError> {
    let own = Namespace::current(NamespaceKind::Net)?;
    // A kernel that cannot lock a namespace leaves a race between two roots, no more.
    Ok(own.lock(LOCK_PATIENCE).ok().flatten())
}

/// Returns the largest packet of the link that leads outside, if it is less than usual.
fn uplink_mtu(netlink: &mut Netlink) -> Result<Option<u32>, NetworkError> {
    const USUAL: u32 = 1500;
    let routes = netlink.routes()?;
    let default = routes.iter().find(|route| route.destination.prefix() == 0);
    let Some(uplink) = default.and_then(|route| route.link) else {
        return Ok(None);
    };
    let links = netlink.links()?;
    let mtu = links
        .iter()
        .find(|link| link.index == uplink)
        .and_then(|link| link.mtu);
    // Less than an IPv6 minimum is no real link's.
    Ok(mtu.filter(|mtu| (1280..USUAL).contains(mtu)))
}

/// Returns a hardware address that is a function of the IP address, so that whoever gets the
/// address next is found at once by those who knew the one before.
fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x0a, 0x58, a, b, c, d]
}
