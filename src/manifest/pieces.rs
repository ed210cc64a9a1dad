//! Inputs cut into pieces that are read at the same time, and put together again in their order.
//!
//! An input is looked for and opened when the pieces of those before it are taken, so that a few of them are in
//! memory at a time, however many there are.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use super::document;
use super::input::Input;
use super::read::{ReadOptions, Reading, read_parts, read_source};
use super::text::Source;

/// A source is cut into pieces of at least so many bytes.
const PIECE: usize = 512 << 10;
/// Pieces are taken together until they are so many bytes, so that the threads seldom wait for each other.
const PORTION: usize = 32 << 10;
/// An empty file counts as so many bytes there: a portion is a few files, however small they are.
const LEAST: usize = 256;
/// Less than this is read faster by one thread alone.
const WORTH_A_THREAD: usize = 128 << 10;

/// Where a piece stands: the number of its input, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) input: usize,
    pub(super) number: usize,
}

/// A source, or some of its documents.
pub(super) struct Piece {
    pub(super) place: Place,
    pub(super) source: Source,
    /// None for all of it.
    parts: Option<Vec<Range<usize>>>,
    /// The bytes from the piece before to the one behind it.
    pub(super) range: Range<usize>,
}

impl Piece {
    /// Reads the piece; tells how many documents it is.
    fn read(&self, options: &ReadOptions) -> (Reading, usize) {
        let mut reading = Reading::default();
        let (input, source) = (self.place.input, &self.source);
        let documents = match &self.parts {
            None => read_source(input, source, options, &mut reading),
            Some(parts) => read_parts(input, source, parts, options, &mut reading),
        };
        (reading, documents)
    }
}

/// What came of all pieces.
pub(super) struct Done<T> {
    /// How many inputs there are.
    pub(super) inputs: usize,
    pub(super) before: Before,
    /// In the order of the inputs.
    pub(super) outcomes: Vec<(Place, T)>,
}

/// Makes something of a piece, of the input that it is from, and of what was read.
pub(super) type Finish<'f, I, T> = dyn Fn(&Piece, &Arc<I>, Reading) -> Option<T> + Sync + 'f;

/// How many documents of its source stand before a piece.
#[derive(Debug, Default)]
pub(super) struct Before(BTreeMap<Place, usize>);

impl Before {
    pub(super) fn of(&self, place: Place) -> usize {
        self.0.get(&place).copied().unwrap_or_default()
    }

    /// Takes how many documents the pieces have that are not all of their source.
    fn after(mut documents: BTreeMap<Place, usize>) -> Self {
        let (mut current, mut before) = (0, 0);
        for (place, count) in &mut documents {
            if place.input != current {
                (current, before) = (place.input, 0);
            }
            before += std::mem::replace(count, before);
        }
        Self(documents)
    }
}

/// Reads inputs in as many threads as there are processors, and has each piece finished as soon as it is read.
///
/// The outcomes, where there are any, are the same whatever the number of threads; of a small source that has none
/// nothing is kept.
///
/// # Errors
/// An input cannot be opened: the first such one.
pub(super) fn read_in_parallel<I: Input, T: Send>(
    inputs: impl Iterator<Item = Result<I, I::Error>> + Send,
    options: &ReadOptions,
    finish: &Finish<'_, I, T>,
) -> Result<Done<T>, I::Error> {
    let work = Work {
        queue: Mutex::new(Queue {
            inputs: Some(inputs),
            opened: 0,
            bytes: 0,
            pieces: VecDeque::new(),
        }),
        documents: Mutex::default(),
        outcomes: Mutex::default(),
        options,
        finish,
    };
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
    std::thread::scope(|scope| work.run(scope, processors - 1))?;
    let mut outcomes = unlocked(work.outcomes);
    outcomes.sort_by_key(|(place, _)| *place);
    Ok(Done {
        inputs: unlocked(work.queue).opened,
        before: Before::after(unlocked(work.documents)),
        outcomes,
    })
}

