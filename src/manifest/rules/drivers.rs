//! Volumes of network file systems and clouds.
//!
//! The server checks the first source of a volume only, in an order of its own; hence the groups.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    CSIVolumeSource, FlockerVolumeSource, NFSVolumeSource, QuobyteVolumeSource,
    StorageOSVolumeSource, Volume,
};

use super::fault::{Faults as _, text};
use super::volume::Sources;
use super::{block, names, paths};
use crate::manifest::source::{At, Findings};

pub(super) fn before_secrets(
    volume: &Volume,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    sources.add(
        &volume.git_repo,
        |repo, at, found| {
            found.not_empty(&at.field("repository"), &repo.repository);
            paths::descending(text(&repo.directory), &at.field("directory"), found);
        },
        &at.field("gitRepo"),
        found,
    );
    let disk_at = at.field("gcePersistentDisk");
    sources.add_spelled(
        &volume.gce_persistent_disk,
        block::gce_disk,
        (&at.shown_as(".persistentDisk", &disk_at), &disk_at),
        found,
    );
    let disk_at = at.field("awsElasticBlockStore");
    sources.add(
        &volume.aws_elastic_block_store,
        block::aws_disk,
        &disk_at,
        found,
    );
}

pub(super) fn before_claims(
    volume: &Volume,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    sources.add(&volume.nfs, nfs, &at.field("nfs"), found);
    sources.add(&volume.iscsi, block::iscsi, &at.field("iscsi"), found);
    let disk = volume.iscsi.as_ref();
    if let Some(disk) = disk.filter(|disk| disk.initiator_name.is_some())
        && volume.name.len() + 1 + disk.target_portal.len() > 64
    {
        found.invalid(&at.field("name"), &volume.name, block::LONG_TARGET);
    }
    sources.add(
        &volume.glusterfs,
        |share, at, found| {
            found.not_empty(&at.field("endpoints"), &share.endpoints);
            found.not_empty(&at.field("path"), &share.path);
        },
        &at.field("glusterfs"),
        found,
    );
    sources.add(&volume.flocker, flocker, &at.field("flocker"), found);
}

pub(super) fn before_files(
    volume: &Volume,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    sources.add(
        &volume.rbd,
        |disk, at, found| {
            monitors(&disk.monitors, at, found);
            found.not_empty(&at.field("image"), &disk.image);
        },
        &at.field("rbd"),
        found,
    );
    sources.add(
        &volume.cinder,
        |disk, at, found| {
            found.not_empty(&at.field("volumeID"), &disk.volume_id);
            if let Some(secret) = &disk.secret_ref {
                found.not_empty(&at.field("secretRef").field("name"), &secret.name);
            }
        },
        &at.field("cinder"),
        found,
    );
    let share_at = at.field("cephfs");
    sources.add_spelled(
        &volume.cephfs,
        |share, at, found| monitors(&share.monitors, at, found),
        (&share_at, &at.shown_as(".cephFS", &share_at)),
        found,
    );
    sources.add(&volume.quobyte, quobyte, &at.field("quobyte"), found);
}

pub(super) fn before_config_maps(
    volume: &Volume,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    sources.add(&volume.fc, block::fibre_channel, &at.field("fc"), found);
    sources.add(
        &volume.flex_volume,
        |flex, at, found| {
            flex_driver(&flex.driver, &flex.options, at, found);
        },
        &at.field("flexVolume"),
        found,
    );
}

pub(super) fn before_projections(
    volume: &Volume,
    sources: &mut Sources,
    at: &At<'_>,
    found: &mut Findings,
) {
    sources.add(
        &volume.azure_file,
        |share, at, found| {
            found.not_empty(&at.field("secretName"), &share.secret_name);
            found.not_empty(&at.field("shareName"), &share.share_name);
        },
        &at.field("azureFile"),
        found,
    );
    sources.add(
        &volume.vsphere_volume,
        |disk, at, found| {
            found.not_empty(&at.field("volumePath"), &disk.volume_path);
        },
        &at.field("vsphereVolume"),
        found,
    );
    sources.add(
        &volume.photon_persistent_disk,
        |disk, at, found| {
            found.not_empty(&at.field("pdID"), &disk.pd_id);
        },
        &at.field("photonPersistentDisk"),
        found,
    );
    sources.add(
        &volume.portworx_volume,
        |disk, at, found| {
            found.not_empty(&at.field("volumeID"), &disk.volume_id);
        },
        &at.field("portworxVolume"),
        found,
    );
    sources.add(
        &volume.azure_disk,
        block::azure_disk,
        &at.field("azureDisk"),
        found,
    );
    sources.add(&volume.storageos, storage_os, &at.field("storageos"), found);
}

pub(super) fn last(volume: &Volume, sources: &mut Sources, at: &At<'_>, found: &mut Findings) {
    sources.add(
        &volume.scale_io,
        |disk, at, found| {
            found.not_empty(&at.field("gateway"), &disk.gateway);
            found.not_empty(&at.field("system"), &disk.system);
            found.not_empty(&at.field("volumeName"), text(&disk.volume_name));
        },
        &at.field("scaleIO"),
        found,
    );
    sources.add(&volume.csi, csi, &at.field("csi"), found);
}

