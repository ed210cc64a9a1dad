//! What is mounted in a container's root before its runtime runs.
//!
//! The runtime could mount it all, and makes eighty system calls for each: it looks for the place of a mount part by
//! part, through a `/proc` opened anew. Left to it are the mounts that only a process in the container's namespaces
//! can make, and what has to do with their places.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use libcontainer::oci_spec::runtime::{Mount, Spec};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::error::{CreateError, Step};
use crate::sys::mount::{Depth, MountOptions, Propagation, mount_filesystem, set_propagation};
use crate::sys::path::{Resolve, create_file, descriptor_path, make_directories, open_at};
use crate::sys::tree::{attach_at, clone_tree, restrict};

/// File systems that show the namespaces of whoever mounts them.
const OF_NAMESPACES: [&str; 4] = ["proc", "sysfs", "mqueue", "cgroup"];

/// Mounts what can be mounted now, and takes it out of the spec.
pub(super) fn premount(spec: &mut Spec, root: BorrowedFd<'_>) -> Result<(), CreateError> {
    let linux = spec.linux().as_ref();
    // The runtime makes everything below its root shared then, and unshared again what it mounts later.
    let propagates = linux.is_some_and(|linux| linux.rootfs_propagation().is_some());
    if propagates {
        return Ok(());
    }
    let (now, later) = parted(spec.mounts().clone().unwrap_or_default());
    for mount in now {
        make(&mount, root)
            .map_err(|error| CreateError::io(Step::Mounts, mount.destination(), &error))?;
    }
    spec.set_mounts(Some(later));
    Ok(())
}

/// Parts mounts into those that can be made now and those that cannot: what has its place above or below one of these
/// keeps its turn.
fn parted(mounts: Vec<Mount>) -> (Vec<Mount>, Vec<Mount>) {
    let (mut now, mut later) = (Vec::new(), Vec::<Mount>::new());
    for mount in mounts {
        let kind = mount.typ().as_deref().unwrap_or_default();
        let depends = |other: &Mount| overlap(mount.destination(), other.destination());
        match OF_NAMESPACES.contains(&kind) || later.iter().any(depends) {
            true => later.push(mount),
            false => now.push(mount),
        }
    }
    (now, later)
}

fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn make(mount: &Mount, root: BorrowedFd<'_>) -> io::Result<()> {
    let words = mount.options().as_deref().unwrap_or_default();
    let options = MountOptions::parse(&words.join(","));
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    let Some(depth) = options.bind else {
        let kind = mount.typ().as_deref().unwrap_or_default();
        let target = directory(root, mount.destination())?;
        let target = descriptor_path(target.as_fd());
        return mount_filesystem(source, Path::new(&target), kind, &options)
            .map_err(io::Error::other);
    };
    let target = match source.is_dir() {
        true => directory(root, mount.destination())?,
        false => file(root, mount.destination())?,
    };
    let tree = clone_tree(source, depth)?;
    attach_at(tree.as_fd(), target.as_fd())?;
    if let Some(propagation) = words.iter().find_map(|word| propagation(word)) {
        let place = descriptor_path(tree.as_fd());
        set_propagation(Path::new(&place), propagation, Depth::Tree).map_err(io::Error::other)?;
    }
    restrict(&tree, options.flags)
}

fn propagation(word: &str) -> Option<Propagation> {
    match word {
        "rprivate" => Some(Propagation::Private),
        "rslave" => Some(Propagation::Slave),
        _ => None,
    }
}

fn directory(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    make_directories(root, path, Resolve::InRoot, Mode::from_bits_truncate(0o755))
}

/// Opens something to mount a file on, made if there is nothing.
fn file(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    match open_at(root, path, Resolve::InRoot, OFlag::O_PATH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    if let Some(parent) = path.parent() {
        directory(root, parent)?;
    }
    create_file(root, path, Resolve::InRoot, Mode::from_bits_truncate(0o644))?;
    open_at(root, path, Resolve::InRoot, OFlag::O_PATH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use libcontainer::oci_spec::runtime::MountBuilder;

    #[test]
    fn what_lies_above_or_below_a_mount_of_a_namespace_keeps_its_turn() {
        let mounts: Vec<Mount> = [
            ("/proc", "proc"),
            ("/dev", "tmpfs"),
            ("/sys", "sysfs"),
            ("/dev/mqueue", "mqueue"),
            ("/dev/shm", "bind"),
            ("/sys/fs/cgroup", "bind"),
            ("/process", "bind"),
            ("/dev", "bind"),
            ("/dev/own", "bind"),
        ]
        .map(|(path, kind)| {
            let mount = MountBuilder::default().destination(path).typ(kind).build();
            mount.unwrap()
        })
        .into();
        let (now, later) = parted(mounts);
        let paths = |mounts: &[Mount]| -> Vec<String> {
            let paths = mounts
                .iter()
                .map(|mount| mount.destination().display().to_string());
            paths.collect()
        };
        assert_eq!(paths(&now), ["/dev", "/dev/shm", "/process"]);
        let kept = [
            "/proc",
            "/sys",
            "/dev/mqueue",
            "/sys/fs/cgroup",
            "/dev",
            "/dev/own",
        ];
        assert_eq!(paths(&later), kept);
    }
}
