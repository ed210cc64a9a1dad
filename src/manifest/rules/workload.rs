//! Workloads that keep pods running: Deployments, ReplicaSets and ReplicationControllers.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentStrategy, ReplicaSet, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::ReplicationController;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::fault::{Faults as _, Shown, or_empty, text_or};
use super::template::Template;
use super::warnings::Hostname;
use super::{metadata, names, selector, warnings};
use crate::manifest::source::{At, Findings};

type Map = BTreeMap<String, String>;

const STRATEGIES: [&str; 2] = ["Recreate", "RollingUpdate"];
const QUARTER: &str = "25%";
pub(super) const NO_MATCH: &str = "`selector` does not match template `labels`";

/// Checks a Deployment.
pub fn deployment(deployment: &Deployment, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&deployment.metadata, names::dns_subdomain, &meta_at, found);
    let spec = &deployment.spec;
    found.not_negative(&spec_at.field("replicas"), spec.replicas);
    let template = Template::from(&spec.template);
    let selector_at = spec_at.field("selector");
    own_pods(&spec.selector, "deployment", &template, &spec_at, found);
    if !selector::is_usable(&spec.selector) {
        found.invalid(
            &selector_at,
            Shown::json(&spec.selector),
            "invalid label selector",
        );
    }
    let template_at = spec_at.field("template");
    template.check(&[], &template_at, found);
    restart_always(&template, "ReplicaSet", &template_at, found);
    let empty = DeploymentStrategy::default();
    let strategy = spec.strategy.as_ref().unwrap_or(&empty);
    rollout(strategy, &spec_at.field("strategy"), found);
    found.not_negative(&spec_at.field("minReadySeconds"), spec.min_ready_seconds);
    let history_at = spec_at.field("revisionHistoryLimit");
    found.not_negative(&history_at, spec.revision_history_limit);
    let deadline_at = spec_at.field("progressDeadlineSeconds");
    let deadline = spec.progress_deadline_seconds.unwrap_or(600);
    found.not_negative(&deadline_at, Some(deadline));
    if deadline <= spec.min_ready_seconds.unwrap_or_default() {
        let message = "must be greater than minReadySeconds";
        found.invalid(&deadline_at, deadline, message);
    }
    warnings::name(&deployment.metadata, Hostname::OfItsPods, &meta_at, found);
    warnings::of_template(&template.meta, &template.spec, &template_at, found);
}

/// Checks a ReplicaSet.
pub fn replica_set(set: &ReplicaSet, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&set.metadata, names::dns_subdomain, &meta_at, found);
    let spec = &set.spec;
    found.not_negative(&spec_at.field("replicas"), spec.replicas);
    found.not_negative(&spec_at.field("minReadySeconds"), spec.min_ready_seconds);
    let template = or_empty(&spec.template);
    let template = Template::from(&*template);
    // the server says `deployment` here too
    own_pods(&spec.selector, "deployment", &template, &spec_at, found);
    if !selector::is_usable(&spec.selector) {
        let at = spec_at.field("selector");
        found.invalid(&at, Shown::json(&spec.selector), "invalid label selector");
    }
    let template_at = spec_at.field("template");
    template.check(&[], &template_at, found);
    restart_always(&template, "ReplicaSet", &template_at, found);
    warnings::name(&set.metadata, Hostname::OfItsPods, &meta_at, found);
    warnings::of_template(&template.meta, &template.spec, &template_at, found);
}

/// Checks a ReplicationController.
pub fn replication_controller(controller: &ReplicationController, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&controller.metadata, names::dns_subdomain, &meta_at, found);
    let spec = or_empty(&controller.spec);
    found.not_negative(&spec_at.field("minReadySeconds"), spec.min_ready_seconds);
    found.not_negative(&spec_at.field("replicas"), spec.replicas);
    let template_at = spec_at.field("template");
    let template = spec.template.as_ref().map(Template::from);
    let labels = template
        .as_ref()
        .and_then(|template| template.meta.labels.as_ref());
    let chosen = spec.selector.as_ref().filter(|chosen| !chosen.is_empty());
    // the selector is taken from the template's labels where there is none
    if chosen.or(labels).is_none_or(Map::is_empty) {
        found.required(&spec_at.field("selector"), "");
    }
    let Some(template) = &template else {
        found.required(&template_at, "");
        return;
    };
    let is_met = |(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value);
    if !chosen.into_iter().flatten().all(is_met) {
        labels_differ(template, &template_at, found);
    }
    template.check(&[], &template_at, found);
    restart_always(template, "ReplicationController", &template_at, found);
    warnings::name(&controller.metadata, Hostname::OfItsPods, &meta_at, found);
    warnings::of_template(&template.meta, &template.spec, &template_at, found);
}

