//! Port forwarding and masquerading by one nftables table.
//!
//! `nft(8)` is run with text on its standard input, one transaction a call: either all of it
//! happens or nothing. Only the table given is ever changed. What the table does:
//!
//! ```text
//! guard (raw)    a packet from the bridge to or from 127.0.0.0/8 is dropped: `route_localnet`
//!                would let a neighbour reach services on the host's loopback (CVE-2020-8558)
//! prerouting     a packet to an address of the host on a published port goes to the pod; one to
//! output         127.0.0.0/8 only if it was made on this host
//! postrouting    the bridge's network shows the host's address outside; what the host sends from
//!                127.0.0.0/8, and what the network sends to itself by way of a published port,
//!                shows the bridge's address, so that the answer comes back this way
//! ```
//!
//! No rule of ours can accept what another table's `forward` chain drops (a packet must pass all
//! base chains), so the table has none; [`Firewall::forward_policy`] tells of such a chain.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::netlink::LinkName;
use super::socket::Transport;
use super::subnet::Ipv4Subnet;

/// Where programs run by us are looked for; never in `$PATH`, which the caller controls.
const PROGRAM_DIRS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What went wrong with the packet filter.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    /// There is no `nft`.
    #[error(
        "there is no `nft` in /usr/sbin, /usr/bin, /sbin or /bin: install the package `nftables`"
    )]
    Unavailable,
    /// A program could not be run.
    #[error("running `{}`", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `nft` refused the transaction; nothing of it happened.
    #[error("`nft` refused to change the table `{table}`: {message}")]
    Refused {
        /// The table.
        table: LinkName,
        /// What `nft` said.
        message: String,
    },
    /// `nft` printed something that cannot be read.
    #[error("reading what `nft` prints of the table `{table}`")]
    Unreadable {
        /// The table.
        table: LinkName,
        /// Why.
        source: serde_json::Error,
    },
}

/// A port of the host that leads to a port behind the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortForward {
    /// The transport.
    pub transport: Transport,
    /// The host's address; without one, all of them.
    pub host_ip: Option<Ipv4Addr>,
    /// The host's port.
    pub host_port: u16,
    /// Where it leads to.
    pub to: SocketAddrV4,
}

impl PortForward {
    fn map(&self) -> &'static str {
        if self.host_ip.is_some() {
            "published_on"
        } else {
            "published"
        }
    }

    fn key(&self) -> String {
        let (transport, port) = (self.transport.name(), self.host_port);
        match self.host_ip {
            Some(ip) => format!("{ip} . {transport} . {port}"),
            None => format!("{transport} . {port}"),
        }
    }

    fn element(&self) -> String {
        format!("{} : {} . {}", self.key(), self.to.ip(), self.to.port())
    }
}

/// What the host's own packet filter does with packets that it forwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPolicy {
    /// Nothing drops by default.
    Accept,
    /// A chain drops what it has no rule for, which may be what a bridge sends and receives.
    Drop {
        /// The chain, as `nft list chain` or `iptables -S` names it.
        chain: String,
    },
}

/// Tells whether ports can be forwarded at all.
///
/// # Errors
/// There is no `nft`.
pub fn check_available() -> Result<(), FirewallError> {
    find_program("nft")
        .map(drop)
        .ok_or(FirewallError::Unavailable)
}

/// The table that belongs to one bridge.
#[derive(Debug, Clone)]
pub struct Firewall {
    nft: PathBuf,
    table: LinkName,
    bridge: LinkName,
}

impl Firewall {
    /// Finds `nft` for the table of this name, whose rules are about this bridge.
    ///
    /// # Errors
    /// There is no `nft`.
    pub fn find(table: &LinkName, bridge: &LinkName) -> Result<Self, FirewallError> {
        Ok(Self {
            nft: find_program("nft").ok_or(FirewallError::Unavailable)?,
            table: table.clone(),
            bridge: bridge.clone(),
        })
    }

