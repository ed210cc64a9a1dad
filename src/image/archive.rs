//! Loads images from archives: docker-archive, oci-archive, OCI layout directory, `dir:`.
//!
//! First everything is read that says which images and layers there are; then the layers that
//! the store lacks are unpacked, all at once; then the records are made. Every digest is checked:
//! of manifests, configurations and blobs, and the diff id of every layer.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::ImageError;
use super::format::{
    ConfigFile, Descriptor, Dialect, DockerImage, Index, Manifest, architecture, digest_of,
};
pub use super::members::Input;
use super::members::Members;
use super::record::ImageRecord;
use super::store::{ContentLease, ContentStore, DOCUMENT_LIMIT, Workspace};
use super::unpack::{LayerSource, unpack_all};
use crate::names::{Digest, ImageRef};

/// How deep indexes may stand in indexes.
const INDEX_DEPTH: u8 = 4;
/// How many images an archive may have.
const IMAGES: usize = 1000;

/// What a load brought in.
#[derive(Debug)]
pub struct Loaded {
    /// The images, in the archive's order.
    pub images: Vec<ImageRecord>,
    /// What was left out of the layers, for a warning.
    pub notes: Vec<String>,
}

/// Loads all images of an archive into the store.
///
/// # Errors
/// The archive is none, damaged or refused; then no image of it is returned.
pub fn load(
    store: &ContentStore,
    _lease: &ContentLease,
    input: Input<'_>,
) -> Result<Loaded, ImageError> {
    let workspace = store.workspace()?;
    let members = Members::open(input, &workspace)?;
    let found = find_images(&members, input)?;
    let notes = unpack_missing(store, &workspace, &members, &found)?;
    let images = found
        .into_iter()
        .map(|image| image.record(store, &workspace))
        .collect::<Result<_, _>>()?;
    Ok(Loaded { images, notes })
}

/// An image as the archive's documents describe it.
struct Found {
    names: Vec<ImageRef>,
    config: Vec<u8>,
    file: ConfigFile,
    manifest: ManifestSource,
    layers: Vec<FoundLayer>,
}

struct FoundLayer {
    member: String,
    blob: Option<Digest>,
}

impl Found {
    fn new(
        names: Vec<ImageRef>,
        config: Vec<u8>,
        manifest: ManifestSource,
        layers: Vec<FoundLayer>,
    ) -> Result<Self, ImageError> {
        let file: ConfigFile =
            serde_json::from_slice(&config).map_err(ImageError::document("the configuration"))?;
        if file.rootfs.diff_ids.len() != layers.len() {
            return Err(ImageError::LayerCount {
                layers: layers.len(),
                diff_ids: file.rootfs.diff_ids.len(),
            });
        }
        Ok(Self {
            names,
            config,
            file,
            manifest,
            layers,
        })
    }

    fn record(
        self,
        store: &ContentStore,
        workspace: &Workspace,
    ) -> Result<ImageRecord, ImageError> {
        store_image(store, workspace, self.names, &self.config, self.manifest)
    }
}

/// Where the manifest of an image comes from.
pub(super) enum ManifestSource {
    /// The archive's own, byte for byte.
    Bytes(Vec<u8>),
    /// Written here, in these words.
    Written(Dialect),
}

