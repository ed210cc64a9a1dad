//! The database as the threads of one command share it: what several ask at once costs one transaction.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::installation::EngineError;
use crate::names::PodId;
use crate::state::{Asked, IntentState, Noted, Store, StoreError};

/// One thread's part of the next transaction, and where the answer goes.
struct Entry {
    number: u64,
    asked: Vec<Asked>,
}

/// What waits to be written, and what was written and not yet fetched.
#[derive(Default)]
struct Desk {
    next: u64,
    waiting: Vec<Entry>,
    written: Vec<(u64, Vec<Noted>)>,
}

/// A store that many threads write intents to.
pub(super) struct Notebook<'a> {
    desk: Mutex<Desk>,
    store: Mutex<&'a mut Store>,
}

impl<'a> Notebook<'a> {
    pub(super) fn new(store: &'a mut Store) -> Self {
        Self {
            desk: Mutex::default(),
            store: Mutex::new(store),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> MutexGuard<'_, &'a mut Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what is asked; whoever gets the database writes for all who wait for it.
    ///
    /// All hold the locks of what they name until they have their answer, so nothing of it can go meanwhile.
    pub(super) fn write(&self, asked: Vec<Asked>) -> Result<Vec<Noted>, EngineError> {
        let number = {
            let mut desk = self.desk();
            desk.next += 1;
            let number = desk.next;
            desk.waiting.push(Entry { number, asked });
            number
        };
        let mut store = self.store();
        let entries = {
            let mut desk = self.desk();
            if let Some(found) = desk.written.iter().position(|(of, _)| *of == number) {
                return Ok(desk.written.swap_remove(found).1);
            }
            std::mem::take(&mut desk.waiting)
        };
        match write_all(&mut store, &entries) {
            Ok(written) => {
                let mut desk = self.desk();
                desk.written.extend(written);
                let found = desk.written.iter().position(|(of, _)| *of == number);
                let found = found.expect("an entry is written by its writer or found written");
                Ok(desk.written.swap_remove(found).1)
            }
            Err(error) => {
                // The others try for themselves, and learn for themselves why it fails.
                let others = entries.into_iter().filter(|entry| entry.number != number);
                self.desk().waiting.extend(others);
                Err(error.into())
            }
        }
    }

    /// Returns what became of intents.
    pub(super) fn states(&self, numbers: &[i64]) -> Result<Vec<Option<IntentState>>, EngineError> {
        Ok(self.store().intent_states(numbers)?)
    }

    /// Forgets intents whose outcome was read.
    pub(super) fn forget(&self, numbers: &[i64]) -> Result<(), EngineError> {
        Ok(self.store().forget_intents(numbers)?)
    }

    /// Returns whether the pod is recorded.
    pub(super) fn knows(&self, pod: &PodId) -> Result<bool, EngineError> {
        Ok(self.store().pod(pod)?.is_some())
    }
}

fn write_all(store: &mut Store, entries: &[Entry]) -> Result<Vec<(u64, Vec<Noted>)>, StoreError> {
    let asked: Vec<Asked> = entries
        .iter()
        .flat_map(|entry| entry.asked.iter().cloned())
        .collect();
    let mut noted = store.intend(&asked)?.into_iter();
    Ok(entries
        .iter()
        .map(|entry| {
            (
                entry.number,
                noted.by_ref().take(entry.asked.len()).collect(),
            )
        })
        .collect())
}
