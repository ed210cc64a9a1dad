//! The faults that the decoder and the schemas both find, in the API server's words.

use super::source::{At, FieldPath, Finding, FindingType, Findings, Severity, Step, quoted};
use super::suggest::closest;
use super::yaml::{Node, Value};

/// The most findings that a document's decoding records: more help nobody, and cost memory.
pub(super) const MAX_FINDINGS: usize = 500;

/// Says that there is more to find than [`MAX_FINDINGS`].
pub(super) fn too_many() -> Finding {
    Finding {
        severity: Severity::Warning,
        kind: FindingType::Warning,
        path: FieldPath::default(),
        message: format!("only the first {MAX_FINDINGS} findings of this document are told"),
        help: None,
    }
}

/// Keeps a finding as long as there is room; an error always finds room for itself if it is the first.
pub(super) fn keep(findings: &mut Findings, finding: Finding, is_first_error: bool) {
    let count = findings.0.len();
    if count < MAX_FINDINGS || is_first_error {
        findings.0.push(finding);
    }
    if count == MAX_FINDINGS {
        findings.0.push(too_many());
    }
}

/// A value has another type than its field, in the words of Go's decoder.
///
/// `owner` is the innermost type that has fields, as Go names it.
pub(super) fn mismatch(node: Node<'_>, at: &At<'_>, owner: &str, wanted: &str) -> Finding {
    let found = found(node, wanted);
    let path = at.to_path();
    let fields = dotted(&path);
    let place = if owner.is_empty() || fields.is_empty() {
        "Go value".to_owned()
    } else {
        format!("Go struct field {owner}.{fields}")
    };
    Finding {
        severity: Severity::Error,
        kind: FindingType::Decode,
        path,
        message: format!("json: cannot unmarshal {found} into {place} of type {wanted}"),
        help: help(node, wanted),
    }
}

/// A field that its type does not have.
pub(super) fn unknown_field<'k>(
    at: &At<'_>,
    name: &str,
    known: impl Iterator<Item = &'k str>,
    severity: Severity,
) -> Finding {
    let mut path = at.to_path();
    path.0.push(Step::Field(name.to_owned().into()));
    Finding {
        severity,
        kind: FindingType::UnknownField,
        message: format!("unknown field {}", quoted(&path.to_string())),
        path,
        help: closest(name, known).map(|nearest| format!("did you mean `{nearest}`?")),
    }
}

/// Names the type of a value; a number that is out of range is told itself.
fn found(node: Node<'_>, wanted: &str) -> String {
    let is_range = wanted.contains("int") && !wanted.starts_with('[');
    match node.value() {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Int(value) if is_range => format!("number {value}"),
        Value::Uint(value) if is_range => format!("number {value}"),
        Value::Float(_) if is_range => format!("number {}", node.literal()),
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::List(_) => "array".to_owned(),
        Value::Map(_) => "object".to_owned(),
    }
}

fn help(node: Node<'_>, wanted: &str) -> Option<String> {
    let literal = node.literal();
    match node.value() {
        Value::Bool(value) if wanted == "string" && literal != value.to_string() => Some(format!(
            "quote it: `\"{literal}\"`; without quotes YAML 1.1 reads `{literal}` as {value}"
        )),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) if wanted == "string" => {
            Some(format!("quote it: `\"{literal}\"`"))
        }
        Value::String(text)
            if wanted.starts_with("int") && text.parse::<i64>().is_ok() && literal != text =>
        {
            Some(format!("write it without quotes: `{text}`"))
        }
        Value::String(text) if wanted == "bool" && matches!(text, "true" | "false") => {
            Some(format!("write it without quotes: `{text}`"))
        }
        _ => None,
    }
}

/// The names of a path's fields, as Go's decoder tells them.
fn dotted(path: &FieldPath) -> String {
    let names = path.0.iter().filter_map(|step| match step {
        Step::Field(name) => Some(name.as_ref()),
        Step::Index(_) | Step::Key(_) | Step::KeyAlone(_) | Step::Spelled(_) => None,
    });
    names.collect::<Vec<_>>().join(".")
}
