//! Children of the supervisor whose end somebody waits for: the loop, which reaps all others, must leave them alone.

use std::collections::BTreeSet;
use std::io;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::container::readable_end;
use super::run::Note;
use crate::sys::process::{Ended, PidFd};

const SIGKILL: i32 = 9;

/// The helpers of one supervisor.
#[derive(Debug, Clone)]
pub(super) struct Helpers {
    state: Arc<Mutex<State>>,
    sender: UnboundedSender<Note>,
}

#[derive(Debug, Default)]
struct State {
    /// How many are being started: there is a child, and nobody knows its number.
    starting: usize,
    waited_for: BTreeSet<i32>,
}

impl Helpers {
    pub(super) fn new(sender: UnboundedSender<Note>) -> Self {
        Self {
            state: Arc::default(),
            sender,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a child that is about to be started; until the value is dropped no child is reaped.
    pub(super) fn start(&self) -> Starting {
        self.state().starting += 1;
        Starting(self.clone())
    }

    pub(super) fn is_starting(&self) -> bool {
        self.state().starting > 0
    }

    /// Returns whether somebody waits for this child.
    pub(super) fn waits_for(&self, pid: i32) -> bool {
        self.state().waited_for.contains(&pid)
    }

    /// Lets the loop reap what it left alone meanwhile.
    fn ring(&self) {
        // Without a loop there is nobody left to reap anything.
        let _ = self.sender.send(Note::Reap);
    }
}

/// A child that is being started.
#[derive(Debug)]
pub(super) struct Starting(Helpers);

impl Starting {
    /// Takes hold of the child that was started.
    ///
    /// # Errors
    /// There are no descriptors left; the child was killed then.
    pub(super) fn hold(self, mut child: Child) -> io::Result<Helper> {
        let held = i32::try_from(child.id())
            .map_err(io::Error::other)
            .and_then(|pid| Ok((pid, PidFd::open(pid)?.ok_or(io::ErrorKind::NotFound)?)));
        let (pid, process) = held.inspect_err(|_| {
            // It is no use to anybody; the loop reaps it.
            let _ = child.kill();
        })?;
        self.0.state().waited_for.insert(pid);
        let helpers = self.0.clone();
        Ok(Helper {
            process,
            pid,
            helpers,
        })
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.state().starting -= 1;
        self.0.ring();
    }
}

/// A child that somebody waits for; dropped, it is killed, and left to the loop.
#[derive(Debug)]
pub(super) struct Helper {
    process: PidFd,
    pid: i32,
    helpers: Helpers,
}

impl Helper {
    /// Waits for the end, and reaps it.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(super) async fn wait(self) -> io::Result<Option<Ended>> {
        let end = readable_end(&self.process)?;
        let _ = end.readable().await?;
        self.process.try_wait()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // One that has ended gets no signal: the descriptor is of nobody else.
        let _ = self.process.send_signal(SIGKILL);
        self.helpers.state().waited_for.remove(&self.pid);
        self.helpers.ring();
    }
}
