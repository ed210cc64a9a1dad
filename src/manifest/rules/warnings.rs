//! What the server accepts with a word of caution: settings that are old, hidden or without effect.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::{APP_ARMOR, PodOrTemplate, SECCOMP_CONTAINER, SECCOMP_POD, is_same_armor};
use super::containers::every_container;
use super::fault::{items, text};
use super::quantity::Amount;
use super::{claim, drivers, env, names, overlaps, placement};
use crate::manifest::source::{At, Findings};

const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        r#"non-functional in v1.16+; use the "priorityClassName" field instead"#,
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        r#"non-functional in v1.11+; use the "sysctls" field instead"#,
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        r#"non-functional in v1.11+; use the "sysctls" field instead"#,
    ),
];
const USE_SECCOMP: &str = r#"non-functional in v1.27+; use the "seccompProfile" field instead"#;
const USE_APP_ARMOR: &str = r#"deprecated since v1.30; use the "appArmorProfile" field instead"#;

/// Warns about a pod.
pub(super) fn of_pod(meta: &ObjectMeta, spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    of_either((PodOrTemplate::Pod, meta, spec), at, found);
}

/// Warns about the template that stands at `at`.
pub(super) fn of_template(meta: &ObjectMeta, spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    of_either((PodOrTemplate::Template, meta, spec), at, found);
}

fn of_either(
    (of, meta, spec): (PodOrTemplate, &ObjectMeta, &PodSpec),
    at: &At<'_>,
    found: &mut Findings,
) {
    let spec_at = at.field("spec");
    let meta_at = at.field("metadata");
    placement::placement(spec, &spec_at, found);
    old_annotations((of, meta, spec), &meta_at.field("annotations"), found);
    for (index, volume) in items(&spec.volumes).iter().enumerate() {
        let at = spec_at.field("volumes");
        let at = at.index(index);
        old_volume(volume, &at, found);
        overlaps::overlapping_files(volume, &at, found);
    }
    repeated(spec, &spec_at, found);
    if let Some(overhead) = &spec.overhead {
        fractions(overhead, &spec_at.field("overhead"), found);
    }
    every_container(spec, &spec_at, &mut |container, at| {
        of_container(container, at, found);
    });
    overlaps::overlapping_ports(spec, &spec_at, found);
    if spec
        .termination_grace_period_seconds
        .is_some_and(|seconds| seconds < 0)
    {
        let message = "must be >= 0; negative values are invalid and will be treated as 1";
        found.warning(&spec_at.field("terminationGracePeriodSeconds"), message);
    }
    if let Some(affinity) = &spec.affinity {
        placement::null_selectors(affinity, &spec_at.field("affinity"), found);
    }
}

/// Warns about the name of an object whose pods are called after it.
pub(super) fn name(meta: &ObjectMeta, whose: Hostname, at: &At<'_>, found: &mut Findings) {
    let wrong = names::dns_label(text(&meta.name));
    if wrong.is_empty() || !names::dns_subdomain(text(&meta.name)).is_empty() {
        return;
    }
    let use_of_it = match whose {
        Hostname::OfItself => "the Pod's hostname",
        Hostname::OfItsPods => "Pod names and hostnames",
    };
    let wrong = wrong.join(" ");
    found.warning(&at.field("name"), format!("this is used in {use_of_it}, which can result in surprising behavior; a DNS label is recommended: [{wrong}]"));
}

/// Whose hostname a name becomes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hostname {
    OfItself,
    OfItsPods,
}

fn old_annotations(
    (of, meta, spec): (PodOrTemplate, &ObjectMeta, &PodSpec),
    at: &At<'_>,
    found: &mut Findings,
) {
    let Some(annotations) = &meta.annotations else {
        return;
    };
    for (key, message) in OLD_ANNOTATIONS {
        if annotations.contains_key(key) {
            found.warning(&at.key(key), message);
        }
    }
    let context = spec.security_context.as_ref();
    let has_seccomp = context.is_some_and(|context| context.seccomp_profile.is_some());
    if !has_seccomp && annotations.contains_key(SECCOMP_POD) {
        found.warning(&at.key(SECCOMP_POD), USE_SECCOMP);
    }
    let is_windows = spec.os.as_ref().is_some_and(|os| os.name == "windows");
    let armor = context.and_then(|context| context.app_armor_profile.as_ref());
    let is_told_by_pod = |old: &str| match of {
        // the server takes it for the container's own field, if it is another than the pod's
        PodOrTemplate::Pod => is_windows || armor.is_some_and(|armor| is_same_armor(armor, old)),
        PodOrTemplate::Template => armor.is_some(),
    };
    every_container(spec, &At::ROOT, &mut |container, _| {
        let context = container.security_context.as_ref();
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        let has_own = context.is_some_and(|context| context.seccomp_profile.is_some());
        if !has_own && annotations.contains_key(&key) {
            found.warning(&at.key(&key), USE_SECCOMP);
        }
        let key = format!("{APP_ARMOR}{}", container.name);
        let has_own = context.is_some_and(|context| context.app_armor_profile.is_some());
        if !has_own
            && annotations
                .get(&key)
                .is_some_and(|old| !is_told_by_pod(old))
        {
            found.warning(&at.key(&key), USE_APP_ARMOR);
        }
    });
}

fn old_volume(volume: &Volume, at: &At<'_>, found: &mut Findings) {
    let used = [
        (
            "photonPersistentDisk",
            volume.photon_persistent_disk.is_some(),
        ),
        ("gitRepo", volume.git_repo.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("storageos", volume.storageos.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("cephfs", volume.cephfs.is_some()),
        ("rbd", volume.rbd.is_some()),
    ];
    drivers::warn_of_old(&used, at, found);
    let template = volume
        .ephemeral
        .as_ref()
        .and_then(|one| one.volume_claim_template.as_ref());
    if let Some(template) = template {
        let at = at.field("ephemeral");
        let at = at.field("volumeClaimTemplate");
        claim::warn(&template.spec, &at.field("spec"), found);
    }
}

fn repeated(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, alias) in items(&spec.host_aliases).iter().enumerate() {
        if !seen.insert(&alias.ip) {
            let at = at.field("hostAliases");
            let message = format!("duplicate ip {:?}", alias.ip);
            found.warning(&at.index(index).field("ip"), message);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, secret) in items(&spec.image_pull_secrets).iter().enumerate() {
        let at = at.field("imagePullSecrets");
        let at = at.index(index);
        if !seen.insert(&secret.name) {
            let message = format!("duplicate name {:?}", secret.name);
            found.warning(&at.field("name"), message);
        }
        if secret.name.is_empty() {
            found.warning(&at.field("name"), "invalid empty name \"\"");
        }
    }
}

fn of_container(container: &Container, at: &At<'_>, found: &mut Findings) {
    if let Some(resources) = &container.resources {
        let at = at.field("resources");
        if let Some(limits) = &resources.limits {
            fractions(limits, &at.field("limits"), found);
        }
        if let Some(requests) = &resources.requests {
            fractions(requests, &at.field("requests"), found);
        }
    }
    env::warn_hidden(&container.env, &at.field("env"), found);
}

fn fractions(list: &BTreeMap<String, Quantity>, at: &At<'_>, found: &mut Findings) {
    for name in ["memory", "ephemeral-storage"] {
        let amount = list.get(name).and_then(|one| Amount::parse(&one.0).ok());
        if let Some(amount) = amount.filter(|amount| !amount.is_whole()) {
            let message =
                format!("fractional byte value \"{amount}\" is invalid, must be an integer");
            found.warning(&at.key(name), message);
        }
    }
}
