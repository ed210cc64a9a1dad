//! What a pod can mount.

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::quantity::Quantity;
use crate::model::volume::{HostPathKind, Medium, VolumeSpec};
use crate::names::{ImageRef, VolumeName};

use super::notes::{Notes, filled};
use super::options::PlayOptions;
use super::{container, projection, resources};

/// Translates one volume with its name.
pub(super) fn volume(
    volume: &v1::Volume,
    at: &At<'_>,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> Option<(VolumeName, VolumeSpec)> {
    let v1::Volume {
        name,
        config_map,
        downward_api,
        empty_dir,
        host_path,
        image,
        persistent_volume_claim,
        projected,
        secret,
        aws_elastic_block_store,
        azure_disk,
        azure_file,
        cephfs,
        cinder,
        csi,
        ephemeral,
        fc,
        flex_volume,
        flocker,
        gce_persistent_disk,
        git_repo,
        glusterfs,
        iscsi,
        nfs,
        photon_persistent_disk,
        portworx_volume,
        quobyte,
        rbd,
        scale_io,
        storageos,
        vsphere_volume,
    } = volume;
    let elsewhere = [
        ("awsElasticBlockStore", aws_elastic_block_store.is_some()),
        ("azureDisk", azure_disk.is_some()),
        ("azureFile", azure_file.is_some()),
        ("cephfs", cephfs.is_some()),
        ("cinder", cinder.is_some()),
        ("csi", csi.is_some()),
        ("ephemeral", ephemeral.is_some()),
        ("fc", fc.is_some()),
        ("flexVolume", flex_volume.is_some()),
        ("flocker", flocker.is_some()),
        ("gcePersistentDisk", gce_persistent_disk.is_some()),
        ("gitRepo", git_repo.is_some()),
        ("glusterfs", glusterfs.is_some()),
        ("iscsi", iscsi.is_some()),
        ("nfs", nfs.is_some()),
        ("photonPersistentDisk", photon_persistent_disk.is_some()),
        ("portworxVolume", portworx_volume.is_some()),
        ("quobyte", quobyte.is_some()),
        ("rbd", rbd.is_some()),
        ("scaleIO", scale_io.is_some()),
        ("storageos", storageos.is_some()),
        ("vsphereVolume", vsphere_volume.is_some()),
    ];
    let name = notes.parse(&at.field("name"), name, VolumeName::parse);
    if let Some((field, _)) = elsewhere.into_iter().find(|(_, given)| *given) {
        notes.unsupported(
            &at.field(field),
            "hostPath, emptyDir, configMap, secret, persistentVolumeClaim, projected, downwardAPI and image are currently the only supported VolumeSource",
        );
        return None;
    }
    let spec = if let Some(source) = host_path {
        host_path_of(source, &at.field("hostPath"), options, notes)
    } else if let Some(source) = config_map {
        projection::config_map(source, &at.field("configMap"), notes)
    } else if let Some(source) = secret {
        projection::secret(source, &at.field("secret"), notes)
    } else if let Some(source) = downward_api {
        projection::downward_api(source, &at.field("downwardAPI"), notes)
    } else if let Some(source) = projected {
        projection::projected(source, &at.field("projected"), notes)
    } else if let Some(source) = persistent_volume_claim {
        claim(source, &at.field("persistentVolumeClaim"), notes)
    } else if let Some(source) = image {
        image_of(source, &at.field("image"), notes)
    } else {
        // A volume without a source is an emptyDir, as the API server's defaults have it.
        let default = v1::EmptyDirVolumeSource::default();
        Some(empty_dir_of(
            empty_dir.as_ref().unwrap_or(&default),
            &at.field("emptyDir"),
            notes,
        ))
    };
    Some((name?, spec?))
}

/// A path without a slash is the name of a volume of the host, as podman has it.
fn host_path_of(
    source: &v1::HostPathVolumeSource,
    at: &At<'_>,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> Option<VolumeSpec> {
    let v1::HostPathVolumeSource { path, type_ } = source;
    let words = [
        ("DirectoryOrCreate", HostPathKind::DirectoryOrCreate),
        ("Directory", HostPathKind::Directory),
        ("FileOrCreate", HostPathKind::FileOrCreate),
        ("File", HostPathKind::File),
        ("Socket", HostPathKind::Socket),
        ("CharDevice", HostPathKind::CharDevice),
        ("BlockDevice", HostPathKind::BlockDevice),
    ];
    let kind = notes.choose(&at.field("type"), type_.as_ref(), HostPathKind::Any, &words);
    if path.is_empty() {
        notes.required(&at.field("path"), "Required value");
        return None;
    }
    if !path.contains('/')
        && let Ok(claim) = VolumeName::parse(path)
    {
        return Some(VolumeSpec::Claim {
            claim,
            read_only: false,
        });
    }
    Some(VolumeSpec::HostPath {
        path: options.working_dir.join(path),
        kind,
    })
}

fn empty_dir_of(
    source: &v1::EmptyDirVolumeSource,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> VolumeSpec {
    let v1::EmptyDirVolumeSource {
        medium,
        mode,
        size_limit,
    } = source;
    notes.not_yet_if(&at.field("mode"), mode.as_ref());
    let medium_at = at.field("medium");
    let medium = match filled(medium.as_ref()) {
        None => Medium::Disk,
        Some(medium) if medium.starts_with("HugePages") => {
            notes.not_yet(&medium_at);
            Medium::Memory
        }
        medium => notes.choose(
            &medium_at,
            medium,
            Medium::Disk,
            &[("Memory", Medium::Memory)],
        ),
    };
    let size_at = at.field("sizeLimit");
    let size_limit = size_limit
        .as_ref()
        .and_then(|size| resources::quantity(size, &size_at, Quantity::bytes, notes));
    if size_limit.is_some() && medium == Medium::Disk {
        notes.not_yet(&size_at);
    }
    VolumeSpec::EmptyDir { medium, size_limit }
}

fn claim(
    source: &v1::PersistentVolumeClaimVolumeSource,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<VolumeSpec> {
    let v1::PersistentVolumeClaimVolumeSource {
        claim_name,
        read_only,
    } = source;
    Some(VolumeSpec::Claim {
        claim: notes.parse(&at.field("claimName"), claim_name, VolumeName::parse)?,
        read_only: read_only.unwrap_or(false),
    })
}

fn image_of(
    source: &v1::ImageVolumeSource,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<VolumeSpec> {
    let v1::ImageVolumeSource {
        pull_policy,
        reference,
    } = source;
    let reference_at = at.field("reference");
    let Some(reference) = filled(reference.as_ref()) else {
        notes.required(&reference_at, "Required value");
        return None;
    };
    let reference = notes.parse(&reference_at, reference, ImageRef::parse)?;
    let pull_at = at.field("pullPolicy");
    Some(VolumeSpec::Image {
        pull: container::pull_policy(pull_policy.as_ref(), Some(&reference), &pull_at, notes),
        reference,
    })
}
