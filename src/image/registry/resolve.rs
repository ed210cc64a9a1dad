//! Finds the addresses of a registry's name: `/etc/hosts`, then DNS (RFC 1035).
//!
//! A statically linked glibc loads shared libraries for `getaddrinfo(3)`, which fail or crash on a
//! host with another glibc or none. So names are asked for here, as `resolv.conf(5)` says:
//! `nameserver`, `search`, `options ndots`, `timeout` and `attempts`.

use std::collections::HashSet;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::message::{Question, Record, answers, question};

/// How many addresses the HTTP client can take.
const ADDRESSES: usize = 16;
/// glibc's bound for `search`, `nameserver` and time.
const SERVERS: usize = 3;

/// Resolves through the files of this host.
#[derive(Debug, Clone)]
pub(super) struct Names {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    port: u16,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            hosts: PathBuf::from("/etc/hosts"),
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            port: 53,
        }
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let default = match uri.scheme_str() {
            Some("http") => 80,
            _ => 443,
        };
        let port = uri.port_u16().unwrap_or(default);
        let found = self.addresses(host).map_err(ureq::Error::Io)?;
        let all = found
            .into_iter()
            .map(|address| SocketAddr::new(address, port));
        let mut addresses = self.empty();
        for address in config.ip_family().keep_wanted(all).take(ADDRESSES) {
            addresses.push(address);
        }
        match addresses.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(addresses),
        }
    }
}

impl Names {
    /// Returns the addresses of a host, IPv4 first: many hosts have no way out by IPv6.
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let lower = host.to_ascii_lowercase();
        let listed = self.listed(lower.trim_end_matches('.'));
        if !listed.is_empty() {
            return Ok(listed);
        }
        // RFC 6761: no server is asked for these.
        if lower == "localhost" || lower.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        self.ask(&lower)
    }

    fn listed(&self, host: &str) -> Vec<IpAddr> {
        let text = std::fs::read_to_string(&self.hosts).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(address)
        };
        text.lines().filter_map(line).collect()
    }

    fn ask(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let text = std::fs::read_to_string(&self.resolv_conf).unwrap_or_default();
        let settings = Settings::parse(&text);
        let mut last = None;
        for name in settings.names(host) {
            match settings.ask(&name, self.port) {
                Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
                Ok(_) => {}
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error),
            None => Ok(Vec::new()),
        }
    }
}

/// What `resolv.conf(5)` says.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    servers: Vec<IpAddr>,
    search: Vec<String>,
    dots: usize,
    timeout: Duration,
    attempts: usize,
}

impl Settings {
    fn parse(text: &str) -> Self {
        let mut settings = Self {
            servers: Vec::new(),
            search: Vec::new(),
            dots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let mut words = line
                .split(['#', ';'])
                .next()
                .unwrap_or_default()
                .split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words
                        .next()
                        .and_then(|address| address.parse::<IpAddr>().ok());
                    settings.servers.extend(address);
                }
                Some("search" | "domain") => settings.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|word| settings.option(word)),
                _ => {}
            }
        }
        settings.servers.truncate(SERVERS);
        if settings.servers.is_empty() {
            settings.servers.push(Ipv4Addr::LOCALHOST.into());
        }
        settings
    }

    fn option(&mut self, word: &str) {
        let Some((name, Ok(value))) = word.split_once(':').map(|(n, v)| (n, v.parse::<u8>()))
        else {
            return;
        };
        match name {
            "ndots" => self.dots = usize::from(value.min(15)),
            "timeout" => self.timeout = Duration::from_secs(u64::from(value.clamp(1, 30))),
            "attempts" => self.attempts = usize::from(value.clamp(1, 5)),
            _ => {}
        }
    }

    /// Returns the names to ask for, in order.
    fn names(&self, host: &str) -> Vec<String> {
        let plain = host.trim_end_matches('.').to_owned();
        if host.ends_with('.') {
            return vec![plain];
        }
        let searched = self
            .search
            .iter()
            .map(|domain| format!("{plain}.{}", domain.trim_matches('.')));
        let mut names: Vec<String> = searched.collect();
        match plain.matches('.').count() >= self.dots {
            true => names.insert(0, plain),
            false => names.push(plain),
        }
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    fn ask(&self, name: &str, port: u16) -> io::Result<Vec<IpAddr>> {
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for _ in 0..self.attempts {
            for server in &self.servers {
                let server = SocketAddr::new(*server, port);
                let both = || -> io::Result<Vec<IpAddr>> {
                    let mut found = ask_server(server, name, Record::A, self.timeout)?;
                    found.extend(ask_server(server, name, Record::Aaaa, self.timeout)?);
                    Ok(found)
                };
                match both() {
                    Ok(found) => return Ok(found),
                    Err(error) => last = error,
                }
            }
        }
        Err(last)
    }
}