/// Checks that a workload's selector finds the pods that the workload makes.
pub(super) fn own_pods(
    chosen: &LabelSelector,
    kind: &str,
    template: &Template<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let selector_at = at.field("selector");
    if selector::is_absent(chosen) {
        // none selects nothing, so not these pods either; a DaemonSet says only that
        if kind != "daemonset" {
            found.required(&selector_at, "");
        }
        labels_differ(template, &at.field("template"), found);
        return;
    }
    selector::label_selector(chosen, &selector_at, found);
    if selector::is_empty(chosen) {
        let message = format!("empty selector is invalid for {kind}");
        found.invalid(&selector_at, Shown::json(chosen), &message);
        return;
    }
    let none = Map::new();
    let labels = template.meta.labels.as_ref().unwrap_or(&none);
    if selector::is_usable(chosen) && !selector::matches(chosen, labels) {
        labels_differ(template, &at.field("template"), found);
    }
}

/// Says that a selector does not find the pods of `template`.
pub(super) fn labels_differ(template: &Template<'_>, at: &At<'_>, found: &mut Findings) {
    let at = at.field("metadata");
    let labels = Shown::json(&template.meta.labels);
    found.invalid(&at.field("labels"), labels, NO_MATCH);
    found.help("give the template the labels that the selector asks for".to_owned());
}

/// Checks that the pods of a workload which replaces them run for ever.
pub(super) fn restart_always(
    template: &Template<'_>,
    kind: &str,
    at: &At<'_>,
    found: &mut Findings,
) {
    let at = at.field("spec");
    let policy = text_or(&template.spec.restart_policy, "Always");
    found.one_of(&at.field("restartPolicy"), policy, &["Always"]);
    if template.spec.active_deadline_seconds.is_some() {
        let message = format!("activeDeadlineSeconds in {kind} is not Supported");
        found.forbidden(&at.field("activeDeadlineSeconds"), &message);
    }
}

fn rollout(strategy: &DeploymentStrategy, at: &At<'_>, found: &mut Findings) {
    let rolling_at = at.field("rollingUpdate");
    match text_or(&strategy.type_, "RollingUpdate") {
        "Recreate" => {
            if strategy.rolling_update.is_some() {
                let message = "may not be specified when strategy `type` is 'Recreate'";
                found.forbidden(&rolling_at, message);
            }
        }
        "RollingUpdate" => {
            let empty = RollingUpdateDeployment::default();
            let rolling = strategy.rolling_update.as_ref().unwrap_or(&empty);
            rolling_update(rolling, &rolling_at, found);
        }
        other => {
            let rolling = strategy.rolling_update.as_ref();
            let rolling = rolling.map(|rolling| {
                json!({"MaxUnavailable": rolling.max_unavailable, "MaxSurge": rolling.max_surge})
            });
            unknown_strategy(other, rolling, &STRATEGIES, at, found);
        }
    }
}

/// Refuses a way of updating; the server names the whole strategy, in its inner form.
pub(super) fn unknown_strategy(
    name: &str,
    rolling: Option<serde_json::Value>,
    known: &[&str],
    at: &At<'_>,
    found: &mut Findings,
) {
    let whole = json!({"Type": name, "RollingUpdate": rolling});
    let type_at = at.field("type");
    let at = at.shown_as("", &type_at);
    found.unsupported_in(&at, (name, Shown::json(&whole)), known);
}

fn rolling_update(rolling: &RollingUpdateDeployment, at: &At<'_>, found: &mut Findings) {
    let default = IntOrString::String(QUARTER.to_owned());
    let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&default);
    let surge = rolling.max_surge.as_ref().unwrap_or(&default);
    let unavailable_at = at.field("maxUnavailable");
    count_or_percent(unavailable, &unavailable_at, found);
    count_or_percent(surge, &at.field("maxSurge"), found);
    if count(unavailable) == 0 && count(surge) == 0 {
        let message = "may not be 0 when `maxSurge` is 0";
        found.invalid(&unavailable_at, shown(unavailable), message);
    }
    at_most_all(unavailable, &unavailable_at, found);
}

/// Checks a number of pods, or a share of them.
pub(super) fn count_or_percent(value: &IntOrString, at: &At<'_>, found: &mut Findings) {
    match value {
        IntOrString::Int(number) => found.not_negative(at, Some(*number)),
        IntOrString::String(share) => found.invalid_each(at, share, names::percent(share)),
    }
}

/// Checks that a share of pods is not more than all of them.
pub(super) fn at_most_all(value: &IntOrString, at: &At<'_>, found: &mut Findings) {
    if let IntOrString::String(share) = value
        && names::percent(share).is_empty()
        && count(value) > 100
    {
        found.invalid(at, share, "must not be greater than 100%");
    }
}

/// Returns the number in a number or a share.
pub(super) fn count(value: &IntOrString) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(share) => {
            let digits = share.strip_suffix('%').unwrap_or(share);
            let is_number = names::is_digits(digits);
            digits
                .parse()
                .unwrap_or(if is_number { i32::MAX } else { 0 })
        }
    }
}

/// Shows a number or a share.
pub(super) fn shown(value: &IntOrString) -> Shown<'_> {
    match value {
        IntOrString::Int(number) => Shown::from(*number),
        IntOrString::String(share) => Shown::from(share),
    }
}
