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
    /// Bytes that the memory may not exceed, if there is a limit.
    pub memory_limit: Option<u64>,
    /// Bytes read from and written to block devices.
    pub read: u64,
    pub written: u64,
}

/// Version 1 writes no limit as the largest number of whole pages.
const UNLIMITED: u64 = 1 << 62;

/// The bytes that block devices have moved, with those below, in lines of `DEVICE KIND COUNT`.
const SERVICED: &str = "blkio.throttle.io_service_bytes_recursive";

/// Adds up the counts called `key` of all devices: `8:0 Read 4096`, or `8:0 rbytes=4096 wbytes=0`.
fn sum_of(text: &str, key: &str) -> u64 {
    let counts = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        while let Some(word) = words.next() {
            if word == key {
                return words.next()?.parse::<u64>().ok();
            }
            if let Some((name, count)) = word.split_once('=')
                && name == key
            {
                return count.parse().ok();
            }
        }
        None
    });
    counts.sum()
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
        let text =
            |controller, name| std::fs::read_to_string(file(controller, name)).unwrap_or_default();
        Ok(match self.cgroups.version() {
            CgroupVersion::V1 => CgroupUsage {
                memory: number("memory", "memory.usage_in_bytes"),
                inactive_file: key("memory", "memory.stat", "total_inactive_file"),
                cpu: Duration::from_nanos(number("cpuacct", "cpuacct.usage")),
                pids: number("pids", "pids.current"),
                oom_kills: self.oom_kills()?,
                memory_limit: read_number(&file("memory", "memory.limit_in_bytes"))
                    .filter(|limit| *limit < UNLIMITED),
                read: sum_of(&text("blkio", SERVICED), "Read"),
                written: sum_of(&text("blkio", SERVICED), "Write"),
            },
            CgroupVersion::V2 => CgroupUsage {
                memory: number("memory", "memory.current"),
                inactive_file: key("memory", "memory.stat", "inactive_file"),
                cpu: Duration::from_micros(key("cpu", "cpu.stat", "usage_usec")),
                pids: number("pids", "pids.current"),
                oom_kills: self.oom_kills()?,
                memory_limit: read_number(&file("memory", "memory.max")),
                read: sum_of(&text("io", "io.stat"), "rbytes"),
                written: sum_of(&text("io", "io.stat"), "wbytes"),
            },
        })
    }

    /// Counts the processes killed for want of memory here and below.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn oom_kills(&self) -> Result<u64, CgroupError> {
        let Some(mount) = self.cgroups.hierarchy("memory") else {
            return Ok(0);
        };
        if self.cgroups.version() == CgroupVersion::V2 {
            let events = mount.join(&self.path).join("memory.events");
            return Ok(read_key(&events, "oom_kill").unwrap_or(0));
        }
        // Version 1 counts them only in the cgroup that the process was in.
        let dirs = tree(&mount.join(&self.path))?;
        Ok(dirs
            .iter()
            .filter_map(|dir| read_key(&dir.join("memory.oom_control"), "oom_kill"))
            .sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_devices_are_added_up() {
        let old = "8:0 Read 10\n8:0 Write 20\n8:16 Read 1\nTotal 31\n";
        assert_eq!((sum_of(old, "Read"), sum_of(old, "Write")), (11, 20));
        let new = "8:0 rbytes=10 wbytes=20 rios=1 wios=2\n8:16 rbytes=5 wbytes=0\n";
        assert_eq!((sum_of(new, "rbytes"), sum_of(new, "wbytes")), (15, 20));
        assert_eq!(sum_of("", "Read"), 0);
    }
}
