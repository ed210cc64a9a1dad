//! Values as JSON, for what compares or shows them whole.

use serde_json::Value as Json;

use super::check::MAX_DEPTH;
use crate::manifest::yaml::{Node, Value};

/// Returns a node as JSON; what nests too deep is left out.
pub(super) fn to_json(node: Node<'_>) -> Json {
    to_json_below(node, 0)
}

fn to_json_below(node: Node<'_>, depth: usize) -> Json {
    match node.value() {
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Uint(value) => value.into(),
        Value::Float(value) => value.into(),
        Value::String(text) => text.into(),
        Value::List(list) if depth < MAX_DEPTH => list
            .iter()
            .map(|item| to_json_below(item, depth + 1))
            .collect(),
        Value::Map(map) if depth < MAX_DEPTH => {
            let entries = map.iter();
            let entries =
                entries.map(|one| (one.key.to_owned(), to_json_below(one.value, depth + 1)));
            Json::Object(entries.collect())
        }
        Value::Null | Value::List(_) | Value::Map(_) => Json::Null,
    }
}

/// Returns a value as the server's messages show it.
pub(super) fn shown(node: Node<'_>) -> String {
    match node.value() {
        Value::Null => "null".to_owned(),
        Value::Float(value) => number(value),
        Value::String(text) => crate::manifest::source::quoted(text),
        _ => to_json(node).to_string(),
    }
}

/// Returns a number as Go prints it: a whole one has no point.
pub(super) fn number(value: f64) -> String {
    value.to_string()
}

/// Tells whether two values are the same; numbers by what they count.
pub(super) fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            let has = |(key, value): (&String, &Json)| {
                other.get(key).is_some_and(|other| same(value, other))
            };
            one.len() == other.len() && one.iter().all(has)
        }
        _ => one == other,
    }
}

/// Returns a text that is the same for values that are the same.
pub(super) fn identity(value: &Json) -> String {
    match value {
        Json::Number(number) => number
            .as_f64()
            .map_or_else(|| number.to_string(), self::number),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(identity).collect();
            format!("[{}]", items.join(","))
        }
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", identity(value)));
            let mut entries: Vec<String> = entries.collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        _ => value.to_string(),
    }
}
