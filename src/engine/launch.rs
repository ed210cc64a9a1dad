//! Decides everything about one container before anything is done: specs, image and facts in,
//! a [`Launch`] out.
//!
//! Pure but for [`host`], which asks the host, and [`seccomp::read_profile`]. One decision is left
//! to the stage that mounts the root file system: what a user's name means in the image
//! ([`Launch::with_user`]).

pub mod capabilities;
pub mod env;
pub mod files;
pub mod host;
pub mod infra;
mod mounts;
mod resources;
pub mod seccomp;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{
    LinuxBuilder, LinuxDevice, LinuxDeviceBuilder, LinuxNamespace, LinuxNamespaceBuilder,
    LinuxNamespaceType, LinuxSeccomp, PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process,
    ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};
use serde::{Deserialize, Serialize};

use crate::image::ImageConfig;
use crate::image::user::User;
use crate::model::container::{
    Capability, ContainerSpec, EnvSource, Privileges, ProcMount, SeccompProfile,
};
use crate::model::pod::PodSpec;
use crate::names::{ContainerId, VolumeName};
use crate::sys::overlay::{Overlay, Writable};

use env::{Environment, Values};
use mounts::{MountFacts, Mounts};

pub use host::{CgroupLayout, DeviceKind, HostDevice, HostFacts};

/// Why a container cannot be launched as its spec says.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("there is no {}", object_words(.0))]
    MissingObject(EnvSource),
    #[error("the {} has no key `{key}`", object_words(.object))]
    MissingKey { object: EnvSource, key: String },
    #[error("neither the manifest nor the image says what to run")]
    NoCommand,
    #[error("the volume `{0}` was not prepared")]
    MissingVolume(VolumeName),
    #[error("the sub path `{}` leads out of its volume", .0.display())]
    SubPath(PathBuf),
    #[error("the capability `{}` is not there to give: this process itself lacks it", .0.as_str())]
    HostLacksCapability(Capability),
    #[error("reading the seccomp profile: {message}")]
    Profile { message: String },
    #[error(
        "the resolvers in /etc/resolv.conf are on the host's loopback device, which the pod cannot reach"
    )]
    OnlyLoopbackResolvers,
    #[error("it must not run as root (runAsNonRoot), but its user id is 0")]
    RunsAsRoot,
}

fn object_words(source: &EnvSource) -> String {
    match source {
        EnvSource::ConfigMap(name) => format!("ConfigMap `{name}`"),
        EnvSource::Secret(name) => format!("Secret `{name}`"),
    }
}

/// Everything that turns into a running container; nothing of it is asked or chosen later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    pub site: Site,
    pub sources: Vec<Source>,
    /// Another OCI runtime than the embedded one.
    pub runtime: Option<PathBuf>,
    pub user: UserWish,
    pub program: LaunchProgram,
    /// Whether its input stays open, though nobody writes: without it, it has ended.
    pub open_stdin: bool,
    /// Whether the default filter of system calls belongs into the spec: its five hundred names are
    /// [written out](Self::written_out) by whoever makes the container.
    pub has_default_seccomp: bool,
    pub spec: Spec,
}

/// Where a container lives on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub id: ContainerId,
    /// The tmpfs of its pod.
    pub pod: PathBuf,
    /// A mount namespace with next to nothing in it, to start from; without it, the host's is copied.
    pub bare_namespace: Option<PathBuf>,
    /// Holds `config.json`, the mount point `rootfs`, the FIFOs, and what the stage prepares.
    pub bundle: PathBuf,
    pub rootfs: RootFs,
    /// The container's cgroup, absolute in the cgroup tree.
    pub cgroup: String,
    /// Where compiled filters of system calls are kept.
    pub filters: PathBuf,
}

impl Site {
    /// Returns the FIFO that takes its output.
    #[must_use]
    pub fn stdout(&self) -> PathBuf {
        self.bundle.join("stdout")
    }

    /// Returns the FIFO that its input stays open by.
    #[must_use]
    pub fn stdin(&self) -> PathBuf {
        self.bundle.join("stdin")
    }

    /// Returns the FIFO that takes its errors.
    #[must_use]
    pub fn stderr(&self) -> PathBuf {
        self.bundle.join("stderr")
    }
}

/// What the first process of a container becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchProgram {
    /// What its spec names.
    OfSpec,
    /// The init of a shared PID namespace, which is this program itself.
    Infra,
}

/// The layers of a root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootFs {
    /// The read-only layers, the top one first.
    pub lower: Vec<PathBuf>,
    pub upper: PathBuf,
    pub work: PathBuf,
}

