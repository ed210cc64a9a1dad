//! What the rules of a container need to know of the pod around it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, Volume};

use super::fault::{is_on, items, text_or};

/// Whether a pod stands for itself or is a template; some rules hold for pods alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Pod,
    Template,
}

/// What a mount may ask of the volume it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumeKind {
    /// A claim, which may also be a block device.
    Claim,
    /// An image, which has no sub paths.
    Image,
    Other,
}

/// The pod around a container.
pub(super) struct Scope<'a> {
    pub subject: Subject,
    pub spec: &'a PodSpec,
    /// The labels of the pod itself; a template's are its pods', and not looked at yet.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// The volumes that are free of faults; as for the server, the others do not exist.
    pub volumes: BTreeMap<&'a str, VolumeKind>,
    /// The names of all the pod's volumes, faulty or not.
    pub declared: BTreeSet<&'a str>,
    pub claims: BTreeSet<&'a str>,
}

impl<'a> Scope<'a> {
    /// Starts with the pod alone; its volumes are added as they are checked.
    pub(super) fn new(spec: &'a PodSpec, subject: Subject) -> Self {
        let claims = items(&spec.resource_claims).iter();
        let claims = claims.map(|claim| claim.name.as_str());
        let volumes = items(&spec.volumes).iter();
        Self {
            subject,
            spec,
            labels: None,
            volumes: BTreeMap::new(),
            declared: volumes.map(|volume| volume.name.as_str()).collect(),
            claims: claims.filter(|name| !name.is_empty()).collect(),
        }
    }

    /// Adds the volumes that a StatefulSet makes for each of its pods.
    pub(super) fn add_claims(&mut self, names: &[&'a str]) {
        let claims = names.iter().map(|name| (*name, VolumeKind::Claim));
        self.volumes.extend(claims);
    }

    /// Adds a volume that mounts may name.
    pub(super) fn add_volume(&mut self, volume: &'a Volume) {
        let kind = if volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some() {
            VolumeKind::Claim
        } else if volume.image.is_some() {
            VolumeKind::Image
        } else {
            VolumeKind::Other
        };
        self.volumes.insert(&volume.name, kind);
    }

    /// Returns when the pod's containers start again.
    pub(super) fn restart_policy(&self) -> &'a str {
        text_or(&self.spec.restart_policy, "Always")
    }

    /// Returns how long the pod has to end, in seconds.
    pub(super) fn grace_period(&self) -> i64 {
        self.spec.termination_grace_period_seconds.unwrap_or(30)
    }

    /// Tells whether the pod runs in the host's user namespace.
    pub(super) fn uses_host_users(&self) -> bool {
        self.spec.host_users.unwrap_or(true)
    }

    /// Returns the host port of a port, as the server fills it in.
    pub(super) fn host_port(&self, host: Option<i32>, container: i32) -> i32 {
        let host = host.unwrap_or_default();
        if host == 0 && self.subject == Subject::Pod && is_on(self.spec.host_network) {
            container
        } else {
            host
        }
    }
}
