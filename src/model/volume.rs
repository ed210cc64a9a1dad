//! What a pod mounts, and where.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::container::{FieldRef, PullPolicy, ResourceRef};
use super::quantity::{Bytes, Seconds};
use crate::names::{ImageRef, ObjectName, VolumeName};

/// Permission bits of a file: 0 to 0o777.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileMode(pub u16);

impl FileMode {
    /// What Kubernetes gives projected files by default.
    pub const DEFAULT: Self = Self(0o644);
}

/// A volume of a pod, by its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum VolumeSpec {
    HostPath {
        path: PathBuf,
        kind: HostPathKind,
    },
    EmptyDir {
        medium: Medium,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size_limit: Option<Bytes>,
    },
    /// Files made from objects; a `configMap`, `secret` or `downwardAPI` volume has one source.
    Projected {
        form: ProjectionForm,
        sources: Vec<ProjectedSource>,
        default_mode: FileMode,
    },
    /// A named volume of the host (`persistentVolumeClaim`).
    Claim {
        claim: VolumeName,
        read_only: bool,
    },
    /// The content of an image, read-only.
    Image {
        reference: ImageRef,
        pull: PullPolicy,
    },
}

/// Which volume type a projection was written as; they mean the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProjectionForm {
    ConfigMap,
    Secret,
    DownwardApi,
    Projected,
}

/// What a host path must be before a pod starts (`hostPath.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HostPathKind {
    #[default]
    Any,
    DirectoryOrCreate,
    Directory,
    FileOrCreate,
    File,
    Socket,
    CharDevice,
    BlockDevice,
}

/// Where an `emptyDir` lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Medium {
    #[default]
    Disk,
    Memory,
}

/// One source of a projected volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum ProjectedSource {
    ConfigMap(KeyProjection),
    Secret(KeyProjection),
    DownwardApi(Vec<DownwardFile>),
    ServiceAccountToken {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        expiration: Seconds,
    },
}

/// Keys of one object as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyProjection {
    pub object: ObjectName,
    /// The keys to show; without any, all of them under their own names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<KeyItem>,
    pub optional: bool,
}

/// One key of an object as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyItem {
    pub key: String,
    /// The file's path in the volume: relative, without `..`.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FileMode>,
}

/// One fact about the pod as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DownwardFile {
    pub path: String,
    pub value: DownwardValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FileMode>,
}

/// What a downward file shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum DownwardValue {
    Field(FieldRef),
    Resource(ResourceRef),
}

/// Where a container sees a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    pub volume: VolumeName,
    /// The path in the container.
    pub path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<SubPath>,
    pub read_only: bool,
    pub propagation: Propagation,
    /// podman's suffix of `mountPath` (`:z`, `:U`, `:idmap` …), as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// The part of a volume that is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SubPath {
    Literal(String),
    /// `$(VAR)` is expanded from the container's environment when it starts.
    Expression(String),
}

/// How mounts travel between host and container (`mountPropagation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Propagation {
    #[default]
    None,
    HostToContainer,
    Bidirectional,
}

/// A named volume of the host: what a PersistentVolumeClaim document asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedVolumeSpec {
    pub name: VolumeName,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Backing::is_directory")]
    pub backing: Backing,
    #[serde(default, skip_serializing_if = "Owner::is_default")]
    pub owner: Owner,
    /// A tar that fills the volume when it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<PathBuf>,
}

impl NamedVolumeSpec {
    /// Returns an empty directory of this name.
    #[must_use]
    pub fn new(name: VolumeName) -> Self {
        Self {
            name,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            size: None,
            backing: Backing::default(),
            owner: Owner::default(),
            import: None,
        }
    }
}

/// What is mounted in a named volume's place while a pod uses it, in the words of `mount(8)`.
///
/// With neither type nor device it is a directory of this host, which `options` say nothing about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backing {
    /// The file system's type; `none` or `bind` for a directory of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Mount options, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
}

impl Backing {
    /// Returns whether nothing is said about it at all.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        let Self {
            kind,
            device,
            options,
        } = self;
        kind.is_none() && device.is_none() && options.is_none()
    }

    /// Returns whether something is mounted in the volume's place.
    #[must_use]
    pub fn is_mounted(&self) -> bool {
        self.kind.is_some() || self.device.is_some()
    }
}

/// Whom a named volume is given to when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Owner {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
}

impl Owner {
    /// Returns whether it stays with whoever makes it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
