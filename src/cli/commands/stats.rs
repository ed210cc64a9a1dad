//! `stats` and `pod stats`: what containers use, measured again and again without asking any supervisor.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use super::super::args::{Measuring, PodStats, Stats};
use super::super::error::Error;
use super::super::output::{Format, Headings, Row};
use super::super::view::{PodStatsRow, Sample, StatsRow};
use super::Context;
use super::find::{self, Found};
use crate::engine::Engine;
use crate::engine::usage::ContainerUsage;
use crate::model::observed::Observed;
use crate::names::ContainerId;

/// How often podman measures pods.
const POD_INTERVAL: Duration = Duration::from_secs(5);

/// Moves the cursor to the upper left corner and clears what is below it.
const CLEAR: &[u8] = b"\x1b[H\x1b[J";

/// The processor time that each container had used, and when that was read.
type Before = HashMap<ContainerId, (Duration, Instant)>;

pub(super) fn of_containers(context: &mut Context<'_>, stats: &Stats) -> Result<(), Error> {
    let choose = |observed: &'_ Observed| -> Result<Vec<ContainerId>, Error> {
        if stats.latest {
            return Ok(vec![find::latest_container(observed)?.container.id.clone()]);
        }
        if stats.containers.is_empty() {
            let all = find::all_containers(observed);
            let shown = all.filter(|found| stats.all || found.container.state.is_running());
            return Ok(shown.map(|found| found.container.id.clone()).collect());
        }
        let named = stats.containers.iter();
        named
            .map(|name| Ok(find::container(observed, name)?.container.id.clone()))
            .collect()
    };
    let interval = Duration::from_secs(stats.interval);
    let full = stats.no_trunc;
    repeat(
        context,
        "stats",
        &stats.measuring,
        interval,
        full,
        choose,
        (StatsRow, &StatsRow::SHOWN),
    )
}

pub(super) fn of_pods(context: &mut Context<'_>, stats: &PodStats) -> Result<(), Error> {
    let choose = |observed: &'_ Observed| -> Result<Vec<ContainerId>, Error> {
        let pods = match (stats.latest, stats.pods.is_empty()) {
            (true, _) => vec![find::latest_pod(observed)?],
            (false, true) => observed.pods.iter().collect(),
            (false, false) => {
                let named = stats.pods.iter();
                named
                    .map(|name| find::pod(observed, name))
                    .collect::<Result<_, _>>()?
            }
        };
        let containers = pods.into_iter().flat_map(|pod| &pod.containers);
        let running = containers.filter(|container| container.state.is_running());
        Ok(running.map(|container| container.id.clone()).collect())
    };
    let shown: (fn(Sample) -> PodStatsRow, &[&str]) = (PodStatsRow, &PodStatsRow::SHOWN);
    repeat(
        context,
        "pod stats",
        &stats.measuring,
        POD_INTERVAL,
        false,
        choose,
        shown,
    )
}

fn repeat<R: Row>(
    context: &mut Context<'_>,
    command: &str,
    measuring: &Measuring,
    interval: Duration,
    full: bool,
    choose: impl Fn(&Observed) -> Result<Vec<ContainerId>, Error>,
    (row, shown): (fn(Sample) -> R, &[&str]),
) -> Result<(), Error> {
    let engine = context.engine(command)?;
    let format = measuring.format.as_ref().unwrap_or(&Format::Table);
    let clears = !measuring.no_stream
        && !measuring.no_reset
        && *format != Format::Json
        && std::io::stdout().is_terminal();
    let mut before = Before::new();
    loop {
        let observed = engine.observed()?;
        let chosen = choose(&observed)?;
        let samples = measure(&engine, &observed, &chosen, full, &mut before);
        let rows: Vec<R> = samples.into_iter().map(row).collect();
        if clears {
            context.output.bytes(CLEAR)?;
        }
        context.output.rows(&rows, format, shown, Headings::Shown)?;
        if measuring.no_stream {
            return Ok(());
        }
        std::thread::sleep(interval);
    }
}

fn measure(
    engine: &Engine,
    observed: &Observed,
    chosen: &[ContainerId],
    full: bool,
    before: &mut Before,
) -> Vec<Sample> {
    let all = find::all_containers(observed);
    let chosen = all.filter(|found| chosen.contains(&found.container.id));
    chosen
        .map(|found| sample(engine, &found, full, before))
        .collect()
}

fn sample(engine: &Engine, found: &Found<'_>, full: bool, before: &mut Before) -> Sample {
    let (pod, container) = (&found.pod.record, found.container);
    let usage = ContainerUsage::read(&engine.paths().pod(&pod.id), container);
    let now = Instant::now();
    let last = before.insert(container.id.clone(), (usage.cpu, now));
    let started = container.started.filter(|_| container.state.is_running());
    let ran = started.map(|started| {
        Duration::try_from(jiff::Timestamp::now().duration_since(started)).unwrap_or_default()
    });
    Sample {
        id: match full {
            true => container.id.to_string(),
            false => container.id.short().to_owned(),
        },
        name: found.name(),
        pod: pod.id.short().to_owned(),
        usage,
        ran: ran.unwrap_or_default(),
        // One that was started anew has used less than before.
        before: last
            .filter(|(used, _)| *used <= usage.cpu)
            .map(|(used, at)| (used, now - at)),
    }
}
