//! The way in: sources to objects and findings, in one call.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::checked::{Key, place};
use super::decode::{self, KINDS, Object};
use super::document::{self, Document};
use super::schema::{self, KubernetesVersion, Lookup, Scope};
use super::source::{
    At, FieldPath, Finding, FindingType, Findings, Located, Severity, Step, quoted,
};
use super::text::{MAX_SOURCE, Source};
use super::yaml::{self, Format, Parsed, SyntaxError, Value};

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

struct Reader<'r> {
    input: usize,
    source: &'r Source,
    options: &'r ReadOptions,
    reading: &'r mut Reading,
    /// The number of the next document; one with only comments counts too, as for kubectl's reader.
    next: usize,
}

impl<'r> Reader<'r> {
    fn new(
        input: usize,
        source: &'r Source,
        options: &'r ReadOptions,
        reading: &'r mut Reading,
    ) -> Self {
        Self {
            input,
            source,
            options,
            reading,
            next: 0,
        }
    }

    fn read(&mut self) {
        let text = self.source.text();
        if let Some(at) = self.source.broken_at() {
            let utf16 = text.len() > 1 && at == 0 && text.contains('\0');
            let help = utf16.then(|| "this looks like UTF-16: save it as UTF-8".to_owned());
            self.fault(None, at..at + 1, "the text is not UTF-8".to_owned(), help);
            return;
        }
        if text.len() > MAX_SOURCE {
            let message = format!("the input is larger than {} MiB", MAX_SOURCE >> 20);
            self.fault(None, 0..0, message, None);
            return;
        }
        let split = document::split(text);
        for part in split.parts {
            self.part(part);
        }
        if let Some((place, message)) = split.fault {
            let help = "only a comment may follow `---` on its line".to_owned();
            self.fault(None, place, message, Some(help));
        }
    }

    /// Reads what stands between two separators: one document, or several JSON values in a row.
    fn part(&mut self, part: Range<usize>) {
        let text = &self.source.text()[part.clone()];
        let body = text.trim_start_matches('\u{feff}').trim_start();
        if body.is_empty() {
            self.next += 1;
            return;
        }
        if !body.starts_with('{') && !self.source.is_named_json() {
            match yaml::read_yaml(self.source, part.clone()) {
                Ok(Some(parsed)) => self.parsed(parsed),
                Ok(None) => self.next += 1,
                Err(error) => self.syntax(error, &part),
            }
            return;
        }
        let mut rest = part.end - body.len()..part.end;
        while !rest.is_empty() {
            let Some(end) = self.json(rest.clone()) else {
                return;
            };
            let tail = &self.source.text()[end..part.end];
            rest.start = part.end - tail.trim_start().len();
        }
    }

    /// Reads one JSON value and returns where it ends; YAML that begins with a brace is read as YAML.
    fn json(&mut self, rest: Range<usize>) -> Option<usize> {
        let error = match yaml::read_json(self.source, rest.clone()) {
            Ok(outcome) => {
                let tail = self.source.text()[outcome.end..rest.end].trim_start();
                if tail.is_empty() || tail.starts_with('{') {
                    self.parsed(outcome.parsed);
                    return Some(outcome.end);
                }
                let at = rest.end - tail.len();
                let character = tail.chars().next().unwrap_or_default();
                self.syntax(
                    SyntaxError {
                        place: at..at + character.len_utf8(),
                        message: format!("invalid character {character:?} after top-level value")
                            .into(),
                    },
                    &rest,
                );
                return None;
            }
            Err(error) => error,
        };
        let is_json = error.message.starts_with(yaml::OUT_OF_RANGE);
        if !is_json
            && !self.source.is_named_json()
            && let Ok(Some(parsed)) = yaml::read_yaml(self.source, rest.clone())
        {
            self.parsed(parsed);
        } else {
            self.syntax(error, &rest);
        }
        None
    }

    fn syntax(&mut self, error: SyntaxError, part: &Range<usize>) {
        let index = self.next_index();
        let text = &self.source.text()[part.clone()];
        let Some(at) = text.find("{{") else {
            let help = syntax_help(&error, self.source.text()).map(str::to_owned);
            self.fault(Some(index), error.place, error.message.into_owned(), help);
            return;
        };
        let end = text[at..]
            .find("}}")
            .map_or(at + 2, |length| at + length + 2);
        let message = format!("a Helm template is no manifest yet ({})", error.message);
        let help = "render it first: `helm template CHART | podwright kube play -`".to_owned();
        self.fault(
            Some(index),
            part.start + at..part.start + end,
            message,
            Some(help),
        );
    }