/// Stores the documents of an image whose layers are in the store, and returns its record.
pub(super) fn store_image(
    store: &ContentStore,
    workspace: &Workspace,
    names: Vec<ImageRef>,
    config: &[u8],
    manifest: ManifestSource,
) -> Result<ImageRecord, ImageError> {
    let file: ConfigFile =
        serde_json::from_slice(config).map_err(ImageError::document("the configuration"))?;
    let mut layers = Vec::new();
    for diff_id in &file.rootfs.diff_ids {
        let info = store
            .layer_info(diff_id)
            .ok_or_else(|| ImageError::Missing(diff_id.to_string()))?;
        layers.push((diff_id.clone(), info.size));
    }
    let manifest = match manifest {
        ManifestSource::Bytes(bytes) => bytes,
        ManifestSource::Written(dialect) => {
            serde_json::to_vec(&Manifest::new(dialect, config, &layers))
                .expect("a manifest of strings and numbers is JSON")
        }
    };
    let id = store.put_blob(workspace, config)?.image_id();
    let digest = store.put_blob(workspace, &manifest)?;
    // podman keeps the manifest under two names and counts both.
    let documents = config.len() as u64 + 2 * manifest.len() as u64;
    let size = documents + layers.iter().map(|(_, size)| size).sum::<u64>();
    Ok(ImageRecord::new(file, id, digest, names, size))
}

fn unpack_missing(
    store: &ContentStore,
    workspace: &Workspace,
    members: &Members,
    images: &[Found],
) -> Result<Vec<String>, ImageError> {
    let mut missing = BTreeMap::new();
    for image in images {
        for (layer, diff_id) in image.layers.iter().zip(&image.file.rootfs.diff_ids) {
            if store.layer_info(diff_id).is_none() {
                missing.insert(diff_id, layer);
            }
        }
    }
    let mut sources = Vec::new();
    for (diff_id, layer) in missing {
        let (file, length) = members
            .find(&layer.member)?
            .ok_or_else(|| ImageError::Missing(layer.member.clone()))?;
        sources.push(LayerSource {
            name: layer.member.clone(),
            file: OwnedFd::from(file),
            length: Some(length),
            blob: layer.blob.clone(),
            diff_id: Some(diff_id.clone()),
        });
    }
    let unpacked = unpack_all(store, workspace, sources)?;
    Ok(unpacked.into_iter().flat_map(|layer| layer.notes).collect())
}

fn find_images(members: &Members, input: Input<'_>) -> Result<Vec<Found>, ImageError> {
    // `docker save` since 25 writes both forms; its manifest.json has the whole names.
    if let Some(text) = members.read("manifest.json", DOCUMENT_LIMIT)? {
        return match serde_json::from_slice::<Vec<DockerImage>>(&text) {
            Ok(images) => limited(images)?
                .iter()
                .map(|image| docker_image(members, image))
                .collect(),
            Err(_) => Ok(vec![plain_directory(members, text)?]),
        };
    }
    let Some(text) = members.read("index.json", DOCUMENT_LIMIT)? else {
        return Err(ImageError::NotAnImage(input.name().display().to_string()));
    };
    let index: Index =
        serde_json::from_slice(&text).map_err(ImageError::document("`index.json`"))?;
    let mut images = limited(index.manifests)?
        .iter()
        .map(|descriptor| oci_image(members, descriptor))
        .collect::<Result<Vec<_>, _>>()?;
    if let ([image], Input::Path(path)) = (images.as_mut_slice(), input)
        && image.names.is_empty()
        && matches!(members, Members::Directory(_))
    {
        image.names.extend(directory_name(path));
    }
    Ok(images)
}

fn limited<T>(images: Vec<T>) -> Result<Vec<T>, ImageError> {
    if images.len() > IMAGES {
        return Err(ImageError::file("reading", "manifest.json")(
            std::io::ErrorKind::FileTooLarge.into(),
        ));
    }
    Ok(images)
}

fn docker_image(members: &Members, image: &DockerImage) -> Result<Found, ImageError> {
    let config = document(members, &image.config)?;
    // `HEX.json`, or `blobs/sha256/HEX`: the name says what the content must be.
    let stem = Path::new(&image.config)
        .file_stem()
        .and_then(|stem| stem.to_str());
    if let Some(wanted) = stem.and_then(|hex| Digest::parse(&format!("sha256:{hex}")).ok()) {
        verify("the configuration", &wanted, &config)?;
    }
    let names = image
        .repo_tags
        .iter()
        .map(|name| normalise(name, "docker.io"))
        .collect::<Result<_, _>>()?;
    let layers = image
        .layers
        .iter()
        .map(|member| FoundLayer {
            member: member.clone(),
            blob: None,
        })
        .collect();
    // The archive has no manifest of its own.
    let manifest = ManifestSource::Written(Dialect::Docker);
    Found::new(names, config, manifest, layers)
}

