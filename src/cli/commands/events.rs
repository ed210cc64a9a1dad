//! `events`: what has happened and what happens, read from the store.

use std::time::Duration;

use super::super::args::Events;
use super::super::error::Error;
use super::super::filter;
use super::super::output::{Format, Headings};
use super::super::view::EventRow;
use super::Context;
use crate::clock::{Clock as _, SystemClock};
use crate::model::event::EventRecord;

/// How often the store is asked for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(150);

pub(super) fn list(context: &mut Context<'_>, arguments: &Events) -> Result<(), Error> {
    let engine = context.engine("events")?;
    let now = SystemClock.now();
    let since = arguments.since.map(|moment| moment.resolve(now));
    let until = arguments.until.map(|moment| moment.resolve(now));
    // Whoever only waits for what comes does not ask for what was.
    let all = since.is_some() || until.is_some() || !arguments.stream;
    let mut last = if all { 0 } else { engine.last_event()? };
    loop {
        let late = until.is_some_and(|until| SystemClock.now() > until);
        let (events, highest) = engine.events(last)?;
        for event in &events {
            let in_time = since.is_none_or(|since| event.at >= since)
                && until.is_none_or(|until| event.at <= until);
            if in_time && filter::event(event, &arguments.filters)? {
                show(context, event, arguments.format.as_ref())?;
            }
        }
        context.output.flush()?;
        last = highest;
        if late || !arguments.stream {
            return Ok(());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn show(
    context: &mut Context<'_>,
    event: &EventRecord,
    format: Option<&Format>,
) -> Result<(), Error> {
    let row = EventRow::from(event);
    match format {
        None | Some(Format::Table) => context.output.line(row.text())?,
        Some(Format::Json) => {
            let text = serde_json::to_string(&row);
            context
                .output
                .line(text.map_err(super::super::output::OutputError::Json)?)?;
        }
        Some(template) => context
            .output
            .rows(&[row], template, &[], Headings::Hidden)?,
    }
    Ok(())
}
