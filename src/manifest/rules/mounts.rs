//! Where a container mounts volumes, or finds them as block devices.
//!
//! Upstream blames `subPath`, `subPathExpr`, `mountPropagation` and `recursiveReadOnly` on the list
//! of mounts; here the paths name the mount.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, VolumeDevice, VolumeMount};

use super::fault::{Faults as _, is_on, items, text};
use super::paths;
use super::scope::{Scope, VolumeKind};
use crate::manifest::source::{At, Findings};

/// As many names are shown where one is missing.
const MOST_SHOWN: usize = 20;
const PROPAGATIONS: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];
const RECURSIONS: [&str; 3] = ["Disabled", "Enabled", "IfPossible"];

/// Checks the mounts of a container.
pub(super) fn mounts(container: &Container, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    let devices = items(&container.volume_devices);
    let devices = Places::of(devices.iter().map(|one| (&one.name, &one.device_path)));
    for (index, mount) in items(&container.volume_mounts).iter().enumerate() {
        let at = at.index(index);
        let path_at = at.field("mountPath");
        names_volume(&mount.name, scope, &at.field("name"), found);
        found.not_empty(&path_at, &mount.mount_path);
        if !seen.insert(&mount.mount_path) {
            found.invalid(&path_at, &mount.mount_path, "must be unique");
        }
        apart_from_devices(mount, &devices, &at, found);
        sub_path(mount, scope, &at, found);
        propagation(mount, container, &at.field("mountPropagation"), found);
        recursion(mount, &at.field("recursiveReadOnly"), found);
    }
}

fn names_volume(name: &str, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    found.not_empty(at, name);
    if !scope.volumes.contains_key(name) {
        found.not_found(at, name);
        if scope.declared.contains(name) {
            found.help(format!("the volume `{name}` has an error of its own"));
        } else if !scope.volumes.is_empty() {
            let known = scope.volumes.keys().copied().take(MOST_SHOWN);
            let known: Vec<&str> = known.collect();
            found.help(format!("the volumes here are `{}`", known.join("`, `")));
        } else {
            found.help("add it to the volumes of the pod".to_owned());
        }
    }
}

/// The names and paths that the other list of a container uses.
struct Places<'c> {
    names: BTreeSet<&'c str>,
    paths: BTreeSet<&'c str>,
}

impl<'c> Places<'c> {
    fn of(list: impl Iterator<Item = (&'c String, &'c String)>) -> Self {
        let (names, paths) = list
            .map(|(name, path)| (name.as_str(), path.as_str()))
            .unzip();
        Self { names, paths }
    }
}

fn apart_from_devices(
    mount: &VolumeMount,
    devices: &Places<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    if devices.names.contains(mount.name.as_str()) {
        let message = "must not already exist in volumeDevices";
        found.invalid(&at.field("name"), &mount.name, message);
    }
    if devices.paths.contains(mount.mount_path.as_str()) {
        let message = "must not already exist as a path in volumeDevices";
        found.invalid(&at.field("mountPath"), &mount.mount_path, message);
    }
}

fn sub_path(mount: &VolumeMount, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let (path, expression) = (text(&mount.sub_path), text(&mount.sub_path_expr));
    let is_image = scope.volumes.get(mount.name.as_str()) == Some(&VolumeKind::Image);
    if !path.is_empty() && !is_image {
        paths::descending(path, &at.field("subPath"), found);
    }
    if !expression.is_empty() {
        let at = at.field("subPathExpr");
        if !path.is_empty() {
            let message = "subPathExpr and subPath are mutually exclusive";
            found.invalid(&at, expression, message);
        }
        paths::descending(expression, &at, found);
    }
}

fn propagation(mount: &VolumeMount, container: &Container, at: &At<'_>, found: &mut Findings) {
    let Some(mode) = &mount.mount_propagation else {
        return;
    };
    found.one_of(at, mode, &PROPAGATIONS);
    let security = container.security_context.as_ref();
    let is_privileged = is_on(security.and_then(|security| security.privileged));
    if mode == "Bidirectional" && !is_privileged {
        let message = "Bidirectional mount propagation is available only to privileged containers";
        found.forbidden(at, message);
    }
}

fn recursion(mount: &VolumeMount, at: &At<'_>, found: &mut Findings) {
    let Some(recursion) = &mount.recursive_read_only else {
        return;
    };
    found.one_of(at, recursion, &RECURSIONS);
    if !["Enabled", "IfPossible"].contains(&recursion.as_str()) {
        return;
    }
    if !is_on(mount.read_only) {
        found.forbidden(at, "may only be specified when readOnly is true");
    }
    let mode = mount.mount_propagation.as_deref();
    if mode.is_some_and(|mode| mode != "None") {
        let message = "may only be specified when mountPropagation is None or not specified";
        found.forbidden(at, message);
    }
}

/// Checks the block devices of a container.
pub(super) fn devices(container: &Container, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mounts = items(&container.volume_mounts);
    let mounts = Places::of(mounts.iter().map(|one| (&one.name, &one.mount_path)));
    for (index, device) in items(&container.volume_devices).iter().enumerate() {
        let at = at.index(index);
        let (name_at, path_at) = (at.field("name"), at.field("devicePath"));
        if !device.name.is_empty() && !names.insert(&device.name) {
            found.invalid(&name_at, &device.name, "must be unique");
        }
        names_volume(&device.name, scope, &name_at, found);
        if matches!(scope.volumes.get(device.name.as_str()), Some(kind) if *kind != VolumeKind::Claim)
        {
            found.invalid(&name_at, &device.name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
        }
        found.not_empty(&path_at, &device.device_path);
        if seen.contains(&device.device_path) {
            found.invalid(&path_at, &device.device_path, "must be unique");
        }
        if paths::has_backsteps(&device.device_path) {
            let message = "can not contain backsteps ('..')";
            found.invalid(&path_at, &device.device_path, message);
        } else {
            seen.insert(&device.device_path);
        }
        apart_from_mounts(device, &mounts, &at, found);
    }
}

fn apart_from_mounts(
    device: &VolumeDevice,
    mounts: &Places<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    if mounts.names.contains(device.name.as_str()) {
        let message = "must not already exist in volumeMounts";
        found.invalid(&at.field("name"), &device.name, message);
    }
    if mounts.paths.contains(device.device_path.as_str()) {
        let message = "must not already exist as a path in volumeMounts";
        found.invalid(&at.field("devicePath"), &device.device_path, message);
    }
}
