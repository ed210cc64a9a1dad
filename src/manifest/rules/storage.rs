//! PersistentVolumes.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeSpec};

use super::claim::{VOLUME_MODES, access_modes, class, old_class_annotation};
use super::fault::{Faults as _, Shown, items, or_empty, text, text_or};
use super::quantity::{self, Amount};
use super::volume::Sources;
use super::{metadata, names, persistent, placement, scheduling};
use crate::manifest::source::{At, Findings};

const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";
const RECLAIMS: [&str; 3] = ["Delete", "Recycle", "Retain"];

/// Checks a PersistentVolume.
pub fn persistent_volume(volume: &PersistentVolume, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&volume.metadata, names::dns_subdomain, &meta_at, found);
    metadata::of_cluster(&volume.metadata, &meta_at, found);
    let spec = or_empty(&volume.spec);
    let modes = items(&spec.access_modes);
    if modes.is_empty() {
        found.required(&at.field("accessModes"), "");
    }
    access_modes(modes, &at.field("accessModes"), found);
    capacity(&spec, &at.field("capacity"), found);
    let reclaim = text_or(&spec.persistent_volume_reclaim_policy, "Retain");
    let reclaim_at = at.field("persistentVolumeReclaimPolicy");
    found.one_of(&reclaim_at, reclaim, &RECLAIMS);
    node_affinity(&spec, &at.field("nodeAffinity"), found);
    let mut sources = Sources::new(&at, found);
    persistent::disks(&spec, &mut sources);
    persistent::networks(&spec, text(&volume.metadata.name), &mut sources);
    persistent::clouds(&spec, &mut sources);
    if !sources.has_one() {
        found.required(&at, "must specify a volume type");
    }
    if reclaim == "Recycle"
        && spec
            .host_path
            .as_ref()
            .is_some_and(|path| is_root(&path.path))
    {
        found.forbidden(
            &reclaim_at,
            "may not be 'recycle' for a hostPath mount of '/'",
        );
    }
    class(
        &spec.storage_class_name,
        &at.field("storageClassName"),
        found,
    );
    if let Some(mode) = &spec.volume_mode {
        found.one_of(&at.field("volumeMode"), mode, &VOLUME_MODES);
    }
    if let Some(name) = &spec.volume_attributes_class_name {
        let class_at = at.field("volumeAttributesClassName");
        if name.is_empty() {
            found.required(&class_at, "an empty string is disallowed");
        }
        class(&spec.volume_attributes_class_name, &class_at, found);
        if spec.csi.is_none() {
            let message = "has to be specified when using volumeAttributesClassName";
            found.required(&at.field("csi"), message);
        }
    }
    mount_options(volume, &spec, &meta_at.field("annotations"), found);
    old_class_annotation(&volume.metadata, &meta_at, found);
    if reclaim == "Recycle" {
        let message = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.";
        found.warning(&reclaim_at, message);
    }
    warn(&spec, &at, found);
}

/// Checks the annotation that says how a volume is mounted, which not each source may have.
fn mount_options(
    volume: &PersistentVolume,
    spec: &PersistentVolumeSpec,
    at: &At<'_>,
    found: &mut Findings,
) {
    let annotations = volume.metadata.annotations.as_ref();
    if !annotations.is_some_and(|annotations| annotations.contains_key(MOUNT_OPTIONS)) {
        return;
    }
    let key_at = at.key(MOUNT_OPTIONS);
    if !persistent::has_mount_options(spec) {
        let message = "may not specify mount options for this volume type";
        let shown = format!(".{MOUNT_OPTIONS}");
        found.forbidden(&at.shown_as(&shown, &key_at), message);
    }
    let message = r#"deprecated since v1.31; use "mountOptions" attribute instead"#;
    found.warning(&key_at, message);
}

fn warn(spec: &PersistentVolumeSpec, at: &At<'_>, found: &mut Findings) {
    let affinity = spec.node_affinity.as_ref();
    if let Some(required) = affinity.and_then(|affinity| affinity.required.as_ref()) {
        let at = at.field("nodeAffinity");
        let at = at.field("required");
        let at = at.field("nodeSelectorTerms");
        for (index, term) in required.node_selector_terms.iter().enumerate() {
            placement::old_term(term, &at.index(index), found);
        }
    }
    persistent::warn(spec, at, found);
}

fn is_root(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').all(|part| part.is_empty() || part == ".")
        && path.starts_with('/')
}

fn capacity(spec: &PersistentVolumeSpec, at: &At<'_>, found: &mut Findings) {
    let capacity = or_empty(&spec.capacity);
    if capacity.is_empty() {
        found.required(at, "");
    }
    if !capacity.contains_key("storage") || capacity.len() > 1 {
        let shown = Shown::json(&*capacity).to_string();
        let message = format!("Unsupported value: {shown}: supported values: \"storage\"");
        found.error(
            crate::manifest::source::FindingType::NotSupported,
            at,
            message,
        );
    }
    for (name, quantity) in capacity.iter() {
        let at = at.key(name);
        let Some(amount) = quantity::read(quantity, &at, found) else {
            continue;
        };
        if amount < Amount::ZERO {
            found.invalid(
                &at,
                &amount.to_string(),
                "must be a valid resource quantity",
            );
        }
        if amount <= Amount::ZERO {
            found.invalid(&at, &amount.to_string(), "must be greater than zero");
        }
    }
}

fn node_affinity(spec: &PersistentVolumeSpec, at: &At<'_>, found: &mut Findings) {
    let Some(affinity) = &spec.node_affinity else {
        return;
    };
    match &affinity.required {
        Some(required) => scheduling::node_selector(required, &at.field("required"), found),
        None => found.required(
            &at.field("required"),
            "must specify required node constraints",
        ),
    }
}
