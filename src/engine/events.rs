//! What has happened, for whoever asks, and for commands that have something to tell.

use super::installation::{Engine, EngineError};
use crate::model::event::{EventAction, EventRecord, EventSubject};

impl Engine {
    /// Returns the events numbered higher than `after`, and the highest number there is.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn events(&self, after: i64) -> Result<(Vec<EventRecord>, i64), EngineError> {
        Ok(self.store.events(after)?)
    }

    /// Returns the number of the last event.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_event(&self) -> Result<i64, EngineError> {
        Ok(self.store.last_event()?)
    }

    /// Notes what a command did.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note(&mut self, subject: EventSubject, action: EventAction) -> Result<(), EngineError> {
        self.note_all([(subject, action)])
    }

    /// Notes what a command did to several things, in one transaction.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_all(
        &mut self,
        done: impl IntoIterator<Item = (EventSubject, EventAction)>,
    ) -> Result<(), EngineError> {
        let at = jiff::Timestamp::now();
        let events: Vec<EventRecord> = done
            .into_iter()
            .map(|(subject, action)| EventRecord {
                at,
                subject,
                action,
                reason: None,
                message: None,
            })
            .collect();
        Ok(self.store.note(&events)?)
    }
}
