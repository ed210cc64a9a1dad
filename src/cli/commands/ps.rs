//! `ps`.

use super::super::args::{ListContainers, PsSort};
use super::super::error::Error;
use super::super::filter;
use super::super::output::{Format, Headings};
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
    let mut shown = if list.listing.quiet {
        vec!["ID"]
    } else {
        ContainerRow::SHOWN.to_vec()
    };
    if list.pod && !list.listing.quiet {
        shown.extend(ContainerRow::POD);
    }
    let headings = headings(list.listing.noheading || list.listing.quiet);
    let format = list.listing.format.as_ref().unwrap_or(&Format::Table);
    Ok(context.output.rows(&rows, format, &shown, headings)?)
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

/// Returns whether a table has headings.
pub(super) fn headings(hidden: bool) -> Headings {
    if hidden {
        Headings::Hidden
    } else {
        Headings::Shown
    }
}
