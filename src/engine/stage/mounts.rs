//! The mount namespace of a container, and what is bound out of it.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::Mode;

use super::error::{CreateError, Step};
use crate::engine::launch::{CgroupDirectory, Launch, Source, SourceKind};
use crate::sys::mount::{
    Depth, HARMLESS, MsFlags, Propagation, ensure_dir, mount_tmpfs, set_propagation,
};
use crate::sys::overlay::mount_overlay;
use crate::sys::path::{Resolve, descriptor_path, make_directories, open_at, open_root};
use crate::sys::tree::{attach, clone_tree, live_in, propagate, restrict};

/// Volumes whose mounts go on to be shared with the host, by source.
pub(super) type SharedSources = Vec<Option<OwnedFd>>;

/// Makes the mount namespace in which the container's mounts live: the kernel takes it down with
/// the container's last process.
///
/// It has the mounts of the host and those of the pod, and not those of other pods: they are unbindable, so that no
/// copy has them. A copy of all would cost more, with a hundred pods, than all else that a start does.
pub(super) fn enter_namespace(launch: &Launch) -> Result<SharedSources, CreateError> {
    let site = &launch.site;
    let failed = |error: &io::Error| CreateError::io(Step::Mounts, &site.pod, error);
    let (pod, shared) = own_mounts(launch)?;
    let host = clone_tree(Path::new("/"), Depth::Tree).map_err(|error| failed(&error))?;
    let start = site.bare_namespace.as_ref().map(fs::File::open);
    let start = start.transpose().map_err(|error| failed(&error))?;
    live_in(&host, start.as_ref().map(|file| file.as_fd()))
        .and_then(|()| attach(pod.as_fd(), &site.pod))
        // What is mounted on it stays here, and may become a root (pivot_root(2)).
        .and_then(|()| {
            set_propagation(&site.pod, Propagation::Slave, Depth::One).map_err(io::Error::other)
        })
        .map_err(|error| failed(&error))?;
    Ok(shared)
}

/// Copies the mounts of the pod, and those that are shared, for which the pod's may be copied for a moment.
///
/// A stage that is killed in it leaves them so, to be copied needlessly until the next start in the pod.
fn own_mounts(launch: &Launch) -> Result<(OwnedFd, SharedSources), CreateError> {
    let pod = &launch.site.pod;
    let failed = |error: &io::Error| CreateError::io(Step::Mounts, pod, error);
    let directory = fs::File::open(pod).map_err(|error| failed(&error))?;
    let _turn = Flock::lock(directory, FlockArg::LockExclusive)
        .map_err(|(_, errno)| failed(&errno.into()))?;
    // A directory that is no mount of its own has nothing to be kept from copies.
    let _ = set_propagation(pod, Propagation::Private, Depth::One);
    let copies = clone_tree(pod, Depth::Tree).map_err(|error| failed(&error));
    let shared = shared_sources(launch);
    let _ = set_propagation(pod, Propagation::Unbindable, Depth::One);
    Ok((copies?, shared?))
}

/// Mounts the root file system, and what is to be bound into it.
pub(super) fn prepare_mounts(launch: &Launch, shared: SharedSources) -> Result<(), CreateError> {
    let rootfs = launch.site.bundle.join("rootfs");
    mount_overlay(&(&launch.site.rootfs).into(), &rootfs)
        .map_err(|error| CreateError::io(Step::RootFs, &rootfs, &error))?;
    for (source, shared) in launch.sources.iter().zip(shared) {
        let made = match (&source.kind, shared) {
            (SourceKind::Beneath { volume, path }, _) => {
                part_of(volume, path).and_then(|tree| attach_source(source, tree.as_fd()))
            }
            (SourceKind::Shared { .. }, Some(tree)) => attach_source(source, tree.as_fd()),
            (SourceKind::Shared { .. }, None) => Ok(()),
            (
                SourceKind::Cgroups {
                    directories,
                    read_only,
                },
                _,
            ) => mount_cgroups(&source.at, directories, *read_only),
        };
        made.map_err(|error| CreateError::io(Step::Mounts, about(source), &error))?;
    }
    Ok(())
}

/// Returns the path that an error is about.
fn about(source: &Source) -> &Path {
    match &source.kind {
        SourceKind::Beneath { path, .. } => path,
        SourceKind::Shared { volume } => volume,
        SourceKind::Cgroups { .. } => &source.at,
    }
}

fn shared_sources(launch: &Launch) -> Result<SharedSources, CreateError> {
    let take = |source: &Source| match &source.kind {
        SourceKind::Shared { volume } => clone_tree(volume, Depth::Tree).map(Some),
        SourceKind::Beneath { .. } | SourceKind::Cgroups { .. } => Ok(None),
    };
    let copies = launch.sources.iter().map(|source| {
        take(source).map_err(|error| CreateError::io(Step::Mounts, about(source), &error))
    });
    copies.collect()
}

/// Returns a copy of the mount at a path below a volume's directory; a missing directory is made,
/// as the kubelet does (0750).
fn part_of(volume: &Path, path: &Path) -> io::Result<OwnedFd> {
    let root = open_root(volume)?;
    let found = match open_at(&root, path, Resolve::Beneath, OFlag::O_PATH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_directories(
            &root,
            path,
            Resolve::Beneath,
            Mode::from_bits_truncate(0o750),
        )?,
        found => found?,
    };
    clone_tree(Path::new(&descriptor_path(found.as_fd())), Depth::Tree)
}

fn attach_source(source: &Source, tree: BorrowedFd<'_>) -> io::Result<()> {
    if let Some(directory) = source.at.parent() {
        ensure_dir(directory, 0o700)?;
    }
    if fs::metadata(descriptor_path(tree))?.is_dir() {
        ensure_dir(&source.at, 0o700)?;
    } else {
        fs::write(&source.at, "")?;
    }
    attach(tree, &source.at)
}

/// Binds the directories on a small tmpfs, by their names.
fn mount_cgroups(at: &Path, directories: &[CgroupDirectory], read_only: bool) -> io::Result<()> {
    const SIZE: u64 = 1 << 20;
    let access = match read_only {
        true => MsFlags::MS_RDONLY,
        false => MsFlags::empty(),
    };
    ensure_dir(at, 0o700)?;
    mount_tmpfs(at, 0o755, Some(SIZE), HARMLESS).map_err(io::Error::other)?;
    for directory in directories {
        let place = at.join(&directory.name);
        fs::create_dir(&place)?;
        let tree = clone_tree(&directory.path, Depth::One)?;
        attach(tree.as_fd(), &place)?;
    }
    let all = open_root(at)?;
    propagate(all.as_fd(), Propagation::Private, Depth::Tree)?;
    restrict(all.as_fd(), HARMLESS | access, Depth::Tree)
}
