//! Warnings of choices of nodes and neighbours: labels that nodes no longer carry, selectors that
//! match nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, NodeSelectorTerm, PodAffinityTerm, PodSpec, WeightedPodAffinityTerm,
};

use super::fault::items;
use super::names;
use crate::manifest::source::{At, Findings};

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

const NULL_SELECTOR: &str = "a null labelSelector results in matching no pod";

fn old_label(key: &str) -> Option<&'static str> {
    let found = OLD_LABELS.iter().find(|(old, _)| *old == key);
    found.map(|(_, message)| *message)
}

pub(super) fn placement(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
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
            let at = at.index(index);
            let at = at.field("preference");
            old_term(&term.preference, &at, found);
            odd_values(&term.preference, &at, found);
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

pub(super) fn old_term(term: &NodeSelectorTerm, at: &At<'_>, found: &mut Findings) {
    for (index, rule) in items(&term.match_expressions).iter().enumerate() {
        if let Some(message) = old_label(&rule.key) {
            let at = at.field("matchExpressions");
            let at = at.index(index);
            found.warning(&at.field("key"), format!("{} is {message}", rule.key));
        }
    }
}

/// Warns of values that no label can have; only of a preference the server takes them.
fn odd_values(term: &NodeSelectorTerm, at: &At<'_>, found: &mut Findings) {
    let at = at.field("matchExpressions");
    for (index, rule) in items(&term.match_expressions).iter().enumerate() {
        let at = at.index(index);
        let at = at.field("values");
        for (index, value) in items(&rule.values).iter().enumerate() {
            for message in names::label_value(value) {
                found.warning(&at.index(index), format!("{value} is invalid, {message}"));
            }
        }
    }
}

pub(super) fn null_selectors(affinity: &Affinity, at: &At<'_>, found: &mut Findings) {
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
