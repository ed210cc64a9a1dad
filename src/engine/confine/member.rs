//! Makes a process what the processes of its container are: its init, and the program of an exec.
//!
//! Both go the same way: limits, directory, user, and what they are kept from.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::chdir;
use oci_spec::runtime::{PosixRlimit, PosixRlimitType, Process, Spec};

use super::Confinement;
use crate::engine::launch::groups;
use crate::engine::stage::{CreateError, Step};
use crate::image::user::User;
use crate::sys::credentials::{Capabilities, become_user};

/// Who a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Identity {
    pub(in crate::engine) uid: u32,
    gid: u32,
    groups: Vec<u32>,
    capabilities: Capabilities,
    /// Given where it is another user's than the container's.
    pub(in crate::engine) home: Option<PathBuf>,
}

impl Identity {
    /// Returns what the container's init is.
    pub(in crate::engine) fn of_container(process: &Process, confinement: &Confinement) -> Self {
        let user = process.user();
        Self {
            uid: user.uid(),
            gid: user.gid(),
            groups: user.additional_gids().clone().unwrap_or_default(),
            capabilities: confinement.capabilities,
            home: None,
        }
    }

    /// Returns another user in the same container: root has the bounding set, others nothing.
    pub(in crate::engine) fn with_user(self, user: User) -> Self {
        let same = self.uid == user.uid;
        let bounding = self.capabilities.bounding;
        let capabilities = match user.uid {
            _ if same => self.capabilities,
            0 => Capabilities {
                bounding,
                effective: bounding,
                permitted: bounding,
                ..Capabilities::default()
            },
            _ => Capabilities {
                bounding,
                ..Capabilities::default()
            },
        };
        Self {
            uid: user.uid,
            gid: user.gid,
            groups: groups(user.gid, &user.groups, &[]),
            capabilities,
            home: user.home.filter(|_| !same),
        }
    }
}

/// Returns the part of a container's spec that is about its processes.
///
/// # Errors
/// The spec has none.
pub(in crate::engine) fn process(spec: &Spec) -> Result<&Process, CreateError> {
    let missing = || CreateError::new(Step::Confine, "the container's config.json has no process");
    spec.process().as_ref().ok_or_else(missing)
}

/// Makes this process what those of its container are; `last` is done as the user, with all capabilities still.
///
/// # Errors
/// The container has no such directory, or the kernel refuses.
pub(in crate::engine) fn become_member(
    process: &Process,
    cwd: &Path,
    identity: &Identity,
    confinement: Confinement,
    last: impl FnOnce() -> Result<(), CreateError>,
) -> Result<(), CreateError> {
    let failed = |error: &dyn std::error::Error| CreateError::caused(Step::Confine, error);
    for limit in process.rlimits().iter().flatten() {
        set_limit(limit).map_err(|errno| failed(&errno))?;
    }
    umask(Mode::from_bits_truncate(
        process.user().umask().unwrap_or(0o022),
    ));
    // Before the user changes: the init goes there as root.
    let there = enter_directory(cwd)?;
    become_user(identity.uid, identity.gid, &identity.groups).map_err(|error| failed(&error))?;
    last()?;
    confinement
        .with_capabilities(identity.capabilities)
        .enter()?;
    if !there {
        chdir(cwd).map_err(|errno| CreateError::io(Step::WorkingDirectory, cwd, &errno.into()))?;
        stay_inside(cwd)?;
    }
    Ok(())
}

/// Enters a directory; root may be refused where the user is not (a user's own network mount).
fn enter_directory(cwd: &Path) -> Result<bool, CreateError> {
    match chdir(cwd) {
        Ok(()) => stay_inside(cwd).map(|()| true),
        Err(Errno::EPERM | Errno::EACCES) => Ok(false),
        Err(errno) => Err(CreateError::io(Step::WorkingDirectory, cwd, &errno.into())),
    }
}

/// Refuses a directory that is none of the container's: a path by way of `/proc/self/fd` leads to whatever this process has
/// open (CVE-2024-21626).
fn stay_inside(cwd: &Path) -> Result<(), CreateError> {
    // The kernel's own answer, which begins with a word in parentheses then: the C library looks for another.
    let found = rustix::process::getcwd(Vec::new()).map_err(io::Error::from);
    let inside = found.and_then(|found| match found.as_bytes().first() {
        Some(b'/') => Ok(()),
        _ => Err(io::Error::other("it is not in the container")),
    });
    inside.map_err(|error| CreateError::io(Step::WorkingDirectory, cwd, &error))
}

fn set_limit(limit: &PosixRlimit) -> nix::Result<()> {
    let resource = match limit.typ() {
        PosixRlimitType::RlimitCpu => Resource::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => Resource::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => Resource::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => Resource::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => Resource::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => Resource::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => Resource::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => Resource::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => Resource::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => Resource::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => Resource::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => Resource::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => Resource::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => Resource::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => Resource::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => Resource::RLIMIT_RTTIME,
    };
    setrlimit(resource, limit.soft(), limit.hard())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::credentials::CapabilityBits;
    use oci_spec::runtime::{
        Capabilities as OciCapabilities, LinuxCapabilitiesBuilder, ProcessBuilder, SpecBuilder,
    };

    fn container(uid: u32) -> Identity {
        let names = ["CHOWN", "NET_RAW"].map(|name| name.parse().unwrap());
        let set = OciCapabilities::from(names);
        let sets = LinuxCapabilitiesBuilder::default()
            .bounding(set.clone())
            .effective(set.clone())
            .permitted(set)
            .inheritable(OciCapabilities::new())
            .ambient(OciCapabilities::new())
            .build()
            .unwrap();
        let mut process = ProcessBuilder::default()
            .capabilities(sets)
            .build()
            .unwrap();
        process.user_mut().set_uid(uid);
        let spec = SpecBuilder::default().process(process).build().unwrap();
        let confinement = Confinement::of(&spec, None).unwrap();
        Identity::of_container(super::process(&spec).unwrap(), &confinement)
    }

    fn user(uid: u32) -> User {
        User {
            uid,
            gid: uid,
            groups: vec![],
            home: Some(PathBuf::from("/home")),
        }
    }

    #[test]
    fn another_user_has_what_the_kernel_would_give_it() {
        let both = CapabilityBits(1 | 1 << 13);
        let root = container(0);
        assert_eq!(root.capabilities.effective, both);
        let same = root.clone().with_user(user(0));
        assert_eq!((same.capabilities.effective, same.home), (both, None));
        let other = root.with_user(user(9)).capabilities;
        assert_eq!((other.bounding, other.effective), (both, CapabilityBits(0)));
        let raised = container(9).with_user(user(0));
        assert_eq!(raised.capabilities.permitted, both);
        assert!(raised.home.is_some());
    }
}
