//! The order of things, and their undoing.

use std::path::Path;

use super::bridge::{join_bridge, remove_bridge};
use super::ports::{forget_flows, publish, publish_more};
use super::{DefaultRoute, NetworkError, NetworkWarning, PodNetwork};
use crate::fault;
use crate::sys::firewall::{Firewall, FirewallError, ForwardPolicy, PortForward};
use crate::sys::namespace::{Namespace, NamespaceKind, in_namespaces};
use crate::sys::netlink::{LinkName, Netlink};
use crate::sys::sysctl::{SysctlError, write_sysctl};

/// Whether other pods are on the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherPods {
    /// The bridge and the table stay.
    Remain,
    /// This pod is the last one; the bridge goes, unless something is still joined to it.
    None,
}

/// What a set-up has made so far.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) bridge: bool,
    pub(super) link: bool,
    forwards: bool,
}

/// Joins a pod's network namespace to the bridge, gives it its address and publishes its ports.
///
/// IPv4 forwarding (`net.ipv4.ip_forward`) is switched on in the host and stays on.
///
/// # Errors
/// Something is not valid or the kernel refuses; what was made before is gone again.
pub fn set_up(pod: &PodNetwork) -> Result<Vec<NetworkWarning>, NetworkError> {
    pod.validate()?;
    let forwards = pod.forwards()?;
    let netns = Namespace::open(NamespaceKind::Net, &pod.netns)?;
    let firewall = match pod.bridge.host.firewall() {
        Err(FirewallError::Unavailable) if forwards.is_empty() => None,
        found => Some(found?),
    };
    let mut made = Made::default();
    set_up_steps(pod, &netns, firewall.as_ref(), &forwards, &mut made).inspect_err(|_| {
        undo(pod, firewall.as_ref(), &forwards, &made);
    })
}

fn set_up_steps(
    pod: &PodNetwork,
    netns: &Namespace,
    firewall: Option<&Firewall>,
    forwards: &[PortForward],
    made: &mut Made,
) -> Result<Vec<NetworkWarning>, NetworkError> {
    let mut netlink = Netlink::open()?;
    join_bridge(pod, netns, &mut netlink, made)?;
    fault::point("with the pod's link made");
    configure_pod(pod, netns)?;
    let Some(firewall) = firewall else {
        return Ok(vec![NetworkWarning::NoMasquerade]);
    };
    if made.bridge {
        publish(firewall, &pod.bridge, forwards)?;
    } else {
        publish_more(firewall, &pod.bridge, forwards)?;
    }
    made.forwards = true;
    forget_flows(forwards);
    if !made.bridge {
        return Ok(Vec::new());
    }
    Ok(match firewall.forward_policy()? {
        ForwardPolicy::Accept => Vec::new(),
        ForwardPolicy::Drop { chain } => vec![NetworkWarning::ForwardDropped {
            chain,
            bridge: pod.bridge.host.bridge.clone(),
        }],
    })
}

fn configure_pod(pod: &PodNetwork, netns: &Namespace) -> Result<(), NetworkError> {
    in_namespaces(&[netns], || {
        let mut netlink = Netlink::open()?;
        let lo = netlink.expect_link(&loopback())?;
        netlink.set_up(lo.index)?;
        unless_missing(write_sysctl(
            &format!("net/ipv6/conf/{}/accept_ra", pod.interface),
            "0",
        ))?;
        let own = netlink.expect_link(&pod.interface)?;
        netlink.add_address(own.index, pod.address, pod.bridge.subnet.prefix())?;
        netlink.set_up(own.index)?;
        if pod.default_route == DefaultRoute::Here {
            netlink.add_default_route(pod.bridge.gateway)?;
        }
        Ok(())
    })?
}

/// Sets up the loopback device of a pod that has no other network.
///
/// # Errors
/// The namespace is not there, or the kernel refuses.
pub fn set_up_loopback(netns: &Path) -> Result<(), NetworkError> {
    let netns = Namespace::open(NamespaceKind::Net, netns)?;
    let mut netlink = Netlink::open_in(&netns)?;
    let lo = netlink.expect_link(&loopback())?;
    netlink.set_up(lo.index)?;
    Ok(())
}

fn loopback() -> LinkName {
    LinkName::parse("lo").expect("the constant is a link name")
}

fn undo(pod: &PodNetwork, firewall: Option<&Firewall>, forwards: &[PortForward], made: &Made) {
    // The error that led here is the one to tell.
    if let Some(firewall) = firewall.filter(|_| made.forwards) {
        let _ = firewall.withdraw(forwards);
    }
    if made.link {
        let _ = Netlink::open().and_then(|mut netlink| netlink.delete_link(&pod.link));
    }
    if made.bridge {
        let _ = remove_bridge(&pod.bridge.host, firewall);
    }
}

/// Takes a pod's network down: its ports, its cable, and with the last pod the bridge and the
/// table. What is not there any more is no error.
///
/// # Errors
/// All that could not be done; the rest has been done nevertheless.
pub fn tear_down(pod: &PodNetwork, others: OtherPods) -> Result<(), Vec<NetworkError>> {
    let mut errors = Vec::new();
    let firewall = match pod.bridge.host.firewall() {
        Ok(firewall) => Some(firewall),
        Err(FirewallError::Unavailable) if pod.ports.is_empty() => None,
        Err(error) => {
            errors.push(error.into());
            None
        }
    };
    if let Some(firewall) = firewall.as_ref().filter(|_| !pod.ports.is_empty()) {
        let withdrawn = pod.forwards().and_then(|forwards| {
            firewall.withdraw(&forwards)?;
            forget_flows(&forwards);
            Ok(())
        });
        errors.extend(withdrawn.err());
    }
    fault::point("with the pod's ports withdrawn");
    let deleted = Netlink::open().and_then(|mut netlink| netlink.delete_link(&pod.link));
    fault::point("with the pod's link gone");
    errors.extend(deleted.err().map(NetworkError::from));
    if others == OtherPods::None {
        errors.extend(remove_bridge(&pod.bridge.host, firewall.as_ref()).err());
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

pub(super) fn unless_missing(result: Result<(), SysctlError>) -> Result<(), SysctlError> {
    match result {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    }
}
