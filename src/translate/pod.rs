//! A Pod, or the template of one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;

use crate::manifest::source::{At, Findings};
use crate::model::container::{ContainerSpec, Role};
use crate::model::pod::{PodSpec, RestartPolicy};
use crate::model::quantity::Seconds;
use crate::names::{ObjectName, VolumeName};

use super::annotations::Annotations;
use super::container::{self, Kind};
use super::infra::{self, InfraFields};
use super::metadata::{self, Meta};
use super::network;
use super::notes::{Notes, filled, items};
use super::options::PlayOptions;
use super::volume;

/// Translates a Pod document; none if an error was found, all of which are in `findings`.
pub(super) fn pod(
    pod: &v1::Pod,
    options: &PlayOptions,
    findings: &mut Findings,
) -> Option<PodSpec> {
    let v1::Pod {
        metadata,
        spec,
        status: _,
    } = pod;
    let notes = &mut Notes::new(findings);
    let at = At::ROOT;
    let meta_at = at.field("metadata");
    let meta = metadata::meta(metadata, &meta_at, notes);
    let Some(spec) = spec else {
        notes.required(&at.field("spec"), "Required value");
        return None;
    };
    template(meta, &meta_at, spec, &at.field("spec"), options, notes)
}

/// Translates what a pod is, wherever its metadata comes from.
pub(super) fn template(
    meta: Meta,
    meta_at: &At<'_>,
    spec: &v1::PodSpec,
    at: &At<'_>,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> Option<PodSpec> {
    let parts = parts(spec);
    notes.not_yet_of(at, &parts.not_yet);
    system(parts.os, &at.field("os"), notes);
    let mut annotations = meta.annotations;
    annotations.extend(options.annotations.clone());
    let mut annotations = Annotations::new(annotations, meta_at.field("annotations"));
    let infra = infra::infra(&parts.infra, at, &mut annotations, options, notes);
    let mut containers =
        |list, kind, field| all_of(list, kind, &at.field(field), &mut annotations, notes);
    let init_containers = containers(parts.init_containers, Kind::Init, "initContainers");
    let mut containers = containers(parts.containers, Kind::App, "containers");
    network::publish(&mut containers, options);
    let grace_at = at.field("terminationGracePeriodSeconds");
    let secrets_at = at.field("imagePullSecrets");
    let spec = PodSpec {
        namespace: meta.namespace,
        labels: meta.labels,
        annotations: annotations.into_plain(notes),
        infra,
        init_containers,
        containers,
        volumes: volumes_of(parts.volumes, &at.field("volumes"), options, notes),
        restart_policy: restart(parts.restart_policy, &at.field("restartPolicy"), notes),
        termination_grace: (parts.grace)
            .and_then(|grace| notes.number(&grace_at, grace))
            .map_or(DEFAULT_GRACE, Seconds),
        active_deadline: deadline(parts.deadline, &at.field("activeDeadlineSeconds"), notes),
        service_account: account(parts.account, parts.old_account, at, notes),
        image_pull_secrets: pull_secrets(parts.pull_secrets, &secrets_at, notes),
        naming: options.naming,
        name: meta.name?,
    };
    (!notes.has_errors()).then_some(spec)
}

