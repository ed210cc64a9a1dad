//! The store: pods, containers, images, volumes, networks, objects, intents and claims, as typed records.
//!
//! Here are its tables and what is read of all of them; each subject has a module of its own beside this one.
//!
//! A record is stored as the JSON of its model type; a column beside it is only what is searched by.
//! Names, addresses and host ports are *claims*: rows inserted in the transaction that creates the pod,
//! so that two commands cannot both have one.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Transaction;
use serde::de::DeserializeOwned;

use super::lock::LockDir;
use super::sqlite::{Database, Inner, StoreError};
use crate::model::observed::{ContainerRecord, Observed, ObservedPod, PodRecord};
use crate::names::PodId;

const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE pods (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE containers (
  id TEXT PRIMARY KEY,
  pod TEXT NOT NULL REFERENCES pods,
  position INTEGER NOT NULL,
  record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX containers_of_pod ON containers (pod, position);
CREATE TABLE claims (
  kind TEXT NOT NULL, value TEXT NOT NULL, pod TEXT NOT NULL REFERENCES pods,
  PRIMARY KEY (kind, value)) STRICT, WITHOUT ROWID;
CREATE INDEX claims_of_pod ON claims (pod);
CREATE TABLE images (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE volumes (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE objects (
  kind TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
CREATE TABLE intents (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  pod TEXT NOT NULL, container TEXT,
  kind TEXT NOT NULL, by TEXT NOT NULL, state TEXT NOT NULL) STRICT;
CREATE INDEX intents_of_pod ON intents (pod, seq);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  by TEXT NOT NULL, process TEXT NOT NULL, steps TEXT NOT NULL) STRICT;
",
    "
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL) STRICT;
",
    "
CREATE TABLE networks (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
    "
ALTER TABLE intents ADD COLUMN asker TEXT;
CREATE INDEX intents_to_fetch ON intents (asker) WHERE asker IS NOT NULL;
",
];

/// What the file is called.
pub(super) const NAME: &str = "db.sqlite";

/// The database of one root directory.
#[derive(Debug)]
pub struct Store(pub(super) Database);

impl Store {
    /// Opens the database below `root`.
    ///
    /// # Errors
    /// It cannot be opened, or a newer version wrote it.
    pub fn open(root: &Path, locks: LockDir) -> Result<Self, StoreError> {
        Database::open(&root.join(NAME), locks, MIGRATIONS).map(Self)
    }

    /// Reads the whole file and returns what is wrong with it: nothing, for a sound one.
    ///
    /// # Errors
    /// The file is too damaged to be read.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        self.0.faults()
    }

    /// Returns everything recorded, of one moment; takes no lock.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn observed(&self) -> Result<Observed, StoreError> {
        self.0.read(|tx| {
            Ok(Observed {
                pods: pods(tx)?,
                volumes: records(tx, "SELECT record FROM volumes ORDER BY name", [])?,
                objects: records(tx, "SELECT record FROM objects ORDER BY kind, name", [])?,
                networks: records(tx, "SELECT record FROM networks ORDER BY name", [])?,
            })
        })
    }

    /// Makes everything written so far outlast a loss of power.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn persist(&self) -> Result<(), StoreError> {
        self.0.persist()
    }
}

/// Returns all pods with their containers, the oldest first.
fn pods(tx: &Transaction<'_>) -> Result<Vec<ObservedPod>, Inner> {
    let mut pods: Vec<ObservedPod> = records::<PodRecord>(tx, "SELECT record FROM pods", [])?
        .into_iter()
        .map(|record| ObservedPod {
            record,
            containers: Vec::new(),
        })
        .collect();
    pods.sort_by(|a, b| (a.record.created, &a.record.id).cmp(&(b.record.created, &b.record.id)));
    let places: HashMap<PodId, usize> = pods
        .iter()
        .enumerate()
        .map(|(place, pod)| (pod.record.id.clone(), place))
        .collect();
    let query = "SELECT record FROM containers ORDER BY pod, position";
    for container in records::<ContainerRecord>(tx, query, [])? {
        if let Some(place) = places.get(&container.pod) {
            pods[*place].containers.push(container);
        }
    }
    Ok(pods)
}

/// Returns the records that a query finds, which selects nothing else.
pub(super) fn records<T: DeserializeOwned>(
    tx: &Transaction<'_>,
    query: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<T>, Inner> {
    let mut statement = tx.prepare(query)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.push(serde_json::from_str(text)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
