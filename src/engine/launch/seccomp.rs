//! Which system calls a container may make: the default profile, or a file in the format of
//! containers-common, resolved for the machine's own architecture.
//!
//! Only the native architecture is let through: three of them cost 26 ms a container instead of 4,
//! and no image for this machine needs the others.

mod default;

use std::collections::BTreeSet;
use std::path::Path;

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};
use serde::Deserialize;

use super::LaunchError;
use crate::model::container::Capability;
use crate::sys::path::{Resolve, open_root, read_file};

const EPERM: u32 = 1;
const EINVAL: u32 = 22;
const ENOSYS: u32 = 38;

/// The largest profile that is read.
const PROFILE_LIMIT: u64 = 4 << 20;

/// Returns podman's default profile for a container with these capabilities.
#[must_use]
pub fn default_profile(capabilities: &BTreeSet<Capability>) -> LinuxSeccomp {
    let has = |name: &str| capabilities.iter().any(|held| held.as_str() == name);
    let mut allowed: Vec<&str> = [default::ALLOWED, default::NATIVE].concat();
    let mut refused = default::REFUSED.to_vec();
    for (capability, calls) in default::WITH_CAPABILITY {
        let list = if has(capability) {
            &mut allowed
        } else {
            &mut refused
        };
        list.extend(*calls);
    }
    // One call may be named under several capabilities: to be let through, one is enough.
    refused.retain(|call| !allowed.contains(call));
    let mut rules = Vec::new();
    if has("AUDIT_WRITE") {
        allowed.push("socket");
    } else {
        rules.extend(sockets_without_audit());
    }
    rules.push(rule(
        &allowed,
        LinuxSeccompAction::ScmpActAllow,
        None,
        vec![],
    ));
    rules.push(rule(
        &refused,
        LinuxSeccompAction::ScmpActErrno,
        Some(EPERM),
        vec![],
    ));
    for value in default::PERSONALITIES {
        let is = argument(0, value, LinuxSeccompOperator::ScmpCmpEq);
        let action = LinuxSeccompAction::ScmpActAllow;
        rules.push(rule(&["personality"], action, None, vec![is]));
    }
    filter(LinuxSeccompAction::ScmpActErrno, Some(ENOSYS), rules)
}

/// An audit socket is answered `EINVAL`, as by a kernel without audit: login programs then go on.
fn sockets_without_audit() -> [LinuxSyscall; 3] {
    use LinuxSeccompOperator::{ScmpCmpEq, ScmpCmpNe};
    let (allow, errno) = (
        LinuxSeccompAction::ScmpActAllow,
        LinuxSeccompAction::ScmpActErrno,
    );
    let family = |op| argument(0, default::AF_NETLINK, op);
    let protocol = |op| argument(2, default::NETLINK_AUDIT, op);
    let audit = vec![family(ScmpCmpEq), protocol(ScmpCmpEq)];
    [
        rule(&["socket"], errno, Some(EINVAL), audit),
        rule(&["socket"], allow, None, vec![family(ScmpCmpNe)]),
        rule(&["socket"], allow, None, vec![protocol(ScmpCmpNe)]),
    ]
}

fn argument(index: usize, value: u64, op: LinuxSeccompOperator) -> LinuxSeccompArg {
    LinuxSeccompArgBuilder::default()
        .index(index)
        .value(value)
        .op(op)
        .build()
        .expect("all that is required is given")
}

fn rule(
    names: &[&str],
    action: LinuxSeccompAction,
    errno: Option<u32>,
    args: Vec<LinuxSeccompArg>,
) -> LinuxSyscall {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    syscall(names, action, errno, args)
}

fn syscall(
    names: Vec<String>,
    action: LinuxSeccompAction,
    errno: Option<u32>,
    args: Vec<LinuxSeccompArg>,
) -> LinuxSyscall {
    let mut rule = LinuxSyscallBuilder::default()
        .names(names)
        .action(action)
        .build()
        .expect("all that is required is given");
    rule.set_errno_ret(errno);
    rule.set_args((!args.is_empty()).then_some(args));
    rule
}

fn filter(
    default: LinuxSeccompAction,
    errno: Option<u32>,
    rules: Vec<LinuxSyscall>,
) -> LinuxSeccomp {
    let mut filter = LinuxSeccompBuilder::default()
        .default_action(default)
        .syscalls(rules)
        .build()
        .expect("all that is required is given");
    filter.set_default_errno_ret(errno);
    filter
}

/// A profile as containers-common and Docker write it; what is left out here means nothing to us.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: LinuxSeccompAction,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    listener_path: Option<String>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    names: Vec<String>,
    /// The old form of one name.
    #[serde(default)]
    name: Option<String>,
    action: LinuxSeccompAction,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<LinuxSeccompArg>>,
    #[serde(default)]
    includes: Condition,
    #[serde(default)]
    excludes: Condition,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    #[serde(default)]
    min_kernel: Option<String>,
}

/// The machine's name as Go has it.
const ARCHITECTURE: &str = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => "amd64",
    b"aarch64" => "arm64",
    _ => std::env::consts::ARCH,
};

/// What decides about the conditions of a profile.
struct Situation<'a> {
    capabilities: &'a BTreeSet<Capability>,
    kernel: (u32, u32),
}

