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
mod guard;
mod name;
mod occupants;
mod protocol;
mod record;
mod watchdog;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::names::{ContainerId, PodId};
pub(super) use file::is_at;
use file::{Acquired, Held};
pub use guard::{Caller, ContainerGuard, ImageGuard, PodGuard, PodShare, StoreGuard};
pub use name::LockName;
use occupants::Occupants;
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

    /// Returns where the lease of the keeper lies.
    #[must_use]
    pub fn keeper_lease(&self) -> PathBuf {
        self.path.join("lease-keeper")
    }

    /// Returns the pods that a lock or lease has a file of.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn pods(&self) -> Result<BTreeSet<PodId>, LockError> {
        let mut pods = BTreeSet::new();
        let at = |source| LockError::io(&self.path, source);
        for entry in std::fs::read_dir(&self.path).map_err(at)? {
            let name = entry.map_err(at)?.file_name();
            let name = name.to_string_lossy();
            let id = name
                .strip_prefix("lease-")
                .or_else(|| name.strip_prefix("pod-"));
            pods.extend(id.and_then(|id| PodId::parse(id).ok()));
        }
        Ok(pods)
    }

    /// Returns the containers that a lock has a file of.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn containers(&self) -> Result<BTreeSet<ContainerId>, LockError> {
        let mut containers = BTreeSet::new();
        let at = |source| LockError::io(&self.path, source);
        for entry in std::fs::read_dir(&self.path).map_err(at)? {
            if let Some(LockName::Container(id)) = LockName::of_file(&entry.map_err(at)?.path()) {
                containers.insert(id);
            }
        }
        Ok(containers)
    }

    /// Unlinks the lock file of a container that is not recorded.
    ///
    /// # Errors
    /// The file cannot be locked or unlinked.
    pub fn forget_container(&self, id: &ContainerId) -> Result<(), LockError> {
        let name = LockName::Container(id.clone());
        self.take(&name, Mode::Exclusive, "removing what is left over")?
            .remove()
    }

    /// Lists the locks that are held, with their holders and queues; locks nothing itself.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn holders(&self) -> Result<Vec<LockState>, LockError> {
        let mut states = Vec::new();
        let at = |source| LockError::io(&self.path, source);
        for entry in std::fs::read_dir(&self.path).map_err(at)? {
            let path = entry.map_err(at)?.path();
            let Some(lock) = LockName::of_file(&path) else {
                continue;
            };
            let occupants = match Occupants::of(&path) {
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
