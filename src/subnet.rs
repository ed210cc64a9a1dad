//! IPv4 networks in prefix notation.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 network: its first address and the length of its prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ipv4Subnet {
    network: Ipv4Addr,
    prefix: u8,
}

impl Ipv4Subnet {
    /// Returns the network that an address with this prefix length lies in; a length above 32
    /// counts as 32.
    #[must_use]
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self {
            network: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)),
            prefix,
        }
    }

    /// Returns the first address, which names the network.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        self.network
    }

    /// Returns the length of the prefix.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Returns the address after the network's, which is the host's own unless another one is chosen.
    #[must_use]
    pub fn first_host(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits().wrapping_add(1))
    }

    /// Returns the last address, to which all hosts of the network listen.
    #[must_use]
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | !mask(self.prefix))
    }

    /// Tells whether the address lies in the network.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.network.to_bits()
    }

    /// Tells whether the two networks have an address in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }

    /// Returns the last address that a host can have: the one before the broadcast address.
    #[must_use]
    pub fn last_host(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.broadcast().to_bits().saturating_sub(1))
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Ipv4Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl fmt::Debug for Ipv4Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Ipv4Subnet {
    type Error = SubnetError;

    fn try_from(text: String) -> Result<Self, SubnetError> {
        text.parse()
    }
}

impl From<Ipv4Subnet> for String {
    fn from(subnet: Ipv4Subnet) -> Self {
        subnet.to_string()
    }
}

/// A text that is no IPv4 network in prefix notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IPv4 network such as 10.90.0.0/24")]
pub struct SubnetError(String);

impl FromStr for Ipv4Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        text.split_once('/')
            .and_then(|(address, prefix)| {
                let (address, prefix) = (address.parse().ok()?, prefix.parse().ok()?);
                let subnet = Self::containing(address, prefix);
                (prefix <= 32 && subnet.network == address).then_some(subnet)
            })
            .ok_or_else(|| SubnetError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Subnet {
        text.parse().expect(text)
    }

    #[test]
    fn a_subnet_knows_its_special_addresses() {
        let subnet = net("10.90.3.0/24");
        assert_eq!(subnet.first_host(), Ipv4Addr::new(10, 90, 3, 1));
        assert_eq!(subnet.last_host(), Ipv4Addr::new(10, 90, 3, 254));
        assert_eq!(subnet.broadcast(), Ipv4Addr::new(10, 90, 3, 255));
        assert_eq!(subnet.to_string(), "10.90.3.0/24");
        assert_eq!(net("0.0.0.0/0").broadcast(), Ipv4Addr::BROADCAST);
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        assert!(net("10.0.0.0/8").overlaps(net("10.90.0.0/24")));
        assert!(net("10.90.0.0/24").overlaps(net("10.0.0.0/8")));
        assert!(!net("10.90.0.0/24").overlaps(net("10.90.1.0/24")));
        assert!(net("0.0.0.0/0").overlaps(net("192.168.0.0/24")));
    }

    #[test]
    fn a_text_that_names_no_network_is_refused() {
        for text in [
            "10.90.0.1/24",
            "10.90.0.0",
            "10.90.0.0/33",
            "x/24",
            "fd00::/64",
        ] {
            assert!(text.parse::<Ipv4Subnet>().is_err(), "{text}");
        }
    }
}
