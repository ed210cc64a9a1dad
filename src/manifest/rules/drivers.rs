//! Volumes of network file systems and clouds.
//!
//! The server checks the first source of a volume only, in an order of its own; hence the groups.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    CSIVolumeSource, FlockerVolumeSource, NFSVolumeSource, PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource, QuobyteVolumeSource, StorageOSVolumeSource, Volume,
    VsphereVirtualDiskVolumeSource,
};

use super::fault::{Faults as _, text};
use super::volume::{Sources, Spelled};
use super::{block, names, paths};
use crate::manifest::source::{At, Findings};

pub(super) fn before_secrets(volume: &Volume, sources: &mut Sources<'_>) {
    sources.add("gitRepo", &volume.git_repo, |repo, at, found| {
        found.not_empty(&at.field("repository"), &repo.repository);
        paths::descending(text(&repo.directory), &at.field("directory"), found);
    });
    sources.add_spelled(
        "gcePersistentDisk",
        Spelled::First(".persistentDisk"),
        &volume.gce_persistent_disk,
        block::gce_disk,
    );
    sources.add(
        "awsElasticBlockStore",
        &volume.aws_elastic_block_store,
        block::aws_disk,
    );
}

pub(super) fn before_claims(volume: &Volume, sources: &mut Sources<'_>) {
    sources.add("nfs", &volume.nfs, nfs);
    sources.add("iscsi", &volume.iscsi, block::iscsi);
    let disk = volume.iscsi.as_ref();
    if let Some(disk) = disk.filter(|disk| disk.initiator_name.is_some())
        && volume.name.len() + 1 + disk.target_portal.len() > 64
    {
        let at = sources.at.field("name");
        let found = &mut sources.found;
        found.invalid(&at, &volume.name, block::LONG_TARGET);
    }
    sources.add("glusterfs", &volume.glusterfs, |share, at, found| {
        found.not_empty(&at.field("endpoints"), &share.endpoints);
        found.not_empty(&at.field("path"), &share.path);
    });
    sources.add("flocker", &volume.flocker, flocker);
}

pub(super) fn before_files(volume: &Volume, sources: &mut Sources<'_>) {
    sources.add("rbd", &volume.rbd, |disk, at, found| {
        ceph_image(&disk.monitors, &disk.image, at, found);
    });
    sources.add("cinder", &volume.cinder, |disk, at, found| {
        found.not_empty(&at.field("volumeID"), &disk.volume_id);
        if let Some(secret) = &disk.secret_ref {
            found.not_empty(&at.field("secretRef").field("name"), &secret.name);
        }
    });
    sources.add_spelled(
        "cephfs",
        Spelled::Later(".cephFS"),
        &volume.cephfs,
        |share, at, found| monitors(&share.monitors, at, found),
    );
    sources.add("quobyte", &volume.quobyte, quobyte);
}

pub(super) fn before_config_maps(volume: &Volume, sources: &mut Sources<'_>) {
    sources.add("fc", &volume.fc, block::fibre_channel);
    sources.add("flexVolume", &volume.flex_volume, |flex, at, found| {
        flex_driver(&flex.driver, &flex.options, at, found);
    });
}

pub(super) fn before_projections(volume: &Volume, sources: &mut Sources<'_>) {
    sources.add("azureFile", &volume.azure_file, |share, at, found| {
        azure_share(&share.secret_name, &share.share_name, at, found);
    });
    sources.add("vsphereVolume", &volume.vsphere_volume, vsphere);
    sources.add(
        "photonPersistentDisk",
        &volume.photon_persistent_disk,
        photon,
    );
    sources.add("portworxVolume", &volume.portworx_volume, portworx);
    sources.add("azureDisk", &volume.azure_disk, block::azure_disk);
    sources.add("storageos", &volume.storageos, storage_os);
}

pub(super) fn last(volume: &Volume, sources: &mut Sources<'_>) {
    sources.add("scaleIO", &volume.scale_io, |disk, at, found| {
        let name = text(&disk.volume_name);
        scale_io((&disk.gateway, &disk.system, name), at, found);
    });
    sources.add("csi", &volume.csi, csi);
}

/// What the server says of sources that nothing mounts any more.
const OLD: [(&str, &str); 9] = [
    (
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "deprecated in v1.11, and disabled by default in v1.33+",
    ),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// Warns of those of the sources that are used, by field.
pub(super) fn warn_of_old(used: &[(&str, bool)], at: &At<'_>, found: &mut Findings) {
    for (field, words) in OLD {
        if !used.contains(&(field, true)) {
            continue;
        }
        let place = at.field(field);
        match field {
            "storageos" => found.warning(&at.shown_as(".storageOS", &place), words),
            _ => found.warning(&place, words),
        }
    }
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

/// Checks an image in a cluster of Ceph.
pub(super) fn ceph_image(cluster: &[String], image: &str, at: &At<'_>, found: &mut Findings) {
    monitors(cluster, at, found);
    found.not_empty(&at.field("image"), image);
}

/// Checks a share of files in Azure.
pub(super) fn azure_share(secret: &str, share: &str, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("secretName"), secret);
    found.not_empty(&at.field("shareName"), share);
}

/// Checks a virtual disk of vSphere.
pub(super) fn vsphere(disk: &VsphereVirtualDiskVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("volumePath"), &disk.volume_path);
}

/// Checks a disk of a Photon controller.
pub(super) fn photon(disk: &PhotonPersistentDiskVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("pdID"), &disk.pd_id);
}

/// Checks a volume of Portworx.
pub(super) fn portworx(disk: &PortworxVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("volumeID"), &disk.volume_id);
}

/// Checks a volume of ScaleIO: its gateway, its system and its name.
pub(super) fn scale_io(
    (gateway, system, name): (&str, &str, &str),
    at: &At<'_>,
    found: &mut Findings,
) {
    found.not_empty(&at.field("gateway"), gateway);
    found.not_empty(&at.field("system"), system);
    found.not_empty(&at.field("volumeName"), name);
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
