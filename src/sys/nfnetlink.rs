//! Messages to and from the kernel's packet filter and connection tracking (`nfnetlink`).

use std::io;

use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 0x2;
const NLMSG_DONE: u16 = 0x3;
const MESSAGE_HEADER: usize = 16;
/// The size of `struct nfgenmsg`.
const FAMILY_HEADER: usize = 4;

/// Which packets something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Any = 0,
    Inet = 1,
    Ipv4 = 2,
}

/// Something to ask: the subsystem and the message in one number, and attributes as they are sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) kind: u16,
    pub(super) family: Family,
    pub(super) attributes: &'a [u8],
}

/// A connection for the network namespace of the thread that opened it.
pub(super) struct NfNetlink(Socket);

impl NfNetlink {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Asks for one thing to be done or to be there.
    pub(super) fn ask(&self, request: &Request<'_>) -> io::Result<()> {
        self.exchange(request, NLM_F_REQUEST | NLM_F_ACK, |_, _| {})
    }

    /// Asks for a listing, and gives the family and the attributes of each answer to `each`.
    pub(super) fn list(
        &self,
        request: &Request<'_>,
        each: impl FnMut(u8, &[u8]),
    ) -> io::Result<()> {
        self.exchange(request, NLM_F_REQUEST | NLM_F_DUMP, each)
    }

    fn exchange(
        &self,
        request: &Request<'_>,
        flags: u16,
        mut each: impl FnMut(u8, &[u8]),
    ) -> io::Result<()> {
        let length = MESSAGE_HEADER + FAMILY_HEADER + request.attributes.len();
        let length = u32::try_from(length).map_err(io::Error::other)?;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(request.kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend([request.family as u8, 0, 0, 0]);
        message.extend(request.attributes);
        self.0.send(&message, 0)?;
        loop {
            let (datagram, _) = self.0.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while let Some((kind, payload, after)) = split_message(rest) {
                rest = after;
                match (kind, payload.split_at_checked(FAMILY_HEADER)) {
                    (NLMSG_DONE, _) => return Ok(()),
                    (NLMSG_ERROR, _) => return outcome(payload),
                    (_, Some(([family, ..], attributes))) => each(*family, attributes),
                    _ => return Err(io::ErrorKind::InvalidData.into()),
                }
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
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
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

pub(super) fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value, _)| (kind == wanted).then_some(value))
}

/// Writes one attribute.
pub(super) fn attribute_of(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("an attribute is short");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
