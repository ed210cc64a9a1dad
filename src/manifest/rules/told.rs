//! What a warning across objects shows beside its words, kept until it is known whether it is told.

use std::sync::Arc;

use crate::manifest::document::Document;
use crate::manifest::excerpt::Excerpt;
use crate::manifest::packed::{Packer, Unpacker};
use crate::manifest::source::{At, FieldPath, Finding, FindingType, Located, Severity, Span};

/// Where an object says something.
#[derive(Debug)]
pub(super) struct Told<'t> {
    pub(super) file: &'t str,
    document: usize,
    title: Option<&'t str>,
    pub(super) span: Span,
    excerpt: Excerpt,
    /// As it is printed.
    path: Box<str>,
}

impl<'t> Told<'t> {
    /// Returns a path of a document with this title.
    pub(super) fn at(document: &'t Document, title: Option<&'t str>, at: &At<'_>) -> Self {
        let path = at.to_path();
        let span = document.span_of(&path);
        Self {
            file: document.source().name(),
            document: document.index(),
            title,
            span,
            excerpt: Excerpt::of(document.source(), span),
            path: path.to_string().into(),
        }
    }

    pub(super) fn title(&self) -> &'t str {
        self.title.unwrap_or_default()
    }

    pub(super) fn pack(&self, into: &mut Packer) {
        into.text(self.file);
        into.length(self.document);
        into.length(usize::from(self.title.is_some()));
        into.text(self.title());
        self.span.pack(into);
        self.excerpt.pack(into);
        into.text(&self.path);
    }

    pub(super) fn unpack(bytes: &'t [u8]) -> Self {
        let mut from = Unpacker::new(bytes);
        let (file, document) = (from.text(), from.length());
        let (has_title, title) = (from.length() > 0, from.text());
        Self {
            file,
            document,
            title: has_title.then_some(title),
            span: Span::unpack(&mut from),
            excerpt: Excerpt::unpack(&mut from),
            path: from.text().into(),
        }
    }

    /// Returns the warning in these words; it shares what is the same in the one before it.
    pub(super) fn warning(
        self,
        input: usize,
        message: String,
        before: Option<&Located>,
    ) -> Located {
        let file = before.map(|one| &one.file);
        let title = before.and_then(|one| one.object.as_ref());
        Located {
            input,
            file: shared(self.file, file),
            document: Some(self.document),
            object: self.title.map(|text| shared(text, title)),
            span: self.span,
            excerpt: self.excerpt,
            finding: Finding {
                severity: Severity::Warning,
                kind: FindingType::Warning,
                path: FieldPath::spelled(self.path),
                message,
                help: None,
            },
        }
    }
}

fn shared(text: &str, like: Option<&Arc<str>>) -> Arc<str> {
    match like {
        Some(like) if **like == *text => Arc::clone(like),
        _ => text.into(),
    }
}
