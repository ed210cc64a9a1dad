//! Trees of mounts held by descriptor: copied, attached elsewhere, pinned; and a process confined to one.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::CloneFlags;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use super::mount::{Depth, HARMLESS, Propagation, remount_bind, set_propagation, unshare_mounts};
use super::namespace::on_thread;

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

/// Returns the mount at `path` itself, to be attached elsewhere with all that lies on it.
///
/// # Errors
/// What `open_tree(2)` says.
pub fn open_mount(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::mount::open_tree(
        rustix::fs::CWD,
        path,
        OpenTreeFlags::OPEN_TREE_CLOEXEC,
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

/// Attaches a detached copy, or moves a mount that has its place already, on what an open descriptor stands for.
///
/// # Errors
/// What `move_mount(2)` says; nothing is moved off a mount that is shared.
pub fn attach_at(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree, c"", target, c"", flags)?)
}

/// Forbids what is in these flags, beside what is forbidden already: writing, set-user-id bits, devices, programs.
///
/// The tree may be attached or not.
///
/// # Errors
/// What `mount_setattr(2)` says (Linux 5.12); `InvalidInput` for any other flag.
pub fn restrict(tree: BorrowedFd<'_>, flags: MsFlags, depth: Depth) -> io::Result<()> {
    let known = [
        (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
    ];
    let (all, set) = known
        .iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .fold((MsFlags::empty(), 0), |(all, set), (flag, attribute)| {
            (all | *flag, set | attribute)
        });
    match flags {
        _ if all != flags => Err(io::ErrorKind::InvalidInput.into()),
        none if none.is_empty() => Ok(()),
        _ => change(tree, depth, |attributes| attributes.attr_set = set),
    }
}

/// Sets the propagation of a tree of mounts, attached or not.
///
/// # Errors
/// What `mount_setattr(2)` says (Linux 5.12).
pub fn propagate(tree: BorrowedFd<'_>, propagation: Propagation, depth: Depth) -> io::Result<()> {
    let flag = propagation.flag().bits();
    change(tree, depth, |attributes| attributes.propagation = flag)
}

#[expect(unsafe_code, reason = "no crate has a safe call for it")]
fn change(
    tree: BorrowedFd<'_>,
    depth: Depth,
    fill: impl FnOnce(&mut libc::mount_attr),
) -> io::Result<()> {
    // SAFETY: all zero bytes are a mount_attr: it holds numbers only, and zeros change nothing.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    fill(&mut attributes);
    let recursive = match depth {
        Depth::One => 0,
        Depth::Tree => libc::AT_RECURSIVE,
    };
    // SAFETY: the path is an empty C string, the struct is the kernel's, of that size, and only read.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attributes,
            std::mem::size_of_val(&attributes),
        )
    };
    Errno::result(done)?;
    Ok(())
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
    enter(&clone_tree(Path::new("."), Depth::One)?)?;
    remount_bind(Path::new("/"), HARMLESS).map_err(io::Error::other)
}

/// Makes a mount namespace without mounts, but for the kernel's own that lies below any root (`rootfs`): what starts
/// from a copy of it pays for no mount of the host.
///
/// # Errors
/// The kernel refuses: this process's root is `rootfs` itself.
pub fn bare_namespace() -> io::Result<OwnedFd> {
    let make = || -> io::Result<OwnedFd> {
        unshare_mounts().map_err(io::Error::other)?;
        // By a path that is gone when the host's mounts are.
        let namespace = File::open("/proc/thread-self/ns/mnt")?;
        // What is let go of here must not be for others.
        set_propagation(Path::new("/"), Propagation::Private, Depth::Tree)
            .map_err(io::Error::other)?;
        umount2("/", MntFlags::MNT_DETACH)?;
        Ok(namespace.into())
    };
    on_thread(make)?
}

/// Gives this process, single-threaded, a mount namespace of its own with the mounts of a tree and no others; they
/// are slaves of those that they were copied from.
///
/// With a [bare namespace](bare_namespace) to start from there is nothing to let go of: a change of the root, for which
/// the kernel looks at every process of the host (`pivot_root(2)`), is saved.
///
/// # Errors
/// What the kernel says; the process is of no use then and ends.
pub fn live_in(tree: &OwnedFd, bare: Option<BorrowedFd<'_>>) -> io::Result<()> {
    if let Some(namespace) = bare {
        nix::sched::setns(namespace, CloneFlags::CLONE_NEWNS)?;
    }
    unshare_mounts().map_err(io::Error::other)?;
    // What is attached and let go of here must not be for others; nobody knows how `rootfs` is shared.
    set_propagation(Path::new("/"), Propagation::Slave, Depth::Tree).map_err(io::Error::other)?;
    nix::unistd::chdir("/")?;
    match bare {
        None => enter(tree),
        Some(_) => {
            attach_as_slave(tree)?;
            nix::unistd::fchdir(tree)?;
            Ok(nix::unistd::chroot(".")?)
        }
    }
}

