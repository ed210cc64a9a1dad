//! A structural schema, taken from a definition into a form that is quick to check against.

use serde_json::Value as Json;

use super::check::MAX_DEPTH;
use super::pattern::Pattern;
use super::value::to_json;
use crate::manifest::yaml::{Node, Value};

/// What a value must be (`JSONSchemaProps`).
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// The type, as the schema names it; empty for any.
    pub(super) kind: String,
    pub(super) is_int_or_string: bool,
    pub(super) is_nullable: bool,
    pub(super) keeps_unknown_fields: bool,
    pub(super) is_embedded_resource: bool,
    pub(super) has_default: bool,
    pub(super) properties: Vec<(String, Schema)>,
    pub(super) additional: Additional,
    pub(super) items: Option<Box<Schema>>,
    pub(super) required: Vec<String>,
    pub(super) one_of_values: Vec<Json>,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: String,
    pub(super) minimum: Option<Bound>,
    pub(super) maximum: Option<Bound>,
    pub(super) multiple_of: Option<f64>,
    pub(super) length: Limits,
    pub(super) item_count: Limits,
    pub(super) property_count: Limits,
    pub(super) is_unique: bool,
    pub(super) list_type: ListType,
    pub(super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
    /// Rules in CEL.
    pub(super) rules: Vec<String>,
}

/// What entries an object may have beside its properties.
#[derive(Debug, Default)]
pub(super) enum Additional {
    /// None is known.
    #[default]
    None,
    Any,
    Of(Box<Schema>),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) value: f64,
    pub(super) is_exclusive: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) least: Option<usize>,
    pub(super) most: Option<usize>,
}

/// What makes two items of a list the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

impl Schema {
    /// Takes a schema from its node; what nests too deep is left out.
    pub(super) fn of(node: Node<'_>, depth: usize) -> Self {
        let mut schema = Self::default();
        let Some(map) = node.as_map().filter(|_| depth < MAX_DEPTH) else {
            return schema;
        };
        for entry in map.iter() {
            schema.word(entry.key, entry.value, depth + 1);
        }
        schema.list_keys(node);
        for (bound, word) in [
            (&mut schema.minimum, "exclusiveMinimum"),
            (&mut schema.maximum, "exclusiveMaximum"),
        ] {
            if let Some(bound) = bound {
                bound.is_exclusive = node.get(word).is_some_and(is_true);
            }
        }
        schema
    }

    fn word(&mut self, word: &str, node: Node<'_>, depth: usize) {
        let below = |node: Node<'_>| Box::new(Schema::of(node, depth));
        match word {
            "type" => self.kind = text(node),
            "format" => self.format = text(node),
            "nullable" => self.is_nullable = is_true(node),
            "default" => self.has_default = true,
            "x-kubernetes-int-or-string" => self.is_int_or_string = is_true(node),
            "x-kubernetes-preserve-unknown-fields" => self.keeps_unknown_fields = is_true(node),
            "x-kubernetes-embedded-resource" => self.is_embedded_resource = is_true(node),
            "x-kubernetes-validations" => self.rules = rules(node),
            "properties" => {
                let entries = node.as_map().into_iter().flat_map(|map| map.iter());
                let schemas = entries.map(|one| (one.key.to_owned(), Schema::of(one.value, depth)));
                self.properties = schemas.collect();
                self.properties.sort_by(|one, other| one.0.cmp(&other.0));
            }
            "additionalProperties" => {
                self.additional = match node.value() {
                    Value::Bool(true) => Additional::Any,
                    Value::Map(_) => Additional::Of(below(node)),
                    _ => Additional::None,
                };
            }
            "items" => self.items = Some(below(node)),
            "required" => self.required = texts(node),
            "enum" => self.one_of_values = items(node).map(to_json).collect(),
            "pattern" => self.pattern = node.as_str().map(Pattern::new),
            "minimum" => self.minimum = bound(node),
            "maximum" => self.maximum = bound(node),
            "multipleOf" => self.multiple_of = number(node),
            "minLength" => self.length.least = count(node),
            "maxLength" => self.length.most = count(node),
            "minItems" => self.item_count.least = count(node),
            "maxItems" => self.item_count.most = count(node),
            "minProperties" => self.property_count.least = count(node),
            "maxProperties" => self.property_count.most = count(node),
            "uniqueItems" => self.is_unique = is_true(node),
            "allOf" => self.all_of = schemas(node, depth),
            "anyOf" => self.any_of = schemas(node, depth),
            "oneOf" => self.one_of = schemas(node, depth),
            "not" => self.not = Some(below(node)),
            _ => {}
        }
    }

    fn list_keys(&mut self, node: Node<'_>) {
        self.list_type = match node.get("x-kubernetes-list-type").and_then(Node::as_str) {
            Some("set") => ListType::Set,
            Some("map") => {
                let keys = node.get("x-kubernetes-list-map-keys");
                ListType::Map(keys.map(texts).unwrap_or_default())
            }
            _ => ListType::Atomic,
        };
    }

    /// Returns the schema of a property.
    pub(super) fn property(&self, name: &str) -> Option<&Schema> {
        let found = self
            .properties
            .binary_search_by(|(known, _)| known.as_str().cmp(name));
        found.ok().map(|index| &self.properties[index].1)
    }
}

fn text(node: Node<'_>) -> String {
    node.as_str().unwrap_or_default().to_owned()
}

fn is_true(node: Node<'_>) -> bool {
    matches!(node.value(), Value::Bool(true))
}

fn items(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    node.as_list().into_iter().flat_map(|list| list.iter())
}

fn texts(node: Node<'_>) -> Vec<String> {
    items(node).map(text).collect()
}

fn schemas(node: Node<'_>, depth: usize) -> Vec<Schema> {
    items(node).map(|node| Schema::of(node, depth)).collect()
}

fn rules(node: Node<'_>) -> Vec<String> {
    items(node)
        .filter_map(|rule| rule.get("rule"))
        .map(text)
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the server compares bounds as floats too"
)]
pub(super) fn number(node: Node<'_>) -> Option<f64> {
    match node.value() {
        Value::Int(value) => Some(value as f64),
        Value::Uint(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        _ => None,
    }
}

fn bound(node: Node<'_>) -> Option<Bound> {
    number(node).map(|value| Bound {
        value,
        is_exclusive: false,
    })
}

fn count(node: Node<'_>) -> Option<usize> {
    match node.value() {
        Value::Int(value) => usize::try_from(value).ok(),
        _ => None,
    }
}
