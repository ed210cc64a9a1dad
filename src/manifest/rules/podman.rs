//! What podman takes beyond Kubernetes.
//!
//! `kube play` reads the files that people wrote for podman, so it does not refuse these; for the
//! API server they are errors all the same, and a check of manifests says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::names;
use crate::manifest::read::Reading;
use crate::manifest::source::{Finding, FindingType, Located, Severity, Step};

/// Drops the errors about podman's own extensions from a reading that was checked.
///
/// These are devices that are asked for as resources (`vendor.com/class=name`,
/// `podman.io/device=/dev/kmsg`), and underscores in the names of objects.
pub fn forgive_podman(reading: &mut Reading) {
    let mut titles = BTreeSet::new();
    for read in &reading.objects {
        if read.document.name().is_some_and(is_underscored) {
            titles.extend(read.document.title());
        }
    }
    reading.findings.retain(|located| {
        let finding = &located.finding;
        let is_forgiven = is_device(finding) || is_name_of(located, &titles);
        finding.severity != Severity::Error || !is_forgiven
    });
}

fn is_underscored(name: &str) -> bool {
    name.contains('_') && names::dns_subdomain(&name.replace('_', "-")).is_empty()
}

fn is_name_of(located: &Located, titles: &BTreeSet<Arc<str>>) -> bool {
    let finding = &located.finding;
    let is_named = located
        .object
        .as_ref()
        .is_some_and(|title| titles.contains(title));
    is_named && finding.kind == FindingType::Invalid && finding.path.to_string() == "metadata.name"
}

fn is_device(finding: &Finding) -> bool {
    match finding.path.place().as_slice() {
        [
            ..,
            Step::Field(resources),
            Step::Field(list),
            Step::Key(name) | Step::KeyAlone(name),
        ] => {
            resources == "resources"
                && ["limits", "requests"].contains(&list.as_ref())
                && name.contains('=')
        }
        _ => false,
    }
}
