//! What is kept of a piece of the manifests once it is read and held against the rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::crd::{self, CustomKinds};
use super::decode::Object;
use super::document::Document;
use super::pieces::Piece;
use super::read::{Kinds, Read, Reading};
use super::rules::{self, PieceFacts};
use super::source::{At, FindingType, Findings, Located};
use super::suppress::Suppressions;
use super::validate::{Objects, ValidateOptions};
use super::verdict::{Named, Names};

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

/// Findings, and what else is to be shown; the objects themselves only if they are asked for.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) reading: Reading,
    pub(super) names: Names,
    pub(super) suppressions: Suppressions,
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

/// What all pieces share, and of which nothing is kept for each.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The kinds that its own manifests define.
    pub(super) defined: CustomKinds,
    /// How many objects there are, and how many of them nothing is to be told of.
    pub(super) objects: usize,
    pub(super) skipped: usize,
    /// What is to be seen together.
    pub(super) facts: PieceFacts,
}

impl Checked {
    /// Holds the objects of a piece against the rules, each for itself.
    pub(super) fn of(
        piece: &Piece,
        mut reading: Reading,
        options: &ValidateOptions,
    ) -> (Self, Shared) {
        let mut checked = Self::default();
        let mut shared = Shared {
            facts: PieceFacts::of(piece.place),
            objects: reading.objects.len(),
            ..Shared::default()
        };
        rules::check_each(&mut reading, options.extent);
        if options.kinds == Kinds::BuiltIn {
            rules::check_unplayed(&mut reading);
            checked.custom_kinds(&mut reading, &options.custom, &mut shared.defined);
        }
        for read in &reading.objects {
            let document = &read.document;
            rules::note(read, options.extent, &mut shared.facts);
            if options.reject.iter().any(|pattern| pattern.fits(document)) {
                reading.findings.extend(document.locate(rejected(document)));
            }
            if options.skip.iter().any(|pattern| pattern.fits(document)) {
                checked.skipped.push(key(document));
            }
        }
        if !checked.skipped.is_empty() {
            let skipped: BTreeSet<&Key> = checked.skipped.iter().collect();
            let is_skipped = |read: &&Read| skipped.contains(&key(&read.document));
            shared.skipped = reading.objects.iter().filter(is_skipped).count();
        }
        let (input, source) = (piece.place.input, &piece.source);
        let range = piece.range.clone();
        checked.suppressions = Suppressions::of(input, source, range, &reading.objects);
        if options.objects != Objects::Forget {
            checked.names = names(piece, &reading);
        }
        if options.objects != Objects::Keep {
            reading.objects = Vec::new();
        }
        // Most files have one object: what is kept of each is not to have room for more.
        reading.findings.shrink_to_fit();
        checked.reading = reading;
        (checked, shared)
    }

    /// Tells whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            reading,
            names,
            suppressions,
            unknown,
            skipped,
        } = self;
        reading.objects.is_empty()
            && reading.findings.is_empty()
            && names.files.is_empty()
            && names.objects.is_empty()
            && suppressions.is_empty()
            && unknown.is_empty()
            && skipped.is_empty()
    }

    /// Checks the objects of kinds that are defined before them or in their own piece, and notes the others.
    fn custom_kinds(
        &mut self,
        reading: &mut Reading,
        given: &CustomKinds,
        defined: &mut CustomKinds,
    ) {
        for read in &reading.objects {
            defined.define(&read.document);
        }
        let findings = reading.findings.iter();
        let unknown = findings.filter(|one| one.finding.kind == FindingType::UnknownKind);
        let unknown: BTreeSet<Key> = unknown.map(place).collect();
        let mut settled = BTreeSet::new();
        for document in untyped(&reading.objects) {
            let mut found = Findings::default();
            crd::check_definition(document, &mut found);
            let object = key(document);
            let mut known = [&*defined, given].into_iter();
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
    pub(super) fn reserve<'c>(&mut self, pieces: impl Iterator<Item = &'c Self>) {
        let findings = pieces.map(|one| one.reading.findings.len());
        self.reading.findings.reserve_exact(findings.sum());
    }

    /// Adds what came of the piece behind it.
    pub(super) fn append(&mut self, mut later: Self) {
        self.reading.objects.append(&mut later.reading.objects);
        self.reading.findings.append(&mut later.reading.findings);
        self.names.append(later.names);
        self.suppressions.append(later.suppressions);
        self.unknown.append(&mut later.unknown);
        self.skipped.append(&mut later.skipped);
    }

    /// Counts documents that stand before it in its source.
    pub(super) fn renumber(&mut self, before: usize) {
        self.reading.renumber(before);
        self.suppressions.renumber(before);
        for object in &mut self.names.objects {
            object.document += before;
        }
        let unknown = self.unknown.iter_mut().map(|one| &mut one.object);
        for (_, document, _) in unknown.chain(&mut self.skipped) {
            *document = document.map(|document| document + before);
        }
    }
}

/// Names a piece's source, with its first piece, and its objects.
fn names(piece: &Piece, reading: &Reading) -> Names {
    let is_first = piece.place.number == 0;
    let named = |read: &Read| Named {
        input: read.document.input(),
        document: read.document.index(),
        title: read.document.title(),
    };
    Names {
        files: is_first
            .then(|| piece.source.shared_name())
            .into_iter()
            .collect(),
        objects: reading.objects.iter().map(named).collect(),
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
