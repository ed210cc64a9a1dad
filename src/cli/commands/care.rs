//! `image prune`, `system df` and `system prune`.

use gotmpl::ToValue as _;
use serde::Serialize;

use super::super::args::{DiskUsage, Filter, PruneAll, PruneImages};
use super::super::error::{Error, outcome};
use super::super::filter;
use super::super::output::{Column, Format, Headings, Row};
use super::super::view::words;
use super::Context;
use super::consent::is_meant;
use super::{network, volume};
use crate::engine::Engine;
use crate::engine::care::{Pruned, Unused, Usage};
use crate::engine::catalog::Removed;

/// One kind of things in `system df`, with podman's fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsageRow {
    #[serde(rename = "Type")]
    kind: &'static str,
    total: usize,
    active: usize,
    size: String,
    reclaimable: String,
    raw_size: u64,
    raw_reclaimable: u64,
}

impl UsageRow {
    const SHOWN: [&'static str; 5] = ["Type", "Total", "Active", "Size", "Reclaimable"];

    fn new(kind: &'static str, usage: Usage) -> Self {
        let share = match usage.size {
            0 => 0,
            size => usage.reclaimable.saturating_mul(100) / size,
        };
        Self {
            kind,
            total: usage.total,
            active: usage.active,
            size: words::size(usage.size),
            reclaimable: format!("{} ({share}%)", words::size(usage.reclaimable)),
            raw_size: usage.size,
            raw_reclaimable: usage.reclaimable,
        }
    }
}

impl Row for UsageRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<UsageRow>] = &[
            Column::new("Type", "TYPE", |row| row.kind.to_value()),
            Column::new("Total", "TOTAL", |row| row.total.to_value()),
            Column::new("Active", "ACTIVE", |row| row.active.to_value()),
            Column::new("Size", "SIZE", |row| row.size.to_value()),
            Column::new("Reclaimable", "RECLAIMABLE", |row| {
                row.reclaimable.to_value()
            }),
        ];
        COLUMNS
    }
}

pub(super) fn disk_usage(context: &mut Context<'_>, usage: &DiskUsage) -> Result<(), Error> {
    let storage = context.engine("system df")?.storage()?;
    let rows = [
        UsageRow::new("Images", storage.images),
        UsageRow::new("Containers", storage.containers),
        UsageRow::new("Local Volumes", storage.volumes),
    ];
    let format = usage.format.as_ref().unwrap_or(&Format::Table);
    context
        .output
        .rows(&rows, format, &UsageRow::SHOWN, Headings::Shown)?;
    Ok(())
}

pub(super) fn prune_images(context: &mut Context<'_>, prune: &PruneImages) -> Result<(), Error> {
    let which = match prune.all {
        true => "all images without at least one container associated to them",
        false => "all dangling images",
    };
    if !prune.force && !is_meant(context, &format!("This will remove {which}."))? {
        return Ok(());
    }
    let mut engine = context.engine("image prune")?;
    let pruned = sweep_images(&mut engine, prune.all, &prune.filters)?;
    for removed in &pruned.removed {
        if let Removed::Deleted(id) = removed {
            context.output.line(id)?;
        }
    }
    Ok(context.output.flush()?)
}

pub(super) fn prune_all(context: &mut Context<'_>, prune: &PruneAll) -> Result<(), Error> {
    let volumes = match prune.volumes {
        true => ", all volumes not used by at least one pod",
        false => "",
    };
    let images = match prune.all {
        true => "all images without at least one container associated to them",
        false => "all dangling images",
    };
    let which = format!(
        "all pods in which nothing runs, all networks not used by at least one pod{volumes} and {images}"
    );
    if !prune.force && !is_meant(context, &format!("This will remove {which}."))? {
        return Ok(());
    }
    let mut engine = context.engine("system prune")?;
    let before = engine.storage()?;
    let mut errors = Vec::new();
    let idle: Vec<_> = engine
        .idle_pods()?
        .into_iter()
        .map(|pod| (pod, None))
        .collect();
    let mut pods = Vec::new();
    for (pod, result) in engine.remove_pods(&idle)? {
        match result {
            Ok(()) => pods.push(pod.to_string()),
            Err(error) => errors.push(error.into()),
        }
    }
    let networks = network::sweep(&mut engine, &[])?;
    let volumes = match prune.volumes {
        true => {
            let unused = volume::unused(&engine.observed()?);
            volume::sweep(&mut engine, unused)?
        }
        false => Vec::new(),
    };
    let pruned = sweep_images(&mut engine, prune.all, &prune.filters)?;
    let after = engine.storage()?;
    let images = pruned.removed.iter().filter_map(|removed| match removed {
        Removed::Deleted(id) => Some(id.to_string()),
        Removed::Untagged(_) => None,
    });
    list(context, "Deleted Pods", pods)?;
    list(context, "Deleted Networks", networks)?;
    list(context, "Deleted Volumes", volumes)?;
    list(context, "Deleted Images", images.collect())?;
    let gone = |one: Usage, other: Usage| one.size.saturating_sub(other.size);
    let freed = pruned.freed
        + gone(before.containers, after.containers)
        + gone(before.volumes, after.volumes);
    context.output.line(format_args!(
        "Total reclaimed space: {}",
        words::size(freed)
    ))?;
    context.output.flush()?;
    outcome(errors)
}

fn list(context: &mut Context<'_>, heading: &str, names: Vec<String>) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    context.output.line(heading)?;
    for name in names {
        context.output.line(name)?;
    }
    Ok(())
}

fn sweep_images(engine: &mut Engine, all: bool, filters: &[Filter]) -> Result<Pruned, Error> {
    let mut kept = std::collections::BTreeSet::new();
    for image in engine.image_records()? {
        if !filter::image(&image, filters)? {
            kept.insert(image.id);
        }
    }
    let which = match all {
        true => Unused::Any,
        false => Unused::Nameless,
    };
    Ok(engine.prune_images(which, |image| kept.contains(&image.id))?)
}
