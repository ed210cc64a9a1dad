//! The whole check of manifests: what `kube validate` does, as one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::checked::{Checked, Key, Unknown, place, untyped};
use super::crd::{CustomKinds, Definitions};
use super::input::Input;
use super::pieces::read_in_parallel;
use super::read::{Kinds, ReadOptions, Reading, UnknownFields, passed_over};
use super::rules::check_across;
use super::schema::KubernetesVersion;
use super::selection::KindPattern;
use super::source::{Finding, FindingType, Findings, Located, Severity};
use super::suppress::Suppressions;
use super::text::Source;
use super::verdict::{Named, Verdict};

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

/// What becomes of the objects that were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Objects {
    /// They are forgotten, so that memory does not grow with them.
    #[default]
    Forget,
    /// They are kept, to be played or to be held against a host.
    Keep,
}

/// How to check.
#[derive(Debug, Clone)]
pub struct ValidateOptions {
    pub unknown_fields: UnknownFields,
    pub kinds: Kinds,
    pub objects: Objects,
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

impl Default for ValidateOptions {
    /// As the API server's strict reader.
    fn default() -> Self {
        Self {
            unknown_fields: UnknownFields::Refuse,
            kinds: Kinds::BuiltIn,
            objects: Objects::default(),
            kubernetes: KubernetesVersion::default(),
            extent: Extent::default(),
            custom: CustomKinds::default(),
            missing_schemas: MissingSchemas::default(),
            skip: Vec::new(),
            reject: Vec::new(),
        }
    }
}

impl ValidateOptions {
    fn for_reading(&self) -> ReadOptions {
        ReadOptions {
            unknown_fields: self.unknown_fields,
            kinds: self.kinds,
            kubernetes: self.kubernetes,
        }
    }
}

/// Checks manifests as the API server would, and against each other.
///
/// Findings that a reason is given for are taken away (see [`super::suppress`]).
#[must_use]
pub fn validate(sources: &[Source], options: &ValidateOptions) -> Verdict {
    let Ok(validation) = Validation::start(sources, options);
    validation.verdict()
}

/// A check under way: what was read, and what the rules found so far.
#[derive(Debug)]
pub struct Validation {
    /// More may be found before the verdict, such as what a host lacks.
    pub reading: Reading,
    /// The names of the sources.
    files: Vec<Arc<str>>,
    /// The objects by name, and those of them that are left out.
    objects: Vec<Named>,
    skipped: BTreeSet<Key>,
    /// How many objects are of a kind that nothing is known of.
    unchecked: usize,
    suppressions: Suppressions,
}

impl Validation {
    /// Reads manifests and holds them against the rules.
    ///
    /// # Errors
    /// An input cannot be opened.
    pub fn start<I: Input>(inputs: &[I], options: &ValidateOptions) -> Result<Self, I::Error> {
        let read_options = options.for_reading();
        // The same kinds may be defined in many files, so they are not left to the end.
        let defined = Mutex::new(Definitions::default());
        let pieces = read_in_parallel(inputs, &read_options, &|piece, reading| {
            let mut checked = Checked::of(piece, reading, options);
            let mut defined = defined.lock().unwrap_or_else(PoisonError::into_inner);
            defined.add(piece.place(), std::mem::take(&mut checked.defined));
            checked
        })?;
        let defined = defined.into_inner().unwrap_or_else(PoisonError::into_inner);
        let kinds = defined.over(options.custom.clone());
        let mut files = Vec::new();
        let mut all = Checked::default();
        all.reserve(pieces.iter().map(|piece| &piece.outcome));
        for mut piece in pieces {
            if piece.input == files.len() {
                files.push(piece.file);
            }
            if piece.before > 0 {
                piece.outcome.renumber(piece.before);
            }
            all.append(piece.outcome);
        }
        let unchecked = custom_kinds(inputs, &mut all, &kinds, options)?;
        let mut reading = all.reading;
        reading.findings.extend(check_across(&all.outlines));
        let skipped: BTreeSet<Key> = all.skipped.into_iter().collect();
        let objects = all.outlines.into_iter().map(|outline| outline.object);
        Ok(Self {
            reading,
            files,
            objects: objects.collect(),
            skipped,
            unchecked,
            suppressions: all.suppressions,
        })
    }

    /// Warns of the objects that `kube play` passes over because of their kind.
    pub fn warn_of_unplayed(&mut self) {
        let unplayed = untyped(&self.reading.objects);
        let located = unplayed.map(|document| document.locate_one(passed_over(document)));
        let located: Vec<Located> = located.collect();
        self.reading.findings.extend(located);
    }

    /// Takes suppressed findings away, before what was read is translated to be played.
    ///
    /// What kept an object from being read stays: without it the object would be left out in silence.
    pub fn suppress(&mut self) {
        self.suppress_those(|finding| match finding.kind {
            FindingType::Decode => false,
            FindingType::Required => {
                let path = finding.path.to_string();
                !["kind", "apiVersion"].contains(&path.as_str())
            }
            _ => true,
        });
    }

