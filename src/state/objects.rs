//! ConfigMaps and Secrets in the store; the values of Secrets are not there.

use rusqlite::{Transaction, params};

use super::sqlite::{Durability, Inner, StoreError};
use super::store::{Store, records};
use crate::model::observed::ObjectRecord;
use crate::names::ObjectName;

impl Store {
    /// Records a ConfigMap or Secret, or replaces it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn put_object(&mut self, object: &ObjectRecord) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| write(tx, object))
    }

    /// Records a ConfigMap or Secret and returns the one of its name that was there before, which stays unless
    /// it is to be replaced.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn claim_object(
        &mut self,
        object: &ObjectRecord,
        replace: bool,
    ) -> Result<Option<ObjectRecord>, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let key = params![object.content.kind(), object.name.as_str()];
            let query = "SELECT record FROM objects WHERE kind = ?1 AND name = ?2";
            let old = records(tx, query, key)?.pop();
            if old.is_none() || replace {
                write(tx, object)?;
            }
            Ok(old)
        })
    }

    /// Returns all ConfigMaps and Secrets.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn objects(&self) -> Result<Vec<ObjectRecord>, StoreError> {
        self.0
            .read(|tx| records(tx, "SELECT record FROM objects ORDER BY kind, name", []))
    }

    /// Forgets a ConfigMap or Secret; tells whether there was one.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_object(&mut self, kind: &str, name: &ObjectName) -> Result<bool, StoreError> {
        self.0.write(Durability::Full, |tx| {
            Ok(tx.execute(
                "DELETE FROM objects WHERE kind = ?1 AND name = ?2",
                params![kind, name.as_str()],
            )? > 0)
        })
    }
}

fn write(tx: &Transaction<'_>, object: &ObjectRecord) -> Result<(), Inner> {
    tx.execute(
        "INSERT OR REPLACE INTO objects (kind, name, record) VALUES (?1, ?2, ?3)",
        params![
            object.content.kind(),
            object.name.as_str(),
            serde_json::to_string(object)?
        ],
    )?;
    Ok(())
}
