//! Secrets, as `secret ls` and `secret inspect` show them: everything but the values.

use gotmpl::ToValue as _;
use jiff::Timestamp;
use serde::Serialize;

use super::super::output::{Column, Object, Row};
use super::words;
use crate::model::observed::{ObjectContent, ObjectRecord};

/// A Secret, with podman's fields.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct SecretRow {
    #[serde(rename = "ID")]
    pub(in crate::cli) id: String,
    #[serde(rename = "CreatedAt")]
    created_at: String,
    #[serde(rename = "UpdatedAt")]
    updated_at: String,
    #[serde(rename = "Spec")]
    spec: Spec,
    #[serde(skip)]
    ago: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Spec {
    name: String,
    driver: Driver,
    /// The keys there are; a value is nobody's to see.
    keys: Vec<String>,
    #[serde(rename = "Type")]
    kind: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Driver {
    name: &'static str,
}

impl SecretRow {
    /// The columns of `secret ls`.
    pub(in crate::cli) const SHOWN: [&'static str; 5] =
        ["ID", "Name", "Driver", "CreatedAt", "UpdatedAt"];

    /// Shows a Secret; nothing for another object.
    pub(in crate::cli) fn new(record: &ObjectRecord, now: Timestamp) -> Option<Self> {
        let ObjectContent::Secret { id, keys, kind } = &record.content else {
            return None;
        };
        Some(Self {
            id: short(id),
            created_at: record.created.to_string(),
            updated_at: record.created.to_string(),
            ago: words::ago(now, record.created),
            spec: Spec {
                name: record.name.to_string(),
                driver: Driver { name: "file" },
                keys: keys.clone(),
                kind: kind.clone(),
            },
        })
    }

    pub(in crate::cli) fn name(&self) -> &str {
        &self.spec.name
    }
}

/// podman's ids of secrets have 25 digits.
fn short(id: &str) -> String {
    id.chars().take(25).collect()
}

impl Object for SecretRow {}

impl Row for SecretRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<SecretRow>] = &[
            Column::new("ID", "ID", |row| row.id.to_value()),
            Column::new("Name", "NAME", |row| row.spec.name.to_value()),
            Column::new("Driver", "DRIVER", |row| row.spec.driver.name.to_value()),
            Column::new("CreatedAt", "CREATED", |row| row.ago.to_value()),
            Column::new("UpdatedAt", "UPDATED", |row| row.ago.to_value()),
        ];
        COLUMNS
    }
}
