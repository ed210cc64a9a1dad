//! The database as the threads of one supervisor share it.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::paths::Paths;
use crate::state::{LockDir, Store, StoreError};

/// A connection that is opened when it is needed and stays until it is closed.
///
/// An open one costs 300 kB, opening one a third of a restart's own time: it is kept from one to the next as long as
/// they follow closely.
#[derive(Debug, Clone)]
pub struct Ledger {
    paths: Arc<Paths>,
    store: Arc<Mutex<Option<Store>>>,
}

impl Ledger {
    /// Names the database of an installation.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self {
            paths: Arc::new(paths.clone()),
            store: Arc::default(),
        }
    }

    /// Writes to the database, after whoever does so already.
    ///
    /// # Errors
    /// It cannot be opened, or `work` fails.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut slot = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = slot.take().map_or_else(|| self.open(), Ok)?;
        // One that failed is opened anew.
        let value = work(&mut store)?;
        *slot = Some(store);
        Ok(value)
    }

    /// Reads in the database, without waiting for whoever writes.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut slot = match self.store.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return work(&self.open()?),
        };
        let store = slot.take().map_or_else(|| self.open(), Ok)?;
        let value = work(&store)?;
        *slot = Some(store);
        Ok(value)
    }

    /// Closes the database, unless it is in use.
    pub fn close(&self) {
        if let Ok(mut slot) = self.store.try_lock() {
            *slot = None;
        }
    }

    fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.paths.root, LockDir::open(&self.paths.locks())?)
    }
}
