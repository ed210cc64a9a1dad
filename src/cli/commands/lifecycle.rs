//! `start`, `stop`, `restart`, `kill`, `rm`, `wait` and `exists`, of containers and of pods.
//!
//! Each command finds its targets, asks for all of them at once, and reports one by one: what worked on
//! standard output, by the word it was called, what failed as errors that stop none of the others.

use std::io::Write;

use super::super::args::{
    KillContainers, KillPods, PauseContainers, PodTargets, RemoveContainers, RemovePods,
    RestartContainers, StartContainers, StopContainers, StopPods, Targets, WaitCondition,
    WaitContainers,
};
use super::super::error::Error;
use super::super::filter;
use super::super::output::Output;
use super::find::{self, Found};
use crate::engine::wishes::Wish;
use crate::engine::{Engine, EngineError};
use crate::model::container::StopSignal;
use crate::model::observed::{ContainerRecord, Observed, ObservedPod};
use crate::model::quantity::Seconds;
use crate::model::state::{ContainerState, ExitStatus};
use crate::names::{ContainerId, ImageId, PodId};
use crate::state::{IntentKind, Removal};

/// Something a command is about, by the word it was called.
struct Target {
    word: String,
    pod: PodId,
    /// None: the whole pod.
    container: Option<ContainerId>,
}

/// Which containers are meant when none is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    /// It is an error to name none.
    Nothing,
    All,
    /// Those that run or will soon.
    Running,
    Paused,
    /// Those that can be paused.
    Unpaused,
}

/// Which containers a command is about, apart from those it names.
#[derive(Clone, Copy)]
struct Meant {
    unnamed: Unnamed,
    /// Of which those are meant that meet the filters, when nothing but filters is given.
    filtered: Unnamed,
    /// Whether those that are not there are no error.
    ignore: bool,
}

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
        unnamed: all(arguments.all),
        filtered: Unnamed::All,
        ignore: false,
    };
    containers(observed, &arguments.targets, meant)
}

