//! Metadata: names, labels, annotations, owners, finalizers.
//!
//! The server blames a label or an annotation on the whole map; here the path ends in its key.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    ManagedFieldsEntry, ObjectMeta, OwnerReference,
};

use super::fault::{Faults as _, Shown, is_on, items, text};
use super::names::{self, NameRule};
use crate::manifest::source::{At, Findings};

type Map = BTreeMap<String, String>;

const ANNOTATION_BYTES: usize = 256 << 10;
const FINALIZERS: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];

/// Checks the metadata of an object whose names follow `rule`.
///
/// The namespace may be absent: the server takes it from the request.
/// A prefix is not name enough: the server would make up another name each time.
pub(super) fn object_meta(meta: &ObjectMeta, rule: NameRule, at: &At<'_>, found: &mut Findings) {
    let (name, prefix) = (text(&meta.name), text(&meta.generate_name));
    if !prefix.is_empty() {
        let wrong = names::as_prefix(rule, prefix);
        found.invalid_each(&at.field("generateName"), prefix, wrong);
    }
    if !name.is_empty() {
        found.invalid_each(&at.field("name"), name, rule(name));
    } else {
        found.required(&at.field("name"), "name or generateName is required");
        if !prefix.is_empty() {
            found.help("give it a name of its own: only `kubectl create` makes one up".to_owned());
        }
    }
    let namespace = text(&meta.namespace);
    if !namespace.is_empty() {
        let wrong = names::dns_label(namespace);
        found.invalid_each(&at.field("namespace"), namespace, wrong);
    }
    found.not_negative(&at.field("generation"), meta.generation);
    if let Some(map) = &meta.labels {
        labels(map, &at.field("labels"), found);
    }
    if let Some(map) = &meta.annotations {
        annotations(map, &at.field("annotations"), found);
    }
    owners(
        items(&meta.owner_references),
        &at.field("ownerReferences"),
        found,
    );
    finalizers(items(&meta.finalizers), &at.field("finalizers"), found);
    managers(
        items(&meta.managed_fields),
        &at.field("managedFields"),
        found,
    );
}

/// Checks that an object which belongs to the whole cluster names no namespace.
pub(super) fn of_cluster(meta: &ObjectMeta, at: &At<'_>, found: &mut Findings) {
    if !text(&meta.namespace).is_empty() {
        found.forbidden(&at.field("namespace"), "not allowed on this type");
    }
}

/// Checks what little metadata a template may hold: labels and annotations.
pub(super) fn claim_template_meta(meta: &ObjectMeta, at: &At<'_>, found: &mut Findings) {
    if let Some(map) = &meta.annotations {
        annotations(map, &at.field("annotations"), found);
    }
    if let Some(map) = &meta.labels {
        labels(map, &at.field("labels"), found);
    }
    let set = [
        ("name", !text(&meta.name).is_empty()),
        ("generateName", !text(&meta.generate_name).is_empty()),
        ("namespace", !text(&meta.namespace).is_empty()),
        ("selfLink", !text(&meta.self_link).is_empty()),
        ("resourceVersion", !text(&meta.resource_version).is_empty()),
        ("generation", meta.generation.unwrap_or_default() != 0),
        ("creationTimestamp", meta.creation_timestamp.is_some()),
        ("deletionTimestamp", meta.deletion_timestamp.is_some()),
        (
            "deletionGracePeriodSeconds",
            meta.deletion_grace_period_seconds.is_some(),
        ),
        ("ownerReferences", meta.owner_references.is_some()),
        ("finalizers", meta.finalizers.is_some()),
        ("managedFields", meta.managed_fields.is_some()),
    ];
    if !text(&meta.uid).is_empty() {
        let uid_at = at.field("uid");
        found.forbidden(&at.shown_as(".uID", &uid_at), "cannot be set");
    }
    for (field, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        found.forbidden(&at.field(field), "cannot be set");
    }
}

