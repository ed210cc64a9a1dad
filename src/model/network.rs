//! How a pod meets the network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::pod::Labels;
use crate::names::{DnsName, NetworkName, hex};
use crate::subnet::Ipv4Subnet;

/// A network of the host, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkRecord {
    pub name: NetworkName,
    pub created: Timestamp,
    pub subnet: Ipv4Subnet,
    /// The host's own address in it.
    pub gateway: Ipv4Addr,
    /// Where addresses are taken from that nobody asked for; all of the subnet without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<AddressRange>,
    /// Whether its pods reach each other and the host only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
    /// Whether its pods are told nothing of each other's names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nameless: bool,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// Addresses that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddressRange {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
}

impl AddressRange {
    /// Returns the addresses in their order.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        (self.first.to_bits()..=self.last.to_bits()).map(Ipv4Addr::from_bits)
    }
}

impl NetworkRecord {
    /// Returns a network that leads outside and of which nothing more was asked.
    #[must_use]
    pub fn new(
        name: NetworkName,
        created: Timestamp,
        subnet: Ipv4Subnet,
        gateway: Ipv4Addr,
    ) -> Self {
        Self {
            name,
            created,
            subnet,
            gateway,
            range: None,
            internal: false,
            nameless: false,
            labels: Labels::new(),
        }
    }

    /// Returns the id of the network: it follows from the name, as podman has it.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&Sha256::digest(self.name.as_str()))
    }

    /// Returns whether its pods find each other by name; on the default network they do not, as podman has it.
    #[must_use]
    pub fn has_names(&self) -> bool {
        !self.nameless && !self.name.is_default()
    }

    /// Returns whether a pod can have this address.
    #[must_use]
    pub fn has_room_at(&self, address: Ipv4Addr) -> bool {
        let subnet = self.subnet;
        let special = [subnet.network(), self.gateway, subnet.broadcast()];
        subnet.contains(address) && !special.contains(&address)
    }

    /// Returns the addresses that pods get, in their order.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let whole = AddressRange {
            first: self.subnet.first_host(),
            last: self.subnet.last_host(),
        };
        let range = self.range.unwrap_or(whole);
        range.addresses().filter(|one| self.has_room_at(*one))
    }
}

/// The network namespace of a pod and what it is joined to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum NetworkSpec {
    /// The host's own network namespace.
    Host,
    /// A namespace with nothing but a loopback device.
    None,
    /// A namespace joined to bridges, one interface each, in this order.
    Bridge { networks: Vec<Attachment> },
}

impl NetworkSpec {
    /// Returns the networks that it is joined to.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        match self {
            Self::Host | Self::None => &[],
            Self::Bridge { networks } => networks,
        }
    }

    /// Returns whether it is joined to this network.
    #[must_use]
    pub fn joins(&self, network: &NetworkName) -> bool {
        let mut attachments = self.attachments().iter();
        attachments.any(|attached| &attached.network == network)
    }
}

/// One interface of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attachment {
    pub network: NetworkName,
    /// The address asked for; without one the next free address is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The hardware address asked for, six bytes as `aa:bb:cc:dd:ee:ff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Names that other pods of the network have for this one, beside its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<DnsName>,
}

impl Attachment {
    /// Joins a network and asks for nothing else.
    #[must_use]
    pub fn to(network: NetworkName) -> Self {
        Self {
            network,
            address: None,
            mac: None,
            aliases: Vec::new(),
        }
    }
}

/// Reads a hardware address: six bytes as `aa:bb:cc:dd:ee:ff`.
#[must_use]
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let byte = |text: &str| match text.len() {
        2 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => u8::from_str_radix(text, 16).ok(),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
    bytes?.try_into().ok()
}

/// The transport of a port.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Protocol {
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    #[serde(rename = "UDP")]
    Udp,
    #[serde(rename = "SCTP")]
    Sctp,
}

impl fmt::Display for Protocol {
    /// Writes the lower-case word that podman, nft and `/etc/services` use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// A port that a container says it listens on, and where the host publishes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerPort {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub port: u16,
    pub protocol: Protocol,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostPort>,
}

/// A port of the host that leads to a container's port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPort {
    /// The address it is published on; without one, all addresses of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    pub port: u16,
}

/// A port that the host publishes for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    pub protocol: Protocol,
    pub host_ip: Option<IpAddr>,
    pub host_port: u16,
    pub container_port: u16,
}

impl PublishedPort {
    /// Tells whether a host cannot publish both: the same port on an address that they share.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        let addresses = (self.one_address(), other.one_address());
        self.protocol == other.protocol
            && self.host_port == other.host_port
            && match addresses {
                (Some(one), Some(other)) => one == other,
                _ => true,
            }
    }

    /// Returns the only address it is published on; none for all of the host's.
    #[must_use]
    pub fn one_address(&self) -> Option<IpAddr> {
        self.host_ip.filter(|ip| !ip.is_unspecified())
    }
}

/// As in `0.0.0.0:8080/tcp`.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.one_address() {
            Some(ip) => write!(f, "{ip}:")?,
            None => f.write_str("0.0.0.0:")?,
        }
        write!(f, "{}/{}", self.host_port, self.protocol)
    }
}

/// Where `/etc/resolv.conf` starts from (`spec.dnsPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DnsPolicy {
    /// As the cluster's; on one host that is the host's own.
    #[default]
    ClusterFirst,
    ClusterFirstWithHostNet,
    Default,
    /// Nothing but what the pod says itself.
    None,
}

/// The pod's own words for `/etc/resolv.conf`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsSpec {
    pub policy: DnsPolicy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<String>,
    /// Options as resolv.conf spells them: `ndots:2`, `edns0`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// Lines of `/etc/hosts` beyond those every pod has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostsEntry {
    pub ip: IpAddr,
    pub names: Vec<DnsName>,
}
