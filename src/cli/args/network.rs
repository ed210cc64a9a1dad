//! `network`.

use std::net::Ipv4Addr;

use clap::{Args, Subcommand};

use super::{Filter, Format, Rows};
use crate::model::network::AddressRange;
use crate::names::NetworkName;
use crate::subnet::Ipv4Subnet;

/// Commands about networks.
#[derive(Debug, Subcommand)]
pub enum NetworkCommand {
    /// Make a network
    ///
    /// Pods join it with `kube play --network NAME`. Networks are kept apart: what is on one reaches what is on
    /// another by published ports only.
    Create(CreateNetwork),
    /// Exit with 0 if there is such a network, with 1 if not
    Exists(NetworkExists),
    /// Show all that is known of networks
    Inspect(InspectNetworks),
    /// List networks
    #[command(alias = "list")]
    Ls(ListNetworks),
    /// Remove the networks that no pod is on
    Prune(PruneNetworks),
    /// Remove networks
    ///
    /// A network that a pod is on stays, and the exit code is 2; with 1 it was not there.
    #[command(alias = "remove")]
    Rm(RemoveNetworks),
}

/// Arguments of `network create`.
#[derive(Debug, Args)]
pub struct CreateNetwork {
    /// Name of the network; without one it gets the next free `podwrightN`
    pub name: Option<NetworkName>,
    /// What makes the network; there is only `bridge`
    #[arg(short, long, value_name = "DRIVER", default_value = "bridge")]
    pub driver: String,
    /// IPv4 network in prefix notation; without one a free private one is taken
    #[arg(long, value_name = "SUBNET")]
    pub subnet: Option<Ipv4Subnet>,
    /// The host's own address in the subnet; without one its first
    #[arg(long, value_name = "IP")]
    pub gateway: Option<Ipv4Addr>,
    /// Addresses that pods get who ask for none, as SUBNET or FIRST-LAST
    #[arg(long, value_name = "RANGE", value_parser = parse_range)]
    pub ip_range: Option<AddressRange>,
    /// Let the pods reach each other and the host only
    #[arg(long)]
    pub internal: bool,
    /// Label of the network, as KEY=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Write no names of other pods into the pods' `/etc/hosts`
    #[arg(long)]
    pub disable_dns: bool,
    /// Succeed if there is a network of this name
    #[arg(long)]
    pub ignore: bool,
    /// podman's options of a bridge; there are none here
    #[arg(short, long = "opt", value_name = "OPTION", hide = true)]
    pub options: Vec<String>,
    /// Pods have IPv4 addresses only
    #[arg(long, hide = true)]
    pub ipv6: bool,
    /// There is only `host-local`
    #[arg(long, value_name = "DRIVER", hide = true, default_value = "host-local")]
    pub ipam_driver: String,
}

/// Reads `10.0.0.128/25` or `10.0.0.10-10.0.0.20`.
fn parse_range(text: &str) -> Result<AddressRange, String> {
    if let Some((first, last)) = text.split_once('-') {
        let address = |text: &str| {
            let address = text.parse::<Ipv4Addr>();
            address.map_err(|_| format!("`{text}` is not an IPv4 address"))
        };
        let (first, last) = (address(first)?, address(last)?);
        return match first <= last {
            true => Ok(AddressRange { first, last }),
            false => Err("the first address comes after the last".to_owned()),
        };
    }
    let subnet: Ipv4Subnet = text.parse().map_err(|error| format!("{error}"))?;
    Ok(AddressRange {
        first: subnet.first_host(),
        last: subnet.broadcast(),
    })
}

/// Arguments of `network exists`.
#[derive(Debug, Args)]
pub struct NetworkExists {
    /// Name of the network
    #[arg(value_name = "NETWORK")]
    pub name: String,
}

/// Arguments of `network inspect`.
#[derive(Debug, Args)]
pub struct InspectNetworks {
    /// Networks, by name, id or the beginning of an id
    #[arg(value_name = "NETWORK", required = true)]
    pub names: Vec<String>,
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
}

/// Arguments of `network ls`.
#[derive(Debug, Args)]
pub struct ListNetworks {
    /// Only networks that meet KEY=VALUE: name, id, driver, label, dangling, until
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    #[command(flatten)]
    pub rows: Rows,
    /// Print whole ids
    #[arg(long)]
    pub no_trunc: bool,
}

/// Arguments of `network prune`.
#[derive(Debug, Args)]
pub struct PruneNetworks {
    /// Only networks that meet KEY=VALUE, as for `network ls`
    #[arg(long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Do not ask
    #[arg(short, long)]
    pub force: bool,
}

/// Arguments of `network rm`.
#[derive(Debug, Args)]
pub struct RemoveNetworks {
    /// Networks, by name, id or the beginning of an id
    #[arg(value_name = "NETWORK", required = true)]
    pub names: Vec<String>,
    /// Remove the pods that are on them, too; a network that is not there is no error
    #[arg(short, long)]
    pub force: bool,
    /// Seconds the pods get for their end, instead of their own grace period
    #[arg(short, long, value_name = "SECONDS", requires = "force")]
    pub time: Option<u64>,
}
