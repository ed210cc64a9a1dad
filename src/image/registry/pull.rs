//! Pulls images: all that a command wants at once, each layer once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::RegistryError;
use super::access::Access;
use super::client::{Client, Fetched};
use super::config::Wanted;
use super::layer::Job;
use super::progress::Progress;
use super::signature::check;
use crate::image::archive::{ManifestSource, store_image};
use crate::image::format::{ConfigFile, Descriptor, Index, Manifest, architecture, is_index};
use crate::image::store::{ContentLease, ContentStore, Workspace};
use crate::image::{ImageError, ImageRecord};
use crate::names::{Digest, ImageRef};

/// How many images are fetched at once.
const IMAGES_AT_ONCE: usize = 4;
/// How many layers of one image are fetched at once, as podman does.
const LAYERS_AT_ONCE: usize = 6;
/// How many layers an image may have: more than a kernel can mount.
const LAYERS: usize = 1000;
/// How deep indexes may stand in indexes.
const INDEX_DEPTH: u8 = 3;

/// An image that was pulled.
#[derive(Debug)]
pub struct Pulled {
    /// The image.
    pub image: ImageRecord,
    /// What was left out of its layers, for a warning.
    pub notes: Vec<String>,
}

/// Pulls images, and returns each in the order they were asked for.
///
/// The names may lack a registry. One that fails does not stop the others.
pub fn pull_all(
    store: &ContentStore,
    lease: &ContentLease,
    access: &Access,
    images: &[ImageRef],
    progress: &dyn Progress,
) -> Vec<Result<Pulled, ImageError>> {
    let results = in_threads(IMAGES_AT_ONCE, images.len(), |number| {
        pull(store, lease, access, &images[number], progress)
    });
    results
        .into_iter()
        .map(|result| result.unwrap_or(Err(ImageError::Stopped)))
        .collect()
}

