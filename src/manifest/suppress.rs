//! Findings that whoever wrote the manifest knows of, and gave a reason for.
//!
//! ```text
//! image: nginx:latest  # podwright:ignore Warning: the pipeline pins it
//!
//! metadata:
//!   annotations:
//!     podwright.io/ignore: "UnknownField spec.template.spec.foo: read by our own controller"
//! ```
//!
//! A comment speaks for its line, or standing alone for the next one; the annotation speaks for its object, each
//! of its lines for itself. Both may name types of findings and a path that the findings lie under; without them
//! all are meant. One without a reason has no effect. That, and one that nothing needs, is told. What is no YAML
//! is never suppressed, since nothing else is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::document::Document;
use super::read::Reading;
use super::source::{FieldPath, Finding, FindingType, Located, Severity, Step};
use super::text::Source;

/// The annotation that speaks for its object.
pub const ANNOTATION: &str = "podwright.io/ignore";

/// What a comment begins with that speaks for a line.
pub const COMMENT: &str = "podwright:ignore";

/// Tells whether a source suppresses anything at all.
pub(super) fn is_used_in(source: &Source) -> bool {
    let text = source.text();
    text.contains(COMMENT) || text.contains(ANNOTATION)
}

/// All suppressions of what was read.
#[derive(Debug, Default)]
pub(super) struct Suppressions {
    all: Vec<Suppression>,
    /// Which of them speak for a line, and for the objects of a document.
    by_line: BTreeMap<u32, Vec<usize>>,
    by_document: BTreeMap<usize, Vec<usize>>,
    /// What is wrong with some of them.
    faults: Vec<Located>,
}

#[derive(Debug)]
struct Suppression {
    scope: Scope,
    what: What,
    /// What is told if it was never used.
    unused: Located,
    is_used: bool,
}

#[derive(Debug)]
enum Scope {
    Line(u32),
    Object {
        document: usize,
        title: Option<Arc<str>>,
    },
}

/// The types, none for all, and the path that findings lie under.
#[derive(Debug, Default, PartialEq, Eq)]
struct What {
    types: Vec<FindingType>,
    path: Option<String>,
}

impl Suppressions {
    /// Finds the suppressions of one source.
    pub(super) fn of(input: usize, source: &Source, reading: &Reading) -> Self {
        let mut suppressions = Self::default();
        // Objects stand in the order of their sources.
        let objects = &reading.objects;
        let first = objects.partition_point(|read| read.document.input() < input);
        let end = objects.partition_point(|read| read.document.input() <= input);
        let documents = || objects[first..end].iter().map(|read| &read.document);
        let comments = comments(source);
        let texts = match comments.is_empty() {
            true => Vec::new(),
            false => texts(documents()),
        };
        for comment in comments {
            if !is_inside(&texts, comment.place.start) {
                let unused = unused(FieldPath::default());
                let told = Located::in_source(input, source, comment.place, unused);
                suppressions.add(Scope::Line(comment.line), &comment.text, told);
            }
        }
        for document in documents() {
            suppressions.annotation(document);
        }
        suppressions
    }

    fn annotation(&mut self, document: &Document) {
        let annotations = document.node().get("metadata");
        let annotations = annotations.and_then(|metadata| metadata.get("annotations"));
        let Some(text) = annotations.and_then(|all| all.get(ANNOTATION)?.as_str()) else {
            return;
        };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let scope = Scope::Object {
                document: document.index(),
                title: document.title(),
            };
            self.add(scope, line, at_annotation(document));
        }
    }

    fn add(&mut self, scope: Scope, text: &str, mut told: Located) {
        match parse(text) {
            Ok(what) => {
                let number = self.all.len();
                match &scope {
                    Scope::Line(line) => self.by_line.entry(*line).or_default().push(number),
                    Scope::Object { document, .. } => {
                        self.by_document.entry(*document).or_default().push(number);
                    }
                }
                self.all.push(Suppression {
                    scope,
                    what,
                    unused: told,
                    is_used: false,
                });
            }
            Err(message) => {
                told.finding.message = message;
                self.faults.push(told);
            }
        }
    }

    /// Tells whether a finding of its source is suppressed.
    pub(super) fn covers(&mut self, located: &Located) -> bool {
        let mut is_covered = false;
        let of_line = self.by_line.get(&located.span.line);
        let of_document = located.document.and_then(|one| self.by_document.get(&one));
        for number in of_line.into_iter().chain(of_document).flatten() {
            let suppression = &mut self.all[*number];
            if suppression.covers(located) {
                suppression.is_used = true;
                is_covered = true;
            }
        }
        is_covered
    }

    /// Returns what is to be told of the suppressions themselves.
    pub(super) fn told(self) -> impl Iterator<Item = Located> {
        let unused = self.all.into_iter().filter(|one| !one.is_used);
        self.faults.into_iter().chain(unused.map(|one| one.unused))
    }
}

impl Suppression {
    fn covers(&self, located: &Located) -> bool {
        let is_in_scope = match &self.scope {
            Scope::Line(line) => located.span.line == *line,
            Scope::Object { document, title } => {
                located.document == Some(*document) && located.object == *title
            }
        };
        is_in_scope && located.input == self.unused.input && self.what.covers(&located.finding)
    }
}

