//! The sources that a PersistentVolume may have.

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, GlusterfsPersistentVolumeSource, ISCSIPersistentVolumeSource,
    PersistentVolumeSpec, SecretReference,
};

use super::fault::{Faults as _, is_on, text};
use super::volume::{Sources, host_path};
use super::{block, drivers, names, paths};
use crate::manifest::source::{At, Findings};

pub(super) fn disks(
    spec: &PersistentVolumeSpec,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    sources.add(&spec.host_path, host_path, &at.field("hostPath"), found);
    let disk_at = at.field("gcePersistentDisk");
    sources.add_spelled(
        &spec.gce_persistent_disk,
        block::gce_disk,
        (&at.shown_as(".persistentDisk", &disk_at), &disk_at),
        found,
    );
    let disk_at = at.field("awsElasticBlockStore");
    sources.add(
        &spec.aws_elastic_block_store,
        block::aws_disk,
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

pub(super) fn networks(
    spec: &PersistentVolumeSpec,
    name: &str,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    let share_at = at.field("cephfs");
    sources.add_spelled(
        &spec.cephfs,
        |share, at, found| drivers::monitors(&share.monitors, at, found),
        (&share_at, &at.shown_as(".cephFS", &share_at)),
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
    sources.add(&spec.fc, block::fibre_channel, &at.field("fc"), found);
    if let Some(flex) = &spec.flex_volume {
        // the server lets it stand beside another source
        let at = at.field("flexVolume");
        drivers::flex_driver(&flex.driver, &flex.options, &at, found);
        sources.count();
    }
}

pub(super) fn clouds(
    spec: &PersistentVolumeSpec,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
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
        block::azure_disk,
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
