//! One lock file: the ticket protocol carried out with the kernel's byte-range locks.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::protocol::{Answer, LIMIT, Mode, Step, Ticket};
use super::record::{Holder, RECORD_LEN};
use super::watchdog::Watchdog;
use super::{LockError, Reporter};
use crate::sys::flock::{self, ByteRange, RangeLock};

const GATE: ByteRange = ByteRange::byte(0);
pub(super) const TICKETS: u64 = 1 << 60;
pub(super) const HOUSE: u64 = 1 << 61;
/// The exclusive holder of ticket t locks this many bytes and t more, so that its range covers every shared holder's byte.
pub(super) const EXCLUSIVE_LEN: u64 = 1 << 60;
/// Everything behind the gate; the sum with the start is the largest offset the kernel knows.
pub(super) const BEHIND_GATE: ByteRange = ByteRange {
    start: TICKETS,
    len: i64::MAX.unsigned_abs() - TICKETS,
};

/// Records repeat after so many tickets: a longer queue is kept in order, but its first waiters lose their names.
const RECORDS: u64 = 4096;

/// A lock that is held; dropping it frees it.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    path: PathBuf,
    ticket: Ticket,
}

/// What asking for a lock led to.
#[derive(Debug)]
pub(super) enum Acquired {
    Held(Held),
    /// The file was removed by its holder while we waited.
    Gone,
}

impl Held {
    /// Takes the lock, waiting for its turn; the file is made if it is missing.
    pub(super) fn take(
        path: &Path,
        mode: Mode,
        command: &str,
        reporter: Option<&Reporter>,
    ) -> Result<Acquired, LockError> {
        Self::take_below(LIMIT, path, mode, command, reporter)
    }

    fn take_below(
        limit: Ticket,
        path: &Path,
        mode: Mode,
        command: &str,
        reporter: Option<&Reporter>,
    ) -> Result<Acquired, LockError> {
        let at = |source| LockError::io(path, source);
        let file = flock::open(path).map_err(at)?;
        let mut walk = Walk {
            file: &file,
            path,
            mode,
            command,
            reporter,
            watchdog: None,
        };
        let ticket = walk.run(limit).map_err(at)?;
        let still_there = is_at(&file, path).map_err(at)?;
        let held = Self {
            file,
            path: path.to_owned(),
            ticket,
        };
        Ok(if still_there {
            Acquired::Held(held)
        } else {
            Acquired::Gone
        })
    }

    /// Returns the place this holder had in the queue; the count starts again whenever the lock is idle.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Unlinks the lock file and frees the lock: the last act on a thing that no longer exists.
    pub(super) fn remove(self) -> Result<(), LockError> {
        std::fs::remove_file(&self.path).map_err(|source| LockError::io(&self.path, source))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing would do, were there no child of ours just between fork and exec with a copy of the descriptor.
        // It cannot fail on a file we locked; if it did, the close that follows is the second chance.
        let _ = flock::unlock(&self.file, ByteRange::ALL);
    }
}

/// Returns whether the open file is (still) the one at the path.
pub(in crate::state) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok(ours.ino() == there.ino() && ours.dev() == there.dev()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// One process on its way into the house.
struct Walk<'a> {
    file: &'a File,
    path: &'a Path,
    mode: Mode,
    command: &'a str,
    reporter: Option<&'a Reporter>,
    watchdog: Option<Watchdog>,
}

