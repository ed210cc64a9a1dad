//! Pushes an image: what the registry lacks of it, then its manifest.

use std::fs::File;
use std::io::{self, Seek as _};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::RegistryError;
use super::access::Access;
use super::client::Client;
use super::config::Wanted;
use super::http::Content;
use super::progress::{BlobEnd, Progress};
use super::pull::in_threads;
use crate::image::format::{Dialect, Manifest, digest_of, layer_type};
use crate::image::pack::{Compression, pack};
use crate::image::store::{ContentLease, ContentStore, Workspace};
use crate::image::{ImageError, ImageRecord};
use crate::names::{Digest, ImageRef};

/// How many layers are sent at once.
const LAYERS_AT_ONCE: usize = 4;

/// Pushes an image under a name with a registry, and returns the digest of its manifest there.
///
/// An image whose layers the registry has already keeps its manifest, byte for byte. Layers that it
/// lacks are compressed anew, which gives another manifest of the same configuration.
///
/// # Errors
/// The registry refuses it, or content is missing or damaged.
pub fn push(
    (store, _lease): (&ContentStore, &ContentLease),
    access: &Access,
    image: &ImageRecord,
    (to, compression): (&ImageRef, Option<Compression>),
    progress: &dyn Progress,
) -> Result<Digest, ImageError> {
    let nowhere = || ImageError::NoRegistry(to.to_string());
    let wanted = Wanted::of(to).ok_or_else(nowhere)?;
    let sources = access.registries().sources(&wanted)?;
    let place = sources.last().ok_or_else(nowhere)?;
    progress.begins(to);
    let job = Job {
        store,
        client: access.client(place, &wanted)?,
        repository: &place.repository,
        image,
        progress,
    };
    let manifest = match job.known_manifest(compression)? {
        Some(manifest) => manifest,
        None => job.new_manifest(compression)?,
    };
    job.send_document(&image.id.digest())?;
    let media_type = media_type(&manifest);
    job.client
        .put_manifest(job.repository, &wanted.reference, (&media_type, &manifest))?;
    Ok(digest_of(&manifest))
}

struct Job<'a> {
    store: &'a ContentStore,
    client: Client,
    repository: &'a str,
    image: &'a ImageRecord,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    fn own_manifest(&self) -> Result<(Vec<u8>, Manifest), ImageError> {
        let bytes = self.store.read_blob(&self.image.digest)?;
        let parsed =
            serde_json::from_slice(&bytes).map_err(ImageError::document("the manifest"))?;
        Ok((bytes, parsed))
    }

    /// Returns the image's own manifest if the registry has all its layers.
    fn known_manifest(
        &self,
        compression: Option<Compression>,
    ) -> Result<Option<Vec<u8>>, ImageError> {
        if compression.is_some() {
            return Ok(None);
        }
        let (bytes, parsed) = self.own_manifest()?;
        for layer in &parsed.layers {
            if !self.client.has_blob(self.repository, &layer.digest)? {
                return Ok(None);
            }
        }
        for layer in &parsed.layers {
            self.progress
                .blob(&layer.digest, layer.size)
                .ended(BlobEnd::Known);
        }
        Ok(Some(bytes))
    }

    /// Sends all layers, and returns the manifest that names them.
    fn new_manifest(&self, compression: Option<Compression>) -> Result<Vec<u8>, ImageError> {
        let (bytes, parsed) = self.own_manifest()?;
        let gzip = Compression::Gzip;
        let (dialect, compression) = match (parsed.dialect(), compression) {
            // Docker's words have none for zstd.
            (_, Some(Compression::Zstd)) => (Dialect::Oci, Compression::Zstd),
            (dialect, compression) => (dialect, compression.unwrap_or(gzip)),
        };
        let workspace = self.store.workspace()?;
        let stopped = AtomicBool::new(false);
        let results = in_threads(LAYERS_AT_ONCE, self.image.layers.len(), |number| {
            if stopped.load(Ordering::Relaxed) {
                return Err(ImageError::Stopped);
            }
            let sent = self.send_layer(&workspace, &self.image.layers[number], compression);
            sent.inspect_err(|_| stopped.store(true, Ordering::Relaxed))
        });
        let mut layers = Vec::new();
        let mut failed: Option<ImageError> = None;
        for result in results.into_iter().flatten() {
            match (result, &failed) {
                (Ok((digest, size)), _) => {
                    layers.push((layer_type(dialect, compression), digest, size))
                }
                (Err(error), None | Some(ImageError::Stopped)) => failed = Some(error),
                (Err(_), Some(_)) => {}
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if dialect != parsed.dialect() {
            let config = self.store.read_blob(&self.image.id.digest())?;
            let manifest = Manifest::of(dialect, &config, layers);
            return Ok(serde_json::to_vec(&manifest).expect("strings and numbers are JSON"));
        }
        // What else the manifest says stays: annotations, for one.
        let mut manifest: Value =
            serde_json::from_slice(&bytes).map_err(ImageError::document("the manifest"))?;
        let layer = |(kind, digest, size): (&str, Digest, u64)| json!({"mediaType": kind, "size": size, "digest": digest});
        manifest["layers"] = layers.into_iter().map(layer).collect();
        manifest["mediaType"] = json!(dialect.manifest_type());
        Ok(manifest.to_string().into_bytes())
    }

    fn send_layer(
        &self,
        workspace: &Workspace,
        diff_id: &Digest,
        compression: Compression,
    ) -> Result<(Digest, u64), ImageError> {
        let packed = pack(self.store, workspace, diff_id, compression)?;
        let told = self.progress.blob(&packed.digest, packed.size);
        if self.client.has_blob(self.repository, &packed.digest)? {
            told.ended(BlobEnd::Known);
            return Ok((packed.digest, packed.size));
        }
        let sent = self.client.again(|| {
            rewind(&packed.file).map_err(|source| RegistryError::Transfer {
                host: self.client.host().to_owned(),
                what: format!("blob `{}`", packed.digest),
                source,
            })?;
            let content = Content::File(&packed.file);
            self.client.upload(self.repository, &packed.digest, content)
        });
        told.ended(match sent {
            Ok(()) => BlobEnd::Done,
            Err(_) => BlobEnd::Failed,
        });
        sent?;
        Ok((packed.digest, packed.size))
    }

    fn send_document(&self, digest: &Digest) -> Result<(), ImageError> {
        if self.client.has_blob(self.repository, digest)? {
            return Ok(());
        }
        let bytes = self.store.read_blob(digest)?;
        let content = Content::Bytes(&bytes);
        Ok(self
            .client
            .again(|| self.client.upload(self.repository, digest, content))?)
    }
}

fn rewind(mut file: &File) -> io::Result<()> {
    file.rewind()
}

/// Returns what a manifest says it is; OCI's may leave it out.
fn media_type(manifest: &[u8]) -> String {
    let value: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let said = value["mediaType"].as_str();
    said.unwrap_or(Dialect::Oci.manifest_type()).to_owned()
}
