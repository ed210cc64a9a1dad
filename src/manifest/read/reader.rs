//! From the text of one source to its documents, and from those to objects.

use std::ops::Range;
use std::sync::Arc;

use super::object::{identify, object};
use super::{Read, ReadOptions, Reading};
use crate::manifest::document::{self, Document};
use crate::manifest::source::{
    FieldPath, Finding, FindingType, Findings, Located, Severity, Step, quoted,
};
use crate::manifest::text::{MAX_SOURCE, Source};
use crate::manifest::yaml::{self, Format, Parsed, SyntaxError, Value};

/// Reads one source into a reading.
pub(super) struct Reader<'r> {
    input: usize,
    source: &'r Source,
    options: &'r ReadOptions,
    reading: &'r mut Reading,
    /// The number of the next document; one with only comments counts too, as for kubectl's reader.
    pub(super) next: usize,
}

impl<'r> Reader<'r> {
    pub(super) fn new(
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

    pub(super) fn read(&mut self) {
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
    pub(super) fn part(&mut self, part: Range<usize>) {
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
        let object = object(&document, self.options, &mut findings);
        self.reading.findings.extend(document.locate(findings));
        self.reading.objects.push(Read { document, object });
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
