//! `rm` and `pod rm`, and what else removes pods and containers.

use std::io::Write;

use crate::cli::args::{RemoveContainers, RemovePods};
use crate::cli::commands::find;
use crate::cli::commands::targets::{self, Meant, Target, Unnamed};
use crate::cli::error::{Error, about, outcome};
use crate::cli::output::Output;
use crate::engine::{Engine, EngineError};
use crate::model::observed::{Observed, ObservedPod};
use crate::model::quantity::Seconds;
use crate::names::ImageId;
use crate::state::Removal;

/// `rm`.
pub(in crate::cli::commands) fn remove<W: Write>(
    engine: &mut Engine,
    arguments: &RemoveContainers,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let observed = engine.observed()?;
    let meant = Meant {
        unnamed: Unnamed::All.if_asked(arguments.all),
        filtered: Unnamed::All,
        ignore: arguments.ignore || arguments.force,
    };
    let (targets, mut failures) = targets::containers(&observed, &arguments.targets, meant)?;
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
pub(in crate::cli::commands) fn remove_users(
    engine: &mut Engine,
    image: &ImageId,
) -> Result<(), Error> {
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

/// `pod rm`.
pub(in crate::cli::commands) fn remove_pods<W: Write>(
    engine: &mut Engine,
    arguments: &RemovePods,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let observed = engine.observed()?;
    let ignore = arguments.ignore || arguments.force;
    let (targets, mut failures) = targets::pods(&observed, &arguments.targets, ignore)?;
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

/// Removes the pods that use something which is to go; one that went by itself meanwhile is no error.
pub(in crate::cli::commands) fn remove_user_pods<'o>(
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
