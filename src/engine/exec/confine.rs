//! Makes the process of an exec what the processes of its container are.
//!
//! The order is the one the init went through: limits, directory, user, and what it is kept from.

use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{PosixRlimit, PosixRlimitType, Process, Spec};
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::chdir;

use super::ExecRequest;
use super::join::end_with_stage;
use crate::engine::confine::Confinement;
use crate::engine::launch::groups;
use crate::engine::stage::{CreateError, Step};
use crate::image::user::User;
use crate::sys::credentials::{Capabilities, become_user};

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
    pub(super) fn of_container(
        spec: &Spec,
        confinement: &Confinement,
    ) -> Result<Self, CreateError> {
        let user = process(spec)?.user();
        Ok(Self {
            uid: user.uid(),
            gid: user.gid(),
            groups: user.additional_gids().clone().unwrap_or_default(),
            capabilities: confinement.capabilities,
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

/// Makes this process what those of its container are.
pub(super) fn confine(
    request: &ExecRequest,
    spec: &Spec,
    identity: &Identity,
    confinement: Confinement,
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
    become_user(identity.uid, identity.gid, &identity.groups).map_err(|error| failed(&error))?;
    end_with_stage()?;
    confinement
        .with_capabilities(identity.capabilities)
        .enter()?;
    if !there {
        chdir(cwd).map_err(|errno| CreateError::io(Step::WorkingDirectory, cwd, &errno.into()))?;
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
    use crate::sys::credentials::CapabilityBits;
    use libcontainer::oci_spec::runtime::{
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
        let confinement = Confinement::of(&spec, Path::new("/nowhere")).unwrap();
        Identity::of_container(&spec, &confinement).unwrap()
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
