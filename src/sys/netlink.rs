//! Network links, addresses and routes, by rtnetlink (`rtnetlink(7)`).
//!
//! The requests are built and read by the `rtnetlink` crates; the socket blocks. A netlink socket
//! belongs to the network namespace it was opened in for all its life, whichever thread uses it
//! later: [`Netlink::open_in`] opens one inside another namespace.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd as _, AsRawFd as _};

use nix::errno::Errno;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rtnetlink::{
    AddressMessageBuilder, LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth,
    RouteMessageBuilder,
};

use super::namespace::{Namespace, NamespaceError, in_namespaces};
use super::subnet::Ipv4Subnet;

/// The name of a network link: up to 15 letters, digits, `-`, `_` and `.`.
///
/// Stricter than the kernel, so that a name can stand unquoted in a packet filter rule and in a
/// path below `/proc/sys`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName(String);

/// A text that cannot name a network link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a network link")]
pub struct LinkNameError(String);

impl LinkName {
    /// Parses a name.
    ///
    /// # Errors
    /// The text is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, LinkNameError> {
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if starts && text.len() <= 15 && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LinkNameError(text.to_owned()))
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

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

/// The two ends of a virtual cable, one of them in another namespace.
#[derive(Debug, Clone, Copy)]
pub struct Veth<'a> {
    /// The name of the end in this namespace.
    pub name: &'a LinkName,
    /// The bridge that this end becomes a port of.
    pub bridge: u32,
    /// The name of the other end.
    pub peer: &'a LinkName,
    /// The namespace in which the other end is born.
    pub peer_namespace: &'a Namespace,
    /// The hardware address of the other end.
    pub peer_mac: [u8; 6],
    /// The largest packet, where it is not the default 1500.
    pub mtu: Option<u32>,
}

