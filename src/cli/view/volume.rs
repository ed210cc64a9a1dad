//! Named volumes, as `volume ls` and `volume inspect` show them.

use std::collections::BTreeMap;

use gotmpl::ToValue as _;
use serde::Serialize;

use super::super::output::{Column, Object, Row, moment};
use crate::engine::paths::Paths;
use crate::model::observed::{Observed, VolumeRecord};
use crate::model::volume::{Backing, Owner};

/// A named volume, with podman's fields.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct VolumeRow {
    pub(in crate::cli) name: String,
    pub(in crate::cli) driver: &'static str,
    pub(in crate::cli) mountpoint: String,
    created_at: String,
    pub(in crate::cli) labels: BTreeMap<String, String>,
    pub(in crate::cli) scope: &'static str,
    pub(in crate::cli) options: BTreeMap<&'static str, String>,
    #[serde(rename = "UID", skip_serializing_if = "Option::is_none")]
    user: Option<u32>,
    #[serde(rename = "GID", skip_serializing_if = "Option::is_none")]
    group: Option<u32>,
    /// How many containers mount it.
    mount_count: usize,
    /// What it was played with.
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip)]
    pub(in crate::cli) created: jiff::Timestamp,
}

impl VolumeRow {
    /// The columns of `volume ls`.
    pub(in crate::cli) const SHOWN: [&'static str; 2] = ["Driver", "Name"];
}

impl Object for VolumeRow {
    /// Fields that JSON leaves out while they say nothing.
    fn for_templates(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({
            "UID": self.user.unwrap_or(0),
            "GID": self.group.unwrap_or(0),
            "Status": {},
            "Anonymous": false,
        }))
    }
}

impl Row for VolumeRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<VolumeRow>] = &[
            Column::new("Driver", "DRIVER", |row| row.driver.to_value()),
            Column::new("Name", "VOLUME NAME", |row| row.name.to_value()),
            Column::new("Mountpoint", "MOUNTPOINT", |row| row.mountpoint.to_value()),
            Column::new("Scope", "SCOPE", |row| row.scope.to_value()),
            Column::new("CreatedAt", "CREATED AT", |row| {
                moment(row.created).to_value()
            }),
            Column::new("MountCount", "MOUNT COUNT", |row| {
                row.mount_count.to_value()
            }),
            Column::new("UID", "UID", |row| row.user.unwrap_or(0).to_value()),
            Column::new("Anonymous", "ANONYMOUS", |_| false.to_value()),
            Column::new("GID", "GID", |row| row.group.unwrap_or(0).to_value()),
        ];
        COLUMNS
    }
}

/// Returns the rows of all volumes, by name.
pub(in crate::cli) fn volumes(observed: &Observed, paths: &Paths) -> Vec<VolumeRow> {
    let volumes = observed.volumes.iter();
    volumes.map(|record| row(record, observed, paths)).collect()
}

fn row(record: &VolumeRecord, observed: &Observed, paths: &Paths) -> VolumeRow {
    let spec = &record.spec;
    let Owner { user, group } = spec.owner;
    VolumeRow {
        name: spec.name.to_string(),
        driver: "local",
        mountpoint: paths.volume(&spec.name).display().to_string(),
        created_at: record.created.to_string(),
        labels: spec.labels.clone(),
        scope: "local",
        options: options(&spec.backing, spec.owner),
        user,
        group,
        mount_count: observed.users_of(&spec.name).count(),
        application: record.application.as_ref().map(ToString::to_string),
        created: record.created,
    }
}

fn options(backing: &Backing, owner: Owner) -> BTreeMap<&'static str, String> {
    let Backing {
        kind,
        device,
        options,
    } = backing;
    let all = [
        ("type", kind.clone()),
        ("device", device.clone()),
        ("o", options.clone()),
        ("UID", owner.user.map(|id| id.to_string())),
        ("GID", owner.group.map(|id| id.to_string())),
    ];
    let given = all
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    given.collect()
}
