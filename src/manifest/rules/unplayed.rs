//! Built-in kinds that are read but never played: their metadata, and a pod template where they have one.

use super::names::NameRule;
use super::{metadata, names, replication_controller, template};
use crate::manifest::decode::{Object, decode_part};
use crate::manifest::document::Document;
use crate::manifest::read::Reading;
use crate::manifest::source::{At, Findings, Located};

/// Kinds that belong to the whole cluster.
const OF_CLUSTER: [&str; 20] = [
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "FlowSchema",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Node",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Returns what names of a kind must be, where that is known.
fn name_rule(group: &str, kind: &str) -> Option<NameRule> {
    match (group, kind) {
        ("rbac.authorization.k8s.io", _) => Some(names::path_segment),
        ("", "ReplicationController" | "Node" | "Endpoints" | "LimitRange" | "ResourceQuota")
        | ("", "PodTemplate")
        | ("apps", "ControllerRevision")
        | ("autoscaling", "HorizontalPodAutoscaler")
        | ("policy", "PodDisruptionBudget")
        | ("networking.k8s.io", "IngressClass")
        | ("scheduling.k8s.io", "PriorityClass")
        | ("storage.k8s.io", "StorageClass" | "VolumeAttachment")
        | ("coordination.k8s.io", "Lease")
        | ("discovery.k8s.io", "EndpointSlice")
        | ("node.k8s.io", "RuntimeClass")
        | ("admissionregistration.k8s.io", _) => Some(names::dns_subdomain),
        _ => None,
    }
}

/// Holds what is not played against the rules too, as a check of manifests does and a play does not.
pub fn check_unplayed(reading: &mut Reading) {
    let mut located = Vec::new();
    for read in &reading.objects {
        if matches!(read.object, Some(Object::Unsupported { .. })) {
            let mut found = Findings::default();
            check(&read.document, &mut found);
            located.extend(read.document.locate(found));
        }
    }
    reading.findings.extend(located);
    Located::sort(&mut reading.findings);
}

fn check(document: &Document, found: &mut Findings) {
    let (version, kind) = (document.api_version(), document.kind());
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    match (version, kind) {
        ("v1", "ReplicationController") => {
            if let Some(one) = decode_part(document.node()) {
                replication_controller(&one, found);
            }
            return;
        }
        ("v1", "PodTemplate") => {
            if let Some(part) = document.node().get("template")
                && let Some(one) = decode_part(part)
            {
                let at = At::ROOT;
                template::Template::from(&one).check(&[], &at.field("template"), found);
            }
        }
        _ => {}
    }
    let Some(rule) = name_rule(group, kind) else {
        return;
    };
    let at = At::ROOT;
    let at = at.field("metadata");
    let meta = document.node().get("metadata").and_then(decode_part);
    let meta = meta.unwrap_or_default();
    metadata::object_meta(&meta, rule, &at, found);
    if OF_CLUSTER.contains(&kind) {
        metadata::of_cluster(&meta, &at, found);
    }
}