/// Checks labels.
pub(super) fn labels(map: &Map, at: &At<'_>, found: &mut Findings) {
    for (key, value) in map {
        label_key(key, &at.key_alone(key), found);
        found.invalid_each(&at.key(key), value, names::label_value(value));
    }
}

/// Checks the key of a label.
pub(super) fn label_key(key: &str, at: &At<'_>, found: &mut Findings) {
    found.invalid_each(at, key, names::qualified_name(key));
}

/// Checks annotations; the case of their keys does not matter.
pub(super) fn annotations(map: &Map, at: &At<'_>, found: &mut Findings) {
    for key in map.keys() {
        let wrong = names::qualified_name(&key.to_lowercase());
        found.invalid_each(&at.key_alone(key), key, wrong);
    }
    let size: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > ANNOTATION_BYTES {
        found.too_long(at, ANNOTATION_BYTES);
    }
}

fn owners(references: &[OwnerReference], at: &At<'_>, found: &mut Findings) {
    let mut controller: Option<String> = None;
    for (index, reference) in references.iter().enumerate() {
        let at = at.index(index);
        owner(reference, &at, found);
        if !is_on(reference.controller) {
            continue;
        }
        let this = format!("{}/{}", reference.kind, reference.name);
        match &controller {
            Some(first) => found.invalid(&at, Shown::json(reference), &format!("Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}")),
            None => controller = Some(this),
        }
    }
}

fn owner(reference: &OwnerReference, at: &At<'_>, found: &mut Findings) {
    let mut parts = reference.api_version.split('/');
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    let version = second.or(first).unwrap_or_default();
    if version.is_empty() || third.is_some() {
        let at = at.field("apiVersion");
        found.invalid(&at, &reference.api_version, "version must not be empty");
    }
    let parts = [
        ("kind", &reference.kind),
        ("name", &reference.name),
        ("uid", &reference.uid),
    ];
    for (field, value) in parts {
        if value.is_empty() {
            found.invalid(&at.field(field), value, "must not be empty");
        }
    }
    if reference.api_version == "v1" && reference.kind == "Event" {
        let message = "/v1, Kind=Event is disallowed from being an owner";
        found.invalid(at, Shown::json(reference), message);
    }
}

fn finalizers(list: &[String], at: &At<'_>, found: &mut Findings) {
    for (index, name) in list.iter().enumerate() {
        finalizer(name, &at.index(index), found);
    }
    let has = |wanted: &str| list.iter().any(|name| name == wanted);
    if has("orphan") && has("foregroundDeletion") {
        let message = "finalizer orphan and foregroundDeletion cannot be both set";
        found.invalid(at, Shown::json(&list), message);
    }
}

/// Checks the name of a finalizer: a standard one, or one under a domain.
pub(super) fn finalizer(name: &str, at: &At<'_>, found: &mut Findings) {
    found.invalid_each(at, name, names::qualified_name(name));
    if !name.contains('/') && !FINALIZERS.contains(&name) {
        let message = "name is neither a standard finalizer name nor is it fully qualified";
        found.invalid(at, name, message);
    }
}

fn managers(list: &[ManagedFieldsEntry], at: &At<'_>, found: &mut Findings) {
    for (index, entry) in list.iter().enumerate() {
        let at = at.index(index);
        let (operation, form) = (text(&entry.operation), text(&entry.fields_type));
        if !["Apply", "Update"].contains(&operation) {
            let at = at.field("operation");
            found.invalid(&at, operation, "must be `Apply` or `Update`");
        }
        if !form.is_empty() && form != "FieldsV1" {
            found.invalid(&at.field("fieldsType"), form, "must be `FieldsV1`");
        }
        let manager = text(&entry.manager);
        if manager.len() > 128 {
            found.too_long(&at.field("manager"), 128);
        }
        if let Some(place) = manager.find(char::is_control) {
            let message = format!(
                "should only contain printable characters: invalid rune at position {place}"
            );
            found.invalid(&at.field("manager"), manager, &message);
        }
        if text(&entry.subresource).len() > 256 {
            found.too_long(&at.field("subresource"), 256);
        }
    }
}
