//! Builds a tree from the beginnings and ends that a YAML or JSON reader reports, within limits.

use std::collections::HashMap;
use std::ops::Range;

use super::scalar::{self, Scalar};
use super::tree::{Cell, Format, NodeId, Stored, Tree, narrow};
use super::{Duplicate, SyntaxError};
use crate::manifest::source::{FieldPath, Step};
use crate::manifest::text::Source;

/// The deepest nesting that is read; Go's JSON decoder has the same limit.
pub(super) const MAX_DEPTH: usize = 10_000;

/// The most keys that are told to stand twice; each comes with a path as long as its nesting is deep.
const MAX_DUPLICATES: usize = 100;

/// A finished node with what it expands to once aliases are followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Built {
    id: NodeId,
    weight: u64,
    height: usize,
}

#[derive(Debug, Clone, Copy)]
enum Anchor {
    /// The anchored list or map has not ended yet: an alias here would contain itself.
    Open,
    Done(Built),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    List,
    Map,
}

#[derive(Debug)]
struct Frame {
    shape: Shape,
    start: usize,
    /// Where this frame's children begin in [`Builder::pending`].
    children: usize,
    anchor: Option<String>,
    flow: bool,
    /// The pairs, by number, whose key is `<<`.
    merges: Vec<usize>,
}

/// The list or map that is being read, and everything around it.
pub(super) struct Builder {
    tree: Tree,
    frames: Vec<Frame>,
    pending: Vec<Built>,
    anchors: HashMap<String, Anchor>,
    duplicates: Vec<Duplicate>,
    root: Option<NodeId>,
    aliased: u64,
    decoded: u64,
}

impl Builder {
    pub(super) fn new(source: Source, format: Format) -> Self {
        Builder {
            tree: Tree::new(source, format),
            frames: Vec::new(),
            pending: Vec::new(),
            anchors: HashMap::new(),
            duplicates: Vec::new(),
            root: None,
            aliased: 0,
            decoded: 0,
        }
    }

    /// Returns the tree and its root, once the root has ended.
    pub(super) fn finish(self) -> Option<(Tree, NodeId, Vec<Duplicate>)> {
        Some((self.tree, self.root?, self.duplicates))
    }

    pub(super) fn source_text(&self, place: Range<usize>) -> &str {
        self.tree.source().text().get(place).unwrap_or("")
    }

