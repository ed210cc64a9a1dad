//! What the check leaves open, named.

use super::schema::Schema;
use crate::manifest::fault::MAX_FINDINGS;
use crate::manifest::source::{At, Finding, FindingType, Findings, Severity};

/// Names the rules in CEL that stand over a value.
pub(super) fn note(schema: &Schema, at: &At<'_>, found: &mut Findings) {
    for rule in &schema.rules {
        push(
            format!("not checked: the CEL rule `{}`", one_line(rule)),
            at,
            found,
        );
    }
}

/// Names a pattern that cannot be read.
pub(super) fn note_pattern(pattern: &str, at: &At<'_>, found: &mut Findings) {
    push(format!("not checked: the pattern `{pattern}`"), at, found);
}

fn push(message: String, at: &At<'_>, found: &mut Findings) {
    if found.0.len() < MAX_FINDINGS {
        found.0.push(Finding {
            severity: Severity::Note,
            kind: FindingType::Warning,
            path: at.to_path(),
            message,
            help: None,
        });
    }
}

fn one_line(rule: &str) -> String {
    let words: Vec<&str> = rule.split_whitespace().collect();
    words.join(" ")
}