/// A connection to the routing subsystem of one network namespace.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a connection for the calling thread's network namespace.
    ///
    /// # Errors
    /// The kernel gives no socket.
    pub fn open() -> Result<Self, NetlinkError> {
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(NetlinkError::Open)?;
        socket.bind_auto().map_err(NetlinkError::Open)?;
        socket
            .connect(&SocketAddr::new(0, 0))
            .map_err(NetlinkError::Open)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Opens a connection for another network namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered, or the kernel gives no socket.
    pub fn open_in(namespace: &Namespace) -> Result<Self, NetlinkError> {
        in_namespaces(&[namespace], Self::open)?
    }

    /// Lists all links.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn links(&mut self) -> Result<Vec<Link>, NetlinkError> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.dump("listing the network links", &request)?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(message) => Some(read_link(message)),
                _ => None,
            })
            .collect())
    }

    /// Returns the link of this name.
    ///
    /// # Errors
    /// The kernel refuses; that there is no such link is no error.
    pub fn link(&mut self, name: &LinkName) -> Result<Option<Link>, NetlinkError> {
        let message = LinkUnspec::new_with_name(name.as_str()).build();
        let action = format!("looking up the network link `{name}`");
        let request = RouteNetlinkMessage::GetLink(message);
        match self.request(&action, &request, NLM_F_REQUEST | NLM_F_ACK) {
            Ok(answers) => Ok(answers.into_iter().find_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(message) => Some(read_link(message)),
                _ => None,
            })),
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the addresses of all links.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn addresses(&mut self) -> Result<Vec<LinkAddress>, NetlinkError> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.dump("listing the network addresses", &request)?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(message) => read_address(&message),
                _ => None,
            })
            .collect())
    }

    /// Lists the IPv4 routes of all tables.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn routes(&mut self) -> Result<Vec<Route>, NetlinkError> {
        let message = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let request = RouteNetlinkMessage::GetRoute(message);
        let answers = self.dump("listing the routes", &request)?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(message) => read_route(&message),
                _ => None,
            })
            .collect())
    }

    /// Makes a bridge, which stays down.
    ///
    /// The hardware address is given, because a bridge without one takes that of a port and
    /// changes it when the port goes: the neighbours would lose it.
    ///
    /// # Errors
    /// The name is taken, or the kernel refuses.
    pub fn add_bridge(&mut self, name: &LinkName, mac: [u8; 6]) -> Result<(), NetlinkError> {
        let message = LinkBridge::new(name.as_str())
            .down()
            .address(mac.to_vec())
            .build();
        let request = RouteNetlinkMessage::NewLink(message);
        self.create(&format!("making the bridge `{name}`"), &request)
    }

    /// Makes a virtual cable whose other end is born in another namespace, down.
    ///
    /// Born there and not moved there, because a move waits for the kernel's RCU grace periods.
    ///
    /// # Errors
    /// A name is taken, or the kernel refuses.
    pub fn add_veth(&mut self, veth: &Veth<'_>) -> Result<(), NetlinkError> {
        let mut peer = LinkMessageBuilder::<LinkUnspec>::new()
            .name(veth.peer.as_str())
            .address(veth.peer_mac.to_vec())
            .setns_by_fd(veth.peer_namespace.as_fd().as_raw_fd());
        let mut own = LinkVeth::new(veth.name.as_str(), veth.peer.as_str())
            .controller(veth.bridge)
            .up();
        if let Some(mtu) = veth.mtu {
            peer = peer.mtu(mtu);
            own = own.mtu(mtu);
        }
        let own = own.set_info_data(InfoData::Veth(InfoVeth::Peer(peer.build())));
        let request = RouteNetlinkMessage::NewLink(own.build());
        self.create(
            &format!("making the network link `{}`", veth.name),
            &request,
        )
    }

    /// Lets a port of a bridge get back what it sends.
    ///
    /// A packet to a published port of its own sender comes back by the port it came from. Where
    /// the kernel has `br_netfilter` it is turned round inside the bridge, which does not send it
    /// back otherwise.
    ///
    /// # Errors
    /// The link is no port of a bridge.
    pub fn set_hairpin(&mut self, port: u32) -> Result<(), NetlinkError> {
        let message = LinkBridgePort::new(port).hairpin(true).build();
        let request = RouteNetlinkMessage::NewLink(message);
        let action = format!("setting the hairpin mode of network link {port}");
        self.request(&action, &request, NLM_F_REQUEST | NLM_F_ACK)
            .map(drop)
    }

    /// Gives a link an address; one that it has already is no error.
    ///
    /// # Errors
    /// There is no such link, or the kernel refuses.
    pub fn add_address(
        &mut self,
        link: u32,
        address: Ipv4Addr,
        prefix: u8,
    ) -> Result<(), NetlinkError> {
        let message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(link)
            .address(address, prefix)
            .build();
        let request = RouteNetlinkMessage::NewAddress(message);
        match self.create(&format!("adding the address {address}/{prefix}"), &request) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(()),
            other => other,
        }
    }

    /// Sends everything that has no nearer route to this gateway.
    ///
    /// # Errors
    /// The gateway cannot be reached, or there is a default route already.
    pub fn add_default_route(&mut self, gateway: Ipv4Addr) -> Result<(), NetlinkError> {
        let message = RouteMessageBuilder::<Ipv4Addr>::new()
            .gateway(gateway)
            .build();
        let request = RouteNetlinkMessage::NewRoute(message);
        self.create(&format!("adding the default route by {gateway}"), &request)
    }

    /// Sets a link up.
    ///
    /// # Errors
    /// There is no such link, or the kernel refuses.
    pub fn set_up(&mut self, link: u32) -> Result<(), NetlinkError> {
        let message = LinkUnspec::new_with_index(link).up().build();
        let request = RouteNetlinkMessage::NewLink(message);
        let action = format!("setting network link {link} up");
        self.request(&action, &request, NLM_F_REQUEST | NLM_F_ACK)
            .map(drop)
    }

    /// Removes a link and says whether it was there.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn delete_link(&mut self, name: &LinkName) -> Result<bool, NetlinkError> {
        let message = LinkUnspec::new_with_name(name.as_str()).build();
        let request = RouteNetlinkMessage::DelLink(message);
        let action = format!("removing the network link `{name}`");
        match self.request(&action, &request, NLM_F_REQUEST | NLM_F_ACK) {
            Ok(_) => Ok(true),
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the link of this name, which must be there.
    ///
    /// # Errors
    /// There is no such link, or the kernel refuses.
    pub fn expect_link(&mut self, name: &LinkName) -> Result<Link, NetlinkError> {
        self.link(name)?
            .ok_or_else(|| NetlinkError::NoLink { name: name.clone() })
    }

    fn create(&mut self, action: &str, request: &RouteNetlinkMessage) -> Result<(), NetlinkError> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        self.request(action, request, flags).map(drop)
    }

    fn dump(
        &mut self,
        action: &str,
        request: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.request(action, request, NLM_F_REQUEST | NLM_F_DUMP)
    }

    fn request(
        &mut self,
        action: &str,
        request: &RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        // A listing during which something changed says so and is asked for again.
        for _ in 0..8 {
            match self.exchange(request, flags) {
                Ok(Some(answers)) => return Ok(answers),
                Ok(None) => {}
                Err(source) => {
                    return Err(NetlinkError::Request {
                        action: action.to_owned(),
                        source,
                    });
                }
            }
        }
        Err(NetlinkError::Request {
            action: action.to_owned(),
            source: Errno::EINTR.into(),
        })
    }

    /// Sends one request and reads its answers to the end; `None` if they contradict each other.
    fn exchange(
        &mut self,
        request: &RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Option<Vec<RouteNetlinkMessage>>> {
        const NLM_F_DUMP_INTR: u16 = 0x10;
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, request.clone().into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let mut answers = Vec::new();
        let mut consistent = true;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while !rest.is_empty() {
                let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                // Messages are padded to four bytes.
                let length = (answer.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                consistent &= answer.header.flags & NLM_F_DUMP_INTR == 0;
                match answer.payload {
                    NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(error.to_io());
                    }
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => {
                        return Ok(consistent.then_some(answers));
                    }
                    _ => {}
                }
            }
        }
    }
}

