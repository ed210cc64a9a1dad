//! `kube validate`: the API server's verdict, offline.

use std::io::Write;

use serde::Serialize;

use super::super::args::{ReportForm, Validate};
use super::super::error::Error;
use super::super::output::Output;
use super::input::sources;
use crate::manifest::rules::check_all;
use crate::manifest::{self, Kinds, Located, ReadOptions, Report, Severity, UnknownFields};

/// A finding, spelled as the API server spells its parts.
#[derive(Serialize)]
struct Row<'f> {
    file: &'f str,
    line: u32,
    column: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'f str>,
    path: String,
    r#type: String,
    severity: &'static str,
    message: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'f str>,
}

/// Checks manifests and touches nothing.
pub(super) fn validate<W: Write>(
    arguments: &Validate,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let options = ReadOptions {
        unknown_fields: UnknownFields::Refuse,
        kinds: Kinds::BuiltIn,
        ..ReadOptions::default()
    };
    let mut reading = manifest::read(&sources(&arguments.files)?, &options);
    check_all(&mut reading);
    match arguments.output {
        ReportForm::Text => {
            output.bytes(Report(&reading.findings).to_string().as_bytes())?;
            output.flush()?;
        }
        ReportForm::Json => {
            let rows: Vec<Row<'_>> = reading.findings.iter().map(row).collect();
            output.json(&rows)?;
        }
    }
    let counts =
        |located: &Located| arguments.strict || located.finding.severity == Severity::Error;
    match reading.findings.iter().any(counts) {
        true => Err(Error::Code(1)),
        false => Ok(()),
    }
}

fn row(located: &Located) -> Row<'_> {
    let finding = &located.finding;
    Row {
        file: located.source.name(),
        line: located.span.line,
        column: located.span.column,
        document: located.document,
        object: located.object.as_deref(),
        path: finding.path.to_string(),
        r#type: format!("{:?}", finding.kind),
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: &finding.message,
        help: finding.help.as_deref(),
    }
}
