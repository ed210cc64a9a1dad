//! The whole check of manifests: what `kube validate` does, as one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::checked::{Checked, Key, Shared, Unknown, place, untyped};
use super::crd::{CustomKinds, Definitions};
use super::input::Input;
use super::pieces::{Place, read_in_parallel};
use super::read::{Kinds, ReadOptions, Reading, UnknownFields, passed_over};
use super::rules::{Facts, check_across};
use super::schema::KubernetesVersion;
use super::selection::KindPattern;
use super::source::{Finding, FindingType, Findings, Located, Severity};
use super::suppress::Suppressions;
use super::text::Source;
use super::verdict::{Names, Verdict};
use crate::model::quantity::Bytes;

/// The facts of some thousand objects.
const ROOM: Bytes = Bytes(1 << 20);

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
    /// They are counted and forgotten, so that memory does not grow with them.
    Forget,
    /// They are named in the verdict.
    #[default]
    Name,
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
    /// How much of what is to be seen together stays in memory; more goes to a temporary file.
    pub room: Bytes,
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
            room: ROOM,
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
    let options = ValidateOptions {
        // They are in memory themselves.
        room: Bytes(u64::MAX),
        ..options.clone()
    };
    let validation = Validation::start(sources.iter().map(Ok), &options);
    let validation = validation.expect("nothing is put aside where there is room");
    validation.verdict()
}

/// A check under way: what was read, and what the rules found so far.
#[derive(Debug)]
pub struct Validation {
    /// More may be found before the verdict, such as what a host lacks.
    pub reading: Reading,
    names: Names,
    /// How many sources and objects there are.
    files: usize,
    objects: usize,
    /// The objects that are left out, as they are told from others, and how many those are.
    skipped: (BTreeSet<Key>, usize),
    /// How many objects are of a kind that nothing is known of.
    unchecked: usize,
    suppressions: Suppressions,
}