impl fmt::Debug for Netlink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netlink")
            .field("socket", &self.socket.as_raw_fd())
            .finish()
    }
}

fn read_link(message: LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        is_bridge: false,
        controller: None,
        mtu: None,
        mac: Vec::new(),
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Controller(index) => link.controller = Some(index),
            LinkAttribute::Mtu(mtu) => link.mtu = Some(mtu),
            LinkAttribute::Address(mac) => link.mac = mac,
            LinkAttribute::LinkInfo(infos) => {
                link.is_bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
            }
            _ => {}
        }
    }
    link
}

/// Reads an address; the local one where the link is point to point.
fn read_address(message: &AddressMessage) -> Option<LinkAddress> {
    let mut remote = None;
    let mut local = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(address) => remote = Some(*address),
            AddressAttribute::Local(address) => local = Some(*address),
            _ => {}
        }
    }
    local.or(remote).map(|address| LinkAddress {
        link: message.header.index,
        address,
        prefix: message.header.prefix_len,
    })
}

fn read_route(message: &RouteMessage) -> Option<Route> {
    let mut destination = Some(Ipv4Addr::UNSPECIFIED);
    let mut link = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => {
                destination = Some(*address);
            }
            RouteAttribute::Destination(_) => destination = None,
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    destination.map(|address| Route {
        destination: Ipv4Subnet::containing(address, message.header.destination_prefix_length),
        link,
    })
}

#[cfg(test)]
mod tests {
    use super::super::namespace::{NamespaceKind, create_pinned, unpin};
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
