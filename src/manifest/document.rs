//! Documents: what a source is split into, what each says it is, and where its fields stand.

use std::ops::Range;
use std::sync::Arc;

use super::source::{FieldPath, Finding, FindingType, Findings, Located, Span, Step};
use super::text::Source;
use super::yaml::{Map, Node, NodeId, Tree, Value};

/// One Kubernetes object as written: its values, its name, and the place of each field.
#[derive(Debug, Clone)]
pub struct Document {
    tree: Arc<Tree>,
    root: NodeId,
    input: usize,
    index: usize,
    api_version: String,
    kind: String,
}

impl Document {
    pub(super) fn new(tree: Arc<Tree>, root: NodeId, input: usize, index: usize) -> Self {
        let text = |field: &str| {
            let text = tree.node(root).get(field).and_then(Node::as_str);
            text.unwrap_or_default().to_owned()
        };
        Document {
            api_version: text("apiVersion"),
            kind: text("kind"),
            tree,
            root,
            input,
            index,
        }
    }

    /// Gives an item of a typed list (`kind: PodList`) what its list says about it.
    pub(super) fn inherit(&mut self, api_version: &str, kind: &str) {
        if self.api_version.is_empty() {
            api_version.clone_into(&mut self.api_version);
        }
        if self.kind.is_empty() {
            kind.clone_into(&mut self.kind);
        }
    }

    /// Counts documents that stand before it in its source.
    pub(super) fn renumber(&mut self, before: usize) {
        self.index += before;
    }

    /// Returns the source the document stands in.
    #[must_use]
    pub fn source(&self) -> &Source {
        self.tree.source()
    }

    /// Returns the number of the source among those read together.
    #[must_use]
    pub fn input(&self) -> usize {
        self.input
    }

    /// Returns the number of the document in its source; items of one list share it.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the `apiVersion`, empty if there is none.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Returns the `kind`, empty if there is none.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns `metadata.name`, if it is a string.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.metadata("name")
    }

    /// Returns `metadata.namespace`, if it is a string.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.metadata("namespace")
    }

    fn metadata(&self, field: &str) -> Option<&str> {
        self.node().get("metadata")?.get(field)?.as_str()
    }

    /// Returns what the document is in words: "pod `web`".
    #[must_use]
    pub fn title(&self) -> Option<Arc<str>> {
        let kind = self.kind();
        if kind.is_empty() {
            return None;
        }
        let kind = kind.to_ascii_lowercase();
        Some(match self.name() {
            Some(name) => format!("{kind} `{name}`").into(),
            None => kind.into(),
        })
    }

    /// Returns the document's values.
    #[must_use]
    pub fn node(&self) -> Node<'_> {
        self.tree.node(self.root)
    }

    /// Returns where the texts of its whole document stand.
    pub(super) fn texts(&self) -> impl Iterator<Item = Range<usize>> {
        self.tree.texts()
    }

    /// Returns where a field stands: its value, or the key of what holds it if it is absent or empty.
    #[must_use]
    pub fn span_of(&self, path: &FieldPath) -> Span {
        self.source().span(self.place(path, Focus::Value))
    }

    /// Returns where a finding points to: a key for what is wrong with a key, else the value.
    #[must_use]
    pub fn span_for(&self, finding: &Finding) -> Span {
        self.source().span(self.place_for(finding))
    }

    fn place_for(&self, finding: &Finding) -> Range<usize> {
        let focus = match finding.kind {
            FindingType::UnknownField | FindingType::DuplicateField => Focus::Key,
            _ => Focus::Value,
        };
        self.place(&finding.path, focus)
    }

    /// Gives each finding its place.
    #[must_use]
    pub fn locate(&self, findings: Findings) -> Vec<Located> {
        if findings.0.is_empty() {
            return Vec::new();
        }
        let title = self.title();
        let located = findings.0.into_iter();
        let located = located.map(|finding| self.locate_as(title.clone(), finding));
        located.collect()
    }

    /// Gives one finding its place.
    pub(super) fn locate_one(&self, finding: Finding) -> Located {
        self.locate_as(self.title(), finding)
    }

    fn locate_as(&self, object: Option<Arc<str>>, finding: Finding) -> Located {
        let place = self.place_for(&finding);
        Located {
            document: Some(self.index),
            object,
            ..Located::in_source(self.input, self.source(), place, finding)
        }
    }

    fn place(&self, path: &FieldPath, focus: Focus) -> Range<usize> {
        let mut node = self.node();
        let mut place = beginning(node);
        let steps = path.place();
        for (position, step) in steps.iter().enumerate() {
            let Some((key, value)) = descend(node, step) else {
                // what stands inside of a text is told at that text
                return scalar_place(node).unwrap_or(place);
            };
            let is_last = position + 1 == steps.len() && !matches!(step, Step::KeyAlone(_));
            place = match key {
                Some(key) if is_last && focus == Focus::Value => {
                    scalar_place(value).unwrap_or_else(|| key.range())
                }
                Some(key) => key.range(),
                None => scalar_place(value).unwrap_or_else(|| beginning(value)),
            };
            node = value;
        }
        place
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Key,
    Value,
}

