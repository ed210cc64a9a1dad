//! What only Windows pods may have, and what they may not.

use k8s_openapi::api::core::v1::{
    PodSecurityContext, PodSpec, SecurityContext, WindowsSecurityContextOptions,
};

use super::containers::every_container;
use super::fault::{Faults as _, is_on, items};
use super::names;
use crate::manifest::source::{At, Findings};

const SYSTEMS: [&str; 2] = ["linux", "windows"];
const NOT_HERE: &str = "cannot be set for a windows pod";
const CREDENTIALS_KIB: usize = 64;

/// Checks the Windows options of a pod or container.
pub(super) fn options(options: &WindowsSecurityContextOptions, at: &At<'_>, found: &mut Findings) {
    if let Some(name) = &options.gmsa_credential_spec_name {
        let at = at.field("gmsaCredentialSpecName");
        found.invalid_each(&at, name, names::dns_subdomain(name));
    }
    if let Some(spec) = &options.gmsa_credential_spec {
        let at = at.field("gmsaCredentialSpec");
        if spec.is_empty() {
            let message = "gmsaCredentialSpec cannot be an empty string";
            found.invalid(&at, spec, message);
        } else if spec.len() > CREDENTIALS_KIB << 10 {
            let message = format!("gmsaCredentialSpec size must be under {CREDENTIALS_KIB} KiB");
            found.invalid(&at, "", &message);
        }
    }
    if let Some(name) = &options.run_as_user_name {
        user_name(name, &at.field("runAsUserName"), found);
    }
}

