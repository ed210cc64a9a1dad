//! The first process of a shared PID namespace: it outlives the containers and reaps orphans.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::sys::descriptor::close_from;

/// Runs until it is asked to end; never returns.
///
/// It is this program without a new image, so that its root file system may be empty.
pub(super) fn run() -> ! {
    // What the kernel shows as its name; without an execve it would be the stage's.
    let _ = nix::sys::prctl::set_name(c"podwright-infra");
    // No execve closes them.
    close_from(3);
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT] {
        signals.add(signal);
    }
    // A blocked signal waits to be taken; the first process of a namespace gets no others.
    let blocked = signals.thread_block();
    loop {
        reap();
        match signals.wait() {
            Ok(Signal::SIGCHLD) | Err(Errno::EINTR) if blocked.is_ok() => {}
            _ => crate::sys::process::leave(0),
        }
    }
}

fn reap() {
    let any = None::<nix::unistd::Pid>;
    while let Ok(status) = waitpid(any, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}
