//! Reads JSON by its own rules, with the messages of Go's `encoding/json`.

use std::borrow::Cow;
use std::ops::Range;

use super::build::Builder;
use super::scalar::Scalar;
use super::tree::Format;
use super::{MAX_DOCUMENT, Parsed, SyntaxError};
use crate::manifest::text::{Source, floor_char_boundary};

/// A JSON value and where the next one may begin.
pub(in crate::manifest) struct Outcome {
    pub(in crate::manifest) parsed: Parsed,
    pub(in crate::manifest) end: usize,
}

/// Reads the JSON value that a part of a source begins with.
pub(in crate::manifest) fn read_json(
    source: &Source,
    part: Range<usize>,
) -> Result<Outcome, SyntaxError> {
    let limit = part.end.min(part.start + MAX_DOCUMENT);
    let limit = floor_char_boundary(source.text(), limit);
    let text = source.text().get(..limit).unwrap_or("");
    let outcome = read_value(source, text, part.start);
    match outcome {
        Err(error) if limit < part.end && error.place.start >= limit => {
            let message = format!("the document is larger than {} MiB", MAX_DOCUMENT >> 20);
            Err(SyntaxError::new(part.start..part.start, message))
        }
        outcome => outcome,
    }
}

fn read_value(source: &Source, text: &str, start: usize) -> Result<Outcome, SyntaxError> {
    let mut reader = Reader {
        text,
        at: start,
        builder: Builder::new(source.clone(), Format::Json),
        open: Vec::new(),
    };
    reader.value()?;
    while let Some(&open) = reader.open.last() {
        reader.item(open)?;
    }
    let end = reader.at;
    let Some((tree, root, duplicates)) = reader.builder.finish() else {
        return Err(SyntaxError::new(end..end, "unexpected end of JSON input"));
    };
    let parsed = Parsed {
        tree,
        root,
        duplicates,
        ignored: None,
    };
    Ok(Outcome { parsed, end })
}

/// An open bracket: of what, and whether anything stands in it yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    FirstItem,
    Item,
    FirstKey,
    Key,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    builder: Builder,
    open: Vec<Open>,
}

impl<'t> Reader<'t> {
    /// Reads what comes next inside the innermost bracket: an item, an entry, or its end.
    fn item(&mut self, open: Open) -> Result<(), SyntaxError> {
        let next = self.peek();
        match (open, next) {
            (_, None) => Err(self.ended()),
            (Open::FirstItem | Open::Item, Some(b']')) => {
                self.at += 1;
                self.open.pop();
                self.builder.end_list(self.at)
            }
            (Open::FirstKey | Open::Key, Some(b'}')) => {
                self.at += 1;
                self.open.pop();
                self.builder.end_map(self.at)
            }
            (Open::FirstItem, Some(_)) => {
                self.replace(Open::Item);
                self.value()
            }
            (Open::Item, Some(b',')) => {
                self.at += 1;
                self.value()
            }
            (Open::Item, Some(_)) => Err(self.unexpected("after array element")),
            (Open::FirstKey, Some(_)) => {
                self.replace(Open::Key);
                self.entry()
            }
            (Open::Key, Some(b',')) => {
                self.at += 1;
                self.entry()
            }
            (Open::Key, Some(_)) => Err(self.unexpected("after object key:value pair")),
        }
    }

    fn replace(&mut self, open: Open) {
        if let Some(last) = self.open.last_mut() {
            *last = open;
        }
    }

