//! Containers of a pod: the regular ones, those that run before them, and the ephemeral ones.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Container, ContainerResizePolicy, EphemeralContainer, PodSpec, ResourceRequirements,
};

use super::fault::{Faults as _, items, text, text_or, unsupported_message};
use super::probe::{Role, lifecycle, probe};
use super::scope::{Scope, Subject};
use super::{claims, env, mounts, names, ports, resources, security};
use crate::manifest::source::{At, Findings};

const MESSAGE_POLICIES: [&str; 2] = ["File", "FallbackToLogsOnError"];
/// When images are pulled.
pub(super) const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const RESIZED: [&str; 2] = ["cpu", "memory"];
const RESIZE_POLICIES: [&str; 2] = ["NotRequired", "RestartContainer"];
const ONLY_SIDECARS: &str = "may not be set for init containers without restartPolicy=Always";
const NOT_EPHEMERAL: &str = "cannot be set for an Ephemeral Container";

/// Checks the regular containers of a pod.
pub(super) fn regular(scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let containers = &scope.spec.containers;
    if containers.is_empty() {
        found.required(at, "");
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = at.index(index);
        common(container, scope, &at, found);
        if !seen.insert(&container.name) {
            found.duplicate(&at.field("name"), &container.name);
        }
        long_running(container, scope, &at, found);
        if let Some(policy) = &container.restart_policy
            && !["Always", "OnFailure", "Never"].contains(&policy.as_str())
        {
            // Kubernetes 1.34 drops the field unread (gate ContainerRestartRules)
            let message = unsupported_message(policy, &["Always", "OnFailure", "Never"]);
            found.warning(&at.field("restartPolicy"), message);
        }
    }
    ports::unique_on_host(containers.iter().enumerate(), scope, at, found);
}

/// Checks the containers that run first, one after the other, and the sidecars among them.
pub(super) fn initial(scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let regular = scope.spec.containers.iter();
    let mut seen: BTreeSet<&str> = regular.map(|one| one.name.as_str()).collect();
    for (index, container) in items(&scope.spec.init_containers).iter().enumerate() {
        let list_at = at;
        let at = at.index(index);
        common(container, scope, &at, found);
        if let Some(policy) = &container.restart_policy {
            found.one_of(&at.field("restartPolicy"), policy, &["Always"]);
        }
        if !seen.insert(&container.name) && !container.name.is_empty() {
            found.duplicate(&at.field("name"), &container.name);
        }
        let alone = std::iter::once((index, container));
        ports::unique_on_host(alone, scope, list_at, found);
        if is_sidecar(container) {
            long_running(container, scope, &at, found);
        } else {
            only_running_once(container, &at, found);
        }
    }
}

/// Tells whether an init container keeps running beside the regular ones (KEP-753).
pub(super) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn only_running_once(container: &Container, at: &At<'_>, found: &mut Findings) {
    let set = [
        ("lifecycle", has_hooks(container)),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
    ];
    for (field, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        found.forbidden(&at.field(field), ONLY_SIDECARS);
    }
}

/// Tells whether a lifecycle holds more than the stop signal, which 1.34 drops unread.
fn has_hooks(container: &Container) -> bool {
    container.lifecycle.as_ref().is_some_and(|lifecycle| {
        let has_hook = lifecycle.post_start.is_some() || lifecycle.pre_stop.is_some();
        has_hook || lifecycle.stop_signal.is_none()
    })
}

fn long_running(container: &Container, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    if let Some(hooks) = &container.lifecycle {
        lifecycle(hooks, scope.grace_period(), &at.field("lifecycle"), found);
    }
    let probes = [
        ("livenessProbe", &container.liveness_probe, Role::Liveness),
        (
            "readinessProbe",
            &container.readiness_probe,
            Role::Readiness,
        ),
        ("startupProbe", &container.startup_probe, Role::Startup),
    ];
    for (field, one, role) in probes {
        if let Some(one) = one {
            probe(one, role, &at.field(field), found);
        }
    }
}

fn common(container: &Container, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let name_at = at.field("name");
    if container.name.is_empty() {
        found.required(&name_at, "");
    } else {
        let wrong = names::dns_label(&container.name);
        found.invalid_each(&name_at, &container.name, wrong);
    }
    image(
        text(&container.image),
        scope.subject,
        &at.field("image"),
        found,
    );
    let policy = text_or(&container.termination_message_policy, "File");
    let policy_at = at.field("terminationMessagePolicy");
    found.one_of(&policy_at, policy, &MESSAGE_POLICIES);
    ports::ports(items(&container.ports), &at.field("ports"), found);
    env::variables(items(&container.env), &at.field("env"), found);
    env::sources(items(&container.env_from), &at.field("envFrom"), found);
    mounts::mounts(container, scope, &at.field("volumeMounts"), found);
    mounts::devices(container, scope, &at.field("volumeDevices"), found);
    let policy = text_or(&container.image_pull_policy, "IfNotPresent");
    found.one_of(&at.field("imagePullPolicy"), policy, &PULL_POLICIES);
    if let Some(wanted) = &container.resources {
        let at = at.field("resources");
        resources::of_container(wanted, scope.subject, &at, found);
        claims::of_container(items(&wanted.claims), scope, &at.field("claims"), found);
    }
    resize(
        items(&container.resize_policy),
        scope,
        &at.field("resizePolicy"),
        found,
    );
    if let Some(context) = &container.security_context {
        security::of_container(context, scope, &at.field("securityContext"), found);
    }
}

