//! The sources that a PersistentVolume may have.

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, GlusterfsPersistentVolumeSource, ISCSIPersistentVolumeSource,
    PersistentVolumeSpec, SecretReference,
};

use super::fault::{Faults as _, is_on, text};
use super::volume::{Sources, Spelled, host_path};
use super::{block, drivers, names, paths};
use crate::manifest::source::{At, Findings};

pub(super) fn disks(spec: &PersistentVolumeSpec, sources: &mut Sources<'_>) {
    sources.add("hostPath", &spec.host_path, host_path);
    sources.add_spelled(
        "gcePersistentDisk",
        Spelled::First(".persistentDisk"),
        &spec.gce_persistent_disk,
        block::gce_disk,
    );
    sources.add(
        "awsElasticBlockStore",
        &spec.aws_elastic_block_store,
        block::aws_disk,
    );
    sources.add("glusterfs", &spec.glusterfs, glusterfs);
    sources.add("flocker", &spec.flocker, drivers::flocker);
    sources.add("nfs", &spec.nfs, drivers::nfs);
    sources.add("rbd", &spec.rbd, |disk, at, found| {
        drivers::ceph_image(&disk.monitors, &disk.image, at, found);
    });
    sources.add("quobyte", &spec.quobyte, drivers::quobyte);
}

pub(super) fn networks(spec: &PersistentVolumeSpec, name: &str, sources: &mut Sources<'_>) {
    sources.add_spelled(
        "cephfs",
        Spelled::Later(".cephFS"),
        &spec.cephfs,
        |share, at, found| drivers::monitors(&share.monitors, at, found),
    );
    sources.add("iscsi", &spec.iscsi, |disk, at, found| {
        iscsi(disk, name, at, found)
    });
    sources.add("cinder", &spec.cinder, |disk, at, found| {
        found.not_empty(&at.field("volumeID"), &disk.volume_id);
        if let Some(secret) = &disk.secret_ref {
            named(secret, &at.field("secretRef"), found);
        }
    });
    sources.add("fc", &spec.fc, block::fibre_channel);
    if let Some(flex) = &spec.flex_volume {
        // the server lets it stand beside another source
        let at = sources.at.field("flexVolume");
        drivers::flex_driver(&flex.driver, &flex.options, &at, sources.found);
        sources.count();
    }
}

pub(super) fn clouds(spec: &PersistentVolumeSpec, sources: &mut Sources<'_>) {
    sources.add("azureFile", &spec.azure_file, |share, at, found| {
        drivers::azure_share(&share.secret_name, &share.share_name, at, found);
        if let Some(namespace) = &share.secret_namespace {
            found.not_empty(&at.field("secretNamespace"), namespace);
        }
    });
    sources.add("vsphereVolume", &spec.vsphere_volume, drivers::vsphere);
    sources.add(
        "photonPersistentDisk",
        &spec.photon_persistent_disk,
        drivers::photon,
    );
    sources.add("portworxVolume", &spec.portworx_volume, drivers::portworx);
    sources.add("azureDisk", &spec.azure_disk, block::azure_disk);
    sources.add("scaleIO", &spec.scale_io, |disk, at, found| {
        let name = text(&disk.volume_name);
        drivers::scale_io((&disk.gateway, &disk.system, name), at, found);
    });
    let has_nodes = spec.node_affinity.is_some();
    sources.add("local", &spec.local, |disk, at, found| {
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
    });
    sources.add("storageos", &spec.storageos, |disk, at, found| {
        drivers::storage_os_names(&disk.volume_name, &disk.volume_namespace, at, found);
        if let Some(secret) = &disk.secret_ref {
            let secret = SecretReference {
                name: secret.name.clone(),
                namespace: secret.namespace.clone(),
            };
            named(&secret, &at.field("secretRef"), found);
        }
    });
    sources.add("csi", &spec.csi, csi);
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
        let at = at.shown_as(".targetportal", &portal_at);
        found.invalid(&at, &disk.target_portal, block::LONG_TARGET);
    }
    found.not_empty(&at.field("iqn"), &disk.iqn);
    if !disk.iqn.is_empty() {
        block::iscsi_name(&disk.iqn, block::WRONG_NAME, &at.field("iqn"), found);
    }
    block::unit(Some(disk.lun), &at.field("lun"), found);
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
        let name_at = at.field("initiatorName");
        let at = at.shown_as(".initiatorname", &name_at);
        block::iscsi_name(initiator, block::WRONG_NAME, &at, found);
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

/// Tells whether a volume has a source that takes options of mounts from an annotation.
pub(super) fn has_mount_options(spec: &PersistentVolumeSpec) -> bool {
    let sources = [
        spec.aws_elastic_block_store.is_some(),
        spec.azure_disk.is_some(),
        spec.azure_file.is_some(),
        spec.cephfs.is_some(),
        spec.cinder.is_some(),
        spec.gce_persistent_disk.is_some(),
        spec.glusterfs.is_some(),
        spec.iscsi.is_some(),
        spec.nfs.is_some(),
        spec.photon_persistent_disk.is_some(),
        spec.quobyte.is_some(),
        spec.rbd.is_some(),
        spec.vsphere_volume.is_some(),
    ];
    sources.contains(&true)
}

/// Warns of sources that nothing mounts any more.
pub(super) fn warn(spec: &PersistentVolumeSpec, at: &At<'_>, found: &mut Findings) {
    let used = [
        ("cephfs", spec.cephfs.is_some()),
        (
            "photonPersistentDisk",
            spec.photon_persistent_disk.is_some(),
        ),
        ("scaleIO", spec.scale_io.is_some()),
        ("storageos", spec.storageos.is_some()),
        ("glusterfs", spec.glusterfs.is_some()),
        ("rbd", spec.rbd.is_some()),
    ];
    drivers::warn_of_old(&used, at, found);
}
