//! Directories whose entries are recorded elsewhere: who adds one holds the directory, who sweeps wants it alone.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::sys::mount;

/// Keeps others from taking entries for forgotten that are about to be recorded; makes the directory.
pub(super) fn hold(directory: &Path) -> io::Result<File> {
    mount::ensure_dir(directory, 0o700)?;
    let held = File::open(directory)?;
    held.lock_shared()?;
    Ok(held)
}

/// Makes sure that nobody is about to record entries; none if somebody is, or there is no directory.
pub(super) fn try_hold_alone(directory: &Path) -> io::Result<Option<File>> {
    let held = match File::open(directory) {
        Ok(held) => held,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match held.try_lock() {
        Ok(()) => Ok(Some(held)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
