//! Security contexts of pods and of containers.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl,
};

use super::fault::{Faults as _, Shown, is_on, items};
use super::names;
use super::scope::Scope;
use super::{paths, windows};
use crate::manifest::source::{At, Findings};

const PROFILES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
const PROC_MOUNTS: [&str; 2] = ["Default", "Unmasked"];
const GROUP_CHANGES: [&str; 2] = ["Always", "OnRootMismatch"];
const GROUP_POLICIES: [&str; 2] = ["Merge", "Strict"];
/// The one policy without the gate SELinuxMount, which 1.34 has off.
const LABEL_CHANGES: [&str; 1] = ["Recursive"];
const LARGEST_ID: i64 = 2_147_483_647;
const LARGEST_PATH: usize = 4095;

/// Checks the security context of a pod.
pub(super) fn of_pod(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    if is_on(spec.host_pid) && is_on(spec.share_process_namespace) {
        // the server keeps this switch in its security context, and blames it there
        let message = "ShareProcessNamespace and HostPID cannot both be enabled";
        let share_at = at.field("shareProcessNamespace");
        let at = at.shown_as(".securityContext.shareProcessNamespace", &share_at);
        found.invalid(&at, true, message);
    }
    let Some(context) = &spec.security_context else {
        return;
    };
    let at = at.field("securityContext");
    id(context.fs_group, &at.field("fsGroup"), found);
    id(context.run_as_user, &at.field("runAsUser"), found);
    id(context.run_as_group, &at.field("runAsGroup"), found);
    for (index, group) in items(&context.supplemental_groups).iter().enumerate() {
        id(
            Some(*group),
            &at.field("supplementalGroups").index(index),
            found,
        );
    }
    sysctls(items(&context.sysctls), spec, &at.field("sysctls"), found);
    policies(context, &at, found);
    if let Some(profile) = &context.seccomp_profile {
        seccomp(profile, &at.field("seccompProfile"), found);
    }
    if let Some(options) = &context.windows_options {
        windows::options(options, &at.field("windowsOptions"), found);
    }
    if let Some(profile) = &context.app_armor_profile {
        app_armor(profile, &at.field("appArmorProfile"), found);
    }
}

fn policies(context: &PodSecurityContext, at: &At<'_>, found: &mut Findings) {
    if let Some(policy) = &context.fs_group_change_policy {
        found.one_of(&at.field("fsGroupChangePolicy"), policy, &GROUP_CHANGES);
    }
    if let Some(policy) = &context.supplemental_groups_policy {
        let at = at.field("supplementalGroupsPolicy");
        found.one_of(&at, policy, &GROUP_POLICIES);
    }
    if let Some(policy) = &context.se_linux_change_policy {
        found.one_of(&at.field("seLinuxChangePolicy"), policy, &LABEL_CHANGES);
    }
}

/// Checks the security context of a container.
pub(super) fn of_container(
    context: &SecurityContext,
    scope: &Scope<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    id(context.run_as_user, &at.field("runAsUser"), found);
    id(context.run_as_group, &at.field("runAsGroup"), found);
    if let Some(kind) = &context.proc_mount {
        let at = at.field("procMount");
        found.one_of(&at, kind, &PROC_MOUNTS);
        if kind == "Unmasked" && scope.uses_host_users() {
            found.invalid(&at, kind, "`hostUsers` must be false to use `Unmasked`");
        }
    }
    if let Some(profile) = &context.seccomp_profile {
        seccomp(profile, &at.field("seccompProfile"), found);
    }
    if context.allow_privilege_escalation == Some(false) {
        escalation(context, at, found);
    }
    if let Some(options) = &context.windows_options {
        windows::options(options, &at.field("windowsOptions"), found);
    }
    if let Some(profile) = &context.app_armor_profile {
        app_armor(profile, &at.field("appArmorProfile"), found);
    }
}

