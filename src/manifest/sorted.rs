//! Records sorted by their keys, in memory that does not grow with them.
//!
//! ```text
//! records -> gathered -- the room is full --> sorted -> a run in a file -+
//!                \------- at the end -------> sorted -> a run in memory -+-> merged
//! ```
//!
//! The file has no name and is gone with the process. Where there is no room for one the runs stay in memory.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::mem;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::libc;

/// The memory that all runs in a file share while they are merged, and the least that one of them has.
const MERGING: usize = 1 << 20;
const LEAST: usize = 4 << 10;

/// What was put aside cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the temporary file of what is to be seen together")]
pub struct Lost(#[from] io::Error);

/// Some records: all of a piece, or as many as there is room for.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    /// The beginning of each key, which mostly decides, and where the record begins.
    order: Vec<(u64, usize)>,
}

impl Records {
    /// Adds a record.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        let mut first = [0; 8];
        let length = key.len().min(first.len());
        first[..length].copy_from_slice(&key[..length]);
        self.order
            .push((u64::from_be_bytes(first), self.bytes.len()));
        let lengths = [key.len() as u64, value.len() as u64];
        for length in lengths {
            self.bytes
                .extend_from_slice(&length.to_le_bytes()[..LENGTH]);
        }
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    fn append(&mut self, later: &Self) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&later.bytes);
        let order = later.order.iter();
        self.order
            .extend(order.map(|(first, at)| (*first, before + at)));
    }

    fn size(&self) -> usize {
        self.bytes.len() + mem::size_of_val(&*self.order)
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let key = |at: usize| key_of(&bytes[at..]);
        self.order.sort_unstable_by(|(one, at), (other, other_at)| {
            one.cmp(other).then_with(|| key(*at).cmp(key(*other_at)))
        });
    }
}

/// A key and a value.
type Record<'r> = (&'r [u8], &'r [u8]);

/// The bytes of a length: of the key, then of the value, before both.
const LENGTH: usize = 4;
const HEAD: usize = 2 * LENGTH;

fn lengths(head: &[u8]) -> (usize, usize) {
    let length = |at: usize| {
        let bytes = head[at..at + LENGTH].try_into().expect("four bytes");
        u32::from_le_bytes(bytes) as usize
    };
    (length(0), length(LENGTH))
}

fn key_of(record: &[u8]) -> &[u8] {
    &record[HEAD..HEAD + lengths(record).0]
}

/// Gathers records of any number of threads.
#[derive(Debug)]
pub(super) struct Sorter {
    /// How many bytes may stay in memory.
    room: usize,
    gathered: Mutex<Records>,
    aside: Mutex<Aside>,
}

/// What the room was not enough for.
#[derive(Debug, Default)]
struct Aside {
    file: Option<File>,
    /// Where the file ends.
    end: u64,
    runs: Vec<Run>,
}

#[derive(Debug)]
enum Run {
    InFile(Range<u64>),
    InMemory(Records),
}

impl Sorter {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            gathered: Mutex::default(),
            aside: Mutex::default(),
        }
    }

    pub(super) fn add(&self, records: &Records) {
        let mut full = {
            let mut gathered = lock(&self.gathered);
            gathered.append(records);
            if gathered.size() <= self.room {
                return;
            }
            mem::take(&mut *gathered)
        };
        // The other threads gather meanwhile.
        full.sort();
        lock(&self.aside).put(full);
    }

    /// Ends the gathering.
    pub(super) fn sorted(self) -> Sorted {
        let gathered = self.gathered.into_inner();
        let mut last = gathered.unwrap_or_else(PoisonError::into_inner);
        last.sort();
        let aside = self.aside.into_inner();
        let mut aside = aside.unwrap_or_else(PoisonError::into_inner);
        aside.runs.push(Run::InMemory(last));
        Sorted(aside)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Aside {
    fn put(&mut self, run: Records) {
        let range = self.write(&run);
        self.runs
            .push(range.map_or(Run::InMemory(run), Run::InFile));
    }

    fn write(&mut self, run: &Records) -> io::Result<Range<u64>> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(without_name()?),
        };
        let start = self.end;
        let mut out = BufWriter::with_capacity(64 << 10, Section { file, at: start });
        for (_, at) in &run.order {
            let record = &run.bytes[*at..];
            let (key, value) = lengths(record);
            out.write_all(&record[..HEAD + key + value])?;
        }
        out.flush()?;
        self.end = out.get_ref().at;
        Ok(start..self.end)
    }
}

/// Makes a file that no directory has (`O_TMPFILE`, open(2)).
fn without_name() -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(std::env::temp_dir())
}