impl From<&RootFs> for Overlay {
    fn from(root: &RootFs) -> Self {
        Self {
            lower: root.lower.clone(),
            writable: Some(Writable {
                upper: root.upper.clone(),
                work: root.work.clone(),
            }),
        }
    }
}

/// Something to bind that the stage makes first: a spec knows only paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub kind: SourceKind,
    /// Where the stage makes it appear, in its own mount namespace.
    pub at: PathBuf,
}

/// What a source is, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    /// A path below a volume's directory, reached by descriptor, never by a path that a container made; made as a
    /// directory if it is missing.
    Beneath { volume: PathBuf, path: PathBuf },
    /// The mount of a volume itself, still shared with the host (`Bidirectional`).
    Shared { volume: PathBuf },
    /// The container's cgroups of version 1, side by side as the host has them.
    Cgroups {
        directories: Vec<CgroupDirectory>,
        read_only: bool,
    },
}

/// The cgroup of a container in one hierarchy, and a name that the hierarchy has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CgroupDirectory {
    pub name: String,
    pub path: PathBuf,
}

/// Who a container runs as, before names were looked up in the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserWish {
    /// `USER[:GROUP]`, names or numbers.
    pub user: String,
    /// The group the manifest gives.
    pub group: Option<u32>,
    pub supplementary: Vec<u32>,
    pub must_not_be_root: bool,
    pub privileges: Privileges,
    pub bounding: BTreeSet<Capability>,
}

/// The pod's namespaces that a container joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinedNamespaces {
    /// Absent: the host's.
    pub net: Option<PathBuf>,
    pub ipc: Option<PathBuf>,
    pub uts: Option<PathBuf>,
    pub pid: PidChoice,
}

/// The PID namespace of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PidChoice {
    #[default]
    Own,
    Joined(PathBuf),
    Host,
}

/// The files that a pod gives to its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFiles {
    /// A tmpfs of the pod, or the host's.
    pub shm: PathBuf,
    pub hosts: Option<PathBuf>,
    pub hostname: Option<PathBuf>,
    pub resolv_conf: Option<PathBuf>,
    /// An empty file of this container's own.
    pub termination_message: Option<PathBuf>,
}

impl PodFiles {
    /// Returns whether all files below `/etc` are the pod's.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hosts.is_some() && self.hostname.is_some() && self.resolv_conf.is_some()
    }
}

/// A volume that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedVolume {
    /// On the host.
    pub path: PathBuf,
    pub read_only: bool,
}

/// What a launch is decided from, beside the specs.
pub struct LaunchFacts<'a> {
    pub site: Site,
    pub runtime: Option<PathBuf>,
    pub image: &'a ImageConfig,
    /// What `HOSTNAME` says.
    pub hostname: &'a str,
    pub namespaces: &'a JoinedNamespaces,
    pub files: &'a PodFiles,
    pub volumes: &'a BTreeMap<VolumeName, ResolvedVolume>,
    /// The devices asked for; for a privileged container [`host::host_devices`].
    pub devices: &'a [HostDevice],
    /// Devices that come with a mount: they may be used, and need no file.
    pub mounted_devices: &'a [HostDevice],
    pub values: &'a dyn Values,
    /// The text of a `Localhost` profile.
    pub seccomp_profile: Option<&'a str>,
    pub host: &'a HostFacts,
}

/// Decides how a container is launched.
///
/// # Errors
/// Something the spec refers to is missing, or the host cannot give what it asks for.
pub fn decide(
    pod: &PodSpec,
    container: &ContainerSpec,
    facts: LaunchFacts<'_>,
) -> Result<Launch, LaunchError> {
    let bounding = capabilities::bounding(&container.privileges, &facts.host.capabilities)?;
    let manifest = env::manifest_env(container, facts.values)?;
    let mounts = mounts::mounts(&MountFacts {
        container,
        bundle: &facts.site.bundle,
        files: facts.files,
        volumes: facts.volumes,
        cgroups: &facts.host.cgroups,
        cgroup: &facts.site.cgroup,
        env: &manifest,
    })?;
    let process = process(container, &facts, manifest)?;
    let profile = match container.privileges.privileged {
        Some(true) => &SeccompProfile::Unconfined,
        _ => pod.effective_seccomp(container),
    };
    let has_default_seccomp = *profile == SeccompProfile::RuntimeDefault;
    let seccomp = seccomp_filter(profile, &facts, &bounding)?;
    let sources = mounts.sources.clone();
    let spec = spec(container, &facts, process, seccomp, mounts);
    Ok(Launch {
        site: facts.site,
        sources,
        runtime: facts.runtime,
        user: user_wish(pod, container, facts.image, bounding),
        program: LaunchProgram::OfSpec,
        open_stdin: container.terminal.stdin,
        has_default_seccomp,
        spec,
    })
}

