//! `system check` and `system boot`.

use super::super::error::Error;
use super::super::output::tell;
use super::{Context, open};
use crate::engine::{Engine, EngineError};
use crate::state::StoreError;

/// Compares what is recorded with what there is; exit code 1 if they differ in the end.
pub(super) fn check(
    context: &mut Context<'_>,
    arguments: &super::super::args::Check,
) -> Result<(), Error> {
    let mut engine = open_sound(context, arguments.repair)?;
    let found = match engine.check() {
        Err(error) if arguments.repair && is_damaged(&error) => {
            drop(engine);
            salvage(context)?;
            engine = open::unsettled(context.global, "system check")?;
            engine.check()?
        }
        other => other?,
    };
    for finding in &found {
        context.output.line(format_args!("{finding}"))?;
    }
    let left = match arguments.repair && !found.is_empty() {
        true => engine.repair(&found)?,
        false => found,
    };
    if arguments.repair {
        for finding in &left {
            context
                .output
                .line(format_args!("not repaired: {finding}"))?;
        }
    }
    context.output.flush()?;
    match left.is_empty() {
        true => Ok(()),
        false => Err(Error::Code(1)),
    }
}

/// Opens the installation, with a new database if it may be repaired.
fn open_sound(context: &Context<'_>, repair: bool) -> Result<Engine, Error> {
    match open::unsettled(context.global, "system check") {
        Err(Error::Engine(error)) if repair && is_damaged(&error) => {
            salvage(context)?;
            open::unsettled(context.global, "system check")
        }
        other => other,
    }
}

fn is_damaged(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(StoreError::Damaged { .. }))
}

fn salvage(context: &Context<'_>) -> Result<(), Error> {
    let salvaged = Engine::salvage(&open::paths(context.global))?;
    tell(&format!(
        "the database was damaged: {} records were saved of {}\n",
        salvaged.records,
        salvaged.aside.display()
    ));
    Ok(())
}

/// Starts what ran when the host went down.
pub(super) fn boot(context: &mut Context<'_>) -> Result<(), Error> {
    let mut engine = open::settled(context.global, "system boot")?;
    let mut failed = false;
    for (pod, result) in engine.boot()? {
        match result {
            Ok(()) => context.output.line(format_args!("{pod}"))?,
            Err(error) => {
                failed = true;
                tell(&format!("error: pod `{pod}`: {error}\n"));
            }
        }
    }
    context.output.flush()?;
    match failed {
        true => Err(Error::Code(125)),
        false => Ok(()),
    }
}
