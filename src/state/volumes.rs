//! Named volumes in the store: a record and the data on disk come and go in one transaction.
//!
//! Pods are recorded in transactions too, so that a volume is removed only while no pod names it, and
//! what is put in its place or away is never that of a volume somebody else has just made.

use std::io;

use rusqlite::params;

use super::events;
use super::sqlite::{Durability, Inner, StoreError};
use super::store::{Store, records};
use crate::model::event::{EventAction, EventSubject};
use crate::model::observed::{PodRecord, VolumeRecord};
use crate::names::{PodName, VolumeName};

/// What became of a volume that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeRemoval {
    Removed,
    Unknown,
    /// These pods name it.
    InUse(Vec<PodName>),
}

impl Store {
    /// Returns all named volumes.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn volumes(&self) -> Result<Vec<VolumeRecord>, StoreError> {
        let query = "SELECT record FROM volumes ORDER BY name";
        self.0.read(|tx| records(tx, query, []))
    }

    /// Records a volume unless there is one of its name; `place` puts its data where they belong.
    ///
    /// # Errors
    /// The database cannot be written, or `place` failed; nothing is recorded then.
    pub fn create_volume(
        &mut self,
        volume: &VolumeRecord,
        place: impl FnOnce() -> io::Result<()>,
    ) -> Result<bool, StoreError> {
        let name = &volume.spec.name;
        self.0.write(Durability::Full, |tx| {
            let inserted = tx.execute(
                "INSERT INTO volumes (name, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![name.as_str(), serde_json::to_string(volume)?],
            )?;
            if inserted == 0 {
                return Ok(false);
            }
            place().map_err(|source| failed(name, source))?;
            events::write_now(tx, EventSubject::volume(name), &EventAction::Create)?;
            Ok(true)
        })
    }

    /// Forgets a volume that no pod names; `put_away` takes its data from their place.
    ///
    /// # Errors
    /// The database cannot be written, or `put_away` failed; the volume is still there then.
    pub fn remove_volume(
        &mut self,
        name: &VolumeName,
        put_away: impl FnOnce() -> io::Result<()>,
    ) -> Result<VolumeRemoval, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let pods: Vec<PodRecord> = records(tx, "SELECT record FROM pods", [])?;
            let users: Vec<PodName> = pods
                .into_iter()
                .filter(|pod| pod.spec.claims().any(|claim| claim == name))
                .map(|pod| pod.spec.name)
                .collect();
            if !users.is_empty() {
                return Ok(VolumeRemoval::InUse(users));
            }
            if tx.execute("DELETE FROM volumes WHERE name = ?1", [name.as_str()])? == 0 {
                return Ok(VolumeRemoval::Unknown);
            }
            put_away().map_err(|source| failed(name, source))?;
            events::write_now(tx, EventSubject::volume(name), &EventAction::Remove)?;
            Ok(VolumeRemoval::Removed)
        })
    }
}

fn failed(name: &VolumeName, source: io::Error) -> Inner {
    Inner::Volume {
        name: name.clone(),
        source,
    }
}
