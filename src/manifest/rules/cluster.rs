//! Namespaces and ServiceAccounts.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::fault::items;
use super::{metadata, names};
use crate::manifest::source::{At, Findings};

const MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

/// Checks a Namespace.
pub fn namespace(namespace: &Namespace, found: &mut Findings) {
    let at = At::ROOT;
    metadata::object_meta(
        &namespace.metadata,
        names::dns_label,
        &at.field("metadata"),
        found,
    );
    metadata::of_cluster(&namespace.metadata, &at.field("metadata"), found);
    let finalizers = namespace.spec.as_ref().map(|spec| items(&spec.finalizers));
    let at = at.field("spec");
    let at = at.field("finalizers");
    for (index, name) in finalizers.unwrap_or_default().iter().enumerate() {
        metadata::finalizer(name, &at.index(index), found);
    }
}

/// Checks a ServiceAccount.
pub fn service_account(account: &ServiceAccount, found: &mut Findings) {
    let at = At::ROOT;
    metadata::object_meta(
        &account.metadata,
        names::dns_subdomain,
        &at.field("metadata"),
        found,
    );
    let annotations = account.metadata.annotations.as_ref();
    if annotations.is_some_and(|annotations| annotations.contains_key(MOUNTABLE_SECRETS)) {
        let at = at.field("metadata");
        let message =
            "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
        found.warning(&at.field("annotations").key(MOUNTABLE_SECRETS), message);
    }
}

/// Checks the metadata of an object of a custom kind.
pub(in crate::manifest) fn custom_metadata(
    meta: &ObjectMeta,
    is_namespaced: bool,
    at: &At<'_>,
    found: &mut Findings,
) {
    metadata::object_meta(meta, names::dns_subdomain, at, found);
    if !is_namespaced {
        metadata::of_cluster(meta, at, found);
    }
}
