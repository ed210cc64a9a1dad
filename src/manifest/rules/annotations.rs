//! Annotations that mean something to a pod, most of them older than the fields that replaced them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{AppArmorProfile, PodSpec, SeccompProfile, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::containers::every_container;
use super::fault::{Faults as _, text};
use super::{paths, scheduling};
use crate::manifest::source::{At, Findings};

/// What a pod spec belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum PodOrTemplate {
    Pod,
    Template,
}

/// The profile of one container, by its name.
pub(super) const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
pub(super) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
pub(super) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const MIRROR: &str = "kubernetes.io/config.mirror";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const OTHER_TYPE: &str = "type in annotation and field must match";

/// Checks the annotations of a pod or template that the server reads.
pub(super) fn of_pod(meta: &ObjectMeta, spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let Some(annotations) = &meta.annotations else {
        return;
    };
    if let Some(mirror) = annotations.get(MIRROR)
        && text(&spec.node_name).is_empty()
    {
        let message = "must set spec.nodeName if mirror pod annotation is set";
        found.invalid(&at.key(MIRROR), mirror, message);
    }
    if let Some(json) = annotations.get(TOLERATIONS).filter(|json| !json.is_empty()) {
        let (key_at, shown) = (at.key(TOLERATIONS), format!(".{TOLERATIONS}"));
        match serde_json::from_str::<Vec<Toleration>>(json) {
            Ok(list) => scheduling::tolerations(&list, &at.shown_as(&shown, &key_at), found),
            Err(error) => {
                let at = at.shown_as("", &key_at);
                found.invalid(&at, TOLERATIONS, &error.to_string());
            }
        }
    }
    if let Some(cost) = annotations.get(DELETION_COST)
        && !is_cost(cost)
    {
        let message = "must be a 32bit integer";
        found.invalid(&at.key(DELETION_COST), cost, message);
    }
    for (key, profile) in annotations {
        if key == SECCOMP_POD || key.starts_with(SECCOMP_CONTAINER) {
            let (key_at, shown) = (at.key(key), format!(".{key}"));
            seccomp(profile, &at.shown_as(&shown, &key_at), found);
        }
    }
    app_armor(annotations, spec, at, found);
}

fn is_cost(cost: &str) -> bool {
    let is_padded = cost.len() > 1 && cost.starts_with('0');
    !is_padded && !cost.starts_with('+') && cost.parse::<i32>().is_ok()
}

fn seccomp(profile: &str, at: &At<'_>, found: &mut Findings) {
    if ["runtime/default", "docker/default", "unconfined"].contains(&profile) {
        return;
    }
    match profile.strip_prefix("localhost/") {
        Some(path) => paths::descending(path, at, found),
        None => found.invalid(at, profile, "must be a valid seccomp profile"),
    }
}

fn app_armor(
    annotations: &BTreeMap<String, String>,
    spec: &PodSpec,
    at: &At<'_>,
    found: &mut Findings,
) {
    let mut containers = BTreeSet::new();
    every_container(spec, &At::ROOT, &mut |container, _| {
        containers.insert(container.name.clone());
    });
    for (key, profile) in annotations {
        let Some(name) = key.strip_prefix(APP_ARMOR) else {
            continue;
        };
        let at = at.key(key);
        if !containers.contains(name) {
            found.invalid(&at, name, "container not found");
        }
        let is_known = ["", "runtime/default", "unconfined"].contains(&profile.as_str());
        if !is_known && !profile.starts_with("localhost/") {
            let message = format!("invalid AppArmor profile name: {profile:?}");
            found.invalid(&at, profile, &message);
        }
    }
}

/// Checks that annotations say what the fields say that replaced them.
pub(super) fn match_fields(
    (of, meta, spec): (PodOrTemplate, &ObjectMeta, &PodSpec),
    at: &At<'_>,
    found: &mut Findings,
) {
    let Some(annotations) = &meta.annotations else {
        return;
    };
    let context = spec.security_context.as_ref();
    let of_pod = context.and_then(|context| context.seccomp_profile.as_ref());
    if let (Some(profile), Some(old)) = (of_pod, annotations.get(SECCOMP_POD)) {
        let at = at.field("securityContext");
        seccomp_matches(profile, old, &at.field("seccompProfile"), found);
    }
    let is_windows = spec.os.as_ref().is_some_and(|os| os.name == "windows");
    let armor_of_pod = context.and_then(|context| context.app_armor_profile.as_ref());
    every_container(spec, at, &mut |container, at| {
        let context = container.security_context.as_ref();
        let at = at.field("securityContext");
        let seccomp = context.and_then(|context| context.seccomp_profile.as_ref());
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        if let (Some(profile), Some(old)) = (seccomp, annotations.get(&key)) {
            seccomp_matches(profile, old, &at.field("seccompProfile"), found);
        }
        let armor = context.and_then(|context| context.app_armor_profile.as_ref());
        let key = format!("{APP_ARMOR}{}", container.name);
        if let Some(old) = annotations.get(&key)
            && let Some(profile) = match of {
                // the server gives a container what its annotation says before it looks
                PodOrTemplate::Pod if is_armor(old) => armor,
                PodOrTemplate::Pod | PodOrTemplate::Template => armor.or(armor_of_pod),
            }
            && !is_windows
        {
            armor_matches(profile, old, &at.field("appArmorProfile"), found);
        }
    });
}

fn seccomp_matches(profile: &SeccompProfile, old: &str, at: &At<'_>, found: &mut Findings) {
    let is_same = match profile.type_.as_str() {
        "Unconfined" => old == "unconfined",
        "RuntimeDefault" => ["runtime/default", "docker/default"].contains(&old),
        "Localhost" => old.starts_with("localhost/"),
        _ => true,
    };
    if !is_same {
        found.forbidden(&at.field("type"), &format!("seccomp {OTHER_TYPE}"));
    } else if profile.type_ == "Localhost"
        && old.strip_prefix("localhost/") != profile.localhost_profile.as_deref()
    {
        let message = "seccomp profile in annotation and field must match";
        found.forbidden(&at.field("localhostProfile"), message);
    }
}

/// Tells whether an annotation names a profile that a field can have too.
fn is_armor(old: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.trim() == name && name.len() <= 4095;
    match old.strip_prefix("localhost/") {
        Some(name) => is_name(name),
        None => ["unconfined", "runtime/default"].contains(&old),
    }
}

/// Tells whether a profile is the one that an annotation names.
pub(super) fn is_same_armor(profile: &AppArmorProfile, old: &str) -> bool {
    let mut found = Findings::default();
    armor_matches(profile, old, &At::ROOT, &mut found);
    found.0.is_empty() && is_armor(old)
}

fn armor_matches(profile: &AppArmorProfile, old: &str, at: &At<'_>, found: &mut Findings) {
    let is_same = match profile.type_.as_str() {
        "Unconfined" => old == "unconfined",
        "RuntimeDefault" => old == "runtime/default",
        "Localhost" => old.starts_with("localhost/"),
        _ => true,
    };
    if !is_same {
        found.forbidden(&at.field("type"), &format!("apparmor {OTHER_TYPE}"));
    } else if profile.type_ == "Localhost"
        && old.strip_prefix("localhost/") != profile.localhost_profile.as_deref()
    {
        let message = "apparmor profile in annotation and field must match";
        found.forbidden(&at.field("localhostProfile"), message);
    }
}
