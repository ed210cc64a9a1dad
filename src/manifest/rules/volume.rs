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

/// The sources of a volume; only the first is checked.
pub(super) struct Sources<'s> {
    /// Where the volume is.
    pub(super) at: &'s At<'s>,
    pub(super) found: &'s mut Findings,
    has_one: bool,
}

/// A field's name that the server spells otherwise in some of its messages.
pub(super) enum Spelled {
    /// Where it is the volume's one source.
    First(&'static str),
    /// Where it is one too many.
    Later(&'static str),
}

impl<'s> Sources<'s> {
    pub(super) fn new(at: &'s At<'s>, found: &'s mut Findings) -> Self {
        Self {
            at,
            found,
            has_one: false,
        }
    }

    /// Checks a source, or says that it is one too many.
    pub(super) fn add<T>(
        &mut self,
        field: &'static str,
        source: &Option<T>,
        check: impl FnOnce(&T, &At<'_>, &mut Findings),
    ) {
        self.add_at(&self.at.field(field), source, check);
    }

    /// Checks a source whose name the server does not always spell the same.
    pub(super) fn add_spelled<T>(
        &mut self,
        field: &'static str,
        spelled: Spelled,
        source: &Option<T>,
        check: impl FnOnce(&T, &At<'_>, &mut Findings),
    ) {
        let (volume, place) = (self.at, self.at.field(field));
        let at = match (spelled, self.has_one) {
            (Spelled::First(shown), false) | (Spelled::Later(shown), true) => {
                volume.shown_as(shown, &place)
            }
            _ => place,
        };
        self.add_at(&at, source, check);
    }

    fn add_at<T>(
        &mut self,
        at: &At<'_>,
        source: &Option<T>,
        check: impl FnOnce(&T, &At<'_>, &mut Findings),
    ) {
        let Some(source) = source else {
            return;
        };
        if std::mem::replace(&mut self.has_one, true) {
            self.found.forbidden(at, SECOND_SOURCE);
        } else {
            check(source, at, self.found);
        }
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
    let mut sources = Sources::new(at, found);
    sources.add("emptyDir", &volume.empty_dir, |dir, at, found| {
        let at = at.field("sizeLimit");
        let limit = dir.size_limit.as_ref();
        let limit = limit.and_then(|limit| quantity::read(limit, &at, found));
        if limit.is_some_and(|limit| limit < quantity::Amount::ZERO) {
            found.forbidden(&at, "SizeLimit field must be a valid resource quantity");
        }
    });
    sources.add("hostPath", &volume.host_path, host_path);
    drivers::before_secrets(volume, &mut sources);
    sources.add("secret", &volume.secret, projected::secret);
    drivers::before_claims(volume, &mut sources);
    sources.add(
        "persistentVolumeClaim",
        &volume.persistent_volume_claim,
        |claim, at, found| {
            found.not_empty(&at.field("claimName"), &claim.claim_name);
        },
    );
    drivers::before_files(volume, &mut sources);
    sources.add_spelled(
        "downwardAPI",
        Spelled::Later(".downwarAPI"),
        &volume.downward_api,
        projected::downward_api,
    );
    drivers::before_config_maps(volume, &mut sources);
    sources.add("configMap", &volume.config_map, projected::config_map);
    drivers::before_projections(volume, &mut sources);
    sources.add("projected", &volume.projected, projected::projected);
    drivers::last(volume, &mut sources);
    sources.add("ephemeral", &volume.ephemeral, |one, own_at, found| {
        ephemeral(one, own_at, found);
        created_claim(pod, &volume.name, &at.field("name"), found);
    });
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

/// Checks the name of the claim that is made for a volume, where it is known.
fn created_claim(pod: &str, volume: &str, at: &At<'_>, found: &mut Findings) {
    if pod.is_empty() || volume.is_empty() {
        return;
    }
    let claim = format!("{pod}-{volume}");
    for message in names::dns_subdomain(&claim) {
        let message = format!("PVC name {claim:?}: {message}");
        found.invalid(at, volume, &message);
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
