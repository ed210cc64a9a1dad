//! PersistentVolumeClaims.

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, TypedLocalObjectReference,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::fault::{Faults as _, items, text};
use super::quantity::{self, Amount};
use super::{metadata, names, selector};
use crate::manifest::source::{At, Findings};

const ACCESS_MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
/// What the command line tools print for them.
const SHORT_MODES: [(&str, &str); 4] = [
    ("ROX", "ReadOnlyMany"),
    ("RWX", "ReadWriteMany"),
    ("RWO", "ReadWriteOnce"),
    ("RWOP", "ReadWriteOncePod"),
];
/// How a volume shows up in a container.
pub(super) const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];
const ONLY_CLAIMS: &str = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";

/// Checks a PersistentVolumeClaim.
pub fn persistent_volume_claim(claim: &PersistentVolumeClaim, found: &mut Findings) {
    let at = At::ROOT;
    metadata::object_meta(
        &claim.metadata,
        names::dns_subdomain,
        &at.field("metadata"),
        found,
    );
    let empty = PersistentVolumeClaimSpec::default();
    let wanted = claim.spec.as_ref().unwrap_or(&empty);
    spec(wanted, &at.field("spec"), found);
    old_class_annotation(&claim.metadata, &at.field("metadata"), found);
    warn(wanted, &at.field("spec"), found);
}

/// Warns of the annotation that was the class of a volume once.
pub(super) fn old_class_annotation(meta: &ObjectMeta, at: &At<'_>, found: &mut Findings) {
    const KEY: &str = "volume.beta.kubernetes.io/storage-class";
    let annotations = meta.annotations.as_ref();
    if annotations.is_some_and(|annotations| annotations.contains_key(KEY)) {
        let message = r#"deprecated since v1.8; use "storageClassName" attribute instead"#;
        found.warning(&at.field("annotations").key(KEY), message);
    }
}

/// Checks what is claimed.
pub(super) fn spec(spec: &PersistentVolumeClaimSpec, at: &At<'_>, found: &mut Findings) {
    let modes = items(&spec.access_modes);
    if modes.is_empty() {
        let message = "at least 1 access mode is required";
        found.required(&at.field("accessModes"), message);
    }
    if let Some(wanted) = &spec.selector {
        selector::label_selector(wanted, &at.field("selector"), found);
    }
    access_modes(modes, &at.field("accessModes"), found);
    storage(spec, &at.field("resources"), found);
    class(
        &spec.storage_class_name,
        &at.field("storageClassName"),
        found,
    );
    if let Some(mode) = &spec.volume_mode {
        found.one_of(&at.field("volumeMode"), mode, &VOLUME_MODES);
    }
    sources(spec, at, found);
    let at = at.field("volumeAttributesClassName");
    class(&spec.volume_attributes_class_name, &at, found);
}

/// Checks how a volume may be mounted.
pub(super) fn access_modes(modes: &[String], at: &At<'_>, found: &mut Findings) {
    for (index, mode) in modes.iter().enumerate() {
        found.one_of(&at.index(index), mode, &ACCESS_MODES);
        let short = SHORT_MODES.iter().find(|(short, _)| short == mode);
        if let Some((_, long)) = short {
            found.help(format!("write `{long}`"));
        }
    }
    let is_alone = |mode: &&String| mode.as_str() == "ReadWriteOncePod";
    let is_known = |mode: &&String| ACCESS_MODES.contains(&mode.as_str());
    let others = modes
        .iter()
        .filter(|mode| is_known(mode) && !is_alone(mode));
    if modes.iter().any(|mode| is_alone(&mode)) && others.count() > 0 {
        let message = "may not use ReadWriteOncePod with other access modes";
        found.forbidden(at, message);
    }
}

fn storage(spec: &PersistentVolumeClaimSpec, at: &At<'_>, found: &mut Findings) {
    let list_at = at.field("requests");
    let storage_at = list_at.key("storage");
    let at = at.shown_as("[storage]", &storage_at);
    let requests = spec
        .resources
        .as_ref()
        .and_then(|wanted| wanted.requests.as_ref());
    let Some(storage) = requests.and_then(|requests| requests.get("storage")) else {
        found.required(&at, "");
        return;
    };
    if let Some(amount) = quantity::read(storage, &storage_at, found)
        && amount <= Amount::ZERO
    {
        found.invalid(&at, &amount.to_string(), "must be greater than zero");
    }
}

/// Checks the name of a class.
pub(super) fn class(name: &Option<String>, at: &At<'_>, found: &mut Findings) {
    let name = text(name);
    if !name.is_empty() {
        found.invalid_each(at, name, names::dns_subdomain(name));
    }
}

fn sources(spec: &PersistentVolumeClaimSpec, at: &At<'_>, found: &mut Findings) {
    let source_at = at.field("dataSource");
    if let Some(source) = &spec.data_source {
        reference(source, &source_at, found);
    }
    let Some(typed) = &spec.data_source_ref else {
        return;
    };
    let local = TypedLocalObjectReference {
        api_group: typed.api_group.clone(),
        kind: typed.kind.clone(),
        name: typed.name.clone(),
    };
    let ref_at = at.field("dataSourceRef");
    reference(&local, &ref_at, found);
    let namespace = text(&typed.namespace);
    if !namespace.is_empty() {
        let wrong = names::dns_label(namespace);
        found.invalid_each(&ref_at.field("namespace"), namespace, wrong);
    }
    if let Some(source) = &spec.data_source {
        // the server blames the whole spec
        let source_at = at.shown_as("", &source_at);
        if !namespace.is_empty() {
            let message = "may not be specified when dataSourceRef.namespace is specified";
            found.invalid(&source_at, &source.name, message);
        } else if *source != local {
            found.invalid(&source_at, &source.name, "must match dataSourceRef");
        }
    }
}

fn reference(source: &TypedLocalObjectReference, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("name"), &source.name);
    found.not_empty(&at.field("kind"), &source.kind);
    let group = text(&source.api_group);
    if group.is_empty() && source.kind != "PersistentVolumeClaim" {
        found.invalid(at, &source.kind, ONLY_CLAIMS);
    }
    if !group.is_empty() {
        let wrong = names::dns_subdomain(group);
        found.invalid_each(&at.field("apiGroup"), group, wrong);
    }
}

/// Warns of sizes that are no whole number of bytes.
pub(super) fn warn(spec: &PersistentVolumeClaimSpec, at: &At<'_>, found: &mut Findings) {
    let Some(resources) = &spec.resources else {
        return;
    };
    let at = at.field("resources");
    let lists = [
        ("requests", &resources.requests),
        ("limits", &resources.limits),
    ];
    for (field, list) in lists {
        let storage = list.as_ref().and_then(|list| list.get("storage"));
        let amount = storage.and_then(|storage| Amount::parse(&storage.0).ok());
        if let Some(amount) = amount.filter(|amount| !amount.is_whole()) {
            let at = at.field(field);
            let message =
                format!("fractional byte value \"{amount}\" is invalid, must be an integer");
            found.warning(&at.key("storage"), message);
        }
    }
}
