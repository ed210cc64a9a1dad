//! Pods, and the pod spec that templates hold too.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{HostAlias, Pod, PodSchedulingGate, PodSpec};

use super::annotations::PodOrTemplate;
use super::fault::{Faults as _, is_on, items, text, text_or};
use super::scope::{Scope, Subject};
use super::warnings::Hostname;
use super::{
    address, annotations, claims, containers, dns, metadata, names, ports, resources, scheduling,
    security, volume, warnings, windows,
};
use crate::manifest::source::{At, Findings};

const RESTART_POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];
const PREEMPTIONS: [&str; 2] = ["PreemptLowerPriority", "Never"];

/// Checks a Pod as the server does when it is created, then warns as the server would.
pub fn pod(pod: &Pod, found: &mut Findings) {
    let at = At::ROOT;
    let meta_at = at.field("metadata");
    metadata::object_meta(&pod.metadata, names::dns_subdomain, &meta_at, found);
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    annotations::of_pod(&pod.metadata, spec, &meta_at.field("annotations"), found);
    let name = text(&pod.metadata.name);
    let spec_at = at.field("spec");
    let mut scope = Scope::new(spec, Subject::Pod);
    scope.labels = pod.metadata.labels.as_ref();
    pod_spec(scope, name, &spec_at, found);
    tokens_need_account(spec, &spec_at, found);
    if !text(&spec.node_name).is_empty() && !items(&spec.scheduling_gates).is_empty() {
        let message = "cannot be set until all schedulingGates have been cleared";
        found.forbidden(&spec_at.field("nodeName"), message);
    }
    annotations::match_fields((PodOrTemplate::Pod, &pod.metadata, spec), &spec_at, found);
    warnings::name(&pod.metadata, Hostname::OfItself, &meta_at, found);
    warnings::of_pod(&pod.metadata, spec, &at, found);
}

/// Checks a pod spec; `name` is the pod's, or empty where that is not known.
///
/// The scope holds the volumes that come from elsewhere, as a StatefulSet's claims do.
pub(super) fn pod_spec(mut scope: Scope<'_>, name: &str, at: &At<'_>, found: &mut Findings) {
    let spec = scope.spec;
    volume::volumes(&mut scope, name, &at.field("volumes"), found);
    claims::of_pod(
        items(&spec.resource_claims),
        &at.field("resourceClaims"),
        found,
    );
    containers::regular(&scope, &at.field("containers"), found);
    containers::initial(&scope, &at.field("initContainers"), found);
    containers::ephemeral(&scope, &at.field("ephemeralContainers"), found);
    if let Some(wanted) = &spec.resources {
        resources::of_pod(&scope, wanted, at, found);
    }
    ports::same_as_host(&scope, &at.field("containers"), found);
    let policy = scope.restart_policy();
    found.one_of(&at.field("restartPolicy"), policy, &RESTART_POLICIES);
    dns::policy(spec, at, found);
    if let Some(labels) = &spec.node_selector {
        metadata::labels(labels, &at.field("nodeSelector"), found);
    }
    security::of_pod(spec, at, found);
    if let Some(affinity) = &spec.affinity {
        scheduling::affinity(affinity, scope.labels, &at.field("affinity"), found);
    }
    dns::config(spec, &at.field("dnsConfig"), found);
    gates(spec, at, found);
    let spread = items(&spec.topology_spread_constraints);
    let spread_at = at.field("topologySpreadConstraints");
    scheduling::spread(spread, scope.labels, &spread_at, found);
    windows::host_processes(spec, at, found);
    user_namespace(spec, at, found);
    short_words(spec, at, found);
    scheduling::tolerations(items(&spec.tolerations), &at.field("tolerations"), found);
    host_aliases(items(&spec.host_aliases), &at.field("hostAliases"), found);
    if let Some(overhead) = &spec.overhead {
        resources::overhead(overhead, &at.field("overhead"), found);
    }
    windows::operating_system(spec, at, found);
}