fn image(image: &str, subject: Subject, at: &At<'_>, found: &mut Findings) {
    if image.is_empty() {
        found.required(at, "");
    } else if subject == Subject::Pod && image.trim() != image {
        found.invalid(at, image, "must not have leading or trailing whitespace");
    }
}

fn resize(
    policies: &[ContainerResizePolicy],
    scope: &Scope<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    for (index, policy) in policies.iter().enumerate() {
        let at = at.index(index);
        if !seen.insert(&policy.resource_name) {
            found.duplicate(&at, &policy.resource_name);
        }
        choice(
            &policy.resource_name,
            &RESIZED,
            &at.field("resourceName"),
            found,
        );
        let restart_at = at.field("restartPolicy");
        choice(&policy.restart_policy, &RESIZE_POLICIES, &restart_at, found);
        if scope.restart_policy() == "Never" && policy.restart_policy != "NotRequired" {
            let message = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            found.invalid(&restart_at, &policy.restart_policy, message);
        }
    }
}

fn choice(value: &str, supported: &[&str], at: &At<'_>, found: &mut Findings) {
    if value.is_empty() {
        found.required(at, "");
    } else {
        found.one_of(at, value, supported);
    }
}

/// Checks ephemeral containers, which are added to running pods only.
pub(super) fn ephemeral(scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let list = items(&scope.spec.ephemeral_containers);
    if list.is_empty() {
        return;
    }
    let initial = items(&scope.spec.init_containers).iter();
    let others = scope.spec.containers.iter().chain(initial);
    let others: BTreeSet<&str> = others.map(|one| one.name.as_str()).collect();
    let mut seen = others.clone();
    for (index, container) in list.iter().enumerate() {
        let at = at.index(index);
        common(&as_regular(container), scope, &at, found);
        if !seen.insert(&container.name) {
            found.duplicate(&at.field("name"), &container.name);
        }
        let target = text(&container.target_container_name);
        if !target.is_empty() && !others.contains(target) {
            found.not_found(&at.field("targetContainerName"), target);
        }
        only_debugging(container, &at, found);
    }
    found.forbidden(
        at,
        match scope.subject {
            Subject::Pod => "cannot be set on create",
            Subject::Template => "ephemeral containers not allowed in pod template",
        },
    );
}

fn only_debugging(container: &EphemeralContainer, at: &At<'_>, found: &mut Findings) {
    let set = [
        ("ports", container.ports.is_some()),
        (
            "resources",
            container
                .resources
                .as_ref()
                .is_some_and(|one| *one != ResourceRequirements::default()),
        ),
        ("resizePolicy", container.resize_policy.is_some()),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
        ("lifecycle", container.lifecycle.is_some()),
    ];
    for (field, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        found.forbidden(&at.field(field), NOT_EPHEMERAL);
    }
    let at = at.field("volumeMounts");
    for (index, mount) in items(&container.volume_mounts).iter().enumerate() {
        let at = at.index(index);
        if !text(&mount.sub_path).is_empty() {
            found.forbidden(&at.field("subPath"), NOT_EPHEMERAL);
        }
        if !text(&mount.sub_path_expr).is_empty() {
            found.forbidden(&at.field("subPathExpr"), NOT_EPHEMERAL);
        }
    }
}

/// Returns what an ephemeral container shares with a regular one.
fn as_regular(container: &EphemeralContainer) -> Container {
    let container = container.clone();
    Container {
        env: container.env,
        env_from: container.env_from,
        image: container.image,
        image_pull_policy: container.image_pull_policy,
        name: container.name,
        ports: container.ports,
        resize_policy: container.resize_policy,
        resources: container.resources,
        security_context: container.security_context,
        termination_message_policy: container.termination_message_policy,
        volume_devices: container.volume_devices,
        volume_mounts: container.volume_mounts,
        ..Container::default()
    }
}

/// Visits the containers of a pod, those that run first first, each with its path.
pub(super) fn every_container<'s>(
    spec: &'s PodSpec,
    at: &At<'_>,
    visit: &mut dyn FnMut(&'s Container, &At<'_>),
) {
    let list_at = at.field("initContainers");
    for (index, container) in items(&spec.init_containers).iter().enumerate() {
        visit(container, &list_at.index(index));
    }
    let list_at = at.field("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        visit(container, &list_at.index(index));
    }
}
