//! Workloads with a place for each pod: StatefulSets and DaemonSets.

use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetUpdateStrategy, RollingUpdateDaemonSet, StatefulSet, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::fault::{Faults as _, Shown, items, or_empty, text, text_or};
use super::template::Template;
use super::workload::{
    at_most_all, count, count_or_percent, own_pods, restart_always, shown, unknown_strategy,
};
use super::{claim, metadata, names, selector, warnings};
use crate::manifest::source::{At, Findings};

const RETENTIONS: [&str; 2] = ["Retain", "Delete"];
const STRATEGIES: [&str; 2] = ["RollingUpdate", "OnDelete"];

/// Checks a StatefulSet.
///
/// Its template is checked as any other, with the claims that the set makes among the volumes:
/// a set whose pods the server refuses never runs.
pub fn stateful_set(set: &StatefulSet, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&set.metadata, names::dns_label, &meta_at, found);
    let spec = &set.spec;
    let policy_at = spec_at.field("podManagementPolicy");
    let policy = text_or(&spec.pod_management_policy, "OrderedReady");
    if !["OrderedReady", "Parallel"].contains(&policy) {
        found.invalid(&policy_at, policy, "must be 'OrderedReady' or 'Parallel'");
    }
    if let Some(strategy) = &spec.update_strategy {
        replacement(strategy, &spec_at.field("updateStrategy"), found);
    }
    retention(
        spec,
        &spec_at.field("persistentVolumeClaimRetentionPolicy"),
        found,
    );
    found.not_negative(&spec_at.field("replicas"), spec.replicas);
    found.not_negative(&spec_at.field("minReadySeconds"), spec.min_ready_seconds);
    let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
    found.not_negative(&spec_at.field("ordinals").field("start"), start);
    let service = text(&spec.service_name);
    if !service.is_empty() {
        let at = spec_at.field("serviceName");
        found.invalid_each(&at, service, names::dns_label(service));
    }
    let template = Template::from(&spec.template);
    own_pods(&spec.selector, "statefulset", &template, &spec_at, found);
    if !selector::is_usable(&spec.selector) {
        let at = spec_at.field("selector");
        found.invalid(&at, Shown::json(&spec.selector), "");
    }
    let claims = items(&spec.volume_claim_templates);
    let names: Vec<&str> = claims.iter().map(|one| text(&one.metadata.name)).collect();
    let template_at = spec_at.field("template");
    template.check(&names, &template_at, found);
    restart_always(&template, "StatefulSet", &template_at, found);
    claim_templates(claims, &spec_at.field("volumeClaimTemplates"), found);
    if spec.revision_history_limit.is_some_and(|limit| limit < 0) {
        let message =
            "a negative value retains all historical revisions; a value >= 0 is recommended";
        found.warning(&spec_at.field("revisionHistoryLimit"), message);
    }
    warnings::of_template(&template.meta, &template.spec, &template_at, found);
}

/// Checks the claims that the set makes for its pods; of their metadata the server looks at nothing.
fn claim_templates(claims: &[PersistentVolumeClaim], at: &At<'_>, found: &mut Findings) {
    for (index, template) in claims.iter().enumerate() {
        let at = at.index(index);
        let at = at.field("spec");
        let spec = or_empty(&template.spec);
        claim::spec(&spec, &at, found);
        claim::warn(&spec, &at, found);
    }
}

fn replacement(strategy: &StatefulSetUpdateStrategy, at: &At<'_>, found: &mut Findings) {
    let rolling_at = at.field("rollingUpdate");
    match text_or(&strategy.type_, "RollingUpdate") {
        "OnDelete" => {
            if let Some(rolling) = &strategy.rolling_update {
                let message = "only allowed for updateStrategy 'RollingUpdate'";
                found.invalid(&rolling_at, Shown::json(rolling), message);
            }
        }
        "RollingUpdate" => {
            let Some(rolling) = &strategy.rolling_update else {
                return;
            };
            found.not_negative(&rolling_at.field("partition"), rolling.partition);
            if let Some(most) = &rolling.max_unavailable {
                let at = rolling_at.field("maxUnavailable");
                // Kubernetes 1.34 drops the field unread (gate MaxUnavailableStatefulSet)
                let mut later = Findings::default();
                count_or_percent(most, &at, &mut later);
                if count(most) == 0 {
                    later.invalid(&at, shown(most), "cannot be 0");
                }
                at_most_all(most, &at, &mut later);
                found.soften(later, "newer servers refuse it");
            }
        }
        _ => found.invalid(
            at,
            Shown::json(strategy),
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
    }
}

fn retention(spec: &StatefulSetSpec, at: &At<'_>, found: &mut Findings) {
    let Some(policy) = &spec.persistent_volume_claim_retention_policy else {
        return;
    };
    let deleted = text_or(&policy.when_deleted, "Retain");
    found.one_of(&at.field("whenDeleted"), deleted, &RETENTIONS);
    let scaled = text_or(&policy.when_scaled, "Retain");
    found.one_of(&at.field("whenScaled"), scaled, &RETENTIONS);
}

/// Checks a DaemonSet.
pub fn daemon_set(set: &DaemonSet, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&set.metadata, names::dns_subdomain, &meta_at, found);
    let spec = &set.spec;
    let template = Template::from(&spec.template);
    own_pods(&spec.selector, "daemonset", &template, &spec_at, found);
    let template_at = spec_at.field("template");
    template.check(&[], &template_at, found);
    restart_always(&template, "DaemonSet", &template_at, found);
    found.not_negative(&spec_at.field("minReadySeconds"), spec.min_ready_seconds);
    let history_at = spec_at.field("revisionHistoryLimit");
    found.not_negative(&history_at, spec.revision_history_limit);
    if let Some(strategy) = &spec.update_strategy {
        daemon_update(strategy, &spec_at.field("updateStrategy"), found);
    }
    warnings::of_template(&template.meta, &template.spec, &template_at, found);
}

fn daemon_update(strategy: &DaemonSetUpdateStrategy, at: &At<'_>, found: &mut Findings) {
    match text_or(&strategy.type_, "RollingUpdate") {
        "OnDelete" => {}
        "RollingUpdate" => {
            let empty = RollingUpdateDaemonSet::default();
            let rolling = strategy.rolling_update.as_ref().unwrap_or(&empty);
            daemon_rolling(rolling, &at.field("rollingUpdate"), found);
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

fn daemon_rolling(rolling: &RollingUpdateDaemonSet, at: &At<'_>, found: &mut Findings) {
    let (one, none) = (IntOrString::Int(1), IntOrString::Int(0));
    let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&one);
    let surge = rolling.max_surge.as_ref().unwrap_or(&none);
    let (unavailable_at, surge_at) = (at.field("maxUnavailable"), at.field("maxSurge"));
    for (value, at) in [(unavailable, &unavailable_at), (surge, &surge_at)] {
        count_or_percent(value, at, found);
        at_most_all(value, at, found);
    }
    match (count(unavailable) != 0, count(surge) != 0) {
        (true, true) => {
            let message = "may not be set when maxUnavailable is non-zero";
            found.invalid(&surge_at, shown(surge), message);
        }
        (false, false) => {
            found.required(&unavailable_at, "cannot be 0 when maxSurge is 0");
        }
        _ => {}
    }
}
