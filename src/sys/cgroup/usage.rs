//! What a cgroup takes of the host.

use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use super::group::{Cgroup, tree};
use super::layout::CgroupVersion;
use super::{CgroupError, read_key, read_number, refused};

/// What the processes of a cgroup use or have used together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CgroupUsage {
    /// Bytes of memory, with the page cache.
    pub memory: u64,
    /// Bytes of it that are page cache not used lately; the kubelet's working set is the rest.
    pub inactive_file: u64,
    /// Processor time since the cgroup was made.
    pub cpu: Duration,
    /// Processes and threads.
    pub pids: u64,
    /// Processes killed because the memory was used up.
    pub oom_kills: u64,
}

impl Cgroup<'_> {
    /// Reads what the processes use; what a missing controller would tell is 0.
    ///
    /// # Errors
    /// The cgroup does not exist.
    pub fn usage(&self) -> Result<CgroupUsage, CgroupError> {
        if !self.exists() {
            let path = Path::new("/").join(&self.path);
            return Err(refused("reading the cgroup", &path)(Errno::ENOENT.into()));
        }
        let file = |controller: &str, file: &str| {
            let mount = self
                .cgroups
                .hierarchy(controller)
                .unwrap_or(Path::new("/nowhere"));
            mount.join(&self.path).join(file)
        };
        let number = |controller, name| read_number(&file(controller, name)).unwrap_or(0);
        let key = |controller, name, key| read_key(&file(controller, name), key).unwrap_or(0);
        Ok(match self.cgroups.version() {
            CgroupVersion::V1 => CgroupUsage {
                memory: number("memory", "memory.usage_in_bytes"),
                inactive_file: key("memory", "memory.stat", "total_inactive_file"),
                cpu: Duration::from_nanos(number("cpuacct", "cpuacct.usage")),
                pids: number("pids", "pids.current"),
                oom_kills: self.oom_kills_below()?,
            },
            CgroupVersion::V2 => CgroupUsage {
                memory: number("memory", "memory.current"),
                inactive_file: key("memory", "memory.stat", "inactive_file"),
                cpu: Duration::from_micros(key("cpu", "cpu.stat", "usage_usec")),
                pids: number("pids", "pids.current"),
                oom_kills: key("memory", "memory.events", "oom_kill"),
            },
        })
    }

    /// Counts the processes killed for want of memory here and below: version 1 counts them only
    /// in the cgroup that the process was in.
    fn oom_kills_below(&self) -> Result<u64, CgroupError> {
        let Some(mount) = self.cgroups.hierarchy("memory") else {
            return Ok(0);
        };
        let dirs = tree(&mount.join(&self.path))?;
        Ok(dirs
            .iter()
            .filter_map(|dir| read_key(&dir.join("memory.oom_control"), "oom_kill"))
            .sum())
    }
}
