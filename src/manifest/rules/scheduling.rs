//! Where a pod may run: affinity, tolerations, spread.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, Toleration,
    TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::fault::{Faults as _, items, text};
use super::{metadata, names, selector};
use crate::manifest::source::{At, Findings};

type Map = BTreeMap<String, String>;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATORS: [&str; 2] = ["Equal", "Exists"];
const ACTIONS: [&str; 2] = ["DoNotSchedule", "ScheduleAnyway"];
const NODE_POLICIES: [&str; 2] = ["Honor", "Ignore"];
const NO_OPERATOR: &str = "not a valid selector operator";
const BOTH_KEYS: &str = "exists in both matchLabelKeys and labelSelector";
const NO_SELECTOR: &str = "must not be specified when labelSelector is not set";

/// Checks what a pod wants of nodes and of its neighbours.
///
/// The labels are those of a pod that stands for itself.
pub(super) fn affinity(
    affinity: &Affinity,
    labels: Option<&Map>,
    at: &At<'_>,
    found: &mut Findings,
) {
    if let Some(node) = &affinity.node_affinity {
        let at = at.field("nodeAffinity");
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            node_selector(required, &at.field(REQUIRED), found);
        }
        let preferred = &node.preferred_during_scheduling_ignored_during_execution;
        let at = at.field(PREFERRED);
        for (index, term) in items(preferred).iter().enumerate() {
            let at = at.index(index);
            weight(term.weight, &at.field("weight"), found);
            let preference_at = at.field("preference");
            node_term(&term.preference, LabelValues::Any, &preference_at, found);
        }
    }
    if let Some(pods) = &affinity.pod_affinity {
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        neighbours(
            items(required),
            items(preferred),
            labels,
            &at.field("podAffinity"),
            found,
        );
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        neighbours(
            items(required),
            items(preferred),
            labels,
            &at.field("podAntiAffinity"),
            found,
        );
    }
}

fn neighbours(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    labels: Option<&Map>,
    at: &At<'_>,
    found: &mut Findings,
) {
    for (index, term) in required.iter().enumerate() {
        pod_term(term, labels, &at.field(REQUIRED).index(index), found);
    }
    for (index, term) in preferred.iter().enumerate() {
        let at = at.field(PREFERRED);
        let at = at.index(index);
        weight(term.weight, &at.field("weight"), found);
        let term_at = at.field("podAffinityTerm");
        pod_term(&term.pod_affinity_term, labels, &term_at, found);
    }
}

fn weight(weight: i32, at: &At<'_>, found: &mut Findings) {
    if !(1..=100).contains(&weight) {
        found.invalid(at, weight, "must be in the range 1-100");
    }
}

/// Checks a choice of nodes.
pub(super) fn node_selector(chosen: &NodeSelector, at: &At<'_>, found: &mut Findings) {
    let at = at.field("nodeSelectorTerms");
    if chosen.node_selector_terms.is_empty() {
        found.required(&at, "must have at least one node selector term");
    }
    for (index, term) in chosen.node_selector_terms.iter().enumerate() {
        node_term(term, LabelValues::Right, &at.index(index), found);
    }
}

/// Whether the values of a requirement must be right; a preference may name what no node has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LabelValues {
    Right,
    Any,
}

fn node_term(term: &NodeSelectorTerm, values: LabelValues, at: &At<'_>, found: &mut Findings) {
    for (index, rule) in items(&term.match_expressions).iter().enumerate() {
        let at = at.field("matchExpressions");
        node_label(rule, values, &at.index(index), found);
    }
    for (index, rule) in items(&term.match_fields).iter().enumerate() {
        node_field(rule, &at.field("matchFields").index(index), found);
    }
}

