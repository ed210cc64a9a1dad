//! What a lock belongs to, and how its file is called.

use std::fmt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::names::{ContainerId, PodId, hex};

/// What a lock belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockName {
    /// Pulls of one image, by the hash of its reference.
    Image(String),
    Pod(PodId),
    Container(ContainerId),
    Store,
}

impl LockName {
    pub(super) fn image(reference: &str) -> Self {
        Self::Image(hex(&Sha256::digest(reference)))
    }

    pub(super) fn file_name(&self) -> String {
        match self {
            Self::Image(hash) => format!("image-{hash}"),
            Self::Pod(id) => format!("pod-{id}"),
            Self::Container(id) => format!("container-{id}"),
            Self::Store => "store".to_owned(),
        }
    }

    /// Returns what the file is the lock of.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        Self::from_file_name(path.file_name()?.to_str()?)
    }

    fn from_file_name(name: &str) -> Option<Self> {
        match name.split_once('-') {
            None => (name == "store").then_some(Self::Store),
            Some(("image", hash)) => Some(Self::Image(hash.to_owned())),
            Some(("pod", id)) => PodId::parse(id).ok().map(Self::Pod),
            Some(("container", id)) => ContainerId::parse(id).ok().map(Self::Container),
            Some(_) => None,
        }
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(hash) => write!(f, "image {}", &hash[..hash.len().min(12)]),
            Self::Pod(id) => write!(f, "pod {}", id.short()),
            Self::Container(id) => write!(f, "container {}", id.short()),
            Self::Store => f.write_str("store"),
        }
    }
}
