//! The right to record: held by a pod's supervisor for life, so "is it alive" is "is the lease taken".
//!
//! A command that needs a supervisor takes the lease itself and hands it to the process it spawns. The lock belongs to
//! the open file description, which both share for a moment, so that no other command can slip in between:
//!
//! ```text
//!   command:     try_take ── spawn with into_fd() inherited ── close its own copy
//!   supervisor:                    └─ from_inherited_fd ─────────────────────────── holds it until it dies
//! ```
//!
//! The command must close its copy, and nobody may let another child inherit one: the lease is free when the *last*
//! copy is closed.
//!
//! What works for the holder may outlive it for a moment. It inherits a [`Work`], which is a lock of its own: whoever
//! takes the lease next sees by it that somebody is still at work.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::lock::is_at;
use crate::sys::flock::{self, ByteRange, RangeLock};

const LEASE: ByteRange = ByteRange::byte(0);

const WORK: ByteRange = ByteRange::byte(1);

/// A lease that could not be asked for or kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("taking the lease {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the inherited descriptor does not hold the lease {}", path.display())]
    NotHeld { path: PathBuf },
}

/// The right to record what happens to one pod.
#[derive(Debug)]
pub struct Lease {
    lock: Lock,
    path: PathBuf,
}

/// The locked file; dropping it frees the lease even if a child of ours, between fork and exec, has a copy.
#[derive(Debug)]
struct Lock(Option<File>);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // It cannot fail on a file we locked; if it did, the close that follows frees the lease a moment later.
            let _ = flock::unlock(file, LEASE);
        }
    }
}

impl Lease {
    /// Takes the lease unless a supervisor, or a command about to start one, has it.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn try_take(path: &Path) -> Result<Option<Self>, LeaseError> {
        let at = |source| LeaseError::io(path, source);
        loop {
            let file = flock::open(path).map_err(at)?;
            if !flock::try_lock(&file, LEASE, RangeLock::Write).map_err(at)? {
                return Ok(None);
            }
            // Its holder may have unlinked the file after we opened it: that lease is nobody's.
            if is_at(&file, path).map_err(at)? {
                return Ok(Some(Self {
                    lock: Lock(Some(file)),
                    path: path.to_owned(),
                }));
            }
        }
    }

    /// Gives the lease away as its descriptor, for a supervisor to inherit; the lease lives on in it.
    #[must_use]
    pub fn into_fd(mut self) -> OwnedFd {
        let file = self.lock.0.take();
        file.expect("only this method takes it out, and it consumes the lease")
            .into()
    }

    /// Takes over the lease that this process was started with, and keeps it from its own children.
    ///
    /// # Errors
    /// The descriptor is not one of the lease at `path`, or another process has the lease.
    pub fn from_inherited_fd(fd: OwnedFd, path: &Path) -> Result<Self, LeaseError> {
        let at = |source| LeaseError::io(path, source);
        fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|errno| at(errno.into()))?;
        let file = File::from(fd);
        // Locking again what the description holds already changes nothing, and fails if it does not hold it.
        let held = is_at(&file, path).map_err(at)?
            && flock::try_lock(&file, LEASE, RangeLock::Write).map_err(at)?;
        if !held {
            return Err(LeaseError::NotHeld {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            lock: Lock(Some(file)),
            path: path.to_owned(),
        })
    }

    /// Returns whether somebody has the lease; takes nothing, and leaves no file behind.
    ///
    /// # Errors
    /// The file is there but cannot be asked.
    pub fn is_taken(path: &Path) -> Result<bool, LeaseError> {
        let at = |source| LeaseError::io(path, source);
        match File::open(path) {
            Ok(file) => flock::find_conflict(&file, LEASE, RangeLock::Write)
                .map(|holder| holder.is_some())
                .map_err(at),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(at(error)),
        }
    }

    /// Unlinks the lease of a pod that no longer exists, and ends it.
    ///
    /// # Errors
    /// The file cannot be unlinked.
    pub fn remove(self) -> Result<(), LeaseError> {
        std::fs::remove_file(&self.path).map_err(|source| LeaseError::io(&self.path, source))
    }
}

/// The mark of a process that works for the holder of a lease, and of those that it makes: gone with the last of them.
#[derive(Debug)]
pub struct Work(File);

impl Work {
    /// Makes the mark; it is to be inherited.
    ///
    /// # Errors
    /// There is no such lease.
    pub fn begin(lease: &Path) -> Result<Self, LeaseError> {
        let at = |source| LeaseError::io(lease, source);
        let file = File::open(lease).map_err(at)?;
        flock::lock(&file, WORK, RangeLock::Read).map_err(at)?;
        Ok(Self(file))
    }

    /// Returns the descriptor that carries the mark.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.0.into()
    }
}

impl Lease {
    /// Returns whether something still works for this or a former holder.
    ///
    /// # Errors
    /// The file cannot be asked.
    pub fn is_worked_for(&self) -> Result<bool, LeaseError> {
        let at = |source| LeaseError::io(&self.path, source);
        let file = File::open(&self.path).map_err(at)?;
        let found = flock::find_conflict(&file, WORK, RangeLock::Write).map_err(at)?;
        Ok(found.is_some())
    }
}

impl LeaseError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