    fn next_index(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn parsed(&mut self, parsed: Parsed) {
        let index = self.next_index();
        let root = parsed.tree.node(parsed.root);
        if matches!(root.value(), Value::Null) {
            return;
        }
        if let Some(ignored) = parsed.ignored {
            self.ignored(index, ignored);
        }
        let tree = Arc::new(parsed.tree);
        let mut duplicates = parsed.duplicates;
        for expanded in document::expand(&tree, parsed.root, self.input, index) {
            let document = expanded.document;
            let inside =
                |duplicate: &mut yaml::Duplicate| duplicate.path.0.starts_with(&expanded.prefix);
            for duplicate in duplicates.extract_if(.., inside) {
                let steps = duplicate.path.0[expanded.prefix.len()..].to_vec();
                self.duplicate(&document, FieldPath(steps), duplicate.place);
            }
            self.object(document);
        }
        let whole = Document::new(tree, parsed.root, self.input, index);
        for duplicate in duplicates {
            self.duplicate(&whole, duplicate.path, duplicate.place);
        }
    }

    fn object(&mut self, document: Document) {
        let mut findings = Findings::default();
        if !identify(&document, &mut findings) {
            self.reading.findings.extend(document.locate(findings));
            return;
        }
        let object = if KINDS.contains(&(document.api_version(), document.kind())) {
            self.decode(&document, &mut findings)
        } else {
            self.check(&document, &mut findings)
        };
        self.reading.findings.extend(document.locate(findings));
        self.reading.objects.push(Read { document, object });
    }

    /// Decodes an object of a kind that has a type.
    fn decode(&self, document: &Document, findings: &mut Findings) -> Option<Object> {
        let unknown_fields = self.options.unknown_fields();
        let version = self.options.kubernetes;
        if version == KubernetesVersion::NEWEST {
            return decode::decode(document, unknown_fields, findings);
        }
        // The types are those of the newest version: what an older one does not have only its schema knows.
        let kind = schema::lookup(document.api_version(), document.kind(), version);
        if let Lookup::Served(root) = kind {
            let scope = Scope::Fields;
            schema::check(document, root, version, scope, unknown_fields, findings);
        }
        decode::decode(document, None, findings)
    }

    /// Checks an object of a kind that has no type.
    fn check(&self, document: &Document, findings: &mut Findings) -> Option<Object> {
        let version = self.options.kubernetes;
        match schema::lookup(document.api_version(), document.kind(), version) {
            Lookup::Served(root) => {
                let unknown_fields = self.options.unknown_fields();
                let scope = Scope::Whole;
                schema::check(document, root, version, scope, unknown_fields, findings);
                let (api_version, kind) = (document.api_version(), document.kind());
                if let Some(warning) = schema::deprecation(api_version, kind, version) {
                    findings.warning(&At::ROOT.field("apiVersion"), warning);
                }
                if self.options.kinds == Kinds::Played {
                    findings.0.push(passed_over(document));
                }
            }
            Lookup::NotServed(help) => findings.0.push(no_match(document, Some(help))),
            Lookup::Unknown if self.options.kinds == Kinds::Played => {
                findings.0.push(passed_over(document));
            }
            Lookup::Unknown => findings.0.push(no_match(document, None)),
        }
        decode::decode(document, None, findings)
    }

    fn duplicate(&mut self, document: &Document, path: FieldPath, place: Range<usize>) {
        let key = path.0.last().map(|step| match step {
            Step::Field(name) => name.clone().into_owned(),
            Step::Key(name) | Step::KeyAlone(name) => name.to_string(),
            Step::Index(index) => index.to_string(),
            Step::Spelled(spelling) => spelling.shown.to_string(),
        });
        let finding = Finding {
            severity: Severity::Error,
            kind: FindingType::DuplicateField,
            message: match document.node().format() {
                Format::Yaml => {
                    let key = quoted(&key.unwrap_or_default());
                    format!("key {key} already set in map")
                }
                Format::Json => format!("duplicate field {}", quoted(&path.to_string())),
            },
            path,
            help: None,
        };
        self.reading.findings.push(Located {
            document: Some(document.index()),
            object: document.title(),
            ..Located::in_source(self.input, self.source, place, finding)
        });
    }

    fn ignored(&mut self, index: usize, place: Range<usize>) {
        let text = &self.source.text()[place.clone()];
        let blank = text.len() - text.trim_start().len();
        self.push(
            Some(index),
            place.start + blank..place.end,
            Finding {
                severity: Severity::Warning,
                kind: FindingType::Syntax,
                path: FieldPath::default(),
                message: "Kubernetes ignores what follows `...`".to_owned(),
                help: Some("separate documents with `---`".to_owned()),
            },
        );
    }

    fn fault(
        &mut self,
        document: Option<usize>,
        place: Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        let finding = Finding {
            severity: Severity::Error,
            kind: FindingType::Syntax,
            path: FieldPath::default(),
            message,
            help,
        };
        self.push(document, place, finding);
    }

    fn push(&mut self, document: Option<usize>, place: Range<usize>, finding: Finding) {
        self.reading.findings.push(Located {
            document,
            ..Located::in_source(self.input, self.source, place, finding)
        });
    }
}

/// Says what to do about the faults of syntax that people meet most.
fn syntax_help(error: &SyntaxError, text: &str) -> Option<&'static str> {
    match error.message.as_ref() {
        "found character that cannot start any token" => {
            match text.as_bytes().get(error.place.start)? {
                b'\t' => Some("YAML does not indent with tabs: use spaces"),
                _ => Some("quote the value"),
            }
        }
        "mapping values are not allowed in this context" => {
            Some("quote a value that has `: ` in it, or check the indentation")
        }
        "did not find expected key" | "did not find expected '-' indicator" => {
            Some("check the indentation of this line and of those above it")
        }
        _ => None,
    }
}

