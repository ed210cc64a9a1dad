//! The documents of the OCI image specification and of `docker save`, as far as they concern us.
//!
//! They are read leniently: unknown fields and `null` are common in the wild, and the bytes
//! themselves are kept in the store for whoever wants the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use super::pack::Compression;
use crate::names::Digest;

/// Whose words a manifest uses that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The OCI image specification's.
    Oci,
    /// Docker's schema 2, which podman gives to images from a docker-archive: so both show
    /// the same digest.
    Docker,
}

impl Dialect {
    pub(super) fn manifest_type(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn config_type(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    fn layer_type(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.layer.v1.tar",
            // As podman has it, although the layer is not compressed.
            Self::Docker => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }
}

/// Returns the media type of a compressed layer; Docker's words have none for zstd.
pub(super) fn layer_type(dialect: Dialect, compression: Compression) -> &'static str {
    match (dialect, compression) {
        (Dialect::Docker, _) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        (Dialect::Oci, Compression::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
        (Dialect::Oci, Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

/// The media types of manifests and of indexes that are read.
pub(super) const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Returns the digest of some bytes.
pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

/// Returns this machine's architecture in Go's words, which images use.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// A reference to a blob.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) size: u64,
    pub(super) digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            size,
            digest,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Returns whether the blob is an index of further manifests.
    pub(super) fn is_index(&self) -> bool {
        INDEXES.contains(&self.media_type.as_str())
    }
}

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Returns whether a document is an index, as its sender or, failing that, it itself says.
pub(super) fn is_index(media_type: &str, bytes: &[u8]) -> bool {
    if MANIFESTS.contains(&media_type) {
        return INDEXES.contains(&media_type);
    }
    let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    value.is_some_and(|value| value["manifests"].is_array())
}

/// The machine an image in an index is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
}

/// A list of manifests: `index.json`, or one blob for several platforms.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
}

impl Index {
    /// Returns the manifest for Linux on this machine, if the index has one.
    pub(super) fn for_this_machine(self) -> Option<Descriptor> {
        let is_meant =
            |platform: &Platform| platform.os == "linux" && platform.architecture == architecture();
        let mut manifests = self.manifests.into_iter();
        manifests.find(|entry| entry.platform.as_ref().is_some_and(is_meant))
    }
}

/// One image: its configuration and its layers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

impl Manifest {
    /// Returns the manifest of a configuration and of layers that are plain tars.
    pub(super) fn new(dialect: Dialect, config: &[u8], layers: &[(Digest, u64)]) -> Self {
        let layer = |(digest, size): &(Digest, u64)| (dialect.layer_type(), digest.clone(), *size);
        Self::of(dialect, config, layers.iter().map(layer).collect())
    }

    /// Returns the manifest of a configuration and of layers with their media types.
    pub(super) fn of(
        dialect: Dialect,
        config: &[u8],
        layers: Vec<(&'static str, Digest, u64)>,
    ) -> Self {
        let layer = |(media_type, digest, size)| Descriptor::new(media_type, digest, size);
        let digest = digest_of(config);
        Self {
            schema_version: 2,
            media_type: Some(dialect.manifest_type().to_owned()),
            config: Descriptor::new(dialect.config_type(), digest, config.len() as u64),
            layers: layers.into_iter().map(layer).collect(),
        }
    }

    /// Returns whose words it uses.
    pub(super) fn dialect(&self) -> Dialect {
        match self.media_type.as_deref() {
            Some(docker) if docker == Dialect::Docker.manifest_type() => Dialect::Docker,
            _ => Dialect::Oci,
        }
    }

    /// Returns the media type, which OCI manifests often leave out.
    pub(super) fn media_type(self) -> String {
        self.media_type
            .unwrap_or_else(|| Dialect::Oci.manifest_type().to_owned())
    }
}

/// One image of a docker-archive's `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerImage {
    pub(super) config: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) layers: Vec<String>,
}

/// An image configuration, Docker's or OCI's.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ConfigFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<String>,
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<ContainerConfig>,
    pub(super) rootfs: RootFs,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) history: Vec<serde_json::Value>,
}

/// The layers as they are when unpacked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RootFs {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) diff_ids: Vec<Digest>,
}

/// A set as JSON from Go has it: `{"8080/tcp": {}}`.
pub(super) type GoSet = BTreeMap<String, serde_json::Value>;

/// What an image says about its containers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ContainerConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exposed_ports: Option<GoSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entrypoint: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cmd: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volumes: Option<GoSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_build: Option<Vec<String>>,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