    /// Tells whether the innermost open list or map is written in flow style, with brackets.
    pub(super) fn is_in_flow(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.flow)
    }

    /// Returns how many lists and maps are open around what comes next.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Tells whether the next node is a mapping key.
    pub(super) fn expects_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| {
            frame.shape == Shape::Map && (self.pending.len() - frame.children).is_multiple_of(2)
        })
    }

    pub(super) fn begin_list(
        &mut self,
        start: usize,
        flow: bool,
        anchor: Option<String>,
    ) -> Result<(), SyntaxError> {
        self.begin(Shape::List, start, flow, anchor)
    }

    pub(super) fn begin_map(
        &mut self,
        start: usize,
        flow: bool,
        anchor: Option<String>,
    ) -> Result<(), SyntaxError> {
        self.begin(Shape::Map, start, flow, anchor)
    }

    fn begin(
        &mut self,
        shape: Shape,
        start: usize,
        flow: bool,
        anchor: Option<String>,
    ) -> Result<(), SyntaxError> {
        if self.expects_key() {
            return Err(SyntaxError::new(
                start..start,
                "a list or a map cannot be a mapping key",
            ));
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(too_deep(start));
        }
        if let Some(name) = &anchor {
            self.anchors.insert(name.clone(), Anchor::Open);
        }
        self.frames.push(Frame {
            shape,
            start,
            children: self.pending.len(),
            anchor,
            flow,
            merges: Vec::new(),
        });
        Ok(())
    }

    /// Marks the key that comes next as `<<`, whose value is merged into the map.
    pub(super) fn merge_key(&mut self, place: Range<usize>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.merges.push((self.pending.len() - frame.children) / 2);
        }
        let id = self.tree.push(Cell {
            value: Stored::Null,
            start: narrow(place.start),
            end: narrow(place.end),
        });
        self.pending.push(Built {
            id,
            weight: 1,
            height: 0,
        });
    }

    pub(super) fn end_list(&mut self, end: usize) -> Result<(), SyntaxError> {
        self.end(end)
    }

    pub(super) fn end_map(&mut self, end: usize) -> Result<(), SyntaxError> {
        self.end(end)
    }

    fn end(&mut self, end: usize) -> Result<(), SyntaxError> {
        let Some(frame) = self.frames.last() else {
            return Ok(());
        };
        let (weight, height) =
            self.pending[frame.children..]
                .iter()
                .fold((1u64, 0), |(weight, height), child| {
                    (
                        weight.saturating_add(child.weight),
                        height.max(child.height),
                    )
                });
        let from = frame.children;
        let value = match frame.shape {
            Shape::List => {
                let items = self.pending.drain(from..).map(|child| child.id);
                let (start, end) = self.tree.push_children(items);
                Stored::List(start, end)
            }
            Shape::Map => self.close_map(from)?,
        };
        self.pending.truncate(from);
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let id = self.tree.push(Cell {
            value,
            start: narrow(frame.start),
            end: narrow(end.max(frame.start)),
        });
        let built = Built {
            id,
            weight,
            height: height + 1,
        };
        if let Some(name) = frame.anchor {
            self.anchors.insert(name, Anchor::Done(built));
        }
        self.add(built);
        Ok(())
    }

    /// Adds a scalar; as a key it becomes a string.
    pub(super) fn scalar(
        &mut self,
        scalar: Scalar,
        text: &str,
        place: Range<usize>,
        text_place: Range<usize>,
        anchor: Option<String>,
    ) -> Result<(), SyntaxError> {
        let mut value = match scalar.stored() {
            Some(value) => value,
            None => Stored::Text(self.tree.keep(text, text_place)),
        };
        if self.expects_key() && !matches!(value, Stored::Text(_)) {
            let Some(key) = scalar::key_text(value, text) else {
                let found = if text.is_empty() { "null" } else { text };
                let message = format!("`{found}` cannot be a mapping key");
                return Err(SyntaxError::new(place, message));
            };
            value = Stored::Text(self.tree.keep(&key, place.clone()));
        }
        let id = self.tree.push(Cell {
            value,
            start: narrow(place.start),
            end: narrow(place.end),
        });
        let built = Built {
            id,
            weight: 1,
            height: 0,
        };
        if let Some(name) = anchor {
            self.anchors.insert(name, Anchor::Done(built));
        }
        self.decoded += 1;
        self.add(built);
        Ok(())
    }

    /// Adds what an anchor stands for, placed where the alias is written.
    pub(super) fn alias(&mut self, name: &str, place: Range<usize>) -> Result<(), SyntaxError> {
        let built = match self.anchors.get(name) {
            Some(&Anchor::Done(built)) => built,
            Some(Anchor::Open) => {
                let message = format!("anchor '{name}' value contains itself");
                return Err(SyntaxError::new(place, message));
            }
            None => {
                let message = format!("unknown anchor '{name}' referenced");
                return Err(SyntaxError::new(place, message));
            }
        };
        if self.frames.len() + built.height > MAX_DEPTH {
            return Err(too_deep(place.start));
        }
        self.count_alias(built.weight, &place)?;
        let mut value = self.tree.cell(built.id).value;
        if self.expects_key() && !matches!(value, Stored::Text(_)) {
            let Some(key) = scalar::key_text(value, "") else {
                return Err(SyntaxError::new(
                    place,
                    "a list, a map or null cannot be a mapping key",
                ));
            };
            value = Stored::Text(self.tree.keep(&key, place.clone()));
        }
        let id = self.tree.push(Cell {
            value,
            start: narrow(place.start),
            end: narrow(place.end),
        });
        self.add(Built { id, ..built });
        Ok(())
    }

    /// Refuses a document most of which comes from aliases, by go-yaml's measure.
    fn count_alias(&mut self, weight: u64, place: &Range<usize>) -> Result<(), SyntaxError> {
        self.aliased = self.aliased.saturating_add(weight).saturating_add(1);
        self.decoded = self.decoded.saturating_add(weight).saturating_add(1);
        let (low, high) = (400_000, 4_000_000);
        // In hundredths: 99 % of a small document may come from aliases, 10 % of a large one.
        let allowed = match self.decoded {
            decoded if decoded <= low => 99,
            decoded if decoded >= high => 10,
            decoded => 99 - 89 * (decoded - low) / (high - low),
        };
        let excessive = self.aliased.saturating_mul(100) > self.decoded.saturating_mul(allowed);
        if self.aliased > 100 && self.decoded > 1000 && excessive {
            return Err(SyntaxError::new(
                place.clone(),
                "document contains excessive aliasing",
            ));
        }
        Ok(())
    }

    fn add(&mut self, built: Built) {
        if self.frames.is_empty() {
            self.root.get_or_insert(built.id);
        } else {
            self.pending.push(built);
        }
    }

    /// Makes a map of the pending pairs: a key that stands twice is recorded and its last value holds.
    fn close_map(&mut self, from: usize) -> Result<Stored, SyntaxError> {
        let pairs: Vec<[NodeId; 2]> = self.pending[from..]
            .as_chunks()
            .0
            .iter()
            .map(|&[key, value]: &[Built; 2]| [key.id, value.id])
            .collect();
        let merges = match self.frames.last_mut() {
            Some(frame) => std::mem::take(&mut frame.merges),
            None => Vec::new(),
        };
        let mut entries = Entries::new(&self.tree, pairs.len());
        let mut repeated = Vec::new();
        let mut merges = merges.into_iter().peekable();
        for (number, &[key, value]) in pairs.iter().enumerate() {
            if merges.next_if_eq(&number).is_some() {
                entries.merge(value)?;
            } else if entries.set(key, value, Origin::Explicit) {
                repeated.push(key);
            }
        }
        let entries = entries.into_children();
        let room = MAX_DUPLICATES.saturating_sub(self.duplicates.len());
        for key in repeated.into_iter().take(room) {
            let duplicate = self.duplicate(key);
            self.duplicates.push(duplicate);
        }
        let (start, end) = self.tree.push_children(entries);
        Ok(Stored::Map(start, end))
    }

    fn duplicate(&self, key: NodeId) -> Duplicate {
        let mut steps = Vec::new();
        for (frame, inner) in self.frames.iter().zip(self.frames.iter().skip(1)) {
            let count = inner.children - frame.children;
            steps.push(match frame.shape {
                Shape::List => Step::Index(count),
                Shape::Map => {
                    let key = self.pending[inner.children - 1].id;
                    Step::Field(
                        self.tree
                            .node(key)
                            .as_str()
                            .unwrap_or("<<")
                            .to_owned()
                            .into(),
                    )
                }
            });
        }
        let node = self.tree.node(key);
        let name = node.as_str().unwrap_or("").to_owned();
        steps.push(Step::Field(name.into()));
        Duplicate {
            path: FieldPath(steps),
            place: node.range(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Explicit,
    Merged,
}

/// The entries of a map under construction, each key once.
struct Entries<'t> {
    tree: &'t Tree,
    list: Vec<(NodeId, NodeId, Origin)>,
    /// Where each key stands in `list`; kept only for maps too large to search.
    index: HashMap<&'t str, usize>,
}

/// Up to this many entries a map is searched through.
const SMALL: usize = 16;

impl<'t> Entries<'t> {
    fn new(tree: &'t Tree, capacity: usize) -> Self {
        Entries {
            tree,
            list: Vec::with_capacity(capacity),
            index: HashMap::new(),
        }
    }

    /// Sets a key's value and tells whether the key had been written out before.
    fn set(&mut self, key: NodeId, value: NodeId, origin: Origin) -> bool {
        let text = self.key(key);
        let Some(at) = self.find(text) else {
            if self.list.len() == SMALL {
                for at in 0..SMALL {
                    self.index.insert(self.key(self.list[at].0), at);
                }
            }
            if self.list.len() >= SMALL {
                self.index.insert(text, self.list.len());
            }
            self.list.push((key, value, origin));
            return false;
        };
        let repeated = origin == Origin::Explicit && self.list[at].2 == Origin::Explicit;
        self.list[at] = (key, value, origin.max_explicit(self.list[at].2));
        repeated
    }

    fn find(&self, text: &str) -> Option<usize> {
        if self.list.len() > SMALL {
            self.index.get(text).copied()
        } else {
            self.list
                .iter()
                .position(|&(key, _, _)| self.key(key) == text)
        }
    }

    fn key(&self, key: NodeId) -> &'t str {
        self.tree.node(key).as_str().unwrap_or("")
    }

    /// Merges a map, or the maps of a list, the first of which wins.
    ///
    /// As go-yaml does it, a merge overrides what stands above it in the same map.
    fn merge(&mut self, value: NodeId) -> Result<(), SyntaxError> {
        let node = self.tree.node(value);
        if let Some(list) = node.as_list() {
            for item in list.iter().collect::<Vec<_>>().into_iter().rev() {
                self.merge_map(item.id())?;
            }
            Ok(())
        } else {
            self.merge_map(value)
        }
    }

    fn merge_map(&mut self, value: NodeId) -> Result<(), SyntaxError> {
        let node = self.tree.node(value);
        let Some(map) = node.as_map() else {
            return Err(SyntaxError::new(
                node.range(),
                "map merge requires map or sequence of maps as the value",
            ));
        };
        for entry in map.iter() {
            self.set(entry.key_node.id(), entry.value.id(), Origin::Merged);
        }
        Ok(())
    }

    fn into_children(self) -> Vec<NodeId> {
        self.list
            .into_iter()
            .flat_map(|(key, value, _)| [key, value])
            .collect()
    }
}

impl Origin {
    fn max_explicit(self, other: Origin) -> Origin {
        if self == Origin::Explicit || other == Origin::Explicit {
            Origin::Explicit
        } else {
            Origin::Merged
        }
    }
}

fn too_deep(at: usize) -> SyntaxError {
    SyntaxError::new(
        at..at,
        format!("exceeded max depth of {MAX_DEPTH} nested lists and maps"),
    )
}
