//! Go templates over what is shown, printed as Go prints podman's structures.
//!
//! Go prints a map as `map[key:value]` and a structure as `{value value}`, and a moment in a form of its
//! own. JSON knows neither structures nor moments, so both are told by the names of fields here, and
//! what an action comes to goes through a function that prints it.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{MissingKey, Template, TemplateError, Value};
use jiff::Timestamp;

/// Fields that hold maps; every other object is a structure.
const MAPS: [&str; 14] = [
    "Annotations",
    "Data",
    "ExposedPorts",
    "GraphOptions",
    "GraphStatus",
    "Labels",
    "NetworkOptions",
    "Networks",
    "Options",
    "PortBindings",
    "Ports",
    "Status",
    "Tmpfs",
    "Volumes",
];
/// Fields that hold moments.
const MOMENTS: [&str; 6] = [
    "Created",
    "CreatedAt",
    "CreatedTime",
    "FinishedAt",
    "StartedAt",
    "created",
];
/// The entry of a structure that lists its fields in their order; no template can name it.
const FIELDS: &str = "\0fields";
const MOMENT: &str = "%Y-%m-%d %H:%M:%S%.f +0000 UTC";
/// The words that begin an action which prints nothing itself.
const KEYWORDS: [&str; 10] = [
    "if", "else", "end", "range", "with", "define", "template", "block", "break", "continue",
];

/// Parses a template with podman's functions.
pub(super) fn parse(text: &str) -> Result<Template, TemplateError> {
    Template::new("format")
        .missing_key(MissingKey::Error)
        .func("printed", |arguments| {
            Ok(match arguments.first() {
                Some(value @ (Value::Map(_) | Value::List(_))) => {
                    Value::String(print(value).into())
                }
                Some(Value::Nil) | None => Value::String("<nil>".into()),
                Some(value) => value.clone(),
            })
        })
        .func("json", |arguments| {
            let text = serde_json::to_string(&json(arguments.first().unwrap_or(&Value::Nil)))
                .unwrap_or_default();
            Ok(Value::String(text.into()))
        })
        .func("join", |arguments| match arguments {
            [Value::List(items), Value::String(separator)] => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                Ok(Value::String(items.join(separator).into()))
            }
            _ => Err(TemplateError::Exec(
                "join takes a list and a separator".to_owned(),
            )),
        })
        .func("lower", |arguments| {
            Ok(changed(arguments, |text| text.to_lowercase()))
        })
        .func("upper", |arguments| {
            Ok(changed(arguments, |text| text.to_uppercase()))
        })
        .parse(&through_printed(text))
}

fn changed(arguments: &[Value], change: impl Fn(&str) -> String) -> Value {
    match arguments.first() {
        Some(Value::String(text)) => Value::String(change(text).into()),
        Some(other) => other.clone(),
        None => Value::Nil,
    }
}

/// Returns a moment as Go prints it: `2026-11-24 11:01:05.787895474 +0000 UTC`.
pub(in crate::cli) fn moment(moment: Timestamp) -> String {
    moment.strftime(MOMENT).to_string()
}

/// Returns what a template sees of an object.
pub(super) fn data(value: serde_json::Value) -> Value {
    convert(value, "", true)
}

fn convert(value: serde_json::Value, name: &str, is_map: bool) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::Int(number),
            (_, Some(number), _) => Value::Uint(number),
            (_, _, number) => Value::Float(number.unwrap_or_default()),
        },
        Json::String(text) => match text.parse::<Timestamp>() {
            Ok(at) if MOMENTS.contains(&name) => Value::String(moment(at).into()),
            _ => Value::String(text.into()),
        },
        Json::Array(items) => {
            let items = items.into_iter().map(|item| convert(item, "", false));
            Value::List(items.collect())
        }
        Json::Object(entries) => {
            let names: Vec<Value> = entries
                .keys()
                .map(|key| Value::String(key.as_str().into()))
                .collect();
            let mut fields: BTreeMap<Arc<str>, Value> = entries
                .into_iter()
                .map(|(key, value)| {
                    let is_map = MAPS.contains(&key.as_str());
                    let value = convert(value, &key, is_map);
                    (key.into(), value)
                })
                .collect();
            if !is_map {
                fields.insert(FIELDS.into(), Value::List(names.into()));
            }
            Value::Map(Arc::new(fields))
        }
    }
}

