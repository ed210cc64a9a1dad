//! The output of containers: read here, kept beyond this process.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::PoisonError;

use super::Context;
use crate::engine::cgroups;
use crate::engine::keeper::Keeper;
use crate::names::ContainerName;

/// The read ends of a container's output.
#[derive(Debug)]
pub struct Streams {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

impl Context {
    /// Has the output kept beyond this process; without a keeper only what is unread at its death is lost.
    pub fn keep(&self, name: &ContainerName, streams: &Streams) {
        self.tell_keeper(|keeper| {
            keeper.keep(&format!("{name}/stdout"), streams.stdout.as_fd())?;
            keeper.keep(&format!("{name}/stderr"), streams.stderr.as_fd())
        });
    }

    /// Has this process started anew if it is killed, though nothing of the pod runs now.
    pub fn be_watched(&self) {
        self.tell_keeper(|_| Ok(()));
    }

    /// Says something to the keeper, and if it is gone once more to the next one.
    fn tell_keeper(&self, say: impl Fn(&Keeper) -> io::Result<()>) {
        let mut slot = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..2 {
            let keeper = match slot.take() {
                Some(keeper) => keeper,
                None => match Keeper::reach(&self.installation, &self.pod.id) {
                    Ok(keeper) => keeper,
                    Err(_) => return,
                },
            };
            if say(&keeper).is_ok() {
                *slot = Some(keeper);
                return;
            }
        }
    }

    /// Lets the keeper forget the pod: this supervisor ends because nothing is left to do.
    ///
    /// The keeper is the last in the cgroup of the supervisors, and removes it; where it is gone, whoever ends last does.
    pub fn release(&self) {
        let slot = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told = slot.as_ref().is_some_and(|keeper| keeper.release().is_ok());
        if !is_told {
            cgroups::leave_supervisors(&self.installation);
        }
    }

    /// Opens the output of a container that another supervisor started.
    ///
    /// # Errors
    /// The FIFOs are gone.
    pub fn reopen_streams(&self, name: &ContainerName) -> io::Result<Streams> {
        open_streams(&self.paths().bundle(name))
    }
}

pub(super) fn open_streams(bundle: &Path) -> io::Result<Streams> {
    let open = |name: &str| -> io::Result<OwnedFd> {
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(bundle.join(name))?;
        Ok(file.into())
    };
    Ok(Streams {
        stdout: open("stdout")?,
        stderr: open("stderr")?,
    })
}
