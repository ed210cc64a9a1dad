//! `kube validate`: the API server's verdict, offline.

use std::io::Write;

use super::super::args::{Global, ReportForm, Target, Validate};
use super::super::error::Error;
use super::super::output::{Output, stdout_has_colour, tell};
use super::inputs::{inputs, sources};
use super::unmet::{self, Pulls};
use crate::manifest::report::{self, Coloured, Counts, GitHub, JUnit, Report, Rows, Summary};
use crate::manifest::{
    CustomKinds, Extent, Located, MissingSchemas, Objects, Severity, ValidateOptions, Validation,
    Verdict,
};
use crate::model::observed::Observed;
use crate::plan::Existing;
use crate::translate::{self, PlayOptions};

/// Checks manifests and touches nothing.
pub(super) fn validate<W: Write>(
    global: &Global,
    arguments: &Validate,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let options = options(arguments)?;
    let mut validation = Validation::start(inputs(&arguments.files), &options)?;
    if arguments.target == Target::Host {
        this_host(global, &mut validation)?;
    }
    let verdict = validation.verdict();
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
        // What is not among manifests for this host may be on it, which is looked up there.
        extent: match arguments.partial || arguments.target == Target::Host {
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
        objects: match (arguments.target, arguments.output) {
            (Target::Host, _) => Objects::Keep,
            (Target::Cluster, ReportForm::Junit) => Objects::Name,
            (Target::Cluster, _) => Objects::Forget,
        },
        ..ValidateOptions::default()
    })
}

/// Finds what `kube play` would not honour or not find here, with its own checks.
fn this_host(global: &Global, validation: &mut Validation) -> Result<(), Error> {
    validation.warn_of_unplayed();
    let reading = &mut validation.reading;
    let options = PlayOptions::new(super::kube::working_dir()?);
    let translated = translate::translate_reading(reading, &options);
    let parts = (&translated.application, &translated.origins);
    let pulls = Pulls::ByPolicy;
    // Where nothing was ever played there is nothing to open, and a check leaves nothing behind.
    match super::open::paths(global).root.exists() {
        true => {
            let mut engine = super::open::engine(global, "kube validate")?;
            let observed = engine.observed()?;
            let there = (&observed, Existing::Refuse);
            unmet::check(Some(&mut engine), reading, parts, there, pulls)
        }
        false => {
            let there = (&Observed::default(), Existing::Refuse);
            unmet::check(None, reading, parts, there, pulls)
        }
    }
}

fn show<W: Write>(
    verdict: &Verdict,
    form: ReportForm,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let findings = &verdict.findings;
    match form {
        ReportForm::Text if stdout_has_colour() => output.text(Coloured(findings))?,
        ReportForm::Text => output.text(Report(findings))?,
        ReportForm::Json => output.json(&Rows(findings))?,
        ReportForm::Sarif => output.json(&report::sarif(findings))?,
        ReportForm::Junit => output.text(JUnit(verdict))?,
        ReportForm::Github => output.text(GitHub(findings))?,
    }
    Ok(())
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
        _ => {
            output.flush()?;
            tell(&text);
        }
    }
    Ok(())
}
