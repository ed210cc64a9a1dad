//! Holds an object against the schema of its definition.
//!
//! Types, bounds and texts are checked as the server's validator does (kube-openapi), whose words end in
//! "in body"; what the schema does not name is an unknown field, as for the server's strict reader.

use super::compose;
use super::rules;
use super::schema::{Additional, Bound, Limits, ListType, Schema, number};
use super::value::{self, identity, same, shown, to_json};
use super::{format, metadata};
use crate::manifest::document::Document;
use crate::manifest::fault;
use crate::manifest::source::{At, Finding, FindingType, Findings, Severity};
use crate::manifest::yaml::{List, Map, Node, Value};

/// How deep schemas and objects are followed.
pub(super) const MAX_DEPTH: usize = 64;

/// What stands in every object whatever its schema says.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// What is looked at beside the values themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Unknown fields, lists with keys, embedded objects and rules: the structure.
    Structure,
    /// Nothing: an alternative of a composed schema speaks of values alone.
    Values,
}

/// Checks an object; its status is dropped by the server if it is a resource of its own.
pub(super) fn check(
    document: &Document,
    schema: &Schema,
    has_status: bool,
    keeps_unknown_fields: bool,
    found: &mut Findings,
) {
    let mut checker = Checker {
        found,
        keeps_unknown_fields,
        has_error: false,
    };
    let place = Place {
        at: &At::ROOT,
        depth: 0,
        part: Part::Structure,
        drops_status: has_status,
    };
    checker.value(document.node(), schema, place);
}

pub(super) struct Checker<'f> {
    pub(super) found: &'f mut Findings,
    pub(super) keeps_unknown_fields: bool,
    pub(super) has_error: bool,
}

/// Where in an object the check is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) at: &'a At<'a>,
    pub(super) depth: usize,
    pub(super) part: Part,
    pub(super) drops_status: bool,
}

impl<'a> Place<'a> {
    fn below(self, at: &'a At<'a>) -> Place<'a> {
        Place {
            at,
            depth: self.depth + 1,
            drops_status: false,
            ..self
        }
    }

    fn is_root(self) -> bool {
        self.depth == 0
    }
}

