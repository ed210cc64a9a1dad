//! Findings as text: what is wrong, where it stands, what to do.

use std::fmt::{self, Write as _};

use crate::manifest::excerpt::LONGEST;
use crate::manifest::source::{Located, Severity};

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
            write_finding(f, located, PLAIN)?;
        }
        Ok(())
    }
}

/// The same in colours, which only repeat what the words say.
#[derive(Debug, Clone, Copy)]
pub struct Coloured<'f>(pub &'f [Located]);

impl fmt::Display for Coloured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for located in self.0 {
            write_finding(f, located, COLOURS)?;
        }
        Ok(())
    }
}

/// What is written before each kind of word, and after it.
#[derive(Clone, Copy)]
struct Paint {
    error: &'static str,
    warning: &'static str,
    mark: &'static str,
    help: &'static str,
    end: &'static str,
}

const PLAIN: Paint = Paint {
    error: "",
    warning: "",
    mark: "",
    help: "",
    end: "",
};

const COLOURS: Paint = Paint {
    error: "\x1b[1;31m",
    warning: "\x1b[1;33m",
    mark: "\x1b[1;34m",
    help: "\x1b[1;36m",
    end: "\x1b[0m",
};

impl Paint {
    fn of(self, severity: Severity) -> &'static str {
        match severity {
            Severity::Error => self.error,
            Severity::Warning => self.warning,
            Severity::Note => self.help,
        }
    }
}

fn write_finding(f: &mut fmt::Formatter<'_>, located: &Located, paint: Paint) -> fmt::Result {
    let finding = &located.finding;
    let (severity, end) = (finding.severity, paint.end);
    write!(f, "{}{}:{end} ", paint.of(severity), severity.name())?;
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
        "  {}-->{end} {}:{}:{}",
        paint.mark,
        Escaped(&located.file),
        span.line,
        span.column
    )?;
    if !path.is_empty() {
        write!(f, "  ({})", Escaped(&path))?;
    }
    writeln!(f)?;
    write_excerpt(f, located, paint)?;
    if let Some(help) = &finding.help {
        writeln!(f, "  {}help:{end} {}", paint.help, Escaped(help))?;
    }
    Ok(())
}

/// Writes the source line with carets below what is meant.
fn write_excerpt(f: &mut fmt::Formatter<'_>, located: &Located, paint: Paint) -> fmt::Result {
    let span = located.span;
    let (before, meant, after) = located.excerpt.parts();
    let width = span.line.to_string().len();
    let mut shown = String::new();
    before.chars().for_each(|c| escape_into(&mut shown, c));
    let indent = shown.chars().count();
    meant.chars().for_each(|c| escape_into(&mut shown, c));
    let carets = "^".repeat((shown.chars().count() - indent).max(1));
    let room = LONGEST.saturating_sub(shown.len());
    after
        .chars()
        .take(room)
        .for_each(|c| escape_into(&mut shown, c));
    let (mark, end) = (paint.mark, paint.end);
    let colour = paint.of(located.finding.severity);
    writeln!(f, "{mark}{:width$} |{end}", "")?;
    writeln!(f, "{mark}{} |{end} {}", span.line, shown.trim_end())?;
    writeln!(
        f,
        "{mark}{:width$} |{end} {:indent$}{colour}{carets}{end}",
        "", ""
    )
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
