//! What went wrong, and what may.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::subnet::Ipv4Subnet;
use crate::sys::firewall::FirewallError;
use crate::sys::namespace::NamespaceError;
use crate::sys::netlink::{LinkName, NetlinkError};
use crate::sys::socket::PortError;
use crate::sys::sysctl::SysctlError;

/// What went wrong with a pod's network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A port is to be published on an IPv6 address.
    #[error("port {port} cannot be published on {ip}: pods have IPv4 addresses only")]
    Ipv6HostAddress {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
    },
    /// The address cannot be a pod's.
    #[error("{address} is not an address for a pod in the network {subnet}")]
    Address {
        /// The address.
        address: Ipv4Addr,
        /// The bridge's network.
        subnet: Ipv4Subnet,
    },
    /// The sockets of a pod cannot be listed.
    #[error("listing the sockets of the pod")]
    Sockets(#[source] std::io::Error),
    /// All private networks are in use.
    #[error("no private IPv4 network is free: the host has routes to all of them")]
    NoFreeSubnet,
    /// The host has come to use what was recorded for a network.
    #[error(
        "the bridge `{bridge}` cannot have the network {wanted}: the host uses {present} already"
    )]
    SubnetInUse {
        /// The bridge.
        bridge: LinkName,
        /// What it was to have.
        wanted: Ipv4Subnet,
        /// What is in the way.
        present: Ipv4Subnet,
    },
    /// The bridge was made with another network in the meantime; plan again.
    #[error("the bridge `{bridge}` has the network {present}, not {wanted}")]
    SubnetChanged {
        /// The bridge.
        bridge: LinkName,
        /// What was planned with.
        wanted: Ipv4Subnet,
        /// What it has.
        present: Ipv4Subnet,
    },
    /// Another kind of link has the bridge's name.
    #[error("the network link `{bridge}` is not a bridge")]
    NotABridge {
        /// The name.
        bridge: LinkName,
    },
    /// A host port is not to be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The packet filter.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// Links, addresses, routes.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The pod's network namespace.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A kernel setting.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
}

/// Something that may keep the pod from being reached, though its network stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkWarning {
    /// Another chain drops forwarded packets that it has no rule for.
    ForwardDropped {
        /// The chain.
        chain: String,
        /// The bridge whose packets it may drop.
        bridge: LinkName,
    },
    /// There is no packet filter to translate addresses with.
    NoMasquerade,
}

impl fmt::Display for NetworkWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForwardDropped { chain, bridge } => write!(
                f,
                "the host's packet filter drops forwarded packets by default (chain `{chain}`): \
                 allow what comes from and goes to the bridge `{bridge}` there, or published \
                 ports and the outside may be out of reach"
            ),
            Self::NoMasquerade => f.write_str(
                "there is no `nft`: pods reach this host and each other, but nothing beyond",
            ),
        }
    }
}
