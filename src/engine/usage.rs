//! What a container uses: its cgroup's counters, and its network's.

use std::path::Path;
use std::time::Duration;

use super::paths::PodPaths;
use crate::model::observed::ContainerRecord;
use crate::sys::cgroup::{CgroupUsage, Cgroups};
use crate::sys::procfs::{network_bytes, total_memory};

/// What a container uses or has used since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContainerUsage {
    pub cpu: Duration,
    /// Memory without the page cache that was not used lately: the kubelet's working set.
    pub memory: u64,
    /// The limit of the container, of its pod, or of the machine.
    pub memory_limit: u64,
    pub read: u64,
    pub written: u64,
    /// Over the interfaces of the pod, which its containers share.
    pub received: u64,
    pub sent: u64,
    pub pids: u64,
}

impl ContainerUsage {
    /// Reads what a container uses; one that does not run uses nothing.
    #[must_use]
    pub fn read(paths: &PodPaths, container: &ContainerRecord) -> Self {
        let Some(process) = container.state.process() else {
            return Self::default();
        };
        let own = usage(&paths.container_cgroup(&container.name));
        let limits = [own.memory_limit, usage(&paths.cgroup).memory_limit];
        let (received, sent) = network_bytes(process.pid);
        Self {
            cpu: own.cpu,
            memory: own.memory.saturating_sub(own.inactive_file),
            memory_limit: limits
                .into_iter()
                .flatten()
                .min()
                .unwrap_or_else(total_memory),
            read: own.read,
            written: own.written,
            received,
            sent,
            pids: own.pids,
        }
    }
}

/// A cgroup that is gone uses nothing.
fn usage(cgroup: &str) -> CgroupUsage {
    Cgroups::detect()
        .and_then(|cgroups| cgroups.group(Path::new(cgroup))?.usage())
        .unwrap_or_default()
}
