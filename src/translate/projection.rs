//! Volumes whose files are made from objects: `configMap`, `secret`, `downwardAPI`, `projected`.

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::quantity::Seconds;
use crate::model::volume::{
    DownwardFile, DownwardValue, FileMode, KeyItem, KeyProjection, ProjectedSource, ProjectionForm,
    VolumeSpec,
};
use crate::names::ObjectName;

use super::env::{self, Use};
use super::notes::{Notes, items};

/// How long a service account token is good for, by default.
pub(super) const TOKEN_LIFE: Seconds = Seconds(3600);

/// Translates a `configMap` volume.
pub(super) fn config_map(
    source: &v1::ConfigMapVolumeSource,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<VolumeSpec> {
    let v1::ConfigMapVolumeSource {
        default_mode,
        default_user,
        items: keys,
        name,
        optional,
    } = source;
    notes.not_yet_if(&at.field("defaultUser"), default_user.as_ref());
    let keys = key_items(items(keys.as_ref()), &at.field("items"), notes);
    let object = notes.parse(&at.field("name"), name, ObjectName::parse);
    Some(VolumeSpec::Projected {
        form: ProjectionForm::ConfigMap,
        default_mode: default(*default_mode, at, notes),
        sources: vec![ProjectedSource::ConfigMap(KeyProjection {
            object: object?,
            items: keys,
            optional: optional.unwrap_or(false),
        })],
    })
}

/// Translates a `secret` volume.
pub(super) fn secret(
    source: &v1::SecretVolumeSource,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<VolumeSpec> {
    let v1::SecretVolumeSource {
        default_mode,
        default_user,
        items: keys,
        optional,
        secret_name,
    } = source;
    notes.not_yet_if(&at.field("defaultUser"), default_user.as_ref());
    let keys = key_items(items(keys.as_ref()), &at.field("items"), notes);
    let name = secret_name.as_deref().unwrap_or_default();
    let object = notes.parse(&at.field("secretName"), name, ObjectName::parse);
    Some(VolumeSpec::Projected {
        form: ProjectionForm::Secret,
        default_mode: default(*default_mode, at, notes),
        sources: vec![ProjectedSource::Secret(KeyProjection {
            object: object?,
            items: keys,
            optional: optional.unwrap_or(false),
        })],
    })
}

/// Translates a `downwardAPI` volume.
pub(super) fn downward_api(
    source: &v1::DownwardAPIVolumeSource,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<VolumeSpec> {
    let v1::DownwardAPIVolumeSource {
        default_mode,
        default_user,
        items: files,
    } = source;
    notes.not_yet_if(&at.field("defaultUser"), default_user.as_ref());
    let files = downward_files(items(files.as_ref()), &at.field("items"), notes);
    Some(VolumeSpec::Projected {
        form: ProjectionForm::DownwardApi,
        default_mode: default(*default_mode, at, notes),
        sources: vec![ProjectedSource::DownwardApi(files)],
    })
}

/// Translates a `projected` volume.
pub(super) fn projected(
    source: &v1::ProjectedVolumeSource,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<VolumeSpec> {
    let v1::ProjectedVolumeSource {
        default_mode,
        default_user,
        sources,
    } = source;
    notes.not_yet_if(&at.field("defaultUser"), default_user.as_ref());
    let sources_at = at.field("sources");
    let mut all = Vec::new();
    for (index, source) in items(sources.as_ref()).iter().enumerate() {
        all.extend(one_of(source, &sources_at.index(index), notes));
    }
    Some(VolumeSpec::Projected {
        form: ProjectionForm::Projected,
        default_mode: default(*default_mode, at, notes),
        sources: all,
    })
}

fn one_of(
    source: &v1::VolumeProjection,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<ProjectedSource> {
    let v1::VolumeProjection {
        cluster_trust_bundle,
        config_map,
        downward_api,
        pod_certificate,
        secret,
        service_account_token,
    } = source;
    let not_yet = [
        ("clusterTrustBundle", cluster_trust_bundle.is_some()),
        ("podCertificate", pod_certificate.is_some()),
    ];
    notes.not_yet_of(at, &not_yet);
    if let Some(v1::ConfigMapProjection {
        items,
        name,
        optional,
    }) = config_map
    {
        let projection = keys(
            name,
            items.as_ref(),
            *optional,
            &at.field("configMap"),
            notes,
        );
        return projection.map(ProjectedSource::ConfigMap);
    }
    if let Some(v1::SecretProjection {
        items,
        name,
        optional,
    }) = secret
    {
        let projection = keys(name, items.as_ref(), *optional, &at.field("secret"), notes);
        return projection.map(ProjectedSource::Secret);
    }
    if let Some(v1::DownwardAPIProjection { items: files }) = downward_api {
        let at = at.field("downwardAPI");
        let files = downward_files(items(files.as_ref()), &at.field("items"), notes);
        return Some(ProjectedSource::DownwardApi(files));
    }
    let token = service_account_token.as_ref()?;
    Some(self::token(token, &at.field("serviceAccountToken"), notes))
}

fn keys(
    name: &str,
    list: Option<&Vec<v1::KeyToPath>>,
    optional: Option<bool>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<KeyProjection> {
    let items = key_items(items(list), &at.field("items"), notes);
    Some(KeyProjection {
        object: notes.parse(&at.field("name"), name, ObjectName::parse)?,
        items,
        optional: optional.unwrap_or(false),
    })
}

fn token(
    source: &v1::ServiceAccountTokenProjection,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> ProjectedSource {
    let v1::ServiceAccountTokenProjection {
        audience,
        expiration_seconds,
        path,
        user,
    } = source;
    notes.not_yet_if(&at.field("user"), user.as_ref());
    notes.not_yet(at);
    ProjectedSource::ServiceAccountToken {
        path: path.clone(),
        audience: audience.clone().filter(|audience| !audience.is_empty()),
        expiration: expiration_seconds
            .and_then(|seconds| notes.number(&at.field("expirationSeconds"), seconds))
            .map_or(TOKEN_LIFE, Seconds),
    }
}

fn key_items(list: &[v1::KeyToPath], at: &At<'_>, notes: &mut Notes<'_>) -> Vec<KeyItem> {
    let mut all = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let at = at.index(index);
        let v1::KeyToPath {
            key,
            mode,
            path,
            user,
        } = item;
        notes.not_yet_if(&at.field("user"), user.as_ref());
        all.push(KeyItem {
            key: key.clone(),
            path: path.clone(),
            mode: file_mode(*mode, &at.field("mode"), notes),
        });
    }
    all
}

fn downward_files(
    list: &[v1::DownwardAPIVolumeFile],
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Vec<DownwardFile> {
    let mut files = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let at = at.index(index);
        let v1::DownwardAPIVolumeFile {
            field_ref,
            mode,
            path,
            resource_field_ref,
            user,
        } = item;
        notes.not_yet_if(&at.field("user"), user.as_ref());
        let value = match (field_ref, resource_field_ref) {
            (Some(selector), _) => env::field(selector, &at.field("fieldRef"), Use::File, notes)
                .map(DownwardValue::Field),
            (None, Some(selector)) => env::resource(selector, &at.field("resourceFieldRef"), notes)
                .map(DownwardValue::Resource),
            (None, None) => {
                notes.required(&at, "one of fieldRef and resourceFieldRef is required");
                None
            }
        };
        let mode = file_mode(*mode, &at.field("mode"), notes);
        files.extend(value.map(|value| DownwardFile {
            path: path.clone(),
            value,
            mode,
        }));
    }
    files
}

fn default(mode: Option<i32>, at: &At<'_>, notes: &mut Notes<'_>) -> FileMode {
    file_mode(mode, &at.field("defaultMode"), notes).unwrap_or(FileMode::DEFAULT)
}

fn file_mode(mode: Option<i32>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<FileMode> {
    let mode = mode?;
    let bits = u16::try_from(mode).ok().filter(|bits| *bits <= 0o777);
    if bits.is_none() {
        notes.invalid(
            at,
            mode,
            "must be a number between 0 and 0777 (octal), both inclusive",
        );
    }
    bits.map(FileMode)
}
