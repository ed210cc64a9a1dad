//! What tests of mounts stand on.

use std::path::Path;

use nix::mount::MsFlags;

use super::mount::{Depth, Propagation, mount_tmpfs, set_propagation, unshare_mounts};

/// Runs `body` with an empty directory in a mount namespace of its own, on a thread of its own.
pub(super) fn in_mount_namespace(body: impl FnOnce(&Path) + Send + 'static) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: lacks CAP_SYS_ADMIN");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    std::thread::spawn(move || {
        unshare_mounts().unwrap();
        set_propagation(Path::new("/"), Propagation::Private, Depth::Tree).unwrap();
        mount_tmpfs(&path, 0o755, Some(1 << 20), MsFlags::empty()).unwrap();
        body(&path);
    })
    .join()
    .unwrap();
}
