//! Requests that list what there is.

use std::net::Ipv4Addr;

use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::{LinkUnspec, RouteMessageBuilder};

use super::{Link, LinkAddress, LinkName, Netlink, NetlinkError, Route};
use crate::subnet::Ipv4Subnet;

impl Netlink {
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

    /// Returns the link of this name, which must be there.
    ///
    /// # Errors
    /// There is no such link, or the kernel refuses.
    pub fn expect_link(&mut self, name: &LinkName) -> Result<Link, NetlinkError> {
        self.link(name)?
            .ok_or_else(|| NetlinkError::NoLink { name: name.clone() })
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

    fn dump(
        &mut self,
        action: &str,
        request: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.request(action, request, NLM_F_REQUEST | NLM_F_DUMP)
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
