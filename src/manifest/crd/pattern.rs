//! Patterns, which are Go's.

use std::sync::OnceLock;

use regex::Regex;

/// A pattern, compiled when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    pub(super) text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            compiled: OnceLock::new(),
        }
    }

    /// Tells whether a text matches anywhere; none if the pattern is none.
    pub(super) fn is_match(&self, text: &str) -> Option<bool> {
        let compiled = self
            .compiled
            .get_or_init(|| Regex::new(&translate(&self.text)).ok());
        compiled.as_ref().map(|pattern| pattern.is_match(text))
    }
}

/// Rewrites what Go's syntax (RE2) and Rust's understand differently.
///
/// In Go `\d`, `\w` and `\s` are ASCII, a bracket in a class and a brace that repeats nothing stand for
/// themselves, and `\<` is a letter.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut class_at = None;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        rest = after;
        match character {
            '\\' => rest = escape(after, &mut out),
            '[' if class_at.is_none() => {
                class_at = Some(out.len());
                out.push('[');
                for mark in ["^", "]"] {
                    if let Some(more) = rest.strip_prefix(mark) {
                        out.push_str(if mark == "]" { "\\]" } else { mark });
                        rest = more;
                    }
                }
            }
            '[' if after.starts_with(':') => {
                let end = after.find(":]").map_or(0, |end| end + 2);
                out.push('[');
                out.push_str(&after[..end]);
                rest = &after[end..];
            }
            ']' if class_at.take().is_some() => out.push(']'),
            '[' | '&' | '~' if class_at.is_some() => out.extend(['\\', character]),
            '{' if class_at.is_none() && !is_repeat(after) => out.push_str("\\{"),
            _ => out.push(character),
        }
    }
    out
}

/// Rewrites what follows a backslash; returns the rest.
fn escape<'p>(after: &'p str, out: &mut String) -> &'p str {
    let Some(character) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    match character {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\x0C\r ]"),
        'S' => out.push_str(r"[^\t\n\x0C\r ]"),
        'b' => out.push_str(r"(?-u:\b)"),
        '<' | '>' => out.push(character),
        // The braces of a class by name are no count.
        'p' | 'P' if after[1..].starts_with('{') => {
            let end = after.find('}').map_or(after.len(), |end| end + 1);
            out.push('\\');
            out.push_str(&after[..end]);
            return &after[end..];
        }
        _ => out.extend(['\\', character]),
    }
    &after[character.len_utf8()..]
}

/// Tells whether what follows a brace is a count: `3}`, `1,}` or `1,5}`.
fn is_repeat(after: &str) -> bool {
    let Some((count, _)) = after.split_once('}') else {
        return false;
    };
    let (from, to) = count.split_once(',').unwrap_or((count, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !from.is_empty() && is_number(from) && is_number(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_it_means_in_go() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "१२", false),
            (r"^[\w.-]+$", "a_b.c-d", true),
            (r"^[\w.-]+$", "ü", false),
            (r"^{.*}$", "{a}", true),
            (r"^a{2,3}$", "aaa", true),
            (r"^[[]$", "[", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]]+$", "a]", false),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^[a&&b]+$", "&a", true),
            (r"^([0-9]+(\.[0-9]+)?)(s|m|h)$", "1.5h", true),
            (r"^(?:[A-Za-z0-9+/]{4})*$", "abcd", true),
            (r"^\p{L}+$", "ünï", true),
            (r"foo", "a foo b", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).is_match(text),
                Some(matches),
                "{pattern} {text}"
            );
        }
        assert_eq!(Pattern::new("(").is_match("a"), None);
    }
}
