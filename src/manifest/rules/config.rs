//! ConfigMaps and Secrets.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::fault::{Faults as _, text_or};
use super::{metadata, names, tls};
use crate::manifest::source::{At, Findings};

const MOST_BYTES: usize = 1 << 20;
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";

/// Checks a ConfigMap.
///
/// The server blames one that is too big on `[]`, the whole of it; here it is `data`.
pub fn config_map(map: &ConfigMap, found: &mut Findings) {
    let at = At::ROOT;
    metadata::object_meta(
        &map.metadata,
        names::dns_subdomain,
        &at.field("metadata"),
        found,
    );
    let mut size = 0;
    let data_at = at.field("data");
    for (key, value) in map.data.iter().flatten() {
        let at = data_at.key_alone(key);
        found.invalid_each(&at, key, names::config_key(key));
        if map
            .binary_data
            .as_ref()
            .is_some_and(|binary| binary.contains_key(key))
        {
            found.invalid(&at, key, "duplicate of key present in binaryData");
        }
        size += value.len();
    }
    let binary_at = at.field("binaryData");
    for (key, value) in map.binary_data.iter().flatten() {
        found.invalid_each(&binary_at.key_alone(key), key, names::config_key(key));
        size += value.0.len();
    }
    if size > MOST_BYTES {
        found.too_long(&data_at, MOST_BYTES);
    }
}

/// Checks a Secret, by its type too.
pub fn secret(secret: &Secret, found: &mut Findings) {
    let at = At::ROOT;
    let meta_at = at.field("metadata");
    metadata::object_meta(&secret.metadata, names::dns_subdomain, &meta_at, found);
    let contents = Contents(secret);
    let mut size = 0;
    for (key, value) in contents.entries() {
        contents.at(key, Part::Key, |at| {
            found.invalid_each(at, key, names::config_key(key))
        });
        size += value.len();
    }
    if size > MOST_BYTES {
        found.too_long(&at.field("data"), MOST_BYTES);
    }
    match text_or(&secret.type_, "Opaque") {
        "kubernetes.io/service-account-token" => {
            let annotations = secret.metadata.annotations.as_ref();
            let name = annotations.and_then(|map| map.get(ACCOUNT_NAME));
            if name.is_none_or(String::is_empty) {
                let at = meta_at.field("annotations");
                found.required(&at.key(ACCOUNT_NAME), "");
            }
        }
        "kubernetes.io/dockercfg" => contents.json(".dockercfg", found),
        "kubernetes.io/dockerconfigjson" => contents.json(".dockerconfigjson", found),
        "kubernetes.io/basic-auth" if !contents.has("username") && !contents.has("password") => {
            contents.needs("username", found);
            contents.needs("password", found);
        }
        "kubernetes.io/ssh-auth" if contents.get("ssh-privatekey").is_none_or(<[u8]>::is_empty) => {
            found.required(&at.field("data").key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            contents.needs("tls.crt", found);
            contents.needs("tls.key", found);
            contents.warn("tls.crt", tls::wrong_certificate, found);
            contents.warn("tls.key", tls::wrong_key, found);
        }
        _ => {}
    }
}

/// What of an entry is wrong.
enum Part {
    Key,
    Value,
}

/// What a Secret holds: `data`, under what `stringData` says.
struct Contents<'a>(&'a Secret);

impl<'a> Contents<'a> {
    fn entries(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let texts = self.0.string_data.iter().flatten();
        let data = self.0.data.iter().flatten();
        let data = data.filter(|(key, _)| !self.is_text(key));
        data.map(|(key, value)| (key.as_str(), value.0.as_slice()))
            .chain(texts.map(|(key, value)| (key.as_str(), value.as_bytes())))
    }

    fn is_text(&self, key: &str) -> bool {
        let texts = self.0.string_data.as_ref();
        texts.is_some_and(|texts| texts.contains_key(key))
    }

    /// Gives the place of an entry, or of its key alone, to `use_it`.
    fn at(&self, key: &str, part: Part, use_it: impl FnOnce(&At<'_>)) {
        let at = At::ROOT;
        let field = if self.is_text(key) {
            "stringData"
        } else {
            "data"
        };
        let at = at.field(field);
        let at = match part {
            Part::Key => at.key_alone(key),
            Part::Value => at.key(key),
        };
        if self.is_text(key) {
            // the server has laid it into `data` before it looks
            use_it(&At::ROOT.shown_as(&format!("data[{key}]"), &at));
        } else {
            use_it(&at);
        }
    }

    fn get(&self, key: &str) -> Option<&'a [u8]> {
        let mut entries = self.entries();
        entries
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn needs(&self, key: &str, found: &mut Findings) {
        if !self.has(key) {
            found.required(&At::ROOT.field("data").key(key), "");
        }
    }

    /// Warns of what is wrong with a value.
    fn warn(&self, key: &str, wrong: fn(&str) -> Option<String>, found: &mut Findings) {
        let value = self.get(key).map(String::from_utf8_lossy);
        if let Some(message) = value.and_then(|value| wrong(&value)) {
            self.at(key, Part::Value, |at| found.warning(at, message));
        }
    }

    fn json(&self, key: &str, found: &mut Findings) {
        self.needs(key, found);
        let Some(json) = self.get(key) else {
            return;
        };
        // to Go, `null` is a map without entries, and bytes that are no text are replaced
        type Map = Option<serde_json::Map<String, serde_json::Value>>;
        let json = String::from_utf8_lossy(json);
        if let Err(error) = serde_json::from_str::<Map>(&json) {
            self.at(key, Part::Value, |at| {
                // the parser's own words name positions, never contents
                found.invalid(at, "<secret contents redacted>", &error.to_string());
            });
        }
    }
}