fn ask_server(
    server: SocketAddr,
    name: &str,
    record: Record,
    timeout: Duration,
) -> io::Result<Vec<IpAddr>> {
    let asked = Question::new(name, record)?;
    let bytes = question(&asked);
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.connect(server)?;
    socket.send(&bytes)?;
    let mut buffer = [0; 4096];
    // Answers to other questions may come in late; a few of them are passed over.
    for _ in 0..8 {
        let length = socket.recv(&mut buffer)?;
        match answers(&buffer[..length], &asked) {
            Ok(Some(answer)) if answer.truncated => {
                return ask_by_tcp(server, &asked, &bytes, timeout);
            }
            Ok(Some(answer)) => return Ok(answer.addresses),
            Ok(None) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn ask_by_tcp(
    server: SocketAddr,
    asked: &Question,
    bytes: &[u8],
    timeout: Duration,
) -> io::Result<Vec<IpAddr>> {
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    let answer = answers(&answer, asked)?;
    Ok(answer.map(|answer| answer.addresses).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_those_of_resolv_conf() {
        let settings = Settings::parse(
            "# comment\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nsearch a.b c.\noptions ndots:2 timeout:1 rotate\n",
        );
        assert_eq!(settings.servers, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(settings.timeout, Duration::from_secs(1));
        assert_eq!(settings.names("x.y"), ["x.y.a.b", "x.y.c", "x.y"]);
        assert_eq!(settings.names("x.y.z"), ["x.y.z", "x.y.z.a.b", "x.y.z.c"]);
        assert_eq!(settings.names("x."), ["x"]);
        assert_eq!(Settings::parse("").servers, [IpAddr::from([127, 0, 0, 1])]);
    }

    /// A server on loopback that knows one name, over UDP and, when truncated, over TCP.
    fn serve(truncated: bool) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let reply = |question: &[u8], truncated: bool| {
            let mut reply = question.to_vec();
            reply[2] = if truncated { 0x82 } else { 0x80 };
            let asks_a = question[question.len() - 3] == 1;
            if asks_a && !truncated {
                reply[7] = 1;
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 1, 2, 3]);
            }
            reply
        };
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                socket
                    .send_to(&reply(&buffer[..length], truncated), peer)
                    .unwrap();
            }
        });
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut question).unwrap();
                let reply = reply(&question, false);
                stream
                    .write_all(&u16::try_from(reply.len()).unwrap().to_be_bytes())
                    .unwrap();
                stream.write_all(&reply).unwrap();
            }
        });
        port
    }

    #[test]
    fn a_name_is_found_in_the_files_first_and_then_by_the_server() {
        for truncated in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let names = Names {
                hosts: directory.path().join("hosts"),
                resolv_conf: directory.path().join("resolv.conf"),
                port: serve(truncated),
            };
            std::fs::write(&names.hosts, "192.0.2.1 one.test One # two.test\n").unwrap();
            std::fs::write(&names.resolv_conf, "nameserver 127.0.0.1\n").unwrap();
            let found = |host: &str| {
                let found = names.addresses(host).unwrap();
                found.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            assert_eq!(found("ONE.test"), ["192.0.2.1"]);
            assert_eq!(found("two.test"), ["10.1.2.3"]);
            assert_eq!(found("::1"), ["::1"]);
            assert_eq!(found("a.localhost"), ["127.0.0.1", "::1"]);
        }
    }
}
