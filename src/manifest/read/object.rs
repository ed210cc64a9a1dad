//! From a document to its object: what it says it is, and whether its kind is known.

use super::{Kinds, ReadOptions};
use crate::manifest::decode::{self, KINDS, Object};
use crate::manifest::document::Document;
use crate::manifest::schema::{self, KubernetesVersion, Lookup, Scope};
use crate::manifest::source::{
    At, FieldPath, Finding, FindingType, Findings, Severity, Step, quoted,
};
use crate::manifest::yaml::Value;

/// Returns the object of a document that says what it is, decoded unless a value has the wrong type.
pub(super) fn object(
    document: &Document,
    options: &ReadOptions,
    findings: &mut Findings,
) -> Option<Object> {
    match KINDS.contains(&(document.api_version(), document.kind())) {
        true => typed(document, options, findings),
        false => untyped(document, options, findings),
    }
}

/// Decodes an object of a kind that has a type.
fn typed(document: &Document, options: &ReadOptions, findings: &mut Findings) -> Option<Object> {
    let unknown_fields = options.unknown_fields();
    let version = options.kubernetes;
    if version == KubernetesVersion::NEWEST {
        return decode::decode(document, unknown_fields, findings);
    }
    // The types are those of the newest version: what an older one does not have only its schema knows.
    let kind = schema::lookup(document.api_version(), document.kind(), version);
    if let Lookup::Served(root) = kind {
        let scope = Scope::Fields;
        schema::check(document, root, version, scope, unknown_fields, findings);
    }
    decode::decode(document, None, findings)
}

/// Checks an object of a kind that has no type.
fn untyped(document: &Document, options: &ReadOptions, findings: &mut Findings) -> Option<Object> {
    let version = options.kubernetes;
    match schema::lookup(document.api_version(), document.kind(), version) {
        Lookup::Served(root) => {
            let unknown_fields = options.unknown_fields();
            let scope = Scope::Whole;
            schema::check(document, root, version, scope, unknown_fields, findings);
            let (api_version, kind) = (document.api_version(), document.kind());
            if let Some(warning) = schema::deprecation(api_version, kind, version) {
                findings.warning(&At::ROOT.field("apiVersion"), warning);
            }
            if options.kinds == Kinds::Played {
                findings.0.push(passed_over(document));
            }
        }
        Lookup::NotServed(help) => findings.0.push(no_match(document, Some(help))),
        Lookup::Unknown if options.kinds == Kinds::Played => {
            findings.0.push(passed_over(document));
        }
        Lookup::Unknown => findings.0.push(no_match(document, None)),
    }
    decode::decode(document, None, findings)
}

/// Checks that a document says what it is; tells whether it does.
pub(super) fn identify(document: &Document, findings: &mut Findings) -> bool {
    let root = document.node();
    let found = match root.value() {
        Value::Map(_) => None,
        Value::List(_) => Some("array"),
        Value::String(_) => Some("string"),
        Value::Bool(_) => Some("bool"),
        Value::Null => Some("null"),
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => Some("number"),
    };
    if let Some(found) = found {
        let message = format!("json: cannot unmarshal {found} into Go value of type v1.TypeMeta");
        findings.error(FindingType::Decode, &At::ROOT, message);
        return false;
    }
    let before = findings.0.len();
    for (field, missing, text) in [
        ("kind", "Object 'Kind' is missing", document.kind()),
        (
            "apiVersion",
            "Object 'apiVersion' is missing",
            document.api_version(),
        ),
    ] {
        let at = At::ROOT;
        let at = at.field(field);
        match root.get(field).map(|node| node.value()) {
            Some(Value::Null | Value::String(_)) | None if text.is_empty() => {
                findings.error(FindingType::Required, &at, missing);
                return false;
            }
            Some(Value::Null | Value::String(_)) | None => {}
            Some(_) => findings.error(
                FindingType::Decode,
                &at,
                format!("json: cannot unmarshal a value that is no string into Go struct field TypeMeta.{field} of type string"),
            ),
        }
    }
    findings.0.len() == before
}

/// Says that a kind cannot be used here, at its `kind` or, where only that is wrong, its `apiVersion`.
fn no_match(document: &Document, help: Option<String>) -> Finding {
    let is_version = help
        .as_ref()
        .is_some_and(|help| help.starts_with("write `apiVersion"));
    let field = if is_version { "apiVersion" } else { "kind" };
    let (kind, api_version) = (quoted(document.kind()), quoted(document.api_version()));
    Finding {
        severity: Severity::Error,
        kind: FindingType::UnknownKind,
        path: FieldPath(vec![Step::Field(field.into())]),
        message: format!("no matches for kind {kind} in version {api_version}"),
        help,
    }
}

/// Says that an object is left out.
pub(in crate::manifest) fn passed_over(document: &Document) -> Finding {
    let (kind, api_version) = (document.kind(), document.api_version());
    Finding {
        severity: Severity::Warning,
        kind: FindingType::UnknownKind,
        path: FieldPath(vec![Step::Field("kind".into())]),
        message: format!("kind `{kind}` of `{api_version}` is passed over"),
        help: None,
    }
}
