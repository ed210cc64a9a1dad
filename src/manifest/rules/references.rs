//! Keys of ConfigMaps and Secrets that pods ask for, where both are read together.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{EnvVar, KeyToPath, PodSpec, Volume, VolumeProjection};

use super::across::namespace;
use super::containers::every_container;
use super::fault::{is_on, items, text};
use crate::manifest::decode::Object;
use crate::manifest::read::Reading;
use crate::manifest::source::{At, Findings};

/// The keys of one ConfigMap or Secret.
pub(super) type Keys<'r> = BTreeSet<&'r str>;
/// All that were read, by kind, namespace and name.
pub(super) type AllKeys<'r> = BTreeMap<(&'static str, &'r str, &'r str), Keys<'r>>;

/// Gathers the ConfigMaps and Secrets of a reading.
pub(super) fn all_keys(reading: &Reading) -> AllKeys<'_> {
    let mut all = AllKeys::new();
    for read in &reading.objects {
        if let Some((kind, name, keys)) = read.object.as_ref().and_then(keys_of) {
            all.insert((kind, namespace(read), name), keys);
        }
    }
    all
}

fn keys_of(object: &Object) -> Option<(&'static str, &str, Keys<'_>)> {
    match object {
        Object::ConfigMap(map) => {
            let texts = map.data.iter().flatten().map(|(key, _)| key.as_str());
            let bytes = map.binary_data.iter().flatten();
            let keys = texts.chain(bytes.map(|(key, _)| key.as_str())).collect();
            Some(("ConfigMap", text(&map.metadata.name), keys))
        }
        Object::Secret(secret) => {
            let texts = secret.string_data.iter().flatten();
            let bytes = secret.data.iter().flatten().map(|(key, _)| key.as_str());
            let keys = bytes.chain(texts.map(|(key, _)| key.as_str())).collect();
            Some(("Secret", text(&secret.metadata.name), keys))
        }
        _ => None,
    }
}

/// Warns of keys that a pod needs and that their ConfigMap or Secret does not have.
pub(super) fn check(
    spec: &PodSpec,
    namespace: &str,
    keys: &AllKeys<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let known = Known { namespace, keys };
    every_container(spec, at, &mut |container, at| {
        let at = at.field("env");
        for (index, variable) in items(&container.env).iter().enumerate() {
            known.variable(variable, &at.index(index), found);
        }
    });
    let at = at.field("volumes");
    for (index, volume) in items(&spec.volumes).iter().enumerate() {
        known.volume(volume, &at.index(index), found);
    }
}

struct Known<'k> {
    namespace: &'k str,
    keys: &'k AllKeys<'k>,
}

impl Known<'_> {
    fn key(&self, kind: &'static str, name: &str, key: &str, at: &At<'_>, found: &mut Findings) {
        let keys = self.keys.get(&(kind, self.namespace, name));
        if keys.is_some_and(|keys| !keys.contains(key)) {
            found.warning(at, format!("{kind} {name:?} has no key {key:?}"));
        }
    }

    fn variable(&self, variable: &EnvVar, at: &At<'_>, found: &mut Findings) {
        let Some(source) = &variable.value_from else {
            return;
        };
        let at = at.field("valueFrom");
        if let Some(of) = source
            .config_map_key_ref
            .as_ref()
            .filter(|of| !is_on(of.optional))
        {
            let at = at.field("configMapKeyRef");
            self.key("ConfigMap", &of.name, &of.key, &at.field("key"), found);
        }
        if let Some(of) = source
            .secret_key_ref
            .as_ref()
            .filter(|of| !is_on(of.optional))
        {
            let at = at.field("secretKeyRef");
            self.key("Secret", &of.name, &of.key, &at.field("key"), found);
        }
    }

    fn volume(&self, volume: &Volume, at: &At<'_>, found: &mut Findings) {
        if let Some(map) = volume
            .config_map
            .as_ref()
            .filter(|map| !is_on(map.optional))
        {
            let at = at.field("configMap");
            self.items("ConfigMap", &map.name, &map.items, &at, found);
        }
        if let Some(secret) = volume
            .secret
            .as_ref()
            .filter(|secret| !is_on(secret.optional))
        {
            let at = at.field("secret");
            self.items(
                "Secret",
                text(&secret.secret_name),
                &secret.items,
                &at,
                found,
            );
        }
        let sources = volume.projected.as_ref().map(|one| items(&one.sources));
        let at = at.field("projected");
        let at = at.field("sources");
        for (index, source) in sources.unwrap_or_default().iter().enumerate() {
            self.projection(source, &at.index(index), found);
        }
    }

    fn projection(&self, source: &VolumeProjection, at: &At<'_>, found: &mut Findings) {
        if let Some(map) = source
            .config_map
            .as_ref()
            .filter(|map| !is_on(map.optional))
        {
            let at = at.field("configMap");
            self.items("ConfigMap", &map.name, &map.items, &at, found);
        }
        if let Some(secret) = source
            .secret
            .as_ref()
            .filter(|secret| !is_on(secret.optional))
        {
            let at = at.field("secret");
            self.items("Secret", &secret.name, &secret.items, &at, found);
        }
    }

    fn items(
        &self,
        kind: &'static str,
        name: &str,
        keys: &Option<Vec<KeyToPath>>,
        at: &At<'_>,
        found: &mut Findings,
    ) {
        let at = at.field("items");
        for (index, item) in items(keys).iter().enumerate() {
            self.key(kind, name, &item.key, &at.index(index).field("key"), found);
        }
    }
}
