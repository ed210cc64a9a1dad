//! Sources cut into pieces that are read at the same time, and put together again in their order.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::document;
use super::read::{ReadOptions, Reading, read_parts, read_source};
use super::text::Source;

/// A source is cut into pieces of at least so many bytes.
const PIECE: usize = 512 << 10;
/// Less than this is read faster by one thread alone.
const WORTH_A_THREAD: usize = 128 << 10;

/// A source, or some of its documents.
struct Piece<'s> {
    input: usize,
    source: &'s Source,
    /// None for all of it.
    parts: Option<Vec<Range<usize>>>,
}

/// What was read of a piece, and how many documents it is.
type Outcome = (usize, Reading, usize);

/// Reads sources in as many threads as there are processors; each piece is finished by `check`.
///
/// The outcome is the same whatever the number of threads.
pub(super) fn read_in_parallel(
    sources: &[Source],
    options: &ReadOptions,
    check: &(dyn Fn(&mut Reading) + Sync),
) -> Reading {
    let pieces: Vec<Piece<'_>> = sources.iter().enumerate().flat_map(pieces).collect();
    let outcomes: Vec<Mutex<Option<Outcome>>> = pieces.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (Some(piece), Some(slot)) = (pieces.get(number), outcomes.get(number)) else {
                return;
            };
            let mut reading = Reading::default();
            let documents = match &piece.parts {
                None => read_source(piece.input, piece.source, options, &mut reading),
                Some(parts) => read_parts(piece.input, piece.source, parts, options, &mut reading),
            };
            check(&mut reading);
            let outcome = Some((piece.input, reading, documents));
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        }
    };
    let bytes: usize = sources.iter().map(|source| source.text().len()).sum();
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
    let threads = processors.min(pieces.len()).min(1 + bytes / WORTH_A_THREAD);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let outcomes = outcomes.into_iter();
    let outcomes = outcomes.map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    join(outcomes.flatten())
}

/// Cuts a large source between its documents.
fn pieces((input, source): (usize, &Source)) -> Vec<Piece<'_>> {
    let piece = |parts| Piece {
        input,
        source,
        parts,
    };
    let text = source.text();
    if text.len() < 2 * PIECE || source.broken_at().is_some() || source.is_named_json() {
        return vec![piece(None)];
    }
    let split = document::split(text);
    if split.fault.is_some() {
        return vec![piece(None)];
    }
    let mut pieces = Vec::new();
    let (mut open, mut size) = (Vec::new(), 0);
    for part in split.parts {
        size += part.len();
        open.push(part);
        if size >= PIECE {
            pieces.push(piece(Some(std::mem::take(&mut open))));
            size = 0;
        }
    }
    pieces.push(piece(Some(open)));
    pieces
}

/// Puts pieces together: the documents of a source are numbered through.
fn join(outcomes: impl Iterator<Item = Outcome>) -> Reading {
    let mut all = Reading::default();
    let (mut current, mut before) = (0, 0);
    for (input, mut reading, documents) in outcomes {
        if input != current {
            (current, before) = (input, 0);
        }
        if before > 0 {
            reading.renumber(before);
        }
        before += documents;
        all.objects.append(&mut reading.objects);
        all.findings.append(&mut reading.findings);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read::read;

    #[test]
    fn what_is_read_in_pieces_is_what_is_read_at_once() {
        let document = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata2: {}\n---\n# nothing\n---\n";
        let text = document.repeat(3 * PIECE / document.len());
        let sources = [
            Source::new("small.yaml", document),
            Source::new("large.yaml", text),
        ];
        let options = ReadOptions::default();
        let places = |reading: &Reading| {
            let findings = reading.findings.iter();
            findings
                .map(|one| (one.input, one.document, one.span))
                .collect::<Vec<_>>()
        };
        let at_once = read(&sources, &options);
        let in_pieces = read_in_parallel(&sources, &options, &|_| {});
        assert!(at_once.objects.len() > 1000);
        assert_eq!(places(&at_once), places(&in_pieces));
        let numbers = |reading: &Reading| {
            let objects = reading.objects.iter();
            objects.map(|one| one.document.index()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&at_once), numbers(&in_pieces));
    }
}
