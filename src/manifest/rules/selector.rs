//! Label selectors: their form, and which labels they match.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::fault::{Faults as _, items};
use super::{metadata, names};
use crate::manifest::source::{At, Findings};

type Map = BTreeMap<String, String>;

/// Checks a label selector.
pub(super) fn label_selector(selector: &LabelSelector, at: &At<'_>, found: &mut Findings) {
    if let Some(labels) = &selector.match_labels {
        metadata::labels(labels, &at.field("matchLabels"), found);
    }
    let at = at.field("matchExpressions");
    for (index, rule) in items(&selector.match_expressions).iter().enumerate() {
        requirement(rule, &at.index(index), found);
    }
}

fn requirement(rule: &LabelSelectorRequirement, at: &At<'_>, found: &mut Findings) {
    let values = items(&rule.values);
    match rule.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => found.required(
            &at.field("values"),
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        "Exists" | "DoesNotExist" if !values.is_empty() => found.forbidden(
            &at.field("values"),
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => found.invalid(
            &at.field("operator"),
            other,
            "not a valid selector operator",
        ),
    }
    metadata::label_key(&rule.key, &at.field("key"), found);
    for (index, value) in values.iter().enumerate() {
        let wrong = names::label_value(value);
        found.invalid_each(&at.field("values").index(index), value, wrong);
    }
}

/// Tells whether a selector is not there; one that is there but empty has an empty map.
pub(super) fn is_absent(selector: &LabelSelector) -> bool {
    *selector == LabelSelector::default()
}

/// Tells whether a selector selects by nothing at all.
pub(super) fn is_empty(selector: &LabelSelector) -> bool {
    items(&selector.match_expressions).is_empty()
        && selector.match_labels.as_ref().is_none_or(Map::is_empty)
}

/// Tells whether a selector is free of faults, so that it can match anything.
pub(super) fn is_usable(selector: &LabelSelector) -> bool {
    let mut found = Findings::default();
    label_selector(selector, &At::ROOT, &mut found);
    !found.has_errors()
}

/// Tells whether a selector matches `labels`.
pub(super) fn matches(selector: &LabelSelector, labels: &Map) -> bool {
    let by_label = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    by_label
        && items(&selector.match_expressions)
            .iter()
            .all(|rule| is_met(rule, labels))
}

fn is_met(rule: &LabelSelectorRequirement, labels: &Map) -> bool {
    let value = labels.get(&rule.key);
    let is_listed = value.is_some_and(|value| items(&rule.values).contains(value));
    match rule.operator.as_str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        _ => value.is_none(),
    }
}
