//! The chains of all tables, asked of the kernel itself: to run `nft` for it takes 4 ms of processor time.
//!
//! The messages are those of Linux `include/uapi/linux/netfilter/nf_tables.h`.

use std::io;

use nix::errno::Errno;

use crate::sys::nfnetlink::{Family, NfNetlink, Request, attribute, attribute_of};

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN`.
const GET: u16 = 0xa04;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NF_INET_FORWARD: u32 = 2;
const NF_DROP: u32 = 0;

/// A chain that drops what is forwarded and meets none of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DroppingChain {
    pub(super) family: &'static str,
    pub(super) table: String,
    pub(super) name: String,
}

/// Tells whether a table for IPv4 and IPv6 has a chain.
pub(super) fn has_chain(table: &str, name: &str) -> io::Result<bool> {
    let names = [(NFTA_CHAIN_TABLE, table), (NFTA_CHAIN_NAME, name)];
    let attributes: Vec<u8> = names
        .iter()
        .flat_map(|(kind, name)| attribute_of(*kind, &[name.as_bytes(), &[0]].concat()))
        .collect();
    let request = Request {
        kind: GET,
        family: Family::Inet,
        attributes: &attributes,
    };
    match NfNetlink::open()?.ask(&request) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lists the chains through which IPv4 is forwarded and that drop by default.
pub(super) fn dropping_chains() -> io::Result<Vec<DroppingChain>> {
    let all = Request {
        kind: GET,
        family: Family::Any,
        attributes: &[],
    };
    let mut found = Vec::new();
    NfNetlink::open()?.list(&all, |family, chain| {
        found.extend(dropping_chain(family, chain));
    })?;
    Ok(found)
}

fn dropping_chain(family: u8, chain: &[u8]) -> Option<DroppingChain> {
    let family = match family {
        family if family == Family::Inet as u8 => "inet",
        family if family == Family::Ipv4 as u8 => "ip",
        _ => return None,
    };
    let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let text = |kind| {
        let text = attribute(chain, kind)?;
        let text = text.strip_suffix(&[0]).unwrap_or(text);
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let hook = attribute(attribute(chain, NFTA_CHAIN_HOOK)?, NFTA_HOOK_HOOKNUM)?;
    let policy = attribute(chain, NFTA_CHAIN_POLICY)?;
    let drops = number(hook)? == NF_INET_FORWARD && number(policy)? == NF_DROP;
    drops.then_some(())?;
    Some(DroppingChain {
        family,
        table: text(NFTA_CHAIN_TABLE)?,
        name: text(NFTA_CHAIN_NAME)?,
    })
}
