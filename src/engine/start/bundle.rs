//! What a run of a container is made of on disk: its writable layer, and its bundle.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::{Run, StartError, Started, Streams};
use crate::engine::installation::EngineError;
use crate::engine::launch::RootFs;
use crate::engine::paths::TERMINATION_LOG;
use crate::sys::mount;
use crate::sys::process::{self, PidFd};

/// Makes the writable layer of a container, or an empty one in its place.
pub(super) fn make_layer(
    layer: &Path,
    lower: Vec<PathBuf>,
    fresh: bool,
) -> Result<RootFs, EngineError> {
    let (upper, work) = (layer.join("upper"), layer.join("work"));
    let make = || -> io::Result<()> {
        if fresh && layer.exists() && !is_untouched(&upper)? {
            fs::remove_dir_all(layer)?;
        }
        mount::ensure_dir(&upper, UPPER_MODE)?;
        mount::ensure_dir(&work, 0o700)
    };
    make().map_err(EngineError::io(layer))?;
    Ok(RootFs { lower, upper, work })
}

/// The permissions of a container's root.
const UPPER_MODE: u32 = 0o755;

/// Returns whether an upper layer is as it was made, so that there is no need to make it anew.
fn is_untouched(upper: &Path) -> io::Result<bool> {
    let found = match fs::symlink_metadata(upper) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found?,
    };
    let is_plain = found.mode() & 0o7777 == UPPER_MODE && found.uid() == 0 && found.gid() == 0;
    Ok(is_plain && fs::read_dir(upper)?.next().is_none() && has_only_the_kernels_marks(upper)?)
}

/// Returns whether a directory's extended attributes are those that a mounted overlay leaves, and no others.
fn has_only_the_kernels_marks(directory: &Path) -> io::Result<bool> {
    let mut names = [0; 1024];
    let length = match rustix::fs::llistxattr(directory, &mut names) {
        // More than the kernel's are too long for it.
        Err(rustix::io::Errno::RANGE) => return Ok(false),
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let names = names[..length].split(|byte| *byte == 0);
    let mut names = names.filter(|name| !name.is_empty());
    Ok(names.all(|name| name.starts_with(b"trusted.overlay.")))
}

/// Makes the directory of one run of a container: its FIFOs, and the files the stage mounts on.
pub(super) fn make_bundle(bundle: &Path) -> Result<(), EngineError> {
    let make = || -> io::Result<()> {
        let _ = mount::unmount(&bundle.join("pidfd")).map_err(io::Error::other)?;
        if bundle.exists() {
            fs::remove_dir_all(bundle)?;
        }
        mount::ensure_dir(bundle, 0o700)?;
        mount::ensure_dir(&bundle.join("rootfs"), 0o755)?;
        for fifo in ["stdout", "stderr"] {
            mkfifo(&bundle.join(fifo), Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        for file in ["pidfd", TERMINATION_LOG] {
            fs::write(bundle.join(file), "")?;
        }
        let words = bundle.join(TERMINATION_LOG);
        fs::set_permissions(words, std::os::unix::fs::PermissionsExt::from_mode(0o666))
    };
    make().map_err(EngineError::io(bundle))
}

/// Takes hold of a process that was just made, and pins it so that its status outlives this process.
pub(super) fn hold(
    run: Run,
    pid: i32,
    bundle: &Path,
    streams: Streams,
) -> Result<Started, StartError> {
    let process = PidFd::open(pid)
        .map_err(EngineError::io(Path::new("/proc")))?
        .ok_or(StartError::Vanished)?;
    // Kernels that cannot pin a process lose its status with the supervisor; the container runs all the same.
    let _ = process.pin(&bundle.join("pidfd"));
    let start_time = process::start_time(pid)
        .map_err(EngineError::io(Path::new("/proc")))?
        .unwrap_or(0);
    Ok(Started {
        run,
        process,
        pid,
        start_time,
        streams,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn inode(layer: &Path) -> u64 {
        fs::metadata(layer.join("upper")).unwrap().ino()
    }

    /// Makes the layer anew and returns whether it is another one.
    fn is_another(layer: &Path) -> bool {
        let before = inode(layer);
        // Else the file system may give the same number again.
        let _held = fs::File::open(layer.join("upper")).unwrap();
        make_layer(layer, vec![], true).unwrap();
        assert_eq!(fs::read_dir(layer.join("upper")).unwrap().count(), 0);
        inode(layer) != before
    }

    #[test]
    fn a_fresh_layer_has_nothing_of_the_last_run() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: lacks root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (layer, upper) = (dir.path().join("layer"), dir.path().join("layer/upper"));
        make_layer(&layer, vec![], true).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        let mark = |name: &str| rustix::fs::setxattr(&upper, name, b"y", flags).unwrap();
        mark("trusted.overlay.impure");
        assert!(!is_another(&layer));
        fs::write(upper.join("x"), "").unwrap();
        make_layer(&layer, vec![], false).unwrap();
        assert!(upper.join("x").exists());
        assert!(is_another(&layer));
        fs::set_permissions(&upper, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(is_another(&layer));
        std::os::unix::fs::chown(&upper, Some(1), None).unwrap();
        assert!(is_another(&layer));
        mark("trusted.x");
        assert!(is_another(&layer));
    }
}
