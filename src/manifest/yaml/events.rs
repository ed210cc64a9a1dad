//! Turns the events of the YAML scanner into a tree.

use std::io::BufReader;
use std::ops::Range;

use libyaml_safer::{Encoding, Event, EventData, Mark, Parser, ScalarStyle};

use super::build::Builder;
use super::guard::Guarded;
use super::scalar::{self, Scalar};
use super::tree::Format;
use super::{Parsed, SyntaxError};
use crate::manifest::base64;
use crate::manifest::text::Source;

/// The scanner spreads out all it is given at a time, to four times the size: this much stays in the cache.
const WINDOW: usize = 4 << 10;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads the first document of a part of a source, if there is more than comments.
///
/// What follows `...` is left alone, as kubectl leaves it.
pub(in crate::manifest) fn read_yaml(
    source: &Source,
    part: Range<usize>,
) -> Result<Option<Parsed>, SyntaxError> {
    let whole = source.text().get(part.clone()).unwrap_or("");
    let text = whole.strip_prefix(BYTE_ORDER_MARK).unwrap_or(whole);
    let base = part.start + (whole.len() - text.len());
    let guarded = Guarded::new(text, base)?;
    let mut reader = Reader {
        effort: 0,
        guarded: &guarded,
        builder: Builder::new(source.clone(), Format::Yaml),
    };
    let mut input = BufReader::with_capacity(WINDOW, guarded.text.as_bytes());
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input(&mut input);
    let end = loop {
        let event = parser.parse().map_err(|error| reader.explain(&error))?;
        if let Some(end) = reader.event(event)? {
            break end;
        }
    };
    let end = guarded.place(end..end).start.min(part.end);
    Ok(reader.finish(end, part.end))
}

/// The scanner looks at each open bracket for each word inside it: this many looks take well below a second.
const MAX_EFFORT: usize = 200_000_000;

struct Reader<'g, 't> {
    /// How many open brackets the scanner has looked at.
    effort: usize,
    guarded: &'g Guarded<'t>,
    builder: Builder,
}

impl Reader<'_, '_> {
    /// Takes one event; at the end of the document returns where it ends.
    fn event(&mut self, event: Event) -> Result<Option<usize>, SyntaxError> {
        let start = offset(event.start_mark);
        let end = offset(event.end_mark);
        let place = self.guarded.place(start..end);
        if self.builder.is_in_flow() {
            self.effort += self.builder.depth();
            if self.effort > MAX_EFFORT {
                return Err(SyntaxError::new(
                    place,
                    "too many values are nested too deeply in brackets",
                ));
            }
        }
        match event.data {
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
            EventData::StreamEnd | EventData::DocumentEnd { .. } => return Ok(Some(end)),
            EventData::Alias { anchor } => self.builder.alias(&anchor, place)?,
            EventData::SequenceStart { anchor, style, .. } => {
                let flow = style == libyaml_safer::SequenceStyle::Flow;
                self.builder.begin_list(place.start, flow, anchor)?;
            }
            EventData::MappingStart { anchor, style, .. } => {
                let flow = style == libyaml_safer::MappingStyle::Flow;
                self.builder.begin_map(place.start, flow, anchor)?;
            }
            EventData::SequenceEnd => self.builder.end_list(place.end)?,
            EventData::MappingEnd => self.builder.end_map(place.end)?,
            EventData::Scalar {
                anchor,
                tag,
                value,
                plain_implicit,
                style,
                ..
            } => {
                let value = self.guarded.restore(&value);
                let word = Word {
                    value: &value,
                    tag: tag.as_deref().filter(|tag| !matches!(*tag, "" | "!")),
                    resolves: plain_implicit && tag.is_none(),
                    style,
                };
                self.scalar(&word, place, anchor)?;
            }
        }
        Ok(None)
    }

