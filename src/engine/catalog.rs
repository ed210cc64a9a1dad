//! The images of an installation: which there are, and what they are called.

use std::collections::BTreeMap;
use std::path::Path;

use super::installation::{Engine, EngineError, find};
use crate::clock::{Clock as _, SystemClock};
use crate::image::archive::{Loaded, load};
use crate::image::import::{ImportOptions, Imported, import};
use crate::image::members::Input;
use crate::image::registry::{Access, Progress, Pulled, pull_all, push};
use crate::image::save::{SaveForm, Wanted, save, save_directory};
use crate::image::{Compression, ImageError, ImageRecord, hello};
use crate::model::event::{EventAction, EventSubject};
use crate::names::{Digest, ImageId, ImageRef};
use crate::state::ImageUser;

/// An image that cannot be removed or is not there.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("{0}: image not known")]
    Unknown(String),
    #[error("`{prefix}` is the beginning of more than one image id")]
    Ambiguous { prefix: String },
    #[error("image {image} is in use by {user}")]
    InUse { image: String, user: ImageUser },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<crate::state::StoreError> for CatalogError {
    fn from(error: crate::state::StoreError) -> Self {
        Self::Engine(error.into())
    }
}

/// What became of a name or an image that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    Untagged(ImageRef),
    Deleted(ImageId),
}

