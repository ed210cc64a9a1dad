//! Mounts: tmpfs, bind, propagation, unmount.
//!
//! A stage of its own calls [`unshare_mounts`] first; what is mounted in the host's namespace
//! must be made private before anything is mounted inside it, because on most hosts `/run` is
//! shared and every mount below it would appear in the mount namespaces of other services
//! (`mount_namespaces(7)`).

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

pub use super::mount_options::MountOptions;
use super::mount_table::mounts_below;
pub use nix::mount::MsFlags;

/// A mount operation that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("{action} `{}`", target.display())]
pub struct MountError {
    action: &'static str,
    target: PathBuf,
    source: Errno,
}

impl MountError {
    fn new(action: &'static str, target: &Path, source: Errno) -> Self {
        Self {
            action,
            target: target.to_owned(),
            source,
        }
    }
}

/// What keeps a mount from giving rights or running anything: no set-user-id bits, devices or programs.
pub const HARMLESS: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

/// How mount events travel between a mount and its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// To and from all peers.
    Shared,
    /// From the master only.
    Slave,
    /// Not at all.
    Private,
    /// Not at all, and it is left out wherever a tree of mounts is copied.
    Unbindable,
}

impl Propagation {
    pub(super) fn flag(self) -> MsFlags {
        match self {
            Self::Shared => MsFlags::MS_SHARED,
            Self::Slave => MsFlags::MS_SLAVE,
            Self::Private => MsFlags::MS_PRIVATE,
            Self::Unbindable => MsFlags::MS_UNBINDABLE,
        }
    }
}

/// Whether an operation covers the mounts below the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only the mount itself.
    One,
    /// The mount and everything mounted below it.
    Tree,
}

impl Depth {
    fn flag(self) -> MsFlags {
        match self {
            Self::One => MsFlags::empty(),
            Self::Tree => MsFlags::MS_REC,
        }
    }
}

/// Gives the calling thread a mount namespace of its own, as a copy of the present one.
///
/// # Errors
/// The process lacks `CAP_SYS_ADMIN`.
pub fn unshare_mounts() -> Result<(), MountError> {
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| MountError::new("making a mount namespace below", Path::new("/"), errno))
}

/// Sets the propagation of a mount.
///
/// # Errors
/// The target is no mount point.
pub fn set_propagation(
    target: &Path,
    propagation: Propagation,
    depth: Depth,
) -> Result<(), MountError> {
    let flag = propagation.flag();
    mount(
        None::<&str>,
        target,
        None::<&str>,
        flag | depth.flag(),
        None::<&str>,
    )
    .map_err(|errno| MountError::new("setting the propagation of", target, errno))
}

/// Mounts a private tmpfs with these permissions and at most this many bytes.
///
/// # Errors
/// The kernel refuses the mount; none is left then.
pub fn mount_tmpfs(
    target: &Path,
    mode: u32,
    size: Option<u64>,
    flags: MsFlags,
) -> Result<(), MountError> {
    let mut options = format!("mode={mode:o}");
    if let Some(size) = size {
        options.push_str(&format!(",size={size}"));
    }
    mount(
        Some("tmpfs"),
        target,
        Some("tmpfs"),
        flags,
        Some(options.as_str()),
    )
    .map_err(|errno| MountError::new("mounting a tmpfs at", target, errno))?;
    set_propagation(target, Propagation::Private, Depth::One).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = unmount(target);
    })
}

/// Mounts a file system of this type from a device.
///
/// # Errors
/// The kernel refuses the mount.
pub fn mount_filesystem(
    device: &Path,
    target: &Path,
    kind: &str,
    options: &MountOptions,
) -> Result<(), MountError> {
    let data = Some(options.data.as_str()).filter(|data| !data.is_empty());
    mount(Some(device), target, Some(kind), options.flags, data)
        .map_err(|errno| MountError::new("mounting a file system at", target, errno))
}

