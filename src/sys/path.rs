//! Opens paths that were written by somebody we do not trust, without leaving a root directory.
//!
//! Every call walks with `openat2(2)`: a `..`, an absolute link or a race with a rename
//! cannot lead out of the descriptor given as root, and magic links are never followed.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, mkdirat};

/// How a path that would leave the root is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolve {
    /// As a process chrooted into the root sees it: `/` and `..` at the top are the root.
    InRoot,
    /// Strictly: an absolute path or link, or a `..` above the root, is an error (`EXDEV`).
    Beneath,
}

impl Resolve {
    fn flags(self) -> ResolveFlag {
        ResolveFlag::RESOLVE_NO_MAGICLINKS
            | match self {
                Self::InRoot => ResolveFlag::RESOLVE_IN_ROOT,
                Self::Beneath => ResolveFlag::RESOLVE_BENEATH,
            }
    }
}

/// Opens a directory of ours as a root to resolve in.
///
/// # Errors
/// What `open(2)` says.
pub fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open(path, flags, Mode::empty())?)
}

/// Opens a path with the flags given, `O_CLOEXEC` added.
///
/// # Errors
/// What `openat2(2)` says; `EXDEV` for a path that leaves the root.
pub fn open_at(
    root: impl AsFd,
    path: &Path,
    resolve: Resolve,
    flags: OFlag,
) -> io::Result<OwnedFd> {
    open_how(root.as_fd(), path, resolve, flags, Mode::empty())
}

/// Opens a regular file for reading; a FIFO or a device is refused and never waited for.
///
/// # Errors
/// What `openat2(2)` says, and `InvalidInput` for anything but a regular file.
pub fn open_file(root: impl AsFd, path: &Path, resolve: Resolve) -> io::Result<File> {
    // First as O_PATH, which has no effect on a device or a FIFO, then again by the descriptor.
    let found = open_at(&root, path, resolve, OFlag::O_PATH)?;
    if !File::from(found.try_clone()?).metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    reopen(found.as_fd(), flags).map(File::from)
}

/// Opens what an `O_PATH` descriptor stands for once more, with other flags.
///
/// # Errors
/// What `open(2)` says.
pub fn reopen(found: BorrowedFd<'_>, flags: OFlag) -> io::Result<OwnedFd> {
    let link = descriptor_path(found);
    Ok(nix::fcntl::open(
        link.as_str(),
        flags | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?)
}

/// Returns the path by which the kernel reaches what a descriptor of this process stands for.
#[must_use]
pub fn descriptor_path(fd: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Reads a small regular file whole.
///
/// # Errors
/// As [`open_file`], and `FileTooLarge` for a file of more than `limit` bytes.
pub fn read_file(
    root: impl AsFd,
    path: &Path,
    resolve: Resolve,
    limit: u64,
) -> io::Result<Vec<u8>> {
    let file = open_file(root, path, resolve)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Creates a regular file that did not exist and opens it for writing.
///
/// # Errors
/// What `openat2(2)` says; `EEXIST` where there is anything, a dangling link included.
pub fn create_file(root: impl AsFd, path: &Path, resolve: Resolve, mode: Mode) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
    open_how(root.as_fd(), path, resolve, flags, mode).map(File::from)
}

/// Opens a directory and makes what is missing of it on the way.
///
/// # Errors
/// What `openat2(2)` and `mkdirat(2)` say; `InvalidInput` where a missing part is `..`.
pub fn make_directories(
    root: impl AsFd,
    path: &Path,
    resolve: Resolve,
    mode: Mode,
) -> io::Result<OwnedFd> {
    make_missing(root.as_fd(), path, resolve, mode)
}

fn make_missing(
    root: BorrowedFd<'_>,
    path: &Path,
    resolve: Resolve,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY;
    match open_at(root, path, resolve, directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = if parent.as_os_str().is_empty() {
        root.try_clone_to_owned()?
    } else {
        make_missing(root, parent, resolve, mode)?
    };
    match mkdirat(&parent, name, mode) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    open_at(root, path, resolve, directory)
}

fn open_how(
    root: BorrowedFd<'_>,
    path: &Path,
    resolve: Resolve,
    flags: OFlag,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(mode)
        .resolve(resolve.flags());
    loop {
        // EAGAIN: a rename elsewhere made the kernel unable to tell; it asks for another try.
        match openat2(root, path, how) {
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "outside").unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/passwd"), "inside").unwrap();
        symlink("/etc/passwd", root.join("absolute")).unwrap();
        symlink("../../secret", root.join("etc/out")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        let fd = open_root(&root).unwrap();
        (dir, fd)
    }

    #[test]
    fn links_are_resolved_inside_the_root() {
        let (_dir, root) = tree();
        let read = |path: &str, resolve| read_file(&root, Path::new(path), resolve, 100);
        assert_eq!(read("absolute", Resolve::InRoot).unwrap(), b"inside");
        assert_eq!(read("/../etc/passwd", Resolve::InRoot).unwrap(), b"inside");
        assert!(read("absolute", Resolve::Beneath).is_err());
        assert!(read("etc/out", Resolve::InRoot).is_err());
        assert!(read("etc/out", Resolve::Beneath).is_err());
        assert!(read("magic/etc/passwd", Resolve::InRoot).is_err());
    }

    #[test]
    fn a_fifo_is_refused_without_waiting_and_a_large_file_too() {
        let (dir, root) = tree();
        nix::unistd::mkfifo(&dir.path().join("root/fifo"), Mode::S_IRWXU).unwrap();
        let read = |path: &str, limit| read_file(&root, Path::new(path), Resolve::InRoot, limit);
        assert_eq!(
            read("fifo", 10).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        assert_eq!(
            read("etc/passwd", 5).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(read("etc/passwd", 6).unwrap(), b"inside");
    }

    #[test]
    fn directories_and_files_are_made_inside_the_root() {
        let (dir, root) = tree();
        symlink("/made", dir.path().join("root/link")).unwrap();
        std::fs::create_dir(dir.path().join("root/made")).unwrap();
        let made = make_directories(
            &root,
            Path::new("/link/a/b"),
            Resolve::InRoot,
            Mode::S_IRWXU,
        )
        .unwrap();
        create_file(&made, Path::new("f"), Resolve::Beneath, Mode::S_IRUSR).unwrap();
        assert!(dir.path().join("root/made/a/b/f").is_file());
        assert!(create_file(&root, Path::new("absolute"), Resolve::InRoot, Mode::S_IRUSR).is_err());
    }
}
