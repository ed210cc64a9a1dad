//! `kube down`.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::super::args::{Down, Global};
use super::super::super::error::{Error, about, outcome};
use super::super::super::output::{Output, warn};
use super::super::{input, open};
use super::options::working_dir;
use super::reading::{accept, read_application};
use super::report::print_downed;
use crate::engine::execute::Report;
use crate::manifest::UnknownFields;
use crate::model::observed::Observed;
use crate::names::{ApplicationName, ObjectName};
use crate::plan::{self, DownWish};
use crate::translate::PlayOptions;

/// Takes down what manifests describe, or what was played under a name.
pub(in crate::cli) fn down<W: Write>(
    global: &Global,
    arguments: &Down,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let mut engine = open::settled(global, "kube down")?;
    let observed = engine.observed()?;
    let (names, files) = split(&arguments.files, &observed);
    let mut wish = DownWish::default();
    if !files.is_empty() {
        let options = PlayOptions::new(working_dir()?);
        let unknown_fields = UnknownFields::Ignore;
        let (reading, translated) = read_application(&files, &options, unknown_fields)?;
        accept(&reading, unknown_fields, &translated.application)?;
        wish = DownWish::of(translated.application);
    }
    wish.applications = names;
    if arguments.force {
        wish.add_volumes_of_applications(&observed);
    } else {
        wish.volumes.clear();
    }
    let plan = plan::down(&wish, &observed);
    let report = engine.execute(plan)?;
    print_downed(&report, arguments.format.as_ref(), output)?;
    complain(report)
}

/// Tells what did not go as it should.
pub(super) fn complain(report: Report) -> Result<(), Error> {
    for warning in &report.warnings {
        warn(warning);
    }
    let failures = report.not_removed.into_iter();
    outcome(
        failures
            .map(|(pod, error)| about(pod.as_str(), error))
            .collect(),
    )
}

/// Parts the names of applications from the files; a file of that name wins.
fn split(arguments: &[PathBuf], observed: &Observed) -> (Vec<ApplicationName>, Vec<PathBuf>) {
    let (mut names, mut files) = (Vec::new(), Vec::new());
    for argument in arguments {
        match application(argument, observed) {
            Some(name) => names.push(name),
            None => files.push(argument.clone()),
        }
    }
    (names, files)
}

fn application(argument: &Path, observed: &Observed) -> Option<ApplicationName> {
    if input::is_url(argument) || argument == Path::new("-") || argument.exists() {
        return None;
    }
    let name = ObjectName::parse(argument.to_str()?).ok()?;
    observed.has_application(&name).then_some(name)
}
