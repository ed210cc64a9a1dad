//! One installation, opened: its directories, database, locks and images, for one command.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::objects::{ObjectError, Objects};
use super::paths::Paths;
use super::protocol::SummonError;
use super::recover;
use super::sandbox::SandboxError;
use super::start::{exit_status, was_killed_for_memory};
use crate::image::registry::{Places, Registries};
use crate::image::store::ContentStore;
use crate::image::{ImageError, ImageRecord};
use crate::model::observed::{ContainerRecord, LastEnd, Observed, ObservedPod};
use crate::model::state::{BootId, ContainerState, ExitStatus, ProcessRef};
use crate::names::{ImageId, ImageRef, PodId, PodName, VolumeName};
use crate::state::{
    Failure, Lease, LockDir, LockError, LockState, Reporter, Salvaged, Store, StoreError, Taken,
};
use crate::sys::cgroup::CgroupError;
use crate::sys::mount;
use crate::sys::process::{self, PidFd};

/// What can go wrong while a plan or a command is carried out.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Summon(#[from] SummonError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Network(#[from] super::network::NetworkError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error("filling volume `{volume}`")]
    Import {
        volume: VolumeName,
        source: Box<ImageError>,
    },
    #[error("using {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The supervisor could not do what was asked; its words.
    #[error("{}", .0.message)]
    Refused(Failure),
    /// A pod that was to be started with others was not.
    #[error("pod `{pod}`: {failure}")]
    NotStarted { pod: PodName, failure: Failure },
    /// Another command's wish came first.
    #[error("overtaken by `{by}`")]
    Overtaken { by: String },
    #[error("image {image} was removed meanwhile")]
    ImageRemoved { image: String },
    #[error("the pod or container was removed meanwhile")]
    Removed,
    #[error("the pod or container was removed by `{by}`")]
    RemovedBy { by: String },
}

impl EngineError {
    /// Returns whether an address that was planned for a pod went to another one meanwhile.
    #[must_use]
    pub fn is_taken_address(&self) -> bool {
        matches!(self, Self::Store(StoreError::Taken(Taken::Address { .. })))
    }

    /// Returns whether what the error is about is not there any more.
    pub(super) fn is_removed(&self) -> bool {
        matches!(
            self,
            Self::Removed | Self::RemovedBy { .. } | Self::Lock(LockError::Gone(_))
        )
    }

    /// Wraps an error of the file system.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// An opened installation.
#[derive(Debug)]
pub struct Engine {
    pub(super) paths: Paths,
    pub(super) locks: LockDir,
    pub(super) store: Store,
    pub(super) images: ContentStore,
    /// What this command calls itself to others who wait for it.
    pub(super) command: String,
    /// What tells this process from every other.
    pub(super) process: ProcessRef,
    /// How many pods it acts on at once.
    pub(super) at_once: NonZeroUsize,
    /// Whether a record that nobody keeps up is to be mended by a process of its own, once one is met.
    pub(super) mends: Cell<bool>,
}

/// How many pods a command acts on at once if nobody says: it mostly waits, so more than there are cores.
pub const AT_ONCE: NonZeroUsize = NonZeroUsize::new(400).expect("the constant is not zero");

impl Engine {
    /// Opens an installation, making what is missing of it.
    ///
    /// # Errors
    /// A directory or the database cannot be opened or made.
    pub fn open(paths: Paths, command: &str, reporter: Reporter) -> Result<Self, EngineError> {
        for directory in [&paths.root, &paths.runroot] {
            mount::ensure_dir(directory, 0o700).map_err(EngineError::io(directory))?;
        }
        let locks = LockDir::open(&paths.locks())?.reporting(reporter);
        let store = Store::open(&paths.root, locks.clone())?;
        let images = ContentStore::open(&paths.root, Path::new("/proc/self/exe"))?;
        Ok(Self {
            paths,
            locks,
            store,
            images,
            command: command.to_owned(),
            process: recover::this_process()?,
            at_once: AT_ONCE,
            mends: Cell::new(false),
        })
    }

    /// Lets the command act on so many pods at once.
    pub fn act_on_at_once(&mut self, pods: NonZeroUsize) {
        self.at_once = pods;
    }

    /// Returns what this command is called in what it asks of pods.
    pub(super) fn by(&self) -> String {
        format!("{} (pid {})", self.command, std::process::id())
    }

    /// Puts a damaged database aside and makes a new one of what can be read of it.
    ///
    /// # Errors
    /// The file cannot be moved, or the new one cannot be written.
    pub fn salvage(paths: &Paths) -> Result<Salvaged, EngineError> {
        let locks = LockDir::open(&paths.locks())?;
        let salvaged = Store::salvage(&paths.root, &locks)?;
        let mut store = Store::open(&paths.root, locks)?;
        super::copies::restore(paths, &mut store)?;
        Ok(salvaged)
    }

    /// Returns where everything lies.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Returns the database.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Returns the content of the images.
    #[must_use]
    pub fn images(&self) -> &ContentStore {
        &self.images
    }

