//! Security contexts: of the pod, and of a container.

use std::collections::BTreeSet;
use std::path::PathBuf;

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::container::{
    Capability, Privileges, ProcMount, SeccompProfile, SecuritySettings,
};

use super::notes::{Notes, items};

/// What the security contexts of pods and containers have in common.
pub(super) struct Fields<'a> {
    pub run_as_user: Option<i64>,
    pub run_as_group: Option<i64>,
    pub run_as_non_root: Option<bool>,
    pub seccomp: Option<&'a v1::SeccompProfile>,
    /// The profile by annotation, as before `seccompProfile` came; the field is stronger.
    pub old_seccomp: Option<String>,
    pub app_armor: Option<&'a v1::AppArmorProfile>,
    pub se_linux: Option<&'a v1::SELinuxOptions>,
    pub windows: Option<&'a v1::WindowsSecurityContextOptions>,
}

/// Translates what pods and containers have in common; `at` is the security context.
pub(super) fn settings(
    fields: &Fields<'_>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> SecuritySettings {
    let not_yet = [
        ("appArmorProfile", fields.app_armor.is_some()),
        ("seLinuxOptions", fields.se_linux.is_some()),
        ("windowsOptions", fields.windows.is_some()),
    ];
    notes.not_yet_of(at, &not_yet);
    let seccomp_at = at.field("seccompProfile");
    let seccomp = match (fields.seccomp, &fields.old_seccomp) {
        (Some(profile), _) => seccomp(profile, &seccomp_at, notes),
        (None, Some(text)) => old_seccomp(text, &seccomp_at, notes),
        (None, None) => None,
    };
    SecuritySettings {
        run_as_user: id(fields.run_as_user, &at.field("runAsUser"), notes),
        run_as_group: id(fields.run_as_group, &at.field("runAsGroup"), notes),
        run_as_non_root: fields.run_as_non_root,
        seccomp,
    }
}

fn id(id: Option<i64>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<u32> {
    id.and_then(|id| notes.number(at, id))
}

fn seccomp(
    profile: &v1::SeccompProfile,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<SeccompProfile> {
    let v1::SeccompProfile {
        localhost_profile,
        type_,
    } = profile;
    match (type_.as_str(), localhost_profile) {
        ("RuntimeDefault", _) => Some(SeccompProfile::RuntimeDefault),
        ("Unconfined", _) => Some(SeccompProfile::Unconfined),
        ("Localhost", Some(file)) => Some(SeccompProfile::Localhost(PathBuf::from(file))),
        ("Localhost", None) => {
            notes.required(&at.field("localhostProfile"), "Required value");
            None
        }
        (other, _) => {
            let message = format!(
                "Unsupported value: {other:?}: supported values: \"Localhost\", \"RuntimeDefault\", \"Unconfined\""
            );
            notes.unsupported(&at.field("type"), message);
            None
        }
    }
}

fn old_seccomp(text: &str, at: &At<'_>, notes: &mut Notes<'_>) -> Option<SeccompProfile> {
    match text {
        "unconfined" => Some(SeccompProfile::Unconfined),
        "runtime/default" | "docker/default" => Some(SeccompProfile::RuntimeDefault),
        _ => match text.strip_prefix("localhost/") {
            Some(file) => Some(SeccompProfile::Localhost(PathBuf::from(file))),
            None => {
                notes.invalid(at, text, "must be a valid seccomp profile");
                None
            }
        },
    }
}

/// What a container's security context holds beyond the settings that a pod's has too.
pub(super) struct PrivilegeFields<'a> {
    pub allow_privilege_escalation: Option<bool>,
    pub capabilities: Option<&'a v1::Capabilities>,
    pub privileged: Option<bool>,
    pub proc_mount: Option<&'a String>,
    pub read_only_root_filesystem: Option<bool>,
}

/// Translates what a container may do beyond an ordinary process; `at` is the security context.
pub(super) fn privileges(
    fields: &PrivilegeFields<'_>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Privileges {
    let default = v1::Capabilities::default();
    let v1::Capabilities { add, drop } = fields.capabilities.unwrap_or(&default);
    let capabilities_at = at.field("capabilities");
    Privileges {
        privileged: fields.privileged,
        allow_escalation: fields.allow_privilege_escalation,
        read_only_root: fields.read_only_root_filesystem,
        add_capabilities: capabilities(items(add.as_ref()), &capabilities_at.field("add"), notes),
        drop_capabilities: capabilities(
            items(drop.as_ref()),
            &capabilities_at.field("drop"),
            notes,
        ),
        proc_mount: proc_mount(fields.proc_mount, &at.field("procMount"), notes),
    }
}

fn capabilities(list: &[String], at: &At<'_>, notes: &mut Notes<'_>) -> BTreeSet<Capability> {
    list.iter()
        .enumerate()
        .filter_map(|(index, name)| notes.parse(&at.index(index), name, Capability::parse))
        .collect()
}

fn proc_mount(word: Option<&String>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<ProcMount> {
    let words = [
        ("Default", Some(ProcMount::Default)),
        ("Unmasked", Some(ProcMount::Unmasked)),
    ];
    notes.choose(at, word, None, &words)
}
