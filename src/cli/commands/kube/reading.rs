//! From files to what is to be played, with everything that is wrong about them.

use std::path::PathBuf;

use super::super::super::error::Error;
use super::super::super::output::{tell, warnings_wanted};
use super::super::inputs::inputs;
use crate::manifest::{
    self, Extent, Kinds, Located, Objects, Reading, Severity, UnknownFields, ValidateOptions,
    Validation,
};
use crate::names::{ApplicationName, ObjectName};
use crate::translate::{self, Application, PlayOptions, TranslatedReading};

/// Reads, checks and translates manifests; what was found is yet to be shown.
pub(super) fn read_application(
    files: &[PathBuf],
    options: &PlayOptions,
    unknown_fields: UnknownFields,
) -> Result<(Reading, TranslatedReading), Error> {
    let check = ValidateOptions {
        unknown_fields,
        kinds: Kinds::Played,
        objects: Objects::Keep,
        // The rest may be on this host.
        extent: Extent::Part,
        ..ValidateOptions::default()
    };
    let mut validation = Validation::start(inputs(files), &check)?;
    validation.suppress();
    let translated = translate::translate_reading(&mut validation.reading, options);
    if let Some(finding) = translated.option_findings.0.first() {
        let text = format!(
            "error: --configmap: {}: {}\n",
            finding.path, finding.message
        );
        return Err(Error::Manifest(text));
    }
    validation.suppress_warnings();
    Ok((validation.reading, translated))
}

/// Shows every finding; an error ends it.
pub(super) fn accept(
    reading: &Reading,
    unknown_fields: UnknownFields,
    application: &Application,
) -> Result<(), Error> {
    let mut shown = reading.findings.clone();
    if unknown_fields == UnknownFields::Ignore || !warnings_wanted() {
        // Called as podman, what is only a warning is not told: its tests want a clean stderr.
        shown.retain(|located| located.finding.severity == Severity::Error);
    }
    let report = manifest::Report(&shown).to_string();
    if shown
        .iter()
        .any(|located| located.finding.severity == Severity::Error)
    {
        return Err(Error::Manifest(report));
    }
    tell(&report);
    if application.pods.is_empty()
        && application.volumes.is_empty()
        && application.secrets.is_empty()
    {
        return Err(Error::Manifest(
            "error: YAML document does not contain any supported kube kind\n  help: Pod, Deployment, DaemonSet, Job, PersistentVolumeClaim and Secret are played\n".to_owned(),
        ));
    }
    Ok(())
}

pub(super) fn refuse_errors(findings: &[Located]) -> Result<(), Error> {
    let is_error = |located: &Located| located.finding.severity == Severity::Error;
    match findings.iter().any(is_error) {
        true => Err(Error::Manifest(manifest::Report(findings).to_string())),
        false => Ok(()),
    }
}

/// Names what is played together after its first file.
pub(super) fn application_name(files: &[PathBuf]) -> ApplicationName {
    let stem = files
        .first()
        .and_then(|file| file.file_stem())
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    ObjectName::parse(&stem)
        .unwrap_or_else(|_| ObjectName::parse("stdin").expect("the constant is a name"))
}
