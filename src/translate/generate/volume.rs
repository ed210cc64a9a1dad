//! Volumes and where containers see them.

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::model::volume::{
    DownwardFile, DownwardValue, FileMode, HostPathKind, KeyItem, KeyProjection, Medium, Mount,
    ProjectedSource, ProjectionForm, Propagation, SubPath, VolumeSpec,
};
use crate::names::VolumeName;

use super::super::projection::TOKEN_LIFE;
use super::{container, env, signed, some, text, unless};

pub(super) fn volume((name, spec): (&VolumeName, &VolumeSpec)) -> v1::Volume {
    let mut volume = v1::Volume {
        name: name.to_string(),
        ..v1::Volume::default()
    };
    match spec {
        VolumeSpec::HostPath { path, kind } => {
            volume.host_path = Some(v1::HostPathVolumeSource {
                path: text(path),
                type_: kind_word(*kind).map(str::to_owned),
            });
        }
        VolumeSpec::EmptyDir { medium, size_limit } => {
            volume.empty_dir = Some(v1::EmptyDirVolumeSource {
                medium: match medium {
                    Medium::Disk => None,
                    Medium::Memory => Some("Memory".to_owned()),
                },
                mode: None,
                size_limit: size_limit.map(|size| Quantity(size.to_string())),
            });
        }
        VolumeSpec::Projected {
            form,
            sources,
            default_mode,
        } => projected(*form, sources, mode(*default_mode), &mut volume),
        VolumeSpec::Claim { claim, read_only } => {
            volume.persistent_volume_claim = Some(v1::PersistentVolumeClaimVolumeSource {
                claim_name: claim.to_string(),
                read_only: read_only.then_some(true),
            });
        }
        VolumeSpec::Image { reference, pull } => {
            volume.image = Some(v1::ImageVolumeSource {
                reference: Some(reference.to_string()),
                pull_policy: container::pull_policy(*pull, reference),
            });
        }
    }
    volume
}

fn kind_word(kind: HostPathKind) -> Option<&'static str> {
    match kind {
        HostPathKind::Any => None,
        HostPathKind::DirectoryOrCreate => Some("DirectoryOrCreate"),
        HostPathKind::Directory => Some("Directory"),
        HostPathKind::FileOrCreate => Some("FileOrCreate"),
        HostPathKind::File => Some("File"),
        HostPathKind::Socket => Some("Socket"),
        HostPathKind::CharDevice => Some("CharDevice"),
        HostPathKind::BlockDevice => Some("BlockDevice"),
    }
}

fn mode(mode: FileMode) -> Option<i32> {
    unless(mode, &FileMode::DEFAULT).map(bits)
}

fn bits(mode: FileMode) -> i32 {
    i32::from(mode.0)
}

/// Writes a projection in the form it came in; the short forms have exactly one source.
fn projected(
    form: ProjectionForm,
    sources: &[ProjectedSource],
    default_mode: Option<i32>,
    volume: &mut v1::Volume,
) {
    match (form, sources) {
        (ProjectionForm::ConfigMap, [ProjectedSource::ConfigMap(keys)]) => {
            let (name, items, optional) = parts(keys);
            volume.config_map = Some(v1::ConfigMapVolumeSource {
                default_mode,
                default_user: None,
                items,
                name,
                optional,
            });
        }
        (ProjectionForm::Secret, [ProjectedSource::Secret(keys)]) => {
            let (name, items, optional) = parts(keys);
            volume.secret = Some(v1::SecretVolumeSource {
                default_mode,
                default_user: None,
                items,
                secret_name: Some(name),
                optional,
            });
        }
        (ProjectionForm::DownwardApi, [ProjectedSource::DownwardApi(files)]) => {
            volume.downward_api = Some(v1::DownwardAPIVolumeSource {
                default_mode,
                default_user: None,
                items: some(files.iter().map(file).collect()),
            });
        }
        _ => {
            volume.projected = Some(v1::ProjectedVolumeSource {
                default_mode,
                default_user: None,
                sources: some(sources.iter().map(source).collect()),
            });
        }
    }
}

fn parts(keys: &KeyProjection) -> (String, Option<Vec<v1::KeyToPath>>, Option<bool>) {
    let KeyProjection {
        object,
        items,
        optional,
    } = keys;
    (
        object.to_string(),
        some(items.iter().map(item).collect()),
        optional.then_some(true),
    )
}

fn item(item: &KeyItem) -> v1::KeyToPath {
    let KeyItem { key, path, mode } = item;
    v1::KeyToPath {
        key: key.clone(),
        path: path.clone(),
        mode: mode.map(bits),
        user: None,
    }
}

fn file(file: &DownwardFile) -> v1::DownwardAPIVolumeFile {
    let DownwardFile { path, value, mode } = file;
    let (field_ref, resource_field_ref) = match value {
        DownwardValue::Field(field) => (Some(env::field(field)), None),
        DownwardValue::Resource(resource) => (None, Some(env::resource(resource))),
    };
    v1::DownwardAPIVolumeFile {
        path: path.clone(),
        field_ref,
        resource_field_ref,
        mode: mode.map(bits),
        user: None,
    }
}

fn source(source: &ProjectedSource) -> v1::VolumeProjection {
    let mut projection = v1::VolumeProjection::default();
    match source {
        ProjectedSource::ConfigMap(keys) => {
            let (name, items, optional) = parts(keys);
            projection.config_map = Some(v1::ConfigMapProjection {
                items,
                name,
                optional,
            });
        }
        ProjectedSource::Secret(keys) => {
            let (name, items, optional) = parts(keys);
            projection.secret = Some(v1::SecretProjection {
                items,
                name,
                optional,
            });
        }
        ProjectedSource::DownwardApi(files) => {
            projection.downward_api = Some(v1::DownwardAPIProjection {
                items: some(files.iter().map(file).collect()),
            });
        }
        ProjectedSource::ServiceAccountToken {
            path,
            audience,
            expiration,
        } => {
            projection.service_account_token = Some(v1::ServiceAccountTokenProjection {
                audience: audience.clone(),
                expiration_seconds: unless(*expiration, &TOKEN_LIFE)
                    .map(|seconds| signed(seconds.0)),
                path: path.clone(),
                user: None,
            });
        }
    }
    projection
}

pub(super) fn mount(mount: &Mount) -> v1::VolumeMount {
    let Mount {
        volume,
        path,
        sub_path,
        read_only,
        propagation,
        options,
    } = mount;
    let (literal, expression) = match sub_path {
        Some(SubPath::Literal(path)) => (Some(path.clone()), None),
        Some(SubPath::Expression(path)) => (None, Some(path.clone())),
        None => (None, None),
    };
    let suffix = match options.is_empty() {
        true => String::new(),
        false => format!(":{}", options.join(",")),
    };
    v1::VolumeMount {
        name: volume.to_string(),
        mount_path: text(path) + &suffix,
        sub_path: literal,
        sub_path_expr: expression,
        read_only: read_only.then_some(true),
        mount_propagation: match propagation {
            Propagation::None => None,
            Propagation::HostToContainer => Some("HostToContainer".to_owned()),
            Propagation::Bidirectional => Some("Bidirectional".to_owned()),
        },
        bind_mount_options: None,
        recursive_read_only: None,
    }
}
