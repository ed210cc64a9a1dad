//! `logs` and `pod logs`: from the files, without asking any supervisor.

use std::io::Write as _;
use std::time::Duration;

use super::super::args::{LogSelection, Logs, PodLogs};
use super::super::error::Error;
use super::super::log_reader::{self, LogShape, Progress};
use super::super::output::{OutputError, stdout_has_colour};
use super::Context;
use super::find::{self, Found};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::Engine;
use crate::model::state::ContainerState;
use crate::names::ContainerId;

/// How long a follower sleeps when there is nothing new.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// After how many empty looks it asks whether anything still runs.
const ASK_EVERY: u32 = 5;

/// What stands before a line of one of several containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    None,
    Id,
    Name,
}

pub(super) fn of_containers(context: &mut Context<'_>, logs: &Logs) -> Result<(), Error> {
    let engine = context.engine("logs")?;
    let observed = engine.observed()?;
    let found = if logs.latest {
        vec![find::latest_container(&observed)?]
    } else {
        let names = logs.containers.iter();
        names
            .map(|name| find::container(&observed, name))
            .collect::<Result<_, _>>()?
    };
    show(context, &engine, &found, &logs.selection)
}

pub(super) fn of_pod(context: &mut Context<'_>, logs: &PodLogs) -> Result<(), Error> {
    let engine = context.engine("pod logs")?;
    let observed = engine.observed()?;
    let pod = match &logs.pod {
        Some(name) => find::pod(&observed, name)?,
        None => find::latest_pod(&observed)?,
    };
    let found: Vec<Found<'_>> = match &logs.container {
        None => pod
            .containers
            .iter()
            .map(|container| Found { pod, container })
            .collect(),
        Some(name) => vec![member(pod, name).ok_or_else(|| Error::NoSuch {
            what: "container",
            name: name.clone(),
        })?],
    };
    show(context, &engine, &found, &logs.selection)
}

/// A container of a pod goes by its name in the manifest as well.
fn member<'a>(pod: &'a crate::model::observed::ObservedPod, name: &str) -> Option<Found<'a>> {
    let mut containers = pod.containers.iter();
    let found = containers.find(|container| {
        container.name.as_str() == name
            || pod.record.spec.full_name(&container.name) == name
            || (!name.is_empty() && container.id.as_str().starts_with(name))
    });
    found.map(|container| Found { pod, container })
}

fn show(
    context: &mut Context<'_>,
    engine: &Engine,
    found: &[Found<'_>],
    selection: &LogSelection,
) -> Result<(), Error> {
    let now = SystemClock.now();
    let shape = LogShape {
        tail: usize::try_from(selection.tail).ok(),
        since: selection.since.map(|moment| moment.resolve(now)),
        until: selection.until.map(|moment| moment.resolve(now)),
        timestamps: selection.timestamps,
    };
    let prefix = match (selection.names, found.len()) {
        (true, _) => Prefix::Name,
        (false, 0 | 1) => Prefix::None,
        (false, _) => Prefix::Id,
    };
    let colour = selection.color && stdout_has_colour();
    let sources = found
        .iter()
        .enumerate()
        .map(|(place, Found { pod, container })| {
            let directory = engine.paths().pod(&pod.record.id).logs(&container.name);
            let name = match prefix {
                Prefix::None => String::new(),
                Prefix::Id => container.id.short().to_owned(),
                Prefix::Name => pod.record.spec.full_name(&container.name),
            };
            (directory, coloured(&name, place, colour))
        })
        .collect();
    let ids: Vec<&ContainerId> = found.iter().map(|found| &found.container.id).collect();
    let goes_on: Option<&GoesOn<'_>> = match selection.follow {
        true => Some(&|| any_goes_on(engine, &ids)),
        false => None,
    };
    print(context, sources, &shape, goes_on)
}

/// Whether there may be more to follow.
type GoesOn<'a> = dyn Fn() -> Result<bool, Error> + 'a;

/// Follows a container that `start --attach` has started at this moment, until its run ends.
pub(super) fn attach(
    context: &mut Context<'_>,
    engine: &Engine,
    id: &ContainerId,
    since: jiff::Timestamp,
) -> Result<i32, Error> {
    let observed = engine.observed()?;
    let Found { pod, container } = find::container(&observed, id.as_str())?;
    let directory = engine.paths().pod(&pod.record.id).logs(&container.name);
    let shape = LogShape {
        tail: None,
        since: Some(since),
        until: None,
        timestamps: false,
    };
    let code = std::cell::Cell::new(None);
    let goes_on = || {
        code.set(end_of(&engine.observed()?, id, since));
        Ok(code.get().is_none())
    };
    print(
        context,
        vec![(directory, String::new())],
        &shape,
        Some(&goes_on),
    )?;
    Ok(code.get().unwrap_or_default())
}

/// Returns how a run ended that began at a moment, or that the container is gone.
fn end_of(
    observed: &crate::model::observed::Observed,
    id: &ContainerId,
    since: jiff::Timestamp,
) -> Option<i32> {
    let Ok(found) = find::container(observed, id.as_str()) else {
        return Some(0);
    };
    let container = found.container;
    match &container.state {
        ContainerState::Exited { status, .. } => Some(status.code()),
        _ => {
            let end = container.last_end.as_ref().filter(|end| end.at >= since)?;
            Some(end.status.code())
        }
    }
}

/// Prints logs, and what comes after them as long as something may.
fn print(
    context: &mut Context<'_>,
    sources: Vec<(std::path::PathBuf, String)>,
    shape: &LogShape,
    goes_on: Option<&GoesOn<'_>>,
) -> Result<(), Error> {
    let failed = |source| Error::Output(OutputError::from(source));
    let mut logs = log_reader::Logs::open(sources, shape).map_err(failed)?;
    let mut stderr = std::io::stderr().lock();
    let mut idle = 0;
    // What was written before the last one ended is still to be shown when it is known to have ended.
    let mut last_look = goes_on.is_none();
    loop {
        let progress = logs
            .show(context.output.writer(), &mut stderr)
            .map_err(failed)?;
        context.output.flush()?;
        stderr.flush().map_err(failed)?;
        match progress {
            Progress::Past => return Ok(()),
            Progress::Shown | Progress::Nothing if last_look => return Ok(()),
            Progress::Shown => idle = 0,
            Progress::Nothing => idle += 1,
        }
        if shape.until.is_some_and(|until| SystemClock.now() > until) {
            last_look = true;
        } else if idle % ASK_EVERY == ASK_EVERY - 1 {
            last_look = match goes_on {
                Some(goes_on) => !goes_on()?,
                None => true,
            };
        }
        if !last_look {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Whether any of the containers may still write something.
fn any_goes_on(engine: &Engine, ids: &[&ContainerId]) -> Result<bool, Error> {
    let observed = engine.observed()?;
    Ok(find::all_containers(&observed).any(|found| {
        let container = found.container;
        ids.contains(&&container.id)
            && !matches!(
                container.state,
                ContainerState::Exited { .. } | ContainerState::Created
            )
    }))
}

fn coloured(name: &str, place: usize, colour: bool) -> String {
    match (name.is_empty(), colour) {
        (true, _) => String::new(),
        (false, false) => format!("{name} "),
        (false, true) => format!("\x1b[{}m{name}\x1b[0m ", 31 + place % 6),
    }
}
