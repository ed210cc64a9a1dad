//! Descriptors handed from one process to another.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

/// Sends bytes, and a descriptor with the first of them.
///
/// # Errors
/// The other end is gone.
pub fn send(socket: &UnixStream, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let fds: Vec<RawFd> = fd.iter().map(|fd| fd.as_raw_fd()).collect();
    let control = ControlMessage::ScmRights(&fds);
    let controls: &[ControlMessage<'_>] = match fd {
        Some(_) => &[control],
        None => &[],
    };
    let flags = MsgFlags::MSG_NOSIGNAL;
    let sent = sendmsg::<UnixAddr>(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        controls,
        flags,
        None,
    )?;
    io::Write::write_all(&mut &*socket, &bytes[sent..])
}

/// Receives some bytes, appended to `bytes`, and the descriptor that came with them.
///
/// Nothing is appended at the end of the stream.
///
/// # Errors
/// The socket is broken.
#[expect(unsafe_code, reason = "a received descriptor is only a number")]
pub fn receive(socket: &UnixStream, bytes: &mut Vec<u8>) -> io::Result<Option<OwnedFd>> {
    let mut buffer = [0; 4096];
    let mut space = nix::cmsg_space!(RawFd);
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let (count, received) = {
        let message = loop {
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let message =
                recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags);
            match message {
                Err(nix::errno::Errno::EINTR) => {}
                other => break other?,
            }
        };
        let mut received = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control {
                received.extend(fds);
            }
        }
        (message.bytes, received)
    };
    let mut owned = received.into_iter().map(|fd| {
        // SAFETY: the kernel made this descriptor for this process in the call above, and nobody
        // else has its number.
        unsafe { OwnedFd::from_raw_fd(fd) }
    });
    let first = owned.next();
    // Others were not asked for: they are closed here.
    owned.for_each(drop);
    bytes.extend_from_slice(&buffer[..count]);
    Ok(first)
}

/// Gives a command's process a descriptor under a number of its own.
///
/// In the other process it survives `execve(2)`; in this one it is closed with the command.
#[expect(
    unsafe_code,
    reason = "std has no other way to hand on more than three descriptors"
)]
pub fn give(command: &mut Command, fd: OwnedFd, number: RawFd) {
    let hand_over = move || {
        // SAFETY: both are plain numbers; the call touches no memory.
        let result = unsafe {
            if fd.as_raw_fd() == number {
                libc::fcntl(number, libc::F_SETFD, 0)
            } else {
                libc::dup2(fd.as_raw_fd(), number)
            }
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: between fork and execve the closure makes one call that is async-signal-safe
    // (`signal-safety(7)`) and allocates nothing; an error from an errno does not allocate either.
    unsafe { command.pre_exec(hand_over) };
}

/// Moves a descriptor to a number above this one.
///
/// # Errors
/// The process has no descriptors left.
#[expect(unsafe_code, reason = "the new descriptor is only a number")]
pub fn move_above(fd: OwnedFd, number: RawFd) -> io::Result<OwnedFd> {
    let flag = nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(number + 1);
    let moved = nix::fcntl::fcntl(&fd, flag)?;
    // SAFETY: the kernel just made this descriptor for this process; nobody else has its number.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// Takes a descriptor that the parent gave under a number, and makes it close-on-exec.
///
/// # Errors
/// There is none with this number.
#[expect(unsafe_code, reason = "an inherited descriptor is only a number")]
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; a descriptor that is not open is an error.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the number was open a moment ago, and is only borrowed for the length of the call.
    let copy = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()?;
    // The copy alone stays, so that a second call finds nothing instead of a second owner.
    // SAFETY: what the parent gave under this number belongs to nobody here yet.
    unsafe { libc::close(number) };
    Ok(copy)
}

/// Closes all descriptors from a number on, for a process that goes on without its past.
///
/// Whoever still thinks to own one of them must never use it: call it only where nobody owns one yet, or where
/// nothing returns.
#[expect(unsafe_code, reason = "nix has no safe call for it")]
pub fn close_from(first: u32) {
    // SAFETY: touches no memory. Descriptors owned by values that are never used again are closed
    // under them, which is what the caller is told.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// Has all descriptors from a number on closed with the next `execve(2)`.
///
/// # Errors
/// Never since Linux 5.11.
#[expect(unsafe_code, reason = "nix has no safe call for it")]
pub fn close_with_exec(first: u32) -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: touches no memory, and closes nothing.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flag) };
    nix::errno::Errno::result(done)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    #[test]
    fn a_descriptor_travels_with_its_bytes() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&ours, b"here", Some(writer.as_fd())).unwrap();
        drop((ours, writer));
        let mut bytes = Vec::new();
        let received = receive(&theirs, &mut bytes).unwrap().unwrap();
        assert_eq!(bytes, b"here");
        std::fs::File::from(received).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert!(receive(&theirs, &mut bytes).unwrap().is_none());
    }

    #[test]
    fn a_command_gets_a_descriptor_under_its_number() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo seven >&7"]);
        give(&mut command, writer.into(), 7);
        assert!(command.status().unwrap().success());
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "seven\n");
    }
}