/// Makes a mount, which has its place in this process's namespace, the root of it; what was there before goes, here alone.
///
/// # Errors
/// The mount is shared, or lies on one that is (`pivot_root(2)`).
pub fn change_root(root: BorrowedFd<'_>) -> io::Result<()> {
    let old = super::path::open_root(Path::new("/"))?;
    nix::unistd::fchdir(root)?;
    // With `.` twice the old root lies on the new one.
    nix::unistd::pivot_root(".", ".")?;
    nix::unistd::fchdir(&old)?;
    // What is let go of here must not be for others.
    set_propagation(Path::new("."), Propagation::Slave, Depth::Tree).map_err(io::Error::other)?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(nix::unistd::chdir("/")?)
}

/// Makes a detached copy the root, with the working directory as the place it is attached at; the old root goes.
fn enter(tree: &OwnedFd) -> io::Result<()> {
    attach_as_slave(tree)?;
    change_root(tree.as_fd())
}

/// Attaches a detached copy at the working directory.
fn attach_as_slave(tree: &OwnedFd) -> io::Result<()> {
    attach(tree.as_fd(), Path::new("."))?;
    // The root of a namespace may not be shared with another while it changes (pivot_root(2)).
    propagate(tree.as_fd(), Propagation::Slave, Depth::Tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::for_tests::in_mount_namespace;
    use crate::sys::mount::mount_tmpfs;
    use std::fs;

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
    fn a_tree_is_restricted_before_it_is_attached() {
        in_mount_namespace(|dir| {
            let (source, target) = (dir.join("source"), dir.join("target"));
            for place in [&source, &target] {
                fs::create_dir(place).unwrap();
            }
            mount_tmpfs(&source, 0o755, None, MsFlags::MS_NODEV).unwrap();
            let inner = source.join("inner");
            fs::create_dir(&inner).unwrap();
            mount_tmpfs(&inner, 0o755, None, MsFlags::empty()).unwrap();
            let tree = clone_tree(&source, Depth::Tree).unwrap();
            propagate(tree.as_fd(), Propagation::Private, Depth::Tree).unwrap();
            restrict(tree.as_fd(), MsFlags::MS_RDONLY, Depth::One).unwrap();
            restrict(tree.as_fd(), MsFlags::MS_NOEXEC, Depth::Tree).unwrap();
            attach(tree.as_fd(), &target).unwrap();
            fs::write(source.join("f"), "x").unwrap();
            assert!(fs::write(target.join("f"), "y").is_err());
            fs::write(target.join("inner/f"), "y").unwrap();
            let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            let options = |place: &Path| -> Vec<String> {
                let place = format!(" {} ", place.display());
                let line = mounts.lines().find_map(|line| line.split_once(&place));
                let options = line.unwrap().1.split(' ').next().unwrap();
                options.split(',').map(str::to_owned).collect()
            };
            assert_eq!(options(&target), ["ro", "nodev", "noexec", "relatime"]);
            assert_eq!(options(&target.join("inner")), ["rw", "noexec", "relatime"]);
            assert_eq!(options(&source), ["rw", "nodev", "relatime"]);
            let other = restrict(tree.as_fd(), MsFlags::MS_NOATIME, Depth::One);
            assert_eq!(other.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        });
    }

    #[test]
    fn a_process_lives_in_a_tree_without_what_is_unbindable() {
        for is_bare in [false, true] {
            in_mount_namespace(move |dir| {
                let bare = is_bare.then(|| bare_namespace().unwrap());
                for name in ["kept", "left"] {
                    let place = dir.join(name);
                    fs::create_dir(&place).unwrap();
                    mount_tmpfs(&place, 0o700, None, MsFlags::empty()).unwrap();
                    let inner = place.join("inner");
                    fs::create_dir(&inner).unwrap();
                    mount_tmpfs(&inner, 0o700, None, MsFlags::empty()).unwrap();
                    fs::write(inner.join("f"), "x").unwrap();
                }
                let left = dir.join("left");
                set_propagation(&left, Propagation::Unbindable, Depth::One).unwrap();
                let host = clone_tree(Path::new("/"), Depth::Tree).unwrap();
                live_in(&host, bare.as_ref().map(|bare| bare.as_fd())).unwrap();
                let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
                assert!(mounts.contains("/kept/inner"), "{mounts}");
                assert!(!mounts.contains("/left"), "{mounts}");
                assert!(dir.join("kept/inner/f").exists());
                assert!(left.exists() && !left.join("inner").exists());
            });
        }
    }
}