/// Does jobs in some threads, and returns the results in order.
pub(super) fn in_threads<T: Send>(
    threads: usize,
    jobs: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<Option<T>> {
    let next = Mutex::new(0..jobs);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.min(jobs) {
            scope.spawn(|| {
                loop {
                    let number = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(number) = number else { break };
                    let result = work(number);
                    results
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(number, result);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    (0..jobs).map(|number| results.remove(&number)).collect()
}

fn pull(
    store: &ContentStore,
    lease: &ContentLease,
    access: &Access,
    image: &ImageRef,
    progress: &dyn Progress,
) -> Result<Pulled, ImageError> {
    let names = access.registries().short_names(image);
    if names.ambiguous {
        let choices = names.candidates.iter().map(ToString::to_string).collect();
        return Err(ImageError::from(RegistryError::ShortName {
            name: image.to_string(),
            choices,
        }));
    }
    let mut last = None;
    for name in names.candidates {
        progress.begins(&name);
        match pull_named(store, lease, access, &name, progress) {
            Ok(pulled) => return Ok(pulled),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(ImageError::Stopped))
}

/// An image's manifest, and where it was found.
struct Located {
    client: Client,
    repository: String,
    /// What the name stands for: a manifest, or an index.
    top: Fetched,
}

fn pull_named(
    store: &ContentStore,
    _lease: &ContentLease,
    access: &Access,
    name: &ImageRef,
    progress: &dyn Progress,
) -> Result<Pulled, ImageError> {
    let wanted = Wanted::of(name).ok_or_else(|| ImageError::NoRegistry(name.to_string()))?;
    let located = locate(access, &wanted)?;
    let manifest = for_this_machine(&located)?;
    let from = (&located.client, located.repository.as_str());
    let digests = [&manifest.digest, &located.top.digest];
    let digests = match digests[0] == digests[1] {
        true => &digests[..1],
        false => &digests,
    };
    check(access.policy(), &wanted, from, digests)?;
    let parsed: Manifest =
        serde_json::from_slice(&manifest.bytes).map_err(ImageError::document("the manifest"))?;
    let config = configuration(store, &located, &parsed)?;
    let file: ConfigFile =
        serde_json::from_slice(&config).map_err(ImageError::document("the configuration"))?;
    let diff_ids = &file.rootfs.diff_ids;
    if diff_ids.len() != parsed.layers.len() || diff_ids.len() > LAYERS {
        return Err(ImageError::LayerCount {
            layers: parsed.layers.len(),
            diff_ids: diff_ids.len(),
        });
    }
    let workspace = store.workspace()?;
    let notes = layers(
        store,
        &workspace,
        &located,
        &parsed.layers,
        diff_ids,
        progress,
    )?;
    let names = vec![name.pinned()];
    let image = store_image(
        store,
        &workspace,
        names,
        &config,
        ManifestSource::Bytes(manifest.bytes),
    )?;
    Ok(Pulled { image, notes })
}

/// Asks the places of an image one after the other; what the last says counts if none has it.
fn locate(access: &Access, wanted: &Wanted) -> Result<Located, RegistryError> {
    let mut last = None;
    for source in access.registries().sources(wanted)? {
        let client = access.client(&source, wanted)?;
        match client.manifest(&source.repository, &wanted.reference) {
            Ok(top) => {
                return Ok(Located {
                    client,
                    repository: source.repository,
                    top,
                });
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| RegistryError::NotFound {
        host: wanted.registry.clone(),
        what: wanted.repository.clone(),
    }))
}

/// Returns the manifest for this machine, through indexes if need be.
fn for_this_machine(located: &Located) -> Result<Fetched, ImageError> {
    let mut found = Fetched {
        bytes: located.top.bytes.clone(),
        media_type: located.top.media_type.clone(),
        digest: located.top.digest.clone(),
    };
    for _ in 0..INDEX_DEPTH {
        if !is_index(&found.media_type, &found.bytes) {
            return Ok(found);
        }
        let index: Index =
            serde_json::from_slice(&found.bytes).map_err(ImageError::document("the index"))?;
        let descriptor = index
            .for_this_machine()
            .ok_or_else(|| ImageError::NoPlatform(architecture().to_owned()))?;
        found = located
            .client
            .manifest(&located.repository, descriptor.digest.as_str())?;
    }
    Err(ImageError::NoPlatform(architecture().to_owned()))
}

fn configuration(
    store: &ContentStore,
    located: &Located,
    manifest: &Manifest,
) -> Result<Vec<u8>, ImageError> {
    let digest: &Digest = &manifest.config.digest;
    match store.read_blob(digest) {
        Ok(bytes) => Ok(bytes),
        Err(_) => Ok(located.client.document_blob(&located.repository, digest)?),
    }
}

fn layers(
    store: &ContentStore,
    workspace: &Workspace,
    located: &Located,
    blobs: &[Descriptor],
    diff_ids: &[Digest],
    progress: &dyn Progress,
) -> Result<Vec<String>, ImageError> {
    let stopped = AtomicBool::new(false);
    let results = in_threads(LAYERS_AT_ONCE, blobs.len(), |number| {
        if stopped.load(Ordering::Relaxed) {
            return Err(ImageError::Stopped);
        }
        let job = Job {
            store,
            workspace,
            client: &located.client,
            repository: &located.repository,
            blob: &blobs[number],
            diff_id: &diff_ids[number],
            progress,
            stopped: &stopped,
        };
        let draft: &Path = &workspace.path().join(format!("layer-{number}"));
        job.run(draft.to_owned())
            .inspect_err(|_| stopped.store(true, Ordering::Relaxed))
    });
    let mut notes = Vec::new();
    let mut failed: Option<ImageError> = None;
    for result in results.into_iter().flatten() {
        match (result, &failed) {
            (Ok(more), _) => notes.extend(more),
            // What made the others stop is what is told.
            (Err(error), None | Some(ImageError::Stopped)) => failed = Some(error),
            (Err(_), Some(_)) => {}
        }
    }
    failed.map_or(Ok(notes), Err)
}