fn oci_image(members: &Members, descriptor: &Descriptor) -> Result<Found, ImageError> {
    let names = descriptor
        .annotations
        .get("io.containerd.image.name")
        .or_else(|| {
            descriptor
                .annotations
                .get("org.opencontainers.image.ref.name")
        })
        .map(|name| normalise(name, "localhost"))
        .transpose()?
        .into_iter()
        .collect();
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let text = manifest_for_this_machine(members, descriptor)?;
    found_by_manifest(members, names, text, blob)
}

/// Reads a manifest, through indexes if need be.
fn manifest_for_this_machine(
    members: &Members,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, ImageError> {
    let mut descriptor = descriptor.clone();
    for _ in 0..INDEX_DEPTH {
        let text = document(
            members,
            &format!("blobs/sha256/{}", descriptor.digest.hex()),
        )?;
        verify("a manifest", &descriptor.digest, &text)?;
        if !descriptor.is_index() {
            return Ok(text);
        }
        let index: Index =
            serde_json::from_slice(&text).map_err(ImageError::document("an index"))?;
        descriptor = index
            .for_this_machine()
            .ok_or_else(|| ImageError::NoPlatform(architecture().to_owned()))?;
    }
    Err(ImageError::NoPlatform(architecture().to_owned()))
}

/// Reads a directory as `skopeo copy … dir:` writes it: blobs named by their digits.
fn plain_directory(members: &Members, text: Vec<u8>) -> Result<Found, ImageError> {
    found_by_manifest(members, Vec::new(), text, |digest| digest.hex().to_owned())
}

fn found_by_manifest(
    members: &Members,
    names: Vec<ImageRef>,
    text: Vec<u8>,
    member: impl Fn(&Digest) -> String,
) -> Result<Found, ImageError> {
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(ImageError::document("a manifest"))?;
    let config = document(members, &member(&manifest.config.digest))?;
    verify("the configuration", &manifest.config.digest, &config)?;
    let layers = manifest
        .layers
        .iter()
        .map(|layer| FoundLayer {
            member: member(&layer.digest),
            blob: Some(layer.digest.clone()),
        })
        .collect();
    Found::new(names, config, ManifestSource::Bytes(text), layers)
}

fn document(members: &Members, name: &str) -> Result<Vec<u8>, ImageError> {
    members
        .read(name, DOCUMENT_LIMIT)?
        .ok_or_else(|| ImageError::Missing(name.to_owned()))
}

fn verify(what: &str, wanted: &Digest, bytes: &[u8]) -> Result<(), ImageError> {
    let found = digest_of(bytes);
    if found == *wanted {
        return Ok(());
    }
    Err(ImageError::Damaged {
        what: what.to_owned(),
        wanted: wanted.clone(),
        found,
    })
}

/// Returns a whole name; short ones of `docker save` mean Docker Hub, others the local host.
pub(super) fn normalise(text: &str, registry: &str) -> Result<ImageRef, ImageError> {
    let name = ImageRef::parse(text)?;
    if registry == "docker.io" && name.registry().is_none() && !name.repository().contains('/') {
        return Ok(ImageRef::parse(&format!("docker.io/library/{text}"))?.qualified());
    }
    Ok(name.in_registry(registry).qualified())
}

/// Returns the name podman gives the only, nameless image of a directory.
fn directory_name(path: &Path) -> Option<ImageRef> {
    let path = path.canonicalize().ok()?;
    normalise(path.file_name()?.to_str()?, "localhost").ok()
}
