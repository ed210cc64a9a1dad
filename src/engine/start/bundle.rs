//! What a run of a container is made of on disk: its writable layer, and its bundle.

use std::fs;
use std::io;
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
    let make = || -> io::Result<()> {
        if fresh && layer.exists() {
            fs::remove_dir_all(layer)?;
        }
        mount::ensure_dir(&layer.join("upper"), 0o755)?;
        mount::ensure_dir(&layer.join("work"), 0o700)
    };
    make().map_err(EngineError::io(layer))?;
    Ok(RootFs {
        lower,
        upper: layer.join("upper"),
        work: layer.join("work"),
    })
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
