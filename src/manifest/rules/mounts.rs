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

const PROPAGATIONS: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];
const RECURSIONS: [&str; 3] = ["Disabled", "Enabled", "IfPossible"];

/// Checks the mounts of a container.
pub(super) fn mounts(container: &Container, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, mount) in items(&container.volume_mounts).iter().enumerate() {
        let at = at.index(index);
        let path_at = at.field("mountPath");
        names_volume(&mount.name, scope, &at.field("name"), found);
        found.not_empty(&path_at, &mount.mount_path);
        if !seen.insert(&mount.mount_path) {
            found.invalid(&path_at, &mount.mount_path, "must be unique");
        }
        apart_from_devices(mount, container, &at, found);
        sub_path(mount, scope, &at, found);
        propagation(mount, container, &at.field("mountPropagation"), found);
        recursion(mount, &at.field("recursiveReadOnly"), found);
    }
}

fn names_volume(name: &str, scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    found.not_empty(at, name);
    if !scope.volumes.contains_key(name) {
        found.not_found(at, name);
        let is_faulty = items(&scope.spec.volumes)
            .iter()
            .any(|one| one.name == name);
        if is_faulty && !name.is_empty() {
            found.help(format!("the volume `{name}` has an error of its own"));
        } else if !scope.volumes.is_empty() {
            let known: Vec<&str> = scope.volumes.keys().copied().collect();
            found.help(format!("the volumes here are `{}`", known.join("`, `")));
        } else {
            found.help("add it to the volumes of the pod".to_owned());
        }
    }
}

fn apart_from_devices(
    mount: &VolumeMount,
    container: &Container,
    at: &At<'_>,
    found: &mut Findings,
) {
    let devices = items(&container.volume_devices);
    if devices.iter().any(|device| device.name == mount.name) {
        let message = "must not already exist in volumeDevices";
        found.invalid(&at.field("name"), &mount.name, message);
    }
    let path = &mount.mount_path;
    if devices.iter().any(|device| device.device_path == *path) {
        let message = "must not already exist as a path in volumeDevices";
        found.invalid(&at.field("mountPath"), path, message);
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
        if !seen.insert(&device.device_path) {
            found.invalid(&path_at, &device.device_path, "must be unique");
        }
        if paths::has_backsteps(&device.device_path) {
            let message = "can not contain backsteps ('..')";
            found.invalid(&path_at, &device.device_path, message);
        }
        apart_from_mounts(device, container, &at, found);
    }
}

fn apart_from_mounts(
    device: &VolumeDevice,
    container: &Container,
    at: &At<'_>,
    found: &mut Findings,
) {
    let mounts = items(&container.volume_mounts);
    if mounts.iter().any(|mount| mount.name == device.name) {
        let message = "must not already exist in volumeMounts";
        found.invalid(&at.field("name"), &device.name, message);
    }
    let path = &device.device_path;
    if mounts.iter().any(|mount| mount.mount_path == *path) {
        let message = "must not already exist as a path in volumeMounts";
        found.invalid(&at.field("devicePath"), path, message);
    }
}