/// The fields of a pod, by what becomes of them.
struct Parts<'a> {
    infra: InfraFields<'a>,
    init_containers: &'a [v1::Container],
    containers: &'a [v1::Container],
    volumes: &'a [v1::Volume],
    restart_policy: Option<&'a String>,
    grace: Option<i64>,
    deadline: Option<i64>,
    account: Option<&'a String>,
    /// The account by the field's old name.
    old_account: Option<&'a String>,
    pull_secrets: &'a [v1::LocalObjectReference],
    os: Option<&'a v1::PodOS>,
    /// The fields without an effect, and whether they are there.
    not_yet: [(&'static str, bool); 6],
}

fn parts(spec: &v1::PodSpec) -> Parts<'_> {
    let v1::PodSpec {
        active_deadline_seconds,
        containers,
        dns_config,
        dns_policy,
        ephemeral_containers,
        host_aliases,
        host_ipc,
        host_network,
        host_pid,
        host_users,
        hostname,
        hostname_override,
        image_pull_secrets,
        init_containers,
        os,
        readiness_gates,
        resource_claims,
        resources,
        restart_policy,
        runtime_class_name,
        security_context,
        service_account,
        service_account_name,
        set_hostname_as_fqdn,
        share_process_namespace,
        subdomain,
        termination_grace_period_seconds,
        volumes,
        // Where and when a cluster places the pod; here there is one place.
        affinity: _,
        node_name: _,
        node_selector: _,
        overhead: _,
        preemption_policy: _,
        priority: _,
        priority_class_name: _,
        scheduler_name: _,
        scheduling_gates: _,
        scheduling_group: _,
        tolerations: _,
        topology_spread_constraints: _,
        eviction_responders: _,
        // No server to hold tokens for, no Services to name in the environment.
        automount_service_account_token: _,
        enable_service_links: _,
    } = spec;
    Parts {
        infra: InfraFields {
            dns_config: dns_config.as_ref(),
            dns_policy: dns_policy.as_ref(),
            host_aliases: host_aliases.as_ref(),
            host_ipc: host_ipc.unwrap_or(false),
            host_network: host_network.unwrap_or(false),
            host_pid: host_pid.unwrap_or(false),
            host_users: host_users.unwrap_or(true),
            hostname: hostname.as_ref(),
            resources: resources.as_ref(),
            security_context: security_context.as_ref(),
            share_process_namespace: share_process_namespace.unwrap_or(false),
            subdomain: subdomain.as_ref(),
        },
        init_containers: items(init_containers.as_ref()),
        containers,
        volumes: items(volumes.as_ref()),
        restart_policy: restart_policy.as_ref(),
        grace: *termination_grace_period_seconds,
        deadline: *active_deadline_seconds,
        account: service_account_name.as_ref(),
        old_account: service_account.as_ref(),
        pull_secrets: items(image_pull_secrets.as_ref()),
        os: os.as_ref(),
        not_yet: [
            ("ephemeralContainers", ephemeral_containers.is_some()),
            ("hostnameOverride", hostname_override.is_some()),
            ("readinessGates", readiness_gates.is_some()),
            ("resourceClaims", resource_claims.is_some()),
            ("runtimeClassName", runtime_class_name.is_some()),
            ("setHostnameAsFQDN", *set_hostname_as_fqdn == Some(true)),
        ],
    }
}

/// What Kubernetes gives a pod that does not say how long its containers may take to stop.
pub(super) const DEFAULT_GRACE: Seconds = Seconds(30);

fn system(os: Option<&v1::PodOS>, at: &At<'_>, notes: &mut Notes<'_>) {
    if let Some(v1::PodOS { name }) = os {
        notes.choose(&at.field("name"), Some(name), (), &[("linux", ())]);
    }
}

fn all_of(
    list: &[v1::Container],
    kind: Kind,
    at: &At<'_>,
    annotations: &mut Annotations<'_>,
    notes: &mut Notes<'_>,
) -> Vec<ContainerSpec> {
    list.iter()
        .enumerate()
        .filter_map(|(index, item)| {
            container::container(item, kind, &at.index(index), annotations, notes)
        })
        .collect()
}

fn volumes_of(
    list: &[v1::Volume],
    at: &At<'_>,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> BTreeMap<VolumeName, crate::model::volume::VolumeSpec> {
    list.iter()
        .enumerate()
        .filter_map(|(index, item)| volume::volume(item, &at.index(index), options, notes))
        .collect()
}

fn restart(policy: Option<&String>, at: &At<'_>, notes: &mut Notes<'_>) -> RestartPolicy {
    let words = [
        ("Always", RestartPolicy::Always),
        ("OnFailure", RestartPolicy::OnFailure),
        ("Never", RestartPolicy::Never),
    ];
    notes.choose(at, policy, RestartPolicy::Always, &words)
}

fn deadline(seconds: Option<i64>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<Seconds> {
    let seconds = notes.number(at, seconds?)?;
    Some(Seconds(seconds))
}

/// `serviceAccount` is the old name of `serviceAccountName`.
fn account(
    name: Option<&String>,
    old: Option<&String>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<ObjectName> {
    match filled(name) {
        Some(name) => notes.parse(&at.field("serviceAccountName"), name, ObjectName::parse),
        None => notes.parse_some(&at.field("serviceAccount"), old, ObjectName::parse),
    }
}

fn pull_secrets(
    list: &[v1::LocalObjectReference],
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Vec<ObjectName> {
    let mut secrets = Vec::new();
    for (index, v1::LocalObjectReference { name }) in list.iter().enumerate() {
        // The server takes a reference without a name, and names nothing by it.
        if name.is_empty() {
            continue;
        }
        secrets.extend(notes.parse(&at.index(index).field("name"), name, ObjectName::parse));
    }
    secrets
}

impl Kind {
    /// Returns when the container runs; `always` is what its own restart policy says.
    pub(super) fn role(self, always: bool) -> Role {
        match (self, always) {
            (Self::Init, true) => Role::Sidecar,
            (Self::Init, false) => Role::Init,
            (Self::App, _) => Role::App,
        }
    }
}