impl Situation<'_> {
    fn holds(&self, capability: &str) -> bool {
        Capability::parse(capability).is_ok_and(|name| self.capabilities.contains(&name))
    }

    fn includes(&self, condition: &Condition) -> bool {
        let arches = &condition.arches;
        (arches.is_empty() || arches.iter().any(|arch| arch == ARCHITECTURE))
            && condition.caps.iter().all(|name| self.holds(name))
            && condition
                .min_kernel
                .as_deref()
                .is_none_or(|wanted| version(wanted).is_none_or(|wanted| self.kernel >= wanted))
    }

    fn excludes(&self, condition: &Condition) -> bool {
        condition.arches.iter().any(|arch| arch == ARCHITECTURE)
            || condition.caps.iter().any(|name| self.holds(name))
            || condition
                .min_kernel
                .as_deref()
                .and_then(version)
                .is_some_and(|wanted| self.kernel >= wanted)
    }
}

/// Reads `MAJOR.MINOR` from the front of a kernel's release.
#[must_use]
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Resolves a profile file's text for a container with these capabilities.
///
/// # Errors
/// The text is no profile, or asks for a listener (`SCMP_ACT_NOTIFY`), which there is none of.
pub fn parse_profile(
    text: &str,
    capabilities: &BTreeSet<Capability>,
    kernel: (u32, u32),
) -> Result<LinuxSeccomp, LaunchError> {
    let wrong = |message: String| LaunchError::Profile { message };
    let profile: Profile = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let notifies = |action| action == LinuxSeccompAction::ScmpActNotify;
    if profile.listener_path.is_some()
        || notifies(profile.default_action)
        || profile.syscalls.iter().any(|rule| notifies(rule.action))
    {
        return Err(wrong(
            "it asks for a listener, and there is none".to_owned(),
        ));
    }
    let situation = Situation {
        capabilities,
        kernel,
    };
    let rules = profile
        .syscalls
        .into_iter()
        .filter(|rule| situation.includes(&rule.includes) && !situation.excludes(&rule.excludes))
        .map(|rule| {
            let mut names = rule.names;
            names.extend(rule.name);
            let args = rule.args.unwrap_or_default();
            syscall(names, rule.action, rule.errno_ret, args)
        })
        .filter(|rule| !rule.names().is_empty())
        .collect();
    Ok(filter(
        profile.default_action,
        profile.default_errno_ret,
        rules,
    ))
}

/// Reads a `Localhost` profile below the profile root, which it cannot leave.
///
/// # Errors
/// There is no such file, or it is too large or no text.
pub fn read_profile(root: &Path, path: &Path) -> Result<String, LaunchError> {
    let wrong = |error: &dyn std::fmt::Display| LaunchError::Profile {
        message: format!("{}: {error}", root.join(path).display()),
    };
    let root_fd = open_root(root).map_err(|error| wrong(&error))?;
    let bytes = read_file(&root_fd, path, Resolve::Beneath, PROFILE_LIMIT)
        .map_err(|error| wrong(&error))?;
    String::from_utf8(bytes).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(names: &[&str]) -> BTreeSet<Capability> {
        names
            .iter()
            .map(|name| Capability::parse(name).unwrap())
            .collect()
    }

    fn action_of(filter: &LinuxSeccomp, call: &str) -> Option<(LinuxSeccompAction, Option<u32>)> {
        filter
            .syscalls()
            .iter()
            .flatten()
            .find(|rule| rule.names().iter().any(|name| name == call))
            .map(|rule| (rule.action(), rule.errno_ret()))
    }

    #[test]
    fn a_capability_opens_the_calls_that_belong_to_it() {
        let (allow, errno) = (
            LinuxSeccompAction::ScmpActAllow,
            LinuxSeccompAction::ScmpActErrno,
        );
        let (none, admin) = (default_profile(&held(&[])), held(&["SYS_ADMIN"]));
        assert_eq!(action_of(&none, "bpf"), Some((errno, Some(EPERM))));
        assert_eq!(
            action_of(&default_profile(&admin), "bpf"),
            Some((allow, None))
        );
        assert_eq!(action_of(&none, "read"), Some((allow, None)));
        assert_eq!(action_of(&none, "kexec_load"), Some((errno, Some(EPERM))));
        assert_eq!(action_of(&none, "socket"), Some((errno, Some(EINVAL))));
        assert_eq!(action_of(&none, "a_call_of_the_future"), None);
        assert_eq!(none.default_errno_ret(), Some(ENOSYS));
        assert!(none.architectures().is_none());
    }

    #[test]
    fn the_conditions_of_a_profile_are_resolved() {
        let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": ""},
            {"name": "old", "action": "SCMP_ACT_ALLOW"},
            {"names": ["cap"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["nocap"], "action": "SCMP_ACT_LOG", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["other"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390"]}},
            {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
            {"names": ["newer"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}}]}"#;
        let names = |capabilities: &[&str]| -> Vec<String> {
            let filter = parse_profile(text, &held(capabilities), (6, 1)).unwrap();
            filter
                .syscalls()
                .iter()
                .flatten()
                .flat_map(|rule| rule.names().clone())
                .collect()
        };
        assert_eq!(names(&["SYS_ADMIN"]), ["read", "old", "cap", "new"]);
        assert_eq!(names(&[]), ["read", "old", "nocap", "new"]);
        let notify = r#"{"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]}"#;
        assert!(parse_profile(notify, &held(&[]), (6, 1)).is_err());
        assert!(parse_profile("{}", &held(&[]), (6, 1)).is_err());
    }

    #[test]
    fn a_profile_lies_below_its_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("p.json"), "{}").unwrap();
        std::fs::write(dir.path().join("q.json"), "{}").unwrap();
        assert_eq!(read_profile(&root, Path::new("p.json")).unwrap(), "{}");
        assert!(read_profile(&root, Path::new("../q.json")).is_err());
        assert!(read_profile(&root, Path::new("/etc/passwd")).is_err());
    }
}
