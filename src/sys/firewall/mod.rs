//! Port forwarding and masquerading by one nftables table.
//!
//! `nft(8)` is run with text on its standard input, one transaction a call: either all of it
//! happens or nothing. What is there is asked of the kernel where that is simple. Only the table
//! given is ever changed. What the table does:
//!
//! ```text
//! guard (raw)    a packet from the bridge to or from 127.0.0.0/8 is dropped: `route_localnet`
//!                would let a neighbour reach services on the host's loopback (CVE-2020-8558)
//! prerouting     a packet to an address of the host on a published port goes to the pod; one to
//! output         127.0.0.0/8 only if it was made on this host
//! passage        a packet from another network of ours does not come in, but to a published port
//! postrouting    the bridge's network shows the host's address outside; what the host sends from
//!                127.0.0.0/8, and what the network sends to itself by way of a published port,
//!                shows the bridge's address, so that the answer comes back this way
//! ```
//!
//! No rule of ours can accept what another table's `forward` chain drops: a packet must pass all
//! base chains. [`Firewall::forward_policy`] tells of such a chain.

mod chains;
mod listing;
mod policy;
mod program;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use super::netlink::LinkName;
use super::socket::Transport;

pub use policy::ForwardPolicy;
pub use rules::{Passage, Rules};

use listing::{objects, read_map};
use program::{find_program, message_of, run_program};

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
    /// The kernel does not answer what is asked of its tables.
    #[error("asking the kernel for its packet filter")]
    Ask(#[source] io::Error),
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
        rules: &Rules<'_>,
        forwards: &[PortForward],
    ) -> Result<(), FirewallError> {
        let mut text = self.rules(rules);
        for forward in forwards {
            self.line(&mut text, "add", forward.map(), &forward.element());
        }
        self.run_script(&text)
    }

    /// Adds forwards to the table as it is, which is quicker than to make sure of the rules too.
    ///
    /// # Errors
    /// There is no table, or a port leads elsewhere already. Nothing has changed then.
    pub fn add(&self, forwards: &[PortForward]) -> Result<(), FirewallError> {
        let mut text = String::new();
        for forward in forwards {
            self.line(&mut text, "add", forward.map(), &forward.element());
        }
        self.run_script(&text)
    }

    /// Puts forwards in the place of others at one moment: no packet meets neither.
    ///
    /// # Errors
    /// There is no table, or a port of either leads elsewhere. Nothing has changed then.
    pub fn exchange(&self, old: &[PortForward], new: &[PortForward]) -> Result<(), FirewallError> {
        let mut text = self.removal(old);
        for forward in new {
            self.line(&mut text, "add", forward.map(), &forward.element());
        }
        self.run_script(&text)
    }

    /// Tells whether the table is there with its rules.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn exists(&self) -> Result<bool, FirewallError> {
        chains::has_chain(self.table.as_str(), "postrouting").map_err(FirewallError::Ask)
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

    fn delete(&self, forwards: &[PortForward]) -> Result<(), FirewallError> {
        if forwards.is_empty() {
            return Ok(());
        }
        self.run_script(&self.removal(forwards))
    }

    fn removal(&self, forwards: &[PortForward]) -> String {
        let mut text = String::new();
        for forward in forwards {
            // Adding first refuses to delete an element that leads elsewhere by now.
            self.line(&mut text, "add", forward.map(), &forward.element());
            self.line(&mut text, "delete", forward.map(), &forward.key());
        }
        text
    }

    fn line(&self, text: &mut String, verb: &str, map: &str, element: &str) {
        let table = &self.table;
        writeln!(text, "{verb} element inet {table} {map} {{ {element} }}")
            .expect("writing to a string cannot fail");
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
