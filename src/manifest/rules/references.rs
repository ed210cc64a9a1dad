//! The ConfigMaps and Secrets that a pod cannot start without, and the keys of them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, KeyToPath, PodSpec, Volume, VolumeProjection};

use super::containers::every_container;
use super::fault::{is_on, items, text};
use crate::manifest::source::At;

/// A ConfigMap or Secret that is asked for.
pub(super) struct Reference<'s> {
    pub(super) kind: &'static str,
    pub(super) name: &'s str,
    /// The field that its name stands in.
    name_field: &'static str,
    keys: Keys<'s>,
}

enum Keys<'s> {
    /// The whole of it.
    All,
    One(&'s str),
    Some(&'s [KeyToPath]),
}

impl<'s> Reference<'s> {
    fn new(kind: &'static str, name: &'s str, keys: Keys<'s>) -> Self {
        Self {
            kind,
            name,
            name_field: "name",
            keys,
        }
    }

    /// Returns where its name stands.
    pub(super) fn name_at<'a>(&self, at: &'a At<'_>) -> At<'a> {
        at.field(self.name_field)
    }

    /// Visits the keys that are asked for, each with its path.
    pub(super) fn each_key(&self, at: &At<'_>, visit: &mut dyn FnMut(&str, &At<'_>)) {
        match self.keys {
            Keys::All => {}
            Keys::One(key) => visit(key, &at.field("key")),
            Keys::Some(items) => {
                let at = at.field("items");
                for (index, item) in items.iter().enumerate() {
                    visit(&item.key, &at.index(index).field("key"));
                }
            }
        }
    }
}

type Visit<'v> = dyn FnMut(&Reference<'_>, &At<'_>) + 'v;

/// Visits what a pod cannot start without, each with its path; the volumes called `made` are others.
pub(super) fn each_reference(
    spec: &PodSpec,
    made: &BTreeSet<&str>,
    at: &At<'_>,
    visit: &mut Visit<'_>,
) {
    every_container(spec, at, &mut |container, at| {
        of_container(container, at, visit);
    });
    let at = at.field("volumes");
    let volumes = items(&spec.volumes).iter().enumerate();
    for (index, volume) in volumes.filter(|(_, one)| !made.contains(one.name.as_str())) {
        of_volume(volume, &at.index(index), visit);
    }
}

fn of_container(container: &Container, at: &At<'_>, visit: &mut Visit<'_>) {
    let env = at.field("env");
    for (index, variable) in items(&container.env).iter().enumerate() {
        let Some(source) = &variable.value_from else {
            continue;
        };
        let at = env.index(index);
        let at = at.field("valueFrom");
        let map = source.config_map_key_ref.as_ref();
        if let Some(of) = map.filter(|of| !is_on(of.optional)) {
            let reference = Reference::new("ConfigMap", &of.name, Keys::One(&of.key));
            visit(&reference, &at.field("configMapKeyRef"));
        }
        let secret = source.secret_key_ref.as_ref();
        if let Some(of) = secret.filter(|of| !is_on(of.optional)) {
            let reference = Reference::new("Secret", &of.name, Keys::One(&of.key));
            visit(&reference, &at.field("secretKeyRef"));
        }
    }
    let from = at.field("envFrom");
    for (index, source) in items(&container.env_from).iter().enumerate() {
        let at = from.index(index);
        let map = source.config_map_ref.as_ref();
        if let Some(of) = map.filter(|of| !is_on(of.optional)) {
            let reference = Reference::new("ConfigMap", &of.name, Keys::All);
            visit(&reference, &at.field("configMapRef"));
        }
        let secret = source.secret_ref.as_ref();
        if let Some(of) = secret.filter(|of| !is_on(of.optional)) {
            let reference = Reference::new("Secret", &of.name, Keys::All);
            visit(&reference, &at.field("secretRef"));
        }
    }
}

fn of_volume(volume: &Volume, at: &At<'_>, visit: &mut Visit<'_>) {
    if let Some(of) = volume.config_map.as_ref().filter(|of| !is_on(of.optional)) {
        let reference = Reference::new("ConfigMap", &of.name, Keys::Some(items(&of.items)));
        visit(&reference, &at.field("configMap"));
    }
    if let Some(of) = volume.secret.as_ref().filter(|of| !is_on(of.optional)) {
        let name = text(&of.secret_name);
        let reference = Reference {
            name_field: "secretName",
            ..Reference::new("Secret", name, Keys::Some(items(&of.items)))
        };
        visit(&reference, &at.field("secret"));
    }
    let sources = volume.projected.as_ref().map(|one| items(&one.sources));
    let at = at.field("projected");
    let at = at.field("sources");
    for (index, source) in sources.unwrap_or_default().iter().enumerate() {
        of_projection(source, &at.index(index), visit);
    }
}

fn of_projection(source: &VolumeProjection, at: &At<'_>, visit: &mut Visit<'_>) {
    if let Some(of) = source.config_map.as_ref().filter(|of| !is_on(of.optional)) {
        let reference = Reference::new("ConfigMap", &of.name, Keys::Some(items(&of.items)));
        visit(&reference, &at.field("configMap"));
    }
    if let Some(of) = source.secret.as_ref().filter(|of| !is_on(of.optional)) {
        let reference = Reference::new("Secret", &of.name, Keys::Some(items(&of.items)));
        visit(&reference, &at.field("secret"));
    }
}