fn gates(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    for (index, gate) in items(&spec.readiness_gates).iter().enumerate() {
        let at = at.field("readinessGates");
        let at = at.index(index);
        metadata::label_key(&gate.condition_type, &at.field("conditionType"), found);
    }
    scheduling_gates(
        items(&spec.scheduling_gates),
        &at.field("schedulingGates"),
        found,
    );
}

fn scheduling_gates(gates: &[PodSchedulingGate], at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, gate) in gates.iter().enumerate() {
        let item_at = at.index(index);
        let name_at = item_at.field("name");
        let at = item_at.shown_as("", &name_at);
        metadata::label_key(&gate.name, &at, found);
        if !seen.insert(&gate.name) {
            found.duplicate(&at, &gate.name);
        }
    }
}

/// Checks that a pod with users of its own shares no other namespace with the host (KEP-127).
fn user_namespace(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    if spec.host_users != Some(false) {
        return;
    }
    let shared = [
        ("hostNetwork", spec.host_network),
        ("hostPID", spec.host_pid),
        ("hostIPC", spec.host_ipc),
    ];
    for (field, _) in shared.into_iter().filter(|(_, switch)| is_on(*switch)) {
        found.forbidden(&at.field(field), "when `hostUsers` is false");
    }
}

/// Checks the fields of a pod spec that are one word or number.
fn short_words(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let account = text_or(&spec.service_account_name, text(&spec.service_account));
    let subdomains = [
        ("serviceAccountName", account),
        ("nodeName", text(&spec.node_name)),
        ("priorityClassName", text(&spec.priority_class_name)),
    ];
    let labels = [
        ("hostname", text(&spec.hostname)),
        ("subdomain", text(&spec.subdomain)),
    ];
    for (field, word) in subdomains.into_iter().filter(|(_, word)| !word.is_empty()) {
        found.invalid_each(&at.field(field), word, names::dns_subdomain(word));
    }
    for (field, word) in labels.into_iter().filter(|(_, word)| !word.is_empty()) {
        found.invalid_each(&at.field(field), word, names::dns_label(word));
    }
    if let Some(name) = &spec.runtime_class_name {
        let at = at.field("runtimeClassName");
        found.invalid_each(&at, name, names::dns_subdomain(name));
    }
    let most = i64::from(i32::MAX);
    let deadline = spec.active_deadline_seconds;
    if let Some(deadline) = deadline.filter(|seconds| !(1..=most).contains(seconds)) {
        let at = at.field("activeDeadlineSeconds");
        found.invalid(&at, deadline, &names::between(1, most));
    }
    if let Some(policy) = &spec.preemption_policy {
        let at = at.field("preemptionPolicy");
        found.not_empty(&at, policy);
        if !policy.is_empty() {
            found.one_of(&at, policy, &PREEMPTIONS);
        }
    }
}

fn host_aliases(aliases: &[HostAlias], at: &At<'_>, found: &mut Findings) {
    for (index, alias) in aliases.iter().enumerate() {
        let at = at.index(index);
        address::ip(&alias.ip, &at.field("ip"), found);
        for (index, name) in items(&alias.hostnames).iter().enumerate() {
            let at = at.field("hostnames");
            found.invalid_each(&at.index(index), name, names::dns_subdomain(name));
        }
    }
}

fn tokens_need_account(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let account = text_or(&spec.service_account_name, text(&spec.service_account));
    if !account.is_empty() {
        return;
    }
    for (index, volume) in items(&spec.volumes).iter().enumerate() {
        let sources = volume.projected.as_ref().map(|one| items(&one.sources));
        let at = at.field("volumes");
        let at = at.index(index);
        let at = at.field("projected");
        let at = at.field("sources");
        for (index, source) in sources.unwrap_or_default().iter().enumerate() {
            if source.service_account_token.is_some() {
                let message = "must not be specified when serviceAccountName is not set";
                found.forbidden(&at.index(index).field("serviceAccountToken"), message);
            }
        }
    }
}
