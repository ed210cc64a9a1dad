//! From what was read and held against the API server's rules to an application.
//!
//! podman reads more than the API server does. Where it does, the server's error is dropped: the
//! translation judges the same field by podman's wider rule, so that nothing goes unjudged.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::manifest::rules::Spot;
use crate::manifest::{
    Document, Finding, FindingType, Findings, Located, Object, Reading, Severity, Step,
};

use crate::names::PodName;

use super::application::{Application, translate};
use super::options::PlayOptions;
use super::resources::HOST_DEVICE;

/// An application, and where it comes from.
#[derive(Debug)]
pub struct TranslatedReading {
    pub application: Application,
    pub origins: Origins,
    /// What was found in the command line's own ConfigMaps, which stand in no document of the reading.
    pub option_findings: Findings,
}

/// From which object of a reading each pod comes.
#[derive(Debug, Default)]
pub struct Origins(BTreeMap<PodName, usize>);

impl Origins {
    /// Returns an error about a spot of a pod, or nothing where no document of the reading has it.
    #[must_use]
    pub fn error(
        &self,
        reading: &Reading,
        (pod, spot): (&PodName, Spot<'_>),
        kind: FindingType,
        message: &str,
    ) -> Option<Located> {
        let read = reading.objects.get(*self.0.get(pod)?)?;
        spot.error(read, kind, message)
    }
}

/// Translates all that was read; what is found joins the reading's findings.
///
/// A field that a rule has already refused is not refused again, and the application is to be
/// played only if no error is among the reading's findings.
pub fn translate_reading(reading: &mut Reading, options: &PlayOptions) -> TranslatedReading {
    for read in &reading.objects {
        if let Some(judged) = read.object.as_ref().and_then(Judged::of) {
            let is_dropped =
                |located: &Located| is_about(located, &read.document) && judged.by_podman(located);
            reading.findings.retain(|located| !is_dropped(located));
        }
    }
    let decoded = reading
        .objects
        .iter()
        .filter_map(|read| Some((&read.document, read.object.as_ref()?)));
    let translated = translate(decoded.clone().map(|(_, object)| object), options);
    let objects = reading.objects.iter().enumerate();
    let numbers: Vec<usize> = objects
        .filter(|(_, read)| read.object.is_some())
        .map(|(number, _)| number)
        .collect();
    let pods = translated.application.pods.iter();
    let origins = pods
        .zip(&translated.origins)
        .map(|(pod, origin)| (pod.name.clone(), numbers[*origin]));
    let origins = Origins(origins.collect());
    let mut located = Vec::new();
    for ((document, _), findings) in decoded.zip(translated.findings) {
        located.extend(document.locate(findings));
    }
    let is_new = |found: &Located| !reading.findings.iter().any(|known| is_same(known, found));
    located.retain(is_new);
    reading.findings.extend(located);
    Located::sort(&mut reading.findings);
    TranslatedReading {
        application: translated.application,
        origins,
        option_findings: translated.option_findings,
    }
}

fn is_about(located: &Located, document: &Document) -> bool {
    located.input == document.input()
        && located.document == Some(document.index())
        && located.object == document.title()
}

/// Tells whether an error stands where another one does.
fn is_same(known: &Located, found: &Located) -> bool {
    let place = |located: &Located| (located.input, located.span.start);
    let errors = [known, found].map(|located| located.finding.severity == Severity::Error);
    errors == [true, true]
        && place(known) == place(found)
        && known.finding.path == found.finding.path
}

/// An object that becomes pods.
struct Judged<'a> {
    metadata: &'a ObjectMeta,
    spec: Option<&'a PodSpec>,
}

impl<'a> Judged<'a> {
    fn of(object: &'a Object) -> Option<Self> {
        let (metadata, spec) = match object {
            Object::Pod(pod) => (&pod.metadata, pod.spec.as_ref()),
            Object::Deployment(one) => (&one.metadata, one.spec.template.spec.as_ref()),
            Object::DaemonSet(one) => (&one.metadata, one.spec.template.spec.as_ref()),
            Object::Job(one) => {
                let spec = one.spec.as_ref();
                (
                    &one.metadata,
                    spec.and_then(|spec| spec.template.spec.as_ref()),
                )
            }
            _ => return None,
        };
        Some(Self { metadata, spec })
    }

    /// Tells whether the field has a wider rule in podman, which the translation holds it against.
    fn by_podman(&self, located: &Located) -> bool {
        let Finding { kind, path, .. } = &located.finding;
        match (kind, path.0.as_slice()) {
            (FindingType::Invalid, [metadata, name])
                if is_field(metadata, "metadata") && is_field(name, "name") =>
            {
                let name = self.metadata.name.as_deref().unwrap_or_default();
                has_underscores_only(name, 253, &['.', '-'])
            }
            (FindingType::Invalid, [.., list, Step::Index(index), name])
                if is_field(name, "name") =>
            {
                let name = self.container_name(list, *index).unwrap_or_default();
                has_underscores_only(name, 63, &['-'])
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
            (FindingType::Invalid, [.., Step::Key(resource) | Step::KeyAlone(resource)]) => {
                resource.starts_with(HOST_DEVICE)
            }
            _ => false,
        }
    }

    fn container_name(&self, list: &Step, index: usize) -> Option<&str> {
        let spec = self.spec?;
        let containers = if is_field(list, "containers") {
            &spec.containers
        } else if is_field(list, "initContainers") {
            spec.init_containers.as_ref()?
        } else {
            return None;
        };
        Some(containers.get(index)?.name.as_str())
    }
}

fn is_field(step: &Step, name: &str) -> bool {
    matches!(step, Step::Field(field) if field == name)
}

/// Tells whether a name would be Kubernetes' but for its underscores.
fn has_underscores_only(name: &str, most: usize, inner: &[char]) -> bool {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_outer = |c: char| is_alphanumeric(c) || c == '_';
    name.contains('_')
        && name.len() <= most
        && name.starts_with(is_alphanumeric)
        && name.ends_with(is_outer)
        && name.chars().all(|c| is_outer(c) || inner.contains(&c))
}
