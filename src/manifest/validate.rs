//! The whole check of manifests: what `kube validate` does, as one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::crd::{self, CustomKinds};
use super::decode::Object;
use super::document::Document;
use super::pieces::read_in_parallel;
use super::read::{Kinds, ReadOptions, Reading, UnknownFields, passed_over};
use super::rules::{check_across, check_each, check_unplayed, check_whole};
use super::schema::KubernetesVersion;
use super::selection::KindPattern;
use super::source::{At, FindingType, Findings, Located};
use super::suppress::{self, Suppressions};
use super::text::Source;
use super::verdict::Verdict;

/// Whether the manifests are all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// What one of them names and none of them is, is missing.
    #[default]
    Whole,
    /// What they name may have been applied elsewhere.
    Part,
}

/// What becomes of a kind that is neither built in nor defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingSchemas {
    /// It is an error.
    #[default]
    Refuse,
    /// It is left unchecked.
    Skip,
}

/// How to check.
#[derive(Debug, Clone, Default)]
pub struct ValidateOptions {
    /// The version whose kinds and fields there are.
    pub kubernetes: KubernetesVersion,
    pub extent: Extent,
    /// Kinds that are defined beside the manifests; those that they define themselves are known anyway.
    pub custom: CustomKinds,
    pub missing_schemas: MissingSchemas,
    /// Nothing is told of these.
    pub skip: Vec<KindPattern>,
    /// Each of these is an error.
    pub reject: Vec<KindPattern>,
}

/// Checks manifests as the API server would, and against each other.
///
/// Findings that a reason is given for are taken away (see [`suppress`]).
#[must_use]
pub fn validate(sources: &[Source], options: &ValidateOptions) -> Verdict {
    Validation::start(sources, options).verdict()
}

/// A check under way: what was read, and what the rules found so far.
#[derive(Debug)]
pub struct Validation<'a> {
    sources: &'a [Source],
    options: &'a ValidateOptions,
    /// More may be found before the verdict, such as what a host lacks.
    pub reading: Reading,
    /// How many objects are of a kind that nothing is known of.
    unchecked: usize,
}

impl<'a> Validation<'a> {
    /// Reads manifests and holds them against the rules.
    #[must_use]
    pub fn start(sources: &'a [Source], options: &'a ValidateOptions) -> Self {
        let read_options = ReadOptions {
            unknown_fields: UnknownFields::Refuse,
            kinds: Kinds::BuiltIn,
            kubernetes: options.kubernetes,
        };
        let mut reading = read_in_parallel(sources, &read_options, &|piece| {
            check_each(piece);
            check_unplayed(piece);
        });
        let unchecked = custom_kinds(&mut reading, options);
        check_across(&mut reading);
        if options.extent == Extent::Whole {
            check_whole(&mut reading);
        }
        Self {
            sources,
            options,
            reading,
            unchecked,
        }
    }

    /// Warns of the objects that `kube play` passes over because of their kind.
    pub fn warn_of_unplayed(&mut self) {
        let objects = self.reading.objects.iter();
        let unplayed = objects.filter(|read| is_untyped(&read.object));
        let located = unplayed.flat_map(|read| {
            let findings = Findings(vec![passed_over(&read.document)]);
            read.document.locate(findings)
        });
        let located: Vec<Located> = located.collect();
        self.reading.findings.extend(located);
    }

    /// Ends the check: kinds are rejected and left out, and findings suppressed.
    #[must_use]
    pub fn verdict(mut self) -> Verdict {
        let reading = &mut self.reading;
        reject(reading, &self.options.reject);
        let skipped = skip(reading, &self.options.skip);
        let suppressed = suppress(self.sources, reading);
        Located::sort(&mut reading.findings);
        let mut verdict = Verdict::of(self.sources, self.reading);
        verdict.skipped = skipped + self.unchecked;
        verdict.suppressed = suppressed;
        verdict
    }
}

/// Tells whether an object is of a kind that is not decoded.
fn is_untyped(object: &Option<Object>) -> bool {
    matches!(object, Some(Object::Unsupported { .. }))
}