/// Follows one step; the key comes along where there is one.
fn descend<'t>(node: Node<'t>, step: &Step) -> Option<(Option<Node<'t>>, Node<'t>)> {
    match step {
        Step::Index(index) => Some((None, node.as_list()?.get(*index)?)),
        Step::Field(name) => entry(node.as_map()?, name),
        Step::Key(name) | Step::KeyAlone(name) => entry(node.as_map()?, name),
        Step::Spelled(_) => None,
    }
}

fn entry<'t>(map: Map<'t>, key: &str) -> Option<(Option<Node<'t>>, Node<'t>)> {
    let entry = map.entry(key)?;
    Some((Some(entry.key_node), entry.value))
}

/// Returns the place of a scalar that has any text.
fn scalar_place(node: Node<'_>) -> Option<Range<usize>> {
    match node.value() {
        Value::List(_) | Value::Map(_) => None,
        _ => Some(node.range()).filter(|range| !range.is_empty()),
    }
}

/// Returns what a list or map begins with: its first key, or its bracket.
fn beginning(node: Node<'_>) -> Range<usize> {
    let range = node.range();
    if let Some(first) = node.as_map().and_then(|map| map.iter().next()) {
        let key = first.key_node.range();
        if key.start == range.start {
            return key;
        }
    }
    range.start..(range.start + 1).min(range.end)
}

/// The parts of a source, and why the rest could not be split, if so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) parts: Vec<Range<usize>>,
    pub(super) fault: Option<(Range<usize>, String)>,
}

/// Splits a source as kubectl's reader does: a line that begins with `---` ends the document before it.
///
/// One that nothing stands before begins its own document.
///
/// Only blanks and a comment may follow on that line. The rule knows nothing of YAML, so such a line splits
/// a block scalar too.
pub(super) fn split(text: &str) -> Split {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let place = at..at + line.trim_end().len();
                let message = format!("invalid Yaml document separator: {rest}");
                return Split {
                    parts,
                    fault: Some((place, message)),
                };
            }
            // one at the very beginning stays with its document
            if at > start {
                parts.push(start..at);
                start = at + line.len();
            }
        }
        at += line.len();
    }
    if at > start {
        parts.push(start..at);
    }
    Split { parts, fault: None }
}

/// What the items of a list are: the lists of `kind: List` say it themselves, `PodList` says it for them.
fn item_kind<'t>(root: Node<'t>) -> Option<(&'t str, &'t str)> {
    let kind = root.get("kind")?.as_str()?.strip_suffix("List")?;
    root.get("items")?.as_list()?;
    let api_version = root.get("apiVersion").and_then(Node::as_str)?;
    Some((if kind.is_empty() { "" } else { api_version }, kind))
}

/// An object and the steps to it from the root of its document.
pub(super) struct Expanded {
    pub(super) document: Document,
    pub(super) prefix: Vec<Step>,
}

/// Returns the objects of a document: itself, or the items of a list, lists in lists included.
pub(super) fn expand(tree: &Arc<Tree>, root: NodeId, input: usize, index: usize) -> Vec<Expanded> {
    let mut objects = Vec::new();
    let mut open = vec![Expanded {
        document: Document::new(Arc::clone(tree), root, input, index),
        prefix: Vec::new(),
    }];
    while let Some(Expanded { document, prefix }) = open.pop() {
        let Some((api_version, kind)) = item_kind(document.node()) else {
            objects.push(Expanded { document, prefix });
            continue;
        };
        let items = document.node().get("items").and_then(Node::as_list);
        let first = open.len();
        for (number, item) in items.iter().flat_map(|items| items.iter()).enumerate() {
            let mut document = Document::new(Arc::clone(tree), item.id(), input, index);
            document.inherit(api_version, kind);
            let mut prefix = prefix.clone();
            prefix.extend([Step::Field("items".into()), Step::Index(number)]);
            open.push(Expanded { document, prefix });
        }
        open[first..].reverse();
    }
    objects
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        split(text)
            .parts
            .into_iter()
            .map(|part| &text[part])
            .collect()
    }

    #[test]
    fn separators_split_with_blanks_and_comments_behind_them() {
        assert_eq!(parts("a\n---\nb\n"), ["a\n", "b\n"]);
        assert_eq!(
            parts("---\na\n---   \nb\n--- # c\nd\n---"),
            ["---\na\n", "b\n", "d\n"]
        );
        assert_eq!(parts("a\r\n---\r\nb\r\n"), ["a\r\n", "b\r\n"]);
        assert_eq!(parts("a: |\n  x\n  ---\n  y\n").len(), 1);
        assert_eq!(parts("---\n---\n"), ["---\n"]);
        assert_eq!(parts(""), Vec::<&str>::new());
    }

    #[test]
    fn anything_else_behind_a_separator_ends_the_reading() {
        let split = split("a\n---\nb\n----\nc\n");
        assert_eq!(split.parts.first(), Some(&(0..2)));
        assert_eq!(split.parts.len(), 1);
        assert_eq!(
            split.fault,
            Some((8..12, "invalid Yaml document separator: -".to_owned()))
        );
    }
}
