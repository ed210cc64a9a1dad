//! Turns at starting containers: a few at a time on the whole machine, so that everything else goes on.
//!
//! A hundred containers that are restarted at once are no sooner there for starting all at the same moment,
//! but whoever asks something meanwhile gets a hundredth of the processors. A turn is a courtesy and no
//! lock: nothing depends on it, it ends with its holder, and who has waited long goes without.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::flock::{self, ByteRange, RangeLock};
use crate::sys::process::processors;

/// How long a start waits for its turn: one that hangs delays others no longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How soon it looks again. Nobody rings: it has to look at all turns at once.
const LOOK: Duration = Duration::from_millis(4);

/// How seldom it looks in the end: whoever has waited long is one of many, and one of those will look soon.
const SELDOM: Duration = Duration::from_millis(32);

/// A turn, or the end of waiting for one.
pub(super) struct Turn(Option<(File, ByteRange)>);

impl Turn {
    /// Waits for a turn among the starts of one installation.
    pub(super) fn take(locks: &Path) -> Self {
        let until = Instant::now() + PATIENCE;
        let Ok(file) = OpenOptions::new()
            .write(true)
            .read(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(locks.join("turns"))
        else {
            return Self(None);
        };
        let turns = u64::try_from(turns()).unwrap_or(1);
        let mut pause = LOOK;
        loop {
            for turn in 0..turns {
                let place = ByteRange::byte(turn);
                match flock::try_lock(&file, place, RangeLock::Write) {
                    Ok(true) => return Self(Some((file, place))),
                    Ok(false) => {}
                    Err(_) => return Self(None),
                }
            }
            if Instant::now() >= until {
                return Self(None);
            }
            thread::sleep(pause);
            pause = SELDOM.min(2 * pause);
        }
    }
}

/// Returns how many start at once: a start seldom waits, so that one more would only be in the way of others.
fn turns() -> usize {
    processors()
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((file, place)) = &self.0 {
            // A child between fork and exec has a copy of the descriptor: closing ours is not enough.
            let _ = flock::unlock(file, *place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_waited_for_until_another_one_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut held: Vec<Turn> = (0..turns()).map(|_| Turn::take(dir.path())).collect();
        assert!(held.iter().all(|turn| turn.0.is_some()));
        thread::scope(|scope| {
            let next = scope.spawn(|| Turn::take(dir.path()).0.is_some());
            thread::sleep(4 * LOOK);
            assert!(!next.is_finished());
            held.pop();
            assert!(next.join().unwrap());
        });
    }
}
