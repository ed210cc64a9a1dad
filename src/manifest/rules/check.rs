//! The front of the rules: one object, or all that was read.

use std::collections::BTreeMap;

use super::{
    Facts, PieceFacts, check_across, config_map, cron_job, daemon_set, deployment, ingress, job,
    namespace, network_policy, note, own_ports, persistent_volume, persistent_volume_claim, pod,
    replica_set, secret, service, service_account, stateful_set,
};
use crate::manifest::decode::Object;
use crate::manifest::document::Document;
use crate::manifest::pieces::Before;
use crate::manifest::read::Reading;
use crate::manifest::source::{Findings, Located};
use crate::manifest::validate::Extent;

/// Holds an object against the API server's rules: its errors, then its warnings.
///
/// A kind that is not decoded has no rules here.
pub fn check(object: &Object, found: &mut Findings) {
    let before = found.0.len();
    match object {
        Object::Pod(one) => pod(one, found),
        Object::ConfigMap(one) => config_map(one, found),
        Object::Secret(one) => secret(one, found),
        Object::PersistentVolumeClaim(one) => persistent_volume_claim(one, found),
        Object::PersistentVolume(one) => persistent_volume(one, found),
        Object::Namespace(one) => namespace(one, found),
        Object::ServiceAccount(one) => service_account(one, found),
        Object::Service(one) => service(one, found),
        Object::Deployment(one) => deployment(one, found),
        Object::DaemonSet(one) => daemon_set(one, found),
        Object::ReplicaSet(one) => replica_set(one, found),
        Object::StatefulSet(one) => stateful_set(one, found),
        Object::Job(one) => job(one, found),
        Object::CronJob(one) => cron_job(one, found),
        Object::Ingress(one) => ingress(one, found),
        Object::NetworkPolicy(one) => network_policy(one, found),
        Object::Unsupported { .. } => {}
    }
    found.0[before..].sort_by_key(|finding| finding.severity);
}

/// Holds all that was read against the rules and adds what they find, each with its place.
///
/// Then the objects are seen together, which brings warnings only.
pub fn check_all(reading: &mut Reading, extent: Extent) {
    check_each(reading, extent);
    let facts = Facts::new(usize::MAX);
    let mut noted = PieceFacts::default();
    for read in &reading.objects {
        note(read, extent, &mut noted);
    }
    facts.add(&noted);
    let found = check_across(facts, &Before::default());
    let found = found.expect("nothing is put aside where there is room");
    reading.findings.extend(found);
    Located::sort(&mut reading.findings);
}

/// Holds each object for itself against the rules.
pub(in crate::manifest) fn check_each(reading: &mut Reading, extent: Extent) {
    for read in &reading.objects {
        let Some(object) = &read.object else {
            continue;
        };
        let mut found = Findings::default();
        match with_empty_selector(object, &read.document) {
            Some(object) => check(&object, &mut found),
            None => check(object, &mut found),
        }
        own_ports::probed_names(object, &mut found);
        if extent == Extent::Whole {
            own_ports::probed_numbers(object, &mut found);
            own_ports::of_replicas(object, &mut found);
        }
        reading.findings.extend(read.document.locate(found));
    }
    Located::sort(&mut reading.findings);
}

/// Returns the object with a selector that is there but empty, if that is what was written.
///
/// To the server no selector is another thing than an empty one: the one selects nothing, the other
/// everything. The decoded types have one value for both, so the document has to tell.
fn with_empty_selector(object: &Object, document: &Document) -> Option<Object> {
    let selector = match object {
        Object::Deployment(one) => &one.spec.selector,
        Object::DaemonSet(one) => &one.spec.selector,
        Object::ReplicaSet(one) => &one.spec.selector,
        Object::StatefulSet(one) => &one.spec.selector,
        _ => return None,
    };
    if !super::selector::is_absent(selector) {
        return None;
    }
    document.node().get("spec")?.get("selector")?.as_map()?;
    let mut object = object.clone();
    let empty = Some(BTreeMap::new());
    match &mut object {
        Object::Deployment(one) => one.spec.selector.match_labels = empty,
        Object::DaemonSet(one) => one.spec.selector.match_labels = empty,
        Object::ReplicaSet(one) => one.spec.selector.match_labels = empty,
        Object::StatefulSet(one) => one.spec.selector.match_labels = empty,
        _ => {}
    }
    Some(object)
}