fn node_label(
    rule: &NodeSelectorRequirement,
    values: LabelValues,
    at: &At<'_>,
    found: &mut Findings,
) {
    let list = items(&rule.values);
    let values_at = at.field("values");
    match rule.operator.as_str() {
        "In" | "NotIn" if list.is_empty() => found.required(
            &values_at,
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        "Exists" | "DoesNotExist" if !list.is_empty() => found.forbidden(
            &values_at,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        "Gt" | "Lt" if list.len() != 1 => found.required(
            &values_at,
            "must be specified single value when `operator` is 'Lt' or 'Gt'",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => found.invalid(&at.field("operator"), other, NO_OPERATOR),
    }
    metadata::label_key(&rule.key, &at.field("key"), found);
    if values == LabelValues::Right {
        for (index, value) in list.iter().enumerate() {
            found.invalid_each(&values_at.index(index), value, names::label_value(value));
        }
    }
}

fn node_field(rule: &NodeSelectorRequirement, at: &At<'_>, found: &mut Findings) {
    let list = items(&rule.values);
    match rule.operator.as_str() {
        "In" | "NotIn" => {
            if list.len() != 1 {
                let message = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                found.required(&at.field("values"), message);
            }
        }
        other => found.invalid(&at.field("operator"), other, NO_OPERATOR),
    }
    if rule.key != "metadata.name" {
        let message = "not a valid field selector key";
        found.invalid(&at.field("key"), &rule.key, message);
        return;
    }
    for (index, value) in list.iter().enumerate() {
        let at = at.field("values");
        found.invalid_each(&at.index(index), value, names::dns_subdomain(value));
    }
}

fn pod_term(term: &PodAffinityTerm, labels: Option<&Map>, at: &At<'_>, found: &mut Findings) {
    if let Some(chosen) = &term.label_selector {
        selector::label_selector(chosen, &at.field("labelSelector"), found);
    }
    if let Some(chosen) = &term.namespace_selector {
        selector::label_selector(chosen, &at.field("namespaceSelector"), found);
    }
    for (index, name) in items(&term.namespaces).iter().enumerate() {
        let list_at = at.field("namespaces");
        let name_at = list_at.index(index);
        let at = at.shown_as(".namespace", &name_at);
        found.invalid_each(&at, name, names::dns_label(name));
    }
    term_keys(term, at, found);
    let chosen = (items(&term.match_label_keys), term.label_selector.as_ref());
    keys_twice(chosen, labels, at, found);
    let at = at.field("topologyKey");
    if term.topology_key.is_empty() {
        found.required(&at, "can not be empty");
    }
    metadata::label_key(&term.topology_key, &at, found);
}

fn term_keys(term: &PodAffinityTerm, at: &At<'_>, found: &mut Findings) {
    let chosen = term.label_selector.as_ref();
    let lists = [
        ("matchLabelKeys", items(&term.match_label_keys)),
        ("mismatchLabelKeys", items(&term.mismatch_label_keys)),
    ];
    for (field, keys) in lists {
        label_keys(keys, chosen, &at.field(field), found);
    }
    let at = at.field("matchLabelKeys");
    let unwanted: BTreeSet<&String> = items(&term.mismatch_label_keys).iter().collect();
    for (index, key) in items(&term.match_label_keys).iter().enumerate() {
        if unwanted.contains(key) {
            let message = "exists in both matchLabelKeys and mismatchLabelKeys";
            found.invalid(&at.index(index), key, message);
        }
    }
}

/// Checks the keys of labels that narrow a selector, without which they mean nothing.
fn label_keys(keys: &[String], chosen: Option<&LabelSelector>, at: &At<'_>, found: &mut Findings) {
    if !keys.is_empty() && chosen.is_none() {
        found.forbidden(at, NO_SELECTOR);
        return;
    }
    for (index, key) in keys.iter().enumerate() {
        metadata::label_key(key, &at.index(index), found);
    }
}

/// Checks that the keys of `matchLabelKeys` are not in the selector beside them already.
///
/// The server adds a rule for each such key to the selector of a pod that has the label, then looks
/// for keys that come twice; it blames the index of the key on what holds the list. It does so for
/// terms of an affinity, and since 1.34 for constraints of a spread too (KEP-3243).
fn keys_twice(
    (keys, chosen): (&[String], Option<&LabelSelector>),
    labels: Option<&Map>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let Some(chosen) = chosen else {
        return;
    };
    let by_label = chosen.match_labels.iter().flatten();
    let mut seen: BTreeSet<&str> = by_label.map(|(key, _)| key.as_str()).collect();
    let written = items(&chosen.match_expressions).iter();
    let written = written.map(|rule| rule.key.as_str());
    let has_label = |key: &&String| labels.is_some_and(|labels| labels.contains_key(*key));
    let added = keys.iter().filter(has_label).map(String::as_str);
    let list_at = at.field("matchLabelKeys");
    for key in written.chain(added) {
        let index = keys.iter().rposition(|one| one == key);
        if let Some(index) = index.filter(|_| seen.contains(key)) {
            let (key_at, shown) = (list_at.index(index), format!("[{index}]"));
            found.invalid(&at.shown_as(&shown, &key_at), key, BOTH_KEYS);
        }
        seen.insert(key);
    }
}

/// Checks which taints of nodes a pod bears.
pub(super) fn tolerations(list: &[Toleration], at: &At<'_>, found: &mut Findings) {
    for (index, toleration) in list.iter().enumerate() {
        one_toleration(toleration, &at.index(index), found);
    }
}

fn one_toleration(toleration: &Toleration, at: &At<'_>, found: &mut Findings) {
    let (key, value) = (text(&toleration.key), text(&toleration.value));
    let (operator, effect) = (text(&toleration.operator), text(&toleration.effect));
    let (operator_at, value_at) = (at.field("operator"), at.field("value"));
    if !key.is_empty() {
        metadata::label_key(key, &at.field("key"), found);
    } else if operator != "Exists" {
        let message = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        found.invalid(&operator_at, operator, message);
    }
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        let message = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        found.invalid(&at.field("effect"), effect, message);
    }
    match operator {
        "" | "Equal" => {
            let wrong = names::label_value(value);
            if !wrong.is_empty() {
                let at = at.shown_as(".operator", &value_at);
                found.invalid(&at, value, &wrong.join(";"));
            }
        }
        "Exists" => {
            if !value.is_empty() {
                let message = "value must be empty when `operator` is 'Exists'";
                let at = at.shown_as(".operator", &value_at);
                found.invalid(&at, value, message);
            }
        }
        other => found.unsupported(&operator_at, other, &OPERATORS),
    }
    if !effect.is_empty() {
        found.one_of(&at.field("effect"), effect, &EFFECTS);
    }
}

/// Checks how pods are spread over the cluster.
///
/// The labels are those of a pod that stands for itself.
pub(super) fn spread(
    list: &[TopologySpreadConstraint],
    labels: Option<&Map>,
    at: &At<'_>,
    found: &mut Findings,
) {
    // the first of two is blamed, so the last of each kind has to be known
    let kinds = list.iter().enumerate();
    let kinds = kinds.map(|(index, one)| ((&one.topology_key, &one.when_unsatisfiable), index));
    let last: BTreeMap<_, usize> = kinds.collect();
    for (index, constraint) in list.iter().enumerate() {
        let at = at.index(index);
        one_constraint(constraint, labels, &at, found);
        let (key, action) = (&constraint.topology_key, &constraint.when_unsatisfiable);
        let last = last.get(&(key, action));
        if last.is_some_and(|last| *last > index) {
            let pair = format!("{{{key}, {action}}}");
            let key_at = at.field("topologyKey");
            let at = at.shown_as(".{topologyKey, whenUnsatisfiable}", &key_at);
            found.duplicate(&at, &pair);
        }
    }
}

fn one_constraint(
    constraint: &TopologySpreadConstraint,
    labels: Option<&Map>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let action = constraint.when_unsatisfiable.as_str();
    if constraint.max_skew <= 0 {
        let at = at.field("maxSkew");
        found.invalid(&at, constraint.max_skew, "must be greater than zero");
    }
    if constraint.topology_key.is_empty() {
        found.required(&at.field("topologyKey"), "can not be empty");
    }
    found.one_of(&at.field("whenUnsatisfiable"), action, &ACTIONS);
    if let Some(least) = constraint.min_domains {
        let at = at.field("minDomains");
        if least <= 0 {
            found.invalid(&at, least, "must be greater than zero");
        }
        if action != "DoNotSchedule" {
            let message =
                format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
            found.invalid(&at, least, &message);
        }
    }
    let policies = [
        ("nodeAffinityPolicy", &constraint.node_affinity_policy),
        ("nodeTaintsPolicy", &constraint.node_taints_policy),
    ];
    for (field, policy) in policies {
        if let Some(policy) = policy {
            found.one_of(&at.field(field), policy, &NODE_POLICIES);
        }
    }
    let (keys, chosen) = (
        items(&constraint.match_label_keys),
        constraint.label_selector.as_ref(),
    );
    label_keys(keys, chosen, &at.field("matchLabelKeys"), found);
    keys_twice((keys, chosen), labels, at, found);
    if let Some(chosen) = chosen {
        selector::label_selector(chosen, &at.field("labelSelector"), found);
    }
}
