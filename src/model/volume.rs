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
}
