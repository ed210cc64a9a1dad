//! The way in: sources to objects and findings, in one call.

mod object;
mod reader;

use std::collections::BTreeSet;
use std::ops::Range;

use super::checked::{Key, place};
use super::decode::Object;
use super::document::Document;
use super::schema::KubernetesVersion;
use super::source::{FindingType, Findings, Located, Severity};
use super::text::Source;

use reader::Reader;

pub(super) use object::passed_over;

/// What becomes of a field that the kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownFields {
    /// It is passed over in silence.
    Ignore,
    /// It is passed over with a warning.
    #[default]
    Warn,
    /// It is an error, as for the API server's strict reader.
    Refuse,
}

/// What becomes of the kinds that are not decoded into types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kinds {
    /// They are passed over with a warning, as for `kube play`.
    #[default]
    Played,
    /// Those that Kubernetes has built in are checked, others are errors, as for `kube validate`.
    BuiltIn,
}

/// How to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    pub unknown_fields: UnknownFields,
    pub kinds: Kinds,
    /// The version whose kinds and fields there are.
    pub kubernetes: KubernetesVersion,
}

impl ReadOptions {
    fn unknown_fields(&self) -> Option<Severity> {
        match self.unknown_fields {
            UnknownFields::Ignore => None,
            UnknownFields::Warn => Some(Severity::Warning),
            UnknownFields::Refuse => Some(Severity::Error),
        }
    }
}

/// One object: as written, and decoded unless a value had the wrong type.
#[derive(Debug)]
pub struct Read {
    pub document: Document,
    pub object: Option<Object>,
}

/// All that was read together.
#[derive(Debug, Default)]
pub struct Reading {
    /// The objects in the order they were written, items of lists in their place.
    pub objects: Vec<Read>,
    /// What is wrong with syntax and structure, in the order of the places.
    pub findings: Vec<Located>,
}

impl Reading {
    /// Tells whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|located| located.finding.severity == Severity::Error)
    }

    /// Takes the findings away that nothing is known of the kinds of these objects.
    pub(super) fn settle(&mut self, objects: &BTreeSet<Key>) {
        self.findings.retain(|located| {
            located.finding.kind != FindingType::UnknownKind || !objects.contains(&place(located))
        });
    }

    /// Counts documents that stand before those that were read.
    pub(super) fn renumber(&mut self, before: usize) {
        for read in &mut self.objects {
            read.document.renumber(before);
        }
        for located in &mut self.findings {
            located.renumber(before);
        }
    }

    /// Adds findings about one of the objects, such as a rule's.
    pub fn add(&mut self, document: &Document, findings: Findings) {
        self.findings.extend(document.locate(findings));
        Located::sort(&mut self.findings);
    }
}

/// Reads sources as if they were joined by `---`, as Kubernetes reads them.
///
/// Nothing stops the reading: a document that is no YAML, or a value of the wrong type, becomes a finding and
/// the next document is read. An empty source, or one with only comments, has no objects.
#[must_use]
pub fn read(sources: &[Source], options: &ReadOptions) -> Reading {
    let mut reading = Reading::default();
    for (input, source) in sources.iter().enumerate() {
        read_source(input, source, options, &mut reading);
    }
    Located::sort(&mut reading.findings);
    reading
}

/// Reads one source; returns how many documents it is.
pub(super) fn read_source(
    input: usize,
    source: &Source,
    options: &ReadOptions,
    reading: &mut Reading,
) -> usize {
    let mut reader = Reader::new(input, source, options, reading);
    reader.read();
    reader.next
}

/// Reads some of the parts that a source was split into, as if they were all; returns how many documents they are.
pub(super) fn read_parts(
    input: usize,
    source: &Source,
    parts: &[Range<usize>],
    options: &ReadOptions,
    reading: &mut Reading,
) -> usize {
    let mut reader = Reader::new(input, source, options, reading);
    for part in parts {
        reader.part(part.clone());
    }
    reader.next
}
