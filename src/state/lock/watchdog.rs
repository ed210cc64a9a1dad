//! Tells after a while who is being waited for.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::occupants::Occupants;
use super::{Blocked, LockName, Reporter};

/// How long a wait stays without a word.
const PATIENCE: Duration = Duration::from_secs(2);

/// A thread that speaks once, unless the wait ends first; it is joined when dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts watching; nothing where no thread can be had, for a wait without a word is better than none.
    pub(super) fn start(path: &Path, reporter: &Reporter) -> Option<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let (path, reporter) = (path.to_owned(), reporter.clone());
        let thread = thread::Builder::new()
            .name("lock-watchdog".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || {
                if stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    report(&path, &reporter);
                }
            })
            .ok()?;
        Some(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn report(path: &Path, reporter: &Reporter) {
    let (Some(lock), Ok(occupants)) = (LockName::of_file(path), Occupants::of(path)) else {
        return;
    };
    reporter(&Blocked {
        lock,
        holders: occupants.holders.into_iter().flatten().collect(),
    });
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A reporter that panicked has already said so.
            let _ = thread.join();
        }
    }
}
