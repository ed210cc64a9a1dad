//! What the server accepts with a word of caution: settings that are old, hidden or without effect.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Affinity, Container, ContainerPort, NodeSelectorTerm, PodAffinityTerm, PodSpec, Volume,
    WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::{APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD};
use super::containers::every_container;
use super::fault::{items, text, text_or};
use super::quantity::Amount;
use super::{claim, env};
use crate::manifest::source::{At, FieldPath, Findings};

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
const OLD_LABELS: [(&str, &str); 5] = [
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
];
const USE_SECCOMP: &str = r#"non-functional in v1.27+; use the "seccompProfile" field instead"#;
const USE_APP_ARMOR: &str = r#"deprecated since v1.30; use the "appArmorProfile" field instead"#;
const NULL_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// Warns about a pod, or about the template that stands at `at`.
pub(super) fn of_pod(meta: &ObjectMeta, spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let spec_at = at.field("spec");
    let meta_at = at.field("metadata");
    placement(spec, &spec_at, found);
    old_annotations(meta, spec, &meta_at.field("annotations"), found);
    for (index, volume) in items(&spec.volumes).iter().enumerate() {
        old_volume(volume, &spec_at.field("volumes").index(index), found);
    }
    token_paths(spec, &spec_at.field("volumes"), found);
    repeated(spec, &spec_at, found);
    if let Some(overhead) = &spec.overhead {
        fractions(overhead, &spec_at.field("overhead"), found);
    }
    every_container(spec, &spec_at, &mut |container, at| {
        of_container(container, at, found);
    });
    overlapping_ports(spec, &spec_at, found);
    if spec
        .termination_grace_period_seconds
        .is_some_and(|seconds| seconds < 0)
    {
        let message = "must be >= 0; negative values are invalid and will be treated as 1";
        found.warning(&spec_at.field("terminationGracePeriodSeconds"), message);
    }
    if let Some(affinity) = &spec.affinity {
        null_selectors(affinity, &spec_at.field("affinity"), found);
    }
}

fn old_label(key: &str) -> Option<&'static str> {
    let found = OLD_LABELS.iter().find(|(old, _)| *old == key);
    found.map(|(_, message)| *message)
}

fn placement(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    for key in spec.node_selector.iter().flat_map(BTreeMap::keys) {
        if let Some(message) = old_label(key) {
            found.warning(&at.field("nodeSelector").key(key), message);
        }
    }
    let affinity = spec.affinity.as_ref();
    if let Some(node) = affinity.and_then(|affinity| affinity.node_affinity.as_ref()) {
        let at = at.field("affinity");
        let at = at.field("nodeAffinity");
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            let at = at.field("requiredDuringSchedulingIgnoredDuringExecution");
            let at = at.field("nodeSelectorTerms");
            for (index, term) in required.node_selector_terms.iter().enumerate() {
                old_term(term, &at.index(index), found);
            }
        }
        let preferred = &node.preferred_during_scheduling_ignored_during_execution;
        let at = at.field("preferredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in items(preferred).iter().enumerate() {
            old_term(
                &term.preference,
                &at.index(index).field("preference"),
                found,
            );
        }
    }
    let constraints = items(&spec.topology_spread_constraints).iter();
    for (index, constraint) in constraints.enumerate() {
        let at = at.field("topologySpreadConstraints");
        let at = at.index(index);
        let key = &constraint.topology_key;
        if let Some(message) = old_label(key) {
            found.warning(&at.field("topologyKey"), format!("{key} is {message}"));
        }
        if constraint.label_selector.is_none() {
            found.warning(&at.field("labelSelector"), NULL_SELECTOR);
        }
    }
}

fn old_term(term: &NodeSelectorTerm, at: &At<'_>, found: &mut Findings) {
    for (index, rule) in items(&term.match_expressions).iter().enumerate() {
        if let Some(message) = old_label(&rule.key) {
            let at = at.field("matchExpressions");
            let at = at.index(index);
            found.warning(&at.field("key"), format!("{} is {message}", rule.key));
        }
    }
}

fn old_annotations(meta: &ObjectMeta, spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
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
    let has_armor = context.is_some_and(|context| context.app_armor_profile.is_some());
    every_container(spec, &At::ROOT, &mut |container, _| {
        let context = container.security_context.as_ref();
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        let has_own = context.is_some_and(|context| context.seccomp_profile.is_some());
        if !has_own && annotations.contains_key(&key) {
            found.warning(&at.key(&key), USE_SECCOMP);
        }
        let key = format!("{APP_ARMOR}{}", container.name);
        let has_own = context.is_some_and(|context| context.app_armor_profile.is_some());
        if !has_own && !has_armor && annotations.contains_key(&key) {
            found.warning(&at.key(&key), USE_APP_ARMOR);
        }
    });
}

