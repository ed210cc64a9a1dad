//! What is asked of the host before containers are decided.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit};
use oci_spec::runtime::LinuxDeviceType;
use serde::{Deserialize, Serialize};

use super::seccomp::version;
use crate::model::container::{CAPABILITIES, Capability};
use crate::sys::cgroup::{CgroupVersion, Cgroups};

/// The cgroup hierarchies as a container sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgroupLayout {
    /// Where each hierarchy with controllers is mounted.
    V1(Vec<PathBuf>),
    V2,
}

/// What this host offers to its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    pub cgroups: CgroupLayout,
    /// Whether the kernel counts swap.
    pub swap_limits: bool,
    /// What this process could give away: its bounding set.
    pub capabilities: BTreeSet<Capability>,
    /// The hard limits of this process.
    pub open_files: u64,
    pub processes: u64,
    /// `MAJOR.MINOR` of the kernel.
    pub kernel: (u32, u32),
}

impl HostFacts {
    /// Asks the host.
    ///
    /// # Errors
    /// There are no cgroups, or no `/proc`.
    pub fn read() -> io::Result<Self> {
        let cgroups = Cgroups::detect().map_err(io::Error::other)?;
        let hierarchies: Vec<PathBuf> = cgroups.controller_mounts().map(Path::to_owned).collect();
        let exists = |name: &str| hierarchies.iter().any(|mount| mount.join(name).exists());
        let (layout, swap_limits) = match cgroups.version() {
            // The root cgroup has no such file; where swap is counted, /proc/swaps exists.
            CgroupVersion::V2 => (CgroupLayout::V2, Path::new("/proc/swaps").exists()),
            CgroupVersion::V1 => {
                let counted = exists("memory.memsw.limit_in_bytes");
                (CgroupLayout::V1(hierarchies), counted)
            }
        };
        let hard = |resource| getrlimit(resource).map(|(_, hard)| hard);
        Ok(Self {
            cgroups: layout,
            swap_limits,
            capabilities: own_capabilities()?,
            open_files: hard(Resource::RLIMIT_NOFILE)?,
            processes: hard(Resource::RLIMIT_NPROC)?,
            kernel: version(&fs::read_to_string("/proc/sys/kernel/osrelease")?).unwrap_or_default(),
        })
    }
}

/// Returns the capabilities that this process could give to a container.
///
/// # Errors
/// `/proc` cannot be read.
pub fn own_capabilities() -> io::Result<BTreeSet<Capability>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bits = line
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .unwrap_or_default();
    Ok(CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(number, _)| bits >> number & 1 == 1)
        .filter_map(|(_, name)| Capability::parse(name).ok())
        .collect())
}

/// Whether a device moves characters or blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    Character,
    Block,
}

impl DeviceKind {
    pub(super) fn oci(self) -> LinuxDeviceType {
        match self {
            Self::Character => LinuxDeviceType::C,
            Self::Block => LinuxDeviceType::B,
        }
    }
}

/// A device of the host, and where the container sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDevice {
    pub path: PathBuf,
    pub kind: DeviceKind,
    pub major: i64,
    pub minor: i64,
    /// The permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl HostDevice {
    /// Reads a device file of the host, to be seen at `path`; nothing if it is no device.
    ///
    /// # Errors
    /// There is no such file.
    pub fn read(file: &Path, path: &Path) -> io::Result<Option<Self>> {
        let metadata = fs::metadata(file)?;
        let kind = match metadata.file_type() {
            kind if kind.is_char_device() => DeviceKind::Character,
            kind if kind.is_block_device() => DeviceKind::Block,
            _ => return Ok(None),
        };
        let number = |number: u64| i64::try_from(number).unwrap_or_default();
        Ok(Some(Self {
            path: path.to_owned(),
            kind,
            major: number(nix::sys::stat::major(metadata.rdev())),
            minor: number(nix::sys::stat::minor(metadata.rdev())),
            mode: metadata.permissions().mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
        }))
    }
}

/// Returns all devices of the host but its terminals, for privileged containers.
///
/// # Errors
/// `/dev` cannot be read.
pub fn host_devices() -> io::Result<Vec<HostDevice>> {
    let ours = ["pts", "shm", "fd", "mqueue", "console", "ptmx", "tty"];
    let root = Path::new("/dev");
    devices_below(root, &ours.map(|name| root.join(name)))
}

/// Returns the device at a path of the host, or those below a directory, as podman's `--device` has it.
///
/// # Errors
/// There is no such path.
pub fn devices_at(path: &Path) -> io::Result<Vec<HostDevice>> {
    match HostDevice::read(path, path)? {
        Some(device) => Ok(vec![device]),
        None => devices_below(path, &[]),
    }
}

/// Returns the devices below a directory, in order, but for some.
fn devices_below(root: &Path, without: &[PathBuf]) -> io::Result<Vec<HostDevice>> {
    let mut devices = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if without.contains(&path) {
                continue;
            }
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_char_device() || kind.is_block_device() {
                devices.extend(HostDevice::read(&path, &path)?);
            }
        }
    }
    devices.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_can_be_asked() {
        let Ok(facts) = HostFacts::read() else {
            eprintln!("skipped: lacks cgroups");
            return;
        };
        assert!(facts.kernel >= (4, 0));
        assert!(facts.open_files > 0);
        let devices = host_devices().unwrap();
        let null = devices.iter().find(|d| d.path == Path::new("/dev/null"));
        assert!(null.is_some_and(|null| (null.major, null.minor) == (1, 3)));
    }
}
