//! Turns a document into a typed Kubernetes object, straight from its nodes.
//!
//! Every fault is recorded with its path and the decoding goes on with an empty value, so that one run tells
//! all of them; an object with such a fault is not handed out.

mod de;
pub(super) mod leaf;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service,
    ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;

use super::document::Document;
use super::source::{At, Findings, Severity};
use super::yaml::Node;
use de::{Context, Decoder};

/// Names the kinds once: their object, their API version and their type.
macro_rules! kinds {
    ($($kind:ident $api_version:literal,)*) => {
        /// A decoded object.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Object {
            $($kind(Box<$kind>),)*
            /// A kind that is not decoded; its document holds its values.
            Unsupported { api_version: String, kind: String },
        }

        /// The kinds that are decoded, each with its API version.
        pub const KINDS: &[(&str, &str)] = &[$(($api_version, stringify!($kind)),)*];

        fn decode_kind(document: &Document, context: &Context) -> Option<Object> {
            match (document.api_version(), document.kind()) {
                $(($api_version, stringify!($kind)) => {
                    decode_as(document, context).map(|object| Object::$kind(Box::new(object)))
                })*
                (api_version, kind) => Some(Object::Unsupported {
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                }),
            }
        }
    };
}

kinds! {
    Pod "v1",
    ConfigMap "v1",
    Secret "v1",
    PersistentVolumeClaim "v1",
    PersistentVolume "v1",
    Namespace "v1",
    ServiceAccount "v1",
    Service "v1",
    Deployment "apps/v1",
    DaemonSet "apps/v1",
    ReplicaSet "apps/v1",
    StatefulSet "apps/v1",
    Job "batch/v1",
    CronJob "batch/v1",
    Ingress "networking.k8s.io/v1",
    NetworkPolicy "networking.k8s.io/v1",
}

/// Decodes a document; none if a value has another type than its field.
///
/// Unknown fields become findings of the severity asked for, or none at all.
pub(super) fn decode(
    document: &Document,
    unknown_fields: Option<Severity>,
    findings: &mut Findings,
) -> Option<Object> {
    let context = Context::new(unknown_fields);
    let object = decode_kind(document, &context);
    let outcome = context.finish();
    let is_sound = !outcome.has_mismatch;
    findings.0.extend(outcome.findings.0);
    object.filter(|_| is_sound)
}

/// Decodes the metadata of an object whose kind has no type; none if a value has another type than its field.
pub(super) fn decode_meta(
    node: Node<'_>,
    at: &At<'_>,
    findings: &mut Findings,
) -> Option<ObjectMeta> {
    let context = Context::new(Some(Severity::Error));
    let decoder = Decoder::root(node, at, &context);
    let meta = ObjectMeta::deserialize(decoder);
    let meta = meta.map_err(|fault| context.record(fault, at)).ok();
    let outcome = context.finish();
    let is_sound = !outcome.has_mismatch;
    findings.0.extend(outcome.findings.0);
    meta.filter(|_| is_sound)
}

/// Decodes a part of a document of a kind that has no type of its own here.
///
/// None if it does not fit; what is wrong with it, the kind's schema says.
pub(super) fn decode_part<T: DeserializeOwned>(part: Node<'_>) -> Option<T> {
    let context = Context::new(None);
    let decoded = T::deserialize(Decoder::root(part, &At::ROOT, &context)).ok();
    decoded.filter(|_| !context.finish().has_mismatch)
}

fn decode_as<T: DeserializeOwned>(document: &Document, context: &Context) -> Option<T> {
    let decoder = Decoder::root(document.node(), &At::ROOT, context);
    match T::deserialize(decoder) {
        Ok(object) => Some(object),
        Err(fault) => {
            context.record(fault, &At::ROOT);
            None
        }
    }
}
