//! Files without a name, to hand data to a process over a descriptor.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Returns an anonymous file that holds these bytes for ever, read from its beginning.
///
/// It is close-on-exec like every descriptor here; see [`set_inheritable`].
///
/// # Errors
/// The kernel has no memory for it.
pub fn sealed(name: &str, content: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(name, flags)?);
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// Returns an anonymous file that is empty, for what can only be written to a descriptor.
///
/// # Errors
/// The kernel has no memory for it.
pub fn scratch(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

/// Returns whether nobody can change the file any more.
#[must_use]
pub fn is_sealed(file: impl AsFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::WRITE | SealFlags::SEAL))
}

/// Lets a descriptor survive `execve(2)`.
///
/// Only for a process with one thread: in others a child started elsewhere would inherit it too.
///
/// # Errors
/// The descriptor is closed.
pub fn set_inheritable(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfd(fd)?;
    Ok(fcntl_setfd(fd, flags.difference(FdFlags::CLOEXEC))?)
}

/// Makes a descriptor end with `execve(2)`.
///
/// # Errors
/// The descriptor is closed.
pub fn set_close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfd(fd)?;
    Ok(fcntl_setfd(fd, flags.union(FdFlags::CLOEXEC))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_sealed_file_keeps_its_content() {
        let mut file = sealed("test", b"content").unwrap();
        assert!(is_sealed(&file));
        assert!(file.write_all(b"other").is_err());
        assert!(file.set_len(0).is_err());
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        assert!(!is_sealed(tempfile::tempfile().unwrap()));
    }
}