fn escalation(context: &SecurityContext, at: &At<'_>, found: &mut Findings) {
    if is_on(context.privileged) {
        let message = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        found.invalid(at, Shown::json(context), message);
    }
    let added = context.capabilities.as_ref().map(|set| items(&set.add));
    for name in added.unwrap_or_default() {
        // only this spelling is refused, although `SYS_ADMIN` means the same
        if name == "CAP_SYS_ADMIN" {
            let message = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            found.invalid(at, Shown::json(context), message);
        }
    }
}

fn id(id: Option<i64>, at: &At<'_>, found: &mut Findings) {
    if let Some(id) = id.filter(|id| !(0..=LARGEST_ID).contains(id)) {
        found.invalid(at, id, &names::between(0, LARGEST_ID));
    }
}

fn seccomp(profile: &SeccompProfile, at: &At<'_>, found: &mut Findings) {
    match profile.type_.as_str() {
        "" => {
            let message = "type is required when seccompProfile is set";
            found.required(&at.field("type"), message);
        }
        kind => found.one_of(&at.field("type"), kind, &PROFILES),
    }
    let at = at.field("localhostProfile");
    match (&profile.localhost_profile, profile.type_ == "Localhost") {
        (Some(path), true) => paths::descending(path, &at, found),
        (None, true) => found.required(&at, "must be set when seccomp type is Localhost"),
        (Some(_), false) => {
            let message = "can only be set when seccomp type is Localhost";
            found.invalid(&at, Shown::json(profile), message);
        }
        (None, false) => {}
    }
}

fn app_armor(profile: &AppArmorProfile, at: &At<'_>, found: &mut Findings) {
    let name_at = at.field("localhostProfile");
    match (profile.type_.as_str(), &profile.localhost_profile) {
        ("", _) => {
            let message = "type is required when appArmorProfile is set";
            found.required(&at.field("type"), message);
        }
        ("Localhost", None) => {
            found.required(&name_at, "must be set when AppArmor type is Localhost");
        }
        ("Localhost", Some(name)) => app_armor_name(name, &name_at, found),
        ("RuntimeDefault" | "Unconfined", Some(name)) => {
            let message = "can only be set when AppArmor type is Localhost";
            found.invalid(&name_at, name, message);
        }
        (kind, _) => found.one_of(&at.field("type"), kind, &PROFILES),
    }
}

fn app_armor_name(name: &str, at: &At<'_>, found: &mut Findings) {
    if name.trim() != name {
        found.invalid(at, name, "must not be padded with whitespace");
    } else if name.is_empty() {
        found.required(at, "must be set when AppArmor type is Localhost");
    }
    if name.len() > LARGEST_PATH {
        found.too_long(at, LARGEST_PATH);
    }
}

fn sysctls(list: &[Sysctl], spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in list.iter().enumerate() {
        let at = at.index(index);
        let at = at.field("name");
        let name = sysctl.name.as_str();
        if name.is_empty() {
            found.required(&at, "");
        } else if !is_sysctl(name) {
            found.invalid(&at, name, r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
        } else if !seen.insert(name) {
            found.duplicate(&at, name);
        }
        let shared = match namespace_of(name) {
            Some(Namespace::Net) if is_on(spec.host_network) => "hostNetwork",
            Some(Namespace::Ipc) if is_on(spec.host_ipc) => "hostIPC",
            _ => continue,
        };
        let message = format!("may not be specified when '{shared}' is true");
        found.invalid(&at, name, &message);
    }
}

fn is_sysctl(name: &str) -> bool {
    let is_inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    name.len() <= 253
        && name
            .split(['.', '/'])
            .all(|part| names::is_made_of(part, is_inner))
}

enum Namespace {
    Net,
    Ipc,
}

/// Returns the kernel namespace that a sysctl belongs to, where it has one.
fn namespace_of(name: &str) -> Option<Namespace> {
    let name = dotted(name);
    if name.starts_with("net.") {
        return Some(Namespace::Net);
    }
    let is_ipc = name == "kernel.sem"
        || ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|prefix| name.starts_with(prefix));
    is_ipc.then_some(Namespace::Ipc)
}

/// Spells a sysctl with dots; in one that begins with slashes, dots belong to interface names.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(first) if name[first..].starts_with('/') => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    }
}
