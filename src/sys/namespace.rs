//! Namespaces: made, pinned at a path, entered.
//!
//! A namespace lives as long as a process is in it, a descriptor is open on it or a bind mount
//! of it exists (`namespaces(7)`). A pinned one needs no process: a file with the namespace
//! bind-mounted over it keeps it.
//!
//! `unshare(2)` and `setns(2)` change the calling *thread*. Everything here that changes a
//! namespace therefore does so on a thread of its own that ends afterwards, so that the other
//! threads of the process never see a change.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::process::PidFd;

/// The kinds of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceKind {
    /// Cgroup root directory.
    Cgroup,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Mount points.
    Mount,
    /// Network devices, addresses, routes, ports.
    Net,
    /// Process ids.
    Pid,
    /// User and group ids.
    User,
    /// Host name and NIS domain name.
    Uts,
}

impl NamespaceKind {
    const ALL: [Self; 7] = [
        Self::Cgroup,
        Self::Ipc,
        Self::Mount,
        Self::Net,
        Self::Pid,
        Self::User,
        Self::Uts,
    ];

    /// Returns the name of the kind's file in `/proc/PID/ns`.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Ipc => "ipc",
            Self::Mount => "mnt",
            Self::Net => "net",
            Self::Pid => "pid",
            Self::User => "user",
            Self::Uts => "uts",
        }
    }

    fn flag(self) -> CloneFlags {
        match self {
            Self::Cgroup => CloneFlags::CLONE_NEWCGROUP,
            Self::Ipc => CloneFlags::CLONE_NEWIPC,
            Self::Mount => CloneFlags::CLONE_NEWNS,
            Self::Net => CloneFlags::CLONE_NEWNET,
            Self::Pid => CloneFlags::CLONE_NEWPID,
            Self::User => CloneFlags::CLONE_NEWUSER,
            Self::Uts => CloneFlags::CLONE_NEWUTS,
        }
    }
}

impl fmt::Display for NamespaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.file_name())
    }
}

