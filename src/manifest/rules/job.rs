//! Jobs and CronJobs.

use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::fault::{Faults as _, Shown, is_on, or_empty, text, text_or};
use super::template::Template;
use super::warnings::Hostname;
use super::{cron, job_policy, metadata, names, selector, timezone, warnings, workload};
use crate::manifest::source::{At, Findings};

const COMPLETION_MODES: [&str; 2] = ["NonIndexed", "Indexed"];
const REPLACEMENTS: [&str; 2] = ["Failed", "TerminatingOrFailed"];
const CONCURRENCIES: [&str; 3] = ["Allow", "Forbid", "Replace"];
const GENERATED_NAMES: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];
const GENERATED_IDS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
/// A job of at most this many pods is not bounded further.
const MANY: i32 = 100_000;
const MANY_AT_ONCE: i32 = 10_000;
/// Eleven bytes of a job's name are for the time at which a CronJob makes it.
const LONGEST_CRON_NAME: usize = 52;

/// Checks a Job.
pub fn job(job: &Job, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&job.metadata, names::dns_subdomain, &meta_at, found);
    let spec = or_empty(&job.spec);
    let template = Template::from(&spec.template);
    own_selector(&job.metadata, &spec, &template, &spec_at, found);
    job_spec(&spec, &template, &spec_at, found);
    let name = text(&job.metadata.name);
    if is_indexed(&spec) && !name.is_empty() {
        let last = spec.completions.unwrap_or_default().saturating_sub(1);
        let hostname = format!("{name}-{last}");
        if last >= 0 && !names::dns_label(&hostname).is_empty() {
            let message = format!("will not able to create pod with invalid DNS label: {hostname}");
            found.invalid(&meta_at.field("name"), name, &message);
        }
    }
    let template_at = spec_at.field("template");
    warnings::name(&job.metadata, Hostname::OfItsPods, &meta_at, found);
    many_at_once(&spec, &spec_at, found);
    warnings::of_template(&template.meta, &template.spec, &template_at, found);
}

/// Checks the selector of a job; unless it is said otherwise, the server makes one.
fn own_selector(
    meta: &ObjectMeta,
    spec: &JobSpec,
    template: &Template<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let selector_at = at.field("selector");
    if let Some(chosen) = &spec.selector {
        selector::label_selector(chosen, &selector_at, found);
    }
    if is_on(spec.manual_selector) {
        let Some(chosen) = &spec.selector else {
            return found.required(&selector_at, "");
        };
        let labels = or_empty(&template.meta.labels);
        if selector::is_usable(chosen) && !selector::matches(chosen, &labels) {
            workload::labels_differ(template, &at.field("template"), found);
        }
        return;
    }
    let name = text(&meta.name);
    let made = |key: &str, value: &str| {
        let is_name = GENERATED_NAMES.contains(&key) && (name.is_empty() || value == name);
        is_name || (GENERATED_IDS.contains(&key) && Some(value) == meta.uid.as_deref())
    };
    if let Some(chosen) = &spec.selector {
        let mut labels = chosen.match_labels.iter().flatten();
        let has_rules = chosen
            .match_expressions
            .as_ref()
            .is_some_and(|all| !all.is_empty());
        if has_rules || !labels.all(|(key, value)| made(key, value)) {
            found.invalid(
                &selector_at,
                Shown::json(chosen),
                "`selector` not auto-generated",
            );
        }
    }
    let at = at.field("template");
    let at = at.field("metadata");
    let at = at.field("labels");
    for (key, value) in template.meta.labels.iter().flatten() {
        let message = if GENERATED_NAMES.contains(&key.as_str()) {
            format!("must be '{name}'")
        } else if GENERATED_IDS.contains(&key.as_str()) {
            "must be the uid that the server gives to the job".to_owned()
        } else {
            continue;
        };
        if !made(key, value) {
            found.invalid(&at.key(key), Shown::json(&template.meta.labels), &message);
        }
    }
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn job_spec(spec: &JobSpec, template: &Template<'_>, at: &At<'_>, found: &mut Findings) {
    found.not_negative(&at.field("parallelism"), spec.parallelism);
    found.not_negative(&at.field("completions"), spec.completions);
    found.not_negative(
        &at.field("activeDeadlineSeconds"),
        spec.active_deadline_seconds,
    );
    found.not_negative(&at.field("backoffLimit"), spec.backoff_limit);
    let ttl_at = at.field("ttlSecondsAfterFinished");
    found.not_negative(&ttl_at, spec.ttl_seconds_after_finished);
    found.not_negative(
        &at.field("backoffLimitPerIndex"),
        spec.backoff_limit_per_index,
    );
    found.not_negative(&at.field("maxFailedIndexes"), spec.max_failed_indexes);
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let message = "when maxFailedIndexes is specified";
        found.required(&at.field("backoffLimitPerIndex"), message);
    }
    if let Some(manager) = &spec.managed_by {
        managed_by(manager, &at.field("managedBy"), found);
    }
    if let Some(mode) = &spec.completion_mode {
        found.one_of(&at.field("completionMode"), mode, &COMPLETION_MODES);
    }
    match text_or(&spec.completion_mode, "NonIndexed") {
        "Indexed" => indexed(spec, at, found),
        "NonIndexed" => not_indexed(spec, at, found),
        _ => {}
    }
    job_policy::failure(spec, template, &at.field("podFailurePolicy"), found);
    job_policy::success(spec, &at.field("successPolicy"), found);
    if let Some(policy) = &spec.pod_replacement_policy {
        let known = if spec.pod_failure_policy.is_some() {
            1
        } else {
            2
        };
        let at = at.field("podReplacementPolicy");
        found.one_of(&at, policy, &REPLACEMENTS[..known]);
    }
    let template_at = at.field("template");
    template.check(&[], &template_at, found);
    ends(spec, template, &template_at, found);
}

