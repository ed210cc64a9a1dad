//! The cgroups of pods: `PARENT/POD/CONTAINER`, the pod's own limits on `POD`.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::paths::Paths;
use crate::model::container::Limits;
use crate::sys::cgroup::{CgroupError, CgroupLimits, Cgroups, CpuQuota};

/// How long processes that were killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The period of a processor quota, as Kubernetes has it.
const PERIOD: Duration = Duration::from_millis(100);

/// Moves this process into a cgroup, made if it is missing.
///
/// # Errors
/// The kernel refuses.
pub fn enter(path: &str) -> io::Result<()> {
    let move_self = || -> Result<(), CgroupError> {
        let cgroups = Cgroups::detect()?;
        cgroups
            .group(Path::new(path))?
            .create_for(std::process::id())
    };
    move_self().map_err(io::Error::other)
}

/// Has the kernel expect that processes are moved to cgroups soon.
pub fn expect_moves() {
    // Where there are no cgroups, whoever needs them tells.
    if let Ok(cgroups) = Cgroups::detect() {
        cgroups.expect_moves();
    }
}

/// Moves this process, a supervisor or the keeper that ends, out of the supervisors' cgroup, and removes it and the one
/// above it unless something is in them; not where others may have to do with it.
pub fn leave_supervisors(paths: &Paths) {
    let leave = || -> Result<(), CgroupError> {
        let cgroups = Cgroups::detect()?;
        cgroups.add_to_root(std::process::id())?;
        for path in Path::new(&paths.supervisors_cgroup()).ancestors().take(2) {
            cgroups.group(path)?.remove_unused();
        }
        Ok(())
    };
    if paths.has_own_cgroup() {
        // Whatever it fails at, an empty cgroup is no harm.
        let _ = leave();
    }
}

/// Makes the cgroup of a pod with the pod's own limits.
///
/// # Errors
/// The kernel refuses, or lacks a controller that a limit needs.
pub fn create(path: &str, limits: &Limits) -> Result<(), CgroupError> {
    let cgroups = Cgroups::detect()?;
    let group = cgroups.group(Path::new(path))?;
    group.create()?;
    group.limit(&CgroupLimits {
        memory: limits.memory.map(|memory| memory.0),
        swap: limits.memory.map(|_| 0),
        pids: limits.pids,
        cpu: limits.cpu.map(|cpu| CpuQuota {
            quota: PERIOD.mul_f64(cpu_share(cpu.0)),
            period: PERIOD,
        }),
        ..CgroupLimits::default()
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a host has fewer than 2^52 thousandths of a processor"
)]
fn cpu_share(milli: u64) -> f64 {
    milli as f64 / 1000.0
}

/// Kills everything in a cgroup; one that is not there has nothing to kill.
///
/// # Errors
/// Something in it does not end.
pub fn kill(path: &str) -> Result<(), CgroupError> {
    let cgroups = Cgroups::detect()?;
    let group = cgroups.group(Path::new(path))?;
    if group.exists() {
        group.kill(PATIENCE)?;
    }
    Ok(())
}

/// Freezes everything in a cgroup.
///
/// # Errors
/// There is no freezer, or something cannot be frozen now.
pub fn freeze(path: &str) -> Result<(), CgroupError> {
    Cgroups::detect()?.group(Path::new(path))?.freeze(PATIENCE)
}

/// Lets everything in a cgroup run again.
///
/// # Errors
/// There is no freezer, or the cgroup is gone.
pub fn thaw(path: &str) -> Result<(), CgroupError> {
    Cgroups::detect()?.group(Path::new(path))?.thaw()
}

/// Removes a cgroup with everything below it; what runs in it is killed first.
///
/// # Errors
/// Something in it does not end.
pub fn remove(path: &str) -> Result<(), CgroupError> {
    let cgroups = Cgroups::detect()?;
    let group = cgroups.group(Path::new(path))?;
    if !group.remove_if_empty()? {
        group.kill(PATIENCE)?;
        group.remove(PATIENCE)?;
    }
    Ok(())
}

/// Returns whether the kernel killed something in a cgroup for its memory.
#[must_use]
pub fn had_oom_kill(path: &str) -> bool {
    let Ok(cgroups) = Cgroups::detect() else {
        return false;
    };
    cgroups
        .group(Path::new(path))
        .and_then(|group| group.oom_kills())
        .is_ok_and(|kills| kills > 0)
}
