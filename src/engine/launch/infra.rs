//! The init of a shared PID namespace as a container: nothing in its root, nothing it may do.
//!
//! What is in the namespace sees it, and by `/proc/1/root` whatever its root is: so it is an
//! ordinary container, not a process of the host.

use std::collections::BTreeSet;

use oci_spec::runtime::{LinuxBuilder, ProcessBuilder, RootBuilder, SpecBuilder};

use super::mounts::{MASKED, READ_ONLY, filesystem};
use super::resources::{device_rules, resources};
use super::{HostFacts, JoinedNamespaces, Launch, LaunchProgram, Site, UserWish, namespaces};
use crate::model::container::{Limits, Privileges};

/// The user that owns nothing (`nobody`).
const NOBODY: &str = "65534:65534";

/// What the launch of an init is decided from.
pub struct InfraFacts<'a> {
    /// Its root file system is an empty layer.
    pub site: Site,
    /// The pod's; its PID namespace is the new one whatever is said here.
    pub namespaces: &'a JoinedNamespaces,
    pub host: &'a HostFacts,
}

/// Decides the init of a pod's PID namespace.
#[must_use]
pub fn decide(facts: InfraFacts<'_>) -> Launch {
    let joined = JoinedNamespaces {
        pid: super::PidChoice::Own,
        ..facts.namespaces.clone()
    };
    let owned =
        |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| (*path).to_owned()).collect() };
    let linux = LinuxBuilder::default()
        .namespaces(namespaces(&joined, &facts.host.cgroups))
        .cgroups_path(&facts.site.cgroup)
        .resources(resources(
            &Limits::default(),
            facts.host,
            device_rules(false, [].iter()),
        ))
        .masked_paths(owned(&MASKED))
        .readonly_paths(owned(&READ_ONLY))
        .build()
        .expect("no field is required");
    let mut process = ProcessBuilder::default()
        .args(owned(&["infra"]))
        .env(Vec::new())
        .cwd("/")
        .terminal(false)
        .no_new_privileges(true)
        .build()
        .expect("all that is required is given");
    process.set_capabilities(None);
    process.set_rlimits(None);
    let root = RootBuilder::default()
        .path("rootfs")
        .readonly(true)
        .build()
        .expect("all that is required is given");
    let mut spec = SpecBuilder::default()
        .root(root)
        .mounts(vec![
            filesystem("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            filesystem(
                "/dev",
                "tmpfs",
                &["nosuid", "noexec", "mode=755", "size=64k"],
            ),
        ])
        .process(process)
        .linux(linux)
        .build()
        .expect("no field is required");
    spec.set_hostname(None);
    Launch {
        site: facts.site,
        sources: Vec::new(),
        runtime: None,
        user: UserWish {
            user: NOBODY.to_owned(),
            group: None,
            supplementary: Vec::new(),
            must_not_be_root: true,
            privileges: Privileges::default(),
            bounding: BTreeSet::new(),
        },
        program: LaunchProgram::Infra,
        open_stdin: false,
        has_default_seccomp: true,
        spec,
    }
}
