//! The whole check of manifests: what `kube validate` does, as one call.

use std::collections::BTreeSet;

use super::document::Document;
use super::read::{Kinds, ReadOptions, Reading, UnknownFields, read};
use super::rules::{check_all, check_whole};
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

/// How to check.
#[derive(Debug, Clone, Default)]
pub struct ValidateOptions {
    /// The version whose kinds and fields there are.
    pub kubernetes: KubernetesVersion,
    pub extent: Extent,
    /// Nothing is told of these.
    pub skip: Vec<KindPattern>,
    /// Each of these is an error.
    pub reject: Vec<KindPattern>,
}

/// Checks manifests as the API server would, and against each other.
///
/// Findings that a reason is given for are taken away (see [`suppress`](super::suppress)).
#[must_use]
pub fn validate(sources: &[Source], options: &ValidateOptions) -> Verdict {
    let read_options = ReadOptions {
        unknown_fields: UnknownFields::Refuse,
        kinds: Kinds::BuiltIn,
        kubernetes: options.kubernetes,
    };
    let mut reading = read(sources, &read_options);
    check_all(&mut reading);
    if options.extent == Extent::Whole {
        check_whole(&mut reading);
    }
    reject(&mut reading, &options.reject);
    let skipped = skip(&mut reading, &options.skip);
    let suppressed = suppress(sources, &mut reading);
    Located::sort(&mut reading.findings);
    let mut verdict = Verdict::of(sources, reading);
    verdict.skipped = skipped;
    verdict.suppressed = suppressed;
    verdict
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
    let key = |one: &Document| (one.input(), Some(one.index()), one.title());
    let documents = reading.objects.iter().map(|read| &read.document);
    let skipped: BTreeSet<_> = documents.filter(|one| is_skipped(one)).map(key).collect();
    let before = reading.objects.len();
    reading.objects.retain(|read| !is_skipped(&read.document));
    reading.findings.retain(|located| {
        !skipped.contains(&(located.input, located.document, located.object.clone()))
    });
    before - reading.objects.len()
}

/// Takes suppressed findings away; returns how many they were.
fn suppress(sources: &[Source], reading: &mut Reading) -> usize {
    let mut suppressed = 0;
    for (input, source) in sources.iter().enumerate() {
        if !suppress::is_used_in(source) {
            continue;
        }
        let mut suppressions = Suppressions::of(input, source, reading);
        suppressed += suppressions.apply(&mut reading.findings);
        reading.findings.extend(suppressions.told());
    }
    suppressed
}
