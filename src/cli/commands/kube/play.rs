//! `kube play`.

use std::io::Write;
use std::thread;

use super::super::super::CalledAs;
use super::super::super::args::{Down, Global, Play};
use super::super::super::error::Error;
use super::super::super::output::{Format, Output, warn};
use super::super::super::report as shown;
use super::super::unmet::{self, Pulls};
use super::super::{open, pull};
use super::host::gather;
use super::options::{log_driver, play_options, refuse_unsupported, unknown_fields};
use super::reading::{accept, application_name, read_application, refuse_errors};
use super::report::{Failure, print_failed, print_plan, print_played};
use super::wait::{Ending, Signals};
use crate::clock::{RandomIds, SystemClock};
use crate::engine::execute::Report;
use crate::engine::{Engine, EngineError, cgroups};
use crate::names::PodName;
use crate::plan::{self, DownWish, Existing, PlayWish};
use crate::translate::Application;

/// How often a play is planned again whose addresses others took; one that was asked for stays theirs.
const TRIES: usize = 100;

/// Plays manifests.
pub(in crate::cli) fn play<W: Write>(
    global: &Global,
    arguments: &Play,
    called_as: CalledAs,
    output: &mut Output<W>,
) -> Result<(), Error> {
    if arguments.down {
        let down = Down {
            files: arguments.files.clone(),
            force: arguments.force,
            format: arguments.format.clone(),
        };
        return super::down(global, &down, output);
    }
    refuse_unsupported(arguments)?;
    // From here on a Ctrl-C is an order to clean up, not an end in the middle of it.
    let signals = match arguments.wait {
        true => Some(Signals::listen()?),
        false => None,
    };
    let mut failed = None;
    let played = play_now(global, arguments, called_as, &mut failed, output);
    let Some(played) = told(played, failed, arguments, output)? else {
        return Ok(());
    };
    print_played(&played.report, arguments.format.as_ref(), output)?;
    match signals {
        Some(signals) => wait(played, signals, arguments.format.as_ref(), output),
        None => Ok(()),
    }
}

/// What was played, and with what.
struct Played {
    engine: Engine,
    application: Application,
    report: Report,
}

/// Plays; nothing, if only a plan was asked for.
fn play_now<W: Write>(
    global: &Global,
    arguments: &Play,
    called_as: CalledAs,
    failed: &mut Option<PodName>,
    output: &mut Output<W>,
) -> Result<Option<Played>, Error> {
    if arguments.start && !arguments.dry_run {
        // It takes as long as all that is to be found out before a pod is started.
        let _ = thread::Builder::new().spawn(cgroups::expect_moves);
    }
    let options = play_options(arguments)?;
    let log_driver = log_driver(arguments)?;
    let unknown_fields = unknown_fields(arguments.validate, called_as);
    let (mut reading, translated) = read_application(&arguments.files, &options, unknown_fields)?;
    refuse_errors(&reading.findings)?;
    let (application, origins) = (translated.application, translated.origins);
    let mut engine = open::settled(global, "kube play")?;
    let mut observed = engine.observed()?;
    let existing = match arguments.replace {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    let pulls = match arguments.dry_run {
        true => Pulls::Nothing,
        false => Pulls::ByPolicy,
    };
    let parts = (&application, &origins);
    let there = (&observed, existing);
    unmet::check(Some(&mut engine), &mut reading, parts, there, pulls)?;
    accept(&reading, unknown_fields, &application)?;
    if pulls == Pulls::ByPolicy {
        let flags = (&arguments.registry, arguments.quiet);
        let missing = pull::for_play(&mut engine, &application, &observed, flags)?;
        // The warnings have been shown.
        reading.findings.clear();
        unmet::add_missing(&mut reading, &application, &observed, missing);
        refuse_errors(&reading.findings)?;
    }
    let host = gather(&mut engine, &application)?;
    let wish = PlayWish {
        name: application_name(&arguments.files),
        application,
        start: arguments.start,
        existing,
        log_driver,
    };
    let mut tries = 0;
    let report = loop {
        let plan = plan::play(wish.clone(), &observed, &host, &mut RandomIds, &SystemClock)?;
        if arguments.dry_run {
            print_plan(&plan, arguments.format.as_ref(), output)?;
            return Ok(None);
        }
        match engine.execute(plan) {
            Ok(report) => break report,
            // Somebody was faster; nothing was done yet, and there may be other addresses.
            Err(error) if error.is_taken_address() && tries < TRIES => {
                tries += 1;
                observed = engine.observed()?;
            }
            Err(error) => {
                if let EngineError::NotStarted { pod, .. } = &error {
                    *failed = Some(pod.clone());
                }
                return Err(unmet::place(error, &reading, &origins));
            }
        }
    };
    for warning in &report.warnings {
        warn(warning);
    }
    Ok(Some(Played {
        engine,
        application: wish.application,
        report,
    }))
}

/// Tells of a failure in the form that was asked for, too.
fn told<T, W: Write>(
    result: Result<T, Error>,
    pod: Option<PodName>,
    arguments: &Play,
    output: &mut Output<W>,
) -> Result<T, Error> {
    if let Err(error) = &result
        && arguments.format == Some(Format::Json)
    {
        let message = shown::report(error).text(false).trim_end().to_owned();
        print_failed(Failure::new(pod, message), output)?;
    }
    result
}

/// Waits for the end of what was played, or for a signal, and takes it down.
fn wait<W: Write>(
    played: Played,
    signals: Signals,
    format: Option<&Format>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let Played {
        mut engine,
        application,
        report,
    } = played;
    let pods: Vec<PodName> = application
        .pods
        .iter()
        .map(|pod| pod.name.clone())
        .collect();
    let ending = signals.wait_for(&engine, &pods)?;
    if ending == Ending::Signal && format != Some(&Format::Json) {
        output.line(format_args!("Cleaning up containers, pods, and volumes"))?;
        output.flush()?;
    }
    let wish = DownWish {
        // What was there before this run stays.
        volumes: report.volumes,
        ..DownWish::of(application)
    };
    let plan = plan::down(&wish, &engine.observed()?);
    let report = engine.execute(plan)?;
    super::down::complain(report)?;
    match ending {
        Ending::Failed(code) => Err(Error::Code(code)),
        Ending::Signal | Ending::Done => Ok(()),
    }
}
