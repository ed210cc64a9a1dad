//! `volume`.

use std::collections::BTreeMap;

use super::super::args::{
    CreateVolume, InspectVolumes, ListVolumes, PruneVolumes, RemoveVolumes, VolumeCommand,
};
use super::super::error::{Error, exists, outcome, usage};
use super::super::filter;
use super::super::view::{VolumeRow, volumes};
use super::consent::is_meant;
use super::lifecycle::remove_user_pods;
use super::ps::show_rows;
use super::{Context, inspect};
use crate::clock::{Clock as _, IdSource as _, RandomIds, SystemClock};
use crate::engine::Engine;
use crate::engine::named::Made;
use crate::model::observed::{Observed, VolumeRecord};
use crate::model::volume::{Backing, NamedVolumeSpec, Owner};
use crate::names::{VolumeName, hex};
use crate::state::VolumeRemoval;

pub(super) fn run(context: &mut Context<'_>, command: &VolumeCommand) -> Result<(), Error> {
    match command {
        VolumeCommand::Create(arguments) => create(context, arguments),
        VolumeCommand::Exists(arguments) => {
            let observed = context.engine("volume exists")?.observed()?;
            exists(find(&observed, &arguments.name))
        }
        VolumeCommand::Inspect(arguments) => show(context, arguments),
        VolumeCommand::Ls(arguments) => list(context, arguments),
        VolumeCommand::Prune(arguments) => prune(context, arguments),
        VolumeCommand::Rm(arguments) => remove(context, arguments),
    }
}

fn create(context: &mut Context<'_>, arguments: &CreateVolume) -> Result<(), Error> {
    let spec = wanted(arguments)?;
    let name = spec.name.clone();
    let record = VolumeRecord {
        application: None,
        created: SystemClock.now(),
        spec,
    };
    let made = context.engine("volume create")?.create_volume(&record)?;
    if made == Made::Known && !arguments.ignore {
        return Err(usage(format!(
            "volume with name {name} already exists: volume already exists"
        )));
    }
    context.output.line(name)?;
    Ok(context.output.flush()?)
}

/// Returns the volume that was asked for.
fn wanted(arguments: &CreateVolume) -> Result<NamedVolumeSpec, Error> {
    if arguments.driver != "local" {
        return Err(usage(format!(
            "there is no volume driver `{}`: only `local`",
            arguments.driver
        )));
    }
    let name = arguments.name.clone().unwrap_or_else(|| {
        VolumeName::parse(&hex(&RandomIds.draw())).expect("hexadecimal digits are a name")
    });
    let mut spec = NamedVolumeSpec {
        labels: pairs(&arguments.labels, "label")?,
        ..NamedVolumeSpec::new(name)
    };
    for (key, value) in pairs(&arguments.options, "option")? {
        match key.as_str() {
            "type" => spec.backing.kind = Some(value),
            "device" => spec.backing.device = Some(value),
            "o" => spec.backing.options = Some(value),
            _ => {
                return Err(usage(format!(
                    "invalid mount option {key} for driver 'local': there are type, device and o"
                )));
            }
        }
    }
    spec.owner = owner(&mut spec.backing)?;
    Ok(spec)
}

/// Takes `uid` and `gid` out of a directory's options: nothing is mounted that could read them.
fn owner(backing: &mut Backing) -> Result<Owner, Error> {
    let mut owner = Owner::default();
    let Some(options) = backing.options.clone().filter(|_| !backing.is_mounted()) else {
        return Ok(owner);
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let id = value.parse::<u32>().ok();
        match (key, id) {
            ("uid", Some(id)) => owner.user = Some(id),
            ("gid", Some(id)) => owner.group = Some(id),
            ("size" | "inodes", _) => {
                return Err(usage(format!(
                    "`{option}`: a directory cannot be limited; `type=tmpfs` can"
                )));
            }
            _ => {
                return Err(usage(format!(
                    "invalid option `{option}`: without a type or a device there are uid=UID and gid=GID"
                )));
            }
        }
    }
    backing.options = None;
    Ok(owner)
}

/// Reads KEY=VALUE; a key alone has an empty value.
pub(super) fn pairs(texts: &[String], what: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut found = BTreeMap::new();
    for text in texts {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        if key.is_empty() {
            return Err(usage(format!("{what} `{text}` has no key")));
        }
        found.insert(key.to_owned(), value.to_owned());
    }
    Ok(found)
}

fn show(context: &mut Context<'_>, arguments: &InspectVolumes) -> Result<(), Error> {
    let engine = context.engine("volume inspect")?;
    let observed = engine.observed()?;
    let rows = volumes(&observed, engine.paths());
    let found: Vec<Result<Option<VolumeRow>, Error>> = match arguments.all {
        true => rows.into_iter().map(|row| Ok(Some(row))).collect(),
        false => {
            let one = |name: &String| {
                let record = find(&observed, name)?;
                let mut rows = rows.iter();
                Ok(rows
                    .find(|row| row.name == record.spec.name.as_str())
                    .cloned())
            };
            arguments.names.iter().map(one).collect()
        }
    };
    inspect::show(context, found.into_iter(), arguments.format.as_ref())
}