/// Checks that a document says what it is; tells whether it does.
fn identify(document: &Document, findings: &mut Findings) -> bool {
    let root = document.node();
    let found = match root.value() {
        Value::Map(_) => None,
        Value::List(_) => Some("array"),
        Value::String(_) => Some("string"),
        Value::Bool(_) => Some("bool"),
        Value::Null => Some("null"),
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => Some("number"),
    };
    if let Some(found) = found {
        let message = format!("json: cannot unmarshal {found} into Go value of type v1.TypeMeta");
        findings.error(FindingType::Decode, &At::ROOT, message);
        return false;
    }
    let before = findings.0.len();
    for (field, missing, text) in [
        ("kind", "Object 'Kind' is missing", document.kind()),
        (
            "apiVersion",
            "Object 'apiVersion' is missing",
            document.api_version(),
        ),
    ] {
        let at = At::ROOT;
        let at = at.field(field);
        match root.get(field).map(|node| node.value()) {
            Some(Value::Null | Value::String(_)) | None if text.is_empty() => {
                findings.error(FindingType::Required, &at, missing);
                return false;
            }
            Some(Value::Null | Value::String(_)) | None => {}
            Some(_) => findings.error(
                FindingType::Decode,
                &at,
                format!("json: cannot unmarshal a value that is no string into Go struct field TypeMeta.{field} of type string"),
            ),
        }
    }
    findings.0.len() == before
}

/// Says that a kind cannot be used here, at its `kind` or, where only that is wrong, its `apiVersion`.
fn no_match(document: &Document, help: Option<String>) -> Finding {
    let is_version = help
        .as_ref()
        .is_some_and(|help| help.starts_with("write `apiVersion"));
    let field = if is_version { "apiVersion" } else { "kind" };
    let (kind, api_version) = (quoted(document.kind()), quoted(document.api_version()));
    Finding {
        severity: Severity::Error,
        kind: FindingType::UnknownKind,
        path: FieldPath(vec![Step::Field(field.into())]),
        message: format!("no matches for kind {kind} in version {api_version}"),
        help,
    }
}

/// Says that an object is left out.
pub(super) fn passed_over(document: &Document) -> Finding {
    let (kind, api_version) = (document.kind(), document.api_version());
    Finding {
        severity: Severity::Warning,
        kind: FindingType::UnknownKind,
        path: FieldPath(vec![Step::Field("kind".into())]),
        message: format!("kind `{kind}` of `{api_version}` is passed over"),
        help: None,
    }
}
