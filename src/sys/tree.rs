//! Trees of mounts held by descriptor: copied, attached elsewhere, pinned; and a process confined to one.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, umount2};
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use super::mount::{Depth, Propagation, remount_bind, set_propagation, unshare_mounts};

/// Returns a detached copy of the mounts at `path`, to be attached anywhere, in another
/// mount namespace too (`open_tree(2)`).
///
/// # Errors
/// What `open_tree(2)` says.
pub fn clone_tree(path: &Path, depth: Depth) -> io::Result<OwnedFd> {
    let recursive = match depth {
        Depth::One => OpenTreeFlags::empty(),
        Depth::Tree => OpenTreeFlags::AT_RECURSIVE,
    };
    Ok(rustix::mount::open_tree(
        rustix::fs::CWD,
        path,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | recursive,
    )?)
}

/// Attaches a detached copy at `target`.
///
/// # Errors
/// What `move_mount(2)` says.
pub fn attach(tree: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    Ok(rustix::mount::move_mount(
        tree,
        c"",
        rustix::fs::CWD,
        target,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?)
}

/// Attaches a detached copy on what an open descriptor stands for.
///
/// # Errors
/// What `move_mount(2)` says.
pub fn attach_at(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree, c"", target, c"", flags)?)
}

/// Keeps what a pidfd or a namespace descriptor stands for reachable at `target`, a file.
///
/// A pidfd pinned so still tells the exit status after the process was reaped
/// (`PIDFD_GET_INFO`). Plain `mount(2)` refuses pidfds with `EINVAL`.
///
/// # Errors
/// What `open_tree(2)` and `move_mount(2)` say; kernels before 6.9 have no mountable pidfds.
pub fn pin(descriptor: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let tree = rustix::mount::open_tree(
        descriptor,
        c"",
        OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH,
    )?;
    attach(tree.as_fd(), target)
}

/// Locks this process, single-threaded, into a directory: nothing else of the host is mounted
/// in its namespace afterwards, and devices, set-user-id bits and programs have no effect.
///
/// # Errors
/// What the kernel says; the process is of no use then and ends.
pub fn confine_to(directory: BorrowedFd<'_>) -> io::Result<()> {
    // Entered before the unshare: a descriptor goes on to mean the mount of the old namespace,
    // of which the new one can clone nothing, but the working directory moves along.
    nix::unistd::fchdir(directory)?;
    unshare_mounts().map_err(io::Error::other)?;
    set_propagation(Path::new("/"), Propagation::Private, Depth::Tree).map_err(io::Error::other)?;
    enter_copy(Depth::One)?;
    let data_only = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    remount_bind(Path::new("/"), data_only).map_err(io::Error::other)
}

/// Gives this process the mounts it has but for those at the given places and what is mounted in them.
///
/// Its mount namespace must be its own, and its mounts shared with no other. A place where nothing is mounted is
/// no error.
///
/// # Errors
/// The kernel refuses.
pub fn leave_out<'a>(places: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    for place in places {
        // One that is no mount any more, or never was, has nothing to leave out.
        let _ = set_propagation(place, Propagation::Unbindable, Depth::One);
    }
    nix::unistd::chdir("/")?;
    enter_copy(Depth::Tree)
}

/// Copies the mounts from the working directory on, and makes the copy the root; the old root goes.
fn enter_copy(depth: Depth) -> io::Result<()> {
    let tree = clone_tree(Path::new("."), depth)?;
    attach(tree.as_fd(), Path::new("."))?;
    nix::unistd::fchdir(&tree)?;
    // pivot_root(2): with `.` twice the old root lies on the new one, and `.` is then the old.
    nix::unistd::pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(nix::unistd::chdir("/")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::for_tests::in_mount_namespace;
    use crate::sys::mount::mount_tmpfs;
    use std::fs;
    use std::path::PathBuf;

    #[test]
    fn a_cloned_tree_is_attached_elsewhere_and_a_pidfd_pinned() {
        in_mount_namespace(|dir| {
            let (source, target) = (dir.join("source"), dir.join("target"));
            fs::create_dir(&source).unwrap();
            fs::create_dir(&target).unwrap();
            fs::write(source.join("f"), "x").unwrap();
            let tree = clone_tree(&source, Depth::Tree).unwrap();
            attach(tree.as_fd(), &target).unwrap();
            assert_eq!(fs::read_to_string(target.join("f")).unwrap(), "x");

            let pidfd = rustix::process::pidfd_open(
                rustix::process::getpid(),
                rustix::process::PidfdFlags::empty(),
            )
            .unwrap();
            let pinned = dir.join("pin");
            fs::write(&pinned, "").unwrap();
            if let Err(error) = pin(pidfd.as_fd(), &pinned) {
                println!("skipped: lacks mountable pidfds: {error}");
                return;
            }
            fs::File::open(&pinned).unwrap();
        });
    }

    #[test]
    fn what_is_left_out_is_gone_with_all_that_is_mounted_in_it() {
        in_mount_namespace(|dir| {
            let places = ["kept", "left", "plain"].map(|name| dir.join(name));
            for place in &places {
                fs::create_dir(place).unwrap();
            }
            for place in &places[..2] {
                mount_tmpfs(place, 0o700, None, MsFlags::empty()).unwrap();
                let inner = place.join("inner");
                fs::create_dir(&inner).unwrap();
                mount_tmpfs(&inner, 0o700, None, MsFlags::empty()).unwrap();
                fs::write(inner.join("f"), "x").unwrap();
            }
            leave_out(places[1..].iter().map(PathBuf::as_path)).unwrap();
            let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            assert!(mounts.contains("/kept/inner"), "{mounts}");
            assert!(!mounts.contains("/left"), "{mounts}");
            assert!(places[0].join("inner/f").exists());
            assert!(places[1].exists() && !places[1].join("inner").exists());
        });
    }
}
