//! Security contexts of containers, and seccomp profiles.

use k8s_openapi::api::core::v1;

use crate::model::container::{
    Capability, Privileges, ProcMount, SeccompProfile, SecuritySettings,
};

use super::{some, text, unless};

pub(super) fn context(
    security: &SecuritySettings,
    privileges: &Privileges,
) -> Option<v1::SecurityContext> {
    let SecuritySettings {
        run_as_user,
        run_as_group,
        run_as_non_root,
        seccomp: profile,
    } = security;
    let Privileges {
        privileged,
        allow_escalation,
        read_only_root,
        add_capabilities,
        drop_capabilities,
        proc_mount,
    } = privileges;
    let capabilities = v1::Capabilities {
        add: some(add_capabilities.iter().map(name).collect()),
        drop: some(drop_capabilities.iter().map(name).collect()),
    };
    let context = v1::SecurityContext {
        run_as_user: run_as_user.map(i64::from),
        run_as_group: run_as_group.map(i64::from),
        run_as_non_root: *run_as_non_root,
        seccomp_profile: profile.as_ref().map(seccomp),
        privileged: *privileged,
        allow_privilege_escalation: *allow_escalation,
        read_only_root_filesystem: *read_only_root,
        capabilities: unless(capabilities, &v1::Capabilities::default()),
        proc_mount: proc_mount.map(|mount| match mount {
            ProcMount::Default => "Default".to_owned(),
            ProcMount::Unmasked => "Unmasked".to_owned(),
        }),
        ..v1::SecurityContext::default()
    };
    unless(context, &v1::SecurityContext::default())
}

fn name(capability: &Capability) -> String {
    capability.as_str().to_owned()
}

pub(super) fn seccomp(profile: &SeccompProfile) -> v1::SeccompProfile {
    let (kind, file) = match profile {
        SeccompProfile::RuntimeDefault => ("RuntimeDefault", None),
        SeccompProfile::Unconfined => ("Unconfined", None),
        SeccompProfile::Localhost(file) => ("Localhost", Some(text(file))),
    };
    v1::SeccompProfile {
        type_: kind.to_owned(),
        localhost_profile: file,
    }
}