fn user_wish(
    pod: &PodSpec,
    container: &ContainerSpec,
    image: &ImageConfig,
    bounding: BTreeSet<Capability>,
) -> UserWish {
    let user = pod.effective_user(container);
    let mut supplementary = pod.infra.supplemental_groups.clone();
    supplementary.extend(pod.infra.fs_group);
    UserWish {
        user: user.map_or_else(|| image.user.clone(), |uid| uid.to_string()),
        group: pod.effective_group(container),
        supplementary,
        must_not_be_root: pod.must_run_as_non_root(container),
        privileges: container.privileges.clone(),
        bounding,
    }
}

fn process(
    container: &ContainerSpec,
    facts: &LaunchFacts<'_>,
    manifest: Environment,
) -> Result<Process, LaunchError> {
    let args = env::command_line(container, facts.image, &manifest)?;
    let tty = container.terminal.tty;
    let env = env::whole_env(facts.image, facts.hostname, tty, manifest);
    let image_dir = Some(facts.image.working_dir.as_str()).filter(|dir| !dir.is_empty());
    let cwd = match (&container.working_dir, image_dir) {
        (Some(dir), _) => dir.clone(),
        (None, dir) => PathBuf::from(dir.unwrap_or("/")),
    };
    let mut process = ProcessBuilder::default()
        .args(args)
        .env(env.lines())
        .cwd(Path::new("/").join(cwd))
        .terminal(tty)
        .rlimits(rlimits(facts.host))
        .build()
        .expect("all that is required is given");
    // False together with a filter is refused by some runtimes, and absent means the same.
    let refuses = container.privileges.allow_escalation == Some(false);
    process.set_no_new_privileges(refuses.then_some(true));
    process.set_capabilities(None);
    Ok(process)
}

/// podman's limits, as far as this process may give them.
fn rlimits(host: &HostFacts) -> Vec<PosixRlimit> {
    const FILES: u64 = 1_048_576;
    const PROCESSES: u64 = 4_194_304;
    let limit = |kind, value: u64| {
        PosixRlimitBuilder::default()
            .typ(kind)
            .hard(value)
            .soft(value)
            .build()
            .expect("all that is required is given")
    };
    vec![
        limit(PosixRlimitType::RlimitNofile, host.open_files.min(FILES)),
        limit(PosixRlimitType::RlimitNproc, host.processes.min(PROCESSES)),
    ]
}

/// Reads a profile of the host's; the default one is known by name.
fn seccomp_filter(
    profile: &SeccompProfile,
    facts: &LaunchFacts<'_>,
    bounding: &BTreeSet<Capability>,
) -> Result<Option<LinuxSeccomp>, LaunchError> {
    match profile {
        SeccompProfile::Unconfined | SeccompProfile::RuntimeDefault => Ok(None),
        SeccompProfile::Localhost(path) => {
            let text = facts.seccomp_profile.ok_or_else(|| LaunchError::Profile {
                message: format!("{} was not read", path.display()),
            })?;
            seccomp::parse_profile(text, bounding, facts.host.kernel).map(Some)
        }
    }
}

fn spec(
    container: &ContainerSpec,
    facts: &LaunchFacts<'_>,
    process: Process,
    seccomp: Option<LinuxSeccomp>,
    mounts: Mounts,
) -> Spec {
    let privileged = container.privileges.privileged == Some(true);
    let unmasked = privileged || container.privileges.proc_mount == Some(ProcMount::Unmasked);
    let paths = |paths: &[&str]| -> Vec<String> {
        let kept = paths.iter().filter(|_| !unmasked);
        kept.map(|path| (*path).to_owned()).collect()
    };
    let rules = resources::device_rules(
        privileged,
        facts.devices.iter().chain(facts.mounted_devices),
    );
    let limits = &container.process.limits;
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces(facts.namespaces, &facts.host.cgroups))
        .cgroups_path(&facts.site.cgroup)
        .resources(resources::resources(limits, facts.host, rules))
        .devices(facts.devices.iter().map(device).collect::<Vec<_>>())
        .masked_paths(paths(&mounts::MASKED))
        .readonly_paths(paths(&mounts::READ_ONLY))
        .build()
        .expect("no field is required");
    linux.set_seccomp(seccomp);
    if mounts.propagates {
        linux.set_rootfs_propagation(Some("shared".to_owned()));
    }
    let root = RootBuilder::default()
        .path("rootfs")
        .readonly(container.privileges.read_only_root == Some(true))
        .build()
        .expect("all that is required is given");
    let mut spec = SpecBuilder::default()
        .root(root)
        .mounts(mounts.mounts)
        .process(process)
        .linux(linux)
        .build()
        .expect("no field is required");
    spec.set_hostname(None);
    spec
}

