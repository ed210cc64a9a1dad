//! `kube explain`: what a field is, since when, and what a play makes of it.

use std::fmt::Write as _;
use std::io::Write;

use serde::Serialize;

use super::super::args::{Explain, ExplainForm};
use super::super::error::Error;
use super::super::output::Output;
use crate::manifest::{ExplainError, Explained, KubernetesVersion, explain as explained};
use crate::translate::{PlayOptions, Played, played};

/// An explanation, as JSON shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'e> {
    kind: &'e str,
    api_version: &'e str,
    path: &'e str,
    r#type: &'e str,
    required: bool,
    default: Option<&'e str>,
    since: String,
    until: Option<String>,
    played: &'static str,
    fields: Vec<FieldRow<'e>>,
}

#[derive(Serialize)]
struct FieldRow<'e> {
    name: &'e str,
    r#type: &'e str,
    required: bool,
}

/// Explains a kind or a field.
pub(super) fn explain<W: Write>(arguments: &Explain, output: &mut Output<W>) -> Result<(), Error> {
    let found = explained(&arguments.name, arguments.kubernetes_version).map_err(unknown)?;
    let options = PlayOptions::new(super::kube::working_dir()?);
    let row = Row {
        kind: found.kind,
        api_version: found.api_version,
        path: &found.path,
        r#type: &found.type_name,
        required: found.is_required,
        default: found.default,
        since: since(&found),
        until: (found.until != KubernetesVersion::NEWEST).then(|| found.until.to_string()),
        played: words(played(&found.least(), &found.samples(), &options)),
        fields: found
            .fields
            .iter()
            .map(|field| FieldRow {
                name: field.name,
                r#type: &field.type_name,
                required: field.is_required,
            })
            .collect(),
    };
    match arguments.output {
        ExplainForm::Json => output.json(&row)?,
        ExplainForm::Text => output.bytes(text(&row).as_bytes())?,
    }
    Ok(output.flush()?)
}

fn unknown(error: ExplainError) -> Error {
    let (ExplainError::Kind { nearest, .. } | ExplainError::Field { nearest, .. }) = &error;
    let message = match nearest {
        Some(nearest) => format!("{error}: did you mean `{nearest}`?"),
        None => error.to_string(),
    };
    Error::Usage {
        message,
        help: Some("`podwright kube explain KIND` lists its fields"),
    }
}

/// The versions before the oldest one that is known may have it too.
fn since(found: &Explained) -> String {
    match found.since {
        KubernetesVersion::OLDEST => format!("{} or before", found.since),
        since => since.to_string(),
    }
}

fn words(played: Played) -> &'static str {
    match played {
        Played::Honoured => "yes",
        Played::NotYet => "no: it has no effect yet, and a play warns of it",
        Played::NoEffect => "it has no effect on a single host",
        Played::KindPassedOver => "no: objects of this kind are passed over",
    }
}

fn text(row: &Row<'_>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name:<10}{value}").expect("writing to a string cannot fail");
    };
    line("KIND:", row.kind);
    line("VERSION:", row.api_version);
    if !row.path.is_empty() {
        line(
            "FIELD:",
            &format!("{} <{}>{}", row.path, row.r#type, mark(row.required)),
        );
    }
    if let Some(default) = row.default {
        line("DEFAULT:", default);
    }
    line("SINCE:", &row.since);
    if let Some(until) = &row.until {
        line("UNTIL:", until);
    }
    line("PLAYED:", row.played);
    if !row.fields.is_empty() {
        text.push_str("\nFIELDS:\n");
    }
    let width = row.fields.iter().map(|field| field.name.len()).max();
    for field in &row.fields {
        let (name, kind) = (field.name, field.r#type);
        let width = width.unwrap_or_default();
        let end = mark(field.required);
        writeln!(text, "  {name:width$}  <{kind}>{end}").expect("writing to a string cannot fail");
    }
    text
}

fn mark(is_required: bool) -> &'static str {
    match is_required {
        true => " required",
        false => "",
    }
}
