//! How a pod that is there gives way to the one that is wanted (`--replace`).
//!
//! ```text
//! Keep        equal, and nothing it reads has changed: it is left alone
//! Overlap     the new one starts beside the old one, then the ports are led to it, then the old one goes
//! StopFirst   both cannot run at once: the old one is taken down before, and put up again on a failure
//! ```
//!
//! Kubernetes replaces the pods of a Deployment as `Overlap` does (`RollingUpdate`). `StopFirst` is for what
//! it gives to its user to think of: two databases in one directory destroy it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::model::network::NetworkSpec;
use crate::model::observed::{ContainerRecord, LogDriver, Observed, ObservedPod};
use crate::model::pod::{ObjectKind, PodSpec};
use crate::model::state::{ContainerState, Wanted};
use crate::model::volume::{HostPathKind, VolumeSpec};
use crate::names::{ImageId, ImageRef, ObjectName, PodName, VolumeName};

/// How a wanted pod comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Create,
    Keep,
    Overlap,
    StopFirst,
}

/// Decides how a pod gives way to another of its name.
pub(super) fn change(
    old: &ObservedPod,
    (new, log_driver): (&PodSpec, LogDriver),
    images: &BTreeMap<ImageRef, ImageId>,
    changed: &BTreeSet<(ObjectKind, ObjectName)>,
) -> Change {
    let same_log = old.record.log_driver == log_driver;
    if same_log && is_as_wanted(old, new, images) && !reads_any(new, changed) {
        return Change::Keep;
    }
    let spec = &old.record.spec;
    let exclusive = shares_host_network(spec, new)
        || shares_fixed_address(old, new)
        || shares_written_data(spec, new);
    match exclusive {
        true => Change::StopFirst,
        false => Change::Overlap,
    }
}

fn is_as_wanted(old: &ObservedPod, new: &PodSpec, images: &BTreeMap<ImageRef, ImageId>) -> bool {
    let same_image = |container: &ContainerRecord| {
        let image = old.spec_of(container).map(|spec| &spec.image);
        image.and_then(|image| images.get(image)) == Some(&container.image)
    };
    let same_volume = |name, reference| images.get(reference) == old.record.volume_images.get(name);
    &old.record.spec == new
        && old.containers.iter().all(same_image)
        && new
            .volume_images()
            .all(|(name, reference, _)| same_volume(name, reference))
}

fn reads_any(spec: &PodSpec, changed: &BTreeSet<(ObjectKind, ObjectName)>) -> bool {
    let read = spec.objects();
    changed
        .iter()
        .any(|(kind, name)| read.contains(&(*kind, name)))
}

/// Returns whether somebody stopped the pod, or nobody ever started it.
pub(super) fn is_stopped(pod: &ObservedPod) -> bool {
    let app = |container: &&ContainerRecord| {
        let apps = &pod.record.spec.containers;
        apps.iter().any(|spec| spec.name == container.name)
    };
    let stopped = |container: &ContainerRecord| {
        container.wanted == Wanted::Stopped
            && !matches!(container.state, ContainerState::Running { .. })
    };
    pod.containers
        .iter()
        .filter(app)
        .any(|container| stopped(container) && !ended_by_itself(container))
}

/// What ended well is wanted no longer, and not to be begun again.
fn ended_by_itself(container: &ContainerRecord) -> bool {
    matches!(&container.state, ContainerState::Exited { status, .. } if !status.is_failure())
}

/// Returns what killed commands have left of a pod beside the one that is meant by its name.
pub(super) fn left_over<'a>(
    observed: &'a Observed,
    name: &'a PodName,
    meant: Option<&'a ObservedPod>,
) -> impl Iterator<Item = &'a ObservedPod> {
    let meant = meant.map(|pod| &pod.record.id);
    observed
        .pods_named(name)
        .filter(move |pod| Some(&pod.record.id) != meant)
}

/// A process of a pod on the host's network takes its ports from the host itself.
fn shares_host_network(old: &PodSpec, new: &PodSpec) -> bool {
    let on_host = |spec: &PodSpec| spec.infra.network == NetworkSpec::Host;
    let publishes = |spec: &PodSpec| on_host(spec) || spec.published_ports().next().is_some();
    (on_host(old) && publishes(new)) || (on_host(new) && publishes(old))
}

fn shares_fixed_address(old: &ObservedPod, new: &PodSpec) -> bool {
    let NetworkSpec::Bridge { networks } = &new.infra.network else {
        return false;
    };
    networks
        .iter()
        .filter_map(|attachment| attachment.address)
        .any(|wanted| old.record.addresses.iter().any(|had| had.address == wanted))
}

fn shares_written_data(old: &PodSpec, new: &PodSpec) -> bool {
    let before: Vec<Data<'_>> = written(old).collect();
    written(new).any(|data| before.iter().any(|old| old.overlaps(data)))
}

/// Data that outlive a pod.
#[derive(Debug, Clone, Copy)]
enum Data<'a> {
    Named(&'a VolumeName),
    Path(&'a Path),
}

impl Data<'_> {
    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Named(one), Self::Named(other)) => one == other,
            (Self::Path(one), Self::Path(other)) => {
                one.starts_with(other) || other.starts_with(one)
            }
            _ => false,
        }
    }
}

/// Returns the data that a container of the pod can write.
fn written(spec: &PodSpec) -> impl Iterator<Item = Data<'_>> {
    let mounts = spec
        .all_containers()
        .flat_map(|container| &container.mounts);
    mounts
        .filter(|mount| !mount.read_only)
        .filter_map(|mount| data(spec.volumes.get(&mount.volume)?))
}

fn data(volume: &VolumeSpec) -> Option<Data<'_>> {
    match volume {
        VolumeSpec::Claim {
            claim,
            read_only: false,
        } => Some(Data::Named(claim)),
        VolumeSpec::HostPath { path, kind } => match kind {
            HostPathKind::Any
            | HostPathKind::DirectoryOrCreate
            | HostPathKind::Directory
            | HostPathKind::FileOrCreate
            | HostPathKind::File => Some(Data::Path(path)),
            HostPathKind::Socket | HostPathKind::CharDevice | HostPathKind::BlockDevice => None,
        },
        VolumeSpec::Claim { .. }
        | VolumeSpec::EmptyDir { .. }
        | VolumeSpec::Projected { .. }
        | VolumeSpec::Image { .. } => None,
    }
}

#[cfg(test)]
mod tests;
