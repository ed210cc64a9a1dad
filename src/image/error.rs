//! What can go wrong with images.

use std::io;
use std::path::PathBuf;

use super::unpack::UnpackError;
use crate::names::{Digest, NameError};

/// An image that cannot be read, stored or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file of the store or of an archive.
    #[error("{action} `{}`", path.display())]
    File {
        /// What was being done, as a gerund.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Neither of the known archive forms.
    #[error(
        "`{0}` is no image: it is none of docker-archive, oci-archive, an OCI layout directory and a `dir:` directory"
    )]
    NotAnImage(String),
    /// A document inside an archive that is not what its place says.
    #[error("reading {what} of the image")]
    Document {
        /// Which document.
        what: String,
        /// Why it cannot be read.
        source: serde_json::Error,
    },
    /// A file that the archive refers to and does not have.
    #[error("the archive has no `{0}`")]
    Missing(String),
    /// Content that is not what its digest says.
    #[error("{what} is damaged: its digest is {found}, not {wanted}")]
    Damaged {
        /// Which content.
        what: String,
        /// What it should have been.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// A manifest and a configuration that disagree.
    #[error("the manifest lists {layers} layers, but the configuration {diff_ids}")]
    LayerCount {
        /// How many layers the manifest has.
        layers: usize,
        /// How many the configuration has.
        diff_ids: usize,
    },
    /// Only images for other machines.
    #[error("the archive has no image for linux/{0}")]
    NoPlatform(String),
    /// A layer that was refused or could not be written.
    #[error("unpacking layer {layer}")]
    Layer {
        /// Its digest, or its file.
        layer: String,
        /// Why.
        source: UnpackError,
    },
    /// A registry that cannot be used, or will not give the image.
    #[error(transparent)]
    Registry(#[from] super::registry::RegistryError),
    /// A name that does not say where the image is.
    #[error("`{0}` names no registry")]
    NoRegistry(String),
    /// Something else failed first.
    #[error("stopped, for another layer failed")]
    Stopped,
    /// A name that is no image reference.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A `--change` that no Dockerfile instruction allows.
    #[error("invalid change `{text}`: {rule}")]
    Change {
        /// What was given.
        text: String,
        /// What is allowed.
        rule: &'static str,
    },
}

impl ImageError {
    /// Returns a function that tells what was being done with which file.
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// Returns a function that tells which document could not be read.
    pub(super) fn document(what: impl Into<String>) -> impl FnOnce(serde_json::Error) -> Self {
        let what = what.into();
        move |source| Self::Document { what, source }
    }
}
