//! What a play needs of images, ConfigMaps and Secrets, held against all that will be there when it runs.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;

use super::containers::every_container;
use super::fault::{items, text};
use super::references::{Reference, each_reference};
use super::specs::{every_spec, made_volumes};
use crate::manifest::read::Reading;
use crate::manifest::source::{At, FindingType, Findings, Located, Severity};

/// What there is, and what is known not to be.
#[derive(Debug, Default)]
pub struct Present {
    /// The keys of all ConfigMaps and Secrets, by kind and name.
    pub objects: BTreeMap<(&'static str, String), BTreeSet<String>>,
    /// The images that are not there, as containers and volumes name them, and why not.
    pub missing_images: BTreeMap<String, String>,
}

/// Adds an error for each image, object or key that a pod cannot start without and that is not there.
///
/// A warning about the same is taken back.
pub fn check_present(reading: &mut Reading, present: &Present) {
    let mut missing = Vec::new();
    for read in &reading.objects {
        let Some(object) = &read.object else {
            continue;
        };
        let mut found = Findings::default();
        every_spec(object, &mut |_, spec, at| {
            Needs(present).of_spec(spec, &made_volumes(object), at, &mut found);
        });
        missing.extend(read.document.locate(found));
    }
    reading.findings.retain(|known| {
        known.finding.severity == Severity::Error
            || !missing.iter().any(|new| {
                new.finding.path == known.finding.path
                    && new.finding.message == known.finding.message
            })
    });
    reading.findings.extend(missing);
    Located::sort(&mut reading.findings);
}

struct Needs<'p>(&'p Present);

impl Needs<'_> {
    fn of_spec(&self, spec: &PodSpec, made: &BTreeSet<&str>, at: &At<'_>, found: &mut Findings) {
        every_container(spec, at, &mut |container, at| {
            self.image(text(&container.image), &at.field("image"), found);
        });
        let volumes = at.field("volumes");
        for (index, volume) in items(&spec.volumes).iter().enumerate() {
            let reference = volume
                .image
                .as_ref()
                .and_then(|image| image.reference.as_deref());
            let at = volumes.index(index);
            let at = at.field("image");
            self.image(reference.unwrap_or_default(), &at.field("reference"), found);
        }
        each_reference(spec, made, at, &mut |reference, at| {
            self.reference(reference, at, found);
        });
    }

    fn image(&self, image: &str, at: &At<'_>, found: &mut Findings) {
        if let Some(reason) = self.0.missing_images.get(image) {
            let message = format!("{image}: {reason}");
            found.error(FindingType::NotFound, at, message);
        }
    }

    fn reference(&self, reference: &Reference<'_>, at: &At<'_>, found: &mut Findings) {
        let (kind, name) = (reference.kind, reference.name);
        let Some(keys) = self.0.objects.get(&(kind, name.to_owned())) else {
            let message = format!("{kind} {name:?} not found");
            found.error(FindingType::NotFound, &reference.name_at(at), message);
            return;
        };
        reference.each_key(at, &mut |key, at| {
            if !keys.contains(key) {
                let message = format!("{kind} {name:?} has no key {key:?}");
                found.error(FindingType::NotFound, at, message);
            }
        });
    }
}
