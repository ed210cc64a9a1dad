//! Holds a document against the schema of its kind.

use super::{Field, KubernetesVersion, Schemas, schemas};
use crate::manifest::base64;
use crate::manifest::decode::leaf;
use crate::manifest::document::Document;
use crate::manifest::fault;
use crate::manifest::source::{At, Finding, FindingType, Findings, Severity};
use crate::manifest::yaml::{Map, Node, Value};

/// How deep a document is followed; only the schemas of CustomResourceDefinitions nest at all.
const MAX_DEPTH: usize = 128;

/// How much of a schema is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manifest) enum Scope {
    /// Unknown fields only: the decoder checks types, and rules say what is required.
    Fields,
    /// Unknown fields, types and required fields.
    Whole,
}

/// Checks a document against a type, for one version of Kubernetes.
pub(in crate::manifest) fn check(
    document: &Document,
    root: usize,
    version: KubernetesVersion,
    scope: Scope,
    unknown_fields: Option<Severity>,
    findings: &mut Findings,
) {
    let mut checker = Checker {
        schemas: schemas(),
        version,
        scope,
        unknown_fields,
        findings,
        has_error: false,
    };
    let place = Place {
        at: &At::ROOT,
        owner: "",
        depth: 0,
        in_status: false,
    };
    checker.object(document.node(), root, place);
}

struct Checker<'f> {
    schemas: &'static Schemas,
    version: KubernetesVersion,
    scope: Scope,
    unknown_fields: Option<Severity>,
    findings: &'f mut Findings,
    has_error: bool,
}

/// Where in a document the check is.
#[derive(Clone, Copy)]
struct Place<'a> {
    at: &'a At<'a>,
    /// The innermost type that has fields.
    owner: &'static str,
    depth: usize,
    /// Nothing is required of a status: the server drops what a manifest says there.
    in_status: bool,
}

impl<'a> Place<'a> {
    fn inside(self, at: &'a At<'a>) -> Place<'a> {
        Place {
            at,
            depth: self.depth + 1,
            ..self
        }
    }
}

