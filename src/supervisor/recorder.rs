//! Writes what the machine decided, off the event loop.
//!
//! Waiting for the database's lock must never hold the loop up. One batch is under way at a time and
//! takes everything that has gathered, so a burst of events costs one transaction.

use std::sync::{Arc, Mutex, PoisonError};

use super::machine::Changes;
use crate::engine::paths::Paths;
use crate::model::observed::ObservedPod;
use crate::names::PodId;
use crate::state::{Durability, Intent, LockDir, Store, StoreError};

/// The database connection of a supervisor, open only while it is used.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    paths: Arc<Paths>,
    pod: PodId,
    store: Arc<Mutex<Option<Store>>>,
}

impl Recorder {
    pub(super) fn new(paths: Arc<Paths>, pod: PodId) -> Self {
        Self {
            paths,
            pod,
            store: Arc::new(Mutex::new(None)),
        }
    }

    /// Runs `work` with the database.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut slot = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match slot.take() {
            Some(store) => store,
            None => Store::open(&self.paths.root, LockDir::open(&self.paths.locks())?)?,
        };
        let value = work(&mut store)?;
        *slot = Some(store);
        Ok(value)
    }

    /// Closes the database: an open connection costs 300 kB.
    pub(super) fn close(&self) {
        if let Ok(mut slot) = self.store.try_lock() {
            *slot = None;
        }
    }

    /// Returns the pod as it is recorded.
    pub(super) fn pod(&self) -> Result<Option<ObservedPod>, StoreError> {
        self.with(|store| store.pod(&self.pod))
    }

    /// Records the changes and returns the intents that have come after the one numbered `seen`.
    pub(super) fn exchange(&self, changes: &Changes, seen: i64) -> Result<Vec<Intent>, StoreError> {
        self.with(|store| {
            if !changes.is_empty() {
                let records: Vec<_> = changes.records.iter().collect();
                // What power loss takes of this is done again: the intent itself was written to last, and
                // is forgotten only by a later transaction.
                store.record(
                    &records,
                    &changes.outcomes,
                    &changes.events,
                    Durability::Normal,
                )?;
            }
            let mut intents = store.pending(&self.pod)?;
            intents.retain(|intent| intent.seq > seen);
            Ok(intents)
        })
    }
}
