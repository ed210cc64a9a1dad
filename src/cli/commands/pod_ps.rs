//! `pod ps`.

use super::super::args::{ListPods, PodSort};
use super::super::error::Error;
use super::super::filter;
use super::super::view::{PodRow, Scene, pods};
use super::Context;
use super::ps::{show_rows, width};
use crate::clock::{Clock as _, SystemClock};

pub(super) fn list(context: &mut Context<'_>, list: &ListPods) -> Result<(), Error> {
    let engine = context.engine("pod ps")?;
    let mut observed = engine.observed()?;
    let mut kept = Vec::new();
    for pod in observed.pods.drain(..) {
        if filter::pod(&pod, &list.filters)? {
            kept.push(pod);
        }
    }
    observed.pods = kept;
    let scene = Scene::new(&observed, &[], SystemClock.now());
    let mut rows = pods(&scene, width(context, list.listing.no_trunc));
    if list.latest {
        rows.truncate(1);
    }
    match list.sort {
        PodSort::Created => {}
        PodSort::Id => rows.sort_by(|one, other| one.id.cmp(&other.id)),
        PodSort::Name => rows.sort_by(|one, other| one.name.cmp(&other.name)),
        PodSort::Number => rows.sort_by_key(|row| row.containers.len()),
        PodSort::Status => rows.sort_by(|one, other| one.status.cmp(&other.status)),
    }
    show_rows(context, &rows, list.listing.look(), &columns(list), "ID")
}

fn columns(list: &ListPods) -> Vec<&'static str> {
    let mut shown = PodRow::SHOWN.to_vec();
    let chosen = [
        (list.ctr_ids, "ContainerIds"),
        (list.ctr_names, "ContainerNames"),
        (list.ctr_status, "ContainerStatuses"),
    ];
    if chosen.iter().all(|(wanted, _)| !wanted) {
        shown.push("NumberOfContainers");
    }
    let wanted = chosen.iter().filter(|(wanted, _)| *wanted);
    shown.extend(wanted.map(|(_, column)| column));
    shown
}
