//! How many objects are valid.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::manifest::source::Severity;
use crate::manifest::verdict::Verdict;

/// What a verdict comes to, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    pub files: usize,
    pub objects: usize,
    /// Documents and objects with an error.
    pub invalid: usize,
    pub errors: usize,
    pub warnings: usize,
    pub suppressed: usize,
    pub skipped: usize,
}

impl Counts {
    /// Counts.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        let of = |severity: Severity| {
            let findings = verdict.findings.iter();
            findings.filter(move |located| located.finding.severity == severity)
        };
        let invalid: BTreeSet<_> = of(Severity::Error)
            .map(|located| (located.input, located.document, &located.object))
            .collect();
        Self {
            files: verdict.files,
            objects: verdict.objects,
            invalid: invalid.len(),
            errors: of(Severity::Error).count(),
            warnings: of(Severity::Warning).count(),
            suppressed: verdict.suppressed,
            skipped: verdict.skipped,
        }
    }
}

/// The counts in one line.
#[derive(Debug, Clone, Copy)]
pub struct Summary(pub Counts);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            files,
            objects,
            invalid,
            errors,
            warnings,
            suppressed,
            skipped,
        } = self.0;
        write!(
            f,
            "summary: {} in {}: {invalid} invalid, {}, {}",
            many(objects, "object"),
            many(files, "file"),
            many(errors, "error"),
            many(warnings, "warning"),
        )?;
        if suppressed > 0 {
            write!(f, ", {suppressed} suppressed")?;
        }
        if skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        writeln!(f)
    }
}

fn many(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}