impl Engine {
    /// Returns the records of all images.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn image_records(&self) -> Result<Vec<ImageRecord>, EngineError> {
        Ok(self.store.images()?)
    }

    /// Finds an image by name, id or the beginning of its id.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn look_up_image(&mut self, text: &str) -> Result<ImageRecord, CatalogError> {
        if let Ok(reference) = ImageRef::parse(text)
            && let Some(image) = self.find_image(&reference)?
        {
            return Ok(image);
        }
        let prefix = text.strip_prefix("sha256:").unwrap_or(text);
        let mut matching: Vec<ImageRecord> = self.store.images()?;
        matching.retain(|image| !prefix.is_empty() && image.id.as_str().starts_with(prefix));
        match matching.len() {
            0 => Err(CatalogError::Unknown(text.to_owned())),
            1 => Ok(matching.remove(0)),
            _ => Err(CatalogError::Ambiguous {
                prefix: prefix.to_owned(),
            }),
        }
    }

    /// Loads an archive; the images' names move to the new ones.
    ///
    /// # Errors
    /// The archive is refused; nothing of it is recorded then.
    pub fn load_images(&mut self, input: Input<'_>) -> Result<Loaded, EngineError> {
        let lease = self.images.lease()?;
        let loaded = load(&self.images, &lease, input)?;
        self.record_images(&loaded.images)?;
        self.note_images(&loaded.images, &EventAction::Load)?;
        Ok(loaded)
    }

    /// Makes an image of a root file system.
    ///
    /// # Errors
    /// The archive is refused.
    pub fn import_image(
        &mut self,
        input: Input<'_>,
        options: &ImportOptions<'_>,
    ) -> Result<Imported, EngineError> {
        let lease = self.images.lease()?;
        let imported = import(&self.images, &lease, input, options)?;
        let images = std::slice::from_ref(&imported.image);
        self.record_images(images)?;
        self.note_images(images, &EventAction::Import)?;
        Ok(imported)
    }

    /// Pulls images, and returns each in the order they were asked for; those that came are recorded.
    ///
    /// # Errors
    /// The database cannot be written. What is wrong with one image is told in its place.
    pub fn pull_images(
        &mut self,
        access: &Access,
        images: &[ImageRef],
        progress: &dyn Progress,
    ) -> Result<Vec<Result<Pulled, ImageError>>, EngineError> {
        let lease = self.images.lease()?;
        let results = pull_all(&self.images, &lease, access, images, progress);
        let came = results.iter().filter_map(|result| result.as_ref().ok());
        let records: Vec<ImageRecord> = came.map(|pulled| pulled.image.clone()).collect();
        self.record_images(&records)?;
        self.note_images(&records, &EventAction::Pull)?;
        Ok(results)
    }

    /// Pushes an image to a registry, and returns the digest of its manifest there.
    ///
    /// # Errors
    /// The registry refuses it.
    pub fn push_image(
        &mut self,
        access: &Access,
        image: &ImageRecord,
        to: (&ImageRef, Option<Compression>),
        progress: &dyn Progress,
    ) -> Result<Digest, EngineError> {
        let lease = self.images.lease()?;
        let digest = push((&self.images, &lease), access, image, to, progress)?;
        let pushed = ImageRecord {
            names: vec![to.0.clone()],
            ..image.clone()
        };
        self.note_images(&[pushed], &EventAction::Push)?;
        Ok(digest)
    }

    /// Writes images as one archive.
    ///
    /// # Errors
    /// Content is missing or damaged, or the writer fails.
    pub fn save_images(
        &self,
        wanted: &[Wanted],
        form: SaveForm,
        out: impl std::io::Write,
    ) -> Result<(), EngineError> {
        let _lease = self.images.lease()?;
        Ok(save(&self.images, wanted, form, out)?)
    }

    /// Writes images into a directory.
    ///
    /// # Errors
    /// Content is missing or damaged, or the directory cannot be written.
    pub fn save_images_in(&self, wanted: &[Wanted], directory: &Path) -> Result<(), EngineError> {
        let _lease = self.images.lease()?;
        Ok(save_directory(&self.images, wanted, directory)?)
    }

    /// Returns the built-in image, made now if it is not there yet.
    pub(super) fn built_in_image(&mut self) -> Result<ImageRecord, EngineError> {
        let lease = self.images.lease()?;
        let program = Path::new("/proc/self/exe");
        let image = hello::ensure(&self.images, &lease, program, SystemClock.now())?;
        self.record_images(std::slice::from_ref(&image))?;
        Ok(image)
    }

    /// Records images; a name that another image had is that image's no more.
    fn record_images(&mut self, new: &[ImageRecord]) -> Result<(), EngineError> {
        let change = |images: &mut BTreeMap<String, ImageRecord>| {
            for record in new {
                for image in images.values_mut() {
                    image.names.retain(|name| !record.names.contains(name));
                }
                let known = images
                    .entry(record.id.to_string())
                    .or_insert_with(|| ImageRecord {
                        names: Vec::new(),
                        ..record.clone()
                    });
                known.names.extend(record.names.iter().cloned());
            }
        };
        Ok(self.store.change_images(change)?)
    }

    /// Gives an image one more name.
    ///
    /// # Errors
    /// There is no such image.
    pub fn tag_image(&mut self, image: &str, name: &ImageRef) -> Result<(), CatalogError> {
        let mut record = self.look_up_image(image)?;
        record.names = vec![name.qualified().in_registry("localhost")];
        let tagged = [record];
        self.record_images(&tagged)?;
        Ok(self.note_images(&tagged, &EventAction::Tag)?)
    }

    /// Notes what was done to images, once for each of their names.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_images(
        &mut self,
        images: &[ImageRecord],
        action: &EventAction,
    ) -> Result<(), EngineError> {
        let done = images.iter().flat_map(|image| {
            let named = image.names.iter().map(ToString::to_string);
            let nameless = image.names.is_empty().then(String::new);
            named
                .chain(nameless)
                .map(|name| (subject(image, name), action.clone()))
        });
        self.note_all(done)
    }

    /// Notes that names and images have gone.
    pub(super) fn note_removed(&mut self, record: &ImageRecord) -> Result<(), EngineError> {
        self.note_images(std::slice::from_ref(record), &EventAction::Untag)?;
        let name = record.names.first().map(ToString::to_string);
        let gone = subject(record, name.unwrap_or_default());
        self.note(gone, EventAction::Remove)
    }

    /// Takes a name off an image, and the image with its last name; an id removes all of its names.
    ///
    /// # Errors
    /// There is no such image, or a container uses it and `force` is not given.
    pub fn remove_image(&mut self, text: &str) -> Result<Vec<Removed>, CatalogError> {
        let record = self.look_up_image(text)?;
        let by_name = ImageRef::parse(text)
            .ok()
            .filter(|reference| find(std::slice::from_ref(&record), reference).is_some());
        let names: Vec<ImageRef> = match &by_name {
            Some(reference) if record.names.len() > 1 => record
                .names
                .iter()
                .filter(|name| {
                    let single = ImageRecord {
                        names: vec![(*name).clone()],
                        ..record.clone()
                    };
                    find(std::slice::from_ref(&single), reference).is_some()
                })
                .cloned()
                .collect(),
            _ => record.names.clone(),
        };
        let last = names.len() == record.names.len();
        if last {
            self.forget_image(&record)?;
            self.note_removed(&record)?;
        } else {
            let untag = |images: &mut BTreeMap<String, ImageRecord>| {
                if let Some(image) = images.get_mut(record.id.as_str()) {
                    image.names.retain(|name| !names.contains(name));
                }
            };
            self.store.change_images(untag)?;
            let untagged = ImageRecord {
                names: names.clone(),
                ..record.clone()
            };
            self.note_images(&[untagged], &EventAction::Untag)?;
        }
        let mut removed: Vec<Removed> = names.into_iter().map(Removed::Untagged).collect();
        if last {
            removed.push(Removed::Deleted(record.id));
            self.collect_garbage()?;
        }
        Ok(removed)
    }

    /// Removes layers that no image has, unless somebody is adding some just now.
    fn collect_garbage(&mut self) -> Result<(), EngineError> {
        if let Some(collector) = self.images.try_collect()? {
            let live: Vec<ImageRecord> = self.store.images()?;
            collector.sweep(&live)?;
        }
        Ok(())
    }
}

/// Names an image by one of its names.
fn subject(image: &ImageRecord, name: String) -> EventSubject {
    EventSubject::Image {
        id: image.id.to_string(),
        name,
    }
}
