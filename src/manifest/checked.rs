//! What is kept of a piece of the manifests once it is read and held against the rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::crd::{self, CustomKinds};
use super::decode::Object;
use super::document::Document;
use super::pieces::Piece;
use super::read::{Kinds, Read, Reading};
use super::rules::{self, Outline};
use super::source::{At, FindingType, Findings, Located};
use super::suppress::Suppressions;
use super::validate::{Objects, ValidateOptions};

/// What tells an object from the others: its input, its document and its title.
pub(super) type Key = (usize, Option<usize>, Option<Arc<str>>);

/// Returns the object that a finding is about.
pub(super) fn place(located: &Located) -> Key {
    (located.input, located.document, located.object.clone())
}

/// Returns what tells an object from the others.
pub(super) fn key(document: &Document) -> Key {
    (document.input(), Some(document.index()), document.title())
}

/// Findings and outlines; the objects themselves only if they are asked for.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) reading: Reading,
    pub(super) outlines: Vec<Outline>,
    pub(super) suppressions: Suppressions,
    /// The kinds that its own manifests define.
    pub(super) defined: CustomKinds,
    /// Objects of kinds that nothing is known of yet.
    pub(super) unknown: Vec<Unknown>,
    /// The objects that nothing is to be told of.
    pub(super) skipped: Vec<Key>,
}

/// An object of a kind that nothing is known of.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) object: Key,
    pub(super) api_version: Box<str>,
    pub(super) kind: Box<str>,
}

impl Checked {
    /// Holds the objects of a piece against the rules, each for itself.
    pub(super) fn of(piece: &Piece, mut reading: Reading, options: &ValidateOptions) -> Self {
        let mut checked = Self::default();
        rules::check_each(&mut reading, options.extent);
        if options.kinds == Kinds::BuiltIn {
            rules::check_unplayed(&mut reading);
            checked.custom_kinds(&mut reading, &options.custom);
        }
        for read in &reading.objects {
            let document = &read.document;
            checked.outlines.push(Outline::of(read, options.extent));
            if options.reject.iter().any(|pattern| pattern.fits(document)) {
                reading.findings.extend(document.locate(rejected(document)));
            }
            if options.skip.iter().any(|pattern| pattern.fits(document)) {
                checked.skipped.push(key(document));
            }
        }
        let (input, source) = (piece.input, &piece.source);
        let range = piece.range.clone();
        checked.suppressions = Suppressions::of(input, source, range, &reading.objects);
        if options.objects == Objects::Forget {
            reading.objects = Vec::new();
        }
        // Most files have one object: what is kept of each is not to have room for more.
        reading.findings.shrink_to_fit();
        checked.outlines.shrink_to_fit();
        checked.reading = reading;
        checked
    }

    /// Checks the objects of kinds that are defined before them or in their own piece, and notes the others.
    fn custom_kinds(&mut self, reading: &mut Reading, given: &CustomKinds) {
        for read in &reading.objects {
            self.defined.define(&read.document);
        }
        let findings = reading.findings.iter();
        let unknown = findings.filter(|one| one.finding.kind == FindingType::UnknownKind);
        let unknown: BTreeSet<Key> = unknown.map(place).collect();
        let mut settled = BTreeSet::new();
        for document in untyped(&reading.objects) {
            let mut found = Findings::default();
            crd::check_definition(document, &mut found);
            let object = key(document);
            let mut known = [&self.defined, given].into_iter();
            if let Some(kinds) = known.find(|kinds| kinds.has(document)) {
                kinds.check(document, &mut found);
                settled.insert(object);
            } else if unknown.contains(&object) {
                self.unknown.push(Unknown {
                    object,
                    api_version: document.api_version().into(),
                    kind: document.kind().into(),
                });
            }
            reading.findings.extend(document.locate(found));
        }
        reading.settle(&settled);
    }

    /// Makes room for what came of these pieces, so that it is not moved again and again.
    pub(super) fn reserve<'c>(&mut self, pieces: impl Iterator<Item = &'c Self> + Clone) {
        let findings = pieces.clone().map(|one| one.reading.findings.len());
        self.reading.findings.reserve_exact(findings.sum());
        let outlines = pieces.map(|one| one.outlines.len());
        self.outlines.reserve_exact(outlines.sum());
    }

    /// Adds what came of the piece behind it.
    pub(super) fn append(&mut self, mut later: Self) {
        self.reading.objects.append(&mut later.reading.objects);
        self.reading.findings.append(&mut later.reading.findings);
        self.outlines.append(&mut later.outlines);
        self.suppressions.append(later.suppressions);
        self.unknown.append(&mut later.unknown);
        self.skipped.append(&mut later.skipped);
    }

    /// Counts documents that stand before it in its source.
    pub(super) fn renumber(&mut self, before: usize) {
        self.reading.renumber(before);
        self.suppressions.renumber(before);
        for outline in &mut self.outlines {
            outline.renumber(before);
        }
        let unknown = self.unknown.iter_mut().map(|one| &mut one.object);
        for (_, document, _) in unknown.chain(&mut self.skipped) {
            *document = document.map(|document| document + before);
        }
    }
}

/// Returns the documents of kinds that are not decoded.
pub(super) fn untyped(objects: &[Read]) -> impl Iterator<Item = &Document> {
    let is_untyped = |read: &&Read| matches!(read.object, Some(Object::Unsupported { .. }));
    objects.iter().filter(is_untyped).map(|read| &read.document)
}

fn rejected(document: &Document) -> Findings {
    let mut findings = Findings::default();
    let message = format!("kind `{}` is rejected", document.kind());
    findings.error(FindingType::Forbidden, &At::ROOT.field("kind"), message);
    findings
}