impl Walk<'_> {
    fn run(&mut self, limit: Ticket) -> io::Result<Ticket> {
        let mut step = Step::LockGate;
        loop {
            if let Step::Entered(ticket) = step {
                return Ok(ticket);
            }
            let answer = self.call(step)?;
            step = step
                .after(answer, limit)
                .expect("each step is answered in its own kind");
        }
    }

    fn call(&mut self, step: Step) -> io::Result<Answer> {
        match step {
            Step::LockGate => self.wait_for(GATE, RangeLock::Write)?,
            Step::Look => {
                let found = flock::find_conflict(self.file, BEHIND_GATE, RangeLock::Read)?;
                return Ok(found.map_or(Answer::Empty, |_| Answer::NotEmpty));
            }
            Step::ReadCounter => return Ok(Answer::Counter(read_counter(self.file)?)),
            Step::AwaitEmpty => {
                self.wait_for(BEHIND_GATE, RangeLock::Read)?;
                flock::unlock(self.file, BEHIND_GATE)?;
            }
            Step::EnterAtOnce(ticket) => {
                self.write_record(ticket);
                self.wait_for(self.place_in_house(ticket), RangeLock::Write)?;
            }
            Step::LockTicket(ticket) => {
                self.write_record(ticket);
                self.wait_for(ticket_byte(ticket), RangeLock::Write)?;
            }
            Step::WriteCounter { ticket, .. } => {
                self.file.write_all_at(&(ticket + 1).to_le_bytes(), 0)?;
            }
            Step::LeaveGate { .. } => flock::unlock(self.file, GATE)?,
            Step::FindEarlier(mine) => return Ok(Answer::Earlier(self.find_earlier(mine)?)),
            Step::AwaitTicket { earlier, .. } => {
                self.wait_for(ticket_byte(earlier), RangeLock::Read)?;
                flock::unlock(self.file, ticket_byte(earlier))?;
            }
            Step::Enter(ticket) => self.wait_for(self.place_in_house(ticket), RangeLock::Write)?,
            Step::DropTicket(ticket) => flock::unlock(self.file, ticket_byte(ticket))?,
            Step::Entered(_) => {}
        }
        Ok(Answer::Done)
    }

    /// Finds an earlier ticket, the one just before ours if it is held: its end wakes us alone, and once.
    fn find_earlier(&self, mine: Ticket) -> io::Result<Option<Ticket>> {
        let earlier = ByteRange {
            start: TICKETS,
            len: mine,
        };
        if mine == 0 {
            return Ok(None);
        }
        let Some(found) = flock::find_conflict(self.file, earlier, RangeLock::Read)? else {
            return Ok(None);
        };
        let before = ticket_byte(mine - 1);
        let before = flock::find_conflict(self.file, before, RangeLock::Read)?;
        Ok(Some(before.unwrap_or(found).start - TICKETS))
    }

    fn wait_for(&mut self, range: ByteRange, lock: RangeLock) -> io::Result<()> {
        if flock::try_lock(self.file, range, lock)? {
            return Ok(());
        }
        if let (None, Some(reporter)) = (&self.watchdog, self.reporter) {
            self.watchdog = Watchdog::start(self.path, reporter);
        }
        flock::lock(self.file, range, lock)
    }

    fn place_in_house(&self, ticket: Ticket) -> ByteRange {
        match self.mode {
            Mode::Shared => ByteRange::byte(HOUSE + ticket),
            Mode::Exclusive => ByteRange {
                start: HOUSE,
                len: EXCLUSIVE_LEN + ticket,
            },
        }
    }

    /// Writes who we are, before the ticket is locked, so that whoever sees the lock sees its record.
    ///
    /// A full disk costs the name, not the lock.
    fn write_record(&self, ticket: Ticket) {
        let record = Holder::this_process(self.command, Timestamp::now()).encode(ticket);
        let _ = self.file.write_all_at(&record, record_offset(ticket));
    }
}

fn ticket_byte(ticket: Ticket) -> ByteRange {
    ByteRange::byte(TICKETS + ticket)
}

pub(super) fn record_offset(ticket: Ticket) -> u64 {
    let len = u64::try_from(RECORD_LEN).expect("a small constant");
    len * (1 + ticket % RECORDS)
}

/// Reads the counter; a file too short for one has not been used yet.
fn read_counter(file: &File) -> io::Result<Ticket> {
    let mut bytes = [0; 8];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(u64::from_le_bytes(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::super::occupants::Occupants;
    use super::*;

    fn take(limit: Ticket, path: &Path, mode: Mode) -> Held {
        match Held::take_below(limit, path, mode, "test", None).unwrap() {
            Acquired::Held(held) => held,
            Acquired::Gone => panic!("nobody removes this file"),
        }
    }

    /// Enters many times from many threads, each with a description of its own, and watches that nobody else is in.
    fn crowd(limit: Ticket, path: &Path, disturb: impl Fn() + Sync) {
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for visitor in 0..6 {
                let (inside, disturb) = (&inside, &disturb);
                scope.spawn(move || {
                    for visit in 0..60 {
                        let shared = (visitor + visit) % 3 == 0;
                        let mode = if shared {
                            Mode::Shared
                        } else {
                            Mode::Exclusive
                        };
                        let held = take(limit, path, mode);
                        let weight = if shared { 1 } else { 1000 };
                        let found = inside.fetch_add(weight, Ordering::SeqCst);
                        assert!(found < if shared { 1000 } else { 1 }, "{found}");
                        disturb();
                        inside.fetch_sub(weight, Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(Occupants::of(path).unwrap(), Occupants::default());
    }

    #[test]
    fn tickets_that_run_out_start_again() {
        let dir = tempfile::tempdir().unwrap();
        crowd(3, &dir.path().join("lock"), thread::yield_now);
    }

    #[test]
    fn a_damaged_counter_costs_the_order_but_not_the_exclusion() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = File::create(&path).unwrap();
        let turn = AtomicU32::new(0);
        crowd(LIMIT, &path, || {
            match turn.fetch_add(1, Ordering::SeqCst) % 3 {
                0 => file.set_len(0).unwrap(),
                1 => file.write_all_at(&[0xff; 8], 0).unwrap(),
                _ => thread::yield_now(),
            }
        });
    }

    #[test]
    fn a_file_used_one_by_one_stays_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        for _ in 0..1000 {
            assert_eq!(take(LIMIT, &path, Mode::Exclusive).ticket(), 0);
        }
        let len = std::fs::metadata(&path).unwrap().len();
        assert_eq!(len, 2 * u64::try_from(RECORD_LEN).unwrap());
    }
}