impl Checker<'_> {
    fn value(&mut self, node: Node<'_>, code: &'static str, place: Place<'_>) {
        if place.depth > MAX_DEPTH {
            let message = format!("exceeded max depth of {MAX_DEPTH} inside an object");
            self.findings.error(FindingType::Decode, place.at, message);
            return;
        }
        let value = node.value();
        if matches!(value, Value::Null) {
            return;
        }
        let (letter, rest) = code.split_at(code.len().min(1));
        match (letter, value) {
            ("[", Value::List(list)) => {
                for (index, item) in list.iter().enumerate() {
                    self.value(item, rest, place.inside(&place.at.index(index)));
                }
            }
            ("{", Value::Map(map)) => {
                for entry in map.iter() {
                    self.value(entry.value, rest, place.inside(&place.at.key(entry.key)));
                }
            }
            ("@", _) => self.object(node, rest.parse().unwrap_or(usize::MAX), place),
            _ if self.scope == Scope::Whole => self.leaf(node, letter, place),
            _ => {}
        }
    }

    fn object(&mut self, node: Node<'_>, number: usize, place: Place<'_>) {
        let Some(own) = self.schemas.types.get(number) else {
            return;
        };
        let Value::Map(map) = node.value() else {
            if self.scope == Scope::Whole {
                self.mismatch(node, place, &format!("v1.{}", own.name));
            }
            return;
        };
        let place = Place {
            owner: own.name,
            ..place
        };
        let version = self.version;
        let fields = self.schemas.fields(number);
        let has = move |field: &&Field| field.versions.contains(version);
        for entry in map.iter() {
            let mut same = fields.iter().filter(|field| field.name == entry.key);
            match same.clone().find(has) {
                Some(field) => {
                    let at = place.at.field(field.name);
                    let mut inside = place.inside(&at);
                    inside.in_status |= place.depth == 0 && field.name == "status";
                    self.value(entry.value, field.code, inside);
                }
                None => self.unknown(entry.key, same.next(), fields, place.at),
            }
        }
        if self.scope == Scope::Whole && !place.in_status {
            self.required(map, fields, place.at);
        }
    }

    fn unknown(
        &mut self,
        name: &str,
        other_version: Option<&Field>,
        fields: &[Field],
        at: &At<'_>,
    ) {
        let Some(severity) = self.unknown_fields else {
            return;
        };
        if self.findings.0.len() > fault::MAX_FINDINGS {
            return;
        }
        let known = fields
            .iter()
            .filter(|field| field.versions.contains(self.version))
            .map(|field| field.name);
        let mut finding = fault::unknown_field(at, name, known, severity);
        if let Some(field) = other_version {
            let versions = field.versions;
            finding.help = Some(if versions.from > self.version.minor() {
                format!("Kubernetes has it since 1.{}", versions.from)
            } else {
                format!("Kubernetes had it until 1.{}", versions.to)
            });
        }
        fault::keep(self.findings, finding, false);
    }

    /// Names the required fields that are absent, as far as the server minds.
    ///
    /// A schema calls each field required that Go writes even if it is empty. The server reads an absent list or
    /// map as an empty one and an absent number or boolean as 0 or false, so only texts and objects are asked for.
    fn required(&mut self, map: Map<'_>, fields: &[Field], at: &At<'_>) {
        let version = self.version;
        let asked = fields.iter().filter(|field| {
            field.required
                && field.versions.contains(version)
                && field.code.starts_with(['s', '@', 'p', 'q'])
        });
        for field in asked {
            let is_there = map
                .entry(field.name)
                .is_some_and(|entry| !matches!(entry.value.value(), Value::Null));
            if !is_there {
                let at = at.field(field.name);
                self.error(Finding {
                    severity: Severity::Error,
                    kind: FindingType::Required,
                    path: at.to_path(),
                    message: "Required value".to_owned(),
                    help: None,
                });
            }
        }
    }

    fn leaf(&mut self, node: Node<'_>, letter: &str, place: Place<'_>) {
        let value = node.value();
        match (letter, value) {
            ("s" | "p", Value::String(_)) | ("b", Value::Bool(_)) | ("l", Value::Int(_)) => {}
            ("i" | "p", Value::Int(value)) if i32::try_from(value).is_ok() => {}
            ("d", Value::Int(_) | Value::Uint(_) | Value::Float(_)) => {}
            ("x", _) | ("o", Value::Map(_)) => {}
            ("y", Value::String(text)) => {
                if let Err(at) = base64::decode(text) {
                    let message = format!("illegal base64 data at input byte {at}");
                    self.refuse(message, place);
                }
            }
            ("t", Value::String(text)) => {
                if let Err(message) = leaf::check_time(text) {
                    self.refuse(message, place);
                }
            }
            ("q", _) => {
                let text = leaf::quantity_text(node).unwrap_or_default();
                if let Err(message) = leaf::check_quantity(&text) {
                    self.refuse(message.to_owned(), place);
                }
            }
            _ => self.mismatch(node, place, type_name(letter)),
        }
    }

    fn error(&mut self, finding: Finding) {
        let is_first = !std::mem::replace(&mut self.has_error, true);
        fault::keep(self.findings, finding, is_first);
    }

    fn mismatch(&mut self, node: Node<'_>, place: Place<'_>, wanted: &str) {
        let finding = fault::mismatch(node, place.at, place.owner, wanted);
        self.error(finding);
    }

    fn refuse(&mut self, message: String, place: Place<'_>) {
        self.error(Finding {
            severity: Severity::Error,
            kind: FindingType::Decode,
            path: place.at.to_path(),
            message,
            help: None,
        });
    }
}

fn type_name(letter: &str) -> &'static str {
    match letter {
        "s" => "string",
        "b" => "bool",
        "i" | "p" => "int32",
        "l" => "int64",
        "d" => "float64",
        "y" => "[]uint8",
        "t" => "v1.Time",
        "[" => "list",
        _ => "map",
    }
}