    /// Makes or repairs the table and adds the forwards to those that are there.
    ///
    /// # Errors
    /// `nft` refuses, which it does where a port leads elsewhere already. Nothing has changed then.
    pub fn publish(
        &self,
        subnet: Ipv4Subnet,
        forwards: &[PortForward],
    ) -> Result<(), FirewallError> {
        let mut text = self.rules(subnet);
        for forward in forwards {
            self.line(&mut text, "add", forward.map(), &forward.element());
        }
        self.run_script(&text)
    }

    /// Removes these forwards; one that is not there, or leads elsewhere now, is left alone.
    ///
    /// # Errors
    /// `nft` cannot be run or refuses.
    pub fn withdraw(&self, forwards: &[PortForward]) -> Result<(), FirewallError> {
        self.delete(forwards).or_else(|_| {
            let present = self.forwards()?;
            let mut ours = forwards.to_vec();
            ours.retain(|forward| present.contains(forward));
            self.delete(&ours)
        })
    }

    /// Removes all forwards that lead to this address.
    ///
    /// # Errors
    /// `nft` cannot be run or refuses.
    pub fn withdraw_address(&self, address: Ipv4Addr) -> Result<(), FirewallError> {
        let mut forwards = self.forwards()?;
        forwards.retain(|forward| *forward.to.ip() == address);
        self.delete(&forwards)
    }

    /// Removes the table; one that is not there is no error.
    ///
    /// # Errors
    /// `nft` cannot be run or refuses.
    pub fn remove(&self) -> Result<(), FirewallError> {
        let table = &self.table;
        // To add a table that is there changes nothing, and makes its removal succeed always.
        self.run_script(&format!(
            "add table inet {table}\ndelete table inet {table}\n"
        ))
    }

    /// Lists the forwards in the table; none if there is no table.
    ///
    /// # Errors
    /// `nft` cannot be run, or prints something else than expected.
    pub fn forwards(&self) -> Result<Vec<PortForward>, FirewallError> {
        let output = self.run(&["-j", "list", "table", "inet", self.table.as_str()], "")?;
        if !output.status.success() {
            let message = message_of(&output);
            if message.contains("No such file or directory") {
                return Ok(Vec::new());
            }
            return Err(self.refused(message));
        }
        let listing = self.parse(&output)?;
        Ok(objects(&listing, "map").flat_map(read_map).collect())
    }

    /// Tells whether another table or the older iptables drops forwarded packets by default.
    ///
    /// # Errors
    /// `nft` cannot be run, or prints something else than expected.
    pub fn forward_policy(&self) -> Result<ForwardPolicy, FirewallError> {
        let output = self.run(&["-j", "list", "chains"], "")?;
        if !output.status.success() {
            return Err(self.refused(message_of(&output)));
        }
        let listing = self.parse(&output)?;
        let dropping = objects(&listing, "chain").find(|chain| {
            let is = |key: &str, value: &str| chain.get(key).and_then(Value::as_str) == Some(value);
            is("hook", "forward")
                && is("policy", "drop")
                && (is("family", "ip") || is("family", "inet"))
                && !is("table", self.table.as_str())
        });
        if let Some(chain) = dropping {
            let word = |key: &str| chain.get(key).and_then(Value::as_str).unwrap_or_default();
            return Ok(ForwardPolicy::Drop {
                chain: format!("{} {} {}", word("family"), word("table"), word("name")),
            });
        }
        legacy_forward_policy()
    }

    fn delete(&self, forwards: &[PortForward]) -> Result<(), FirewallError> {
        let mut text = String::new();
        for forward in forwards {
            // Adding first refuses to delete an element that leads elsewhere by now.
            self.line(&mut text, "add", forward.map(), &forward.element());
            self.line(&mut text, "delete", forward.map(), &forward.key());
        }
        if text.is_empty() {
            return Ok(());
        }
        self.run_script(&text)
    }

    fn line(&self, text: &mut String, verb: &str, map: &str, element: &str) {
        let table = &self.table;
        writeln!(text, "{verb} element inet {table} {map} {{ {element} }}")
            .expect("writing to a string cannot fail");
    }

