//! Where a manifest's words stand, and what is found wrong with them.
//!
//! Rules name a field by its [`FieldPath`], spelled as the API server spells it;
//! the reader alone knows positions and turns a path into a [`Span`].

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::excerpt::Excerpt;
use super::packed::{Packer, Unpacker};
use super::text::Source;

/// A half-open range of bytes in one source, with the line and column of its start.
///
/// Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub line: u32,
    pub column: u32,
}

impl Span {
    pub(super) fn pack(self, into: &mut Packer) {
        into.length(self.start);
        into.length(self.end);
        into.number(self.line);
        into.number(self.column);
    }

    pub(super) fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self {
            start: from.length(),
            end: from.length(),
            line: from.small(),
            column: from.small(),
        }
    }
}

/// One step down into an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A field of a struct: `.name`.
    Field(Cow<'static, str>),
    /// An item of a list: `[0]`.
    Index(usize),
    /// An entry of a map, by its key: `[key]`.
    Key(Box<str>),
    /// The key of an entry, where it is the key that is meant and not the value: `[key]`.
    KeyAlone(Box<str>),
    /// Steps that the API server spells otherwise than the manifest.
    Spelled(Box<Spelling>),
}

/// What the API server says of a field, and the field that is meant.
///
/// The server names a field by its own inner form at times, as in `spec.template.labels`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spelling {
    /// The server's spelling, as it is printed.
    pub shown: Box<str>,
    /// The whole path of the field that is meant.
    pub place: Vec<Step>,
}

/// The path of a field from the root of its object, owned.
///
/// Prints as Kubernetes' `field.Path` does: `spec.containers[0].name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FieldPath(pub Vec<Step>);

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => write!(f, "{name}")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) | Step::KeyAlone(key) => write!(f, "[{key}]")?,
                Step::Spelled(spelling) if position == 0 => {
                    f.write_str(spelling.shown.trim_start_matches('.'))?;
                }
                Step::Spelled(spelling) => f.write_str(&spelling.shown)?,
            }
        }
        Ok(())
    }
}

impl FieldPath {
    /// Returns a path of which only the spelling is known.
    pub(super) fn spelled(shown: Box<str>) -> Self {
        let place = Vec::new();
        Self(vec![Step::Spelled(Box::new(Spelling { shown, place }))])
    }

    /// Returns the steps to the field in the manifest.
    #[must_use]
    pub fn place(&self) -> Vec<&Step> {
        let mut place = Vec::with_capacity(self.0.len());
        follow(&self.0, &mut place);
        place
    }
}

fn follow<'s>(steps: &'s [Step], place: &mut Vec<&'s Step>) {
    for step in steps {
        match step {
            Step::Spelled(spelling) => {
                place.clear();
                follow(&spelling.place, place);
            }
            _ => place.push(step),
        }
    }
}

/// A path under construction while a rule walks down an object; costs nothing until a finding needs it.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Option<StepRef<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum StepRef<'a> {
    Field(&'static str),
    /// A field whose name only the document knows.
    Name(&'a str),
    Index(usize),
    Key(&'a str),
    KeyAlone(&'a str),
    Spelled(&'a str, &'a At<'a>),
}

impl<'a> At<'a> {
    /// The object itself.
    pub const ROOT: At<'static> = At {
        parent: None,
        step: None,
    };

    /// Steps into a field of a struct.
    #[must_use]
    pub fn field(&'a self, name: &'static str) -> At<'a> {
        self.then(StepRef::Field(name))
    }

    /// Steps into a field whose name is not one of ours.
    #[must_use]
    pub fn name(&'a self, name: &'a str) -> At<'a> {
        self.then(StepRef::Name(name))
    }

    /// Steps into an item of a list.
    #[must_use]
    pub fn index(&'a self, index: usize) -> At<'a> {
        self.then(StepRef::Index(index))
    }

    /// Steps into an entry of a map.
    #[must_use]
    pub fn key(&'a self, key: &'a str) -> At<'a> {
        self.then(StepRef::Key(key))
    }

    /// Steps to the key of an entry of a map.
    #[must_use]
    pub fn key_alone(&'a self, key: &'a str) -> At<'a> {
        self.then(StepRef::KeyAlone(key))
    }

    /// Steps to a field that the API server spells as `shown`, such as `.labels`.
    #[must_use]
    pub fn shown_as(&'a self, shown: &'a str, place: &'a At<'a>) -> At<'a> {
        self.then(StepRef::Spelled(shown, place))
    }

    fn then(&'a self, step: StepRef<'a>) -> At<'a> {
        At {
            parent: Some(self),
            step: Some(step),
        }
    }

    /// Returns the whole path, owned.
    #[must_use]
    pub fn to_path(&self) -> FieldPath {
        let up = || std::iter::successors(Some(self), |at| at.parent);
        let steps = up().filter_map(|at| at.step);
        let mut path = Vec::with_capacity(steps.clone().count());
        path.extend(steps.map(StepRef::to_owned));
        path.reverse();
        FieldPath(path)
    }
}