/// What went wrong with a namespace.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The kernel made no new namespaces.
    #[error("making new namespaces ({kinds})")]
    Create {
        /// The kinds asked for.
        kinds: String,
        /// Why.
        source: Errno,
    },
    /// The namespace could not be kept at its path.
    #[error("pinning the {kind} namespace at `{}`", path.display())]
    Pin {
        /// The kind of namespace.
        kind: NamespaceKind,
        /// Where it was to be kept.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The pin could not be removed.
    #[error("removing the namespace pinned at `{}`", path.display())]
    Unpin {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file could not be opened.
    #[error("opening the {kind} namespace at `{}`", path.display())]
    Open {
        /// The kind of namespace.
        kind: NamespaceKind,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is something else: the pin was never made, or its mount is gone.
    #[error("`{}` is not a {kind} namespace", path.display())]
    Other {
        /// The kind of namespace.
        kind: NamespaceKind,
        /// The file.
        path: PathBuf,
    },
    /// A thread could not enter the namespace.
    #[error("entering the {kind} namespace")]
    Enter {
        /// The kind of namespace.
        kind: NamespaceKind,
        /// Why.
        source: Errno,
    },
    /// No thread could be started.
    #[error("starting a thread")]
    Thread(#[source] io::Error),
}

/// An open namespace of a known kind.
#[derive(Debug)]
pub struct Namespace {
    kind: NamespaceKind,
    fd: OwnedFd,
}

impl Namespace {
    /// Opens the namespace pinned at a path and checks that it is one of this kind.
    ///
    /// # Errors
    /// The file cannot be opened, or is no namespace of this kind.
    pub fn open(kind: NamespaceKind, path: &Path) -> Result<Self, NamespaceError> {
        let fd = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .map(OwnedFd::from)
            .map_err(|source| NamespaceError::Open {
                kind,
                path: path.to_owned(),
                source,
            })?;
        if kind_of(fd.as_fd()) != Some(kind) {
            return Err(NamespaceError::Other {
                kind,
                path: path.to_owned(),
            });
        }
        Ok(Self { kind, fd })
    }

    /// Opens the calling thread's own namespace of this kind.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn current(kind: NamespaceKind) -> Result<Self, NamespaceError> {
        let path = own_file(kind);
        File::open(&path)
            .map(|file| Self {
                kind,
                fd: file.into(),
            })
            .map_err(|source| NamespaceError::Open { kind, path, source })
    }

    /// Takes the lock that all processes in this namespace share, waiting for it no longer than
    /// this; `None` means that it was not to be had.
    ///
    /// The lock lies on the namespace itself, so that it holds for what is in it and needs no path.
    /// Any process in the namespace can take it: nothing may depend on it but the order of
    /// changes that are made by several at once.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn lock(self, patience: Duration) -> io::Result<Option<NamespaceLock>> {
        let deadline = Instant::now() + patience;
        let mut fd = self.fd;
        loop {
            match Flock::lock(fd, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Some(NamespaceLock { _held: lock })),
                Err((_, Errno::EWOULDBLOCK)) if Instant::now() >= deadline => return Ok(None),
                Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => fd = back,
                Err((_, errno)) => return Err(errno.into()),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Moves the calling thread into the namespace, or, of a PID namespace, its children to come.
    ///
    /// # Errors
    /// It may not, or the process has threads and the namespace is one of users.
    pub fn enter(&self) -> Result<(), NamespaceError> {
        let kind = self.kind;
        let result = if kind == NamespaceKind::Mount {
            // setns(2) refuses a mount namespace while threads share root and working directory.
            unshare(CloneFlags::CLONE_FS)
        } else {
            Ok(())
        };
        result
            .and_then(|()| setns(self.as_fd(), kind.flag()))
            .map_err(|source| NamespaceError::Enter { kind, source })
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> NamespaceKind {
        self.kind
    }
}

/// The lock of a namespace, held until it is dropped.
#[derive(Debug)]
pub struct NamespaceLock {
    _held: Flock<OwnedFd>,
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes new namespaces and pins each one at its path, which must not exist yet.
///
/// The paths should lie below a private mount: the bind mounts would otherwise propagate. On an
/// error no pin is left.
///
/// # Errors
/// The kernel refuses the namespaces or a bind mount.
pub fn create_pinned(pins: &[(NamespaceKind, &Path)]) -> Result<(), NamespaceError> {
    on_thread(|| {
        let flags = pins
            .iter()
            .fold(CloneFlags::empty(), |flags, (kind, _)| flags | kind.flag());
        unshare(flags).map_err(|source| NamespaceError::Create {
            kinds: pins
                .iter()
                .map(|(kind, _)| kind.file_name())
                .collect::<Vec<_>>()
                .join(", "),
            source,
        })?;
        for (done, (kind, path)) in pins.iter().enumerate() {
            if let Err(source) = pin_own(*kind, path) {
                for (_, pinned) in &pins[..done] {
                    // The first error is the one to tell; what cannot be undone goes with the directory.
                    let _ = unpin(pinned);
                }
                return Err(NamespaceError::Pin {
                    kind: *kind,
                    path: path.to_path_buf(),
                    source,
                });
            }
        }
        Ok(())
    })
    .map_err(NamespaceError::Thread)?
}

/// Removes a pin; one that is not there is no error.
///
/// The namespace itself ends with its last process and descriptor.
///
/// # Errors
/// The kernel refuses the unmount or the removal of the file.
pub fn unpin(path: &Path) -> Result<(), NamespaceError> {
    let unmounted = match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    };
    unmounted
        .and_then(|()| match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
        .map_err(|source| NamespaceError::Unpin {
            path: path.to_owned(),
            source,
        })
}

/// Runs a closure on a thread that is in the given namespaces, and returns what it returns.
///
/// A user namespace cannot be entered this way: `setns(2)` refuses it to a process with threads.
/// A PID namespace changes only where children are born.
///
/// # Errors
/// A namespace cannot be entered; the closure has not run then.
pub fn in_namespaces<T: Send>(
    namespaces: &[&Namespace],
    work: impl FnOnce() -> T + Send,
) -> Result<T, NamespaceError> {
    on_thread(|| {
        for namespace in namespaces {
            namespace.enter()?;
        }
        Ok(work())
    })
    .map_err(NamespaceError::Thread)?
}

/// Moves this process, which must have one thread, into all namespaces of another, at once.
///
/// In the mount namespace its root and working directory are the other's root. Its PID namespace
/// stays; its children are born in the other's (`setns(2)`, Linux 5.8).
///
/// # Errors
/// The other process has ended, or this one may not.
pub fn join_process(process: &PidFd, pid: i32) -> io::Result<()> {
    let mut flags = CloneFlags::empty();
    for kind in NamespaceKind::ALL {
        let of = |pid: &str| std::fs::metadata(format!("/proc/{pid}/ns/{}", kind.file_name()));
        let (own, other) = (of("self")?, of(&pid.to_string())?);
        // A user namespace cannot be entered by who is in it.
        if (own.dev(), own.ino()) != (other.dev(), other.ino()) {
            flags |= kind.flag();
        }
    }
    // Alive still, so that the files above were its own and not a later process's.
    if !process.is_alive()? {
        return Err(Errno::ESRCH.into());
    }
    if flags.is_empty() {
        return Ok(());
    }
    Ok(setns(process.as_fd(), flags)?)
}

/// Gives the calling thread a new namespace of its own, or, of a PID namespace, its children to come.
///
/// # Errors
/// The kernel refuses.
pub fn unshare_own(kind: NamespaceKind) -> Result<(), NamespaceError> {
    unshare(kind.flag()).map_err(|source| NamespaceError::Create {
        kinds: kind.file_name().to_owned(),
        source,
    })
}

/// Runs a closure whose first child is the init of a new PID namespace; those that the calling thread has later are born
/// where it is itself.
///
/// # Errors
/// The kernel refuses.
pub fn with_pid_namespace<T>(work: impl FnOnce() -> T) -> Result<T, NamespaceError> {
    let own = Namespace::current(NamespaceKind::Pid)?;
    unshare_own(NamespaceKind::Pid)?;
    let done = work();
    own.enter()?;
    Ok(done)
}

/// Runs a closure on a thread of its own, of which alone it may change the namespaces.
///
/// # Errors
/// No thread can be started.
pub(super) fn on_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, work)?;
        Ok(thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn own_file(kind: NamespaceKind) -> PathBuf {
    Path::new("/proc/thread-self/ns").join(kind.file_name())
}

fn pin_own(kind: NamespaceKind, path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let bound = mount(
        Some(&own_file(kind)),
        path,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    );
    if let Err(errno) = bound {
        let _ = std::fs::remove_file(path);
        return Err(errno.into());
    }
    Ok(())
}

nix::ioctl_none!(ns_get_nstype, 0xb7, 0x3);

#[expect(unsafe_code, reason = "nix has no safe call for this ioctl")]
fn kind_of(fd: BorrowedFd<'_>) -> Option<NamespaceKind> {
    // SAFETY: NS_GET_NSTYPE takes no argument and only returns a number; on any other file the
    // kernel answers ENOTTY.
    let flag = unsafe { ns_get_nstype(fd.as_raw_fd()) }.ok()?;
    NamespaceKind::ALL
        .into_iter()
        .find(|kind| kind.flag().bits() == flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inode(namespace: &Namespace) -> u64 {
        let file = File::from(namespace.fd.try_clone().expect("descriptor"));
        file.metadata().expect("stat").ino()
    }

    fn lacks_root() -> bool {
        let lacks = !nix::unistd::geteuid().is_root();
        if lacks {
            eprintln!("skipped: lacks root");
        }
        lacks
    }

    #[test]
    fn pinned_namespaces_are_new_and_outlive_the_thread_that_made_them() {
        if lacks_root() {
            return;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let (net, uts) = (dir.path().join("net"), dir.path().join("uts"));
        create_pinned(&[(NamespaceKind::Net, &net), (NamespaceKind::Uts, &uts)]).expect("pinned");
        let own = Namespace::current(NamespaceKind::Net).expect("own");
        let pinned = Namespace::open(NamespaceKind::Net, &net).expect("opened");
        assert_ne!(inode(&own), inode(&pinned));
        let inside = in_namespaces(&[&pinned], || {
            inode(&Namespace::current(NamespaceKind::Net).expect("inside"))
        })
        .expect("entered");
        assert_eq!(inside, inode(&pinned));
        assert!(matches!(
            Namespace::open(NamespaceKind::Uts, &net),
            Err(NamespaceError::Other { .. })
        ));
        unpin(&net).expect("unpinned");
        unpin(&net).expect("a second time is no error");
        unpin(&uts).expect("unpinned");
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 0);
    }

    #[test]
    fn a_failing_pin_leaves_none() {
        if lacks_root() {
            return;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let (net, missing) = (dir.path().join("net"), dir.path().join("no/uts"));
        let result = create_pinned(&[(NamespaceKind::Net, &net), (NamespaceKind::Uts, &missing)]);
        assert!(matches!(
            result,
            Err(NamespaceError::Pin {
                kind: NamespaceKind::Uts,
                ..
            })
        ));
        assert!(!net.exists());
    }

    #[test]
    fn a_namespace_is_locked_by_one_at_a_time() {
        if lacks_root() {
            return;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("net");
        create_pinned(&[(NamespaceKind::Net, &path)]).expect("pinned");
        let lock = || {
            let namespace = Namespace::open(NamespaceKind::Net, &path).expect("opened");
            namespace.lock(Duration::from_millis(5)).expect("asked")
        };
        let first = lock();
        assert!(first.is_some());
        assert!(lock().is_none());
        drop(first);
        assert!(lock().is_some());
        unpin(&path).expect("unpinned");
    }

    #[test]
    fn an_ordinary_file_is_no_namespace() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        assert!(matches!(
            Namespace::open(NamespaceKind::Net, file.path()),
            Err(NamespaceError::Other { .. })
        ));
    }
}
