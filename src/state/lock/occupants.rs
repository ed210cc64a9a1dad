//! Who is in a lock's house and who waits before it, asked of the kernel without taking any lock.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::file::{BEHIND_GATE, EXCLUSIVE_LEN, HOUSE, TICKETS, record_offset};
use super::protocol::Ticket;
use super::record::{Holder, RECORD_LEN};
use crate::sys::flock::{self, ByteRange, RangeLock};

/// Who stands where in one lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Occupants {
    pub(super) holders: Vec<Option<Holder>>,
    pub(super) exclusive: bool,
    pub(super) queue: Vec<Option<Holder>>,
}

impl Occupants {
    /// Asks the kernel who holds the lock and who waits for it; takes no lock and leaves no trace.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut occupants = Self::default();
        let mut tickets: Vec<Ticket> = Vec::new();
        for range in held_ranges(&file, BEHIND_GATE)? {
            if range.start < HOUSE {
                // The kernel joins neighbouring ranges of one description; a description has one ticket at a time.
                tickets.push(range.start - TICKETS);
                continue;
            }
            let exclusive = range.len >= EXCLUSIVE_LEN;
            let ticket = if exclusive {
                range.len - EXCLUSIVE_LEN
            } else {
                range.start - HOUSE
            };
            tickets.retain(|waiting| *waiting != ticket);
            occupants.exclusive = exclusive;
            occupants.holders.push(read_record(&file, ticket));
        }
        tickets.sort_unstable();
        occupants.queue = tickets
            .into_iter()
            .map(|ticket| read_record(&file, ticket))
            .collect();
        Ok(occupants)
    }
}

/// Returns every write-locked range within `range`, by asking for one and then on both sides of it.
fn held_ranges(file: &File, range: ByteRange) -> io::Result<Vec<ByteRange>> {
    let mut found = Vec::new();
    let mut asks = vec![range];
    while let Some(ask) = asks.pop() {
        if ask.len == 0 {
            continue;
        }
        let Some(held) = flock::find_conflict(file, ask, RangeLock::Read)? else {
            continue;
        };
        let (ask_end, held_end) = (ask.start + ask.len, held.start + held.len);
        asks.push(ByteRange {
            start: held_end.min(ask_end),
            len: ask_end.saturating_sub(held_end),
        });
        asks.push(ByteRange {
            start: ask.start,
            len: held.start.saturating_sub(ask.start),
        });
        found.push(held);
    }
    found.sort_unstable_by_key(|held| held.start);
    Ok(found)
}

fn read_record(file: &File, ticket: Ticket) -> Option<Holder> {
    let mut bytes = [0; RECORD_LEN];
    file.read_exact_at(&mut bytes, record_offset(ticket)).ok()?;
    Holder::decode(&bytes, ticket)
}
