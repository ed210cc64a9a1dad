//! The guards, each a value whose life is the right it stands for; the order of locking is their borrow order.

use std::collections::BTreeSet;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;

use super::file::Held;
use super::protocol::Mode;
use super::{LockDir, LockError, LockName};
use crate::names::{ContainerId, PodId};

/// One line of work that takes locks: it holds one pod, or one sorted set of pods, or one image at a time.
#[derive(Debug)]
pub struct Caller {
    pub(super) dir: LockDir,
    pub(super) command: String,
}

impl Caller {
    /// Takes the right to command the whole pod, its containers included.
    ///
    /// # Errors
    /// [`LockError::Gone`] if the pod was removed while we waited; the lock file cannot be opened or locked.
    pub fn pod(&mut self, pod: &PodId) -> Result<PodGuard<'_>, LockError> {
        self.pod_guard(pod)
    }

    /// Takes the right to command a pod that is about to be recorded.
    ///
    /// Nobody can have removed it: who finds a lock of a pod without a record takes it for a leftover, and the file
    /// is made anew.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked.
    pub fn new_pod(&mut self, pod: &PodId) -> Result<PodGuard<'_>, LockError> {
        let name = LockName::Pod(pod.clone());
        let lock = self.dir.take_place(&name, &self.command)?;
        Ok(self.guard_of(pod, lock))
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
        Ok(self.guard_of(pod, lock))
    }

    fn guard_of(&self, pod: &PodId, lock: Held) -> PodGuard<'_> {
        PodGuard {
            id: pod.clone(),
            dir: self.dir.clone(),
            lock,
            _caller: PhantomData,
        }
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
    pub(super) _lock: Held,
}
