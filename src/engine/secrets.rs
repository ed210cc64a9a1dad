//! Secrets made and removed by hand; they are kept as those of a play are.

use super::installation::{Engine, EngineError};
use super::objects::{self, Values};
use crate::model::event::{EventAction, EventSubject};
use crate::model::observed::{ObjectContent, ObjectRecord};
use crate::translate::SecretData;

impl Engine {
    /// Keeps a Secret; tells whether it did, which it does not where there is one and it is not to be replaced.
    ///
    /// # Errors
    /// The values or the record cannot be written.
    pub fn create_secret(
        &mut self,
        record: &ObjectRecord,
        data: &SecretData,
        replace: bool,
    ) -> Result<bool, EngineError> {
        let ObjectContent::Secret { id, .. } = &record.content else {
            return Ok(false);
        };
        let values: Values = data
            .values
            .iter()
            .map(|(key, value)| (key.clone(), value.reveal().to_vec()))
            .collect();
        let held = objects::hold_secrets(&self.paths)?;
        objects::write_secret(&self.paths, id, &values)?;
        let old = self.store.claim_object(record, replace);
        drop(held);
        match old {
            Ok(Some(old)) => {
                let unused = if replace { &old } else { record };
                if let ObjectContent::Secret { id, .. } = &unused.content {
                    objects::remove_secret(&self.paths, id)?;
                }
                if !replace {
                    return Ok(false);
                }
            }
            Ok(None) => {}
            Err(error) => {
                drop(objects::remove_secret(&self.paths, id));
                return Err(error.into());
            }
        }
        self.note(subject(record, id), EventAction::Create)?;
        Ok(true)
    }

    /// Removes a Secret with its values.
    ///
    /// # Errors
    /// The record or the values cannot be removed.
    pub fn remove_secret(&mut self, record: &ObjectRecord) -> Result<(), EngineError> {
        let ObjectContent::Secret { id, .. } = &record.content else {
            return Ok(());
        };
        self.store.remove_object("Secret", &record.name)?;
        objects::remove_secret(&self.paths, id)?;
        self.note(subject(record, id), EventAction::Remove)
    }
}

fn subject(record: &ObjectRecord, id: &str) -> EventSubject {
    EventSubject::Secret {
        id: id.to_owned(),
        name: record.name.to_string(),
    }
}
