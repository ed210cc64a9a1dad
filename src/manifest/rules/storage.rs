//! PersistentVolumes.

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, GlusterfsPersistentVolumeSource, ISCSIPersistentVolumeSource,
    PersistentVolume, PersistentVolumeSpec, SecretReference,
};

use super::claim::{VOLUME_MODES, access_modes, class};
use super::fault::{Faults as _, Shown, is_on, items, text, text_or};
use super::quantity::{self, Amount};
use super::volume::{Sources, host_path};
use super::{drivers, metadata, names, paths, scheduling};
use crate::manifest::source::{At, Findings};

const RECLAIMS: [&str; 3] = ["Delete", "Recycle", "Retain"];

/// Checks a PersistentVolume.
pub fn persistent_volume(volume: &PersistentVolume, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&volume.metadata, names::dns_subdomain, &meta_at, found);
    let spec = volume.spec.clone().unwrap_or_default();
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
    let mut sources = Sources::new();
    disks(&spec, &mut sources, &at, found);
    networks(&spec, text(&volume.metadata.name), &mut sources, &at, found);
    clouds(&spec, &mut sources, &at, found);
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
}

fn is_root(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').all(|part| part.is_empty() || part == ".")
        && path.starts_with('/')
}

fn capacity(spec: &PersistentVolumeSpec, at: &At<'_>, found: &mut Findings) {
    let capacity = spec.capacity.clone().unwrap_or_default();
    if capacity.is_empty() {
        found.required(at, "");
    }
    if !capacity.contains_key("storage") || capacity.len() > 1 {
        let shown = Shown::json(&capacity).to_string();
        let message = format!("Unsupported value: {shown}: supported values: \"storage\"");
        found.error(
            crate::manifest::source::FindingType::NotSupported,
            at,
            message,
        );
    }
    for (name, quantity) in &capacity {
        let at = at.key(name);
        if let Some(amount) = quantity::read(quantity, &at, found)
            && amount <= Amount::ZERO
        {
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

fn disks(spec: &PersistentVolumeSpec, sources: &mut Sources, at: &At<'_>, found: &mut Findings) {
    sources.add(&spec.host_path, host_path, &at.field("hostPath"), found);
    let disk_at = at.field("gcePersistentDisk");
    sources.add(
        &spec.gce_persistent_disk,
        drivers::gce_disk,
        &disk_at,
        found,
    );
    let disk_at = at.field("awsElasticBlockStore");
    sources.add(
        &spec.aws_elastic_block_store,
        drivers::aws_disk,
        &disk_at,
        found,
    );
    sources.add(&spec.glusterfs, glusterfs, &at.field("glusterfs"), found);
    sources.add(&spec.flocker, drivers::flocker, &at.field("flocker"), found);
    sources.add(&spec.nfs, drivers::nfs, &at.field("nfs"), found);
    sources.add(
        &spec.rbd,
        |disk, at, found| {
            drivers::monitors(&disk.monitors, at, found);
            found.not_empty(&at.field("image"), &disk.image);
        },
        &at.field("rbd"),
        found,
    );
    sources.add(&spec.quobyte, drivers::quobyte, &at.field("quobyte"), found);
}

fn networks(
    spec: &PersistentVolumeSpec,
    name: &str,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    sources.add(
        &spec.cephfs,
        |share, at, found| {
            drivers::monitors(&share.monitors, at, found);
        },
        &at.field("cephfs"),
        found,
    );
    sources.add(
        &spec.iscsi,
        |disk, at, found| iscsi(disk, name, at, found),
        &at.field("iscsi"),
        found,
    );
    sources.add(
        &spec.cinder,
        |disk, at, found| {
            found.not_empty(&at.field("volumeID"), &disk.volume_id);
            if let Some(secret) = &disk.secret_ref {
                named(secret, &at.field("secretRef"), found);
            }
        },
        &at.field("cinder"),
        found,
    );
    sources.add(&spec.fc, drivers::fibre_channel, &at.field("fc"), found);
    sources.add(
        &spec.flex_volume,
        |flex, at, found| {
            drivers::flex_driver(&flex.driver, &flex.options, at, found);
        },
        &at.field("flexVolume"),
        found,
    );
}

fn clouds(spec: &PersistentVolumeSpec, sources: &mut Sources, at: &At<'_>, found: &mut Findings) {
    sources.add(
        &spec.azure_file,
        |share, at, found| {
            found.not_empty(&at.field("secretName"), &share.secret_name);
            found.not_empty(&at.field("shareName"), &share.share_name);
            if let Some(namespace) = &share.secret_namespace {
                found.not_empty(&at.field("secretNamespace"), namespace);
            }
        },
        &at.field("azureFile"),
        found,
    );
    sources.add(
        &spec.vsphere_volume,
        |disk, at, found| {
            found.not_empty(&at.field("volumePath"), &disk.volume_path);
        },
        &at.field("vsphereVolume"),
        found,
    );
    sources.add(
        &spec.photon_persistent_disk,
        |disk, at, found| {
            found.not_empty(&at.field("pdID"), &disk.pd_id);
        },
        &at.field("photonPersistentDisk"),
        found,
    );
    sources.add(
        &spec.portworx_volume,
        |disk, at, found| {
            found.not_empty(&at.field("volumeID"), &disk.volume_id);
        },
        &at.field("portworxVolume"),
        found,
    );
    sources.add(
        &spec.azure_disk,
        drivers::azure_disk,
        &at.field("azureDisk"),
        found,
    );
    sources.add(
        &spec.scale_io,
        |disk, at, found| {
            found.not_empty(&at.field("gateway"), &disk.gateway);
            found.not_empty(&at.field("system"), &disk.system);
            found.not_empty(&at.field("volumeName"), text(&disk.volume_name));
        },
        &at.field("scaleIO"),
        found,
    );
    let has_nodes = spec.node_affinity.is_some();
    sources.add(
        &spec.local,
        |disk, at, found| {
            let path_at = at.field("path");
            found.not_empty(&path_at, &disk.path);
            paths::no_backsteps(&disk.path, &path_at, found);
            if !has_nodes {
                // the server's path is `spec.nodeAffinity` as well
                let at = At::ROOT;
                let at = at.field("spec");
                let message = "Local volume requires node affinity";
                found.required(&at.field("nodeAffinity"), message);
            }
        },
        &at.field("local"),
        found,
    );
    sources.add(
        &spec.storageos,
        |disk, at, found| {
            drivers::storage_os_names(&disk.volume_name, &disk.volume_namespace, at, found);
            if let Some(secret) = &disk.secret_ref {
                let secret = SecretReference {
                    name: secret.name.clone(),
                    namespace: secret.namespace.clone(),
                };
                named(&secret, &at.field("secretRef"), found);
            }
        },
        &at.field("storageos"),
        found,
    );
    sources.add(&spec.csi, csi, &at.field("csi"), found);
}

fn named(secret: &SecretReference, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("name"), text(&secret.name));
    found.not_empty(&at.field("namespace"), text(&secret.namespace));
}

fn glusterfs(share: &GlusterfsPersistentVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("endpoints"), &share.endpoints);
    found.not_empty(&at.field("path"), &share.path);
    if let Some(namespace) = &share.endpoints_namespace {
        let at = at.field("endpointsNamespace");
        if namespace.is_empty() {
            let message = "if the endpointnamespace is set, it must be a valid namespace name";
            found.invalid(&at, namespace, message);
        } else {
            found.invalid_each(&at, namespace, names::dns_label(namespace));
        }
    }
}

fn iscsi(disk: &ISCSIPersistentVolumeSource, name: &str, at: &At<'_>, found: &mut Findings) {
    let portal_at = at.field("targetPortal");
    found.not_empty(&portal_at, &disk.target_portal);
    if disk.initiator_name.is_some() && name.len() + 1 + disk.target_portal.len() > 64 {
        let message = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
        found.invalid(&portal_at, &disk.target_portal, message);
    }
    found.not_empty(&at.field("iqn"), &disk.iqn);
    if !disk.iqn.is_empty() {
        drivers::iscsi_name(&disk.iqn, &at.field("iqn"), found);
    }
    drivers::unit(Some(disk.lun), &at.field("lun"), found);
    let authenticates = is_on(disk.chap_auth_discovery) || is_on(disk.chap_auth_session);
    match &disk.secret_ref {
        None if authenticates => found.required(&at.field("secretRef"), ""),
        None => {}
        Some(secret) => {
            let at = at.field("secretRef");
            found.not_empty(&at.field("name"), text(&secret.name));
        }
    }
    if let Some(initiator) = &disk.initiator_name {
        drivers::iscsi_name(initiator, &at.field("initiatorName"), found);
    }
}

fn csi(source: &CSIPersistentVolumeSource, at: &At<'_>, found: &mut Findings) {
    drivers::csi_driver(&source.driver, &at.field("driver"), found);
    found.not_empty(&at.field("volumeHandle"), &source.volume_handle);
    let secrets = [
        (
            "controllerPublishSecretRef",
            &source.controller_publish_secret_ref,
        ),
        (
            "controllerExpandSecretRef",
            &source.controller_expand_secret_ref,
        ),
        ("nodePublishSecretRef", &source.node_publish_secret_ref),
        ("nodeExpandSecretRef", &source.node_expand_secret_ref),
    ];
    for (field, secret) in secrets {
        let Some(secret) = secret else {
            continue;
        };
        let at = at.field(field);
        named(secret, &at, found);
        let (name, namespace) = (text(&secret.name), text(&secret.namespace));
        if !name.is_empty() {
            found.invalid_each(&at.field("name"), name, names::dns_subdomain(name));
        }
        if !namespace.is_empty() {
            found.invalid_each(
                &at.field("namespace"),
                namespace,
                names::dns_label(namespace),
            );
        }
    }
}
