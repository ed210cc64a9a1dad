//! Cgroups of both versions: made, limited, read, killed, removed.
//!
//! A cgroup is named by its absolute path in the hierarchy, such as `/a/b`. On version 2 there is
//! one hierarchy; on version 1 (also the "hybrid" layout) there is one for each controller, and
//! the cgroup is a directory of the same path in each of them (`cgroups(7)`).
//!
//! On version 2 a controller works in a cgroup only if all cgroups above enable it for their
//! children, and a cgroup that does so may not hold processes itself: put processes in leaves.

mod end;
mod group;
mod layout;
mod limits;
#[cfg(test)]
mod tests;
mod usage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

pub use group::{Cgroup, Entrance};
pub use layout::{CgroupVersion, Cgroups};
pub use limits::{CgroupLimits, CpuQuota, DeviceRule};
pub use usage::CgroupUsage;

/// What went wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// No cgroup file system is mounted.
    #[error("no cgroup file system is mounted: neither version 2 nor version 1")]
    NotMounted,
    /// The path is no absolute path of plain names.
    #[error("`{}` is not a cgroup's path", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The kernel or the cgroup above does not have the controller that a limit needs.
    #[error("the cgroup controller `{controller}` is not available for `{}`", path.display())]
    NoController {
        /// The controller.
        controller: &'static str,
        /// The cgroup.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("{action} `{}`", path.display())]
    Refused {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A process waits for a device and cannot be frozen.
    #[error("processes in the cgroup `{}` cannot be frozen now", path.display())]
    NotFrozen {
        /// The cgroup.
        path: PathBuf,
    },
    /// Processes did not end, or new ones came faster than the old ones were killed.
    #[error("processes in the cgroup `{}` do not end", path.display())]
    StillAlive {
        /// The cgroup.
        path: PathBuf,
    },
}

fn refused(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    move |source| CgroupError::Refused {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Tells whether the cgroup was removed: also an open file of it answers so.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENODEV as i32)
}

fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    fs::write(path, value).map_err(refused("writing", path))
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Reads one value of a file of `key value` lines.
fn read_key(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}
