//! Sockets: ports held against others, unix sockets in a directory, who is at the other end.

use std::fs::File;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::linux::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, SockaddrIn, bind, getsockopt, listen,
    setsockopt, shutdown, socket, sockopt,
};

/// A transport with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Transport {
    /// All transports.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// Returns the name in `/etc/protocols`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// Returns the protocol number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

/// A process that has a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOwner {
    /// Its id.
    pub pid: u32,
    /// Its command name.
    pub command: String,
}

/// Why a port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Another socket has it.
    #[error("{} port {} on {} is already taken{}", transport.name(), address.port(), address.ip(), told(owner.as_ref()))]
    Taken {
        /// The transport.
        transport: Transport,
        /// The address and port.
        address: SocketAddrV4,
        /// Who has it, where `/proc` tells.
        owner: Option<SocketOwner>,
    },
    /// The host does not have the address.
    #[error("{} is not an address of this host", address.ip())]
    NotLocal {
        /// The address and port.
        address: SocketAddrV4,
    },
    /// The kernel refused for another reason.
    #[error("taking {} port {} on {}", transport.name(), address.port(), address.ip())]
    Refused {
        /// The transport.
        transport: Transport,
        /// The address and port.
        address: SocketAddrV4,
        /// Why.
        source: Errno,
    },
}

fn told(owner: Option<&SocketOwner>) -> String {
    owner.map_or_else(String::new, |owner| {
        format!(" by process {} (`{}`)", owner.pid, owner.command)
    })
}

/// Takes a port of the calling thread's network namespace, so that nobody else can listen on it
/// as long as the descriptor is open.
///
/// Nothing is received by it: the port's packets are led elsewhere by the packet filter. `None`
/// is returned for SCTP where the kernel does not have it: then no process can listen either.
///
/// # Errors
/// The port is taken, or the address is not the host's.
pub fn hold_port(
    transport: Transport,
    address: SocketAddrV4,
) -> Result<Option<OwnedFd>, PortError> {
    let taken = match transport {
        Transport::Tcp => hold_tcp(address).map(Some),
        Transport::Udp => hold_udp(address).map(Some),
        Transport::Sctp => Ok(None),
    };
    taken.map_err(|source| match source {
        Errno::EADDRINUSE => PortError::Taken {
            transport,
            address,
            owner: port_owner(transport, address),
        },
        Errno::EADDRNOTAVAIL => PortError::NotLocal { address },
        source => PortError::Refused {
            transport,
            address,
            source,
        },
    })
}

/// Binds as a server does, with `SO_REUSEADDR`, so that connections of an earlier server that
/// still fade away do not count. Listening for a moment makes the kernel check against all other
/// sockets (`inet_csk_get_port` in Linux); after that nobody may share the port.
fn hold_tcp(address: SocketAddrV4) -> nix::Result<OwnedFd> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(address))?;
    listen(&fd, Backlog::new(0)?)?;
    shutdown(fd.as_raw_fd(), Shutdown::Both)?;
    setsockopt(&fd, sockopt::ReuseAddr, &false)?;
    Ok(fd)
}

fn hold_udp(address: SocketAddrV4) -> nix::Result<OwnedFd> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(address))?;
    Ok(fd)
}

/// Finds the process whose socket has the port, as far as `/proc` shows it.
fn port_owner(transport: Transport, address: SocketAddrV4) -> Option<SocketOwner> {
    let tables: &[&str] = match transport {
        Transport::Tcp => &["tcp", "tcp6"],
        Transport::Udp => &["udp", "udp6"],
        Transport::Sctp => &[],
    };
    tables.iter().find_map(|table| {
        let path = Path::new("/proc/thread-self/net").join(table);
        let text = std::fs::read_to_string(path).ok()?;
        let inode = text
            .lines()
            .find_map(|line| inode_of(line, transport, address))?;
        owner_of_socket(inode)
    })
}

/// Reads a line of `/proc/net/tcp` or its like: the inode, if it is a server on this port.
fn inode_of(line: &str, transport: Transport, address: SocketAddrV4) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (ip, port) = fields.get(1)?.rsplit_once(':')?;
    let serves = transport != Transport::Tcp || *fields.get(3)? == LISTEN;
    let same_port = u16::from_str_radix(port, 16).ok()? == address.port();
    let everywhere = ip.chars().all(|digit| digit == '0') || address.ip().is_unspecified();
    // The kernel prints the address as a number in the machine's byte order.
    let wanted = format!("{:08X}", u32::from_ne_bytes(address.ip().octets()));
    (serves && same_port && (everywhere || ip.ends_with(&wanted)))
        .then(|| fields.get(9)?.parse().ok())?
}

fn owner_of_socket(inode: u64) -> Option<SocketOwner> {
    let wanted = PathBuf::from(format!("socket:[{inode}]"));
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut targets = descriptors
            .flatten()
            .filter_map(|fd| std::fs::read_link(fd.path()).ok());
        if targets.any(|target| target == wanted) {
            let command = std::fs::read_to_string(process.path().join("comm")).ok()?;
            return Some(SocketOwner {
                pid,
                command: command.trim_end().to_owned(),
            });
        }
    }
    None
}

