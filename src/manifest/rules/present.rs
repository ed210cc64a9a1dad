//! What a play needs of images, ConfigMaps and Secrets, held against all that will be there when it runs.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume, VolumeProjection};

use super::across::every_spec;
use super::containers::every_container;
use super::fault::{is_on, items, text};
use crate::manifest::read::Reading;
use crate::manifest::source::{At, FindingType, Findings, Located, Severity};

/// What there is, and what is known not to be.
#[derive(Debug, Default)]
pub struct Present {
    /// The keys of all ConfigMaps and Secrets, by kind and name.
    pub objects: BTreeMap<(&'static str, String), BTreeSet<String>>,
    /// The images that are not there, as containers name them, and why not.
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
            check_spec(&Needs(present), spec, at, &mut found);
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
    /// Asks for an object; the place is its name's.
    fn object(&self, kind: &'static str, name: &str, at: &At<'_>, found: &mut Findings) -> bool {
        let known = self.0.objects.contains_key(&(kind, name.to_owned()));
        if !known {
            let message = format!("{kind} {name:?} not found");
            found.error(FindingType::NotFound, at, message);
        }
        known
    }

    /// Asks for a key of an object; `name_field` is where the name stands beside the key.
    fn key(
        &self,
        kind: &'static str,
        (name, key): (&str, &str),
        at: &At<'_>,
        found: &mut Findings,
    ) {
        if !self.object(kind, name, &at.field("name"), found) {
            return;
        }
        let keys = &self.0.objects[&(kind, name.to_owned())];
        if !keys.contains(key) {
            let message = format!("{kind} {name:?} has no key {key:?}");
            found.error(FindingType::NotFound, &at.field("key"), message);
        }
    }
}

fn check_spec(needs: &Needs<'_>, spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    every_container(spec, at, &mut |container, at| {
        let image = text(&container.image);
        if let Some(reason) = needs.0.missing_images.get(image) {
            let message = format!("{image}: {reason}");
            found.error(FindingType::NotFound, &at.field("image"), message);
        }
        check_env(needs, container, at, found);
    });
    let at = at.field("volumes");
    for (index, volume) in items(&spec.volumes).iter().enumerate() {
        check_volume(needs, volume, &at.index(index), found);
    }
}

fn check_env(needs: &Needs<'_>, container: &Container, at: &At<'_>, found: &mut Findings) {
    let from = at.field("envFrom");
    for (index, source) in items(&container.env_from).iter().enumerate() {
        let at = from.index(index);
        if let Some(of) = source
            .config_map_ref
            .as_ref()
            .filter(|of| !is_on(of.optional))
        {
            let at = at.field("configMapRef");
            needs.object("ConfigMap", &of.name, &at.field("name"), found);
        }
        if let Some(of) = source.secret_ref.as_ref().filter(|of| !is_on(of.optional)) {
            let at = at.field("secretRef");
            needs.object("Secret", &of.name, &at.field("name"), found);
        }
    }
    let env = at.field("env");
    for (index, variable) in items(&container.env).iter().enumerate() {
        let Some(source) = &variable.value_from else {
            continue;
        };
        let at = env.index(index);
        let at = at.field("valueFrom");
        if let Some(of) = source
            .config_map_key_ref
            .as_ref()
            .filter(|of| !is_on(of.optional))
        {
            let at = at.field("configMapKeyRef");
            needs.key("ConfigMap", (&of.name, &of.key), &at, found);
        }
        if let Some(of) = source
            .secret_key_ref
            .as_ref()
            .filter(|of| !is_on(of.optional))
        {
            let at = at.field("secretKeyRef");
            needs.key("Secret", (&of.name, &of.key), &at, found);
        }
    }
}

fn check_volume(needs: &Needs<'_>, volume: &Volume, at: &At<'_>, found: &mut Findings) {
    if let Some(of) = volume.config_map.as_ref().filter(|of| !is_on(of.optional)) {
        let at = at.field("configMap");
        let keys = items(&of.items).iter().map(|item| item.key.as_str());
        check_items(needs, ("ConfigMap", &of.name, "name"), keys, &at, found);
    }
    if let Some(of) = volume.secret.as_ref().filter(|of| !is_on(of.optional)) {
        let at = at.field("secret");
        let keys = items(&of.items).iter().map(|item| item.key.as_str());
        let object = ("Secret", text(&of.secret_name), "secretName");
        check_items(needs, object, keys, &at, found);
    }
    let at = at.field("projected");
    let at = at.field("sources");
    let sources = volume.projected.as_ref().map(|of| items(&of.sources));
    for (index, source) in sources.unwrap_or_default().iter().enumerate() {
        check_projection(needs, source, &at.index(index), found);
    }
}

fn check_projection(
    needs: &Needs<'_>,
    source: &VolumeProjection,
    at: &At<'_>,
    found: &mut Findings,
) {
    if let Some(of) = source.config_map.as_ref().filter(|of| !is_on(of.optional)) {
        let at = at.field("configMap");
        let keys = items(&of.items).iter().map(|item| item.key.as_str());
        check_items(needs, ("ConfigMap", &of.name, "name"), keys, &at, found);
    }
    if let Some(of) = source.secret.as_ref().filter(|of| !is_on(of.optional)) {
        let at = at.field("secret");
        let keys = items(&of.items).iter().map(|item| item.key.as_str());
        check_items(needs, ("Secret", &of.name, "name"), keys, &at, found);
    }
}

fn check_items<'k>(
    needs: &Needs<'_>,
    (kind, name, name_field): (&'static str, &str, &'static str),
    keys: impl Iterator<Item = &'k str>,
    at: &At<'_>,
    found: &mut Findings,
) {
    if !needs.object(kind, name, &at.field(name_field), found) {
        return;
    }
    let known = &needs.0.objects[&(kind, name.to_owned())];
    let at = at.field("items");
    for (index, key) in keys.enumerate().filter(|(_, key)| !known.contains(*key)) {
        let at = at.index(index);
        let message = format!("{kind} {name:?} has no key {key:?}");
        found.error(FindingType::NotFound, &at.field("key"), message);
    }
}
