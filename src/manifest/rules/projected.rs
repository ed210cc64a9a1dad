//! Volumes of files that come from the API: ConfigMaps, Secrets, the downward API, tokens.
//!
//! Upstream blames the items of the downward API on the volume; here the paths name the item.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, DownwardAPIVolumeFile, DownwardAPIVolumeSource, KeyToPath,
    ProjectedVolumeSource, SecretVolumeSource, ServiceAccountTokenProjection, VolumeProjection,
};

use super::env::{self, Holder, OF_FILES};
use super::fault::{Faults as _, items, text};
use super::{paths, trust};
use crate::manifest::source::{At, Findings};

const SHORTEST_TOKEN: i64 = 600;
const LONGEST_TOKEN: i64 = 1 << 32;

/// Checks a volume of a Secret's keys.
pub(super) fn secret(source: &SecretVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("secretName"), text(&source.secret_name));
    mode(source.default_mode, &at.field("defaultMode"), found);
    keys(items(&source.items), &at.field("items"), found);
}

/// Checks a volume of a ConfigMap's keys.
pub(super) fn config_map(source: &ConfigMapVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("name"), &source.name);
    mode(source.default_mode, &at.field("defaultMode"), found);
    keys(items(&source.items), &at.field("items"), found);
}

/// Checks a volume of facts about the pod.
pub(super) fn downward_api(source: &DownwardAPIVolumeSource, at: &At<'_>, found: &mut Findings) {
    mode(source.default_mode, &at.field("defaultMode"), found);
    for (index, file) in items(&source.items).iter().enumerate() {
        downward_file(file, &at.field("items").index(index), found);
    }
}

/// Checks a volume that lays several sources together.
pub(super) fn projected(source: &ProjectedVolumeSource, at: &At<'_>, found: &mut Findings) {
    mode(source.default_mode, &at.field("defaultMode"), found);
    let mut taken = BTreeSet::new();
    let list_at = at.field("sources");
    for (index, one) in items(&source.sources).iter().enumerate() {
        projection(one, &mut taken, at, &list_at.index(index), found);
    }
}

type Taken<'a> = BTreeSet<&'a str>;

fn projection<'a>(
    source: &'a VolumeProjection,
    taken: &mut Taken<'a>,
    volume_at: &At<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    if let Some(secret) = &source.secret {
        let at = at.field("secret");
        found.not_empty(&at.field("name"), &secret.name);
        keys(items(&secret.items), &at.field("items"), found);
        let paths = items(&secret.items).iter().map(|item| item.path.as_str());
        collisions(paths, Some(&secret.name), taken, volume_at, found);
    }
    if let Some(map) = &source.config_map {
        let at = at.field("configMap");
        found.not_empty(&at.field("name"), &map.name);
        keys(items(&map.items), &at.field("items"), found);
        let paths = items(&map.items).iter().map(|item| item.path.as_str());
        collisions(paths, Some(&map.name), taken, volume_at, found);
    }
    if let Some(api) = &source.downward_api {
        let at = at.field("downwardAPI");
        for (index, file) in items(&api.items).iter().enumerate() {
            downward_file(file, &at.field("items").index(index), found);
        }
        let paths = items(&api.items).iter().map(|item| item.path.as_str());
        collisions(paths, None, taken, volume_at, found);
    }
    if let Some(source) = &source.service_account_token {
        token(source, volume_at, &at.field("serviceAccountToken"), found);
    }
    if let Some(source) = &source.cluster_trust_bundle {
        trust::bundle(source, &at.field("clusterTrustBundle"), found);
    }
    let sources = [
        source.secret.is_some(),
        source.config_map.is_some(),
        source.downward_api.is_some(),
        source.service_account_token.is_some(),
    ];
    if sources.into_iter().filter(|is_set| *is_set).count() > 1 {
        let message = "may not specify more than 1 volume type per source";
        found.forbidden(at, message);
    }
}

fn collisions<'a>(
    paths: impl Iterator<Item = &'a str>,
    name: Option<&str>,
    taken: &mut Taken<'a>,
    at: &At<'_>,
    found: &mut Findings,
) {
    for path in paths.filter(|path| !path.is_empty()) {
        if !taken.insert(path) {
            found.invalid(at, name.unwrap_or(path), "conflicting duplicate paths");
        }
    }
}

fn token(
    source: &ServiceAccountTokenProjection,
    volume_at: &At<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let seconds_at = at.field("expirationSeconds");
    let seconds = source.expiration_seconds.unwrap_or(3600);
    if seconds < SHORTEST_TOKEN {
        let message = "may not specify a duration less than 10 minutes";
        found.invalid(&seconds_at, seconds, message);
    }
    if seconds > LONGEST_TOKEN {
        let message = "may not specify a duration larger than 2^32 seconds";
        found.invalid(&seconds_at, seconds, message);
    }
    let path_at = at.field("path");
    let at = volume_at.shown_as(".path", &path_at);
    if source.path.is_empty() {
        found.required(&at, "");
    } else {
        paths::projected(&source.path, &at, found);
    }
}

fn keys(keys: &[KeyToPath], at: &At<'_>, found: &mut Findings) {
    for (index, key) in keys.iter().enumerate() {
        let at = at.index(index);
        found.not_empty(&at.field("key"), &key.key);
        found.not_empty(&at.field("path"), &key.path);
        paths::projected(&key.path, &at.field("path"), found);
        mode(key.mode, &at.field("mode"), found);
    }
}

fn downward_file(file: &DownwardAPIVolumeFile, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("path"), &file.path);
    paths::projected(&file.path, &at.field("path"), found);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), resource) => {
            env::field_ref(field, &OF_FILES, &at.field("fieldRef"), found);
            if resource.is_some() {
                let message = "fieldRef and resourceFieldRef can not be specified simultaneously";
                found.invalid(at, "resource", message);
            }
        }
        (None, Some(resource)) => {
            let at = at.field("resourceFieldRef");
            env::resource_ref(resource, Holder::File, &at, found);
        }
        (None, None) => {
            found.required(at, "one of fieldRef and resourceFieldRef is required");
        }
    }
    mode(file.mode, &at.field("mode"), found);
}

fn mode(mode: Option<i32>, at: &At<'_>, found: &mut Findings) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let message = "must be a number between 0 and 0777 (octal), both inclusive";
        found.invalid(at, mode, message);
    }
}
