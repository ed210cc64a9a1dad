//! `ps`.

use super::super::args::{ListContainers, Look, PsSort};
use super::super::error::Error;
use super::super::filter;
use super::super::output::{Format, Headings, Row};
use super::super::view::{ContainerRow, Scene, Width, containers};
use super::Context;
use crate::clock::{Clock as _, SystemClock};

pub(super) fn list(context: &mut Context<'_>, list: &ListContainers) -> Result<(), Error> {
    let engine = context.engine("ps")?;
    let mut observed = engine.observed()?;
    let every = list.all || list.latest || list.last.is_some() || names_a_state(list);
    for pod in &mut observed.pods {
        let whole = pod.clone();
        let mut kept = Vec::new();
        for container in pod.containers.drain(..) {
            let shown = every || container.state.is_running();
            if shown && filter::container(&whole, &container, &list.filters)? {
                kept.push(container);
            }
        }
        pod.containers = kept;
    }
    let images = engine.image_records()?;
    let scene = Scene::new(&observed, &images, SystemClock.now());
    let width = width(context, list.listing.no_trunc);
    let mut rows = containers(&scene, width);
    keep_last(&mut rows, list);
    sort(&mut rows, list.sort);
    let mut shown = ContainerRow::SHOWN.to_vec();
    if list.pod {
        shown.extend(ContainerRow::POD);
    }
    show_rows(context, &rows, list.listing.look(), &shown, "ID")
}

/// A filter that names a state shows containers in that state, whether `--all` is given or not.
fn names_a_state(list: &ListContainers) -> bool {
    let mut filters = list.filters.iter();
    filters.any(|filter| filter.key == "status" || filter.key == "exited")
}

fn keep_last(rows: &mut Vec<ContainerRow>, list: &ListContainers) {
    let wanted = match (list.latest, list.last) {
        (true, _) => 1,
        (false, Some(last)) if last >= 0 => usize::try_from(last).unwrap_or(usize::MAX),
        (false, _) => return,
    };
    rows.sort_by_key(|row| row.created);
    rows.drain(..rows.len().saturating_sub(wanted));
}

fn sort(rows: &mut [ContainerRow], by: PsSort) {
    match by {
        PsSort::Created | PsSort::Runningfor => {}
        PsSort::Command => rows.sort_by_key(|row| row.command().join(" ")),
        PsSort::Id => rows.sort_by(|one, other| one.id.cmp(&other.id)),
        PsSort::Image => rows.sort_by(|one, other| one.image.cmp(&other.image)),
        PsSort::Names => rows.sort_by(|one, other| one.names.cmp(&other.names)),
        PsSort::Status => rows.sort_by(|one, other| one.state.cmp(other.state)),
    }
}

/// Returns whether ids are cut to twelve digits; what is not cut is not cut for the terminal either.
pub(super) fn width(context: &mut Context<'_>, no_trunc: bool) -> Width {
    match no_trunc {
        true => {
            context.output.cut_nothing();
            Width::Full
        }
        false => Width::Cut,
    }
}

/// Prints rows; `alone` is the one column that `--quiet` leaves.
pub(super) fn show_rows<R: Row>(
    context: &mut Context<'_>,
    rows: &[R],
    look: Look<'_>,
    shown: &[&str],
    alone: &str,
) -> Result<(), Error> {
    let shown = if look.quiet { &[alone] } else { shown };
    let headings = match look.noheading || look.quiet {
        true => Headings::Hidden,
        false => Headings::Shown,
    };
    let format = look.format.unwrap_or(&Format::Table);
    Ok(context.output.rows(rows, format, shown, headings)?)
}
