//! ConfigMaps, Secrets and claims of named volumes.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::manifest::source::{At, Findings};
use crate::model::observed::ConfigData;
use crate::model::pod::Labels;
use crate::model::quantity::{Bytes, Quantity};
use crate::model::volume::{Backing, NamedVolumeSpec, Owner};
use crate::names::{ObjectName, VolumeName};

use super::metadata::named;
use super::notes::{Notes, filled};
use super::options::PlayOptions;
use super::resources;

/// A ConfigMap of a play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMapData {
    pub name: ObjectName,
    pub immutable: bool,
    pub data: ConfigData,
}

/// A Secret of a play, on its way to the file it rests in.
///
/// It has no serde form, and its values print as their length: nothing that is
/// stored, shown or logged can hold them by accident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretData {
    pub name: ObjectName,
    pub immutable: bool,
    /// `type`: `Opaque` where the manifest has none.
    pub kind: String,
    pub values: BTreeMap<String, SecretValue>,
}

/// One value of a Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Vec<u8>);

impl SecretValue {
    /// Hides these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, to be written where only the pod reads them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// Translates a ConfigMap.
pub(super) fn config_map(map: &v1::ConfigMap, findings: &mut Findings) -> Option<ConfigMapData> {
    let v1::ConfigMap {
        binary_data,
        data,
        immutable,
        metadata,
    } = map;
    let notes = &mut Notes::new(findings);
    let binary = binary_data.clone().unwrap_or_default();
    Some(ConfigMapData {
        name: object_name(metadata, notes)?,
        immutable: immutable.unwrap_or(false),
        data: ConfigData {
            text: data.clone().unwrap_or_default(),
            binary: binary
                .into_iter()
                .map(|(key, ByteString(bytes))| (key, bytes))
                .collect(),
        },
    })
}

/// Translates a Secret; `stringData` wins over `data`.
pub(super) fn secret(secret: &v1::Secret, findings: &mut Findings) -> Option<SecretData> {
    let v1::Secret {
        data,
        immutable,
        metadata,
        string_data,
        type_,
    } = secret;
    let notes = &mut Notes::new(findings);
    let mut values = BTreeMap::new();
    for (key, ByteString(bytes)) in data.iter().flatten() {
        values.insert(key.clone(), SecretValue::new(bytes.clone()));
    }
    for (key, text) in string_data.iter().flatten() {
        values.insert(key.clone(), SecretValue::new(text.clone().into_bytes()));
    }
    Some(SecretData {
        name: object_name(metadata, notes)?,
        immutable: immutable.unwrap_or(false),
        kind: filled(type_.as_ref()).map_or_else(|| "Opaque".to_owned(), String::clone),
        values,
    })
}

/// Namespace, labels and annotations of these objects are never looked at: they have one user, by name.
fn object_name(metadata: &ObjectMeta, notes: &mut Notes<'_>) -> Option<ObjectName> {
    let at = At::ROOT.field("metadata");
    let name = filled(metadata.name.as_ref()).map_or("", String::as_str);
    notes.parse(&at.field("name"), name, ObjectName::parse)
}

/// Translates a claim: a named volume of the host.
pub(super) fn claim(
    claim: &v1::PersistentVolumeClaim,
    options: &PlayOptions,
    findings: &mut Findings,
) -> Option<NamedVolumeSpec> {
    let v1::PersistentVolumeClaim {
        metadata,
        spec,
        status: _,
    } = claim;
    let notes = &mut Notes::new(findings);
    let at = At::ROOT;
    let meta_at = at.field("metadata");
    let name = filled(metadata.name.as_ref()).map_or("", String::as_str);
    let name = notes.parse(&meta_at.field("name"), name, VolumeName::parse);
    let (_, labels, mut annotations) = named(metadata, &meta_at, notes);
    annotations.extend(options.annotations.clone());
    let annotations_at = meta_at.field("annotations");
    let settings = volume_settings(&mut annotations, &annotations_at, options, notes);
    let size = spec
        .as_ref()
        .and_then(|spec| claimed_size(spec, &at.field("spec"), notes));
    Some(NamedVolumeSpec {
        labels,
        annotations,
        size,
        ..settings(name?)
    })
}

/// podman's annotations of a claim, without their common beginning.
pub(super) mod claims {
    pub(in crate::translate) const PREFIX: &str = "volume.podman.io/";
    pub(in crate::translate) const DRIVER: &str = "driver";
    pub(in crate::translate) const TYPE: &str = "type";
    pub(in crate::translate) const DEVICE: &str = "device";
    pub(in crate::translate) const OPTIONS: &str = "mount-options";
    pub(in crate::translate) const USER: &str = "uid";
    pub(in crate::translate) const GROUP: &str = "gid";
    pub(in crate::translate) const IMPORT: &str = "import-source";
}

/// Takes podman's settings out of a claim's annotations.
fn volume_settings(
    annotations: &mut Labels,
    at: &At<'_>,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> impl FnOnce(VolumeName) -> NamedVolumeSpec + use<> {
    let key = |name: &str| format!("{}{name}", claims::PREFIX);
    if let Some(driver) = annotations.remove(&key(claims::DRIVER))
        && driver != "local"
    {
        notes.unsupported(
            &at.key(&key(claims::DRIVER)),
            format!("Unsupported value: {driver:?}: supported values: \"local\""),
        );
    }
    let mut take = |name: &str| {
        annotations
            .remove(&key(name))
            .filter(|text| !text.is_empty())
    };
    let backing = Backing {
        kind: take(claims::TYPE),
        device: take(claims::DEVICE),
        options: take(claims::OPTIONS),
    };
    let mut id = |name: &str| {
        let text = take(name)?;
        let key = key(name);
        notes.parse(&at.key(&key), &text, str::parse::<u32>)
    };
    let owner = Owner {
        user: id(claims::USER),
        group: id(claims::GROUP),
    };
    let import = take(claims::IMPORT).map(|path| options.working_dir.join(path));
    for key in annotations.keys() {
        if key.starts_with(claims::PREFIX) {
            notes.not_yet(&at.key(key));
        }
    }
    move |name| NamedVolumeSpec {
        backing,
        owner,
        import,
        ..NamedVolumeSpec::new(name)
    }
}

fn claimed_size(
    spec: &v1::PersistentVolumeClaimSpec,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<Bytes> {
    let v1::PersistentVolumeClaimSpec {
        data_source,
        data_source_ref,
        resources,
        volume_mode,
        // A directory of this host serves any access mode and stands for any class or volume.
        access_modes: _,
        selector: _,
        storage_class_name: _,
        volume_attributes_class_name: _,
        volume_name: _,
    } = spec;
    notes.not_yet_if(&at.field("dataSource"), data_source.as_ref());
    notes.not_yet_if(&at.field("dataSourceRef"), data_source_ref.as_ref());
    if volume_mode.as_deref() == Some("Block") {
        notes.not_yet(&at.field("volumeMode"));
    }
    let v1::VolumeResourceRequirements { limits, requests } = resources.as_ref()?;
    let at = at.field("resources");
    notes.not_yet_if(&at.field("limits"), limits.as_ref());
    let at = at.field("requests");
    let size = requests.as_ref()?.get("storage")?;
    resources::quantity(size, &at.key("storage"), Quantity::bytes, notes)
}
