//! What a command is about: the containers and pods it names, or all of a kind.

use std::path::PathBuf;

use super::super::args::{PodTargets, Targets};
use super::super::error::Error;
use super::super::filter;
use super::find::{self, Found};
use crate::model::observed::Observed;
use crate::model::state::ContainerState;
use crate::names::{ContainerId, PodId};

/// Something a command is about, by the word it was called.
pub(super) struct Target {
    pub(super) word: String,
    pub(super) pod: PodId,
    /// None: the whole pod.
    pub(super) container: Option<ContainerId>,
}

/// Which containers are meant when none is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unnamed {
    /// It is an error to name none.
    Nothing,
    All,
    /// Those that run or will soon.
    Running,
    Paused,
    /// Those that can be paused.
    Unpaused,
}

impl Unnamed {
    /// Returns these if `--all` was given, else none.
    pub(super) fn if_asked(self, all: bool) -> Self {
        match all {
            true => self,
            false => Self::Nothing,
        }
    }
}

/// Which containers a command is about, apart from those it names.
#[derive(Clone, Copy)]
pub(super) struct Meant {
    pub(super) unnamed: Unnamed,
    /// Of which those are meant that meet the filters, when nothing but filters is given.
    pub(super) filtered: Unnamed,
    /// Whether those that are not there are no error.
    pub(super) ignore: bool,
}

/// Finds the containers that a command names; those that are not there are errors of their own.
pub(super) fn containers(
    observed: &Observed,
    targets: &Targets,
    meant: Meant,
) -> Result<(Vec<Target>, Vec<Error>), Error> {
    let names = names(&targets.names, &targets.id_files)?;
    let target = |found: Found<'_>, word: String| Target {
        word,
        pod: found.pod.record.id.clone(),
        container: Some(found.container.id.clone()),
    };
    let id = |found: &Found<'_>| found.container.id.to_string();
    if targets.latest {
        let found = find::latest_container(observed)?;
        return Ok((vec![target(found, id(&found))], Vec::new()));
    }
    let is_filtered = !targets.filters.is_empty();
    let among = match meant.unnamed {
        Unnamed::Nothing if names.is_empty() && is_filtered => meant.filtered,
        unnamed => unnamed,
    };
    if among != Unnamed::Nothing {
        let mut chosen = Vec::new();
        for found in find::all_containers(observed) {
            if is_among(among, &found.container.state) && passes(&found, targets)? {
                chosen.push(target(found, id(&found)));
            }
        }
        return Ok((chosen, Vec::new()));
    }
    if names.is_empty() {
        return Err(nothing_named());
    }
    let (mut chosen, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        match find::container(observed, &name) {
            Ok(found) if passes(&found, targets)? => chosen.push(target(found, name)),
            Ok(_) => {}
            Err(Error::NoSuch { .. }) if meant.ignore => {}
            Err(error) => missing.push(error),
        }
    }
    Ok((chosen, missing))
}

/// Whether a container meets the filters of a command.
fn passes(found: &Found<'_>, targets: &Targets) -> Result<bool, Error> {
    filter::container(found.pod, found.container, &targets.filters)
}

/// Whether a container in this state is meant when none is named.
fn is_among(unnamed: Unnamed, state: &ContainerState) -> bool {
    match unnamed {
        Unnamed::Nothing => false,
        Unnamed::All => true,
        Unnamed::Running => matches!(
            state,
            ContainerState::Running { .. }
                | ContainerState::Stopping { .. }
                | ContainerState::Waiting { .. }
        ),
        Unnamed::Paused => matches!(state, ContainerState::Paused { .. }),
        Unnamed::Unpaused => matches!(state, ContainerState::Running { .. }),
    }
}

/// Finds the pods that a command names; those that are not there are errors of their own.
pub(super) fn pods(
    observed: &Observed,
    targets: &PodTargets,
    ignore: bool,
) -> Result<(Vec<Target>, Vec<Error>), Error> {
    let target = |id: &PodId| Target {
        word: id.to_string(),
        pod: id.clone(),
        container: None,
    };
    if targets.all {
        let chosen = observed.pods.iter().map(|pod| target(&pod.record.id));
        return Ok((chosen.collect(), Vec::new()));
    }
    if targets.latest {
        let newest = find::latest_pod(observed)?;
        return Ok((vec![target(&newest.record.id)], Vec::new()));
    }
    let names = names(&targets.names, &targets.id_files)?;
    if names.is_empty() {
        return Err(nothing_named());
    }
    let (mut chosen, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        match find::pod(observed, &name) {
            Ok(pod) => chosen.push(target(&pod.record.id)),
            Err(Error::NoSuch { .. }) if ignore => {}
            Err(error) => missing.push(error),
        }
    }
    Ok((chosen, missing))
}

pub(super) fn nothing_named() -> Error {
    Error::Usage {
        message: "you must provide at least one name or id".to_owned(),
        help: Some("`--all` means all of them"),
    }
}

/// Returns the names that were given, and the ids that files hold.
fn names(given: &[String], id_files: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut names = given.to_vec();
    for file in id_files {
        let text = std::fs::read_to_string(file).map_err(|source| Error::File {
            doing: "reading the id in",
            path: file.clone(),
            source,
        })?;
        names.push(text.trim().to_owned());
    }
    Ok(names)
}