    /// Returns who holds and who waits for which lock.
    ///
    /// # Errors
    /// The lock directory cannot be read.
    pub fn lock_holders(&self) -> Result<Vec<LockState>, EngineError> {
        Ok(self.locks.holders()?)
    }

    /// Returns what is recorded, corrected by what the kernel says; takes no lock.
    ///
    /// A container whose process is gone is never shown as running, also when nobody has recorded it.
    ///
    /// # Errors
    /// The database or `/proc` cannot be read.
    pub fn observed(&self) -> Result<Observed, EngineError> {
        let mut observed = self.store.observed()?;
        for pod in &mut observed.pods {
            let was_wrong = correct(&self.paths, pod, &self.process.boot)
                .map_err(EngineError::io(Path::new("/proc")))?;
            if was_wrong && self.mends.get() && self.has_no_supervisor(&pod.record.id) {
                self.mends.set(false);
                // The answer is right whether or not the repair can begin.
                let _ = self.start_recovery();
            }
        }
        Ok(observed)
    }

    /// Returns whether nobody records what happens to a pod.
    pub(super) fn has_no_supervisor(&self, pod: &PodId) -> bool {
        !Lease::is_taken(&self.locks.lease_path(pod)).unwrap_or(true)
    }

    /// Returns the ConfigMaps and Secrets that are kept here, with their values.
    ///
    /// # Errors
    /// The database or the file of a Secret cannot be read.
    pub fn objects(&self) -> Result<Objects, EngineError> {
        Ok(Objects::load(&self.paths, &self.store.objects()?)?)
    }

    /// Returns the image that a reference means, if it is here.
    ///
    /// A name without a registry means the one made on this host first, then what
    /// `registries.conf(5)` says, then `docker.io/library`.
    ///
    /// # Errors
    /// The database cannot be read, or the built-in image cannot be made.
    pub fn find_image(&mut self, reference: &ImageRef) -> Result<Option<ImageRecord>, EngineError> {
        let found = find(&self.store.images()?, reference).cloned();
        if found.is_none() && crate::image::hello::is_meant(reference) {
            return self.built_in_image().map(Some);
        }
        Ok(found)
    }

    /// Returns the whole names that a name may stand for, the likeliest first.
    #[must_use]
    pub fn meanings(&self, reference: &ImageRef) -> Vec<ImageRef> {
        candidates(reference)
    }

    /// Returns the image with this id, if it is here.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn image(&self, id: &ImageId) -> Result<Option<ImageRecord>, EngineError> {
        let images: Vec<ImageRecord> = self.store.images()?;
        Ok(images.into_iter().find(|image| &image.id == id))
    }
}

/// Finds the image that a reference means among those recorded.
#[must_use]
pub(super) fn find<'a>(images: &'a [ImageRecord], reference: &ImageRef) -> Option<&'a ImageRecord> {
    candidates(reference).iter().find_map(|candidate| {
        images.iter().find(|image| match candidate.digest() {
            Some(digest) => image.names.iter().any(|name| {
                let known = &image.digest == digest || name.digest() == Some(digest);
                known && name.name() == candidate.name()
            }),
            None => image.names.contains(candidate),
        })
    })
}

fn candidates(reference: &ImageRef) -> Vec<ImageRef> {
    match reference.registry() {
        Some(_) => vec![reference.qualified()],
        None => {
            // A file that cannot be read is told by whoever pulls; here it says nothing.
            let registries = Registries::read(&Places::of_environment()).unwrap_or_default();
            let mut candidates = vec![reference.qualified().in_registry("localhost")];
            candidates.extend(registries.short_names(reference).candidates);
            candidates.extend(Registries::default().short_names(reference).candidates);
            candidates
        }
    }
}

/// Corrects what is recorded of a pod; tells whether anything was wrong.
fn correct(paths: &Paths, pod: &mut ObservedPod, boot: &BootId) -> io::Result<bool> {
    let pod_paths = paths.pod(&pod.record.id);
    let mut was_wrong = false;
    for container in &mut pod.containers {
        let Some(reference) = container.state.process() else {
            continue;
        };
        let lives = reference.boot == *boot
            && process::start_time(reference.pid)? == Some(reference.start_time);
        if !lives {
            let pin = pod_paths.bundle(&container.name).join("pidfd");
            let pinned = || PidFd::open_pinned(&pin).ok()?.exit_info();
            let ended =
                process::zombie_status(reference.pid, reference.start_time)?.or_else(pinned);
            let status = exit_status(ended, || was_killed_for_memory(&pod_paths, &container.name));
            show_ended(container, status);
            was_wrong = true;
        }
    }
    Ok(was_wrong)
}

/// Shows a container as ended whose end nobody has recorded yet.
fn show_ended(container: &mut ContainerRecord, status: ExitStatus) {
    let at = jiff::Timestamp::now();
    container.last_end = Some(LastEnd {
        status: status.clone(),
        at,
    });
    container.state = ContainerState::Exited { status, at };
    container.ready = false;
}
