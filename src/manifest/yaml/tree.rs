//! The tree of one document: nodes in one arena, each with its place in the text.
//!
//! Nodes refer to each other by number, so an alias costs one node however large its anchor is, and
//! neither building nor dropping a deeply nested document uses the stack.

use std::ops::Range;

use crate::manifest::source::Span;
use crate::manifest::text::Source;

/// The number of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

/// Which grammar a document was read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Json,
}

/// The text of a string: where it stands verbatim in the source, or a piece of the tree's own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text {
    Source(u32, u32),
    Owned(u32, u32),
}

/// What a node is, as stored: lists and maps are ranges of [`Tree::children`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Stored {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Text),
    List(u32, u32),
    /// Keys and values in turn.
    Map(u32, u32),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) value: Stored,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// One document's values and where they stand.
#[derive(Debug)]
pub struct Tree {
    source: Source,
    format: Format,
    cells: Vec<Cell>,
    children: Vec<NodeId>,
    texts: String,
}

impl Tree {
    pub(super) fn new(source: Source, format: Format) -> Self {
        Tree {
            source,
            format,
            cells: Vec::new(),
            children: Vec::new(),
            texts: String::new(),
        }
    }

    /// Returns the text the tree was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns a node to walk from.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Node<'_> {
        Node { tree: self, id }
    }

    pub(super) fn push(&mut self, cell: Cell) -> NodeId {
        let id = NodeId(narrow(self.cells.len()));
        self.cells.push(cell);
        id
    }

    pub(super) fn cell(&self, id: NodeId) -> Cell {
        self.cells[id.0 as usize]
    }

    pub(super) fn push_children(&mut self, ids: impl IntoIterator<Item = NodeId>) -> (u32, u32) {
        let start = narrow(self.children.len());
        self.children.extend(ids);
        (start, narrow(self.children.len()))
    }

    /// Keeps a string, by its place in the source if it stands there as it is.
    pub(super) fn keep(&mut self, value: &str, place: Range<usize>) -> Text {
        if self.source.text().get(place.clone()) == Some(value) {
            return Text::Source(narrow(place.start), narrow(place.end));
        }
        let start = narrow(self.texts.len());
        self.texts.push_str(value);
        Text::Owned(start, narrow(self.texts.len()))
    }

    pub(super) fn text(&self, text: Text) -> &str {
        match text {
            Text::Source(start, end) => &self.source.text()[start as usize..end as usize],
            Text::Owned(start, end) => &self.texts[start as usize..end as usize],
        }
    }

    /// Returns where the strings stand.
    pub(in crate::manifest) fn texts(&self) -> impl Iterator<Item = Range<usize>> {
        let texts = self
            .cells
            .iter()
            .filter(|cell| matches!(cell.value, Stored::Text(_)));
        texts.map(|cell| cell.start as usize..cell.end as usize)
    }

    fn range(&self, start: u32, end: u32) -> &[NodeId] {
        &self.children[start as usize..end as usize]
    }
}

/// Offsets fit 32 bits because a source is at most [`crate::manifest::text::MAX_SOURCE`] bytes and each node
/// and each child costs a byte of it.
pub(super) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A node of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    id: NodeId,
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub enum Value<'t> {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    Float(f64),
    String(&'t str),
    List(List<'t>),
    Map(Map<'t>),
}

/// The items of a list.
#[derive(Debug, Clone, Copy)]
pub struct List<'t> {
    tree: &'t Tree,
    items: &'t [NodeId],
}

/// The entries of a map; each key stands once.
#[derive(Debug, Clone, Copy)]
pub struct Map<'t> {
    tree: &'t Tree,
    entries: &'t [NodeId],
}

/// A key and its value.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'t> {
    pub key: &'t str,
    pub key_node: Node<'t>,
    pub value: Node<'t>,
}

impl<'t> Node<'t> {
    /// Returns the node's number.
    #[must_use]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Returns what the node is.
    #[must_use]
    pub fn value(self) -> Value<'t> {
        let tree = self.tree;
        match tree.cell(self.id).value {
            Stored::Null => Value::Null,
            Stored::Bool(value) => Value::Bool(value),
            Stored::Int(value) => Value::Int(value),
            Stored::Uint(value) => Value::Uint(value),
            Stored::Float(value) => Value::Float(value),
            Stored::Text(text) => Value::String(tree.text(text)),
            Stored::List(start, end) => Value::List(List {
                tree,
                items: tree.range(start, end),
            }),
            Stored::Map(start, end) => Value::Map(Map {
                tree,
                entries: tree.range(start, end),
            }),
        }
    }

    /// Returns the string this node is, if it is one.
    #[must_use]
    pub fn as_str(self) -> Option<&'t str> {
        match self.value() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the list this node is, if it is one.
    #[must_use]
    pub fn as_list(self) -> Option<List<'t>> {
        match self.value() {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the map this node is, if it is one.
    #[must_use]
    pub fn as_map(self) -> Option<Map<'t>> {
        match self.value() {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the value of a key, if this is a map that has it.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Node<'t>> {
        Some(self.as_map()?.entry(key)?.value)
    }

    /// Returns the bytes of the text this node covers.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        let cell = self.tree.cell(self.id);
        cell.start as usize..cell.end as usize
    }

    /// Returns where the node stands.
    #[must_use]
    pub fn span(self) -> Span {
        self.tree.source.span(self.range())
    }

    /// Returns the node's own text, quotes and all.
    #[must_use]
    pub fn literal(self) -> &'t str {
        self.tree.source.text().get(self.range()).unwrap_or("")
    }

    /// Returns the grammar the document was read by.
    #[must_use]
    pub fn format(self) -> Format {
        self.tree.format
    }
}

impl<'t> List<'t> {
    /// Returns the number of items.
    #[must_use]
    pub fn len(self) -> usize {
        self.items.len()
    }

    /// Tells whether there is no item.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.items.is_empty()
    }

    /// Returns an item.
    #[must_use]
    pub fn get(self, index: usize) -> Option<Node<'t>> {
        self.items.get(index).map(|&id| self.tree.node(id))
    }

    /// Returns the items in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Node<'t>> {
        self.items.iter().map(move |&id| self.tree.node(id))
    }
}

impl<'t> Map<'t> {
    /// Returns the number of entries.
    #[must_use]
    pub fn len(self) -> usize {
        self.entries.len() / 2
    }

    /// Tells whether there is no entry.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entry of a key.
    #[must_use]
    pub fn entry(self, key: &str) -> Option<Entry<'t>> {
        self.iter().find(|entry| entry.key == key)
    }

    /// Returns an entry by its number.
    #[must_use]
    pub fn get(self, index: usize) -> Option<Entry<'t>> {
        let &[key, value] = self.entries.as_chunks().0.get(index)?;
        Some(self.pair(key, value))
    }

    /// Returns the entries in the order they were written.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Entry<'t>> {
        let pairs = self.entries.as_chunks().0;
        pairs.iter().map(move |&[key, value]| self.pair(key, value))
    }

    fn pair(self, key: NodeId, value: NodeId) -> Entry<'t> {
        let key_node = self.tree.node(key);
        Entry {
            key: key_node.as_str().unwrap_or(""),
            key_node,
            value: self.tree.node(value),
        }
    }
}
