//! `network`.

use super::super::args::{
    CreateNetwork, Filter, InspectNetworks, ListNetworks, NetworkCommand, PruneNetworks,
    RemoveNetworks,
};
use super::super::error::{Error, exists, outcome, usage};
use super::super::filter;
use super::super::view::{NetworkRow, Width};
use super::consent::is_meant;
use super::lifecycle::remove_user_pods;
use super::ps::{show_rows, width};
use super::volume::pairs;
use super::{Context, inspect};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::Engine;
use crate::engine::networks::{NetworkWish, NetworksError};
use crate::model::network::NetworkRecord;
use crate::model::observed::Observed;
use crate::names::NetworkName;
use crate::state::NetworkRemoval;

pub(super) fn run(context: &mut Context<'_>, command: &NetworkCommand) -> Result<(), Error> {
    match command {
        NetworkCommand::Create(arguments) => create(context, arguments),
        NetworkCommand::Exists(arguments) => {
            let engine = context.engine("network exists")?;
            let networks = engine.networks(&engine.observed()?)?;
            exists(find(&networks, &arguments.name))
        }
        NetworkCommand::Inspect(arguments) => show(context, arguments),
        NetworkCommand::Ls(arguments) => list(context, arguments),
        NetworkCommand::Prune(arguments) => prune(context, arguments),
        NetworkCommand::Rm(arguments) => remove(context, arguments),
    }
}

fn create(context: &mut Context<'_>, arguments: &CreateNetwork) -> Result<(), Error> {
    let wish = wanted(arguments)?;
    let mut engine = context.engine("network create")?;
    let name = match engine.create_network(&wish, SystemClock.now()) {
        Ok(network) => network.name,
        Err(NetworksError::NameTaken(name)) if arguments.ignore => name,
        Err(error) => return Err(error.into()),
    };
    context.output.line(name)?;
    Ok(context.output.flush()?)
}

/// Returns the network that was asked for.
fn wanted(arguments: &CreateNetwork) -> Result<NetworkWish, Error> {
    let CreateNetwork {
        name,
        driver,
        subnet,
        gateway,
        ip_range,
        internal,
        labels,
        disable_dns,
        ignore: _,
        options,
        ipv6,
        ipam_driver,
    } = arguments;
    if driver != "bridge" {
        return Err(usage(format!(
            "unsupported driver {driver}: there is only `bridge`"
        )));
    }
    if ipam_driver != "host-local" {
        return Err(usage(format!(
            "unsupported ipam driver {ipam_driver}: there is only `host-local`"
        )));
    }
    if *ipv6 {
        return Err(usage("pods have IPv4 addresses only".to_owned()));
    }
    if let Some(option) = options.first() {
        return Err(usage(format!("unsupported bridge network option {option}")));
    }
    Ok(NetworkWish {
        name: name.clone(),
        subnet: *subnet,
        gateway: *gateway,
        range: *ip_range,
        internal: *internal,
        nameless: *disable_dns,
        labels: pairs(labels, "label")?,
    })
}

fn show(context: &mut Context<'_>, arguments: &InspectNetworks) -> Result<(), Error> {
    let engine = context.engine("network inspect")?;
    let observed = engine.observed()?;
    let networks = engine.networks(&observed)?;
    let found = arguments.names.iter().map(|name| {
        let network = find(&networks, name)?;
        let row = NetworkRow::new(network, &observed, engine.paths(), Width::Full);
        Ok(Some(row))
    });
    inspect::show(context, found, arguments.format.as_ref())
}

fn list(context: &mut Context<'_>, arguments: &ListNetworks) -> Result<(), Error> {
    let engine = context.engine("network ls")?;
    let observed = engine.observed()?;
    let width = width(context, arguments.no_trunc);
    let mut networks = meeting(engine.networks(&observed)?, &observed, &arguments.filters)?;
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<NetworkRow> = networks
        .iter()
        .map(|network| NetworkRow::new(network, &observed, engine.paths(), width))
        .collect();
    let look = arguments.rows.look();
    show_rows(context, &rows, look, &NetworkRow::SHOWN, "Name")
}

/// Returns the networks that meet all filters.
fn meeting(
    networks: Vec<NetworkRecord>,
    observed: &Observed,
    filters: &[Filter],
) -> Result<Vec<NetworkRecord>, Error> {
    let mut kept = Vec::new();
    for network in networks {
        if filter::network(&network, observed, filters)? {
            kept.push(network);
        }
    }
    Ok(kept)
}

fn prune(context: &mut Context<'_>, arguments: &PruneNetworks) -> Result<(), Error> {
    let warning = "This will remove all networks not used by at least one pod.";
    if !arguments.force && !is_meant(context, warning)? {
        return Ok(());
    }
    let mut engine = context.engine("network prune")?;
    for name in sweep(&mut engine, &arguments.filters)? {
        context.output.line(name)?;
    }
    Ok(context.output.flush()?)
}

/// Removes the networks that no pod is on, and returns their names.
pub(super) fn sweep(engine: &mut Engine, filters: &[Filter]) -> Result<Vec<String>, Error> {
    let observed = engine.observed()?;
    let mut removed = Vec::new();
    for network in meeting(observed.networks.clone(), &observed, filters)? {
        // One that somebody is on, be it since a moment, stays.
        if engine.remove_network(&network.name)? == NetworkRemoval::Removed {
            removed.push(network.name.to_string());
        }
    }
    Ok(removed)
}

fn remove(context: &mut Context<'_>, arguments: &RemoveNetworks) -> Result<(), Error> {
    let mut engine = context.engine("network rm")?;
    let observed = engine.observed()?;
    let networks = engine.networks(&observed)?;
    let mut failures = Vec::new();
    for text in &arguments.names {
        let removed = match find(&networks, text) {
            Ok(network) => remove_one(&mut engine, &observed, &network.name, arguments),
            Err(Error::NoNetwork { .. }) if arguments.force => Ok(None),
            Err(error) => Err(error),
        };
        match removed {
            Ok(Some(name)) => context.output.line(name)?,
            Ok(None) => {}
            Err(error) => failures.push(error),
        }
    }
    context.output.flush()?;
    outcome(failures)
}

fn remove_one(
    engine: &mut Engine,
    observed: &Observed,
    name: &NetworkName,
    arguments: &RemoveNetworks,
) -> Result<Option<NetworkName>, Error> {
    if arguments.force && !name.is_default() {
        let users = observed.pods_on(name);
        remove_user_pods(engine, users, arguments.time)?;
    }
    match engine.remove_network(name)? {
        NetworkRemoval::Removed => Ok(Some(name.clone())),
        NetworkRemoval::Unknown if arguments.force => Ok(None),
        NetworkRemoval::Unknown => Err(Error::NoNetwork {
            name: name.to_string(),
        }),
        NetworkRemoval::InUse(pods) => Err(Error::NetworkInUse {
            name: name.to_string(),
            pods: pods.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// Finds one network by its name, or by the beginning of its id.
fn find<'a>(networks: &'a [NetworkRecord], text: &str) -> Result<&'a NetworkRecord, Error> {
    if let Some(exact) = networks.iter().find(|one| one.name.as_str() == text) {
        return Ok(exact);
    }
    let by_id = |one: &&NetworkRecord| !text.is_empty() && one.id().starts_with(text);
    let matching: Vec<_> = networks.iter().filter(by_id).collect();
    match matching.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::NoNetwork {
            name: text.to_owned(),
        }),
        several => Err(Error::Ambiguous {
            what: "network",
            prefix: text.to_owned(),
            ids: several.iter().map(|one| one.id()).collect(),
        }),
    }
}
