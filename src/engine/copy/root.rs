//! The root directory of a container: that of its process, or its layers mounted for the occasion.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::CopyError;
use crate::engine::installation::{Engine, EngineError};
use crate::engine::paths::PodPaths;
use crate::image::ImageRecord;
use crate::image::rootfs::lower_directories;
use crate::image::user;
use crate::model::container::ContainerSpec;
use crate::model::observed::{ContainerRecord, ObservedPod};
use crate::model::state::ContainerState;
use crate::model::volume::{Medium, SubPath, VolumeSpec};
use crate::sys::mount::{Depth, Propagation, ensure_dir, set_propagation, unshare_mounts};
use crate::sys::overlay::{Overlay, Writable, mount_overlay};
use crate::sys::path::{Resolve, descriptor_path, open_at, open_root};
use crate::sys::process::PidFd;
use crate::sys::procfs::root_of;
use crate::sys::tree::{attach_at, clone_tree};

/// A container's files.
#[derive(Debug)]
pub struct ContainerRoot {
    pub root: OwnedFd,
    /// Who the container runs as.
    pub owner: (u32, u32),
}

impl ContainerRoot {
    /// Opens the files of a container. For one that does not run, the caller, which has one thread, gets a
    /// mount namespace of its own, in which they are mounted for as long as it lives.
    ///
    /// # Errors
    /// The container ended meanwhile, waits to be restarted, or its layers cannot be mounted.
    pub fn open(
        engine: &Engine,
        pod: &ObservedPod,
        container: &ContainerRecord,
    ) -> Result<Self, CopyError> {
        let (Some(spec), Some(image)) = (pod.spec_of(container), engine.image(&container.image)?)
        else {
            return Err(EngineError::Removed.into());
        };
        let root = match (&container.state, container.state.process()) {
            (_, Some(process)) => {
                let root = open_root(&root_of(process.pid));
                let alive = PidFd::open_started_at(process.pid, process.start_time);
                match (root, alive) {
                    (Ok(root), Ok(Some(_))) => root,
                    _ => return Err(CopyError::Ended),
                }
            }
            (ContainerState::Waiting { .. }, None) => {
                let name = pod.record.spec.full_name(&container.name);
                return Err(CopyError::Waiting(name));
            }
            (_, None) => mounted(engine, pod, container, spec, &image)?,
        };
        let text = pod.record.spec.effective_user(spec);
        let text = text.map_or_else(|| image.config.user.clone(), |uid| uid.to_string());
        let user = user::resolve(root.as_fd(), &text)?;
        let group = pod.record.spec.effective_group(spec).unwrap_or(user.gid);
        Ok(Self {
            root,
            owner: (user.uid, group),
        })
    }
}

/// Mounts the layers of a container that does not run, and the volumes that are there without it.
fn mounted(
    engine: &Engine,
    pod: &ObservedPod,
    container: &ContainerRecord,
    spec: &ContainerSpec,
    image: &ImageRecord,
) -> Result<OwnedFd, CopyError> {
    let paths = engine.paths().pod(&pod.record.id);
    let layer = paths.layer(&container.name);
    let (upper, work, at) = (layer.join("upper"), layer.join("work"), layer.join("copy"));
    for (directory, mode) in [(&upper, 0o755), (&work, 0o700), (&at, 0o700)] {
        ensure_dir(directory, mode).map_err(mounting(directory))?;
    }
    unshare_mounts()
        .and_then(|()| set_propagation(Path::new("/"), Propagation::Slave, Depth::Tree))
        .map_err(|error| mounting(&at)(std::io::Error::other(error)))?;
    let overlay = Overlay {
        lower: lower_directories(engine.images(), image),
        writable: Some(Writable { upper, work }),
    };
    mount_overlay(&overlay, &at).map_err(mounting(&at))?;
    let root = open_root(&at).map_err(mounting(&at))?;
    for mount in &spec.mounts {
        let volume = pod.record.spec.volumes.get(&mount.volume);
        let source = volume.and_then(|volume| {
            source(engine, &paths, &mount.volume, volume).filter(|path| path.exists())
        });
        let Some(source) = source else {
            continue;
        };
        attach_volume(&root, &source, mount.sub_path.as_ref(), &mount.path)
            .map_err(mounting(&mount.path))?;
    }
    Ok(root)
}

fn mounting(path: &Path) -> impl FnOnce(std::io::Error) -> CopyError + use<> {
    CopyError::io("mounting", path.to_owned())
}

/// Returns where a volume rests while its pod does not run; projections and memory do not rest.
fn source(
    engine: &Engine,
    paths: &PodPaths,
    name: &crate::names::VolumeName,
    volume: &VolumeSpec,
) -> Option<PathBuf> {
    match volume {
        VolumeSpec::HostPath { path, .. } => Some(path.clone()),
        VolumeSpec::EmptyDir {
            medium: Medium::Disk,
            ..
        } => Some(paths.empty_dir(name)),
        VolumeSpec::Claim { claim, .. } => Some(engine.paths().volume(claim)),
        _ => None,
    }
}

fn attach_volume(
    root: &OwnedFd,
    source: &Path,
    sub_path: Option<&SubPath>,
    at: &Path,
) -> std::io::Result<()> {
    let part = match sub_path {
        None => clone_tree(source, Depth::Tree)?,
        Some(SubPath::Literal(path)) => {
            let volume = open_root(source)?;
            let part = open_at(&volume, Path::new(path), Resolve::Beneath, OFlag::O_PATH)?;
            clone_tree(Path::new(&descriptor_path(part.as_fd())), Depth::Tree)?
        }
        // What the variables stand for is known only when the container starts.
        Some(SubPath::Expression(_)) => return Ok(()),
    };
    match open_at(root, at, Resolve::InRoot, OFlag::O_PATH) {
        Ok(target) => attach_at(part.as_fd(), target.as_fd()),
        // The container never ran: nothing is there to mount on.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o755);
            let target = crate::sys::path::make_directories(root, at, Resolve::InRoot, mode)?;
            attach_at(part.as_fd(), target.as_fd())
        }
        Err(error) => Err(error),
    }
}
