//! The right to command: fair locks across processes, freed by the kernel when their holder dies.
//!
//! Commands that create, start, stop or remove take them for the moment of a transition, never while waiting for a
//! stop, a probe or the network (a pull holds its image's lock and no other). Readers take none.
//!
//! # Order
//!
//! ```text
//!    image REF                  one pull at a time; held alone, never beside a pod
//!
//!    pod A ──▶ container A1     PodGuard: the whole pod. It implies every container's lock, so those cost nothing.
//!      │   └─▶ container A2     PodShare + ContainerGuard: one container. Commands on A1 and A2 pass each other,
//!      ▼                        a command on the pod waits for both and they for it, first come, first served.
//!    pod B ──▶ container B1     several pods, or several containers of one, at once and sorted
//!      │
//!      ▼
//!    store                      one writer of the database at a time; the innermost, nothing is locked under it
//! ```
//!
//! The order is the borrow order: a [`Caller`] is one line of work, and each guard borrows it mutably, so nobody can
//! ask for a second pod while holding one, nor for a pod while holding an image. A thread that works on another pod
//! has a caller of its own.
//!
//! # What a lock is
//!
//! A file of its own with tickets ([`protocol`]). It is opened anew for each guard, close-on-exec, and the guard neither
//! gives the descriptor away nor duplicates it: all who share a description hold its locks. A file says nothing about
//! whether its pod exists; the store does. So whoever got a guard reads the record again, and where there is none calls
//! [`PodGuard::remove`] and answers "no such pod". Only the holder unlinks a file, as its last act; who waited for it
//! meanwhile gets [`LockError::Gone`].

mod file;
mod protocol;
mod record;
mod watchdog;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::names::{ContainerId, PodId, hex};
pub(super) use file::is_at;
use file::{Acquired, Held, Occupants};
use protocol::Mode;
pub use record::Holder;

/// A lock that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// What the lock belongs to was removed by the command that held it.
    #[error("{0} was removed meanwhile")]
    Gone(LockName),
    #[error("locking {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl LockError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// What a lock belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockName {
    /// Pulls of one image, by the hash of its reference.
    Image(String),
    Pod(PodId),
    Container(ContainerId),
    Store,
}

impl LockName {
    fn image(reference: &str) -> Self {
        Self::Image(hex(&Sha256::digest(reference)))
    }

    fn file_name(&self) -> String {
        match self {
            Self::Image(hash) => format!("image-{hash}"),
            Self::Pod(id) => format!("pod-{id}"),
            Self::Container(id) => format!("container-{id}"),
            Self::Store => "store".to_owned(),
        }
    }

    fn from_file_name(name: &str) -> Option<Self> {
        match name.split_once('-') {
            None => (name == "store").then_some(Self::Store),
            Some(("image", hash)) => Some(Self::Image(hash.to_owned())),
            Some(("pod", id)) => PodId::parse(id).ok().map(Self::Pod),
            Some(("container", id)) => ContainerId::parse(id).ok().map(Self::Container),
            Some(_) => None,
        }
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(hash) => write!(f, "image {}", &hash[..hash.len().min(12)]),
            Self::Pod(id) => write!(f, "pod {}", id.short()),
            Self::Container(id) => write!(f, "container {}", id.short()),
            Self::Store => f.write_str("store"),
        }
    }
}

/// A wait that has lasted: who is in the way.
#[derive(Debug)]
pub struct Blocked {
    pub lock: LockName,
    pub holders: Vec<Holder>,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waiting for the lock of {}", self.lock)?;
        for (index, holder) in self.holders.iter().enumerate() {
            let joint = if index == 0 { ", held by " } else { " and " };
            write!(f, "{joint}{holder}")?;
        }
        Ok(())
    }
}

/// Called once, from a thread of its own, when a wait lasts more than two seconds.
pub type Reporter = Arc<dyn Fn(&Blocked) + Send + Sync>;

/// A lock that somebody holds or waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockState {
    pub lock: LockName,
    /// One holder that is alone, or several that share; `None` where the holder's name is not known.
    pub holders: Vec<Option<Holder>>,
    pub exclusive: bool,
    /// Who waits, the next one first.
    pub queue: Vec<Option<Holder>>,
}

/// The directory of the lock files.
#[derive(Clone)]
pub struct LockDir {
    path: Arc<Path>,
    reporter: Option<Reporter>,
}

