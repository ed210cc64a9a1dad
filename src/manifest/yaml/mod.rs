//! Reads one document into a tree of values that know where they stand.
//!
//! YAML is read as sigs.k8s.io/yaml reads it (go-yaml, YAML 1.1), JSON by JSON's own rules. Either way the
//! outcome is a [`Tree`]; what is wrong is a [`SyntaxError`] with its place, never a panic, however hostile
//! the text: its size, nesting and alias expansion are limited.

mod build;
mod events;
mod guard;
mod json;
mod scalar;
mod tree;

use std::borrow::Cow;
use std::ops::Range;

pub use tree::{Entry, Format, List, Map, Node, NodeId, Tree, Value};

use super::source::FieldPath;

pub(super) use events::read_yaml;
pub(super) use json::{OUT_OF_RANGE, read_json};

/// The most bytes one document may have; the API server takes 3 MiB.
pub const MAX_DOCUMENT: usize = 8 << 20;

/// Why a text is not YAML, or not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The bytes of the source that the reader stopped at.
    pub place: Range<usize>,
    pub message: Cow<'static, str>,
}

impl SyntaxError {
    fn new(place: Range<usize>, message: impl Into<Cow<'static, str>>) -> Self {
        SyntaxError {
            place,
            message: message.into(),
        }
    }
}

/// A mapping key that stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The key's path from the root of the document.
    pub path: FieldPath,
    /// The bytes of the later of the two keys.
    pub place: Range<usize>,
}

/// A document that was read.
#[derive(Debug)]
pub struct Parsed {
    pub tree: Tree,
    pub root: NodeId,
    pub duplicates: Vec<Duplicate>,
    /// The bytes after the end of the document that the reader left alone.
    pub ignored: Option<Range<usize>>,
}
