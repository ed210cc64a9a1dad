//! Deployments, DaemonSets and Jobs: a template, and in what number its pods run.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::manifest::source::{At, Findings};
use crate::model::pod::PodSpec;
use crate::names::PodName;

use super::annotations;
use super::metadata::{self, Meta, named};
use super::notes::Notes;
use super::options::PlayOptions;
use super::pod;

/// The pods of a controller.
pub(super) struct Workload {
    /// One a replica; none if an error was found.
    pub pods: Vec<PodSpec>,
    /// How many there should be.
    pub replicas: usize,
}

/// Translates a Deployment: as many pods as it has replicas, 0 included.
pub(super) fn deployment(
    deployment: &Deployment,
    options: &PlayOptions,
    findings: &mut Findings,
) -> Workload {
    let Deployment {
        metadata,
        spec,
        status: _,
    } = deployment;
    let DeploymentSpec {
        min_ready_seconds,
        paused,
        progress_deadline_seconds,
        replicas,
        strategy,
        template,
        // There is no history of revisions, and the pods are known without a selector.
        revision_history_limit: _,
        selector: _,
    } = spec;
    let notes = &mut Notes::new(findings);
    let at = At::ROOT.field("spec");
    let not_yet = [
        ("minReadySeconds", min_ready_seconds.is_some()),
        (
            "progressDeadlineSeconds",
            progress_deadline_seconds.is_some(),
        ),
        ("strategy", strategy.is_some()),
        ("paused", *paused == Some(true)),
    ];
    notes.not_yet_of(&at, &not_yet);
    let replicas = replicas
        .map_or(Some(1), |count| {
            notes.number(&at.field("replicas"), count.into())
        })
        .unwrap_or(0);
    pods(metadata, template, replicas, options, notes)
}

/// Translates a DaemonSet: one pod on the one host.
pub(super) fn daemon_set(
    set: &DaemonSet,
    options: &PlayOptions,
    findings: &mut Findings,
) -> Workload {
    let DaemonSet {
        metadata,
        spec,
        status: _,
    } = set;
    let DaemonSetSpec {
        min_ready_seconds,
        template,
        update_strategy,
        revision_history_limit: _,
        selector: _,
    } = spec;
    let notes = &mut Notes::new(findings);
    let at = At::ROOT.field("spec");
    let not_yet = [
        ("minReadySeconds", min_ready_seconds.is_some()),
        ("updateStrategy", update_strategy.is_some()),
    ];
    notes.not_yet_of(&at, &not_yet);
    pods(metadata, template, 1, options, notes)
}

/// Translates a Job: a pod that runs once, or none while it is suspended.
pub(super) fn job(job: &Job, options: &PlayOptions, findings: &mut Findings) -> Workload {
    let Job {
        metadata,
        spec,
        status: _,
    } = job;
    let notes = &mut Notes::new(findings);
    let at = At::ROOT.field("spec");
    let Some(spec) = spec else {
        notes.required(&at, "Required value");
        return Workload {
            pods: Vec::new(),
            replicas: 1,
        };
    };
    let JobSpec {
        active_deadline_seconds,
        backoff_limit,
        backoff_limit_per_index,
        completion_mode,
        completions,
        max_failed_indexes,
        parallelism,
        pod_failure_policy,
        pod_replacement_policy,
        success_policy,
        suspend,
        template,
        ttl_seconds_after_finished,
        // Who watches the job, and how a cluster places and finds its pods.
        managed_by: _,
        manual_selector: _,
        scheduling: _,
        selector: _,
    } = spec;
    let not_yet = [
        ("activeDeadlineSeconds", active_deadline_seconds.is_some()),
        ("backoffLimit", backoff_limit.is_some()),
        ("backoffLimitPerIndex", backoff_limit_per_index.is_some()),
        ("completionMode", completion_mode.is_some()),
        ("completions", completions.is_some_and(|count| count != 1)),
        ("maxFailedIndexes", max_failed_indexes.is_some()),
        ("parallelism", parallelism.is_some_and(|count| count != 1)),
        ("podFailurePolicy", pod_failure_policy.is_some()),
        ("podReplacementPolicy", pod_replacement_policy.is_some()),
        ("successPolicy", success_policy.is_some()),
        (
            "ttlSecondsAfterFinished",
            ttl_seconds_after_finished.is_some(),
        ),
    ];
    notes.not_yet_of(&at, &not_yet);
    let replicas = usize::from(*suspend != Some(true));
    pods(metadata, template, replicas, options, notes)
}

/// Translates a template, and gives each replica a name of its own: `NAME-pod`, `NAME-pod-1` …
fn pods(
    metadata: &ObjectMeta,
    template: &v1::PodTemplateSpec,
    replicas: usize,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> Workload {
    let first = first_pod(metadata, template, options, notes);
    let pods = first
        .iter()
        .flat_map(|first| (0..replicas).filter_map(|index| replica(first, index)))
        .collect();
    Workload { pods, replicas }
}

fn first_pod(
    metadata: &ObjectMeta,
    template: &v1::PodTemplateSpec,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> Option<PodSpec> {
    let v1::PodTemplateSpec {
        metadata: pod_metadata,
        spec,
    } = template;
    let controller = metadata::meta(metadata, &At::ROOT.field("metadata"), notes);
    let at = At::ROOT.field("spec");
    let at = at.field("template");
    let meta_at = at.field("metadata");
    let default = ObjectMeta::default();
    let (_, labels, own) = named(pod_metadata.as_ref().unwrap_or(&default), &meta_at, notes);
    let Some(spec) = spec else {
        notes.required(&at.field("spec"), "Required value");
        return None;
    };
    let mut annotations = controller.annotations;
    annotations.retain(|key, _| annotations::is_setting(key));
    annotations.extend(own);
    let name = controller.name.and_then(|name| {
        let at = At::ROOT.field("metadata");
        notes.parse(&at.field("name"), &format!("{name}-pod"), PodName::parse)
    });
    let meta = Meta {
        name,
        namespace: controller.namespace,
        labels,
        annotations,
    };
    pod::template(meta, &meta_at, spec, &at.field("spec"), options, notes)
}

/// Returns the pod of this number; a name too long for a number has no further replicas.
fn replica(first: &PodSpec, index: usize) -> Option<PodSpec> {
    let mut pod = first.clone();
    if index > 0 {
        pod.name = PodName::parse(&format!("{}-{index}", first.name)).ok()?;
        // One infra container alone can have the name asked for.
        pod.infra.name = None;
    }
    Some(pod)
}
