//! What has to be known about a text before the YAML scanner may see it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use super::{MAX_DOCUMENT, SyntaxError};

/// A document's text in the form that the scanner takes.
pub(super) struct Guarded<'t> {
    pub(super) text: Cow<'t, str>,
    /// Where blanks were put in: byte offsets in `text`, each before [`Guarded::filler`] bytes of blanks.
    fillers: Vec<usize>,
    filler: usize,
    /// The offset of the document in its source.
    base: usize,
}

impl<'t> Guarded<'t> {
    /// Checks a text and makes it safe for the scanner.
    ///
    /// The text ends with a line break afterwards, as each line does that kubectl's reader hands on; the
    /// scanner would fail on a block scalar or an escape that ends without one.
    pub(super) fn new(text: &'t str, base: usize) -> Result<Self, SyntaxError> {
        if text.len() > MAX_DOCUMENT {
            let message = format!("the document is larger than {} MiB", MAX_DOCUMENT >> 20);
            return Err(SyntaxError::new(base..base, message));
        }
        if let Some(at) = forbidden_character(text) {
            return Err(SyntaxError::new(
                base + at..base + at,
                "control characters are not allowed",
            ));
        }
        let mut text = Cow::Borrowed(text);
        if !text.ends_with('\n') {
            text.to_mut().push('\n');
        }
        let commas = commas_after_tags(&text);
        let mut guarded = Guarded {
            text,
            fillers: Vec::new(),
            filler: 0,
            base,
        };
        if !commas.is_empty() {
            guarded.fill(&commas);
        }
        Ok(guarded)
    }

    /// Puts blanks before each comma that ends a tag (`[!a, b]`), where the scanner would panic.
    ///
    /// Such a comma may as well stand inside a string: [`Guarded::restore`] takes the blanks out again. They are
    /// more than stand before any other comma, so what is taken out is what was put in.
    fn fill(&mut self, commas: &[usize]) {
        let filler = longest_blanks_before_comma(&self.text) + 1;
        let blanks = " ".repeat(filler);
        let mut text = String::with_capacity(self.text.len() + commas.len() * filler);
        let mut from = 0;
        for &comma in commas {
            text.push_str(&self.text[from..comma]);
            self.fillers.push(text.len());
            text.push_str(&blanks);
            from = comma;
        }
        text.push_str(&self.text[from..]);
        self.text = Cow::Owned(text);
        self.filler = filler;
    }

    /// Returns a scalar as it was before blanks were put in.
    pub(super) fn restore<'v>(&self, value: &'v str) -> Cow<'v, str> {
        if self.filler == 0 {
            return Cow::Borrowed(value);
        }
        let filled = format!("{},", " ".repeat(self.filler));
        Cow::Owned(value.replace(&filled, ","))
    }

    /// Turns a position in the scanner's text into one in the source.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        self.offset(range.start)..self.offset(range.end)
    }

    fn offset(&self, at: usize) -> usize {
        let before = self.fillers.partition_point(|&filler| filler < at);
        self.base + at - (before * self.filler).min(at)
    }
}

/// Returns where the first character stands that YAML does not allow.
fn forbidden_character(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_forbidden = |at: &usize| match bytes[*at] {
        byte if is_plain(byte) => false,
        // U+0080 to U+009F, of which U+0085 is a line break
        0xC2 => matches!(bytes.get(at + 1), Some(0x80..=0x84 | 0x86..=0x9F)),
        0xEF => matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])),
        0x80.. => false,
        _ => true,
    };
    // Nearly all blocks are plain, which is told of many bytes at once.
    let blocks = bytes.chunks(BLOCK).enumerate();
    let mut doubtful =
        blocks.filter(|(_, block)| !block.iter().fold(true, |all, &byte| all & is_plain(byte)));
    doubtful.find_map(|(number, block)| {
        let start = number * BLOCK;
        (start..start + block.len()).find(is_forbidden)
    })
}

const BLOCK: usize = 64;

/// Tells whether a byte is a character of its own that YAML allows.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

/// Returns where commas stand that may directly follow a tag.
fn commas_after_tags(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut commas = Vec::new();
    let Some(first) = memchr(b'!', bytes) else {
        return commas;
    };
    let (mut in_tag, mut in_brackets) = (false, false);
    for (at, &byte) in bytes.iter().enumerate().skip(first) {
        match byte {
            // the whole name of a tag may have commas: `!<tag:yaml.org,2002:str>`
            b'!' if bytes.get(at + 1) == Some(&b'<') => in_brackets = true,
            b'>' if in_brackets => (in_tag, in_brackets) = (true, false),
            b',' if in_brackets => {}
            b'!' => in_tag = true,
            b',' if in_tag => {
                commas.push(at);
                in_tag = false;
            }
            b'\t' | b'\n' | b'\r' | b' ' => (in_tag, in_brackets) = (false, false),
            _ => {}
        }
    }
    commas
}

fn longest_blanks_before_comma(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for byte in text.bytes() {
        match byte {
            b' ' => run += 1,
            b',' => {
                longest = longest.max(run);
                run = 0;
            }
            _ => run = 0,
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_the_blanks_put_in() {
        let text = "[!a, !b, 'x !c,']\n";
        let guarded = Guarded::new(text, 100).expect("fine");
        assert_eq!(guarded.text, "[!a , !b , 'x !c ,']\n");
        let quote = guarded.text.find('\'').expect("there");
        assert_eq!(guarded.place(quote..quote).start, 100 + 9);
        assert_eq!(guarded.restore("x !c ,"), "x !c,");
    }

    #[test]
    fn control_characters_are_found() {
        assert_eq!(forbidden_character("a\tb\r\nü\u{85}\u{feff}"), None);
        assert_eq!(forbidden_character("ab\u{7}"), Some(2));
        assert_eq!(forbidden_character("a\u{9f}"), Some(1));
        assert_eq!(forbidden_character("\u{7f}"), Some(0));
        assert_eq!(forbidden_character("\u{ffff}"), Some(0));
        // at the end of a block, and behind blocks that are plain
        for plain in [BLOCK - 1, BLOCK, 3 * BLOCK + 1] {
            let text = "a".repeat(plain);
            assert_eq!(forbidden_character(&format!("{text}ü")), None);
            for forbidden in ["\u{7}", "\u{9f}", "\u{ffff}"] {
                assert_eq!(
                    forbidden_character(&format!("{text}{forbidden}")),
                    Some(plain)
                );
            }
        }
    }
}