    fn scalar(
        &mut self,
        word: &Word<'_>,
        place: Range<usize>,
        anchor: Option<String>,
    ) -> Result<(), SyntaxError> {
        if word.style == ScalarStyle::Plain && self.builder.is_in_flow() {
            refuse_question_mark(word.value, &place)?;
        }
        if word.style == ScalarStyle::DoubleQuoted {
            self.refuse_escaped_slash(&place)?;
        }
        if word.tag.is_some() && word.value.is_empty() {
            self.refuse_comma_after_whole_tag(place.end)?;
        }
        if word.resolves && word.value == "<<" && self.builder.expects_key() {
            self.builder.merge_key(place);
            return Ok(());
        }
        let inside = match word.style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                place.start + 1..place.end.saturating_sub(1).max(place.start + 1)
            }
            _ => place.clone(),
        };
        if word.tag == Some("tag:yaml.org,2002:binary") {
            let Ok(bytes) = base64::decode(word.value) else {
                return Err(SyntaxError::new(
                    place,
                    "!!binary value contains invalid base64 data",
                ));
            };
            let text = String::from_utf8_lossy(&bytes);
            return self
                .builder
                .scalar(Scalar::Text, &text, place, inside, anchor);
        }
        let scalar = match word.tag {
            Some(tag) => scalar::resolve_tagged(tag, word.value)
                .map_err(|message| SyntaxError::new(place.clone(), message))?,
            None if word.resolves => scalar::resolve_plain(word.value),
            None => Scalar::Text,
        };
        if let Scalar::Float(value) = scalar
            && !value.is_finite()
            && !self.builder.expects_key()
        {
            let message = format!("`{}` is no number that JSON has", word.value);
            return Err(SyntaxError::new(place, message));
        }
        self.builder
            .scalar(scalar, word.value, place, inside, anchor)
    }

    /// go-yaml does not know the escape `\/`, which YAML took over from JSON later.
    fn refuse_escaped_slash(&self, place: &Range<usize>) -> Result<(), SyntaxError> {
        let text = self.builder.source_text(place.clone());
        if !text.contains("\\/") {
            return Ok(());
        }
        let mut escaped = false;
        for (at, character) in text.char_indices() {
            if escaped && character == '/' {
                let at = place.start + at;
                return Err(SyntaxError::new(
                    at - 1..at + 1,
                    "found unknown escape character",
                ));
            }
            escaped = !escaped && character == '\\';
        }
        Ok(())
    }

    /// go-yaml wants a blank behind the whole name of a tag (`!<a>`), even before a comma.
    fn refuse_comma_after_whole_tag(&self, end: usize) -> Result<(), SyntaxError> {
        match self.builder.source_text(end.saturating_sub(1)..end + 1) {
            ">," => Err(SyntaxError::new(
                end..end + 1,
                "did not find expected whitespace or line break",
            )),
            _ => Ok(()),
        }
    }

    fn explain(&self, error: &libyaml_safer::Error) -> SyntaxError {
        let problem = error.problem();
        let mark = match error.context_mark() {
            // Where a quote begins that never ends says more than where the text ends.
            Some(context) if problem.ends_with("end of stream") => Some(context),
            context => error.problem_mark().or(context),
        };
        let at = self.guarded.place(0..mark.map_or(0, offset)).end;
        SyntaxError::new(at..at, problem)
    }

    fn finish(self, end: usize, part_end: usize) -> Option<Parsed> {
        let (tree, root, duplicates) = self.builder.finish()?;
        let rest = tree.source().text().get(end..part_end).unwrap_or("");
        let ignored = (!is_blank(rest)).then_some(end..part_end);
        Some(Parsed {
            tree,
            root,
            duplicates,
            ignored,
        })
    }
}

/// A scalar as the scanner reports it.
struct Word<'v> {
    value: &'v str,
    tag: Option<&'v str>,
    /// Whether the text decides the type, as it does for plain scalars without a tag.
    resolves: bool,
    style: ScalarStyle,
}

fn offset(mark: Mark) -> usize {
    usize::try_from(mark.index).unwrap_or(usize::MAX)
}

/// Inside brackets go-yaml takes a question mark for an indicator, wherever it stands in a plain scalar.
fn refuse_question_mark(value: &str, place: &Range<usize>) -> Result<(), SyntaxError> {
    match value.find('?') {
        Some(at) => {
            let at = place.start + at;
            Err(SyntaxError::new(
                at..at + 1,
                "a `?` inside brackets must be quoted",
            ))
        }
        None => Ok(()),
    }
}

/// Tells whether a text has nothing but blank lines and comments.
fn is_blank(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line == "...")
}
