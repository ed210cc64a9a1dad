//! What is kept of an object that was checked for itself: what the checks across objects need, and no more.
//!
//! Manifests are read piece by piece, and a piece is forgotten when it is done; the outlines of its objects stay.
//! An outline says what the object gives to others, and what it needs of them. A need has its place, so that it
//! can be told of when all is read and nothing answered it.

use std::sync::Arc;

use super::asks::{gives, needs};
use crate::manifest::document::Document;
use crate::manifest::excerpt::Excerpt;
use crate::manifest::read::Read;
use crate::manifest::source::{At, FieldPath, Finding, FindingType, Located, Severity, Span};
use crate::manifest::validate::Extent;
use crate::manifest::verdict::Named;

/// What is kept of an object.
#[derive(Debug)]
pub(in crate::manifest) struct Outline {
    pub(in crate::manifest) object: Named,
    /// The name of its source.
    pub(super) file: Arc<str>,
    pub(super) kind: Box<str>,
    namespace: Option<Box<str>>,
    pub(super) name: Option<Box<str>>,
    pub(super) gives: Gives,
    pub(super) needs: Vec<Need>,
    /// How many pods of it run at the same time.
    pub(super) replicas: i32,
    /// Which pods it chooses.
    pub(super) selector: Labels,
}

/// Labels, or what is asked of labels, in order.
pub(super) type Labels = Box<[(Box<str>, Box<str>)]>;

/// What an object gives, beside its name.
#[derive(Debug)]
pub(super) enum Gives {
    Nothing,
    /// The keys of a ConfigMap or Secret, in order.
    Keys(Box<[Box<str>]>),
    Pods {
        labels: Labels,
        /// What their containers declare.
        ports: Box<[(i32, Box<str>)]>,
    },
    /// The ports of a Service.
    Ports(Box<[(i32, Box<str>)]>),
    /// A claim that only one pod may use.
    ClaimForOne,
}

/// Something that an object needs, and where it says so.
#[derive(Debug)]
pub(super) struct Need {
    pub(super) what: What,
    /// As it is printed, which takes the least room.
    path: Box<str>,
    span: Span,
    excerpt: Excerpt,
}

#[derive(Debug)]
pub(super) enum What {
    /// To be the only object of its name.
    OwnName,
    HostPort {
        number: i32,
        protocol: Box<str>,
        ip: Box<str>,
    },
    Key {
        kind: &'static str,
        name: Box<str>,
        key: Box<str>,
    },
    /// A pod of the selector with a port of this name.
    PortOfName(Box<str>),
    /// A pod of the selector with this port.
    PortOfNumber(i32),
    /// A pod of the selector.
    Pods,
    Object {
        kind: &'static str,
        name: Box<str>,
    },
    /// To be the only one who uses the claim, if it is for one.
    Claim(Box<str>),
    ServicePort {
        service: Box<str>,
        port: ServicePort,
    },
}

#[derive(Debug)]
pub(super) enum ServicePort {
    Name(Box<str>),
    Number(i32),
}

impl Outline {
    /// Returns the outline of an object.
    pub(in crate::manifest) fn of(read: &Read, extent: Extent) -> Self {
        let document = &read.document;
        let mut outline = Self {
            object: Named {
                input: document.input(),
                document: document.index(),
                title: document.title(),
            },
            file: document.source().shared_name(),
            kind: document.kind().into(),
            namespace: document.namespace().map(Into::into),
            name: document.name().map(Into::into),
            gives: Gives::Nothing,
            needs: Vec::new(),
            replicas: 1,
            selector: Labels::default(),
        };
        if outline.name.is_some() {
            let at = At::ROOT;
            let at = at.field("metadata");
            outline
                .needs
                .push(Need::at(document, What::OwnName, &at.field("name")));
        }
        if let Some(object) = &read.object {
            outline.gives = gives(object);
            outline.replicas = super::specs::replicas(object);
            needs(object, document, extent, &mut outline);
        }
        outline.needs.shrink_to_fit();
        outline
    }

    /// Returns its namespace; the server fills in the same one.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }

    /// Counts documents that stand before it in its source.
    pub(in crate::manifest) fn renumber(&mut self, before: usize) {
        self.object.document += before;
    }

    /// Returns a warning about a need, in these words.
    pub(super) fn warning(&self, need: &Need, message: String) -> Located {
        Located {
            input: self.object.input,
            file: Arc::clone(&self.file),
            document: Some(self.object.document),
            object: self.object.title.clone(),
            span: need.span,
            excerpt: need.excerpt.clone(),
            finding: Finding {
                severity: Severity::Warning,
                kind: FindingType::Warning,
                path: FieldPath::spelled(need.path.clone()),
                message,
                help: None,
            },
        }
    }
}

impl Need {
    /// Returns a need that stands at a path of a document.
    pub(super) fn at(document: &Document, what: What, at: &At<'_>) -> Self {
        let path = at.to_path();
        let span = document.span_of(&path);
        Self {
            what,
            excerpt: Excerpt::of(document.source(), span),
            path: path.to_string().into(),
            span,
        }
    }

    /// Returns the line it stands in.
    pub(super) fn line(&self) -> u32 {
        self.span.line
    }
}
