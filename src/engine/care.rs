//! What the storage holds, what of it nothing uses, and how that goes.
//!
//! An image is in use while a container's record names it: removal checks that in the transaction that
//! forgets the image, and whoever makes a pod looks afterwards whether its images are still there.
//! So one of the two always sees the other. Layers go by mark and sweep, while nobody adds any.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::catalog::{CatalogError, Removed};
use super::installation::{Engine, EngineError};
use crate::image::ImageRecord;
use crate::model::observed::{Observed, ObservedPod};
use crate::model::state::ContainerState;
use crate::names::{ImageId, PodId};

/// The bytes of one kind of things, and what would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub total: usize,
    pub active: usize,
    pub size: u64,
    pub reclaimable: u64,
}

/// What the storage holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Storage {
    pub images: Usage,
    pub containers: Usage,
    pub volumes: Usage,
}

/// Which images a prune takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unused {
    /// Those without a name.
    Nameless,
    /// All that no container uses.
    Any,
}

/// What a prune of images removed.
#[derive(Debug, Default)]
pub struct Pruned {
    pub removed: Vec<Removed>,
    /// The bytes of the layers that went.
    pub freed: u64,
}

impl Engine {
    /// Measures what the storage holds; files are counted with the blocks they have.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn storage(&self) -> Result<Storage, EngineError> {
        let observed = self.observed()?;
        Ok(Storage {
            images: self.image_usage(&observed)?,
            containers: self.container_usage(&observed),
            volumes: self.volume_usage(&observed),
        })
    }

    fn image_usage(&self, observed: &Observed) -> Result<Usage, EngineError> {
        let records = self.image_records()?;
        let used = used(observed);
        let (mut all, mut held) = (BTreeMap::new(), BTreeSet::new());
        for image in &records {
            for layer in &image.layers {
                let info = self.images.layer_info(layer);
                all.insert(layer, info.map_or(0, |info| info.size));
                if used.contains(&image.id) {
                    held.insert(layer);
                }
            }
        }
        let loose = all.iter().filter(|(layer, _)| !held.contains(*layer));
        Ok(Usage {
            total: records.len(),
            active: records
                .iter()
                .filter(|image| used.contains(&image.id))
                .count(),
            size: all.values().sum(),
            reclaimable: loose.map(|(_, size)| size).sum(),
        })
    }

    fn container_usage(&self, observed: &Observed) -> Usage {
        let mut usage = Usage::default();
        for pod in &observed.pods {
            let paths = self.paths.pod(&pod.record.id);
            for container in &pod.containers {
                let size = size_of(&paths.layer(&container.name));
                usage.total += 1;
                usage.size += size;
                match container.state.is_running() {
                    true => usage.active += 1,
                    false => usage.reclaimable += size,
                }
            }
        }
        usage
    }

    fn volume_usage(&self, observed: &Observed) -> Usage {
        let mut usage = Usage::default();
        for volume in &observed.volumes {
            let name = &volume.spec.name;
            let size = size_of(&self.paths.volume(name));
            usage.total += 1;
            usage.size += size;
            match observed.pods.iter().any(|pod| pod.claims(name)) {
                true => usage.active += 1,
                false => usage.reclaimable += size,
            }
        }
        usage
    }

    /// Removes images that nothing uses and that `keep` does not hold back, and what pulls left behind.
    ///
    /// # Errors
    /// The database or the store cannot be changed. One that is used meanwhile stays.
    pub fn prune_images(
        &mut self,
        which: Unused,
        keep: impl Fn(&ImageRecord) -> bool,
    ) -> Result<Pruned, CatalogError> {
        let used = used(&self.store.observed()?);
        let mut pruned = Pruned::default();
        for image in self.image_records()? {
            let wanted = which == Unused::Any || image.names.is_empty();
            if !wanted || used.contains(&image.id) || keep(&image) {
                continue;
            }
            match self.forget_image(&image) {
                Ok(()) => {
                    self.note_removed(&image)?;
                    let names = image.names.iter().cloned().map(Removed::Untagged);
                    pruned.removed.extend(names);
                    pruned.removed.push(Removed::Deleted(image.id));
                }
                Err(CatalogError::InUse { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(collector) = self.images.try_collect().map_err(EngineError::from)? {
            let live: Vec<ImageRecord> = self.store.images()?;
            let swept = collector.sweep(&live).and_then(|freed| {
                collector.sweep_downloads()?;
                Ok(freed)
            });
            pruned.freed = swept.map_err(EngineError::from)?;
        }
        Ok(pruned)
    }

    /// Forgets an image in one transaction with the look at who uses it.
    pub(super) fn forget_image(&mut self, image: &ImageRecord) -> Result<(), CatalogError> {
        match self.store.forget_image(image.id.as_str())? {
            None => Ok(()),
            Some(user) => Err(CatalogError::InUse {
                image: image.id.short().to_owned(),
                user,
            }),
        }
    }

    /// Returns the pods in which nothing runs.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn idle_pods(&self) -> Result<Vec<PodId>, EngineError> {
        let observed = self.observed()?;
        let idle = observed.pods.iter().filter(|pod| {
            let rests = |state: &ContainerState| {
                matches!(
                    state,
                    ContainerState::Created | ContainerState::Exited { .. }
                )
            };
            pod.containers
                .iter()
                .all(|container| rests(&container.state))
        });
        Ok(idle.map(|pod| pod.record.id.clone()).collect())
    }

    /// Fails if an image of these containers was removed since it was looked up.
    pub(super) fn expect_images<'a>(
        &self,
        images: impl Iterator<Item = &'a ImageId>,
    ) -> Result<(), EngineError> {
        let known: Vec<ImageRecord> = self.store.images()?;
        for id in images {
            if !known.iter().any(|image| &image.id == id) {
                return Err(EngineError::ImageRemoved {
                    image: id.short().to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn used(observed: &Observed) -> BTreeSet<ImageId> {
    let images = observed.pods.iter().flat_map(ObservedPod::images);
    images.cloned().collect()
}

/// Returns the bytes of all files below a path; what goes meanwhile counts nothing.
fn size_of(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !metadata.is_dir() {
        return metadata.blocks() * 512;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size_of(&entry.path())).sum()
}
