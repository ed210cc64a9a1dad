//! From what was read and held against the API server's rules to an application.
//!
//! podman reads more than the API server does. Where it does, the server's error is dropped: the
//! translation judges the same field by podman's wider rule, so that nothing goes unjudged.

use crate::manifest::{FieldPath, FindingType, Findings, Located, Reading, Severity, Step};

use super::application::{Application, translate};
use super::options::PlayOptions;
use super::resources::HOST_DEVICE;

/// Translates all that was read; what is found joins the reading's findings.
///
/// A field that a rule has already refused is not refused again, and the application is to be
/// played only if no error is among the reading's findings. The findings returned are those
/// about the command line's own ConfigMaps, which stand in no document of the reading.
pub fn translate_reading(reading: &mut Reading, options: &PlayOptions) -> (Application, Findings) {
    reading
        .findings
        .retain(|located| !is_podmans_to_judge(located));
    let decoded = reading
        .objects
        .iter()
        .filter_map(|read| Some((&read.document, read.object.as_ref()?)));
    let translated = translate(decoded.clone().map(|(_, object)| object), options);
    let mut located = Vec::new();
    for ((document, _), findings) in decoded.zip(translated.findings) {
        located.extend(document.locate(findings));
    }
    let is_new = |found: &Located| !reading.findings.iter().any(|known| is_same(known, found));
    located.retain(is_new);
    reading.findings.extend(located);
    Located::sort(&mut reading.findings);
    (translated.application, translated.option_findings)
}

/// Tells whether an error stands where another one does.
fn is_same(known: &Located, found: &Located) -> bool {
    let place = |located: &Located| (located.input, located.span.start);
    let errors = [known, found].map(|located| located.finding.severity == Severity::Error);
    errors == [true, true]
        && place(known) == place(found)
        && known.finding.path == found.finding.path
}

/// Tells whether the field has a wider rule in podman.
fn is_podmans_to_judge(located: &Located) -> bool {
    let finding = &located.finding;
    let FieldPath(steps) = &finding.path;
    match (finding.kind, steps.as_slice()) {
        // Names may have capitals and underscores.
        (FindingType::Invalid, [metadata, name]) => {
            is_field(metadata, "metadata") && is_field(name, "name")
        }
        (FindingType::Invalid, [.., list, Step::Index(_), name]) if is_field(name, "name") => {
            is_field(list, "containers") || is_field(list, "initContainers")
        }
        // A host port alone is the container's port too.
        (FindingType::Invalid | FindingType::Required, [.., port])
            if is_field(port, "containerPort") =>
        {
            true
        }
        // podman's own words, in any case.
        (FindingType::NotSupported, [.., policy]) => is_field(policy, "imagePullPolicy"),
        // A device of the host, by its path.
        (FindingType::Invalid, [.., Step::Key(resource)]) => resource.starts_with(HOST_DEVICE),
        _ => false,
    }
}

fn is_field(step: &Step, name: &str) -> bool {
    matches!(step, Step::Field(field) if field == name)
}