impl Checker<'_> {
    pub(super) fn value(&mut self, node: Node<'_>, schema: &Schema, place: Place<'_>) {
        if place.depth >= MAX_DEPTH {
            let message = format!("exceeded max depth of {MAX_DEPTH} inside an object");
            return self.error(FindingType::Decode, place.at, message);
        }
        self.kind(node, schema, place);
        if matches!(node.value(), Value::Null) {
            return;
        }
        self.enumeration(node, schema, place);
        match node.value() {
            Value::String(text) => self.text(text, schema, place),
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => self.bounds(node, schema, place),
            Value::List(list) => self.list(list, schema, place),
            Value::Map(map) => self.map(node, map, schema, place),
            Value::Null | Value::Bool(_) => {}
        }
        compose::check(self, node, schema, place);
        if place.part == Part::Structure {
            rules::note(schema, place.at, self.found);
        }
    }

    fn kind(&mut self, node: Node<'_>, schema: &Schema, place: Place<'_>) {
        let (found, is_whole) = match node.value() {
            Value::Null if schema.is_nullable => return,
            Value::Null => ("null", false),
            Value::Bool(_) => ("boolean", false),
            Value::Int(_) | Value::Uint(_) => ("integer", true),
            Value::Float(value) => ("number", value.fract() == 0.0),
            Value::String(_) => ("string", false),
            Value::List(_) => ("array", false),
            Value::Map(_) => ("object", false),
        };
        let wanted = match schema.kind.as_str() {
            "" if schema.is_int_or_string => "integer,string",
            wanted => wanted,
        };
        let fits = match wanted {
            "" => true,
            "integer,string" => is_whole || found == "string",
            "integer" => is_whole,
            "number" => matches!(found, "integer" | "number"),
            wanted => wanted == found,
        };
        if !fits {
            let message = format!("must be of type {wanted}: {found:?}");
            self.invalid(
                FindingType::TypeInvalid,
                &format!("{found:?}"),
                &message,
                place,
            );
        }
    }

    fn enumeration(&mut self, node: Node<'_>, schema: &Schema, place: Place<'_>) {
        if schema.one_of_values.is_empty() {
            return;
        }
        let json = to_json(node);
        if schema.one_of_values.iter().any(|known| same(known, &json)) {
            return;
        }
        let plain = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let known = schema.one_of_values.iter();
        let known: Vec<String> = known.map(|one| format!("{:?}", plain(one))).collect();
        let message = format!(
            "Unsupported value: {}: supported values: {}",
            shown(node),
            known.join(", ")
        );
        self.error(FindingType::NotSupported, place.at, message);
    }

    fn text(&mut self, text: &str, schema: &Schema, place: Place<'_>) {
        let quoted = crate::manifest::source::quoted(text);
        let length = text.chars().count();
        if let Some(most) = schema.length.most.filter(|most| length > *most) {
            let message = format!("Too long: may not be more than {most} bytes");
            self.error(FindingType::TooLong, place.at, message);
        }
        if let Some(least) = schema.length.least.filter(|least| length < *least) {
            let message = format!("should be at least {least} chars long");
            self.invalid(FindingType::Invalid, &quoted, &message, place);
        }
        if let Some(pattern) = &schema.pattern {
            match pattern.is_match(text) {
                Some(true) => {}
                Some(false) => {
                    let message = format!("should match '{}'", pattern.text);
                    self.invalid(FindingType::Invalid, &quoted, &message, place);
                }
                None => rules::note_pattern(&pattern.text, place.at, self.found),
            }
        }
        if !format::fits(&schema.format, text) {
            let message = format!("must be of type {}: {quoted}", schema.format);
            self.invalid(FindingType::TypeInvalid, &quoted, &message, place);
        }
    }

    fn bounds(&mut self, node: Node<'_>, schema: &Schema, place: Place<'_>) {
        let Some(number) = number(node) else {
            return;
        };
        let mut refuse = |message: String| {
            self.invalid(FindingType::Invalid, &shown(node), &message, place);
        };
        let show = value::number;
        if let Some(Bound {
            value,
            is_exclusive,
        }) = schema.minimum
        {
            if is_exclusive && number <= value {
                refuse(format!("should be greater than {}", show(value)));
            } else if number < value {
                refuse(format!(
                    "should be greater than or equal to {}",
                    show(value)
                ));
            }
        }
        if let Some(Bound {
            value,
            is_exclusive,
        }) = schema.maximum
        {
            if is_exclusive && number >= value {
                refuse(format!("should be less than {}", show(value)));
            } else if number > value {
                refuse(format!("should be less than or equal to {}", show(value)));
            }
        }
        if let Some(step) = schema.multiple_of.filter(|step| *step > 0.0)
            && (number / step).fract() != 0.0
        {
            refuse(format!("should be a multiple of {}", show(step)));
        }
    }

    fn list(&mut self, list: List<'_>, schema: &Schema, place: Place<'_>) {
        self.count(list.len(), schema.item_count, "items", place);
        if schema.is_unique {
            let items: std::collections::BTreeSet<String> =
                list.iter().map(|item| identity(&to_json(item))).collect();
            if items.len() < list.len() {
                self.invalid(
                    FindingType::Invalid,
                    "",
                    "shouldn't contain duplicates",
                    place,
                );
            }
        }
        if let Some(items) = &schema.items {
            for (index, item) in list.iter().enumerate() {
                self.value(item, items, place.below(&place.at.index(index)));
            }
        }
        if place.part == Part::Structure {
            self.duplicates(list, schema, place);
        }
    }

    /// Finds items that a set or a map of items has twice.
    fn duplicates(&mut self, list: List<'_>, schema: &Schema, place: Place<'_>) {
        let mut seen = std::collections::BTreeSet::new();
        for (index, item) in list.iter().enumerate() {
            let key = match &schema.list_type {
                ListType::Atomic => return,
                ListType::Set => to_json(item),
                ListType::Map(keys) => keys
                    .iter()
                    .filter_map(|key| Some((key.clone(), to_json(item.get(key)?))))
                    .collect(),
            };
            if !seen.insert(identity(&key)) {
                let message = format!("Duplicate value: {key}");
                self.error(FindingType::Duplicate, &place.at.index(index), message);
            }
        }
    }

    fn map(&mut self, node: Node<'_>, map: Map<'_>, schema: &Schema, place: Place<'_>) {
        self.count(map.len(), schema.property_count, "properties", place);
        for name in &schema.required {
            let is_given = map.entry(name).is_some();
            let is_filled_in = schema.property(name).is_some_and(|own| own.has_default);
            let is_of_every = place.is_root() && OF_EVERY_OBJECT.contains(&name.as_str());
            let is_dropped = place.drops_status && name == "status";
            if !(is_given || is_filled_in || is_of_every || is_dropped) {
                let at = place.at.name(name);
                self.error(FindingType::Required, &at, "Required value".to_owned());
            }
        }
        let is_object = place.is_root() || schema.is_embedded_resource;
        for entry in map.iter() {
            let is_own = is_object && OF_EVERY_OBJECT.contains(&entry.key);
            if is_own || place.drops_status && entry.key == "status" {
                continue;
            }
            let at = place.at.name(entry.key);
            match (schema.property(entry.key), &schema.additional) {
                (Some(own), _) => {
                    let is_null = matches!(entry.value.value(), Value::Null);
                    // The server puts the default in place of a null that may not be one.
                    if !(is_null && own.has_default && !own.is_nullable) {
                        self.value(entry.value, own, place.below(&at));
                    }
                }
                (None, Additional::Of(all)) => self.value(entry.value, all, place.below(&at)),
                (None, Additional::Any) => {}
                (None, Additional::None) => self.unknown(entry.key, schema, place),
            }
        }
        if schema.is_embedded_resource && place.part == Part::Structure {
            self.embedded(node, place);
        }
    }

    fn unknown(&mut self, name: &str, schema: &Schema, place: Place<'_>) {
        let is_kept = self.keeps_unknown_fields || schema.keeps_unknown_fields;
        if is_kept || place.part == Part::Values {
            return;
        }
        let known = schema.properties.iter().map(|(known, _)| known.as_str());
        let known = known.chain(
            place
                .is_root()
                .then_some(OF_EVERY_OBJECT)
                .into_iter()
                .flatten(),
        );
        let finding = fault::unknown_field(place.at, name, known, Severity::Error);
        self.keep(finding);
    }

    /// Checks what makes a part of an object an object itself.
    fn embedded(&mut self, node: Node<'_>, place: Place<'_>) {
        for field in ["apiVersion", "kind"] {
            if node
                .get(field)
                .and_then(Node::as_str)
                .is_none_or(str::is_empty)
            {
                let message = "Required value: must not be empty".to_owned();
                self.error(FindingType::Required, &place.at.field(field), message);
            }
        }
        if node.get("metadata").is_some() {
            metadata::embedded(node, place.at, self.found);
        }
    }

    fn count(&mut self, count: usize, limits: Limits, of: &str, place: Place<'_>) {
        if let Some(most) = limits.most.filter(|most| count > *most) {
            let message = format!("Too many: {count}: must have at most {most} items");
            self.error(FindingType::TooMany, place.at, message);
        }
        if let Some(least) = limits.least.filter(|least| count < *least) {
            let message = format!("should have at least {least} {of}");
            self.invalid(FindingType::Invalid, &count.to_string(), &message, place);
        }
    }

    /// Refuses a value in the words of the server's validator.
    pub(super) fn invalid(&mut self, kind: FindingType, value: &str, what: &str, place: Place<'_>) {
        let path = place.at.to_path();
        self.error(
            kind,
            place.at,
            format!("Invalid value: {value}: {path} in body {what}"),
        );
    }

    pub(super) fn error(&mut self, kind: FindingType, at: &At<'_>, message: String) {
        self.keep(Finding {
            severity: Severity::Error,
            kind,
            path: at.to_path(),
            message,
            help: None,
        });
    }

    fn keep(&mut self, finding: Finding) {
        let is_first = !std::mem::replace(&mut self.has_error, true);
        fault::keep(self.found, finding, is_first);
    }
}
