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
    notes.not_yet_if(
        &at.field("ephemeralContainers"),
        ephemeral_containers.as_ref(),
    );
    notes.not_yet_if(&at.field("hostnameOverride"), hostname_override.as_ref());
    notes.not_yet_if(&at.field("readinessGates"), readiness_gates.as_ref());
    notes.not_yet_if(&at.field("resourceClaims"), resource_claims.as_ref());
    notes.not_yet_if(&at.field("runtimeClassName"), runtime_class_name.as_ref());
    if *set_hostname_as_fqdn == Some(true) {
        notes.not_yet(&at.field("setHostnameAsFQDN"));
    }
    system(os.as_ref(), &at.field("os"), notes);

    let annotations_at = meta_at.field("annotations");
    let mut all = meta.annotations;
    all.extend(options.annotations.clone());
    let mut annotations = Annotations::new(all, annotations_at);
    let fields = InfraFields {
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
    };
    let infra = infra::infra(&fields, at, &mut annotations, options, notes);
    let init_at = at.field("initContainers");
    let init_containers = all_of(
        items(init_containers.as_ref()),
        Kind::Init,
        &init_at,
        &mut annotations,
        notes,
    );
    let containers_at = at.field("containers");
    let mut containers = all_of(
        containers,
        Kind::App,
        &containers_at,
        &mut annotations,
        notes,
    );
    network::publish(&mut containers, options);
    let spec = PodSpec {
        namespace: meta.namespace,
        labels: meta.labels,
        annotations: annotations.into_plain(notes),
        infra,
        init_containers,
        containers,
        volumes: volumes_of(
            items(volumes.as_ref()),
            &at.field("volumes"),
            options,
            notes,
        ),
        restart_policy: restart(restart_policy.as_ref(), &at.field("restartPolicy"), notes),
        termination_grace: termination_grace_period_seconds
            .and_then(|grace| notes.number(&at.field("terminationGracePeriodSeconds"), grace))
            .map_or(DEFAULT_GRACE, Seconds),
        active_deadline: deadline(
            *active_deadline_seconds,
            &at.field("activeDeadlineSeconds"),
            notes,
        ),
        service_account: account(
            service_account_name.as_ref(),
            service_account.as_ref(),
            at,
            notes,
        ),
        image_pull_secrets: pull_secrets(
            items(image_pull_secrets.as_ref()),
            &at.field("imagePullSecrets"),
            notes,
        ),
        naming: options.naming,
        name: meta.name?,
    };
    (!notes.has_errors()).then_some(spec)
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
