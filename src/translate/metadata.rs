//! What a document's metadata says about the pod it becomes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::manifest::source::At;
use crate::model::pod::Labels;
use crate::names::{ObjectName, PodName};

use super::notes::{Notes, filled};

/// The metadata of a pod, from its own document or from a controller's.
pub(super) struct Meta {
    /// None if an error was found in it; what else is wrong is still told.
    pub name: Option<PodName>,
    pub namespace: Option<ObjectName>,
    pub labels: Labels,
    pub annotations: Labels,
}

/// Translates the metadata of a document whose name becomes a pod's.
pub(super) fn meta(metadata: &ObjectMeta, at: &At<'_>, notes: &mut Notes<'_>) -> Meta {
    let name_at = at.field("name");
    let name = match filled(metadata.name.as_ref()) {
        Some(name) => notes.parse(&name_at, name, PodName::parse),
        None => {
            notes.required(&name_at, "pod does not have a name");
            None
        }
    };
    let (namespace, labels, annotations) = named(metadata, at, notes);
    Meta {
        name,
        namespace,
        labels,
        annotations,
    }
}

/// Returns namespace, labels and annotations; everything else in a document's metadata is the server's.
pub(super) fn named(
    metadata: &ObjectMeta,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> (Option<ObjectName>, Labels, Labels) {
    let ObjectMeta {
        annotations,
        labels,
        namespace,
        name: _,
        generate_name: _,
        // Set by the server, or only of use there.
        creation_timestamp: _,
        deletion_grace_period_seconds: _,
        deletion_timestamp: _,
        finalizers: _,
        generation: _,
        managed_fields: _,
        owner_references: _,
        resource_version: _,
        self_link: _,
        uid: _,
    } = metadata;
    (
        notes.parse_some(
            &at.field("namespace"),
            namespace.as_ref(),
            ObjectName::parse,
        ),
        labels.clone().unwrap_or_default(),
        annotations.clone().unwrap_or_default(),
    )
}