fn print(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(print).collect::<Vec<_>>().join(" ");
    match value {
        Value::List(items) => format!("[{}]", list(items)),
        Value::Map(fields) => match fields.get(FIELDS) {
            Some(Value::List(names)) => {
                let values = names.iter().filter_map(|name| match name {
                    Value::String(name) => fields.get(name),
                    _ => None,
                });
                let values: Vec<String> = values.map(print).collect();
                format!("{{{}}}", values.join(" "))
            }
            _ => {
                let entries = fields.iter();
                let entries: Vec<String> = entries
                    .map(|(key, value)| format!("{key}:{}", print(value)))
                    .collect();
                format!("map[{}]", entries.join(" "))
            }
        },
        other => other.to_string(),
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(value) => match jiff::civil::DateTime::strptime(MOMENT, value.as_ref()) {
            Ok(at) if value.ends_with(" +0000 UTC") => format!("{at}Z").into(),
            _ => value.as_ref().into(),
        },
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => entries
            .iter()
            .filter(|(key, _)| key.as_ref() != FIELDS)
            .map(|(key, value)| (key.to_string(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => serde_json::Value::Null,
    }
}

/// Sends what every printing action comes to through the function `printed`.
fn through_printed(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        out.push_str(&rest[..start + 2]);
        rest = &rest[start + 2..];
        let Some(end) = action_end(rest) else {
            break;
        };
        out.push_str(&printed(&rest[..end]));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Returns where an action ends: at the `}}` that is in no string of it.
fn action_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(open) if letter == open => quote = None,
            Some('"' | '\'') if letter == '\\' => escaped = true,
            Some(_) => {}
            None if text[at..].starts_with("}}") => return Some(at),
            None if matches!(letter, '"' | '\'' | '`') => quote = Some(letter),
            None => {}
        }
    }
    None
}

fn printed(action: &str) -> String {
    let (before, inner) = match action.strip_prefix("- ") {
        Some(inner) => ("- ", inner),
        None => ("", action),
    };
    let (inner, after) = match inner.strip_suffix(" -") {
        Some(inner) => (inner, " -"),
        None => (inner, ""),
    };
    let word = inner.split_whitespace().next().unwrap_or_default();
    let is_assignment = inner.trim_start().starts_with('$') && inner.contains('=');
    let is_silent = KEYWORDS.contains(&word) || word.starts_with("/*") || is_assignment;
    if word.is_empty() || is_silent {
        return action.to_owned();
    }
    format!("{before}printed ({inner}){after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(template: &str, value: serde_json::Value) -> String {
        parse(template)
            .unwrap()
            .execute_to_string(&data(value))
            .unwrap()
    }

    #[test]
    fn structures_maps_and_moments_are_printed_as_go_does() {
        let value = serde_json::json!({
            "Ports": {"80/tcp": [{"HostIp": "", "HostPort": "81"}]},
            "State": {"Status": "running", "Pid": 7, "StartedAt": "2026-11-24T11:01:05.5Z"},
            "Config": {"ExposedPorts": {"80/tcp": {}}, "Labels": {"b": "1", "a": "2"}, "Cmd": null},
        });
        for (template, answer) in [
            ("{{.Ports}}", "map[80/tcp:[{ 81}]]"),
            ("{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "81"),
            ("{{.State}}", "{running 7 2026-11-24 11:01:05.5 +0000 UTC}"),
            ("{{.State.StartedAt}}", "2026-11-24 11:01:05.5 +0000 UTC"),
            (
                "{{json .State}}",
                "{\"Pid\":7,\"StartedAt\":\"2026-11-24T11:01:05.5Z\",\"Status\":\"running\"}",
            ),
            ("{{.Config}}", "{map[80/tcp:{}] map[a:2 b:1] <nil>}"),
            (
                "{{range $k, $v := .Ports}}{{$k}}{{$v}} {{- end}}",
                "80/tcp[{ 81}]",
            ),
            (
                "{{$x := 1}}{{- $x -}} {{\"}}\"}}{{/* no */}}{{if .Config}}y{{else}}n{{end}}",
                "1}}y",
            ),
            (
                "{{printf \"%d|%s\" .State.Pid .State.Status | upper}}",
                "7|RUNNING",
            ),
        ] {
            assert_eq!(shown(template, value.clone()), answer, "{template}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for template in ["{{", "{{.A", "{{}}", "{{if}}", "{{.A \"}}"] {
            assert!(parse(template).is_err(), "{template}");
        }
    }
}
