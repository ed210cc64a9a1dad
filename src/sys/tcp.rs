//! The TCP sockets of a network namespace, as `/proc/net/tcp` lists them.

use std::io;

/// What a socket is doing, as far as anybody here asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpState {
    /// It waits for clients.
    Listen,
    /// A client is connected or about to be, or has not got everything yet.
    Open,
    /// It is closed on both sides, or about to be.
    Closed,
}

/// A TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    /// The local port.
    pub port: u16,
    /// What it is doing.
    pub state: TcpState,
}

/// Lists the sockets of the calling thread's network namespace, of both families.
///
/// # Errors
/// The kernel does not show them.
pub fn tcp_sockets() -> io::Result<Vec<TcpSocket>> {
    let mut sockets = Vec::new();
    for table in ["tcp", "tcp6"] {
        match std::fs::read_to_string(format!("/proc/thread-self/net/{table}")) {
            Ok(text) => sockets.extend(text.lines().filter_map(parse)),
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

/// Reads one line (`proc(5)`); the head of the table is none.
fn parse(line: &str) -> Option<TcpSocket> {
    let mut fields = line.split_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    // The numbers of `include/net/tcp_states.h`.
    let state = match u8::from_str_radix(fields.nth(1)?, 16).ok()? {
        0x0A => TcpState::Listen,
        // ESTABLISHED, SYN_RECV, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING, NEW_SYN_RECV.
        0x01 | 0x03 | 0x04 | 0x08 | 0x09 | 0x0B | 0x0C => TcpState::Open,
        _ => TcpState::Closed,
    };
    Some(TcpSocket {
        port: u16::from_str_radix(port, 16).ok()?,
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    #[test]
    fn a_server_and_its_client_are_seen() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let has = |state| {
            let wanted = TcpSocket { port, state };
            tcp_sockets().unwrap().contains(&wanted)
        };
        assert!(has(TcpState::Listen));
        assert!(!has(TcpState::Open));
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(has(TcpState::Open));
        drop((server.accept().unwrap(), client, server));
        // A child of another test has a copy of the socket until it executes its program.
        let until = Instant::now() + Duration::from_secs(10);
        while has(TcpState::Listen) {
            assert!(Instant::now() < until, "the socket is still open");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_head_of_the_table_is_no_socket() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
        assert_eq!(parse(head), None);
    }
}