/// Checks a share of NFS.
pub(super) fn nfs(share: &NFSVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("server"), &share.server);
    found.not_empty(&at.field("path"), &share.path);
    if !share.path.starts_with('/') {
        let message = "must be an absolute path";
        found.invalid(&at.field("path"), &share.path, message);
    }
}

/// Checks a volume of Flocker.
pub(super) fn flocker(source: &FlockerVolumeSource, at: &At<'_>, found: &mut Findings) {
    let (name, id) = (text(&source.dataset_name), text(&source.dataset_uuid));
    match (name.is_empty(), id.is_empty()) {
        (true, true) => found.required(at, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            let message = "datasetName and datasetUUID can not be specified simultaneously";
            found.invalid(at, "resource", message);
        }
        _ => {}
    }
    if name.contains('/') {
        found.invalid(&at.field("datasetName"), name, "must not contain '/'");
    }
}

/// Checks that a cluster of Ceph can be found.
pub(super) fn monitors(monitors: &[String], at: &At<'_>, found: &mut Findings) {
    if monitors.is_empty() {
        found.required(&at.field("monitors"), "");
    }
}

/// Checks a volume of Quobyte.
pub(super) fn quobyte(source: &QuobyteVolumeSource, at: &At<'_>, found: &mut Findings) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let registry_at = at.field("registry");
    if source.registry.is_empty() {
        found.required(&registry_at, PAIRS);
    } else if text(&source.tenant).len() >= 65 {
        let message = "must be a UUID and may not exceed a length of 64 characters";
        found.required(&at.field("tenant"), message);
    } else {
        let pairs = source.registry.split(',');
        for _ in pairs.filter(|pair| !is_host_and_port(pair)) {
            found.invalid(&registry_at, &source.registry, PAIRS);
        }
    }
    found.not_empty(&at.field("volume"), &source.volume);
}

/// Tells whether a word is a host and a port: `host:port` or `[address]:port`, either part may be empty.
fn is_host_and_port(pair: &str) -> bool {
    let brackets = |text: &str| text.contains(['[', ']']);
    match pair.strip_prefix('[') {
        Some(rest) => rest
            .split_once("]:")
            .is_some_and(|(host, port)| !brackets(host) && !brackets(port) && !port.contains(':')),
        None => pair
            .split_once(':')
            .is_some_and(|(host, port)| !brackets(host) && !brackets(port) && !port.contains(':')),
    }
}

/// Checks a volume of a flex driver; the options of Kubernetes' own domains are taken.
pub(super) fn flex_driver(
    driver: &str,
    options: &Option<BTreeMap<String, String>>,
    at: &At<'_>,
    found: &mut Findings,
) {
    found.not_empty(&at.field("driver"), driver);
    let at = at.field("options");
    for key in options.iter().flat_map(BTreeMap::keys) {
        let domain = key.split('/').next().unwrap_or_default();
        let domain = format!(".{}", domain.to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let message = "kubernetes.io and k8s.io namespaces are reserved";
            found.invalid(&at.key_alone(key), key, message);
        }
    }
}

fn storage_os(source: &StorageOSVolumeSource, at: &At<'_>, found: &mut Findings) {
    storage_os_names(&source.volume_name, &source.volume_namespace, at, found);
    if let Some(secret) = &source.secret_ref {
        found.not_empty(&at.field("secretRef").field("name"), &secret.name);
    }
}

/// Checks the names of a volume of StorageOS.
pub(super) fn storage_os_names(
    name: &Option<String>,
    namespace: &Option<String>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let (name, namespace) = (text(name), text(namespace));
    found.not_empty(&at.field("volumeName"), name);
    if !name.is_empty() {
        found.invalid_each(&at.field("volumeName"), name, names::dns_label(name));
    }
    if !namespace.is_empty() {
        let at = at.field("volumeNamespace");
        found.invalid_each(&at, namespace, names::dns_label(namespace));
    }
}

fn csi(source: &CSIVolumeSource, at: &At<'_>, found: &mut Findings) {
    csi_driver(&source.driver, &at.field("driver"), found);
    if let Some(secret) = &source.node_publish_secret_ref {
        let secret_at = at.field("nodePublishSecretRef");
        let name_at = secret_at.field("name");
        if secret.name.is_empty() {
            found.required(&name_at, "");
        } else {
            let at = at.shown_as(".name", &name_at);
            found.invalid_each(&at, &secret.name, names::dns_subdomain(&secret.name));
        }
    }
}

/// Checks the name of a CSI driver.
pub(super) fn csi_driver(name: &str, at: &At<'_>, found: &mut Findings) {
    found.not_empty(at, name);
    if name.len() > 63 {
        found.too_long(at, 63);
    }
    found.invalid_each(at, name, names::dns_subdomain(&name.to_lowercase()));
}