/// Starts the one container that `start --attach` names, and returns its id.
pub(super) fn start_one(
    engine: &mut Engine,
    arguments: &StartContainers,
) -> Result<ContainerId, Error> {
    let (targets, missing) = to_start(&engine.observed()?, arguments)?;
    outcome(missing)?;
    let [target] = targets.as_slice() else {
        return Err(Error::Usage {
            message: "you cannot start and attach multiple containers at once".to_owned(),
            help: None,
        });
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
    let unnamed = match arguments.all {
        true => Unnamed::Running,
        false => Unnamed::Nothing,
    };
    let observed = engine.observed()?;
    let meant = Meant {
        unnamed,
        filtered: Unnamed::Running,
        ignore: arguments.ignore,
    };
    let (targets, missing) = containers(&observed, &arguments.targets, meant)?;
    let kind = IntentKind::Stop {
        grace: arguments.time.map(Seconds),
    };
    carry_out(engine, &targets, &kind, missing, output)
}

/// `restart`.
pub(super) fn restart<W: Write>(
    engine: &mut Engine,
    arguments: &RestartContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let unnamed = match (arguments.all, arguments.running) {
        (_, true) => Unnamed::Running,
        (true, false) => Unnamed::All,
        (false, false) => Unnamed::Nothing,
    };
    let meant = Meant {
        unnamed,
        filtered: Unnamed::All,
        ignore: false,
    };
    let (targets, missing) = containers(&engine.observed()?, &arguments.targets, meant)?;
    let kind = IntentKind::Restart {
        grace: arguments.time.map(Seconds),
    };
    carry_out(engine, &targets, &kind, missing, output)
}

/// `kill`.
pub(super) fn kill<W: Write>(
    engine: &mut Engine,
    arguments: &KillContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let kind = kill_with(&arguments.signal)?;
    let unnamed = match arguments.all {
        true => Unnamed::Running,
        false => Unnamed::Nothing,
    };
    let meant = Meant {
        unnamed,
        filtered: Unnamed::Running,
        ignore: false,
    };
    let (targets, missing) = containers(&engine.observed()?, &arguments.targets, meant)?;
    carry_out(engine, &targets, &kind, missing, output)
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
    let unnamed = match arguments.all {
        true => filtered,
        false => Unnamed::Nothing,
    };
    let meant = Meant {
        unnamed,
        filtered,
        ignore: false,
    };
    let (targets, missing) = containers(&engine.observed()?, &arguments.targets, meant)?;
    carry_out(engine, &targets, kind, missing, output)
}

fn kill_with(signal: &str) -> Result<IntentKind, Error> {
    let signal = StopSignal::parse(signal).map_err(|error| Error::Usage {
        message: error.to_string(),
        help: None,
    })?;
    Ok(IntentKind::Kill { signal })
}

/// `rm`.
pub(super) fn remove<W: Write>(
    engine: &mut Engine,
    arguments: &RemoveContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let observed = engine.observed()?;
    let meant = Meant {
        unnamed: all(arguments.all),
        filtered: Unnamed::All,
        ignore: arguments.ignore || arguments.force,
    };
    let (targets, mut failures) = containers(&observed, &arguments.targets, meant)?;
    let grace = arguments.time.map(Seconds);
    let (mut removable, mut removals) = (Vec::new(), Vec::new());
    for target in &targets {
        match removal(&observed, target, arguments.force, grace) {
            Ok(removal) => {
                removable.push(target);
                removals.push(removal);
            }
            Err(error) => failures.push(error),
        }
    }
    let results = engine.remove_containers(&removals)?;
    for (target, result) in removable.into_iter().zip(results) {
        match result {
            Ok(()) => output.line(format_args!("{}", target.word))?,
            Err(error) => failures.push(about(&target.word, error)),
        }
    }
    output.flush()?;
    outcome(failures)
}

/// Removes the containers that were made of an image, as `rmi --force` does.
pub(super) fn remove_users(engine: &mut Engine, image: &ImageId) -> Result<(), Error> {
    let observed = engine.observed()?;
    let users = find::all_containers(&observed).filter(|found| &found.container.image == image);
    let removals: Vec<Removal> = users
        .map(|found| Removal {
            pod: found.pod.record.id.clone(),
            container: found.container.id.clone(),
            name: found.name(),
            grace: None,
        })
        .collect();
    let results = engine.remove_containers(&removals)?;
    let failures = removals
        .iter()
        .zip(results)
        .filter_map(|(removal, result)| {
            let error = result.err()?;
            Some(about(&removal.name, error))
        });
    outcome(failures.collect())
}

/// Says what is to be removed, if it may be.
fn removal(
    observed: &Observed,
    target: &Target,
    force: bool,
    grace: Option<Seconds>,
) -> Result<Removal, Error> {
    let word = target.container.as_ref().map_or("", |id| id.as_str());
    let found = find::container(observed, word)?;
    let id = &found.container.id;
    let state = &found.container.state;
    if state.is_running() && !force {
        return Err(Error::Usage {
            message: format!(
                "cannot remove container {id} as it is {} - running or paused containers cannot be removed without force",
                state.word()
            ),
            help: Some("`rm -f` stops it first"),
        });
    }
    Ok(Removal {
        pod: target.pod.clone(),
        container: id.clone(),
        name: found.name(),
        grace,
    })
}

/// `wait`: prints each container's exit code once it is in one of the states.
pub(super) fn wait<W: Write>(
    engine: &mut Engine,
    arguments: &WaitContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let mut failures = Vec::new();
    let names = match arguments.latest {
        true => {
            let observed = engine.observed()?;
            vec![find::latest_container(&observed)?.container.id.to_string()]
        }
        false => arguments.names.clone(),
    };
    for name in &names {
        match wait_for(engine, name, &arguments.conditions) {
            Ok(code) => output.line(format_args!("{code}"))?,
            Err(Error::NoSuch { .. }) if arguments.ignore => output.line(format_args!("-1"))?,
            Err(error) => failures.push(error),
        }
        output.flush()?;
    }
    outcome(failures)
}

fn wait_for(engine: &Engine, name: &str, conditions: &[WaitCondition]) -> Result<i32, Error> {
    let (mut news, id, before) = {
        let observed = engine.observed()?;
        let found = find::container(&observed, name)?;
        let news = engine.news_of(&found.pod.record.id);
        (news, found.container.id.clone(), found.container.clone())
    };
    loop {
        let observed = engine.observed()?;
        let Ok(found) = find::container(&observed, id.as_str()) else {
            // It was removed meanwhile: whatever was waited for will not come.
            return Ok(-1);
        };
        if let Some(code) = reached(found.container, &before, conditions) {
            return Ok(code);
        }
        news.wait();
    }
}

/// Returns what `wait` prints once a condition is met: the exit code, or -1 for a state that is no end.
///
/// A container that ended and runs again has ended: its last end is another one than before.
fn reached(
    container: &ContainerRecord,
    before: &ContainerRecord,
    conditions: &[WaitCondition],
) -> Option<i32> {
    let ended = match container.state {
        ContainerState::Exited { .. } | ContainerState::Waiting { .. } => true,
        ContainerState::Running { .. }
        | ContainerState::Paused { .. }
        | ContainerState::Stopping { .. } => {
            before.state.is_running() && container.last_end != before.last_end
        }
        ContainerState::Created => false,
    };
    conditions.iter().find_map(|condition| match condition {
        WaitCondition::Configured => (container.state == ContainerState::Created).then_some(-1),
        WaitCondition::Running => container.state.is_running().then_some(-1),
        WaitCondition::Exited | WaitCondition::Stopped => {
            ended.then(|| container.exit().map_or(-1, ExitStatus::code))
        }
        WaitCondition::Removing => None,
    })
}

/// `exists`: answers by exit code, 0 or 1.
pub(super) fn container_exists(engine: &Engine, name: &str) -> Result<(), Error> {
    answer(find::container(&engine.observed()?, name).map(drop))
}

/// `pod exists`.
pub(super) fn pod_exists(engine: &Engine, name: &str) -> Result<(), Error> {
    answer(find::pod(&engine.observed()?, name).map(drop))
}

fn answer(found: Result<(), Error>) -> Result<(), Error> {
    match found {
        Err(Error::NoSuch { .. }) => Err(Error::Code(1)),
        other => other,
    }
}

/// `pod start`, `pod restart`.
pub(super) fn pods<W: Write>(
    engine: &mut Engine,
    targets: &PodTargets,
    kind: &IntentKind,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let (targets, missing) = find_pods(&engine.observed()?, targets, false)?;
    carry_out(engine, &targets, kind, missing, output)
}

/// `pod stop`.
pub(super) fn stop_pods<W: Write>(
    engine: &mut Engine,
    arguments: &StopPods,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let (targets, missing) = find_pods(&engine.observed()?, &arguments.targets, arguments.ignore)?;
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

/// `pod rm`.
pub(super) fn remove_pods<W: Write>(
    engine: &mut Engine,
    arguments: &RemovePods,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let observed = engine.observed()?;
    let ignore = arguments.ignore || arguments.force;
    let (targets, mut failures) = find_pods(&observed, &arguments.targets, ignore)?;
    let mut removable = Vec::new();
    for target in &targets {
        let pod = find::pod(&observed, target.pod.as_str())?;
        let running = pod.containers.iter().find(|c| c.state.is_running());
        match running {
            Some(container) if !arguments.force => failures.push(Error::Usage {
                message: format!(
                    "pod {} has containers that are not ready to be removed: cannot remove container {} as it is {} - running or paused containers cannot be removed without force",
                    target.pod,
                    container.id,
                    container.state.word()
                ),
                help: Some("`pod rm -f` stops them first"),
            }),
            _ => removable.push((target.pod.clone(), arguments.time.map(Seconds))),
        }
    }
    for (pod, result) in engine.remove_pods(&removable)? {
        match result {
            Ok(()) => output.line(format_args!("{pod}"))?,
            Err(error) => failures.push(error.into()),
        }
    }
    output.flush()?;
    outcome(failures)
}

fn all(all: bool) -> Unnamed {
    match all {
        true => Unnamed::All,
        false => Unnamed::Nothing,
    }
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

pub(super) fn about(word: &str, error: EngineError) -> Error {
    Error::About {
        name: word.to_owned(),
        source: Box::new(error),
    }
}

/// Removes the pods that use something which is to go; one that went by itself meanwhile is no error.
pub(super) fn remove_user_pods<'o>(
    engine: &mut Engine,
    users: impl Iterator<Item = &'o ObservedPod>,
    time: Option<u64>,
) -> Result<(), Error> {
    let grace = time.map(Seconds);
    let pods: Vec<_> = users.map(|pod| (pod.record.id.clone(), grace)).collect();
    for (_, removed) in engine.remove_pods(&pods)? {
        match removed {
            Ok(()) | Err(EngineError::Removed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Returns success if nothing failed.
pub(super) fn outcome(mut failures: Vec<Error>) -> Result<(), Error> {
    match failures.len() {
        0 => Ok(()),
        1 => Err(failures.remove(0)),
        _ => Err(Error::Several(failures)),
    }
}

/// Finds the containers that a command names; those that are not there are errors of their own.
fn containers(
    observed: &Observed,
    targets: &Targets,
    meant: Meant,
) -> Result<(Vec<Target>, Vec<Error>), Error> {
    let mut names = targets.names.clone();
    for file in &targets.id_files {
        names.push(read_id(file)?);
    }
    let target = |found: Found<'_>, word: String| Target {
        word,
        pod: found.pod.record.id.clone(),
        container: Some(found.container.id.clone()),
    };
    let id = |found: &Found<'_>| found.container.id.to_string();
    if targets.latest {
        let newest = find::all_containers(observed).max_by_key(|found| found.container.created);
        let found = newest.ok_or_else(|| no_such("container"))?;
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

fn find_pods(
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
        let newest = observed.pods.last().ok_or_else(|| no_such("pod"))?;
        return Ok((vec![target(&newest.record.id)], Vec::new()));
    }
    let mut names = targets.names.clone();
    for file in &targets.id_files {
        names.push(read_id(file)?);
    }
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

fn no_such(what: &'static str) -> Error {
    Error::NoSuch {
        what,
        name: "latest".to_owned(),
    }
}

fn nothing_named() -> Error {
    Error::Usage {
        message: "you must provide at least one name or id".to_owned(),
        help: Some("`--all` means all of them"),
    }
}

fn read_id(file: &std::path::Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(file).map_err(|source| Error::File {
        doing: "reading the id in",
        path: file.to_owned(),
        source,
    })?;
    Ok(text.trim().to_owned())
}