fn user_name(name: &str, at: &At<'_>, found: &mut Findings) {
    let mut wrong = |message: &str| found.invalid(at, name, message);
    if name.is_empty() {
        return wrong("runAsUserName cannot be an empty string");
    }
    if name.bytes().any(|byte| byte.is_ascii_control()) {
        return wrong("runAsUserName cannot contain control characters");
    }
    if name.matches('\\').count() > 1 {
        return wrong("runAsUserName cannot contain more than one backslash");
    }
    let (domain, user) = match name.split_once('\\') {
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    if domain.is_some_and(|domain| domain.len() >= 256) {
        wrong("runAsUserName's Domain length must be under 256 characters");
    }
    if domain.is_some_and(|domain| !is_net_bios(domain) && !is_dns(domain)) {
        wrong("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
    if user.is_empty() {
        wrong("runAsUserName's User cannot be empty");
    } else if user.len() > 104 {
        wrong("runAsUserName's User length must not be longer than 104 characters");
    } else if user.chars().all(|c| c == '.' || c == ' ') {
        wrong("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains([
        '"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']',
    ]) {
        wrong(r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#);
    }
}

fn is_net_bios(domain: &str) -> bool {
    let bad = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
    (1..=15).contains(&domain.chars().count()) && !domain.starts_with('.') && !domain.contains(bad)
}

fn is_dns(domain: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    domain
        .split('.')
        .all(|label| label.len() <= 63 && names::is_made_of(label, is_inner))
}

/// Checks that the containers of a pod agree on being processes of the host.
pub(super) fn host_processes(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let context = spec.security_context.as_ref();
    let options = context.and_then(|context| context.windows_options.as_ref());
    let of_pod = options.and_then(|options| options.host_process);
    let (mut all, mut of_host) = (0, 0);
    every_container(spec, at, &mut |container, at| {
        let context = container.security_context.as_ref();
        let options = context.and_then(|context| context.windows_options.as_ref());
        let own = options.and_then(|options| options.host_process);
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let at = at.field("securityContext");
            let at = at.field("windowsOptions");
            let message =
                format!("pod hostProcess value must be identical if both are specified, was {pod}");
            found.invalid(&at.field("hostProcess"), own, &message);
        }
        all += 1;
        of_host += u32::from(is_on(own.or(of_pod)));
    });
    if of_host == 0 {
        return;
    }
    if of_host != all {
        found.invalid(at, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers");
    }
    if !is_on(spec.host_network) {
        let message = "hostNetwork must be true if pod contains any hostProcess containers";
        found.invalid(&at.field("hostNetwork"), false, message);
    }
}

/// Checks the pod's operating system, and that nothing is asked which it does not have.
pub(super) fn operating_system(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let Some(os) = &spec.os else {
        return;
    };
    let os_at = at.field("os");
    let name_at = os_at.field("name");
    match os.name.as_str() {
        "linux" => no_windows_options(spec, at, found),
        "windows" => {
            pod_without_linux(spec, at, found);
            every_container(spec, at, &mut |container, at| {
                if let Some(context) = &container.security_context {
                    container_without_linux(context, &at.field("securityContext"), found);
                }
            });
        }
        "" => found.required(&name_at, "cannot be empty"),
        other => found.unsupported(&at.shown_as(".os", &name_at), other, &SYSTEMS),
    }
}

fn no_windows_options(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    const MESSAGE: &str = "windows options cannot be set for a linux pod";
    let context = spec.security_context.as_ref();
    if context.is_some_and(|context| context.windows_options.is_some()) {
        let at = at.field("securityContext");
        found.forbidden(&at.field("windowsOptions"), MESSAGE);
    }
    every_container(spec, at, &mut |container, at| {
        let context = container.security_context.as_ref();
        if context.is_some_and(|context| context.windows_options.is_some()) {
            let at = at.field("securityContext");
            found.forbidden(&at.field("windowsOptions"), MESSAGE);
        }
    });
}

fn pod_without_linux(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let of_pod = [
        ("resources", spec.resources.is_some()),
        ("hostUsers", spec.host_users.is_some()),
        ("hostPID", is_on(spec.host_pid)),
        ("hostIPC", is_on(spec.host_ipc)),
        (
            "shareProcessNamespace",
            spec.share_process_namespace.is_some(),
        ),
    ];
    forbid_set(&of_pod, at, found);
    if let Some(context) = &spec.security_context {
        context_without_linux(context, &at.field("securityContext"), found);
    }
}

fn context_without_linux(context: &PodSecurityContext, at: &At<'_>, found: &mut Findings) {
    let set = [
        ("appArmorProfile", context.app_armor_profile.is_some()),
        ("seLinuxOptions", context.se_linux_options.is_some()),
        ("seccompProfile", context.seccomp_profile.is_some()),
        ("fsGroup", context.fs_group.is_some()),
        (
            "fsGroupChangePolicy",
            context.fs_group_change_policy.is_some(),
        ),
        ("sysctls", !items(&context.sysctls).is_empty()),
        ("runAsUser", context.run_as_user.is_some()),
        ("runAsGroup", context.run_as_group.is_some()),
        ("supplementalGroups", context.supplemental_groups.is_some()),
        (
            "supplementalGroupsPolicy",
            context.supplemental_groups_policy.is_some(),
        ),
        (
            "seLinuxChangePolicy",
            context.se_linux_change_policy.is_some(),
        ),
    ];
    forbid_set(&set, at, found);
}

fn container_without_linux(context: &SecurityContext, at: &At<'_>, found: &mut Findings) {
    let set = [
        ("appArmorProfile", context.app_armor_profile.is_some()),
        ("seLinuxOptions", context.se_linux_options.is_some()),
        ("seccompProfile", context.seccomp_profile.is_some()),
        ("capabilities", context.capabilities.is_some()),
        (
            "readOnlyRootFilesystem",
            context.read_only_root_filesystem.is_some(),
        ),
        ("privileged", context.privileged.is_some()),
        (
            "allowPrivilegeEscalation",
            context.allow_privilege_escalation.is_some(),
        ),
        ("procMount", context.proc_mount.is_some()),
        ("runAsUser", context.run_as_user.is_some()),
        ("runAsGroup", context.run_as_group.is_some()),
    ];
    forbid_set(&set, at, found);
}

fn forbid_set(fields: &[(&'static str, bool)], at: &At<'_>, found: &mut Findings) {
    for (field, _) in fields.iter().filter(|(_, is_set)| *is_set) {
        found.forbidden(&at.field(field), NOT_HERE);
    }
}
