//! Commands about images.

use std::path::Path;

use super::super::args::{
    History, ImageExists, ImageSort, Import, InspectImages, ListImages, Load, Look, RemoveImages,
    Tag,
};
use super::super::error::{Error, outcome, usage};
use super::super::filter;
use super::super::output::warn;
use super::super::view::{self, Figures, HistoryRow, ImageInspect, ImageRow, images};
use super::Context;
use super::inspect::show;
use super::lifecycle::remove_users;
use super::ps::{show_rows, width};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::EngineError;
use crate::engine::catalog::{CatalogError, Removed};
use crate::image::ImageRecord;
use crate::image::import::ImportOptions;
use crate::image::members::Input;
use crate::names::ImageRef;

pub(super) fn list(context: &mut Context<'_>, list: &ListImages) -> Result<(), Error> {
    let engine = context.engine("images")?;
    let mut records = Vec::new();
    for image in engine.image_records()? {
        let named = list.name.as_ref().is_none_or(|text| {
            let mut names = image.names.iter();
            names.any(|name| filter::is_meant(&name.to_string(), text))
        });
        if named && filter::image(&image, &list.filters)? {
            records.push(image);
        }
    }
    let observed = engine.observed()?;
    let in_use = |image: &ImageRecord| {
        let containers = observed.pods.iter().flat_map(|pod| &pod.containers);
        containers
            .filter(|container| container.image == image.id)
            .count()
    };
    let mut rows = images(
        &records,
        in_use,
        SystemClock.now(),
        width(context, list.no_trunc),
    );
    match list.sort {
        ImageSort::Created => {}
        ImageSort::Id => rows.sort_by(|one, other| one.id.cmp(&other.id)),
        ImageSort::Repository => rows.sort_by(|one, other| one.repository.cmp(&other.repository)),
        ImageSort::Size => rows.sort_by_key(|row| row.size),
        ImageSort::Tag => rows.sort_by(|one, other| one.tag.cmp(&other.tag)),
    }
    if list.rows.quiet {
        rows.dedup_by(|one, other| one.id == other.id);
    }
    let shown: &[&str] = match list.digests {
        true => &ImageRow::WITH_DIGESTS,
        false => &ImageRow::SHOWN,
    };
    show_rows(context, &rows, list.rows.look(), shown, "ID")
}

pub(super) fn load(context: &mut Context<'_>, load: &Load) -> Result<(), Error> {
    let mut engine = context.engine("load")?;
    let loaded = engine.load_images(input(load.input.as_deref()))?;
    for note in &loaded.notes {
        warn(note);
    }
    for image in &loaded.images {
        let name = image
            .names
            .first()
            .map_or_else(|| format!("sha256:{}", image.id), ToString::to_string);
        context.output.line(format_args!("Loaded image: {name}"))?;
    }
    Ok(context.output.flush()?)
}

pub(super) fn import(context: &mut Context<'_>, import: &Import) -> Result<(), Error> {
    let mut engine = context.engine("import")?;
    let options = ImportOptions {
        name: import.reference.as_deref(),
        changes: &import.changes,
        message: import.message.as_deref().unwrap_or("imported from tarball"),
        created: SystemClock.now(),
    };
    let imported = engine.import_image(input(Some(&import.path)), &options)?;
    for note in &imported.notes {
        warn(note);
    }
    context
        .output
        .line(format_args!("sha256:{}", imported.image.id))?;
    Ok(context.output.flush()?)
}

fn input(path: Option<&Path>) -> Input<'_> {
    match path {
        Some(path) if path != "-" => Input::Path(path),
        _ => Input::Stdin,
    }
}

pub(super) fn tag(context: &mut Context<'_>, tag: &Tag) -> Result<(), Error> {
    let mut engine = context.engine("tag")?;
    let names = tag
        .names
        .iter()
        .map(|name| ImageRef::parse(name).map_err(|error| usage(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    for name in &names {
        engine.tag_image(&tag.image, name)?;
    }
    Ok(())
}

pub(super) fn remove(context: &mut Context<'_>, remove: &RemoveImages) -> Result<(), Error> {
    let mut engine = context.engine("rmi")?;
    let texts: Vec<String> = if remove.all {
        let records = engine.image_records()?.into_iter();
        records.map(|image| image.id.to_string()).collect()
    } else {
        remove.images.clone()
    };
    let mut errors = Vec::new();
    for text in texts {
        let removed = match engine.remove_image(&text) {
            Err(CatalogError::InUse { .. }) if remove.force => {
                let image = engine.look_up_image(&text)?;
                remove_users(&mut engine, &image.id)?;
                engine.remove_image(&text)
            }
            other => other,
        };
        match removed {
            Ok(removed) => {
                for one in removed {
                    match one {
                        Removed::Untagged(name) => {
                            context.output.line(format_args!("Untagged: {name}"))?
                        }
                        Removed::Deleted(id) => {
                            context.output.line(format_args!("Deleted: {id}"))?
                        }
                    }
                }
            }
            Err(CatalogError::Unknown(_)) if remove.ignore => {}
            Err(error) => errors.push(error.into()),
        }
    }
    context.output.flush()?;
    outcome(errors)
}

pub(super) fn inspect(context: &mut Context<'_>, inspect: &InspectImages) -> Result<(), Error> {
    let mut engine = context.engine("image inspect")?;
    let mut found = Vec::new();
    for name in &inspect.names {
        let image = engine.look_up_image(name).map_err(Error::from);
        found.push(image.and_then(|image| {
            let details = engine.images().details(&image).map_err(EngineError::from)?;
            Ok(Some(ImageInspect::new(image, details)))
        }));
    }
    show(context, found.into_iter(), inspect.format.as_ref())
}

pub(super) fn exists(context: &mut Context<'_>, exists: &ImageExists) -> Result<(), Error> {
    let mut engine = context.engine("image exists")?;
    match engine.look_up_image(&exists.name) {
        Ok(_) => Ok(()),
        Err(CatalogError::Unknown(_)) => Err(Error::Code(1)),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn history(context: &mut Context<'_>, history: &History) -> Result<(), Error> {
    let mut engine = context.engine("history")?;
    let image = engine.look_up_image(&history.image)?;
    let store = engine.images();
    let details = store.details(&image).map_err(EngineError::from)?;
    let size = |layer| store.layer_info(layer).map_or(0, |info| info.size);
    let layers: Vec<u64> = image.layers.iter().map(size).collect();
    let figures = match history.human {
        true => Figures::Human,
        false => Figures::Exact,
    };
    let form = (width(context, history.no_trunc), figures);
    let rows = view::history(&image, &details, &layers, SystemClock.now(), form);
    let look = Look {
        format: history.format.as_ref(),
        quiet: history.quiet,
        noheading: false,
    };
    show_rows(context, &rows, look, &HistoryRow::SHOWN, "ID")
}
