//! When a job counts as failed or as done, by the ends of its pods (KEP-3329, KEP-3998).

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule, SuccessPolicyRule,
};

use super::fault::{Faults as _, Shown, items, text_or};
use super::metadata;
use super::template::Template;
use crate::manifest::source::{At, FindingType, Findings};

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const MOST_RULES: usize = 20;
const MOST_CODES: usize = 255;
const LONGEST_INDEXES: usize = 64 << 10;

/// Checks the rules by which a failed pod counts.
pub(super) fn failure(spec: &JobSpec, template: &Template<'_>, at: &At<'_>, found: &mut Findings) {
    let Some(policy) = &spec.pod_failure_policy else {
        return;
    };
    let at = at.field("rules");
    if policy.rules.len() > MOST_RULES {
        found.too_many(&at, policy.rules.len(), MOST_RULES);
    }
    let initial = items(&template.spec.init_containers).iter();
    let containers = template.spec.containers.iter().chain(initial);
    let containers: BTreeSet<&str> = containers.map(|one| one.name.as_str()).collect();
    let by_index = spec.backoff_limit_per_index.is_some();
    for (index, rule) in policy.rules.iter().enumerate() {
        let at = at.index(index);
        action(rule, by_index, &at.field("action"), found);
        conditions(rule, &containers, &at, found);
    }
}

fn action(rule: &PodFailurePolicyRule, by_index: bool, at: &At<'_>, found: &mut Findings) {
    if rule.action.is_empty() {
        found.required(at, &valid_values(&ACTIONS));
    } else if rule.action == "FailIndex" {
        if !by_index {
            let message = "requires the backoffLimitPerIndex to be set";
            found.invalid(at, &rule.action, message);
        }
    } else {
        found.one_of(at, &rule.action, &ACTIONS);
    }
}

fn conditions(
    rule: &PodFailurePolicyRule,
    containers: &BTreeSet<&str>,
    at: &At<'_>,
    found: &mut Findings,
) {
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(codes, containers, &at.field("onExitCodes"), found);
    }
    let patterns = items(&rule.on_pod_conditions);
    pod_conditions(patterns, &at.field("onPodConditions"), found);
    let message = match (rule.on_exit_codes.is_some(), !patterns.is_empty()) {
        (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    let message = format!("Invalid value: {message}");
    found.error(FindingType::Invalid, at, message);
}

fn pod_conditions(
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
    at: &At<'_>,
    found: &mut Findings,
) {
    if patterns.len() > MOST_RULES {
        found.too_many(at, patterns.len(), MOST_RULES);
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let at = at.index(index);
        metadata::label_key(&pattern.type_, &at.field("type"), found);
        let status = text_or(&pattern.status, "True");
        found.one_of(&at.field("status"), status, &STATUSES);
    }
}

fn exit_codes(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    containers: &BTreeSet<&str>,
    at: &At<'_>,
    found: &mut Findings,
) {
    if codes.operator.is_empty() {
        found.required(&at.field("operator"), &valid_values(&OPERATORS));
    } else {
        found.one_of(&at.field("operator"), &codes.operator, &OPERATORS);
    }
    let name = codes.container_name.as_deref();
    if let Some(name) = name.filter(|name| !containers.contains(name)) {
        let message = "must be one of the container or initContainer names in the pod template";
        found.invalid(&at.field("containerName"), name, message);
    }
    let (values, at) = (&codes.values, at.field("values"));
    if values.is_empty() {
        found.invalid(&at, Shown::json(values), "at least one value is required");
    } else if values.len() > MOST_CODES {
        found.too_many(&at, values.len(), MOST_CODES);
    }
    let mut seen = BTreeSet::new();
    for (index, code) in values.iter().enumerate() {
        let at = at.index(index);
        if codes.operator == "In" && *code == 0 {
            found.invalid(&at, 0, "must not be 0 for the In operator");
        }
        if !seen.insert(code) {
            found.duplicate(&at, *code);
        }
    }
    if !values.is_sorted() {
        found.invalid(&at, Shown::json(values), "must be ordered");
    }
}

fn valid_values(values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("valid values: [{}]", values.join(" "))
}

/// Checks the rules by which an indexed job is done before all its pods are.
pub(super) fn success(spec: &JobSpec, at: &At<'_>, found: &mut Findings) {
    let Some(policy) = &spec.success_policy else {
        return;
    };
    if spec.completion_mode.as_deref() != Some("Indexed") {
        found.invalid(at, Shown::json(policy), "requires indexed completion mode");
        return;
    }
    let at = at.field("rules");
    if policy.rules.is_empty() {
        let message = "at least one rules must be specified when the successPolicy is specified";
        found.required(&at, message);
    }
    if policy.rules.len() > MOST_RULES {
        found.too_many(&at, policy.rules.len(), MOST_RULES);
    }
    let completions = spec.completions.unwrap_or_default();
    for (index, rule) in policy.rules.iter().enumerate() {
        success_rule(rule, completions, &at.index(index), found);
    }
}

fn success_rule(rule: &SuccessPolicyRule, completions: i32, at: &At<'_>, found: &mut Findings) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let message = "at least one of succeededCount or succeededIndexes must be specified";
        found.required(at, message);
    }
    let mut total = None;
    if let Some(indexes) = &rule.succeeded_indexes {
        let at = at.field("succeededIndexes");
        if indexes.len() > LONGEST_INDEXES {
            found.too_long(&at, LONGEST_INDEXES);
        }
        match count_indexes(indexes, completions) {
            Ok(count) => total = Some(count),
            Err(message) => {
                total = Some(0);
                let message = format!("error parsing succeededIndexes: {message}");
                found.invalid(&at, indexes, &message);
            }
        }
    }
    let Some(count) = rule.succeeded_count else {
        return;
    };
    let at = at.field("succeededCount");
    found.not_negative(&at, Some(count));
    if count > completions {
        let message = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        found.invalid(&at, count, &message);
    }
    if let Some(total) = total.filter(|total| count > *total) {
        let message = format!(
            "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        );
        found.invalid(&at, count, &message);
    }
}

/// Counts the indexes in a list such as `1,3-5`, which must rise and stay below `completions`.
fn count_indexes(indexes: &str, completions: i32) -> Result<i32, String> {
    if indexes.is_empty() {
        return Ok(0);
    }
    let (mut last, mut total) = (None, 0);
    for part in indexes.split(',') {
        let mut ends = part.split('-');
        let (first, end) = match (ends.next(), ends.next(), ends.next()) {
            (Some(one), None, _) => (one, one),
            (Some(first), Some(end), None) => (first, end),
            _ => {
                return Err(format!(
                    "the fragment {part:?} violates the requirement that an index interval can have at most two parts separated by '-'"
                ));
            }
        };
        let read = |text: &str| {
            let number: Option<i32> = text.parse().ok();
            number.ok_or_else(|| format!("cannot convert string to integer for index: {text:?}"))
        };
        let (first, end) = (read(first)?, read(end)?);
        for index in [first, end] {
            if index >= completions {
                return Err(format!("too large index: {index:?}"));
            }
        }
        if last.is_some_and(|last| last >= first) {
            return Err(format!(
                "non-increasing order, previous: {}, current: {first}",
                last.unwrap_or_default()
            ));
        }
        if part.contains('-') && first >= end {
            return Err(format!(
                "non-increasing order, previous: {first}, current: {end}"
            ));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}