    /// Returns the table without its elements.
    ///
    /// `add` changes nothing that is there, except that a rule would be added once more: the
    /// chains are emptied first. All of it is one transaction, so no packet sees an empty chain.
    fn rules(&self, subnet: Ipv4Subnet) -> String {
        let (table, bridge) = (&self.table, &self.bridge);
        format!(
            r#"add table inet {table}
add map inet {table} published {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map inet {table} published_on {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add chain inet {table} guard {{ type filter hook prerouting priority -300; policy accept; }}
add chain inet {table} publish
add chain inet {table} prerouting {{ type nat hook prerouting priority -100; policy accept; }}
add chain inet {table} output {{ type nat hook output priority -100; policy accept; }}
add chain inet {table} postrouting {{ type nat hook postrouting priority 100; policy accept; }}
flush chain inet {table} guard
flush chain inet {table} publish
flush chain inet {table} prerouting
flush chain inet {table} output
flush chain inet {table} postrouting
add rule inet {table} guard iifname "{bridge}" ip daddr 127.0.0.0/8 drop
add rule inet {table} guard iifname "{bridge}" ip saddr 127.0.0.0/8 drop
add rule inet {table} publish dnat ip to ip daddr . meta l4proto . th dport map @published_on
add rule inet {table} publish dnat ip to meta l4proto . th dport map @published
add rule inet {table} prerouting iifname != "lo" ip daddr 127.0.0.0/8 return
add rule inet {table} prerouting fib daddr type local jump publish
add rule inet {table} output fib daddr type local jump publish
add rule inet {table} postrouting oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade
add rule inet {table} postrouting oifname "{bridge}" ip saddr {subnet} ct status dnat masquerade
add rule inet {table} postrouting oifname != "{bridge}" ip saddr {subnet} ip daddr != 224.0.0.0/4 masquerade
"#
        )
    }

    fn run_script(&self, text: &str) -> Result<(), FirewallError> {
        let output = self.run(&["-f", "-"], text)?;
        if output.status.success() {
            Ok(())
        } else {
            Err(self.refused(message_of(&output)))
        }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<Output, FirewallError> {
        run_program(&self.nft, arguments, input)
    }

    fn refused(&self, message: String) -> FirewallError {
        FirewallError::Refused {
            table: self.table.clone(),
            message,
        }
    }

    fn parse(&self, output: &Output) -> Result<Value, FirewallError> {
        serde_json::from_slice(&output.stdout).map_err(|source| FirewallError::Unreadable {
            table: self.table.clone(),
            source,
        })
    }
}

/// Returns the objects of one kind in what `nft -j list` prints (`libnftables-json(5)`).
fn objects<'a>(listing: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    listing
        .get("nftables")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(move |object| object.get(kind))
}

fn read_map(map: &Value) -> Vec<PortForward> {
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

/// Asks the older iptables, whose rules `nft` does not show, where the kernel has its table.
fn legacy_forward_policy() -> Result<ForwardPolicy, FirewallError> {
    let tables = std::fs::read_to_string("/proc/thread-self/net/ip_tables_names");
    let in_use = tables.is_ok_and(|names| names.lines().any(|name| name == "filter"));
    let program = find_program("iptables-legacy").or_else(|| find_program("iptables"));
    let Some(program) = program.filter(|_| in_use) else {
        return Ok(ForwardPolicy::Accept);
    };
    let output = run_program(&program, &["-w", "-S", "FORWARD"], "")?;
    let rules = String::from_utf8_lossy(&output.stdout);
    Ok(
        match rules.lines().find(|rule| *rule == "-P FORWARD DROP") {
            Some(rule) => ForwardPolicy::Drop {
                chain: format!("iptables {rule}"),
            },
            None => ForwardPolicy::Accept,
        },
    )
}

fn find_program(name: &str) -> Option<PathBuf> {
    PROGRAM_DIRS
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

fn run_program(program: &Path, arguments: &[&str], input: &str) -> Result<Output, FirewallError> {
    let failed = |source| FirewallError::Run {
        program: program.to_owned(),
        source,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // The input is read to its end before anything is printed, and dropping the pipe ends it. A
    // program that ended early says why on its standard error.
    if let Some(mut pipe) = child.stdin.take() {
        match pipe.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(error)),
            _ => {}
        }
    }
    child.wait_with_output().map_err(failed)
}

/// Returns the first line of what the program said on its standard error, without its prefix.
fn message_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("Error:"));
    let line = line.or_else(|| text.lines().next()).unwrap_or_default();
    match line.split_once("Error: ") {
        Some((_, message)) => message.trim().to_owned(),
        None => line.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::namespace::{Namespace, NamespaceKind, create_pinned, in_namespaces, unpin};
    use super::*;

    fn forward(port: u16, host_ip: Option<Ipv4Addr>, to: u8) -> PortForward {
        PortForward {
            transport: Transport::Tcp,
            host_ip,
            host_port: port,
            to: SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, to), 80),
        }
    }