    /// Takes suppressed warnings away; what cannot be played stays an error.
    ///
    /// Suppressions that do not say why are told.
    pub fn suppress_warnings(&mut self) {
        self.suppress_those(|finding| finding.severity == Severity::Warning);
        self.reading.findings.extend(self.suppressions.faults());
        Located::sort(&mut self.reading.findings);
    }

    fn suppress_those(&mut self, may_be: impl Fn(&Finding) -> bool) {
        self.suppressions
            .suppress(&mut self.reading.findings, may_be);
    }

    /// Ends the check: kinds are left out, and findings suppressed.
    #[must_use]
    pub fn verdict(mut self) -> Verdict {
        let mut findings = self.reading.findings;
        let objects = self.objects.len();
        if !self.skipped.is_empty() {
            let is_skipped = |object: &Key| self.skipped.contains(object);
            self.objects.retain(|one| !is_skipped(&one.key()));
            findings.retain(|located| !is_skipped(&place(located)));
        }
        let suppressed = self.suppressions.suppress(&mut findings, |_| true);
        findings.extend(self.suppressions.faults());
        findings.extend(self.suppressions.unused());
        Located::sort(&mut findings);
        Verdict {
            files: self.files,
            skipped: objects - self.objects.len() + self.unchecked,
            objects: self.objects,
            findings,
            suppressed,
        }
    }
}

/// Checks the objects of kinds that are defined; returns how many others were left unchecked.
///
/// Of those that are defined elsewhere in the manifests only the names were kept: they are read again.
fn custom_kinds<I: Input>(
    inputs: &[I],
    all: &mut Checked,
    kinds: &CustomKinds,
    options: &ValidateOptions,
) -> Result<usize, I::Error> {
    let nothing_known = |located: &&Located| {
        let finding = &located.finding;
        finding.kind == FindingType::UnknownKind && finding.help.is_none()
    };
    let unknown = all.reading.findings.iter().filter(nothing_known);
    let unknown: BTreeSet<Key> = unknown.map(place).collect();
    let (mut defined, mut settled) = (BTreeSet::new(), BTreeSet::new());
    let mut unserved = BTreeMap::new();
    let mut unchecked = 0;
    for Unknown {
        object,
        api_version,
        kind,
    } in std::mem::take(&mut all.unknown)
    {
        if kinds.serves(&api_version, &kind) {
            defined.insert(object);
        } else if let Some(help) = kinds.unserved(&api_version, &kind) {
            unserved.insert(object, help);
        } else if options.missing_schemas == MissingSchemas::Skip && unknown.contains(&object) {
            unchecked += 1;
            settled.insert(object);
        }
    }
    let found = look_again(inputs, &defined, kinds, options)?;
    all.reading.findings.extend(found);
    settled.append(&mut defined);
    all.reading.settle(&settled);
    if options.kinds == Kinds::BuiltIn {
        for located in &mut all.reading.findings {
            if located.finding.kind == FindingType::UnknownKind && located.finding.help.is_none() {
                let help = unserved.get(&place(located)).cloned();
                located.finding.help = help.or_else(|| Some(DEFINE.to_owned()));
            }
        }
    }
    Ok(unchecked)
}

/// Reads the inputs of these objects again and holds the objects against their definitions.
fn look_again<I: Input>(
    inputs: &[I],
    objects: &BTreeSet<Key>,
    kinds: &CustomKinds,
    options: &ValidateOptions,
) -> Result<Vec<Located>, I::Error> {
    let mut numbers: Vec<usize> = objects.iter().map(|(input, ..)| *input).collect();
    numbers.dedup();
    let inputs: Vec<&I> = numbers.iter().map(|number| &inputs[*number]).collect();
    let pieces = read_in_parallel(&inputs, &options.for_reading(), &|_, reading| {
        let of_kinds = untyped(&reading.objects).filter(|document| kinds.has(document));
        let found = of_kinds.flat_map(|document| {
            let mut found = Findings::default();
            kinds.check(document, &mut found);
            document.locate(found)
        });
        found.collect::<Vec<Located>>()
    })?;
    let mut all = Vec::new();
    for piece in pieces {
        let (input, before) = (numbers[piece.input], piece.before);
        let located = piece.outcome.into_iter().map(|mut located| {
            located.input = input;
            located.renumber(before);
            located
        });
        all.extend(located.filter(|located| objects.contains(&place(located))));
    }
    Ok(all)
}

/// What to do about a kind that nothing is known of.
const DEFINE: &str = "give its CustomResourceDefinition with `--crd FILE`, or leave it unchecked with \
                      `--ignore-missing-schemas`";
