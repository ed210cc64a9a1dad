//! A network namespace that plays the host, one outside of it, and servers in any of them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use podwright::sys::namespace::{Namespace, NamespaceKind, create_pinned, in_namespaces, unpin};
use podwright::sys::netlink::{LinkName, Netlink, Veth};

const PATIENCE: Duration = Duration::from_secs(2);

/// Where the host is reached from outside.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// A machine in the host's network.
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// A new network namespace, pinned below a temporary directory.
pub(crate) struct Netns {
    path: PathBuf,
}

impl Netns {
    /// Makes a namespace whose loopback device is up.
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        let netns = Self::bare(dir, name);
        let mut netlink = Netlink::open_in(&netns.open()).expect("netlink");
        let lo = netlink.expect_link(&link("lo")).expect("lo");
        netlink.set_up(lo.index).expect("up");
        netns
    }

    /// Makes a namespace as the kernel gives it.
    pub(crate) fn bare(dir: &Path, name: &str) -> Self {
        let path = dir.join(name);
        create_pinned(&[(NamespaceKind::Net, &path)]).expect("network namespace");
        Self { path }
    }

    /// Where it is pinned.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Namespace {
        Namespace::open(NamespaceKind::Net, &self.path).expect("network namespace")
    }

    /// Runs a closure inside.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_namespaces(&[&self.open()], work).expect("entered")
    }

    /// Gives it the host's network card and address; returns the card's number.
    ///
    /// The card is a bridge, into which cables can be put.
    pub(crate) fn add_uplink(&self) -> u32 {
        let mut netlink = Netlink::open_in(&self.open()).expect("netlink");
        netlink
            .add_bridge(&link("uplink"), [2, 0, 0, 0, 1, 1])
            .expect("uplink");
        let uplink = netlink.expect_link(&link("uplink")).expect("uplink");
        netlink
            .add_address(uplink.index, HOST, 24)
            .expect("address");
        netlink.set_up(uplink.index).expect("up");
        uplink.index
    }

    /// Starts a TCP server that answers with a word and the address of the client.
    pub(crate) fn serve_tcp(&self, address: Ipv4Addr, port: u16, word: &'static str) {
        let listener = self.run(|| TcpListener::bind((address, port)).expect("server"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Ok(SocketAddr::V4(peer)) = stream.peer_addr() else {
                    return;
                };
                let _ = write!(stream, "{word} {}", peer.ip());
            }
        });
    }

    /// Starts a UDP server that answers with a word and the address of the client.
    pub(crate) fn serve_udp(&self, address: Ipv4Addr, port: u16, word: &'static str) {
        let socket = self.run(|| UdpSocket::bind((address, port)).expect("server"));
        std::thread::spawn(move || {
            let mut buffer = [0; 16];
            while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(format!("{word} {}", peer.ip()).as_bytes(), peer);
            }
        });
    }

    /// Asks a TCP server from inside.
    pub(crate) fn ask_tcp(&self, address: Ipv4Addr, port: u16) -> std::io::Result<String> {
        self.run(|| {
            let address = SocketAddrV4::new(address, port).into();
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })
    }

    /// Asks a UDP server from inside.
    pub(crate) fn ask_udp(&self, address: Ipv4Addr, port: u16) -> std::io::Result<String> {
        ask(&self.connect_udp(address, port))
    }

    /// Makes a socket inside that sends to a UDP server.
    pub(crate) fn connect_udp(&self, address: Ipv4Addr, port: u16) -> UdpSocket {
        self.run(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("socket");
            socket.set_read_timeout(Some(PATIENCE)).expect("timeout");
            socket.connect((address, port)).expect("address");
            socket
        })
    }

    /// Lists the names of its links.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut netlink = Netlink::open_in(&self.open()).expect("netlink");
        let links = netlink.links().expect("links");
        links.into_iter().map(|link| link.name).collect()
    }

    /// Prints its packet filter.
    pub(crate) fn ruleset(&self) -> String {
        self.run(|| {
            let output = std::process::Command::new("nft")
                .args(["list", "ruleset"])
                .output()
                .expect("nft");
            String::from_utf8(output.stdout).expect("text")
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        unpin(&self.path).expect("unpinned");
    }
}

/// A host with a machine beside it, joined by a cable.
pub(crate) struct HostAndOutside {
    pub(crate) host: Netns,
    pub(crate) outside: Netns,
    pub(crate) dir: tempfile::TempDir,
}

impl HostAndOutside {
    /// Makes both, or says what is lacking.
    #[expect(clippy::print_stderr, reason = "a skipped test says what it lacks")]
    pub(crate) fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() || !Path::new("/usr/sbin/nft").exists() {
            eprintln!("skipped: lacks root or nft");
            return None;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let host = Netns::new(dir.path(), "host");
        let outside = Netns::new(dir.path(), "outside");
        let uplink = host.add_uplink();
        let mut netlink = Netlink::open_in(&host.open()).expect("netlink");
        netlink
            .add_veth(&Veth {
                name: &link("cable"),
                bridge: uplink,
                peer: &link("card"),
                peer_namespace: &outside.open(),
                peer_mac: [2, 0, 0, 0, 1, 2],
                mtu: None,
            })
            .expect("cable");
        let mut netlink = Netlink::open_in(&outside.open()).expect("netlink");
        let card = netlink.expect_link(&link("card")).expect("card");
        netlink
            .add_address(card.index, OUTSIDE, 24)
            .expect("address");
        netlink.set_up(card.index).expect("up");
        Some(Self { host, outside, dir })
    }
}

/// Parses the name of a link.
pub(crate) fn link(name: &str) -> LinkName {
    LinkName::parse(name).expect(name)
}

/// Asks a UDP server.
pub(crate) fn ask(socket: &UdpSocket) -> std::io::Result<String> {
    socket.send(b"?")?;
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
