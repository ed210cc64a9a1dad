//! Writes what the machine decided, off the event loop.
//!
//! Waiting for the database's lock must never hold the loop up. One batch is under way at a time and
//! takes everything that has gathered, so a burst of events costs one transaction.

use super::machine::Changes;
use crate::engine::ledger::Ledger;
use crate::model::observed::ObservedPod;
use crate::names::PodId;
use crate::state::{Durability, Intent, StoreError};

/// What a supervisor says of its pod, and asks.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    pod: PodId,
    ledger: Ledger,
}

impl Recorder {
    pub(super) fn new(pod: PodId, ledger: Ledger) -> Self {
        Self { pod, ledger }
    }

    /// Returns the pod as it is recorded.
    pub(super) fn pod(&self) -> Result<Option<ObservedPod>, StoreError> {
        self.ledger.read(|store| store.pod(&self.pod))
    }

    /// Records the changes and returns the intents that have come after the one numbered `seen`.
    pub(super) fn exchange(&self, changes: &Changes, seen: i64) -> Result<Vec<Intent>, StoreError> {
        self.ledger.write(|store| {
            let mut intents = match changes.is_empty() {
                true => store.pending(&self.pod)?,
                // What power loss takes of this is done again: the intent itself was written to last, and
                // is forgotten only by a later transaction.
                false => store.record(
                    &self.pod,
                    &changes.records,
                    &changes.outcomes,
                    &changes.events,
                    Durability::Normal,
                )?,
            };
            intents.retain(|intent| intent.seq > seen);
            Ok(intents)
        })
    }
}