/// Checks that the pods of a job come to an end.
fn ends(spec: &JobSpec, template: &Template<'_>, at: &At<'_>, found: &mut Findings) {
    let at = at.field("spec");
    let at = at.field("restartPolicy");
    match text_or(&template.spec.restart_policy, "Always") {
        "Always" => {
            found.required(&at, r#"valid values: "OnFailure", "Never""#);
            found.help(
                "say what a failed pod does: `restartPolicy: Never` or `OnFailure`".to_owned(),
            );
        }
        "Never" => {}
        "OnFailure" => {
            if spec.pod_failure_policy.is_some() {
                let message = r#"only "Never" is supported when podFailurePolicy is specified"#;
                found.invalid(&at, "OnFailure", message);
            }
        }
        other => found.unsupported(&at, other, &["OnFailure", "Never"]),
    }
}

fn managed_by(manager: &str, at: &At<'_>, found: &mut Findings) {
    let parts = manager.split_once('/');
    let parts = parts.filter(|(domain, path)| !domain.is_empty() && !path.is_empty());
    match parts {
        _ if manager.is_empty() => found.required(at, ""),
        None => {
            let message = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            found.invalid(at, manager, message);
        }
        Some((domain, path)) => {
            found.invalid_each(at, domain, names::dns_subdomain(domain));
            let fits =
                |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
            if !path.bytes().all(fits) {
                let message = r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')";
                found.invalid(at, path, message);
            }
        }
    }
    if manager.len() > 63 {
        found.too_long(at, 63);
    }
}

fn indexed(spec: &JobSpec, at: &At<'_>, found: &mut Findings) {
    if spec.completions.is_none() {
        let message = "when completion mode is Indexed";
        found.required(&at.field("completions"), message);
    }
    let completions = spec.completions.unwrap_or(i32::MAX);
    let (parallel_at, failed_at) = (at.field("parallelism"), at.field("maxFailedIndexes"));
    if let Some(parallelism) = spec.parallelism.filter(|number| *number > MANY) {
        let message =
            format!("must be less than or equal to {MANY} when completion mode is Indexed");
        found.invalid(&parallel_at, parallelism, &message);
    }
    if let Some(failed) = spec.max_failed_indexes {
        if failed > completions {
            let message = "must be less than or equal to completions";
            found.invalid(&failed_at, failed, message);
        }
        if failed > MANY {
            let message = format!("must be less than or equal to {MANY}");
            found.invalid(&failed_at, failed, &message);
        }
    }
    if spec.completions.is_none_or(|all| all <= MANY) || spec.backoff_limit_per_index.is_none() {
        return;
    }
    if spec.max_failed_indexes.is_none() {
        let message = format!("must be specified when completions is above {MANY}");
        found.required(&failed_at, &message);
    }
    let message = format!(
        "must be less than or equal to {MANY_AT_ONCE} when completions are above {MANY} and used with backoff limit per index"
    );
    let bounded = [
        (spec.parallelism, &parallel_at),
        (spec.max_failed_indexes, &failed_at),
    ];
    for (number, at) in bounded {
        if let Some(number) = number.filter(|number| *number > MANY_AT_ONCE) {
            found.invalid(at, number, &message);
        }
    }
}

fn many_at_once(spec: &JobSpec, at: &At<'_>, found: &mut Findings) {
    let (all, at_once) = (spec.completions.unwrap_or_default(), spec.parallelism);
    if is_indexed(spec) && all > MANY && at_once.unwrap_or_default() > MANY_AT_ONCE {
        found.warning(at, "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail");
    }
}

fn not_indexed(spec: &JobSpec, at: &At<'_>, found: &mut Findings) {
    let only_indexed = [
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ];
    for (field, number) in only_indexed {
        if let Some(number) = number {
            let message = "requires indexed completion mode";
            found.invalid(&at.field(field), number, message);
        }
    }
}

/// Checks a CronJob.
pub fn cron_job(cron_job: &CronJob, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&cron_job.metadata, names::dns_subdomain, &meta_at, found);
    let spec = &cron_job.spec;
    schedule(&spec.schedule, &spec_at.field("schedule"), found);
    let deadline_at = spec_at.field("startingDeadlineSeconds");
    found.not_negative(&deadline_at, spec.starting_deadline_seconds);
    if let Some(zone) = &spec.time_zone {
        timezone::check(zone, &spec_at.field("timeZone"), found);
    }
    let concurrency = text_or(&spec.concurrency_policy, "Allow");
    found.one_of(
        &spec_at.field("concurrencyPolicy"),
        concurrency,
        &CONCURRENCIES,
    );
    let job = or_empty(&spec.job_template.spec);
    let job_at = spec_at.field("jobTemplate");
    let job_at = job_at.field("spec");
    let template = Template::from(&job.template);
    job_spec(&job, &template, &job_at, found);
    if let Some(chosen) = &job.selector {
        let at = job_at.field("selector");
        found.invalid(
            &at,
            Shown::json(chosen),
            "`selector` will be auto-generated",
        );
    }
    if is_on(job.manual_selector) {
        found.unsupported(&job_at.field("manualSelector"), "true", &["nil", "false"]);
    }
    let kept_at = spec_at.field("successfulJobsHistoryLimit");
    found.not_negative(&kept_at, spec.successful_jobs_history_limit);
    let kept_at = spec_at.field("failedJobsHistoryLimit");
    found.not_negative(&kept_at, spec.failed_jobs_history_limit);
    let name = text(&cron_job.metadata.name);
    if name.len() > LONGEST_CRON_NAME {
        let message = format!("must be no more than {LONGEST_CRON_NAME} characters");
        found.invalid(&meta_at.field("name"), name, &message);
    }
    let template_at = job_at.field("template");
    warnings::name(&cron_job.metadata, Hostname::OfItsPods, &meta_at, found);
    many_at_once(&job, &job_at, found);
    warnings::of_template(&template.meta, &template.spec, &template_at, found);
}

fn schedule(schedule: &str, at: &At<'_>, found: &mut Findings) {
    if schedule.is_empty() {
        return found.required(at, "");
    }
    if let Err(message) = cron::check(schedule) {
        found.invalid(at, schedule, &message);
    }
    if schedule.contains("TZ") {
        let message = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        found.invalid(at, schedule, message);
    }
}