    fn entry(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(_) => return Err(self.unexpected("looking for beginning of object key string")),
            None => return Err(self.ended()),
        }
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(self.unexpected("after object key")),
            None => return Err(self.ended()),
        }
        self.value()
    }

    /// Reads a scalar, or the bracket that a list or a map begins with.
    fn value(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            None => Err(self.ended()),
            Some(b'{') => {
                self.builder.begin_map(self.at, true, None)?;
                self.at += 1;
                self.open.push(Open::FirstKey);
                Ok(())
            }
            Some(b'[') => {
                self.builder.begin_list(self.at, true, None)?;
                self.at += 1;
                self.open.push(Open::FirstItem);
                Ok(())
            }
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Scalar::Bool(true)),
            Some(b'f') => self.word("false", Scalar::Bool(false)),
            Some(b'n') => self.word("null", Scalar::Null),
            Some(_) => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str, scalar: Scalar) -> Result<(), SyntaxError> {
        let start = self.at;
        if !self.text[start..].starts_with(word) {
            let context = format!("in literal {word}");
            return Err(self.unexpected(&context));
        }
        self.at += word.len();
        self.builder
            .scalar(scalar, word, start..self.at, start..self.at, None)
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.unexpected("in numeric literal")),
        }
        let mut whole = true;
        if self.byte() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let place = start..self.at;
        let text = &self.text[place.clone()];
        let Some(scalar) = number(text, whole) else {
            let message = format!("{OUT_OF_RANGE} {text} into Go value of type float64");
            return Err(SyntaxError::new(place, message));
        };
        self.builder
            .scalar(scalar, text, place.clone(), place, None)
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected("in numeric literal"));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        let (text, inside) = self.string_text()?;
        self.builder
            .scalar(Scalar::Text, &text, start..self.at, inside, None)
    }

    fn string_text(&mut self) -> Result<(Cow<'t, str>, Range<usize>), SyntaxError> {
        self.at += 1;
        let start = self.at;
        let mut from = start;
        let mut unescaped: Option<String> = None;
        loop {
            match self.byte() {
                None => return Err(self.ended()),
                Some(b'"') => break,
                Some(b'\\') => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    let character = self.escape()?;
                    unescaped.get_or_insert_default().push(character);
                    from = self.at;
                }
                Some(0..=0x1f) => return Err(self.unexpected("in string literal")),
                Some(_) => self.at += 1,
            }
        }
        let rest = &self.text[from..self.at];
        let inside = start..self.at;
        self.at += 1;
        Ok(match unescaped {
            None => (Cow::Borrowed(rest), inside),
            Some(text) => (Cow::Owned(text + rest), inside),
        })
    }

    /// Reads what follows a backslash; half a surrogate pair becomes U+FFFD, as in Go.
    fn escape(&mut self) -> Result<char, SyntaxError> {
        let character = match self.byte() {
            None => return Err(self.ended()),
            Some(b'u') => return self.unicode_escape(),
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(_) => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let first = self.code_unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_first = self.at;
        if self.text[self.at..].starts_with("\\u") {
            self.at += 1;
            let second = self.code_unit()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00));
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        self.at = after_first;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// Reads `uXXXX`.
    fn code_unit(&mut self) -> Result<u32, SyntaxError> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let Some(byte) = self.byte() else {
                return Err(self.ended());
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space and returns the byte after it.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.byte()
    }

    fn unexpected(&self, context: &str) -> SyntaxError {
        let rest = self.text.get(self.at..).unwrap_or("");
        let Some(character) = rest.chars().next() else {
            return self.ended();
        };
        let place = self.at..self.at + character.len_utf8();
        SyntaxError::new(place, format!("invalid character {character:?} {context}"))
    }

    fn ended(&self) -> SyntaxError {
        SyntaxError::new(self.at..self.at, "unexpected end of JSON input")
    }
}

/// What is said of a number that is right in form, so that no other reader need be asked.
pub(in crate::manifest) const OUT_OF_RANGE: &str = "json: cannot unmarshal number";

fn number(text: &str, whole: bool) -> Option<Scalar> {
    if whole {
        if let Ok(value) = text.parse() {
            return Some(Scalar::Int(value));
        }
        if let Ok(value) = text.parse() {
            return Some(Scalar::Uint(value));
        }
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Scalar::Float(value))
}
