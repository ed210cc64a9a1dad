//! Network links, addresses and routes, by rtnetlink (`rtnetlink(7)`).
//!
//! The requests are built and read by the `rtnetlink` crates; the socket blocks. A netlink socket
//! belongs to the network namespace it was opened in for all its life, whichever thread uses it
//! later: [`Netlink::open_in`] opens one inside another namespace.

mod change;
mod list;
mod name;
mod wire;

use std::io;
use std::net::IpAddr;

use nix::errno::Errno;

use super::namespace::NamespaceError;
use crate::subnet::Ipv4Subnet;

pub use change::Veth;
pub use name::{LinkName, LinkNameError};
pub use wire::Netlink;

/// What went wrong with the network's links.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No socket to the kernel's routing subsystem.
    #[error("opening a netlink socket")]
    Open(#[source] io::Error),
    /// The namespace for the socket could not be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The kernel refused a request.
    #[error("{action}")]
    Request {
        /// What was asked.
        action: String,
        /// Why.
        source: io::Error,
    },
    /// There is no such link.
    #[error("there is no network link `{name}`")]
    NoLink {
        /// Its name.
        name: LinkName,
    },
}

impl NetlinkError {
    fn errno(&self) -> Option<Errno> {
        match self {
            Self::Request { source, .. } => source.raw_os_error().map(Errno::from_raw),
            Self::Open(_) | Self::Namespace(_) | Self::NoLink { .. } => None,
        }
    }
}

/// A network link as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in the namespace.
    pub index: u32,
    /// Its name; the kernel allows more than [`LinkName`] does.
    pub name: String,
    /// Whether it is a bridge.
    pub is_bridge: bool,
    /// The bridge or bond it is a port of.
    pub controller: Option<u32>,
    /// The largest packet it carries.
    pub mtu: Option<u32>,
    /// Its hardware address.
    pub mac: Vec<u8>,
}

/// An address of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAddress {
    /// The link's number.
    pub link: u32,
    /// The address.
    pub address: IpAddr,
    /// The length of the network's prefix.
    pub prefix: u8,
}

/// An IPv4 route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// What it leads to; `0.0.0.0/0` for the default route.
    pub destination: Ipv4Subnet,
    /// The link it leaves by.
    pub link: Option<u32>,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::namespace::{Namespace, NamespaceKind, create_pinned, unpin};
    use super::*;

    fn name(text: &str) -> LinkName {
        LinkName::parse(text).expect(text)
    }

    #[test]
    fn a_name_that_could_mean_more_is_refused() {
        for text in [
            "",
            "a b",
            "../x",
            "a\"b",
            "0123456789abcdef",
            "x;y",
            "-f",
            "*",
        ] {
            assert!(LinkName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_cable_is_born_with_its_peer_in_the_other_namespace() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: lacks root");
            return;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let (host, pod) = (dir.path().join("host"), dir.path().join("pod"));
        create_pinned(&[(NamespaceKind::Net, &host)]).expect("host");
        create_pinned(&[(NamespaceKind::Net, &pod)]).expect("pod");
        let host_ns = Namespace::open(NamespaceKind::Net, &host).expect("host");
        let pod_ns = Namespace::open(NamespaceKind::Net, &pod).expect("pod");
        let mut outside = Netlink::open_in(&host_ns).expect("socket");
        let mut inside = Netlink::open_in(&pod_ns).expect("socket");
        let (bridge, end, eth0) = (name("br-test"), name("veth-test"), name("eth0"));

        assert_eq!(outside.link(&bridge).expect("lookup"), None);
        let mac = [2, 0, 0, 0, 0, 1];
        outside.add_bridge(&bridge, mac).expect("bridge");
        let found = outside.expect_link(&bridge).expect("bridge");
        assert!(found.is_bridge);
        let gateway = Ipv4Addr::new(10, 99, 0, 1);
        outside
            .add_address(found.index, gateway, 24)
            .expect("address");
        outside
            .add_address(found.index, gateway, 24)
            .expect("again");
        outside.set_up(found.index).expect("up");
        let veth = Veth {
            name: &end,
            bridge: found.index,
            peer: &eth0,
            peer_namespace: &pod_ns,
            peer_mac: [2, 0, 0, 0, 0, 7],
            mtu: Some(1400),
        };
        outside.add_veth(&veth).expect("veth");
        let error = outside.add_veth(&veth).expect_err("the name is taken");
        assert_eq!(error.errno(), Some(Errno::EEXIST));
        let own = outside.expect_link(&end).expect("own end");
        assert_eq!(own.controller, Some(found.index));
        let peer = inside.expect_link(&eth0).expect("peer");
        assert_eq!((peer.mac, peer.mtu), (vec![2, 0, 0, 0, 0, 7], Some(1400)));
        let address = Ipv4Addr::new(10, 99, 0, 2);
        inside
            .add_address(peer.index, address, 24)
            .expect("address");
        inside.set_up(peer.index).expect("up");
        inside.add_default_route(gateway).expect("route");
        let subnet: Ipv4Subnet = "10.99.0.0/24".parse().expect("subnet");
        let everything: Ipv4Subnet = "0.0.0.0/0".parse().expect("subnet");
        for destination in [subnet, everything] {
            let routes = inside.routes().expect("routes");
            assert!(routes.iter().any(|route| route.destination == destination));
        }
        let addresses = inside.addresses().expect("addresses");
        assert!(addresses.contains(&LinkAddress {
            link: peer.index,
            address: address.into(),
            prefix: 24
        }));
        assert!(outside.delete_link(&end).expect("deleted"));
        assert!(!outside.delete_link(&end).expect("gone"));
        assert_eq!(inside.link(&eth0).expect("lookup"), None);
        unpin(&host).expect("unpinned");
        unpin(&pod).expect("unpinned");
    }
}
