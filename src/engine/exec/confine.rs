//! Makes the process of an exec what the processes of its container are.
//!
//! The order is the one the init went through: limits, directory, user, filter, capabilities; with
//! `no_new_privs` the filter comes last, because then it needs no capability (`seccomp(2)`).

use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{
    Capabilities as OciCapabilities, LinuxCapabilities, PosixRlimit, PosixRlimitType, Process, Spec,
};
use libcontainer::seccomp::initialize_seccomp;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::chdir;

use super::ExecRequest;
use super::join::end_with_stage;
use crate::engine::launch::groups;
use crate::engine::stage::{CreateError, Step};
use crate::image::user::User;
use crate::model::container::CAPABILITIES;
use crate::sys::credentials::{
    Capabilities, CapabilityBits, become_user, keep_capabilities, refuse_new_privileges,
};

/// Who the program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    gid: u32,
    groups: Vec<u32>,
    capabilities: Capabilities,
    /// Given where it is another user's than the container's.
    pub(super) home: Option<PathBuf>,
}

impl Identity {
    /// Returns what the container's init is.
    pub(super) fn of_container(spec: &Spec) -> Result<Self, CreateError> {
        let process = process(spec)?;
        let user = process.user();
        let sets = process.capabilities().as_ref();
        Ok(Self {
            uid: user.uid(),
            gid: user.gid(),
            groups: user.additional_gids().clone().unwrap_or_default(),
            capabilities: sets.map(bits).unwrap_or_default(),
            home: None,
        })
    }

    /// Returns another user in the same container: root has the bounding set, others nothing.
    pub(super) fn with_user(self, user: User) -> Self {
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

fn process(spec: &Spec) -> Result<&Process, CreateError> {
    let missing = || CreateError::new(Step::Confine, "the container's config.json has no process");
    spec.process().as_ref().ok_or_else(missing)
}

fn bits(sets: &LinuxCapabilities) -> Capabilities {
    let of = |set: &Option<OciCapabilities>| {
        let names = set.iter().flatten().map(ToString::to_string);
        let numbers = names.filter_map(|name| CAPABILITIES.iter().position(|known| *known == name));
        CapabilityBits(numbers.fold(0, |bits, number| bits | 1 << number))
    };
    Capabilities {
        bounding: of(sets.bounding()),
        effective: of(sets.effective()),
        permitted: of(sets.permitted()),
        inheritable: of(sets.inheritable()),
        ambient: of(sets.ambient()),
    }
}

/// Confines this process.
pub(super) fn confine(
    request: &ExecRequest,
    spec: &Spec,
    identity: &Identity,
) -> Result<(), CreateError> {
    let failed = |error: &dyn std::error::Error| CreateError::caused(Step::Confine, error);
    let process = process(spec)?;
    for limit in process.rlimits().iter().flatten() {
        set_limit(limit).map_err(|errno| failed(&errno))?;
    }
    umask(Mode::from_bits_truncate(
        process.user().umask().unwrap_or(0o022),
    ));
    let cwd = request.cwd.as_deref().unwrap_or_else(|| process.cwd());
    // Before the user changes: the init went there as root too.
    let there = enter_directory(cwd)?;
    let filter = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.seccomp().as_ref());
    let load = || match filter {
        Some(filter) => initialize_seccomp(filter)
            .map(drop)
            .map_err(|error| failed(&error)),
        None => Ok(()),
    };
    become_user(identity.uid, identity.gid, &identity.groups).map_err(|error| failed(&error))?;
    end_with_stage()?;
    let no_new_privileges = process.no_new_privileges() == Some(true);
    if no_new_privileges {
        refuse_new_privileges().map_err(|error| failed(&error))?;
    } else {
        load()?;
    }
    keep_capabilities(&identity.capabilities).map_err(|error| failed(&error))?;
    if !there {
        chdir(cwd).map_err(|errno| CreateError::io(Step::WorkingDirectory, cwd, &errno.into()))?;
    }
    if no_new_privileges {
        load()?;
    }
    Ok(())
}

/// Enters a directory; root may be refused where the user is not (a user's own network mount).
fn enter_directory(cwd: &Path) -> Result<bool, CreateError> {
    match chdir(cwd) {
        Ok(()) => Ok(true),
        Err(Errno::EPERM | Errno::EACCES) => Ok(false),
        Err(errno) => Err(CreateError::io(Step::WorkingDirectory, cwd, &errno.into())),
    }
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
    use libcontainer::oci_spec::runtime::{LinuxCapabilitiesBuilder, ProcessBuilder, SpecBuilder};

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
        Identity::of_container(&spec).unwrap()
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