impl fmt::Debug for LockDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockDir")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl LockDir {
    /// Opens the directory, making it if it is missing.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(path: &Path) -> Result<Self, LockError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| LockError::io(path, source))?;
        Ok(Self {
            path: path.into(),
            reporter: None,
        })
    }

    /// Lets `reporter` tell about waits that last.
    #[must_use]
    pub fn reporting(self, reporter: Reporter) -> Self {
        Self {
            reporter: Some(reporter),
            ..self
        }
    }

    /// Starts a line of work that takes locks under the name of `command`.
    #[must_use]
    pub fn caller(&self, command: &str) -> Caller {
        Caller {
            dir: self.clone(),
            command: command.to_owned(),
        }
    }

    /// Takes the lock of the database's writers.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked.
    pub fn store(&self, command: &str) -> Result<StoreGuard, LockError> {
        let lock = self.take_place(&LockName::Store, command)?;
        Ok(StoreGuard { _lock: lock })
    }

    /// Returns where the lease of the pod's supervisor lies; see [`crate::state::Lease`].
    #[must_use]
    pub fn lease_path(&self, pod: &PodId) -> PathBuf {
        self.path.join(format!("lease-{pod}"))
    }

    /// Lists the locks that are held, with their holders and queues; locks nothing itself.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn holders(&self) -> Result<Vec<LockState>, LockError> {
        let mut states = Vec::new();
        let at = |source| LockError::io(&self.path, source);
        for entry in std::fs::read_dir(&self.path).map_err(at)? {
            let name = entry.map_err(at)?.file_name();
            let Some(lock) = name.to_str().and_then(LockName::from_file_name) else {
                continue;
            };
            let occupants = match Occupants::of(&self.path.join(&name)) {
                Ok(occupants) => occupants,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(at(error)),
            };
            if !occupants.holders.is_empty() || !occupants.queue.is_empty() {
                states.push(LockState {
                    lock,
                    holders: occupants.holders,
                    exclusive: occupants.exclusive,
                    queue: occupants.queue,
                });
            }
        }
        states.sort_by(|one, other| one.lock.cmp(&other.lock));
        Ok(states)
    }

    /// Takes the lock of a thing that may be removed while we wait.
    fn take(&self, lock: &LockName, mode: Mode, command: &str) -> Result<Held, LockError> {
        let path = self.path.join(lock.file_name());
        match Held::take(&path, mode, command, self.reporter.as_ref())? {
            Acquired::Held(held) => Ok(held),
            Acquired::Gone => Err(LockError::Gone(lock.clone())),
        }
    }

    /// Takes the lock of a place, which always exists: a file that was removed meanwhile is made anew.
    fn take_place(&self, lock: &LockName, command: &str) -> Result<Held, LockError> {
        loop {
            match self.take(lock, Mode::Exclusive, command) {
                Err(LockError::Gone(_)) => {}
                other => return other,
            }
        }
    }
}

/// Returns what the file is the lock of; used where only its path is at hand.
fn lock_name(path: &Path) -> LockName {
    path.file_name()
        .and_then(|name| LockName::from_file_name(name.to_str()?))
        .expect("lock files are named by LockName::file_name alone")
}

/// One line of work that takes locks: it holds one pod, or one sorted set of pods, or one image at a time.
#[derive(Debug)]
pub struct Caller {
    dir: LockDir,
    command: String,
}

impl Caller {
    /// Takes the right to command the whole pod, its containers included.
    ///
    /// # Errors
    /// [`LockError::Gone`] if the pod was removed while we waited; the lock file cannot be opened or locked.
    pub fn pod(&mut self, pod: &PodId) -> Result<PodGuard<'_>, LockError> {
        self.pod_guard(pod)
    }

    /// Takes the right to command several whole pods, in the order of their ids.
    ///
    /// # Errors
    /// As [`Caller::pod`], of the first pod that fails; no lock is held then.
    pub fn pods(&mut self, pods: &BTreeSet<PodId>) -> Result<Vec<PodGuard<'_>>, LockError> {
        pods.iter().map(|pod| self.pod_guard(pod)).collect()
    }

    /// Takes a share of the pod, from which its containers can be commanded one by one.
    ///
    /// # Errors
    /// As [`Caller::pod`].
    pub fn share(&mut self, pod: &PodId) -> Result<PodShare<'_>, LockError> {
        let name = LockName::Pod(pod.clone());
        let lock = self.dir.take(&name, Mode::Shared, &self.command)?;
        Ok(PodShare {
            id: pod.clone(),
            dir: self.dir.clone(),
            command: self.command.clone(),
            _lock: lock,
            _caller: PhantomData,
        })
    }

    /// Takes the lock of an image reference, for a pull.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked.
    pub fn image(&mut self, reference: &str) -> Result<ImageGuard<'_>, LockError> {
        let name = LockName::image(reference);
        let lock = self.dir.take_place(&name, &self.command)?;
        Ok(ImageGuard {
            lock,
            _caller: PhantomData,
        })
    }

    fn pod_guard(&self, pod: &PodId) -> Result<PodGuard<'_>, LockError> {
        let name = LockName::Pod(pod.clone());
        let lock = self.dir.take(&name, Mode::Exclusive, &self.command)?;
        Ok(PodGuard {
            id: pod.clone(),
            dir: self.dir.clone(),
            lock,
            _caller: PhantomData,
        })
    }
}

