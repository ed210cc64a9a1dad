//! IP addresses and CIDR blocks as the server reads them: with leading zeros, as old Go did.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fault::Faults as _;
use crate::manifest::source::{At, Findings};

/// The length of what stands before the address of IPv4 in a mapped one.
const MAPPED_PREFIX: u32 = 96;

/// Checks an IP address, and warns of an odd spelling.
pub(super) fn ip(value: &str, at: &At<'_>, found: &mut Findings) -> Option<IpAddr> {
    let Some(address) = parse_ip(value) else {
        found.invalid(
            at,
            value,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        );
        return None;
    };
    warn(value, at, found);
    Some(address)
}

/// Warns of a spelling of an address that newer servers will refuse, or that is not the shortest.
pub(super) fn warn(value: &str, at: &At<'_>, found: &mut Findings) {
    let Some(address) = parse_ip(value) else {
        return;
    };
    if value.parse::<IpAddr>().is_err() || is_mapped(address) {
        let canonical = canonical(address);
        found.warning(at, format!("non-standard IP address {value:?} will be considered invalid in a future Kubernetes release: use \"{canonical}\""));
    } else if address.to_string() != value {
        found.warning(
            at,
            format!(
                "IPv6 address {value:?} should be in RFC 5952 canonical format (\"{address}\")"
            ),
        );
    }
}

/// Checks an address that traffic from elsewhere is to reach: no loopback, link-local or wildcard one.
pub(super) fn reachable_ip(value: &str, at: &At<'_>, found: &mut Findings) {
    let Some(address) = ip(value, at, found) else {
        return;
    };
    let address = canonical(address);
    if address.is_unspecified() {
        found.invalid(at, value, &format!("may not be unspecified ({value})"));
    }
    if address.is_loopback() {
        found.invalid(
            at,
            value,
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        );
    }
    let (link_local, link_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (
            v6.segments()[0] & 0xffc0 == 0xfe80,
            v6.segments()[0] & 0xff0f == 0xff02,
        ),
    };
    if link_local {
        found.invalid(
            at,
            value,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        );
    }
    if link_multicast {
        found.invalid(
            at,
            value,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        );
    }
}

/// A block of addresses: its first address and the length of its prefix.
#[derive(Clone, Copy)]
pub(super) struct Block {
    bits: u128,
    prefix: u32,
    is_v4: bool,
}

impl Block {
    fn width(self) -> u32 {
        if self.is_v4 { 32 } else { 128 }
    }

    fn first(self) -> IpAddr {
        match u32::try_from(self.bits) {
            Ok(bits) if self.is_v4 => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(self.bits)),
        }
    }

    /// The block of IPv4 that a block of mapped addresses stands for.
    fn canonical(self) -> Self {
        match canonical(self.first()) {
            IpAddr::V4(v4) if !self.is_v4 => Self {
                bits: u128::from(v4.to_bits()),
                prefix: self.prefix.saturating_sub(MAPPED_PREFIX),
                is_v4: true,
            },
            _ => self,
        }
    }

    /// Tells whether `inner` lies in this block and is smaller than it.
    pub(super) fn is_strictly_around(self, inner: Block) -> bool {
        let smaller = self.prefix < inner.prefix;
        let (outer, inner) = (self.canonical(), inner.canonical());
        let shift = outer.width() - outer.prefix;
        let same = outer.bits.checked_shr(shift) == inner.bits.checked_shr(shift);
        outer.is_v4 == inner.is_v4 && smaller && same
    }
}

impl fmt::Display for Block {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = self.canonical();
        write!(out, "{}/{}", block.first(), block.prefix)
    }
}

/// Checks a block in CIDR notation.
pub(super) fn cidr(value: &str, at: &At<'_>, found: &mut Findings) -> Option<Block> {
    let Some((address, block)) = parse_cidr(value) else {
        found.invalid(
            at,
            value,
            "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        );
        return None;
    };
    warn_cidr(value, address, block, at, found);
    Some(block)
}

fn warn_cidr(value: &str, address: IpAddr, block: Block, at: &At<'_>, found: &mut Findings) {
    let is_ambiguous = block.first() != address;
    if is_ambiguous {
        let (address, width) = (canonical(address), block.width());
        found.warning(at, format!("CIDR value {value:?} is ambiguous in this context (should be \"{block}\" or \"{address}/{width}\"?)"));
    }
    let (written, prefix) = value.split_once('/').unwrap_or_default();
    let canonical = format!("{address}/{}", block.prefix);
    if written.parse::<IpAddr>().is_err()
        || prefix.len() > 1 && prefix.starts_with('0')
        || is_mapped(address)
    {
        found.warning(at, format!("non-standard CIDR value {value:?} will be considered invalid in a future Kubernetes release: use \"{block}\""));
    } else if !is_ambiguous && canonical != value {
        found.warning(
            at,
            format!(
                "IPv6 CIDR value {value:?} should be in RFC 5952 canonical format (\"{canonical}\")"
            ),
        );
    }
}

/// Tells whether a word is a block in CIDR notation.
pub(super) fn is_cidr(value: &str) -> bool {
    parse_cidr(value).is_some()
}

fn parse_cidr(value: &str) -> Option<(IpAddr, Block)> {
    let (address, prefix) = value.split_once('/')?;
    if !super::names::is_digits(prefix) {
        return None;
    }
    let prefix: u32 = prefix.parse().ok()?;
    let address = parse_ip(address)?;
    let (bits, width, is_v4) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32, true),
        IpAddr::V6(v6) => (v6.to_bits(), 128, false),
    };
    if prefix > width {
        return None;
    }
    let host = width - prefix;
    let bits = bits
        .checked_shr(host)
        .map_or(0, |kept| kept.checked_shl(host).unwrap_or(0));
    let block = Block {
        bits,
        prefix,
        is_v4,
    };
    Some((address, block))
}

/// Reads an address; leading zeros of IPv4 octets are decimal, as in Go before 1.17.
pub(super) fn parse_ip(value: &str) -> Option<IpAddr> {
    if value.contains(':') {
        return value.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let mut octets = [0; 4];
    let mut parts = value.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| super::names::is_digits(part))?;
        *octet = part
            .trim_start_matches('0')
            .parse()
            .or_else(|error| {
                if part.bytes().all(|byte| byte == b'0') {
                    Ok(0)
                } else {
                    Err(error)
                }
            })
            .ok()?;
    }
    parts
        .next()
        .is_none()
        .then_some(IpAddr::V4(Ipv4Addr::from(octets)))
}

/// Tells whether `value` is an address of IP version 6.
pub(super) fn is_v6(address: IpAddr) -> bool {
    matches!(canonical(address), IpAddr::V6(_))
}

fn is_mapped(address: IpAddr) -> bool {
    canonical(address) != address
}

fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}
