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

use super::document::Document;
use super::read::Read;
use super::source::{FieldPath, Finding, FindingType, Located, Severity, Step};
use super::text::Source;

/// The annotation that speaks for its object.
pub const ANNOTATION: &str = "podwright.io/ignore";

/// What a comment begins with that speaks for a line.
pub const COMMENT: &str = "podwright:ignore";

/// All suppressions of what was read.
#[derive(Debug, Default)]
pub(super) struct Suppressions {
    all: Vec<Suppression>,
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

/// What a suppression speaks for, in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Line(u32),
    /// The object of its own place, in this document.
    ObjectOf(Option<usize>),
}

/// The types, none for all, and the path that findings lie under.
#[derive(Debug, Default, PartialEq, Eq)]
struct What {
    types: Vec<FindingType>,
    path: Option<String>,
}

impl Suppressions {
    /// Finds the suppressions in a part of a source, which these objects stand in.
    pub(super) fn of(input: usize, source: &Source, part: Range<usize>, objects: &[Read]) -> Self {
        let mut suppressions = Self::default();
        let text = &source.text()[part.clone()];
        if text.contains(COMMENT) {
            let texts = texts(objects);
            for comment in comments(source, part) {
                if !is_inside(&texts, comment.place.start) {
                    let unused = unused(FieldPath::default());
                    let told = Located::in_source(input, source, comment.place, unused);
                    suppressions.add(Scope::Line(comment.line), &comment.text, told);
                }
            }
        }
        if text.contains(ANNOTATION) {
            for read in objects {
                suppressions.annotation(&read.document);
            }
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
            let scope = Scope::ObjectOf(Some(document.index()));
            self.add(scope, line, at_annotation(document));
        }
    }

    fn add(&mut self, scope: Scope, text: &str, mut told: Located) {
        match parse(text) {
            Ok(what) => self.all.push(Suppression {
                scope,
                what,
                unused: told,
                is_used: false,
            }),
            Err(message) => {
                told.finding.message = message;
                self.faults.push(told);
            }
        }
    }

    /// Tells whether there are none, and nothing wrong with any.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.faults.is_empty()
    }

    /// Adds those of a later piece.
    pub(super) fn append(&mut self, mut later: Self) {
        self.all.append(&mut later.all);
        self.faults.append(&mut later.faults);
    }

    /// Counts documents that stand before them in their source.
    pub(super) fn renumber(&mut self, before: usize) {
        for one in &mut self.all {
            one.unused.renumber(before);
            if let Scope::ObjectOf(_) = one.scope {
                one.scope = Scope::ObjectOf(one.unused.document);
            }
        }
        for fault in &mut self.faults {
            fault.renumber(before);
        }
    }

    /// Takes away the findings that are suppressed, of those that may be; returns how many they were.
    pub(super) fn suppress(
        &mut self,
        findings: &mut Vec<Located>,
        may_be: impl Fn(&Finding) -> bool,
    ) -> usize {
        let mut by_scope: BTreeMap<(usize, Scope), Vec<usize>> = BTreeMap::new();
        for (number, one) in self.all.iter().enumerate() {
            let scope = (one.unused.input, one.scope);
            by_scope.entry(scope).or_default().push(number);
        }
        let before = findings.len();
        findings.retain(|located| {
            let scopes = [
                Scope::Line(located.span.line),
                Scope::ObjectOf(located.document),
            ];
            let of_it = scopes.map(|scope| by_scope.get(&(located.input, scope)));
            let mut is_covered = false;
            for number in of_it.into_iter().flatten().flatten() {
                let suppression = &mut self.all[*number];
                if suppression.covers(located) && may_be(&located.finding) {
                    suppression.is_used = true;
                    is_covered = true;
                }
            }
            !is_covered
        });
        before - findings.len()
    }

    /// Returns what is wrong with the suppressions themselves.
    pub(super) fn faults(&mut self) -> Vec<Located> {
        std::mem::take(&mut self.faults)
    }

    /// Returns what is to be told of those that nothing needed.
    pub(super) fn unused(self) -> impl Iterator<Item = Located> {
        let unused = self.all.into_iter().filter(|one| !one.is_used);
        unused.map(|one| one.unused)
    }
}

impl Suppression {
    /// Tells whether a finding of its scope is one that it means.
    fn covers(&self, located: &Located) -> bool {
        let is_in_scope = match self.scope {
            Scope::Line(_) => true,
            Scope::ObjectOf(_) => located.object == self.unused.object,
        };
        is_in_scope && self.what.covers(&located.finding)
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

/// Finds the comments of a part of a source that suppress.
fn comments(source: &Source, part: Range<usize>) -> impl Iterator<Item = Comment> {
    let marks = source.text()[part.clone()].match_indices(COMMENT);
    marks.filter_map(move |(at, _)| comment(source, part.start + at))
}

/// Returns where the texts of documents stand, in order.
fn texts(objects: &[Read]) -> Vec<(usize, usize)> {
    let mut indices = BTreeSet::new();
    let documents = objects.iter().map(|read| &read.document);
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
    let key = Step::Key(ANNOTATION.into());
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
            comments(&Source::new("in.yaml", text), 0..text.len())
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