/// Mounts a file system of this type from a device, privately.
///
/// # Errors
/// The kernel refuses the mount; none is left then.
pub fn mount_device(
    device: &Path,
    target: &Path,
    kind: &str,
    options: &MountOptions,
) -> Result<(), MountError> {
    mount_filesystem(device, target, kind, options)?;
    set_propagation(target, Propagation::Private, Depth::One).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = unmount(target);
    })
}

/// Makes the tree at `source` appear at `target`.
///
/// # Errors
/// One of the two is missing, or one is a directory and the other is not.
pub fn bind(source: &Path, target: &Path, depth: Depth) -> Result<(), MountError> {
    mount(
        Some(source),
        target,
        None::<&str>,
        MsFlags::MS_BIND | depth.flag(),
        None::<&str>,
    )
    .map_err(|errno| MountError::new("binding a mount at", target, errno))
}

/// Changes the flags of a bind mount, which must be given in full.
///
/// # Errors
/// The target is no mount point, or a locked flag would be cleared.
pub fn remount_bind(target: &Path, flags: MsFlags) -> Result<(), MountError> {
    mount(
        None::<&str>,
        target,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags,
        None::<&str>,
    )
    .map_err(|errno| MountError::new("changing the mount flags of", target, errno))
}

/// Detaches the mount at a path with all that is mounted inside, in use or not, and says whether
/// there was one.
///
/// A symbolic link is never followed.
///
/// # Errors
/// The process lacks `CAP_SYS_ADMIN`.
pub fn unmount(target: &Path) -> Result<bool, MountError> {
    match umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EINVAL | Errno::ENOENT) => Ok(false),
        Err(errno) => Err(MountError::new("unmounting", target, errno)),
    }
}

/// Returns whether a directory is the root of another file system than the one it lies in.
///
/// # Errors
/// There is no such directory.
pub fn has_file_system(directory: &Path) -> io::Result<bool> {
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev());
    Ok(device(directory)? != device(&directory.join(".."))?)
}

/// Detaches every mount at or below a path, and says whether there was one.
///
/// # Errors
/// The mounts cannot be read, or the process lacks `CAP_SYS_ADMIN`.
pub fn unmount_all(target: &Path) -> Result<bool, MountError> {
    let mounts = || {
        mounts_below(target).map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
            MountError::new("listing the mounts below", target, errno)
        })
    };
    let mut found = false;
    loop {
        let mut detached = false;
        for point in mounts()? {
            detached |= unmount(&point)?;
        }
        // One that lay below another at the same place shows when that is gone.
        if !detached {
            return Ok(found);
        }
        found = true;
    }
}

/// Makes a directory with these permissions whatever the umask is; one that exists is kept as it is.
///
/// Parents that are missing are made for the owner alone.
///
/// # Errors
/// Something else has the name, or the kernel refuses.
pub fn ensure_dir(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    match std::fs::create_dir(path) {
        Ok(()) => std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unmount_takes_a_tmpfs_and_all_that_is_mounted_inside() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: lacks root");
            return;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().to_owned();
        std::thread::spawn(move || {
            unshare_mounts().expect("namespace");
            set_propagation(Path::new("/"), Propagation::Slave, Depth::Tree).expect("slave");
            let outer = path.join("outer");
            ensure_dir(&outer, 0o700).expect("dir");
            mount_tmpfs(&outer, 0o700, Some(1 << 20), MsFlags::MS_NODEV).expect("tmpfs");
            let mode = std::fs::metadata(&outer)
                .expect("stat")
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o700);
            let (inner, seen) = (outer.join("inner"), outer.join("seen"));
            ensure_dir(&inner, 0o755).expect("dir");
            ensure_dir(&seen, 0o755).expect("dir");
            std::fs::write(inner.join("file"), "x").expect("file");
            bind(&inner, &seen, Depth::Tree).expect("bind");
            remount_bind(&seen, MsFlags::MS_RDONLY).expect("read-only");
            assert!(seen.join("file").exists());
            assert!(std::fs::write(seen.join("other"), "y").is_err());
            assert!(unmount(&outer).expect("unmounted"));
            assert!(!unmount(&outer).expect("nothing left"));
            assert!(!inner.exists());
        })
        .join()
        .expect("thread");
    }
}
