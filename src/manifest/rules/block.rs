//! Volumes that are disks behind a network or in a cloud.

use k8s_openapi::api::core::v1::{
    AWSElasticBlockStoreVolumeSource, AzureDiskVolumeSource, FCVolumeSource,
    GCEPersistentDiskVolumeSource, ISCSIVolumeSource,
};

use super::fault::{Faults as _, Shown, is_on, items};
use super::names;
use crate::manifest::source::{At, Findings};

/// What is said of a name and a portal that are too long together.
pub(super) const LONG_TARGET: &str = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
/// What is said of an iSCSI name that is wrong in itself.
pub(super) const WRONG_NAME: &str = "must be valid format";
/// What is said of an iSCSI name that is of none of its kinds; of a PersistentVolume's it is less.
pub(super) const WRONG_START: &str = "must be valid format starting with iqn, eui, or naa";
const CACHING_MODES: [&str; 3] = ["None", "ReadOnly", "ReadWrite"];

const DISK_KINDS: [&str; 3] = ["Dedicated", "Managed", "Shared"];

/// Checks a disk of Google's cloud.
pub(super) fn gce_disk(disk: &GCEPersistentDiskVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("pdName"), &disk.pd_name);
    partition(disk.partition, &at.field("partition"), found);
}

/// Checks a disk of Amazon's cloud.
pub(super) fn aws_disk(disk: &AWSElasticBlockStoreVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("volumeID"), &disk.volume_id);
    partition(disk.partition, &at.field("partition"), found);
}

fn partition(number: Option<i32>, at: &At<'_>, found: &mut Findings) {
    if let Some(number) = number.filter(|number| !(0..=255).contains(number)) {
        found.invalid(at, number, &names::between(1, 255));
    }
}

pub(super) fn iscsi(disk: &ISCSIVolumeSource, at: &At<'_>, found: &mut Findings) {
    found.not_empty(&at.field("targetPortal"), &disk.target_portal);
    found.not_empty(&at.field("iqn"), &disk.iqn);
    if !disk.iqn.is_empty() {
        iscsi_name(&disk.iqn, WRONG_START, &at.field("iqn"), found);
    }
    unit(Some(disk.lun), &at.field("lun"), found);
    let authenticates = is_on(disk.chap_auth_discovery) || is_on(disk.chap_auth_session);
    if authenticates && disk.secret_ref.is_none() {
        found.required(&at.field("secretRef"), "");
    }
    if let Some(name) = &disk.initiator_name {
        let name_at = at.field("initiatorName");
        let at = at.shown_as(".initiatorname", &name_at);
        iscsi_name(name, WRONG_START, &at, found);
    }
}

/// Checks the name of an iSCSI node (RFC 3720).
pub(super) fn iscsi_name(name: &str, wrong_start: &str, at: &At<'_>, found: &mut Findings) {
    let is_long = |rest: &str, length: usize| {
        rest.len() == length + 1
            && rest
                .bytes()
                .skip(1)
                .all(|byte| byte.is_ascii_alphanumeric())
    };
    let is_right = match name.get(..3) {
        Some("iqn") => is_iqn(name),
        Some("eui") => is_long(&name[3..], 16),
        Some("naa") => is_long(&name[3..], 32),
        _ => return found.invalid(at, name, wrong_start),
    };
    if !is_right {
        found.invalid(at, name, WRONG_NAME);
    }
}

fn is_iqn(name: &str) -> bool {
    let Some((head, tail)) = name.split_once(':') else {
        return false;
    };
    let is_date = |date: &str| {
        let bytes = date.as_bytes();
        bytes.len() == 7
            && bytes[4] == b'-'
            && [0, 1, 2, 3, 5, 6]
                .iter()
                .all(|at| bytes[*at].is_ascii_digit())
    };
    let mut parts = head.splitn(3, '.');
    let fits = parts.next() == Some("iqn")
        && parts.next().is_some_and(is_date)
        && parts.next().is_some_and(|authority| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
            !authority.is_empty() && authority.bytes().all(fits)
        });
    let bad = |c: char| ",;*&$|".contains(c) || c.is_ascii_whitespace();
    fits && !tail.is_empty() && !tail.contains(bad)
}

/// Checks the number of a unit behind a target.
pub(super) fn unit(number: Option<i32>, at: &At<'_>, found: &mut Findings) {
    if let Some(number) = number.filter(|number| !(0..=255).contains(number)) {
        found.invalid(at, number, &names::between(0, 255));
    }
}

/// Checks a disk behind fibre channel.
pub(super) fn fibre_channel(disk: &FCVolumeSource, at: &At<'_>, found: &mut Findings) {
    let names_at = at.field("targetWWNs");
    let (targets, ids) = (items(&disk.target_wwns), items(&disk.wwids));
    if targets.is_empty() && ids.is_empty() {
        let message = "must specify either targetWWNs or wwids, but not both";
        found.required(&names_at, message);
    }
    if !targets.is_empty() && !ids.is_empty() {
        let message = "targetWWNs and wwids can not be specified simultaneously";
        found.invalid(&names_at, Shown::json(&targets), message);
    }
    if !targets.is_empty() {
        if disk.lun.is_none() {
            found.required(
                &at.field("lun"),
                "lun is required if targetWWNs is specified",
            );
        }
        unit(disk.lun, &at.field("lun"), found);
    }
}

/// Checks a disk of Microsoft's cloud.
pub(super) fn azure_disk(disk: &AzureDiskVolumeSource, at: &At<'_>, found: &mut Findings) {
    const MANAGED: &str = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
    const BLOB: &str =
        "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
    found.not_empty(&at.field("diskName"), &disk.disk_name);
    found.not_empty(&at.field("diskURI"), &disk.disk_uri);
    let mode = disk.caching_mode.as_deref().unwrap_or("ReadWrite");
    found.one_of(&at.field("cachingMode"), mode, &CACHING_MODES);
    let kind = disk.kind.as_deref().unwrap_or("Shared");
    found.one_of(&at.field("kind"), kind, &DISK_KINDS);
    let (start, form) = match kind {
        "Managed" => ("/subscriptions/", MANAGED),
        _ => ("https://", BLOB),
    };
    if !disk.disk_uri.starts_with(start) {
        found.unsupported(&at.field("diskURI"), &disk.disk_uri, &[form]);
    }
}
