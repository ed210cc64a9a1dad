//! Forgetting UDP flows that the kernel still leads to where a port led before.
//!
//! Address translation is decided with the first packet of a flow and remembered as long as
//! packets come. A UDP client that keeps its socket would therefore go on talking to a pod that
//! is gone, or to nobody, when a port is published or leads elsewhere; kube-proxy forgets such
//! flows for the same reason. The messages are those of `nfnetlink_conntrack` (Linux
//! `include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use std::io;
use std::net::Ipv4Addr;

use nix::errno::Errno;

use super::nfnetlink::{Family, NfNetlink, Request, attribute, attributes};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET` and `.. IPCTNL_MSG_CT_DELETE`.
const GET: u16 = 0x101;
const DELETE: u16 = 0x102;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_DST: u16 = 2;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
const UDP: u8 = 17;

/// A port of the host that UDP clients send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpPort {
    /// The host's address; without one, all of them.
    pub ip: Option<Ipv4Addr>,
    /// The port.
    pub port: u16,
}

/// Forgets the flows to these ports in the calling thread's network namespace, and says how many.
///
/// # Errors
/// The kernel does not show its flows (it lacks `nf_conntrack_netlink`).
pub fn forget_udp_flows(ports: &[UdpPort]) -> io::Result<usize> {
    if ports.is_empty() {
        return Ok(0);
    }
    let netlink = NfNetlink::open()?;
    let mut flows = Vec::new();
    let all = Request {
        kind: GET,
        family: Family::Ipv4,
        attributes: &[],
    };
    netlink.list(&all, |_, flow| flows.extend(key_of(flow, ports)))?;
    for flow in &flows {
        let one = Request {
            kind: DELETE,
            attributes: flow,
            ..all
        };
        match netlink.ask(&one) {
            // It ended by itself in the meantime.
            Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => {}
            other => other?,
        }
    }
    Ok(flows.len())
}

/// Returns the attributes that name a flow to one of the ports, to ask for its removal.
fn key_of(flow: &[u8], ports: &[UdpPort]) -> Option<Vec<u8>> {
    let tuple = attribute(flow, CTA_TUPLE_ORIG)?;
    let ip = attribute(attribute(tuple, CTA_TUPLE_IP)?, CTA_IP_V4_DST)?;
    let ip = Ipv4Addr::from(*ip.first_chunk::<4>()?);
    let transport = attribute(tuple, CTA_TUPLE_PROTO)?;
    let port = attribute(transport, CTA_PROTO_DST_PORT)?;
    let port = u16::from_be_bytes(*port.first_chunk()?);
    let is_udp = attribute(transport, CTA_PROTO_NUM)? == [UDP];
    let wanted = |to: &UdpPort| to.port == port && to.ip.is_none_or(|wanted| wanted == ip);
    (is_udp && ports.iter().any(wanted)).then(|| {
        attributes(flow)
            .filter(|(kind, _, _)| [CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE].contains(kind))
            .flat_map(|(_, _, whole)| whole.iter().copied())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::nfnetlink::attribute_of;
    use super::*;

    #[test]
    fn a_flow_is_known_by_where_its_first_packet_went() {
        const NESTED: u16 = 0x8000;
        let ip = attribute_of(CTA_IP_V4_DST, &[192, 0, 2, 1]);
        let transport = [
            attribute_of(CTA_PROTO_NUM, &[UDP]),
            attribute_of(CTA_PROTO_DST_PORT, &53_u16.to_be_bytes()),
        ]
        .concat();
        let tuple = [
            attribute_of(CTA_TUPLE_IP | NESTED, &ip),
            attribute_of(CTA_TUPLE_PROTO | NESTED, &transport),
        ]
        .concat();
        let key = [
            attribute_of(CTA_TUPLE_ORIG | NESTED, &tuple),
            attribute_of(CTA_ID, &[1, 2, 3, 4]),
        ]
        .concat();
        let flow = [key.clone(), attribute_of(7, &[0; 4])].concat();
        let port = |ip, port| UdpPort { ip, port };
        let host = Some(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(key_of(&flow, &[port(None, 53)]), Some(key.clone()));
        assert_eq!(key_of(&flow, &[port(host, 53)]), Some(key));
        assert_eq!(key_of(&flow, &[port(None, 54)]), None);
        assert_eq!(key_of(&flow, &[port(Some(Ipv4Addr::LOCALHOST), 53)]), None);
        for length in 0..flow.len() {
            key_of(&flow[..length], &[port(None, 53)]);
        }
    }
}