impl Validation {
    /// Reads manifests and holds them against the rules.
    ///
    /// # Errors
    /// An input cannot be found or opened, or what was put aside not be read again.
    pub fn start<I: Input>(
        inputs: impl Iterator<Item = Result<I, I::Error>> + Send,
        options: &ValidateOptions,
    ) -> Result<Self, I::Error> {
        let read_options = options.for_reading();
        let facts = Facts::new(usize::try_from(options.room.0).unwrap_or(usize::MAX));
        let shared = Mutex::new(Joined {
            defined: Definitions::default(),
            objects: 0,
            skipped: 0,
            unknown: Inputs::new(),
        });
        let done = read_in_parallel(inputs, &read_options, &|piece, input, reading| {
            let (checked, of_piece) = Checked::of(piece, reading, options);
            facts.add(&of_piece.facts);
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.add(piece.place, of_piece);
            if !checked.unknown.is_empty() {
                shared.unknown.insert(piece.place.input, Arc::clone(input));
            }
            (!checked.is_empty()).then_some(checked)
        })?;
        let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        let kinds = shared.defined.over(options.custom.clone());
        let mut all = Checked::default();
        all.reserve(done.outcomes.iter().map(|(_, checked)| checked));
        for (place, mut checked) in done.outcomes {
            let before = done.before.of(place);
            if before > 0 {
                checked.renumber(before);
            }
            all.append(checked);
        }
        let unchecked = custom_kinds(&shared.unknown, &mut all, &kinds, options)?;
        let mut reading = all.reading;
        reading.findings.extend(check_across(facts, &done.before)?);
        Ok(Self {
            reading,
            names: all.names,
            files: done.inputs,
            objects: shared.objects,
            skipped: (all.skipped.into_iter().collect(), shared.skipped),
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
        let (skipped, many) = self.skipped;
        if !skipped.is_empty() {
            let is_skipped = |object: &Key| skipped.contains(object);
            self.names.objects.retain(|one| !is_skipped(&one.key()));
            findings.retain(|located| !is_skipped(&place(located)));
        }
        let suppressed = self.suppressions.suppress(&mut findings, |_| true);
        findings.extend(self.suppressions.faults());
        findings.extend(self.suppressions.unused());
        Located::sort(&mut findings);
        Verdict {
            files: self.files,
            objects: self.objects - many,
            names: self.names,
            skipped: many + self.unchecked,
            findings,
            suppressed,
        }
    }
}

/// Inputs by their numbers.
type Inputs<I> = BTreeMap<usize, Arc<I>>;

/// What all pieces give together.
struct Joined<I> {
    /// The same kinds may be defined in many files, so they are not left to the end.
    defined: Definitions,
    objects: usize,
    skipped: usize,
    /// Those with objects of kinds that nothing is known of yet.
    unknown: Inputs<I>,
}

impl<I> Joined<I> {
    fn add(&mut self, place: Place, shared: Shared) {
        self.defined.add(place, shared.defined);
        self.objects += shared.objects;
        self.skipped += shared.skipped;
    }
}

/// Checks the objects of kinds that are defined; returns how many others were left unchecked.
///
/// Of those that are defined elsewhere in the manifests only the names were kept: they are read again.
fn custom_kinds<I: Input>(
    inputs: &Inputs<I>,
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
    inputs: &Inputs<I>,
    objects: &BTreeSet<Key>,
    kinds: &CustomKinds,
    options: &ValidateOptions,
) -> Result<Vec<Located>, I::Error> {
    let mut numbers: Vec<usize> = objects.iter().map(|(input, ..)| *input).collect();
    numbers.dedup();
    let inputs = numbers.iter().map(|number| Ok(&*inputs[number]));
    let done = read_in_parallel(inputs, &options.for_reading(), &|_, _, reading| {
        let of_kinds = untyped(&reading.objects).filter(|document| kinds.has(document));
        let found = of_kinds.flat_map(|document| {
            let mut found = Findings::default();
            kinds.check(document, &mut found);
            document.locate(found)
        });
        let found: Vec<Located> = found.collect();
        (!found.is_empty()).then_some(found)
    })?;
    let mut all = Vec::new();
    for (at, found) in done.outcomes {
        let (input, before) = (numbers[at.input], done.before.of(at));
        let located = found.into_iter().map(|mut located| {
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::report::{Report, Rows};

    /// Returns an object of one of a few names, which needs others of them.
    fn object((kind, name, other, port): (u8, u8, u8, u8)) -> String {
        let metadata =
            format!("metadata: {{name: n{name}, labels: {{app: n{name}, of: n{other}}}}}");
        let chosen = format!("{{app: n{name}, of: n{port}}}");
        let (api, kind, body) = match kind {
            0 => ("v1", "ConfigMap", format!("data: {{k{other}: a}}\n")),
            1 => ("v1", "Secret", format!("stringData: {{k{other}: a}}\n")),
            2 => ("v1", "ServiceAccount", String::new()),
            3 => (
                "v1",
                "PersistentVolumeClaim",
                "spec: {accessModes: [ReadWriteOncePod], resources: {requests: {storage: 1Gi}}}\n"
                    .to_owned(),
            ),
            4 => (
                "v1",
                "Service",
                format!(
                    "spec: {{selector: {chosen}, ports: [{{name: p{other}, port: 8{port}, targetPort: p{port}}}, {{name: q, port: 9{port}, targetPort: 8{other}}}]}}\n"
                ),
            ),
            5 => (
                "networking.k8s.io/v1",
                "NetworkPolicy",
                format!("spec: {{podSelector: {{matchLabels: {chosen}}}}}\n"),
            ),
            6 => (
                "networking.k8s.io/v1",
                "Ingress",
                format!(
                    "spec: {{defaultBackend: {{service: {{name: n{other}, port: {{number: 8{port}}}}}}}}}\n"
                ),
            ),
            _ => (
                "v1",
                "Pod",
                format!(
                    "spec:\n  serviceAccountName: n{other}\n  containers:\n  - name: a\n    image: b\n    envFrom: [{{secretRef: {{name: n{port}}}}}]\n    ports: [{{name: p{other}, containerPort: 8{port}, hostPort: 8{port}, hostIP: 10.0.0.{other}}}]\n  volumes:\n  - {{name: c, configMap: {{name: n{other}, items: [{{key: k{port}, path: x}}]}}}}\n  - {{name: d, persistentVolumeClaim: {{claimName: n{port}}}}}\n"
                ),
            ),
        };
        format!("---\napiVersion: {api}\nkind: {kind}\n{metadata}\n{body}")
    }

    fn told(sources: &[Source], room: u64) -> (String, String) {
        let options = ValidateOptions {
            room: Bytes(room),
            ..ValidateOptions::default()
        };
        let validation = Validation::start(sources.iter().map(Ok), &options);
        let findings = validation.expect("a file of our own").verdict().findings;
        let rows = serde_json::to_string(&Rows(&findings)).expect("rows");
        (Report(&findings).to_string(), rows)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_told_is_the_same_whatever_room_there_is(
            files in vec(vec((0u8..9, 0u8..4, 0u8..4, 0u8..4), 1..12), 1..12),
        ) {
            let sources = files.iter().enumerate().map(|(number, objects)| {
                let text: String = objects.iter().copied().map(object).collect();
                Source::new(format!("{number}.yaml"), text)
            });
            let sources: Vec<Source> = sources.collect();
            let in_memory = told(&sources, u64::MAX);
            for room in [0, 700, 9000] {
                prop_assert_eq!(&told(&sources, room), &in_memory);
            }
        }
    }
}