/// A file from some place on, whatever others do with it.
#[derive(Debug)]
struct Section<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(into, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Write for Section<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write_at(bytes, self.at)?;
        self.at += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All records, to be gone through as often as is wanted.
#[derive(Debug)]
pub(super) struct Sorted(Aside);

impl Sorted {
    /// Begins with the least record.
    ///
    /// # Errors
    /// What was put aside cannot be read.
    pub(super) fn merge(&self) -> Result<Merge<'_>, Lost> {
        let runs = &self.0.runs;
        let room = (MERGING / runs.len()).max(LEAST);
        let mut merge = Merge {
            runs: BinaryHeap::with_capacity(runs.len()),
            has_begun: false,
        };
        for run in runs {
            let mut reader = RunReader {
                rest: match (run, &self.0.file) {
                    (Run::InMemory(records), _) => Rest::InMemory(records, 0),
                    (Run::InFile(range), Some(file)) => {
                        let section = Section {
                            file,
                            at: range.start,
                        };
                        let section = section.take(range.end - range.start);
                        Rest::InFile(BufReader::with_capacity(room, section))
                    }
                    (Run::InFile(_), None) => continue,
                },
                record: Vec::new(),
            };
            if reader.advance()? {
                merge.runs.push(Reverse(reader));
            }
        }
        Ok(merge)
    }
}

/// The records in the order of their keys.
#[derive(Debug)]
pub(super) struct Merge<'s> {
    runs: BinaryHeap<Reverse<RunReader<'s>>>,
    has_begun: bool,
}

impl Merge<'_> {
    /// Returns the next record's key and value.
    ///
    /// # Errors
    /// What was put aside cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, Lost> {
        if self.has_begun
            && let Some(mut least) = self.runs.peek_mut()
            && !least.0.advance()?
        {
            PeekMut::pop(least);
        }
        self.has_begun = true;
        Ok(self.runs.peek().map(|least| least.0.record()))
    }
}

/// A run that is read, at one of its records.
#[derive(Debug)]
struct RunReader<'s> {
    rest: Rest<'s>,
    record: Vec<u8>,
}

#[derive(Debug)]
enum Rest<'s> {
    /// From this record on.
    InMemory(&'s Records, usize),
    InFile(BufReader<io::Take<Section<'s>>>),
}

impl RunReader<'_> {
    /// Goes to the next record; tells whether there is one.
    fn advance(&mut self) -> io::Result<bool> {
        self.record.clear();
        match &mut self.rest {
            Rest::InMemory(records, next) => {
                let Some((_, at)) = records.order.get(*next) else {
                    return Ok(false);
                };
                let record = &records.bytes[*at..];
                let (key, value) = lengths(record);
                self.record.extend_from_slice(&record[..HEAD + key + value]);
                *next += 1;
            }
            Rest::InFile(reader) => {
                if reader.fill_buf()?.is_empty() {
                    return Ok(false);
                }
                self.record.resize(HEAD, 0);
                reader.read_exact(&mut self.record)?;
                let (key, value) = lengths(&self.record);
                self.record.resize(HEAD + key + value, 0);
                reader.read_exact(&mut self.record[HEAD..])?;
            }
        }
        Ok(true)
    }

    fn record(&self) -> Record<'_> {
        let (key, _) = lengths(&self.record);
        self.record[HEAD..].split_at(key)
    }
}

impl Ord for RunReader<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        key_of(&self.record).cmp(key_of(&other.record))
    }
}

impl PartialOrd for RunReader<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RunReader<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RunReader<'_> {}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Owned = (Vec<u8>, Vec<u8>);

    fn merged(sorted: &Sorted) -> Vec<Owned> {
        let mut merge = sorted.merge().expect("a file of our own");
        let mut all = Vec::new();
        while let Some((key, value)) = merge.next().expect("a file of our own") {
            all.push((key.to_vec(), value.to_vec()));
        }
        all
    }

    proptest! {
        #[test]
        fn records_come_in_the_order_of_their_keys_whatever_room_there_is(
            pieces in vec(vec((vec(0u8..4, 0..12), vec(any::<u8>(), 0..9)), 0..20), 0..20),
            room in 0usize..2000,
        ) {
            let sorter = Sorter::new(room);
            for piece in &pieces {
                let mut records = Records::default();
                for (key, value) in piece {
                    records.push(key, value);
                }
                sorter.add(&records);
            }
            let sorted = sorter.sorted();
            let once = merged(&sorted);
            prop_assert!(once.is_sorted_by_key(|(key, _)| key));
            prop_assert_eq!(&once, &merged(&sorted));
            let mut once = once;
            let mut all: Vec<Owned> = pieces.concat();
            once.sort();
            all.sort();
            prop_assert_eq!(once, all);
        }
    }

    #[test]
    fn what_there_is_no_room_for_goes_to_a_file() {
        let runs = |room: usize| {
            let sorter = Sorter::new(room);
            for number in 0..100u8 {
                let mut records = Records::default();
                records.push(&[number], &[0; 100]);
                sorter.add(&records);
            }
            let runs = sorter.sorted().0.runs;
            runs.iter()
                .filter(|run| matches!(run, Run::InFile(_)))
                .count()
        };
        // Nine records of 125 bytes are more than 1000.
        assert_eq!((runs(1 << 20), runs(1000)), (0, 11));
    }
}
