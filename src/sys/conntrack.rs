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
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 0x2;
const NLMSG_DONE: u16 = 0x3;
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET` and `.. IPCTNL_MSG_CT_DELETE`.
const GET: u16 = 0x101;
const DELETE: u16 = 0x102;
/// `struct nfgenmsg` for IPv4.
const IPV4: [u8; 4] = [2, 0, 0, 0];
const MESSAGE_HEADER: usize = 16;

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
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut flows = Vec::new();
    exchange(&socket, GET, NLM_F_REQUEST | NLM_F_DUMP, &[], |flow| {
        if let Some(flow) = key_of(flow, ports) {
            flows.push(flow);
        }
    })?;
    for flow in &flows {
        match exchange(&socket, DELETE, NLM_F_REQUEST | NLM_F_ACK, flow, |_| {}) {
            // It ended by itself in the meantime.
            Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => {}
            other => other?,
        }
    }
    Ok(flows.len())
}

/// Sends one request and gives the attributes of each answer to `each`.
fn exchange(
    socket: &Socket,
    kind: u16,
    flags: u16,
    attributes: &[u8],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let length = MESSAGE_HEADER + IPV4.len() + attributes.len();
    let length = u32::try_from(length).map_err(io::Error::other)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(IPV4);
    message.extend(attributes);
    socket.send(&message, 0)?;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while let Some((kind, payload, after)) = split_message(rest) {
            rest = after;
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return outcome(payload),
                _ => each(payload.get(IPV4.len()..).unwrap_or_default()),
            }
        }
    }
}

/// Reads an acknowledgement: a negative error number, or 0.
fn outcome(payload: &[u8]) -> io::Result<()> {
    let code = payload
        .first_chunk()
        .map(|bytes| i32::from_ne_bytes(*bytes));
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn split_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let payload = bytes.get(MESSAGE_HEADER..length)?;
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, payload, after))
}

/// Walks over netlink attributes: kind, value, and the bytes of the whole.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    /// The two highest bits say how the value is to be read.
    const KIND_MASK: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & KIND_MASK;
        let value = bytes.get(4..length)?;
        let padded = length.next_multiple_of(4).min(bytes.len());
        let (whole, after) = bytes.split_at(padded);
        bytes = after;
        Some((kind, value, whole))
    })
}

fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value, _)| (kind == wanted).then_some(value))
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
    use super::*;

    fn attribute_of(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

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