fn list(context: &mut Context<'_>, arguments: &ListVolumes) -> Result<(), Error> {
    let engine = context.engine("volume ls")?;
    let mut observed = engine.observed()?;
    keep(&mut observed, &arguments.filters)?;
    let rows = volumes(&observed, engine.paths());
    let look = arguments.rows.look();
    show_rows(context, &rows, look, &VolumeRow::SHOWN, "Name")
}

/// Keeps the volumes that meet all filters.
fn keep(observed: &mut Observed, filters: &[super::super::args::Filter]) -> Result<(), Error> {
    let mut kept = Vec::new();
    for record in &observed.volumes {
        if filter::volume(record, observed, filters)? {
            kept.push(record.clone());
        }
    }
    observed.volumes = kept;
    Ok(())
}

fn prune(context: &mut Context<'_>, arguments: &PruneVolumes) -> Result<(), Error> {
    let mut engine = context.engine("volume prune")?;
    let mut observed = engine.observed()?;
    keep(&mut observed, &arguments.filters)?;
    let unused = unused(&observed);
    if unused.is_empty() || (!arguments.force && !is_meant(context, &warning(&unused))?) {
        return Ok(());
    }
    for name in sweep(&mut engine, unused)? {
        context.output.line(name)?;
    }
    Ok(context.output.flush()?)
}

/// Returns the volumes that no pod names.
pub(super) fn unused(observed: &Observed) -> Vec<VolumeName> {
    let volumes = observed.volumes.iter();
    volumes
        .map(|volume| volume.spec.name.clone())
        .filter(|name| !observed.pods.iter().any(|pod| pod.claims(name)))
        .collect()
}

/// Removes volumes that nothing used a moment ago, and returns the names of those that are gone.
pub(super) fn sweep(engine: &mut Engine, unused: Vec<VolumeName>) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for name in unused {
        // One that somebody has begun to use meanwhile stays.
        if engine.remove_volume(&name)? == VolumeRemoval::Removed {
            removed.push(name.to_string());
        }
    }
    Ok(removed)
}

fn warning(volumes: &[VolumeName]) -> String {
    let names: Vec<&str> = volumes.iter().map(VolumeName::as_str).collect();
    format!(
        "This will remove all volumes not used by at least one pod. The following volumes will be removed:\n{}",
        names.join("\n")
    )
}

fn remove(context: &mut Context<'_>, arguments: &RemoveVolumes) -> Result<(), Error> {
    let mut engine = context.engine("volume rm")?;
    let observed = engine.observed()?;
    let names: Vec<String> = match arguments.all {
        true => {
            let volumes = observed.volumes.iter();
            volumes.map(|record| record.spec.name.to_string()).collect()
        }
        false => arguments.names.clone(),
    };
    let mut failures = Vec::new();
    for text in names {
        match remove_one(&mut engine, &observed, &text, arguments) {
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
    text: &str,
    arguments: &RemoveVolumes,
) -> Result<Option<VolumeName>, Error> {
    let missing = || match arguments.force {
        true => Ok(None),
        false => Err(Error::NoVolume {
            name: text.to_owned(),
        }),
    };
    let name = match find(observed, text) {
        Ok(record) => record.spec.name.clone(),
        Err(Error::NoSuch { .. }) => return missing(),
        Err(error) => return Err(error),
    };
    if arguments.force {
        let users = observed.pods.iter().filter(|pod| pod.claims(&name));
        remove_user_pods(engine, users, arguments.time)?;
    }
    match engine.remove_volume(&name)? {
        VolumeRemoval::Removed => Ok(Some(name)),
        VolumeRemoval::Unknown => missing(),
        VolumeRemoval::InUse(pods) => Err(Error::VolumeInUse {
            name: name.to_string(),
            pods: pods.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// Finds one volume by its name, or by the beginning of one.
fn find<'a>(observed: &'a Observed, text: &str) -> Result<&'a VolumeRecord, Error> {
    let mut volumes = observed.volumes.iter();
    if let Some(exact) = volumes.find(|record| record.spec.name.as_str() == text) {
        return Ok(exact);
    }
    let beginning = |record: &&VolumeRecord| record.spec.name.as_str().starts_with(text);
    let matching: Vec<_> = observed.volumes.iter().filter(beginning).collect();
    match matching.as_slice() {
        [one] if !text.is_empty() => Ok(one),
        [] | [_] => Err(Error::NoSuch {
            what: "volume",
            name: text.to_owned(),
        }),
        several => Err(Error::Ambiguous {
            what: "volume",
            prefix: text.to_owned(),
            ids: several
                .iter()
                .map(|one| one.spec.name.to_string())
                .collect(),
        }),
    }
}
