//! Requests that change something.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};

use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{
    AddressMessageBuilder, LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth,
    RouteMessageBuilder,
};

use super::super::namespace::Namespace;
use super::{LinkName, Netlink, NetlinkError};

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

impl Netlink {
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

    fn create(&mut self, action: &str, request: &RouteNetlinkMessage) -> Result<(), NetlinkError> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        self.request(action, request, flags).map(drop)
    }
}
