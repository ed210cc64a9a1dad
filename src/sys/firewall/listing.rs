//! What `nft -j list` prints (`libnftables-json(5)`).

use std::net::SocketAddrV4;

use serde_json::Value;

use super::PortForward;
use crate::sys::socket::Transport;

/// Returns the objects of one kind in what `nft -j list` prints (`libnftables-json(5)`).
pub(super) fn objects<'a>(listing: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    listing
        .get("nftables")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(move |object| object.get(kind))
}

pub(super) fn read_map(map: &Value) -> Vec<PortForward> {
    map.get("elem")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(read_element)
        .collect()
}

/// Reads `[{"concat": ["tcp", 8080]}, {"concat": ["10.90.0.2", 80]}]`, the key with an address or
/// without.
fn read_element(element: &Value) -> Option<PortForward> {
    let concat = |at: usize| element.get(at)?.get("concat")?.as_array();
    let (host_ip, transport, port) = match concat(0)?.as_slice() {
        [transport, port] => (None, transport, port),
        [ip, transport, port] => (Some(ip.as_str()?.parse().ok()?), transport, port),
        _ => return None,
    };
    let [ip, to_port] = concat(1)?.as_slice() else {
        return None;
    };
    Some(PortForward {
        transport: read_transport(transport)?,
        host_ip,
        host_port: read_port(port)?,
        to: SocketAddrV4::new(ip.as_str()?.parse().ok()?, read_port(to_port)?),
    })
}

/// Reads a transport: a word where the host has `/etc/protocols`, else a number.
fn read_transport(value: &Value) -> Option<Transport> {
    Transport::ALL.into_iter().find(|transport| {
        value.as_str() == Some(transport.name())
            || value.as_u64() == Some(transport.number().into())
    })
}

fn read_port(value: &Value) -> Option<u16> {
    value.as_u64()?.try_into().ok()
}