fn old_volume(volume: &Volume, at: &At<'_>, found: &mut Findings) {
    let old = [
        (
            "photonPersistentDisk",
            volume.photon_persistent_disk.is_some(),
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        (
            "gitRepo",
            volume.git_repo.is_some(),
            "deprecated in v1.11, and disabled by default in v1.33+",
        ),
        (
            "scaleIO",
            volume.scale_io.is_some(),
            "deprecated in v1.16, non-functional in v1.22+",
        ),
        (
            "flocker",
            volume.flocker.is_some(),
            "deprecated in v1.22, non-functional in v1.25+",
        ),
        (
            "storageos",
            volume.storageos.is_some(),
            "deprecated in v1.22, non-functional in v1.25+",
        ),
        (
            "quobyte",
            volume.quobyte.is_some(),
            "deprecated in v1.22, non-functional in v1.25+",
        ),
        (
            "glusterfs",
            volume.glusterfs.is_some(),
            "deprecated in v1.25, non-functional in v1.26+",
        ),
        (
            "cephfs",
            volume.cephfs.is_some(),
            "deprecated in v1.28, non-functional in v1.31+",
        ),
        (
            "rbd",
            volume.rbd.is_some(),
            "deprecated in v1.28, non-functional in v1.31+",
        ),
    ];
    for (field, _, message) in old.into_iter().filter(|(_, is_used, _)| *is_used) {
        found.warning(&at.field(field), message);
    }
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

/// Warns of files that a projected token may hide.
fn token_paths(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let sources = |volume: &'_ Volume| volume.projected.clone().and_then(|one| one.sources);
    let volumes = items(&spec.volumes);
    let tokens: BTreeSet<String> = volumes
        .iter()
        .filter_map(sources)
        .flatten()
        .filter_map(|source| source.service_account_token.map(|token| token.path))
        .collect();
    for (index, volume) in volumes.iter().enumerate() {
        let at = at.index(index);
        let at = at.field("projected");
        let at = at.field("sources");
        for (index, source) in sources(volume).unwrap_or_default().iter().enumerate() {
            let maps = source.config_map.iter().flat_map(|map| items(&map.items));
            let secrets = source.secret.iter().flat_map(|secret| items(&secret.items));
            let facts = source.downward_api.iter().flat_map(|api| items(&api.items));
            let paths = maps.chain(secrets).map(|item| &item.path);
            for path in paths.chain(facts.map(|item| &item.path)) {
                if tokens.contains(path) {
                    let message = format!("has duplicated path with ServiceAccountToken {path:?}");
                    found.warning(&at.index(index), message);
                }
            }
        }
    }
}

fn repeated(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let aliases = items(&spec.host_aliases);
    for (index, alias) in aliases.iter().enumerate() {
        if aliases[..index].iter().any(|other| other.ip == alias.ip) {
            let at = at.field("hostAliases");
            let message = format!("duplicate ip {:?}", alias.ip);
            found.warning(&at.index(index).field("ip"), message);
        }
    }
    let secrets = items(&spec.image_pull_secrets);
    for (index, secret) in secrets.iter().enumerate() {
        let at = at.field("imagePullSecrets");
        let at = at.index(index);
        if secrets[..index].contains(secret) {
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

fn overlapping_ports(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let mut seen: Vec<(ContainerPort, FieldPath)> = Vec::new();
    every_container(spec, at, &mut |container, at| {
        let at = at.field("ports");
        for (index, port) in items(&container.ports).iter().enumerate() {
            let at = at.index(index);
            if !text(&port.host_ip).is_empty() && port.host_port.unwrap_or_default() == 0 {
                let number = port.container_port;
                found.warning(&at, format!("hostIP set without hostPort: {number}"));
            }
            for (other, path) in &seen {
                if let Some(how) = overlap(port, other) {
                    found.warning(&at, format!("{how} port definition with {path}"));
                }
            }
            seen.push((port.clone(), at.to_path()));
        }
    });
}

fn overlap(one: &ContainerPort, other: &ContainerPort) -> Option<&'static str> {
    let protocol = |port: &'_ ContainerPort| text_or(&port.protocol, "TCP").to_owned();
    let number = |port: &ContainerPort| port.host_port.unwrap_or_default();
    if one.container_port != other.container_port || protocol(one) != protocol(other) {
        return None;
    }
    let (a, b) = (text(&one.host_ip), text(&other.host_ip));
    if a == b && number(one) == number(other) {
        Some("duplicate")
    } else if number(one) == 0 || number(other) == 0 {
        Some("overlapping")
    } else if number(one) == number(other) && a.is_empty() != b.is_empty() {
        Some("dangerously ambiguous")
    } else {
        None
    }
}

fn null_selectors(affinity: &Affinity, at: &At<'_>, found: &mut Findings) {
    if let Some(pods) = &affinity.pod_affinity {
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        null_terms(
            items(required),
            items(preferred),
            &at.field("podAffinity"),
            found,
        );
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        null_terms(
            items(required),
            items(preferred),
            &at.field("podAntiAffinity"),
            found,
        );
    }
}

fn null_terms(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    at: &At<'_>,
    found: &mut Findings,
) {
    let required_at = at.field("requiredDuringSchedulingIgnoredDuringExecution");
    for (index, term) in required.iter().enumerate() {
        if term.label_selector.is_none() {
            found.warning(
                &required_at.index(index).field("labelSelector"),
                NULL_SELECTOR,
            );
        }
    }
    let preferred_at = at.field("preferredDuringSchedulingIgnoredDuringExecution");
    for (index, term) in preferred.iter().enumerate() {
        if term.pod_affinity_term.label_selector.is_none() {
            let at = preferred_at.index(index);
            let at = at.field("podAffinityTerm");
            found.warning(&at.field("labelSelector"), NULL_SELECTOR);
        }
    }
}
