//! `start`, `stop`, `restart`, `kill`, `pause`, `rm`, `wait` and `exists`, of containers and of pods.
//!
//! Each command finds its [`targets`], asks for all of them at once, and reports one by one: what worked on
//! standard output, by the word it was called, what failed as errors that stop none of the others.

mod remove;
mod wait;

use std::io::Write;

use super::super::args::{
    KillContainers, KillPods, PauseContainers, PodTargets, RestartContainers, StartContainers,
    StopContainers, StopPods, Targets,
};
use super::super::error::{Error, about, exists, outcome, usage};
use super::super::output::Output;
use super::find;
use super::targets::{self, Meant, Target, Unnamed, nothing_named};
use crate::engine::Engine;
use crate::engine::wishes::Wish;
use crate::model::container::StopSignal;
use crate::model::observed::Observed;
use crate::model::quantity::Seconds;
use crate::names::ContainerId;
use crate::state::IntentKind;

pub(super) use remove::{remove, remove_pods, remove_user_pods, remove_users};
pub(super) use wait::wait;

/// `start`.
pub(super) fn start<W: Write>(
    engine: &mut Engine,
    arguments: &StartContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let (targets, missing) = to_start(&engine.observed()?, arguments)?;
    carry_out(engine, &targets, &IntentKind::Start, missing, output)
}

fn to_start(
    observed: &Observed,
    arguments: &StartContainers,
) -> Result<(Vec<Target>, Vec<Error>), Error> {
    let meant = Meant {
        unnamed: Unnamed::All.if_asked(arguments.all),
        filtered: Unnamed::All,
        ignore: false,
    };
    targets::containers(observed, &arguments.targets, meant)
}

/// Starts the one container that `start --attach` names, and returns its id.
pub(super) fn start_one(
    engine: &mut Engine,
    arguments: &StartContainers,
) -> Result<ContainerId, Error> {
    let (targets, missing) = to_start(&engine.observed()?, arguments)?;
    outcome(missing)?;
    let [target] = targets.as_slice() else {
        return Err(usage(
            "you cannot start and attach multiple containers at once",
        ));
    };
    let id = target.container.clone().ok_or_else(nothing_named)?;
    let wish = Wish {
        pod: target.pod.clone(),
        container: target.container.clone(),
        kind: IntentKind::Start,
    };
    for result in engine.carry_out(&[wish]) {
        result.map_err(|error| about(&target.word, error))?;
    }
    Ok(id)
}

/// `stop`.
pub(super) fn stop<W: Write>(
    engine: &mut Engine,
    arguments: &StopContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let meant = Meant {
        unnamed: Unnamed::Running.if_asked(arguments.all),
        filtered: Unnamed::Running,
        ignore: arguments.ignore,
    };
    let kind = IntentKind::Stop {
        grace: arguments.time.map(Seconds),
    };
    ask(engine, &arguments.targets, meant, &kind, output)
}

/// `restart`.
pub(super) fn restart<W: Write>(
    engine: &mut Engine,
    arguments: &RestartContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let meant = Meant {
        unnamed: match arguments.running {
            true => Unnamed::Running,
            false => Unnamed::All.if_asked(arguments.all),
        },
        filtered: Unnamed::All,
        ignore: false,
    };
    let kind = IntentKind::Restart {
        grace: arguments.time.map(Seconds),
    };
    ask(engine, &arguments.targets, meant, &kind, output)
}

/// `kill`.
pub(super) fn kill<W: Write>(
    engine: &mut Engine,
    arguments: &KillContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let kind = kill_with(&arguments.signal)?;
    let meant = Meant {
        unnamed: Unnamed::Running.if_asked(arguments.all),
        filtered: Unnamed::Running,
        ignore: false,
    };
    ask(engine, &arguments.targets, meant, &kind, output)
}

/// `pause` and `unpause`.
pub(super) fn pause<W: Write>(
    engine: &mut Engine,
    arguments: &PauseContainers,
    kind: &IntentKind,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let filtered = match kind {
        IntentKind::Unpause => Unnamed::Paused,
        _ => Unnamed::Unpaused,
    };
    let meant = Meant {
        unnamed: filtered.if_asked(arguments.all),
        filtered,
        ignore: false,
    };
    ask(engine, &arguments.targets, meant, kind, output)
}

fn kill_with(signal: &str) -> Result<IntentKind, Error> {
    let signal = StopSignal::parse(signal).map_err(|error| usage(error.to_string()))?;
    Ok(IntentKind::Kill { signal })
}

/// `exists`: answers by exit code, 0 or 1.
pub(super) fn container_exists(engine: &Engine, name: &str) -> Result<(), Error> {
    exists(find::container(&engine.observed()?, name))
}

/// `pod exists`.
pub(super) fn pod_exists(engine: &Engine, name: &str) -> Result<(), Error> {
    exists(find::pod(&engine.observed()?, name))
}

/// `pod start`, `pod restart`.
pub(super) fn pods<W: Write>(
    engine: &mut Engine,
    targets: &PodTargets,
    kind: &IntentKind,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let (targets, missing) = targets::pods(&engine.observed()?, targets, false)?;
    carry_out(engine, &targets, kind, missing, output)
}

/// `pod stop`.
pub(super) fn stop_pods<W: Write>(
    engine: &mut Engine,
    arguments: &StopPods,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let (targets, missing) =
        targets::pods(&engine.observed()?, &arguments.targets, arguments.ignore)?;
    let kind = IntentKind::Stop {
        grace: arguments.time.map(Seconds),
    };
    carry_out(engine, &targets, &kind, missing, output)
}

/// `pod kill`.
pub(super) fn kill_pods<W: Write>(
    engine: &mut Engine,
    arguments: &KillPods,
    output: &mut Output<W>,
) -> Result<(), Error> {
    pods(
        engine,
        &arguments.targets,
        &kill_with(&arguments.signal)?,
        output,
    )
}

/// Finds containers and asks for all of them at once.
fn ask<W: Write>(
    engine: &mut Engine,
    targets: &Targets,
    meant: Meant,
    kind: &IntentKind,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let (targets, missing) = targets::containers(&engine.observed()?, targets, meant)?;
    carry_out(engine, &targets, kind, missing, output)
}

/// Asks for all at once; prints the word of each that worked.
fn carry_out<W: Write>(
    engine: &mut Engine,
    targets: &[Target],
    kind: &IntentKind,
    missing: Vec<Error>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let wishes: Vec<Wish> = targets
        .iter()
        .map(|target| Wish {
            pod: target.pod.clone(),
            container: target.container.clone(),
            kind: kind.clone(),
        })
        .collect();
    let mut failures = missing;
    for (target, result) in targets.iter().zip(engine.carry_out(&wishes)) {
        match result {
            Ok(_) => output.line(format_args!("{}", target.word))?,
            Err(error) => failures.push(about(&target.word, error)),
        }
    }
    output.flush()?;
    outcome(failures)
}
