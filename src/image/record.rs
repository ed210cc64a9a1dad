//! What the database keeps of an image.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::format::{ConfigFile, ContainerConfig};
use crate::names::{Digest, ImageId, ImageRef};

/// One image whose content is in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecord {
    /// The digest of the configuration.
    pub id: ImageId,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The names it goes by, each with registry and tag.
    pub names: Vec<ImageRef>,
    /// The diff ids of the layers, the lowest first.
    pub layers: Vec<Digest>,
    /// How its containers run unless a manifest says otherwise.
    pub config: ImageConfig,
    /// When it was made.
    pub created: Timestamp,
    /// The bytes of its layers as tar and of its documents, as podman counts them.
    pub size: u64,
    /// The machine it is for, in Go's words: `amd64`.
    pub architecture: String,
    /// The system it is for.
    pub os: String,
}

/// What only `image inspect` and `image history` ask for; it is read from the image's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDetails {
    /// The media type of the manifest.
    pub manifest_type: String,
    /// Who made it.
    pub author: String,
    /// The steps that made it as the configuration has them, the oldest first.
    pub history: Vec<serde_json::Value>,
}

impl ImageDetails {
    /// Returns the comment of the last step.
    #[must_use]
    pub fn comment(&self) -> &str {
        let last = self.history.last();
        last.and_then(|step| step["comment"].as_str()).unwrap_or("")
    }
}

/// What an image says about its containers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments, which a manifest's `args` replace.
    pub cmd: Vec<String>,
    /// `NAME=VALUE` each.
    pub env: Vec<String>,
    /// Where the program starts; empty means `/`.
    pub working_dir: String,
    /// `USER[:GROUP]`; empty means root.
    pub user: String,
    /// `PORT/PROTOCOL` each, for information.
    pub exposed_ports: BTreeSet<String>,
    /// Directories that want a volume.
    pub volumes: BTreeSet<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The signal that stops the program, if not SIGTERM.
    pub stop_signal: Option<String>,
}

impl ImageRecord {
    /// Returns the record of an image with these documents.
    pub(super) fn new(
        file: ConfigFile,
        id: ImageId,
        digest: Digest,
        names: Vec<ImageRef>,
        size: u64,
    ) -> Self {
        Self {
            id,
            digest,
            names,
            layers: file.rootfs.diff_ids,
            config: file.config.unwrap_or_default().into(),
            created: file
                .created
                .and_then(|text| text.parse().ok())
                .unwrap_or(Timestamp::UNIX_EPOCH),
            size,
            architecture: file.architecture,
            os: file.os,
        }
    }
}

impl From<ContainerConfig> for ImageConfig {
    fn from(config: ContainerConfig) -> Self {
        let ContainerConfig {
            user,
            exposed_ports,
            env,
            entrypoint,
            cmd,
            volumes,
            working_dir,
            labels,
            stop_signal,
            on_build: _,
        } = config;
        Self {
            entrypoint: entrypoint.unwrap_or_default(),
            cmd: cmd.unwrap_or_default(),
            env: env.unwrap_or_default(),
            working_dir: working_dir.unwrap_or_default(),
            user: user.unwrap_or_default(),
            exposed_ports: exposed_ports.unwrap_or_default().into_keys().collect(),
            volumes: volumes.unwrap_or_default().into_keys().collect(),
            labels: labels.unwrap_or_default(),
            stop_signal: stop_signal.filter(|signal| !signal.is_empty()),
        }
    }
}
