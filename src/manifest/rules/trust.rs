//! Certificates of the cluster as files of a pod (KEP-3257).

use k8s_openapi::api::core::v1::ClusterTrustBundleProjection;

use super::fault::{Faults as _, Shown, text};
use super::{names, paths, selector};
use crate::manifest::source::{At, Findings};

/// Warns of a wrong projection of a ClusterTrustBundle.
///
/// Kubernetes 1.34 drops it unread (gate ClusterTrustBundleProjection).
pub(super) fn bundle(source: &ClusterTrustBundleProjection, at: &At<'_>, found: &mut Findings) {
    let mut later = Findings::default();
    chosen(source, at, &mut later);
    let path_at = at.field("path");
    later.not_empty(&path_at, &source.path);
    paths::projected(&source.path, &path_at, &mut later);
    found.soften(later, "servers with the feature refuse it");
}

fn chosen(source: &ClusterTrustBundleProjection, at: &At<'_>, found: &mut Findings) {
    match (&source.name, &source.signer_name) {
        (Some(_), Some(_)) => {
            let message = "only one of name and signerName may be used";
            found.invalid(at, Shown::json(source), message);
        }
        (Some(name), None) => {
            let name_at = at.field("name");
            if name.is_empty() {
                found.required(&name_at, "must be a valid object name");
            }
            // the names of a signer's bundles begin with the signer
            let own = name.rsplit(':').next().unwrap_or_default();
            for message in names::dns_subdomain(own) {
                let message = format!("not a valid clustertrustbundlename: {message}");
                found.invalid(&name_at, name, &message);
            }
            if let Some(labels) = &source.label_selector {
                let message = "labelSelector must be unset if name is specified";
                found.invalid(&at.field("labelSelector"), Shown::json(labels), message);
            }
        }
        (None, Some(_)) => {
            signer(text(&source.signer_name), &at.field("signerName"), found);
            if let Some(labels) = &source.label_selector {
                selector::label_selector(labels, &at.field("labelSelector"), found);
            }
        }
        (None, None) => found.required(at, "either name or signerName must be specified"),
    }
}

fn signer(name: &str, at: &At<'_>, found: &mut Findings) {
    if name.is_empty() {
        found.required(at, "must be a valid signer name");
    }
    match name.split_once('/') {
        Some((domain, path)) if !path.contains('/') => {
            found.invalid_each(at, domain, names::dns_subdomain(domain));
            found.invalid_each(at, path, names::dns_subdomain(path));
        }
        _ => {
            let message =
                "must be a fully qualified domain and path of the form 'example.com/signer-name'";
            found.invalid(at, name, message);
        }
    }
}