    /// Runs the test in a network namespace of its own, with the table `pw-test`.
    fn with_firewall(test: impl FnOnce(&Firewall, Ipv4Subnet) + Send) {
        let name = LinkName::parse("pw-test").expect("name");
        let firewall = Firewall::find(&name, &name);
        if !nix::unistd::geteuid().is_root() || firewall.is_err() {
            eprintln!("skipped: lacks root or nft");
            return;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("net");
        create_pinned(&[(NamespaceKind::Net, &path)]).expect("namespace");
        let namespace = Namespace::open(NamespaceKind::Net, &path).expect("namespace");
        let subnet = "10.99.0.0/24".parse().expect("subnet");
        in_namespaces(&[&namespace], || {
            test(&firewall.expect("nft"), subnet);
        })
        .expect("entered");
        unpin(&path).expect("unpinned");
    }

    #[test]
    fn what_is_published_is_listed_until_it_is_withdrawn() {
        with_firewall(|firewall, subnet| {
            let (web, local) = (
                forward(8080, None, 2),
                forward(8081, Some(Ipv4Addr::LOCALHOST), 3),
            );
            let dns = PortForward {
                transport: Transport::Udp,
                ..forward(53, None, 2)
            };
            assert_eq!(firewall.forwards().expect("no table"), []);
            firewall.withdraw(&[web]).expect("nothing to withdraw");
            firewall.publish(subnet, &[web, dns]).expect("published");
            firewall.publish(subnet, &[local]).expect("published");
            firewall.publish(subnet, &[web]).expect("a second time");
            let mut listed = firewall.forwards().expect("listed");
            listed.sort();
            let mut expected = vec![web, dns, local];
            expected.sort();
            assert_eq!(listed, expected);

            firewall.withdraw(&[web, dns]).expect("withdrawn");
            assert_eq!(firewall.forwards().expect("listed"), [local]);
            firewall.withdraw(&[web, local]).expect("one is left");
            assert_eq!(firewall.forwards().expect("listed"), []);
            firewall.publish(subnet, &[web, local]).expect("published");
            firewall
                .withdraw_address(Ipv4Addr::new(10, 99, 0, 2))
                .expect("withdrawn");
            assert_eq!(firewall.forwards().expect("listed"), [local]);
            firewall.remove().expect("removed");
            firewall.remove().expect("a second time is no error");
            let listing = firewall.run(&["list", "ruleset"], "").expect("run");
            assert_eq!(listing.stdout, b"");
        });
    }

    #[test]
    fn a_port_that_leads_elsewhere_is_refused_and_nothing_changes() {
        with_firewall(|firewall, subnet| {
            let (first, second) = (forward(8080, None, 2), forward(8080, None, 3));
            firewall.publish(subnet, &[first]).expect("published");
            let error = firewall
                .publish(subnet, &[forward(9090, None, 3), second])
                .expect_err("taken");
            assert!(error.to_string().contains("File exists"), "{error}");
            firewall.withdraw(&[second]).expect("not ours");
            assert_eq!(firewall.forwards().expect("listed"), [first]);
        });
    }

    #[test]
    fn a_forward_chain_that_drops_is_told() {
        with_firewall(|firewall, subnet| {
            firewall.publish(subnet, &[]).expect("table");
            let policy = firewall.forward_policy().expect("policy");
            assert_eq!(policy, ForwardPolicy::Accept);
            firewall
                .run_script(
                    "add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n",
                )
                .expect("another's table");
            let chain = "ip filter FORWARD".to_owned();
            let policy = firewall.forward_policy().expect("policy");
            assert_eq!(policy, ForwardPolicy::Drop { chain });
        });
    }
}
