//! `wait`.

use std::io::Write;

use crate::cli::args::{WaitCondition, WaitContainers};
use crate::cli::commands::find;
use crate::cli::error::{Error, outcome};
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::model::observed::ContainerRecord;
use crate::model::state::{ContainerState, ExitStatus};

/// `wait`: prints each container's exit code once it is in one of the states.
pub(in crate::cli::commands) fn wait<W: Write>(
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