impl StepRef<'_> {
    fn to_owned(self) -> Step {
        match self {
            StepRef::Field(name) => Step::Field(Cow::Borrowed(name)),
            StepRef::Name(name) => Step::Field(Cow::Owned(name.to_owned())),
            StepRef::Index(index) => Step::Index(index),
            StepRef::Key(key) => Step::Key(key.into()),
            StepRef::KeyAlone(key) => Step::KeyAlone(key.into()),
            StepRef::Spelled(shown, place) => Step::Spelled(Box::new(Spelling {
                shown: shown.into(),
                place: place.to_path().0,
            })),
        }
    }
}

/// What kind of fault a finding is, in the API server's words (`field.ErrorType`) where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingType {
    Required,
    Invalid,
    Duplicate,
    Forbidden,
    NotSupported,
    NotFound,
    TooLong,
    TooMany,
    TypeInvalid,
    /// The text is not YAML or JSON.
    Syntax,
    /// A value of another type than the schema's.
    Decode,
    /// A field that the kind does not have.
    UnknownField,
    /// A mapping key that stands twice.
    DuplicateField,
    /// A kind or API version that is not known or not served.
    UnknownKind,
    /// Something that works, with a word of caution.
    Warning,
}

/// Quotes a text as the API server does (Go's `%q`).
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        let escaped = character.escape_debug();
        if character == '\'' || escaped.len() == 1 {
            quoted.push(character);
        } else if escaped.len() == 2 && character != '\0' {
            quoted.extend(escaped);
        } else {
            let code = u32::from(character);
            quoted.push_str(&match code {
                0..=0xff if character.is_ascii() => format!("\\x{code:02x}"),
                0..=0xffff => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            });
        }
    }
    quoted.push('"');
    quoted
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
    /// What was left open; it is told, and never counts against a manifest.
    Note,
}

/// One thing found wrong in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub kind: FindingType,
    pub path: FieldPath,
    /// What is wrong, in the API server's words: no path, no final period.
    pub message: String,
    /// What to do about it, where that is not plain from the message.
    pub help: Option<String>,
}

/// The findings of one document, in the order the rules met them.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Records an error of `kind` at `at`.
    pub fn error(&mut self, kind: FindingType, at: &At<'_>, message: impl Into<String>) {
        self.0.push(Finding {
            severity: Severity::Error,
            kind,
            path: at.to_path(),
            message: message.into(),
            help: None,
        });
    }

    /// Records a warning at `at`.
    pub fn warning(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.0.push(Finding {
            severity: Severity::Warning,
            kind: FindingType::Warning,
            path: at.to_path(),
            message: message.into(),
            help: None,
        });
    }

    /// Tells whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// A finding with its place, complete in itself: everything a report shows.
///
/// It holds no more of its source than that, so that the source may be forgotten.
#[derive(Debug, Clone)]
pub struct Located {
    /// The number of the source among those read together.
    pub input: usize,
    /// The name of the source.
    pub file: Arc<str>,
    /// The number of the document in its source; none where the source could not be split.
    pub document: Option<usize>,
    /// What the document is, such as "pod `web`"; none where that could not be read.
    pub object: Option<Arc<str>>,
    pub span: Span,
    /// The line that the span begins in.
    pub excerpt: Excerpt,
    pub finding: Finding,
}

impl Located {
    /// Puts a finding about a source to its place there; which document it is about is yet to be said.
    pub(super) fn in_source(
        input: usize,
        source: &Source,
        place: Range<usize>,
        finding: Finding,
    ) -> Self {
        let span = source.span(place);
        Self {
            input,
            file: source.shared_name(),
            document: None,
            object: None,
            span,
            excerpt: Excerpt::of(source, span),
            finding,
        }
    }

    /// Counts documents that stand before it in its source.
    pub(super) fn renumber(&mut self, before: usize) {
        self.document = self.document.map(|document| document + before);
    }

    /// Puts findings in the order of their places, the same each time.
    pub fn sort(findings: &mut [Located]) {
        findings.sort_unstable_by(|one, other| one.rank().cmp(&other.rank()));
    }

    fn rank(&self) -> impl Ord + '_ {
        let finding = &self.finding;
        (
            self.input,
            self.span.start,
            self.document,
            finding.severity,
            finding.kind,
            &finding.path,
            &finding.message,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_built_from_its_root() {
        let root = At::ROOT;
        let at = root.field("spec");
        let at = at.name("list");
        let at = at.index(3);
        let at = at.key("a/b");
        let path = at.to_path();
        assert_eq!(path.to_string(), "spec.list[3][a/b]");
        let spelled = FieldPath::spelled(path.to_string().into());
        assert_eq!(spelled.to_string(), path.to_string());
        assert_eq!(
            at.shown_as(".b", &root).to_path().place(),
            [&Step::Index(0); 0]
        );
    }

    #[test]
    fn a_step_is_small_for_there_are_many() {
        assert_eq!(size_of::<Step>(), 24);
    }
}
