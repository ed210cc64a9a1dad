//! The pod specs of objects of any kind.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::fault::{items, text};
use crate::manifest::decode::Object;
use crate::manifest::source::At;

/// Visits the pod spec of an object, if it has one, with its metadata and its path.
pub(super) fn every_spec<'o>(
    object: &'o Object,
    visit: &mut dyn FnMut(Option<&'o ObjectMeta>, &'o PodSpec, &At<'_>),
) {
    let root = At::ROOT;
    let at = root.field("spec");
    match object {
        Object::Pod(one) => {
            let Pod { metadata, spec, .. } = &**one;
            if let Some(spec) = spec {
                visit(Some(metadata), spec, &at);
            }
        }
        Object::Deployment(one) => of_template(&one.spec.template, &at, visit),
        Object::StatefulSet(one) => of_template(&one.spec.template, &at, visit),
        Object::DaemonSet(one) => of_template(&one.spec.template, &at, visit),
        Object::ReplicaSet(one) => {
            if let Some(template) = &one.spec.template {
                of_template(template, &at, visit);
            }
        }
        Object::Job(one) => {
            if let Some(spec) = &one.spec {
                of_template(&spec.template, &at, visit);
            }
        }
        Object::CronJob(one) => {
            let at = at.field("jobTemplate");
            if let Some(spec) = &one.spec.job_template.spec {
                of_template(&spec.template, &at.field("spec"), visit);
            }
        }
        _ => {}
    }
}

fn of_template<'o>(
    template: &'o PodTemplateSpec,
    at: &At<'_>,
    visit: &mut dyn FnMut(Option<&'o ObjectMeta>, &'o PodSpec, &At<'_>),
) {
    if let Some(spec) = &template.spec {
        let at = at.field("template");
        visit(template.metadata.as_ref(), spec, &at.field("spec"));
    }
}

/// Returns how many pods of an object run at the same time.
pub(super) fn replicas(object: &Object) -> i32 {
    let replicas = match object {
        Object::Deployment(one) => one.spec.replicas,
        Object::ReplicaSet(one) => one.spec.replicas,
        Object::StatefulSet(one) => one.spec.replicas,
        Object::Job(one) => one.spec.as_ref().and_then(|spec| spec.parallelism),
        _ => None,
    };
    replicas.unwrap_or(1)
}

/// Returns the names of the volumes that a StatefulSet makes for its pods, whatever their spec says.
pub(super) fn made_volumes(object: &Object) -> BTreeSet<&str> {
    let Object::StatefulSet(set) = object else {
        return BTreeSet::new();
    };
    let claims = items(&set.spec.volume_claim_templates).iter();
    claims.map(|claim| text(&claim.metadata.name)).collect()
}
