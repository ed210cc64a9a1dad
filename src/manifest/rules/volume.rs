//! Volumes of a pod: each has a name and one source.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{EphemeralVolumeSource, HostPathVolumeSource, Volume};

use super::fault::{Faults as _, items, text_or, unsupported_message};
use super::scope::Scope;
use super::{claim, containers, drivers, metadata, names, paths, projected, quantity};
use crate::manifest::source::{At, Findings};

/// What is said of each source but the first.
pub(super) const SECOND_SOURCE: &str = "may not specify more than 1 volume type";
const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// Checks the volumes of a pod, which is called `pod` where that is known, and adds the right ones.
pub(super) fn volumes(scope: &mut Scope<'_>, pod: &str, at: &At<'_>, found: &mut Findings) {
    let volumes = items(&scope.spec.volumes);
    let created: BTreeSet<String> = volumes
        .iter()
        .filter(|volume| volume.ephemeral.is_some() && !pod.is_empty())
        .map(|volume| format!("{pod}-{}", volume.name))
        .collect();
    // a claim that a StatefulSet makes takes the place of a volume of the same name
    let made = std::mem::take(&mut scope.volumes);
    for (index, volume) in volumes.iter().enumerate() {
        let at = at.index(index);
        let before = found.0.len();
        source(volume, pod, &at, found);
        name(volume, scope, &at.field("name"), found);
        let is_right = !found.0[before..]
            .iter()
            .any(|finding| finding.severity == crate::manifest::source::Severity::Error);
        if is_right {
            scope.add_volume(volume);
        }
        if let Some(claim) = &volume.persistent_volume_claim
            && created.contains(&claim.claim_name)
        {
            let at = at.field("persistentVolumeClaim");
            let message = "must not reference a PVC that gets created for an ephemeral volume";
            found.invalid(&at.field("claimName"), &claim.claim_name, message);
        }
    }
    scope.volumes.extend(made);
}

fn name(volume: &Volume, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    if volume.name.is_empty() {
        found.required(at, "");
    } else {
        found.invalid_each(at, &volume.name, names::dns_label(&volume.name));
    }
    if scope.volumes.contains_key(volume.name.as_str()) {
        found.duplicate(at, &volume.name);
    }
}

/// Counts the sources of a volume; only the first is checked.
pub(super) struct Sources {
    has_one: bool,
}

impl Sources {
    pub(super) fn new() -> Self {
        Self { has_one: false }
    }

    /// Checks a source, or says that it is one too many.
    pub(super) fn add<T>(
        &mut self,
        source: &Option<T>,
        check: impl FnOnce(&T, &At<'_>, &mut Findings),
        at: &At<'_>,
        found: &mut Findings,
    ) {
        let Some(source) = source else {
            return;
        };
        if std::mem::replace(&mut self.has_one, true) {
            found.forbidden(at, SECOND_SOURCE);
        } else {
            check(source, at, found);
        }
    }

    /// Checks a source that the server spells otherwise where it is one too many.
    pub(super) fn add_spelled<T>(
        &mut self,
        source: &Option<T>,
        check: impl FnOnce(&T, &At<'_>, &mut Findings),
        (at, second_at): (&At<'_>, &At<'_>),
        found: &mut Findings,
    ) {
        let at = if self.has_one { second_at } else { at };
        self.add(source, check, at, found);
    }

    /// Counts a source that is checked elsewhere.
    pub(super) fn count(&mut self) {
        self.has_one = true;
    }

    /// Tells whether any source was there.
    pub(super) fn has_one(&self) -> bool {
        self.has_one
    }
}

/// Checks the sources of a volume; none at all means an empty directory.
fn source(volume: &Volume, pod: &str, at: &At<'_>, found: &mut Findings) {
    let mut sources = Sources::new();
    sources.add(
        &volume.empty_dir,
        |dir, at, found| {
            let at = at.field("sizeLimit");
            let limit = dir.size_limit.as_ref();
            let limit = limit.and_then(|limit| quantity::read(limit, &at, found));
            if limit.is_some_and(|limit| limit < quantity::Amount::ZERO) {
                found.forbidden(&at, "SizeLimit field must be a valid resource quantity");
            }
        },
        &at.field("emptyDir"),
        found,
    );
    sources.add(&volume.host_path, host_path, &at.field("hostPath"), found);
    drivers::before_secrets(volume, &mut sources, at, found);
    sources.add(
        &volume.secret,
        projected::secret,
        &at.field("secret"),
        found,
    );
    drivers::before_claims(volume, &mut sources, at, found);
    sources.add(
        &volume.persistent_volume_claim,
        |claim, at, found| {
            found.not_empty(&at.field("claimName"), &claim.claim_name);
        },
        &at.field("persistentVolumeClaim"),
        found,
    );
    drivers::before_files(volume, &mut sources, at, found);
    let downward_at = at.field("downwardAPI");
    let second_at = at.shown_as(".downwarAPI", &downward_at);
    sources.add_spelled(
        &volume.downward_api,
        projected::downward_api,
        (&downward_at, &second_at),
        found,
    );
    drivers::before_config_maps(volume, &mut sources, at, found);
    let config_at = at.field("configMap");
    sources.add(&volume.config_map, projected::config_map, &config_at, found);
    drivers::before_projections(volume, &mut sources, at, found);
    sources.add(
        &volume.projected,
        projected::projected,
        &at.field("projected"),
        found,
    );
    drivers::last(volume, &mut sources, at, found);
    sources.add(&volume.ephemeral, ephemeral, &at.field("ephemeral"), found);
    if volume.ephemeral.is_some() && !pod.is_empty() && !volume.name.is_empty() {
        let claim = format!("{pod}-{}", volume.name);
        for message in names::dns_subdomain(&claim) {
            let message = format!("PVC name {claim:?}: {message}");
            found.invalid(&at.field("name"), &volume.name, &message);
        }
    }
    if let Some(image) = &volume.image {
        // Kubernetes 1.34 drops image volumes unread (gate ImageVolume)
        let policy = text_or(&image.pull_policy, "IfNotPresent");
        if !containers::PULL_POLICIES.contains(&policy) {
            let message = unsupported_message(policy, &containers::PULL_POLICIES);
            found.warning(&at.field("image").field("pullPolicy"), message);
        }
    }
}

/// Checks a path of the host.
pub(super) fn host_path(source: &HostPathVolumeSource, at: &At<'_>, found: &mut Findings) {
    if source.path.is_empty() {
        found.required(&at.field("path"), "");
        return;
    }
    paths::no_backsteps(&source.path, &at.field("path"), found);
    if let Some(kind) = &source.type_ {
        found.one_of(&at.field("type"), kind, &HOST_PATH_TYPES);
    }
}

fn ephemeral(source: &EphemeralVolumeSource, at: &At<'_>, found: &mut Findings) {
    let at = at.field("volumeClaimTemplate");
    let Some(template) = &source.volume_claim_template else {
        found.required(&at, "");
        return;
    };
    if let Some(meta) = &template.metadata {
        metadata::claim_template_meta(meta, &at.field("metadata"), found);
    }
    claim::spec(&template.spec, &at.field("spec"), found);
}
