//! The network of one pod: validate all, set up all, undo.
//!
//! ```text
//! hold_ports ─▶ set_up ─▶ … the pod lives … ─▶ tear_down
//!     │            └ fails: what it made is gone again
//!     └ finds a conflict before anything is touched; the hold is kept as long as the pod lives
//! ```
//!
//! A root directory has one bridge and one packet filter table, made with its first pod and
//! removed with its last. Both are changed under the network namespace's lock, because another
//! root may choose its subnet, and another pod of this root may join the bridge, at the same
//! moment. The names in the kernel are functions of the root and of the pod's id; nothing about
//! them is stored.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::model::network::{Protocol, PublishedPort};
use crate::names::PodId;
use crate::sys::firewall::{Firewall, FirewallError, ForwardPolicy, PortForward, check_available};
use crate::sys::namespace::{
    Namespace, NamespaceError, NamespaceKind, NamespaceLock, in_namespaces,
};
use crate::sys::netlink::{Link, LinkName, Netlink, NetlinkError, Veth};
use crate::sys::socket::{PortError, Transport, hold_port};
use crate::sys::subnet::Ipv4Subnet;
use crate::sys::sysctl::{SysctlError, ensure_sysctl, write_sysctl};

/// The name of the default root's bridge and of its table.
const DEFAULT_BRIDGE: &str = "podwright0";
const DEFAULT_TABLE: &str = "podwright";
/// The name of the interface inside the pod.
const POD_LINK: &str = "eth0";
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
/// How long another's change of the network is waited for. Who waited in vain goes on: a process
/// that sits on the lock must not keep pods from starting.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

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
    /// All private networks are in use.
    #[error("no private IPv4 network is free: the host has routes to all of them")]
    NoFreeSubnet,
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

/// The bridge and the packet filter table of one root directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNetwork {
    bridge: LinkName,
    table: LinkName,
}

impl HostNetwork {
    /// Returns the network of the default root directory.
    #[must_use]
    pub fn of_default_root() -> Self {
        let name = |text| LinkName::parse(text).expect("the constant is a link name");
        Self {
            bridge: name(DEFAULT_BRIDGE),
            table: name(DEFAULT_TABLE),
        }
    }

    /// Returns the network of any other root directory.
    #[must_use]
    pub fn of_root(root: &Path) -> Self {
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let hex: String = digest[..3]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = LinkName::parse(&format!("pw-{hex}")).expect("three letters and six digits");
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

    /// Returns the network that the next pod gets its address from: the bridge's, or the one that
    /// the bridge will be made with.
    ///
    /// # Errors
    /// The kernel refuses, or no private network is free.
    pub fn subnet(&self) -> Result<Ipv4Subnet, NetworkError> {
        let mut netlink = Netlink::open()?;
        if let Some(bridge) = netlink.link(&self.bridge)?
            && let Some(subnet) = subnet_of(&mut netlink, &bridge)?
        {
            return Ok(subnet);
        }
        free_subnet(&subnets_in_use(&mut netlink)?).ok_or(NetworkError::NoFreeSubnet)
    }

    fn firewall(&self) -> Result<Firewall, FirewallError> {
        Firewall::find(&self.table, &self.bridge)
    }
}

/// The ports of the host that are held for a pod.
///
/// While it lives, no other process can listen on them.
#[derive(Debug)]
pub struct PortHold {
    sockets: Vec<OwnedFd>,
}

impl PortHold {
    /// Returns the sockets, to be passed on to the process that keeps them.
    #[must_use]
    pub fn into_sockets(self) -> Vec<OwnedFd> {
        self.sockets
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
    Ok(PortHold { sockets })
}

/// Whether other pods of the same root are on the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherPods {
    /// The bridge and the table stay.
    Remain,
    /// This pod is the last one; the bridge goes, unless something is still joined to it.
    None,
}

/// The network of one pod, fully decided.
#[derive(Debug, Clone)]
pub struct PodNetwork {
    /// The bridge it is joined to.
    pub host: HostNetwork,
    /// The host's end of the cable, [`PodNetwork::link_of`] the pod.
    pub link: LinkName,
    /// The bridge's network.
    pub subnet: Ipv4Subnet,
    /// The pod's address in it.
    pub address: Ipv4Addr,
    /// The pod's hardware address, if one was asked for.
    pub mac: Option<[u8; 6]>,
    /// The ports that the host publishes.
    pub ports: Vec<PublishedPort>,
    /// Where the pod's network namespace is pinned.
    pub netns: PathBuf,
}

impl PodNetwork {
    /// Returns the name of the host's end of the pod's cable.
    #[must_use]
    pub fn link_of(pod: &PodId) -> LinkName {
        let name = format!("veth{:.11}", pod.to_string());
        LinkName::parse(&name).expect("four letters and eleven hex digits")
    }

