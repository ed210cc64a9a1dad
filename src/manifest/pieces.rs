//! Inputs cut into pieces that are read at the same time, and put together again in their order.
//!
//! An input is opened when the pieces of those before it are taken, so that a few of them are in memory at a time,
//! however many there are.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use super::document;
use super::input::Input;
use super::read::{ReadOptions, Reading, read_parts, read_source};
use super::text::Source;

/// A source is cut into pieces of at least so many bytes.
const PIECE: usize = 512 << 10;
/// Less than this is read faster by one thread alone.
const WORTH_A_THREAD: usize = 128 << 10;

/// A source, or some of its documents.
pub(super) struct Piece {
    pub(super) input: usize,
    pub(super) source: Source,
    /// The number of the piece in its source.
    number: usize,
    /// None for all of it.
    parts: Option<Vec<Range<usize>>>,
    /// The bytes from the piece before to the one behind it.
    pub(super) range: Range<usize>,
}

impl Piece {
    /// Returns where it stands: its input, and its number there.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.input, self.number)
    }

    /// Reads the piece; tells how many documents it is.
    fn read(&self, options: &ReadOptions) -> (Reading, usize) {
        let mut reading = Reading::default();
        let (input, source) = (self.input, &self.source);
        let documents = match &self.parts {
            None => read_source(input, source, options, &mut reading),
            Some(parts) => read_parts(input, source, parts, options, &mut reading),
        };
        (reading, documents)
    }
}

/// What came of a piece.
pub(super) struct Done<T> {
    pub(super) input: usize,
    number: usize,
    pub(super) file: Arc<str>,
    /// How many documents of its source stand before it.
    pub(super) before: usize,
    pub(super) outcome: T,
}

/// Reads inputs in as many threads as there are processors, and has each piece finished as soon as it is read.
///
/// The outcomes are in the order of the inputs, and the same whatever the number of threads.
///
/// # Errors
/// An input cannot be opened: the first such one.
pub(super) fn read_in_parallel<I: Input, T: Send>(
    inputs: &[I],
    options: &ReadOptions,
    finish: &(dyn Fn(&Piece, Reading) -> T + Sync),
) -> Result<Vec<Done<T>>, I::Error> {
    let work = Work {
        queue: Mutex::new(Queue {
            inputs: inputs.iter(),
            opened: 0,
            bytes: 0,
            pieces: VecDeque::new(),
        }),
        done: Mutex::new(Vec::new()),
        options,
        finish,
    };
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
    std::thread::scope(|scope| work.run(scope, processors - 1))?;
    let done = work.done.into_inner();
    let mut done = done.unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|one| (one.input, one.number));
    number_through(&mut done);
    Ok(done)
}

/// Counts the documents before each piece, which has only its own number of them.
fn number_through<T>(done: &mut [Done<T>]) {
    let (mut current, mut before) = (0, 0);
    for one in done {
        if one.input != current {
            (current, before) = (one.input, 0);
        }
        let documents = std::mem::replace(&mut one.before, before);
        before += documents;
    }
}

/// What the threads share.
struct Work<'w, I, T> {
    queue: Mutex<Queue<'w, I>>,
    done: Mutex<Vec<Done<T>>>,
    options: &'w ReadOptions,
    finish: &'w (dyn Fn(&Piece, Reading) -> T + Sync),
}

impl<I: Input, T: Send> Work<'_, I, T> {
    /// Reads piece after piece, with `helpers` more threads once that is worth it.
    fn run<'s, 'e>(&'s self, scope: &'s Scope<'s, 'e>, helpers: usize) -> Result<(), I::Error> {
        let mut helping = Vec::new();
        loop {
            let (piece, is_much) = {
                let mut queue = lock(&self.queue);
                let Some(piece) = queue.take()? else {
                    break;
                };
                (piece, queue.bytes > WORTH_A_THREAD)
            };
            if is_much && helping.is_empty() {
                let helper = |_| scope.spawn(|| self.run(scope, 0));
                helping = (0..helpers).map(helper).collect();
            }
            let (reading, documents) = piece.read(self.options);
            let outcome = (self.finish)(&piece, reading);
            lock(&self.done).push(Done {
                input: piece.input,
                number: piece.number,
                file: piece.source.shared_name(),
                before: documents,
                outcome,
            });
        }
        for helper in helping {
            match helper.join() {
                Ok(outcome) => outcome?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is still to be read.
struct Queue<'w, I> {
    inputs: std::slice::Iter<'w, I>,
    opened: usize,
    /// How much was opened so far.
    bytes: usize,
    pieces: VecDeque<Piece>,
}

impl<I: Input> Queue<'_, I> {
    /// Returns the next piece; after an error there is none.
    fn take(&mut self) -> Result<Option<Piece>, I::Error> {
        while self.pieces.is_empty() {
            let Some(input) = self.inputs.next() else {
                return Ok(None);
            };
            let source = input.open().inspect_err(|_| self.inputs = [].iter())?;
            self.bytes += source.text().len();
            self.pieces = pieces(self.opened, source);
            self.opened += 1;
        }
        Ok(self.pieces.pop_front())
    }
}

/// Cuts a large source between its documents.
fn pieces(input: usize, source: Source) -> VecDeque<Piece> {
    let text = source.text();
    let whole = Piece {
        input,
        source: source.clone(),
        number: 0,
        parts: None,
        range: 0..text.len(),
    };
    if text.len() < 2 * PIECE || source.broken_at().is_some() || source.is_named_json() {
        return [whole].into();
    }
    let split = document::split(text);
    if split.fault.is_some() {
        return [whole].into();
    }
    let mut pieces = VecDeque::new();
    let (mut parts, mut start) = (Vec::new(), 0);
    let mut split = split.parts.into_iter().peekable();
    while let Some(part) = split.next() {
        let end = split.peek().map_or(text.len(), |next| next.start);
        parts.push(part);
        if end - start >= PIECE || end == text.len() {
            pieces.push_back(Piece {
                input,
                source: source.clone(),
                number: pieces.len(),
                parts: Some(std::mem::take(&mut parts)),
                range: start..end,
            });
            start = end;
        }
    }
    match pieces.is_empty() {
        true => [whole].into(),
        false => pieces,
    }
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
        let in_pieces = read_in_parallel(&sources, &options, &|_, reading| reading);
        let Ok(in_pieces) = in_pieces;
        assert!(in_pieces.len() > 3);
        let mut joined = Reading::default();
        for mut piece in in_pieces {
            piece.outcome.renumber(piece.before);
            joined.objects.append(&mut piece.outcome.objects);
            joined.findings.append(&mut piece.outcome.findings);
        }
        assert!(at_once.objects.len() > 1000);
        assert_eq!(places(&at_once), places(&joined));
        let numbers = |reading: &Reading| {
            let objects = reading.objects.iter();
            objects.map(|one| one.document.index()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&at_once), numbers(&joined));
    }
}
