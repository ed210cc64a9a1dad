//! Settings of a root directory, chosen once.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::sqlite::{Durability, Inner, StoreError};
use super::store::Store;

impl Store {
    /// Returns a setting of this root, such as the subnet of its bridge; `choose` makes it the first time.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn setting(
        &mut self,
        name: &str,
        choose: impl FnOnce() -> String,
    ) -> Result<String, StoreError> {
        let find = |tx: &Transaction<'_>| {
            tx.query_row(
                "SELECT value FROM settings WHERE name = ?1",
                [name],
                |row| row.get::<_, String>(0),
            )
            .optional()
            .map_err(Inner::from)
        };
        if let Some(value) = self.0.read(find)? {
            return Ok(value);
        }
        self.0.write(Durability::Full, |tx| {
            if let Some(value) = find(tx)? {
                return Ok(value);
            }
            let value = choose();
            tx.execute(
                "INSERT INTO settings (name, value) VALUES (?1, ?2)",
                params![name, value],
            )?;
            Ok(value)
        })
    }

    /// Forgets a setting, to be chosen anew.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_setting(&mut self, name: &str) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            tx.execute("DELETE FROM settings WHERE name = ?1", [name])?;
            Ok(())
        })
    }
}