/// Makes a unix socket in a directory, for its owner only, and listens on it.
///
/// The name is reached through the directory's descriptor, because the address of a unix socket
/// holds only 107 bytes (`unix(7)`). A socket that is there already is replaced: whoever has the
/// right to bind decides that before.
///
/// # Errors
/// The directory cannot be written, or the name is too long.
pub fn bind_unix(dir: BorrowedFd<'_>, name: &str) -> io::Result<UnixListener> {
    let path = beneath(dir, name)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to a unix socket in a directory.
///
/// # Errors
/// There is no such socket, or nobody listens on it.
pub fn connect_unix(dir: BorrowedFd<'_>, name: &str) -> io::Result<UnixStream> {
    UnixStream::connect(beneath(dir, name)?)
}

/// Returns the user id that the process at the other end had when it connected or listened.
///
/// # Errors
/// The socket is not connected.
pub fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    Ok(getsockopt(stream, sockopt::PeerCredentials)?.uid())
}

/// Opens a directory, whose descriptor keeps meaning it whatever happens to its path.
///
/// # Errors
/// There is no such directory.
pub fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let dir = File::open(path)?;
    let is_dir = dir.metadata()?.st_mode() & nix::libc::S_IFMT == nix::libc::S_IFDIR;
    if is_dir {
        Ok(dir.into())
    } else {
        Err(Errno::ENOTDIR.into())
    }
}

fn beneath(dir: BorrowedFd<'_>, name: &str) -> io::Result<PathBuf> {
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(Errno::EINVAL.into());
    }
    Ok(PathBuf::from(format!(
        "/proc/self/fd/{}/{name}",
        dir.as_raw_fd()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd as _;

    fn free_port() -> SocketAddrV4 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("port");
        let port = listener.local_addr().expect("address").port();
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    /// Holds a port that was just closed here.
    ///
    /// A program that another test starts has a copy of every socket until it is executed; a
    /// connection that fades away would count for a minute.
    fn hold_soon(transport: Transport, address: SocketAddrV4) -> Option<OwnedFd> {
        (0..100)
            .find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                hold_port(transport, address).ok()
            })
            .expect("held")
    }

    #[test]
    fn a_held_port_is_taken_for_everybody_else() {
        let address = free_port();
        let hold = hold_soon(Transport::Tcp, address);
        // The standard library's listener sets SO_REUSEADDR, as servers do.
        let error = TcpListener::bind(address).expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = hold_port(Transport::Tcp, address).expect_err("taken");
        assert!(matches!(error, PortError::Taken { .. }), "{error}");
        assert!(TcpStream::connect(address).is_err(), "nobody answers on it");
        drop(hold);
        // A program that another test starts has a copy until it is executed.
        let mut free = (0..100).map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            TcpListener::bind(address)
        });
        assert!(free.any(|bound| bound.is_ok()), "free again");
    }

    #[test]
    fn the_process_that_has_a_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("port");
        let port = listener.local_addr().expect("address").port();
        for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let error = hold_port(Transport::Tcp, SocketAddrV4::new(ip, port)).expect_err("taken");
            let PortError::Taken {
                owner: Some(owner), ..
            } = &error
            else {
                panic!("{error}");
            };
            assert_eq!(owner.pid, std::process::id());
            assert!(error.to_string().contains(&owner.command), "{error}");
        }
    }

    #[test]
    fn connections_that_fade_away_do_not_count() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("port");
        let address = listener.local_addr().expect("address");
        let mut client = TcpStream::connect(address).expect("connected");
        let (server, _) = listener.accept().expect("accepted");
        // The server's end closes first and waits.
        drop(server);
        assert_eq!(client.read(&mut [0; 1]).expect("end"), 0);
        drop((client, listener));
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, address.port());
        let hold = hold_soon(Transport::Tcp, address);
        assert!(TcpListener::bind(address).is_err());
        assert!(hold_port(Transport::Tcp, address).is_err());
        drop(hold);
    }

    #[test]
    fn a_udp_port_is_held_too() {
        let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("port");
        let port = other.local_addr().expect("address").port();
        let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
        let error = hold_port(Transport::Udp, address).expect_err("taken");
        assert!(
            matches!(error, PortError::Taken { owner: Some(_), .. }),
            "{error}"
        );
        drop(other);
        let hold = hold_soon(Transport::Udp, address);
        assert!(UdpSocket::bind(address).is_err());
        drop(hold);
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let address = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 8080);
        let error = hold_port(Transport::Tcp, address).expect_err("not ours");
        assert!(matches!(error, PortError::NotLocal { .. }), "{error}");
    }

    #[test]
    fn a_unix_socket_works_however_long_its_path_is() {
        let temp = tempfile::tempdir().expect("temp dir");
        let deep = temp.path().join("d".repeat(120));
        std::fs::create_dir(&deep).expect("dir");
        let dir = open_dir(&deep).expect("opened");
        let listener = bind_unix(dir.as_fd(), "s").expect("bound");
        let mode = std::fs::metadata(deep.join("s"))
            .expect("stat")
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let mut client = connect_unix(dir.as_fd(), "s").expect("connected");
        let (mut server, _) = listener.accept().expect("accepted");
        let own = nix::unistd::geteuid().as_raw();
        assert_eq!(peer_uid(&server).expect("uid"), own);
        client.write_all(b"x").expect("written");
        server.read_exact(&mut [0; 1]).expect("read");
        bind_unix(dir.as_fd(), "s").expect("bound again");
        assert!(bind_unix(dir.as_fd(), "../s").is_err());
        assert!(connect_unix(dir.as_fd(), "other").is_err());
    }
}