/// Checks the objects of kinds that are defined; returns how many others were left unchecked.
fn custom_kinds(reading: &mut Reading, options: &ValidateOptions) -> usize {
    let mut kinds = options.custom.clone();
    for read in &reading.objects {
        kinds.define(&read.document);
    }
    let is_unknown = |located: &&Located| {
        let finding = &located.finding;
        finding.kind == FindingType::UnknownKind && finding.help.is_none()
    };
    let unknown = reading.findings.iter().filter(is_unknown);
    let unknown: BTreeSet<_> = unknown.map(place).collect();
    let (mut settled, mut unserved) = (BTreeSet::new(), BTreeMap::new());
    let mut found = Vec::new();
    let mut unchecked = 0;
    for read in reading
        .objects
        .iter()
        .filter(|read| is_untyped(&read.object))
    {
        let document = &read.document;
        let mut findings = Findings::default();
        crd::check_definition(document, &mut findings);
        if kinds.has(document) {
            kinds.check(document, &mut findings);
            settled.insert(key(document));
        } else if let Some(help) = kinds.unserved(document) {
            unserved.insert(key(document), help);
        } else if options.missing_schemas == MissingSchemas::Skip
            && unknown.contains(&key(document))
        {
            unchecked += 1;
            settled.insert(key(document));
        }
        found.extend(document.locate(findings));
    }
    reading.findings.retain_mut(|located| {
        if located.finding.kind != FindingType::UnknownKind {
            return true;
        }
        let place = place(located);
        let help = unserved.get(&place).cloned();
        let own = located.finding.help.take();
        located.finding.help = own.or(help).or(Some(DEFINE.to_owned()));
        !settled.contains(&place)
    });
    reading.findings.extend(found);
    unchecked
}

/// What to do about a kind that nothing is known of.
const DEFINE: &str = "give its CustomResourceDefinition with `--crd FILE`, or leave it unchecked with \
                      `--ignore-missing-schemas`";

type Key = (usize, Option<usize>, Option<Arc<str>>);

/// What tells an object from the others of its reading.
fn key(document: &Document) -> Key {
    (document.input(), Some(document.index()), document.title())
}

/// Returns the object that a finding is about.
fn place(located: &Located) -> Key {
    (located.input, located.document, located.object.clone())
}

/// Adds an error for each object of a kind that may not be there.
fn reject(reading: &mut Reading, patterns: &[KindPattern]) {
    let documents = reading.objects.iter().map(|read| &read.document);
    let is_rejected = |one: &&Document| patterns.iter().any(|pattern| pattern.fits(one));
    let mut found = Vec::new();
    for document in documents.filter(is_rejected) {
        let mut findings = Findings::default();
        let message = format!("kind `{}` is rejected", document.kind());
        findings.error(FindingType::Forbidden, &At::ROOT.field("kind"), message);
        found.extend(document.locate(findings));
    }
    reading.findings.extend(found);
}

/// Takes the objects of these kinds away, with all that was found about them; returns how many they were.
fn skip(reading: &mut Reading, patterns: &[KindPattern]) -> usize {
    if patterns.is_empty() {
        return 0;
    }
    let is_skipped = |one: &Document| patterns.iter().any(|pattern| pattern.fits(one));
    let documents = reading.objects.iter().map(|read| &read.document);
    let skipped: BTreeSet<_> = documents.filter(|one| is_skipped(one)).map(key).collect();
    let before = reading.objects.len();
    reading.objects.retain(|read| !is_skipped(&read.document));
    let is_kept = |located: &Located| !skipped.contains(&place(located));
    reading.findings.retain(is_kept);
    before - reading.objects.len()
}

/// Takes suppressed findings away; returns how many they were.
fn suppress(sources: &[Source], reading: &mut Reading) -> usize {
    let used = sources.iter().enumerate();
    let used = used.filter(|(_, source)| suppress::is_used_in(source));
    let of_source = used.map(|(input, source)| (input, Suppressions::of(input, source, reading)));
    let mut all: BTreeMap<usize, Suppressions> = of_source.collect();
    let before = reading.findings.len();
    reading.findings.retain(|located| {
        let suppressions = all.get_mut(&located.input);
        !suppressions.is_some_and(|suppressions| suppressions.covers(located))
    });
    let suppressed = before - reading.findings.len();
    let told = all.into_values().flat_map(Suppressions::told);
    reading.findings.extend(told);
    suppressed
}