    fn forwards(&self) -> Result<Vec<PortForward>, NetworkError> {
        self.ports
            .iter()
            .map(|port| {
                Ok(PortForward {
                    transport: transport(port.protocol),
                    host_ip: host_ip(port)?,
                    host_port: port.host_port,
                    to: SocketAddrV4::new(self.address, port.container_port),
                })
            })
            .collect()
    }

    fn validate(&self) -> Result<(), NetworkError> {
        let (address, subnet) = (self.address, self.subnet);
        let special = [subnet.network(), subnet.gateway(), subnet.broadcast()];
        if !subnet.contains(address) || special.contains(&address) {
            return Err(NetworkError::Address { address, subnet });
        }
        Ok(())
    }
}

/// What a set-up has made so far.
#[derive(Debug, Default)]
struct Made {
    bridge: bool,
    link: bool,
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
    let firewall = match pod.host.firewall() {
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
    configure_pod(pod, netns)?;
    let Some(firewall) = firewall else {
        return Ok(vec![NetworkWarning::NoMasquerade]);
    };
    publish(firewall, pod.subnet, forwards)?;
    made.forwards = true;
    if !made.bridge {
        return Ok(Vec::new());
    }
    Ok(match firewall.forward_policy()? {
        ForwardPolicy::Accept => Vec::new(),
        ForwardPolicy::Drop { chain } => vec![NetworkWarning::ForwardDropped {
            chain,
            bridge: pod.host.bridge.clone(),
        }],
    })
}

/// Makes sure of the bridge and plugs the pod's cable in, under the lock.
fn join_bridge(
    pod: &PodNetwork,
    netns: &Namespace,
    netlink: &mut Netlink,
    made: &mut Made,
) -> Result<(), NetworkError> {
    let _lock = lock_network()?;
    let bridge = ensure_bridge(pod, netlink, made)?;
    let peer = LinkName::parse(POD_LINK).expect("the constant is a link name");
    // A cable left by a run that was killed.
    netlink.delete_link(&pod.link)?;
    let mtu = uplink_mtu(netlink)?;
    made.link = true;
    netlink.add_veth(&Veth {
        name: &pod.link,
        bridge: bridge.index,
        peer: &peer,
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
    let name = &pod.host.bridge;
    ensure_sysctl("net.ipv4.ip_forward", "1")?;
    let bridge = match netlink.link(name)? {
        Some(bridge) => bridge,
        None => {
            let used = subnets_in_use(netlink)?;
            if let Some(present) = used.iter().find(|used| used.overlaps(pod.subnet)) {
                return Err(NetworkError::SubnetChanged {
                    bridge: name.clone(),
                    wanted: pod.subnet,
                    present: *present,
                });
            }
            netlink.add_bridge(name, mac_of(pod.subnet.gateway()))?;
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
        Some(present) if present != pod.subnet => {
            return Err(NetworkError::SubnetChanged {
                bridge: name.clone(),
                wanted: pod.subnet,
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
    let name = &pod.host.bridge;
    // A pod must not make itself the host's IPv6 router (CVE-2020-10749).
    unless_missing(write_sysctl(
        &format!("net/ipv6/conf/{name}/accept_ra"),
        "0",
    ))?;
    // Lets the host reach published ports on 127.0.0.1; the table's `guard` chain closes what this
    // opens.
    write_sysctl(&format!("net/ipv4/conf/{name}/route_localnet"), "1")?;
    netlink.add_address(bridge.index, pod.subnet.gateway(), pod.subnet.prefix())?;
    netlink.set_up(bridge.index)?;
    Ok(())
}

fn configure_pod(pod: &PodNetwork, netns: &Namespace) -> Result<(), NetworkError> {
    in_namespaces(&[netns], || {
        let mut netlink = Netlink::open()?;
        let name = |text| LinkName::parse(text).expect("the constant is a link name");
        let lo = netlink.expect_link(&name("lo"))?;
        netlink.set_up(lo.index)?;
        unless_missing(write_sysctl(
            &format!("net/ipv6/conf/{POD_LINK}/accept_ra"),
            "0",
        ))?;
        let eth0 = netlink.expect_link(&name(POD_LINK))?;
        netlink.add_address(eth0.index, pod.address, pod.subnet.prefix())?;
        netlink.set_up(eth0.index)?;
        netlink.add_default_route(pod.subnet.gateway())?;
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
    let lo = netlink.expect_link(&LinkName::parse("lo").expect("a link name"))?;
    netlink.set_up(lo.index)?;
    Ok(())
}

/// Publishes the forwards. A port of ours that leads elsewhere is what a killed run has left,
/// because a pod claims its ports in the store before.
fn publish(
    firewall: &Firewall,
    subnet: Ipv4Subnet,
    forwards: &[PortForward],
) -> Result<(), NetworkError> {
    let Err(error) = firewall.publish(subnet, forwards) else {
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
    Ok(firewall.publish(subnet, forwards)?)
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
        let _ = remove_bridge(&pod.host, firewall);
    }
}

/// Takes a pod's network down: its ports, its cable, and with the last pod the bridge and the
/// table. What is not there any more is no error.
///
/// # Errors
/// All that could not be done; the rest has been done nevertheless.
pub fn tear_down(pod: &PodNetwork, others: OtherPods) -> Result<(), Vec<NetworkError>> {
    let mut errors = Vec::new();
    let firewall = match pod.host.firewall() {
        Ok(firewall) => Some(firewall),
        Err(FirewallError::Unavailable) if pod.ports.is_empty() => None,
        Err(error) => {
            errors.push(error.into());
            None
        }
    };
    if let Some(firewall) = firewall.as_ref().filter(|_| !pod.ports.is_empty()) {
        let withdrawn = pod
            .forwards()
            .and_then(|forwards| Ok(firewall.withdraw(&forwards)?));
        errors.extend(withdrawn.err());
    }
    let deleted = Netlink::open().and_then(|mut netlink| netlink.delete_link(&pod.link));
    errors.extend(deleted.err().map(NetworkError::from));
    if others == OtherPods::None {
        errors.extend(remove_bridge(&pod.host, firewall.as_ref()).err());
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Removes bridge and table, unless something is joined to the bridge: then a pod came in the
/// meantime.
fn remove_bridge(host: &HostNetwork, firewall: Option<&Firewall>) -> Result<(), NetworkError> {
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

fn lock_network() -> Result<Option<NamespaceLock>, NetworkError> {
    let own = Namespace::current(NamespaceKind::Net)?;
    // A kernel that cannot lock a namespace leaves a race between two roots, no more.
    Ok(own.lock(LOCK_PATIENCE).ok().flatten())
}

fn subnet_of(netlink: &mut Netlink, link: &Link) -> Result<Option<Ipv4Subnet>, NetworkError> {
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
fn subnets_in_use(netlink: &mut Netlink) -> Result<Vec<Ipv4Subnet>, NetworkError> {
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

fn free_subnet(used: &[Ipv4Subnet]) -> Option<Ipv4Subnet> {
    SUBNET_RANGES
        .iter()
        .flat_map(|(first, last)| (first.to_bits()..=last.to_bits()).step_by(1 << 8))
        .map(|network| Ipv4Subnet::containing(Ipv4Addr::from_bits(network), SUBNET_PREFIX))
        .find(|subnet| !used.iter().any(|used| used.overlaps(*subnet)))
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

fn host_ip(port: &PublishedPort) -> Result<Option<Ipv4Addr>, NetworkError> {
    match port.host_ip {
        None => Ok(None),
        Some(IpAddr::V4(ip)) => Ok(Some(ip).filter(|ip| !ip.is_unspecified())),
        Some(ip @ IpAddr::V6(_)) => Err(NetworkError::Ipv6HostAddress {
            ip,
            port: port.host_port,
        }),
    }
}

fn transport(protocol: Protocol) -> Transport {
    match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
        Protocol::Sctp => Transport::Sctp,
    }
}

fn unless_missing(result: Result<(), SysctlError>) -> Result<(), SysctlError> {
    match result {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<Ipv4Subnet> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn the_first_free_subnet_is_outside_of_all_that_is_routed() {
        let first = |used: &[&str]| free_subnet(&nets(used)).map(|subnet| subnet.to_string());
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
    }
}
