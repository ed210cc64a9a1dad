//! What came of checking manifests.

use std::sync::Arc;

use super::checked::Key;
use super::source::{Located, Severity};

/// An object by its place and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The number of the source among those read together.
    pub input: usize,
    /// The number of the document in its source.
    pub document: usize,
    /// What the object is, such as "pod `web`".
    pub title: Option<Arc<str>>,
}

impl Named {
    pub(super) fn key(&self) -> Key {
        (self.input, Some(self.document), self.title.clone())
    }
}

/// What was read, by name.
#[derive(Debug, Default)]
pub struct Names {
    pub files: Vec<Arc<str>>,
    /// In the order they were written.
    pub objects: Vec<Named>,
}

impl Names {
    /// Adds what stands behind it.
    pub(super) fn append(&mut self, mut later: Self) {
        self.files.append(&mut later.files);
        self.objects.append(&mut later.objects);
    }
}

/// What was read, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many sources there are.
    pub files: usize,
    /// How many objects were not left out.
    pub objects: usize,
    /// All of them, if they were to be named.
    pub names: Names,
    /// In the order of their places.
    pub findings: Vec<Located>,
    /// How many findings a reason was given for.
    pub suppressed: usize,
    /// How many objects were left out by their kind.
    pub skipped: usize,
}

impl Verdict {
    /// Tells whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|located| located.finding.severity == Severity::Error)
    }
}
