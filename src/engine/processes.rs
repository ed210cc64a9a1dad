//! The processes of a container: those in its cgroup that are also in its PID namespace.
//!
//! The stage of an exec is in the cgroup, but not in the namespace: it is ours, not the container's.

use std::os::fd::AsFd as _;
use std::path::Path;

use crate::image::user::IdNames;
use crate::model::state::ProcessRef;
use crate::sys::cgroup::{CgroupError, Cgroups};
use crate::sys::path::open_root;
use crate::sys::process::PidFd;
use crate::sys::procfs::{IdRange, ProcessFacts, id_ranges, pid_namespace, root_of};

/// The processes of a container, and what the container calls their users.
#[derive(Debug, Default)]
pub struct ContainerProcesses {
    /// In the order of their pids.
    pub processes: Vec<ProcessFacts>,
    pub names: IdNames,
    users: Vec<IdRange>,
    groups: Vec<IdRange>,
}

impl ContainerProcesses {
    /// Reads the processes of a container by its init and its cgroup; none if it has ended.
    ///
    /// # Errors
    /// The cgroups cannot be read.
    pub fn read(init: &ProcessRef, cgroup: &str) -> Result<Self, CgroupError> {
        let alive = PidFd::open_started_at(init.pid, init.start_time);
        let (Ok(Some(_init)), Ok(namespace)) = (alive, pid_namespace(init.pid)) else {
            return Ok(Self::default());
        };
        let cgroups = Cgroups::detect()?;
        let pids = cgroups.group(Path::new(cgroup))?.pids()?;
        let processes = pids
            .into_iter()
            .filter_map(|pid| i32::try_from(pid).ok())
            .filter(|pid| pid_namespace(*pid).is_ok_and(|own| own == namespace))
            .filter_map(ProcessFacts::read)
            .collect();
        let root = open_root(&root_of(init.pid));
        Ok(Self {
            processes,
            names: root.map_or_else(|_| IdNames::default(), |root| IdNames::read(root.as_fd())),
            users: id_ranges(init.pid, "uid_map"),
            groups: id_ranges(init.pid, "gid_map"),
        })
    }

    /// Returns what the container calls a user of the host.
    #[must_use]
    pub fn user(&self, uid: u32) -> String {
        self.names.user(inside(&self.users, uid))
    }

    /// Returns what the container calls a group of the host.
    #[must_use]
    pub fn group(&self, gid: u32) -> String {
        self.names.group(inside(&self.groups, gid))
    }

    /// Returns the pid that a container's process has inside; 0 for one that is not the container's.
    #[must_use]
    pub fn inner_pid(&self, pid: i32) -> i32 {
        let mut processes = self.processes.iter();
        let found = processes.find(|process| process.pid == pid);
        found.map_or(0, |process| process.inner_pid)
    }
}

/// Returns the number that an id has inside a user namespace; one that it does not map is what
/// `/proc/sys/kernel/overflowuid` says.
fn inside(ranges: &[IdRange], id: u32) -> u32 {
    const OVERFLOW: u32 = 65534;
    let mut ranges = ranges.iter();
    let found = ranges.find_map(|range| {
        let offset = id.checked_sub(range.outside)?;
        (offset < range.length).then(|| range.inside.saturating_add(offset))
    });
    found.unwrap_or(OVERFLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_as_the_container_numbers_them() {
        let ranges = [
            IdRange {
                inside: 0,
                outside: 100_000,
                length: 10,
            },
            IdRange {
                inside: 10,
                outside: 200_000,
                length: 5,
            },
        ];
        for (id, expected) in [
            (100_000, 0),
            (100_009, 9),
            (200_004, 14),
            (0, 65534),
            (100_010, 65534),
        ] {
            assert_eq!(inside(&ranges, id), expected, "{id}");
        }
    }
}