impl What {
    fn covers(&self, finding: &Finding) -> bool {
        let is_type = self.types.is_empty() || self.types.contains(&finding.kind);
        is_type
            && finding.kind != FindingType::Syntax
            && self.path.as_ref().is_none_or(|wanted| {
                let path = finding.path.to_string();
                let rest = path.strip_prefix(wanted.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
    }
}

/// Parses `[TYPE[,TYPE]] [PATH]: REASON`.
fn parse(text: &str) -> Result<What, String> {
    let (words, reason) = text.split_once(':').unwrap_or((text, ""));
    let mut what = What::default();
    for word in words
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty())
    {
        if let Some(kind) = FindingType::parse(word) {
            what.types.push(kind);
        } else if word.starts_with(|first: char| first.is_ascii_lowercase()) {
            what.path = Some(word.to_owned());
        } else {
            return Err(format!("`{word}` is no type of finding and no path"));
        }
    }
    match reason.trim().is_empty() {
        true => Err("a suppression without a reason has no effect".to_owned()),
        false => Ok(what),
    }
}

struct Comment {
    /// The line it speaks for.
    line: u32,
    /// What follows the mark.
    text: String,
    place: Range<usize>,
}

/// Finds the comments that suppress, if there are any at all.
fn comments(source: &Source) -> Vec<Comment> {
    let marks = source.text().match_indices(COMMENT);
    marks.filter_map(|(at, _)| comment(source, at)).collect()
}

/// Returns where the texts of documents stand, in order.
fn texts<'d>(documents: impl Iterator<Item = &'d Document>) -> Vec<(usize, usize)> {
    let mut indices = BTreeSet::new();
    // The items of a list share its tree.
    let whole = documents.filter(|one| indices.insert(one.index()));
    let texts = whole.flat_map(Document::texts);
    let mut texts: Vec<(usize, usize)> = texts.map(|text| (text.start, text.end)).collect();
    texts.sort_unstable();
    texts
}

fn is_inside(texts: &[(usize, usize)], at: usize) -> bool {
    let after = texts.partition_point(|(start, _)| *start <= at);
    after > 0 && at < texts[after - 1].1
}

fn comment(source: &Source, at: usize) -> Option<Comment> {
    let text = source.text();
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..]
        .find('\n')
        .map_or(text.len(), |length| at + length);
    let before = text[start..at].trim_end().strip_suffix('#')?;
    if !(before.is_empty() || before.ends_with([' ', '\t'])) {
        return None;
    }
    let own_line = source.span(at..at).line;
    let line = match before.trim().is_empty() {
        true => own_line + 1 + u32::try_from(lines_between(&text[end..])).ok()?,
        false => own_line,
    };
    Some(Comment {
        line,
        text: text[at + COMMENT.len()..end].to_owned(),
        place: at..text[..end].trim_end().len(),
    })
}

/// Counts the empty lines and comments between a comment and what it speaks for.
fn lines_between(rest: &str) -> usize {
    let lines = rest.split('\n').skip(1);
    let is_passed = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let lines: Vec<&str> = lines.take_while(is_passed).collect();
    lines.len()
}

fn at_annotation(document: &Document) -> Located {
    let fields = ["metadata", "annotations"];
    let fields = fields.map(|name| Step::Field(name.into()));
    let key = Step::Key(ANNOTATION.to_owned());
    let path = FieldPath(fields.into_iter().chain([key]).collect());
    document.locate_one(unused(path))
}

fn unused(path: FieldPath) -> Finding {
    Finding {
        severity: Severity::Warning,
        kind: FindingType::Warning,
        path,
        message: "there is nothing here to suppress".to_owned(),
        help: Some(format!(
            "it is written `# {COMMENT} [TYPE] [PATH]: REASON`, as an annotation `{ANNOTATION}: \"[TYPE] [PATH]: REASON\"`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suppression_is_types_a_path_and_a_reason() {
        let what = parse("UnknownField,Warning spec.a[0]: because: it is so").unwrap();
        assert_eq!(
            what.types,
            [FindingType::UnknownField, FindingType::Warning]
        );
        assert_eq!(what.path.as_deref(), Some("spec.a[0]"));
        assert_eq!(parse(": all of it").unwrap(), What::default());
        for text in ["", "Warning", "Warning:", "Warning: "] {
            assert!(
                parse(text).unwrap_err().contains("without a reason"),
                "{text}"
            );
        }
        assert!(
            parse("Wraning: x")
                .unwrap_err()
                .contains("`Wraning` is no type")
        );
    }

    #[test]
    fn a_comment_alone_speaks_for_what_follows_it() {
        let lines = |text: &str| {
            comments(&Source::new("in.yaml", text))
                .iter()
                .map(|one| one.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("a: 1 # podwright:ignore : x\n"), [1]);
        assert_eq!(lines("# podwright:ignore : x\n\n# more\na: 1\n"), [4]);
        assert_eq!(
            lines("a: '#podwright:ignore'\nb: podwright:ignore\n"),
            [0; 0]
        );
    }
}
