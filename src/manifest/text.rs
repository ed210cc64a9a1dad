//! The text of a manifest, shared by everything that points into it.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use memchr::memchr2_iter;

use super::source::Span;

/// The most bytes one source may have; offsets into it are 32 bits wide.
pub const MAX_SOURCE: usize = 1 << 31;

/// One input: a file, standard input, a URL; with the name that findings show.
///
/// Cloning shares the text.
#[derive(Clone)]
pub struct Source(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    text: String,
    /// Where the first byte stood that is no UTF-8.
    broken_at: Option<usize>,
    /// Found when a position is first asked for.
    index: OnceLock<Index>,
}

impl Source {
    /// Makes a source of a text.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<String>) -> Self {
        Self::with(name.into(), text.into(), None)
    }

    /// Makes a source of the bytes of a file; what is no UTF-8 becomes a finding when the source is read.
    #[must_use]
    pub fn from_bytes(name: impl Into<Arc<str>>, bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(name, text),
            Err(error) => {
                let broken_at = Some(error.utf8_error().valid_up_to());
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self::with(name.into(), text, broken_at)
            }
        }
    }

    fn with(name: Arc<str>, text: String, broken_at: Option<usize>) -> Self {
        Source(Arc::new(Inner {
            name,
            text,
            broken_at,
            index: OnceLock::new(),
        }))
    }

    /// Returns where the first byte stands that is no UTF-8; the text has U+FFFD for it.
    pub(super) fn broken_at(&self) -> Option<usize> {
        self.0.broken_at
    }

    /// Returns the name that findings show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the name to keep when the text is forgotten.
    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.0.name)
    }

    /// Returns the whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Tells whether the name says that this is JSON, which is then held to JSON's rules.
    #[must_use]
    pub fn is_named_json(&self) -> bool {
        std::path::Path::new(self.name())
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    }

    /// Returns the span of a range of bytes; what lies outside the text is cut off.
    #[must_use]
    pub fn span(&self, range: Range<usize>) -> Span {
        let text = self.text();
        let start = floor_char_boundary(text, range.start);
        let end = floor_char_boundary(text, range.end).max(start);
        let index = self.index();
        let line = index
            .lines
            .partition_point(|&line_start| line_start <= start);
        let line_start = index.lines[line - 1];
        let column = index.characters(text, start) - index.characters(text, line_start) + 1;
        Span {
            start,
            end,
            line: saturate(line),
            column: saturate(column),
        }
    }

    /// Returns a line without its break, counted from 1; empty past the end.
    #[must_use]
    pub fn line(&self, number: u32) -> &str {
        &self.text()[self.line_range(number)]
    }

    /// Returns the bytes of a line without its break, counted from 1.
    pub(super) fn line_range(&self, number: u32) -> Range<usize> {
        let text = self.text();
        let lines = &self.index().lines;
        let index = (number as usize).saturating_sub(1);
        let Some(&start) = lines.get(index) else {
            return text.len()..text.len();
        };
        let end = lines.get(index + 1).copied().unwrap_or(text.len());
        start..start + text[start..end].trim_end_matches(['\n', '\r']).len()
    }

    fn index(&self) -> &Index {
        self.0.index.get_or_init(|| Index::new(self.text()))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.0.name)
            .field("bytes", &self.0.text.len())
            .finish_non_exhaustive()
    }
}

/// What turns an offset into a line and a column without counting through the text, however long a line is.
struct Index {
    /// The byte offset of each line's start.
    lines: Vec<usize>,
    /// How many characters begin before each block of [`BLOCK`] bytes.
    characters: Vec<usize>,
}

const BLOCK: usize = 1024;

impl Index {
    fn new(text: &str) -> Self {
        let mut before = 0;
        let blocks = text.as_bytes().chunks(BLOCK).map(|block| {
            let count = before;
            before += beginnings(block);
            count
        });
        Index {
            lines: line_starts(text),
            characters: blocks.collect(),
        }
    }

    /// Returns how many characters begin before an offset.
    fn characters(&self, text: &str, at: usize) -> usize {
        match self.characters.get(at / BLOCK) {
            Some(before) => before + beginnings(&text.as_bytes()[at - at % BLOCK..at]),
            None => self.characters.last().map_or(0, |before| {
                let last = (self.characters.len() - 1) * BLOCK;
                before + beginnings(&text.as_bytes()[last..at])
            }),
        }
    }
}

/// Counts the characters that begin in a piece of UTF-8.
fn beginnings(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// A line ends with `\n`, `\r\n` or a lone `\r`, as in YAML.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    let ends = memchr2_iter(b'\n', b'\r', bytes);
    starts.extend(
        ends.map(|at| at + 1)
            .filter(|&next| !bytes[next - 1..].starts_with(b"\r\n")),
    );
    starts
}

/// Returns the nearest place at or before `at` where a character begins.
pub(super) fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns the nearest place at or after `at` where a character begins, or the end.
pub(super) fn ceil_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_any_line_break_counts() {
        let source = Source::new("a.yaml", "a: ü x\r\nb\rc\n");
        let at = |needle: char| source.text().find(needle).expect("in the text");
        let x = source.span(at('x')..at('x') + 1);
        assert_eq!((x.line, x.column), (1, 6));
        let b = source.span(at('b')..at('b') + 1);
        assert_eq!((b.line, b.column), (2, 1));
        let c = source.span(at('c')..at('c') + 1);
        assert_eq!((c.line, c.column), (3, 1));
        assert_eq!(source.line(1), "a: ü x");
        assert_eq!(source.line(3), "c");
        assert_eq!(source.line(9), "");
    }

    #[test]
    fn a_span_never_leaves_the_text_or_splits_a_character() {
        let source = Source::new("a.yaml", "ü");
        assert_eq!(source.span(1..99).end, 2);
        assert_eq!(source.span(7..9).start, 2);
        assert_eq!(Source::new("e", "").span(0..0).line, 1);
    }
}