/// The right to command a whole pod.
#[derive(Debug)]
pub struct PodGuard<'a> {
    id: PodId,
    dir: LockDir,
    lock: Held,
    _caller: PhantomData<&'a mut Caller>,
}

impl PodGuard<'_> {
    /// Returns the pod that this guard is for.
    #[must_use]
    pub fn id(&self) -> &PodId {
        &self.id
    }

    /// Returns the place this guard had in the queue.
    #[must_use]
    pub fn ticket(&self) -> u64 {
        self.lock.ticket()
    }

    /// Returns the right to command one container of the pod: it comes with the pod's.
    #[must_use]
    pub fn container(&self, id: &ContainerId) -> ContainerGuard<'_> {
        ContainerGuard {
            file: self
                .dir
                .path
                .join(LockName::Container(id.clone()).file_name()),
            id: id.clone(),
            lock: None,
            _pod: PhantomData,
        }
    }

    /// Unlinks the lock file of a pod that no longer exists, and ends the right.
    ///
    /// # Errors
    /// The file cannot be unlinked.
    pub fn remove(self) -> Result<(), LockError> {
        self.lock.remove()
    }
}

/// A share of a pod: as long as it lasts, nobody commands the whole pod.
#[derive(Debug)]
pub struct PodShare<'a> {
    id: PodId,
    dir: LockDir,
    command: String,
    _lock: Held,
    _caller: PhantomData<&'a mut Caller>,
}

impl PodShare<'_> {
    /// Returns the pod that this share is of.
    #[must_use]
    pub fn id(&self) -> &PodId {
        &self.id
    }

    /// Takes the right to command one container of the pod.
    ///
    /// # Errors
    /// [`LockError::Gone`] if the container was removed while we waited; the lock file cannot be opened or locked.
    pub fn container(&mut self, id: &ContainerId) -> Result<ContainerGuard<'_>, LockError> {
        self.container_guard(id)
    }

    /// Takes the right to command several containers of the pod, in the order of their ids.
    ///
    /// # Errors
    /// As [`PodShare::container`], of the first that fails; no container is locked then.
    pub fn containers(
        &mut self,
        ids: &BTreeSet<ContainerId>,
    ) -> Result<Vec<ContainerGuard<'_>>, LockError> {
        ids.iter().map(|id| self.container_guard(id)).collect()
    }

    fn container_guard(&self, id: &ContainerId) -> Result<ContainerGuard<'_>, LockError> {
        let name = LockName::Container(id.clone());
        let lock = self.dir.take(&name, Mode::Exclusive, &self.command)?;
        Ok(ContainerGuard {
            file: self.dir.path.join(name.file_name()),
            id: id.clone(),
            lock: Some(lock),
            _pod: PhantomData,
        })
    }
}

/// The right to command one container.
#[derive(Debug)]
pub struct ContainerGuard<'a> {
    id: ContainerId,
    file: PathBuf,
    /// Absent where the pod's guard already keeps everybody else out.
    lock: Option<Held>,
    _pod: PhantomData<&'a ()>,
}

impl ContainerGuard<'_> {
    /// Returns the container that this guard is for.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Returns the place this guard had in the queue; none where it came with the pod's.
    #[must_use]
    pub fn ticket(&self) -> Option<u64> {
        self.lock.as_ref().map(Held::ticket)
    }

    /// Unlinks the lock file of a container that no longer exists, and ends the right.
    ///
    /// # Errors
    /// The file cannot be unlinked.
    pub fn remove(self) -> Result<(), LockError> {
        match self.lock {
            Some(lock) => lock.remove(),
            None => match std::fs::remove_file(&self.file) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    Err(LockError::io(&self.file, source))
                }
                _ => Ok(()),
            },
        }
    }
}

/// The lock of one image's pulls.
#[derive(Debug)]
pub struct ImageGuard<'a> {
    lock: Held,
    _caller: PhantomData<&'a mut Caller>,
}

impl ImageGuard<'_> {
    /// Unlinks the lock file and ends the right; who waits goes on with a new file.
    ///
    /// # Errors
    /// The file cannot be unlinked.
    pub fn remove(self) -> Result<(), LockError> {
        self.lock.remove()
    }
}

/// The lock of the database's writers.
#[derive(Debug)]
pub struct StoreGuard {
    _lock: Held,
}
