//! What the stage is asked, and what it answers.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::names::Digest;

/// What a layer may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes, of the tar and of the files in it, holes included.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
    /// Components of a path.
    pub depth: usize,
    /// Bytes of a path.
    pub path: usize,
}

impl Default for Limits {
    /// Far above any image in use: base systems with 200 000 files, models of tens of GiB.
    fn default() -> Self {
        Self {
            bytes: 128 << 30,
            entries: 4_000_000,
            depth: 256,
            path: 4000,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) length: Option<u64>,
    pub(super) limits: Limits,
    pub(super) meaning: Meaning,
}

/// What the names in a tar mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Meaning {
    /// `.wh.NAME` hides what lower layers have.
    Layer,
    /// Every name is a file's.
    Files,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Unpacked(Unpacked),
    Refused(UnpackError),
}

/// A layer as the stage found it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct Unpacked {
    pub(in crate::image) diff_id: Digest,
    pub(in crate::image) blob: Digest,
    pub(in crate::image) size: u64,
    pub(in crate::image) entries: u64,
    pub(in crate::image) notes: Vec<String>,
}

/// Why a layer was not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum UnpackError {
    /// The stage could not lock itself into the layer.
    #[error("confining the stage: {message}")]
    Confine {
        /// What the kernel said.
        message: String,
    },
    /// Not a tar, or not a whole one.
    #[error("reading the tar: {message}")]
    Read {
        /// What is wrong with it.
        message: String,
    },
    /// More bytes than allowed.
    #[error("it has more than {limit} bytes")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// More entries than allowed.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// A path with too many bytes or components.
    #[error("the path `{path}…` is too long or too deep")]
    PathTooLong {
        /// How it begins.
        path: String,
    },
    /// A path or hard link that leaves the layer.
    #[error("`{path}` leads out of the layer")]
    Outside {
        /// The path.
        path: String,
    },
    /// An entry whose form is not understood.
    #[error("`{path}`: {rule}")]
    Entry {
        /// Its path.
        path: String,
        /// What is wrong with it.
        rule: String,
    },
    /// The kernel refused something.
    #[error("{step} `{path}`: {}", io::Error::from_raw_os_error(*errno))]
    System {
        /// What was being done, as a gerund.
        step: String,
        /// With which path of the layer.
        path: String,
        /// Why.
        errno: i32,
    },
    /// The stage died: killed, or out of the memory it may have.
    #[error("the unpacking process ended early ({status})")]
    Ended {
        /// How.
        status: String,
    },
}

/// Returns a path as messages show it.
pub(super) fn shown(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).chars().take(200).collect()
}

/// Returns a function that tells what was being done with which path.
pub(super) fn system(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> UnpackError {
    let path = shown(path.as_os_str().as_bytes());
    move |error| match error.raw_os_error() {
        Some(errno) => UnpackError::System {
            step: step.to_owned(),
            path,
            errno,
        },
        None => UnpackError::Read {
            message: format!("{step} `{path}`: {error}"),
        },
    }
}

/// Returns what is wrong with the bytes of the tar.
pub(super) fn read_error(error: io::Error) -> UnpackError {
    UnpackError::Read {
        message: error.to_string(),
    }
}
