//! What is kept of a source's text to show where a finding stands.

use super::packed::{Packer, Unpacker};
use super::source::Span;
use super::text::{Source, ceil_char_boundary, floor_char_boundary};

/// The longest line that is kept whole, in bytes.
pub(super) const LONGEST: usize = 120;

/// The line a span begins in, or of a long one the part around it; and where the span ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    text: Box<str>,
    start: u32,
    length: u32,
    /// The line after whose text the span ends.
    pub end_line: u32,
    /// The column behind the span, in that line.
    pub end_column: u32,
}

impl Excerpt {
    pub(super) fn of(source: &Source, span: Span) -> Self {
        let range = source.line_range(span.line);
        let line = source.line(span.line);
        let start = (span.start - range.start).min(line.len());
        let end = floor_char_boundary(line, start + (span.end - span.start));
        let kept = match line.len() > LONGEST {
            false => 0..line.len(),
            true => {
                let before = line[..start].char_indices().nth_back(LONGEST / 2);
                let meant = line[start..end].char_indices().nth(LONGEST);
                let end = meant.map_or(end, |(length, _)| start + length);
                before.map_or(0, |(at, _)| at)..ceil_char_boundary(line, end + LONGEST)
            }
        };
        let meant = end.min(kept.end) - start;
        let last = source.span(span.end..span.end);
        Self {
            start: narrow(start - kept.start),
            length: narrow(meant),
            text: line[kept].into(),
            end_line: last.line,
            end_column: last.column,
        }
    }

    pub(super) fn pack(&self, into: &mut Packer) {
        into.text(&self.text);
        let numbers = [self.start, self.length, self.end_line, self.end_column];
        numbers.into_iter().for_each(|number| into.number(number));
    }

    pub(super) fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self {
            text: from.text().into(),
            start: from.small(),
            length: from.small(),
            end_line: from.small(),
            end_column: from.small(),
        }
    }

    /// Returns what is kept of the line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what stands before the span, what it covers, and what stands behind it.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, &str) {
        let (before, rest) = self.text.split_at(self.start as usize);
        let (meant, after) = rest.split_at(self.length as usize);
        (before, meant, after)
    }
}

/// A kept part has a few hundred characters at most.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, meant: &str) -> Excerpt {
        let source = Source::new("a.yaml", text);
        let at = text.find(meant).expect("in the text");
        Excerpt::of(&source, source.span(at..at + meant.len()))
    }

    #[test]
    fn a_short_line_is_kept_whole() {
        let one = excerpt("a: 1\nb: ü x\r\nc: 3\n", "ü");
        assert_eq!(one.text(), "b: ü x");
        assert_eq!(one.parts(), ("b: ", "ü", " x"));
        assert_eq!((one.end_line, one.end_column), (2, 5));
        let over = excerpt("a: |\n  b\n  c\n", "b\n  c");
        assert_eq!(over.parts(), ("  ", "b", ""));
        assert_eq!((over.end_line, over.end_column), (3, 4));
        assert_eq!(excerpt("", "").parts(), ("", "", ""));
    }

    #[test]
    fn of_a_long_line_the_part_around_is_kept() {
        let text = format!("{}meant{}", "ü".repeat(9000), "x".repeat(9000));
        let one = excerpt(&text, "meant");
        let (before, meant, after) = one.parts();
        assert_eq!(before, "ü".repeat(LONGEST / 2 + 1));
        assert_eq!((meant, after.len()), ("meant", LONGEST));
        assert!(excerpt(&text, &text).text().len() <= 4 * LONGEST);
    }
}
