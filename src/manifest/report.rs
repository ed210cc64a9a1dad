//! Findings as text: what is wrong, where it stands, what to do.

use std::fmt::{self, Write as _};

use super::source::{Located, Severity};

/// The most characters of a source line that are shown.
const MAX_LINE: usize = 120;

/// Findings for a person to read, one block each, in the order given.
///
/// ```text
/// error: pod `web`: spec.containers[0].image: Required value
///   --> web.yaml:14:7  (spec.containers[0].image)
///    |
/// 14 |     - name: x
///    |       ^^^^
///   help: …
/// ```
///
/// What comes from the input is shown with its control characters escaped, so that a hostile manifest cannot
/// steer the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Report<'f>(pub &'f [Located]);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for located in self.0 {
            write_finding(f, located)?;
        }
        Ok(())
    }
}

fn write_finding(f: &mut fmt::Formatter<'_>, located: &Located) -> fmt::Result {
    let finding = &located.finding;
    f.write_str(match finding.severity {
        Severity::Error => "error: ",
        Severity::Warning => "warning: ",
    })?;
    if let Some(object) = &located.object {
        write!(f, "{}: ", Escaped(object))?;
    }
    let path = finding.path.to_string();
    if !path.is_empty() {
        write!(f, "{}: ", Escaped(&path))?;
    }
    writeln!(f, "{}", Escaped(&finding.message))?;
    let span = located.span;
    write!(
        f,
        "  --> {}:{}:{}",
        Escaped(located.source.name()),
        span.line,
        span.column
    )?;
    if !path.is_empty() {
        write!(f, "  ({})", Escaped(&path))?;
    }
    writeln!(f)?;
    write_excerpt(f, located)?;
    if let Some(help) = &finding.help {
        writeln!(f, "  help: {}", Escaped(help))?;
    }
    Ok(())
}

/// Writes the source line with carets below what is meant.
fn write_excerpt(f: &mut fmt::Formatter<'_>, located: &Located) -> fmt::Result {
    let span = located.span;
    let line = located.source.line(span.line);
    let from = span.column.saturating_sub(1) as usize;
    let meant = located
        .source
        .text()
        .get(span.start..span.end)
        .and_then(|text| text.lines().next())
        .map_or(1, |text| text.chars().count().max(1));
    let skipped = if from + meant <= MAX_LINE {
        0
    } else {
        from.saturating_sub(MAX_LINE / 2)
    };
    let width = span.line.to_string().len();
    let mut shown = String::new();
    let mut carets = String::new();
    for (at, character) in line.chars().enumerate().skip(skipped).take(MAX_LINE) {
        let before = shown.len();
        escape_into(&mut shown, character);
        let length = shown[before..].chars().count();
        let mark = if (from..from + meant).contains(&at) {
            '^'
        } else {
            ' '
        };
        carets.extend(std::iter::repeat_n(mark, length));
    }
    if from >= line.chars().count() {
        carets.push('^');
    }
    writeln!(f, "{:width$} |", "")?;
    writeln!(f, "{:width$} | {shown}", span.line)?;
    writeln!(f, "{:width$} | {}", "", carets.trim_end())
}

/// A text whose control characters are written as escapes.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_unsafe(character) {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

fn escape_into(text: &mut String, character: char) {
    match character {
        '\t' => text.push_str("    "),
        character if is_unsafe(character) => text.extend(character.escape_unicode()),
        character => text.push(character),
    }
}

/// Tells whether a character could steer a terminal: controls, and what turns the writing direction.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
