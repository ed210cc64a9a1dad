//! `push` and `save`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::Path;

use super::super::args::{CompressionFormat, Push, Save, SaveFormat};
use super::super::error::{Error, usage};
use super::super::progress::{Doing, progress};
use super::Context;
use super::pull::{access, reference};
use crate::engine::{Engine, EngineError};
use crate::image::save::{SaveForm, Wanted};
use crate::image::{Compression, ImageRecord};
use crate::model::event::EventAction;
use crate::names::ImageRef;

pub(super) fn push(context: &mut Context<'_>, push: &Push) -> Result<(), Error> {
    let access = access(&push.registry, Vec::new())?;
    let mut engine = context.engine("push")?;
    let image = engine.look_up_image(&push.image)?;
    let to = match &push.destination {
        Some(name) => reference(name)?,
        None => destination(&engine, push)?,
    };
    let compression = push.compression_format.map(|format| match format {
        CompressionFormat::Gzip => Compression::Gzip,
        CompressionFormat::Zstd => Compression::Zstd,
    });
    let progress = progress(Doing::Push, push.quiet);
    let pushed = engine.push_image(&access, &image, (&to.qualified(), compression), &*progress);
    let digest = pushed.map_err(|error| match error {
        EngineError::Image(source) => Error::Push {
            image: to.to_string(),
            source: Box::new(source),
        },
        other => other.into(),
    })?;
    if let Some(path) = &push.digestfile {
        std::fs::write(path, digest.as_str()).map_err(unwritable(path))?;
    }
    Ok(())
}

/// Returns the name by which the image was asked for, whole.
fn destination(engine: &Engine, push: &Push) -> Result<ImageRef, Error> {
    let asked = reference(&push.image)?;
    let has_registry = asked.registry().is_some();
    match has_registry {
        true => Ok(asked),
        false => Ok(engine
            .meanings(&asked)
            .into_iter()
            .find(|name| name.registry() != Some("localhost"))
            .unwrap_or(asked)),
    }
}

pub(super) fn save(context: &mut Context<'_>, save: &Save) -> Result<(), Error> {
    let mut engine = context.engine("save")?;
    let mut wanted: Vec<Wanted> = Vec::new();
    for text in &save.images {
        let image = engine.look_up_image(text)?;
        let names: Vec<ImageRef> = named(&image.names, text);
        match wanted.iter_mut().find(|known| known.image.id == image.id) {
            Some(known) => known.names.extend(names),
            None => wanted.push(Wanted { image, names }),
        }
    }
    write_out(&engine, save, &wanted)?;
    for Wanted { image, names } in wanted {
        let saved = ImageRecord { names, ..image };
        engine.note_images(&[saved], &EventAction::Save)?;
    }
    Ok(())
}

/// Writes images where the flags say.
fn write_out(engine: &Engine, save: &Save, wanted: &[Wanted]) -> Result<(), Error> {
    let form = match save.format {
        SaveFormat::DockerArchive => SaveForm::DockerArchive,
        SaveFormat::OciArchive => SaveForm::OciArchive,
        SaveFormat::OciDir => {
            let Some(path) = &save.output else {
                return Err(usage("--format oci-dir needs --output"));
            };
            return Ok(engine.save_images_in(wanted, path)?);
        }
    };
    let Some(path) = save
        .output
        .as_deref()
        .filter(|path| *path != Path::new("/dev/stdout"))
    else {
        return to_stdout(engine, wanted, form);
    };
    let file = File::create(path).map_err(unwritable(path))?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    let saved = engine
        .save_images(wanted, form, &mut out)
        .map_err(Error::from);
    let saved = saved.and_then(|()| out.flush().map_err(unwritable(path)));
    if saved.is_err() && path.is_file() {
        // Half an archive is none; that it stays too would only be worse.
        let _ = std::fs::remove_file(path);
    }
    saved
}

/// Returns the names of an image that are meant; none for an id.
fn named(names: &[ImageRef], text: &str) -> Vec<ImageRef> {
    let Ok(asked) = ImageRef::parse(text) else {
        return Vec::new();
    };
    let is_meant = |name: &&ImageRef| {
        let same_place = asked
            .registry()
            .is_none_or(|registry| name.registry() == Some(registry));
        let whole = name.repository();
        let same_name =
            whole == asked.repository() || whole.ends_with(&format!("/{}", asked.repository()));
        name.digest().is_none() && same_place && same_name && name.tag() == asked.tag()
    };
    names.iter().filter(is_meant).cloned().collect()
}

fn to_stdout(engine: &Engine, wanted: &[Wanted], form: SaveForm) -> Result<(), Error> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Error::Usage {
            message: "an archive is not written to a terminal".to_owned(),
            help: Some("give --output FILE, or redirect standard output"),
        });
    }
    let mut out = BufWriter::with_capacity(1 << 18, stdout.lock());
    engine.save_images(wanted, form, &mut out)?;
    out.flush().map_err(unwritable(Path::new("/dev/stdout")))
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File {
        doing: "writing",
        path,
        source,
    }
}
