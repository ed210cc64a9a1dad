//! The names of a root directory's networks in the kernel, and their subnets.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::NetworkError;
use crate::engine::paths::tag_of;
use crate::names::{NetworkName, hex};
use crate::subnet::Ipv4Subnet;
use crate::sys::firewall::{Firewall, FirewallError};
use crate::sys::netlink::{Link, LinkName, Netlink};

/// The name of the default root's bridge and of its table.
const DEFAULT_BRIDGE: &str = OUR_BRIDGES[0];

const DEFAULT_TABLE: &str = "podwright";

/// Where the search for a free subnet begins; 10.88 and 10.89 are podman's.
const SUBNET_RANGES: [(Ipv4Addr, Ipv4Addr); 3] = [
    (Ipv4Addr::new(10, 90, 0, 0), Ipv4Addr::new(10, 255, 255, 0)),
    (Ipv4Addr::new(172, 16, 0, 0), Ipv4Addr::new(172, 31, 255, 0)),
    (
        Ipv4Addr::new(192, 168, 0, 0),
        Ipv4Addr::new(192, 168, 255, 0),
    ),
];

const SUBNET_PREFIX: u8 = 24;

/// What the names of all bridges begin with, but for the default root's default one.
const BRIDGE_PREFIX: &str = "pw-";

/// The names of all bridges of all roots.
pub(super) const OUR_BRIDGES: [&str; 2] = ["podwright0", "pw-*"];

/// The bridge and the packet filter table of one network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostNetwork {
    pub(super) bridge: LinkName,
    table: LinkName,
}

impl HostNetwork {
    /// Returns the default network of the default root directory.
    #[must_use]
    pub fn of_default_root() -> Self {
        let name = |text| LinkName::parse(text).expect("the constant is a link name");
        Self {
            bridge: name(DEFAULT_BRIDGE),
            table: name(DEFAULT_TABLE),
        }
    }

    /// Returns the default network of any other root directory.
    #[must_use]
    pub fn of_root(root: &Path) -> Self {
        Self::named(&tag_of(root))
    }

    /// Returns another network of a root directory.
    #[must_use]
    pub fn of_network(root: &Path, name: &NetworkName) -> Self {
        let root = root.as_os_str().as_encoded_bytes();
        let digest = Sha256::digest([root, b"\0", name.as_str().as_bytes()].concat());
        Self::named(&hex(&digest[..6]))
    }

    fn named(digits: &str) -> Self {
        let name = LinkName::parse(&format!("{BRIDGE_PREFIX}{digits}"))
            .expect("three letters and at most twelve digits");
        Self {
            bridge: name.clone(),
            table: name,
        }
    }

    /// Returns the bridge's name.
    #[must_use]
    pub fn bridge(&self) -> &LinkName {
        &self.bridge
    }

    /// Returns the subnet of the bridge, if there is a bridge.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn subnet(&self) -> Result<Option<Ipv4Subnet>, NetworkError> {
        let mut netlink = Netlink::open()?;
        match netlink.link(&self.bridge)? {
            Some(bridge) => subnet_of(&mut netlink, &bridge),
            None => Ok(None),
        }
    }

    pub(super) fn firewall(&self) -> Result<Firewall, FirewallError> {
        Firewall::find(&self.table, &self.bridge)
    }
}

/// Returns a private subnet for a network that is to be made, which is neither the host's nor reserved.
///
/// # Errors
/// The kernel refuses, or no private subnet is free.
pub fn free_subnet(reserved: &BTreeSet<Ipv4Subnet>) -> Result<Ipv4Subnet, NetworkError> {
    let mut used = subnets_in_use(&mut Netlink::open()?)?;
    used.extend(reserved);
    first_free(&used).ok_or(NetworkError::NoFreeSubnet)
}

/// Returns the subnet of the host that this one has an address in common with.
///
/// # Errors
/// The kernel refuses.
pub fn overlapping(subnet: Ipv4Subnet) -> Result<Option<Ipv4Subnet>, NetworkError> {
    let used = subnets_in_use(&mut Netlink::open()?)?;
    Ok(used.into_iter().find(|used| used.overlaps(subnet)))
}

pub(super) fn subnet_of(
    netlink: &mut Netlink,
    link: &Link,
) -> Result<Option<Ipv4Subnet>, NetworkError> {
    let addresses = netlink.addresses()?;
    Ok(addresses
        .iter()
        .filter(|address| address.link == link.index)
        .find_map(|address| match address.address {
            IpAddr::V4(ip) => Some(Ipv4Subnet::containing(ip, address.prefix)),
            IpAddr::V6(_) => None,
        }))
}

/// Lists the networks that the host has an address in or a route to. A route to half the world
/// (`0.0.0.0/1`, as VPNs set them) is like a default route: it takes no network.
pub(super) fn subnets_in_use(netlink: &mut Netlink) -> Result<Vec<Ipv4Subnet>, NetworkError> {
    const SHORTEST_PREFIX: u8 = 8;
    let addresses = netlink.addresses()?.into_iter();
    let own = addresses.filter_map(|address| match address.address {
        IpAddr::V4(ip) => Some(Ipv4Subnet::containing(ip, address.prefix)),
        IpAddr::V6(_) => None,
    });
    let routes = netlink.routes()?.into_iter();
    Ok(own
        .chain(routes.map(|route| route.destination))
        .filter(|subnet| subnet.prefix() >= SHORTEST_PREFIX)
        .collect())
}

fn first_free(used: &[Ipv4Subnet]) -> Option<Ipv4Subnet> {
    SUBNET_RANGES
        .iter()
        .flat_map(|(first, last)| (first.to_bits()..=last.to_bits()).step_by(1 << 8))
        .map(|network| Ipv4Subnet::containing(Ipv4Addr::from_bits(network), SUBNET_PREFIX))
        .find(|subnet| !used.iter().any(|used| used.overlaps(*subnet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<Ipv4Subnet> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn the_first_free_subnet_is_outside_of_all_that_is_routed() {
        let first = |used: &[&str]| first_free(&nets(used)).map(|subnet| subnet.to_string());
        assert_eq!(first(&[]).as_deref(), Some("10.90.0.0/24"));
        assert_eq!(
            first(&["10.90.0.0/24", "10.90.1.128/25"]).as_deref(),
            Some("10.90.2.0/24")
        );
        assert_eq!(first(&["10.0.0.0/8"]).as_deref(), Some("172.16.0.0/24"));
        assert_eq!(
            first(&["10.0.0.0/8", "172.16.0.0/12"]).as_deref(),
            Some("192.168.0.0/24")
        );
        let all = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
        assert_eq!(first(&all), None);
    }

    #[test]
    fn a_root_has_names_of_its_own() {
        let default = HostNetwork::of_default_root();
        let (one, two) = (
            HostNetwork::of_root(Path::new("/srv/one")),
            HostNetwork::of_root(Path::new("/srv/two")),
        );
        assert_eq!(default.bridge().as_str(), "podwright0");
        assert_ne!(one, two);
        assert_eq!(one.bridge().as_str().len(), "pw-012345".len());
        let name = NetworkName::parse("back").unwrap();
        let networks =
            ["/srv/one", "/srv/two"].map(|root| HostNetwork::of_network(Path::new(root), &name));
        assert_ne!(networks[0], networks[1]);
        assert_eq!(networks[0].bridge().as_str().len(), "pw-012345abcdef".len());
    }
}
