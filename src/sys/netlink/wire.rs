//! Messages to and from the kernel.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use rtnetlink::packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::super::namespace::{Namespace, in_namespaces};
use super::NetlinkError;

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

    pub(super) fn request(
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
