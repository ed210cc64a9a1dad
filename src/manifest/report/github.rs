//! Findings as annotations of a GitHub workflow.

use std::fmt;

use crate::manifest::source::{Located, Severity};

/// Findings as workflow commands, one a line, that GitHub shows beside the lines they are about.
#[derive(Debug, Clone, Copy)]
pub struct GitHub<'f>(pub &'f [Located]);

impl fmt::Display for GitHub<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for located in self.0 {
            let finding = &located.finding;
            let command = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "notice",
            };
            write!(
                f,
                "::{command} file={},line={},endLine={},col={},endColumn={},title={}::",
                Property(&located.file),
                located.span.line,
                located.excerpt.end_line,
                located.span.column,
                located.excerpt.end_column,
                finding.kind.name(),
            )?;
            let object = located.object.as_deref();
            if let Some(object) = object {
                write!(f, "{}: ", Message(object))?;
            }
            let path = finding.path.to_string();
            if !path.is_empty() {
                write!(f, "{}: ", Message(&path))?;
            }
            write!(f, "{}", Message(&finding.message))?;
            if let Some(help) = &finding.help {
                write!(f, "%0Ahelp: {}", Message(help))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The text after `::`: a line break or a percent sign would end or garble it.
struct Message<'t>(&'t str);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, "%\r\n")
    }
}

/// The value of a property: a comma or colon would end it too.
struct Property<'t>(&'t str);

impl fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, "%\r\n:,")
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str, unsafe_ones: &str) -> fmt::Result {
    for character in text.chars() {
        if unsafe_ones.contains(character) || character.is_ascii_control() {
            write!(f, "%{:02X}", u32::from(character))?;
        } else {
            write!(f, "{character}")?;
        }
    }
    Ok(())
}
