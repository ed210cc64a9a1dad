//! `kube validate`: the API server's verdict, offline.

use std::io::Write;

use super::super::args::{ReportForm, Validate};
use super::super::error::Error;
use super::super::output::{Output, stdout_has_colour, tell};
use super::input::sources;
use crate::manifest::report::{self, Coloured, Counts, GitHub, JUnit, Report, Row, Summary};
use crate::manifest::{
    self, CustomKinds, Extent, Located, MissingSchemas, Severity, ValidateOptions, Verdict,
};

/// Checks manifests and touches nothing.
pub(super) fn validate<W: Write>(
    arguments: &Validate,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let options = options(arguments)?;
    let verdict = manifest::validate(&sources(&arguments.files)?, &options);
    show(&verdict, arguments.output, output)?;
    if arguments.summary {
        summary(&verdict, arguments.output, output)?;
    }
    output.flush()?;
    let counts = |located: &Located| match located.finding.severity {
        Severity::Error => true,
        Severity::Warning => arguments.strict,
        Severity::Note => false,
    };
    match verdict.findings.iter().any(counts) {
        true => Err(Error::Code(1)),
        false => Ok(()),
    }
}

fn options(arguments: &Validate) -> Result<ValidateOptions, Error> {
    let (custom, findings) = CustomKinds::read(&sources(&arguments.crd)?);
    if !findings.is_empty() {
        return Err(Error::Manifest(Report(&findings).to_string()));
    }
    Ok(ValidateOptions {
        kubernetes: arguments.kubernetes_version,
        extent: match arguments.partial {
            true => Extent::Part,
            false => Extent::Whole,
        },
        custom,
        missing_schemas: match arguments.ignore_missing_schemas {
            true => MissingSchemas::Skip,
            false => MissingSchemas::Refuse,
        },
        skip: arguments.skip.clone(),
        reject: arguments.reject.clone(),
    })
}

fn show<W: Write>(
    verdict: &Verdict,
    form: ReportForm,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let findings = &verdict.findings;
    let text = match form {
        ReportForm::Text if stdout_has_colour() => Coloured(findings).to_string(),
        ReportForm::Text => Report(findings).to_string(),
        ReportForm::Json => {
            let rows: Vec<Row<'_>> = findings.iter().map(Row::of).collect();
            return Ok(output.json(&rows)?);
        }
        ReportForm::Sarif => return Ok(output.json(&report::sarif(findings))?),
        ReportForm::Junit => JUnit(verdict).to_string(),
        ReportForm::Github => GitHub(findings).to_string(),
    };
    Ok(output.bytes(text.as_bytes())?)
}

/// Shows the counts: after a text, but beside a form that a program reads.
fn summary<W: Write>(
    verdict: &Verdict,
    form: ReportForm,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let text = Summary(Counts::of(verdict)).to_string();
    match form {
        ReportForm::Text => output.bytes(text.as_bytes())?,
        _ => tell(&text),
    }
    Ok(())
}