fn namespaces(joined: &JoinedNamespaces, cgroups: &CgroupLayout) -> Vec<LinuxNamespace> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let namespace = |kind, path: Option<&PathBuf>| {
        let mut namespace = LinuxNamespaceBuilder::default()
            .typ(kind)
            .build()
            .expect("the type is given");
        namespace.set_path(path.cloned());
        namespace
    };
    let mut all = vec![namespace(Mount, None)];
    for (kind, path) in [
        (Network, &joined.net),
        (Ipc, &joined.ipc),
        (Uts, &joined.uts),
    ] {
        all.extend(path.as_ref().map(|path| namespace(kind, Some(path))));
    }
    match &joined.pid {
        PidChoice::Own => all.push(namespace(Pid, None)),
        PidChoice::Joined(path) => all.push(namespace(Pid, Some(path))),
        PidChoice::Host => {}
    }
    // As podman: on version 1 there is nothing for it to hide.
    if *cgroups == CgroupLayout::V2 {
        all.push(namespace(Cgroup, None));
    }
    all
}

fn device(device: &HostDevice) -> LinuxDevice {
    LinuxDeviceBuilder::default()
        .path(&device.path)
        .typ(device.kind.oci())
        .major(device.major)
        .minor(device.minor)
        .file_mode(device.mode)
        .uid(device.uid)
        .gid(device.gid)
        .build()
        .expect("all that is required is given")
}

impl Launch {
    /// Returns whether the container's program has a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        let process = self.spec.process().as_ref();
        process.is_some_and(|process| process.terminal() == Some(true))
    }

    /// Returns whether the container has a PID namespace of its own.
    #[must_use]
    pub fn has_new_pid_namespace(&self) -> bool {
        self.pid_namespace()
            .is_some_and(|namespace| namespace.path().is_none())
    }

    /// Returns whether the container lives in a PID namespace that is there already.
    #[must_use]
    pub fn joins_pid_namespace(&self) -> bool {
        self.pid_namespace()
            .is_some_and(|namespace| namespace.path().is_some())
    }

    fn pid_namespace(&self) -> Option<&LinuxNamespace> {
        let linux = self.spec.linux().as_ref();
        let mut all = linux
            .and_then(|linux| linux.namespaces().as_ref())
            .into_iter()
            .flatten();
        all.find(|namespace| namespace.typ() == LinuxNamespaceType::Pid)
    }

    /// Returns the launch with all that its spec has by name written out.
    #[must_use]
    pub fn written_out(mut self) -> Self {
        if self.has_default_seccomp
            && let Some(linux) = self.spec.linux_mut()
        {
            linux.set_seccomp(Some(seccomp::default_profile(&self.user.bounding)));
        }
        self
    }

    /// Returns the launch with the user that the image knows: ids, groups, capabilities, `HOME`.
    ///
    /// # Errors
    /// It is root, and must not be.
    pub fn with_user(mut self, user: &User) -> Result<Self, LaunchError> {
        let wish = &self.user;
        if wish.must_not_be_root && user.uid == 0 {
            return Err(LaunchError::RunsAsRoot);
        }
        let gid = wish.group.unwrap_or(user.gid);
        let groups = groups(gid, &user.groups, &wish.supplementary);
        let ids = UserBuilder::default()
            .uid(user.uid)
            .gid(gid)
            .umask(0o022u32)
            .additional_gids(groups)
            .build()
            .expect("all that is required is given");
        let sets = capabilities::sets(&wish.bounding, &wish.privileges, user.uid);
        if let Some(process) = self.spec.process_mut() {
            process.set_user(ids);
            process.set_capabilities(Some(sets));
            let mut lines = process.env().clone().unwrap_or_default();
            if !lines.iter().any(|line| line.starts_with("HOME=")) {
                lines.push(format!("HOME={}", home(user).display()));
            }
            process.set_env(Some(lines));
        }
        Ok(self)
    }
}

/// The primary group is a supplementary one too: otherwise a program that changes its group would
/// lose what is forbidden to the first one (CVE-2022-2989).
pub(super) fn groups(gid: u32, members: &[u32], more: &[u32]) -> Vec<u32> {
    let own = Some(gid).filter(|gid| *gid != 0);
    let mut seen = BTreeSet::new();
    let all = own.iter().chain(members).chain(more);
    all.copied().filter(|group| seen.insert(*group)).collect()
}

fn home(user: &User) -> PathBuf {
    let default = if user.uid == 0 { "/root" } else { "/" };
    user.home.clone().unwrap_or_else(|| default.into())
}

#[cfg(test)]
mod tests;
