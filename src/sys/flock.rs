//! Locks on byte ranges that belong to an open file description (`F_OFD_SETLK(2const)`).
//!
//! Such a lock ends with the last descriptor of its description, so the kernel frees what a dead process held;
//! it travels with the description to a child, and closing another description of the same file leaves it alone
//! (a classic `fcntl` lock loses all three). The bytes need not exist in the file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Opens a file to lock ranges of, for its owner alone; it is made where it is missing.
///
/// # Errors
/// What the kernel says.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// How a range is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeLock {
    /// Together with other readers; the description must be open for reading.
    Read,
    /// Alone; the description must be open for writing.
    Write,
}

impl RangeLock {
    const fn kind(self) -> i32 {
        match self {
            Self::Read => libc::F_RDLCK,
            Self::Write => libc::F_WRLCK,
        }
    }
}

/// A range of bytes: its first byte and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    pub len: u64,
}

impl ByteRange {
    /// The whole file and everything past its end.
    pub const ALL: Self = Self { start: 0, len: 0 };

    /// Returns the range of one byte.
    #[must_use]
    pub const fn byte(start: u64) -> Self {
        Self { start, len: 1 }
    }

    fn flock(self, kind: i32) -> io::Result<libc::flock> {
        let offset = |value: u64| {
            i64::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
        };
        Ok(libc::flock {
            l_type: i16::try_from(kind).expect("the lock kinds are 0, 1 and 2"),
            l_whence: i16::try_from(libc::SEEK_SET).expect("SEEK_SET is 0"),
            l_start: offset(self.start)?,
            l_len: offset(self.len)?,
            l_pid: 0,
        })
    }
}

/// Locks the range if no other description stands in the way; says whether it did.
///
/// # Errors
/// The kernel's, except the conflict itself.
pub fn try_lock(fd: impl AsFd, range: ByteRange, lock: RangeLock) -> io::Result<bool> {
    match fcntl(fd, FcntlArg::F_OFD_SETLK(&range.flock(lock.kind())?)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Locks the range, waiting as long as another description stands in the way.
///
/// A signal does not end the wait: the caller would only ask again.
///
/// # Errors
/// The kernel's.
pub fn lock(fd: impl AsFd, range: ByteRange, lock: RangeLock) -> io::Result<()> {
    let flock = range.flock(lock.kind())?;
    loop {
        match fcntl(fd.as_fd(), FcntlArg::F_OFD_SETLKW(&flock)) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Frees what this description holds of the range.
///
/// # Errors
/// The kernel's.
pub fn unlock(fd: impl AsFd, range: ByteRange) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_OFD_SETLK(&range.flock(libc::F_UNLCK)?))?;
    Ok(())
}

/// Returns a lock of another description that would refuse `lock` on the range, in its whole extent.
///
/// Where there are several, the kernel chooses which one it tells. The description needs no write access for this.
///
/// # Errors
/// The kernel's.
pub fn find_conflict(
    fd: impl AsFd,
    range: ByteRange,
    lock: RangeLock,
) -> io::Result<Option<ByteRange>> {
    let mut flock = range.flock(lock.kind())?;
    fcntl(fd, FcntlArg::F_OFD_GETLK(&mut flock))?;
    if i32::from(flock.l_type) == libc::F_UNLCK {
        return Ok(None);
    }
    Ok(Some(ByteRange {
        start: u64::try_from(flock.l_start).map_err(io::Error::other)?,
        len: u64::try_from(flock.l_len).map_err(io::Error::other)?,
    }))
}