/// What the threads share.
struct Work<'w, N, I, T> {
    queue: Mutex<Queue<N, I>>,
    /// How many documents there are in each piece of a source that has several.
    documents: Mutex<BTreeMap<Place, usize>>,
    outcomes: Mutex<Vec<(Place, T)>>,
    options: &'w ReadOptions,
    finish: &'w Finish<'w, I, T>,
}

impl<N, I: Input, T: Send> Work<'_, N, I, T>
where
    N: Iterator<Item = Result<I, I::Error>> + Send,
{
    /// Reads piece after piece, with `helpers` more threads once that is worth it.
    fn run<'s, 'e>(&'s self, scope: &'s Scope<'s, 'e>, helpers: usize) -> Result<(), I::Error> {
        let mut helping = Vec::new();
        loop {
            let (portion, is_much) = {
                let mut queue = lock(&self.queue);
                (queue.take()?, queue.bytes > WORTH_A_THREAD)
            };
            if portion.is_empty() {
                break;
            }
            if is_much && helping.is_empty() {
                let helper = |_| scope.spawn(|| self.run(scope, 0));
                helping = (0..helpers).map(helper).collect();
            }
            for (piece, input) in portion {
                let (reading, documents) = piece.read(self.options);
                if piece.parts.is_some() {
                    lock(&self.documents).insert(piece.place, documents);
                }
                if let Some(outcome) = (self.finish)(&piece, &input, reading) {
                    lock(&self.outcomes).push((piece.place, outcome));
                }
            }
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

fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What is still to be read.
struct Queue<N, I> {
    /// None once one was not found or not opened.
    inputs: Option<N>,
    opened: usize,
    /// How much was opened so far.
    bytes: usize,
    pieces: VecDeque<(Piece, Arc<I>)>,
}

impl<N, I: Input> Queue<N, I>
where
    N: Iterator<Item = Result<I, I::Error>>,
{
    /// Returns the next pieces and their inputs; after an error there are none.
    fn take(&mut self) -> Result<Vec<(Piece, Arc<I>)>, I::Error> {
        let (mut portion, mut bytes) = (Vec::new(), 0);
        while bytes < PORTION
            && let Some(next) = self.next()?
        {
            bytes += next.0.range.len().max(LEAST);
            portion.push(next);
        }
        Ok(portion)
    }

    fn next(&mut self) -> Result<Option<(Piece, Arc<I>)>, I::Error> {
        while self.pieces.is_empty() {
            let Some(input) = self.inputs.as_mut().and_then(Iterator::next) else {
                return Ok(None);
            };
            let opened = input.and_then(|input| Ok((input.open()?, input)));
            let (source, input) = opened.inspect_err(|_| self.inputs = None)?;
            self.bytes += source.text().len();
            let input = Arc::new(input);
            let pieces = pieces(self.opened, source).into_iter();
            self.pieces = pieces.map(|piece| (piece, Arc::clone(&input))).collect();
            self.opened += 1;
        }
        Ok(self.pieces.pop_front())
    }
}

/// Cuts a large source between its documents.
fn pieces(input: usize, source: Source) -> VecDeque<Piece> {
    let text = source.text();
    let whole = Piece {
        place: Place { input, number: 0 },
        source: source.clone(),
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
            let number = pieces.len();
            pieces.push_back(Piece {
                place: Place { input, number },
                source: source.clone(),
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
    fn empty_sources_are_taken_a_few_at_a_time_too() {
        let mut queue = Queue {
            inputs: Some((0..1000).map(|_| Ok(Source::new("a.yaml", "")))),
            opened: 0,
            bytes: 0,
            pieces: VecDeque::new(),
        };
        let portion = queue.take().expect("the sources are in memory");
        assert_eq!(portion.len(), PORTION / LEAST);
    }

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
        let inputs = sources.iter().map(Ok);
        let done = read_in_parallel(inputs, &options, &|_, _, reading| Some(reading));
        let done = done.expect("the sources are in memory");
        assert!(done.outcomes.len() > 3);
        let mut joined = Reading::default();
        for (place, mut piece) in done.outcomes {
            piece.renumber(done.before.of(place));
            joined.objects.append(&mut piece.objects);
            joined.findings.append(&mut piece.findings);
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
