//! Pseudo terminals and the terminal a command is typed at.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::stat::{fstat, major, minor};
use nix::sys::termios::{LocalFlags, SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::path::{Resolve, open_at, reopen};

/// Both ends of a pseudo terminal.
#[derive(Debug)]
pub struct Pty {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

/// The rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
}

nix::ioctl_write_ptr_bad!(set_lock, libc::TIOCSPTLCK, i32);
nix::ioctl_write_int_bad!(get_peer, libc::TIOCGPTPEER);
nix::ioctl_write_int_bad!(set_controlling, libc::TIOCSCTTY);
nix::ioctl_read_bad!(get_size, libc::TIOCGWINSZ, libc::winsize);
nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, libc::winsize);

/// The multiplexer of pseudo terminals, wherever their file system is mounted as it should be.
pub const PTMX: &str = "/dev/pts/ptmx";

/// Makes a pseudo terminal in a root directory.
///
/// Its other end is asked of the descriptor, never of a path: whoever owns the directory cannot
/// put another file in its place.
///
/// # Errors
/// The root has no multiplexer at [`PTMX`].
#[expect(unsafe_code, reason = "nix has no safe calls for these ioctls")]
pub fn open_pty(root: BorrowedFd<'_>) -> io::Result<Pty> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    // Looked at before it is opened for real: a FIFO would be waited for.
    let found = open_at(root, Path::new(PTMX), Resolve::InRoot, flags)?;
    let device = fstat(&found)?.st_rdev;
    if (major(device), minor(device)) != (5, 2) {
        return Err(io::Error::other("not the multiplexer of pseudo terminals"));
    }
    let master = reopen(found.as_fd(), OFlag::O_RDWR | OFlag::O_NOCTTY)?;
    // SAFETY: the ioctl reads one number through the pointer, which lives longer than the call.
    unsafe { set_lock(master.as_raw_fd(), &0) }?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the ioctl takes flags by value and returns a new descriptor.
    let slave = unsafe { get_peer(master.as_raw_fd(), flags) }?;
    // SAFETY: the kernel just made the descriptor for this process; nobody else has its number.
    let slave = unsafe { OwnedFd::from_raw_fd(slave) };
    Ok(Pty { master, slave })
}

/// Makes a terminal the controlling one of this session and its standard streams.
///
/// # Errors
/// This process is no session leader.
#[expect(unsafe_code, reason = "nix has no safe call for this ioctl")]
pub fn take_over(slave: &OwnedFd) -> io::Result<()> {
    // SAFETY: the ioctl takes a number by value.
    unsafe { set_controlling(slave.as_raw_fd(), 0) }?;
    nix::unistd::dup2_stdin(slave)?;
    nix::unistd::dup2_stdout(slave)?;
    Ok(nix::unistd::dup2_stderr(slave)?)
}

/// Returns the size of a terminal.
///
/// # Errors
/// It is none.
#[expect(unsafe_code, reason = "nix has no safe call for this ioctl")]
pub fn window_size(terminal: BorrowedFd<'_>) -> io::Result<WindowSize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the ioctl writes one winsize through the pointer, which leads to one.
    unsafe { get_size(terminal.as_raw_fd(), &raw mut size) }?;
    Ok(WindowSize {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}

/// Sets the size of a terminal; its foreground processes get SIGWINCH.
///
/// # Errors
/// It is none.
#[expect(unsafe_code, reason = "nix has no safe call for this ioctl")]
pub fn set_window_size(terminal: BorrowedFd<'_>, size: WindowSize) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the ioctl reads one winsize through the pointer, which leads to one.
    unsafe { set_size(terminal.as_raw_fd(), &raw const size) }?;
    Ok(())
}

/// A terminal that passes every key on as it is, until the value is dropped.
#[derive(Debug)]
pub struct RawMode {
    terminal: File,
    before: Termios,
}

impl RawMode {
    /// Changes the terminal.
    ///
    /// # Errors
    /// It is none.
    pub fn set(terminal: impl AsFd) -> io::Result<Self> {
        let terminal = File::from(terminal.as_fd().try_clone_to_owned()?);
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&terminal, SetArg::TCSANOW, &raw)?;
        Ok(Self { terminal, before })
    }
}

/// A terminal that shows no letter of what is typed, until the value is dropped.
#[derive(Debug)]
pub struct Unseen(#[expect(dead_code, reason = "held for its drop")] RawMode);

impl Unseen {
    /// Changes the terminal.
    ///
    /// # Errors
    /// It is none.
    pub fn set(terminal: impl AsFd) -> io::Result<Self> {
        let terminal = File::from(terminal.as_fd().try_clone_to_owned()?);
        let before = tcgetattr(&terminal)?;
        let mut unseen = before.clone();
        unseen.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &unseen)?;
        Ok(Self(RawMode { terminal, before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        let _ = tcsetattr(&self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::open_root;
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn what_is_written_at_one_end_is_read_at_the_other() {
        let root = open_root(Path::new("/")).unwrap();
        let Ok(pty) = open_pty(root.as_fd()) else {
            eprintln!("skipped: lacks /dev/pts/ptmx");
            return;
        };
        let size = WindowSize {
            rows: 7,
            columns: 77,
        };
        set_window_size(pty.master.as_fd(), size).unwrap();
        assert_eq!(window_size(pty.slave.as_fd()).unwrap(), size);
        let raw = RawMode::set(&pty.slave).unwrap();
        let (mut master, mut slave) = (File::from(pty.master), File::from(pty.slave));
        master.write_all(b"\x03x").unwrap();
        let mut keys = [0; 2];
        slave.read_exact(&mut keys).unwrap();
        assert_eq!(&keys, b"\x03x");
        drop(raw);
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(other.path().join("dev/pts")).unwrap();
        std::fs::write(other.path().join("dev/pts/ptmx"), "").unwrap();
        assert!(open_pty(open_root(other.path()).unwrap().as_fd()).is_err());
    }
}
