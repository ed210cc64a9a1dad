//! Images in the store: written as the image layer keeps them, forgotten while no container is of one.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sqlite::{Durability, StoreError};
use super::store::{Store, records};
use crate::model::observed::{ContainerRecord, PodRecord};
use crate::names::{ContainerId, PodName};

/// What keeps an image from going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUser {
    pub pod: PodName,
    /// None: a volume of the pod.
    pub container: Option<ContainerId>,
}

impl fmt::Display for ImageUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.container {
            Some(container) => write!(f, "container {}", container.short())?,
            None => f.write_str("a volume")?,
        }
        write!(f, " of pod `{}`", self.pod)
    }
}

impl Store {
    /// Returns the records of all images, of the type the image layer keeps.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn images<T: DeserializeOwned>(&self) -> Result<Vec<T>, StoreError> {
        self.0
            .read(|tx| records(tx, "SELECT record FROM images ORDER BY id", []))
    }

    /// Lets `change` look at all images and say which records to write and which ids to forget.
    ///
    /// Names move between images, so a change sees and writes them in one transaction.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn change_images<T: DeserializeOwned + Serialize, R>(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<String, T>) -> R,
    ) -> Result<R, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let mut images = BTreeMap::new();
            let mut before = BTreeMap::new();
            let mut statement = tx.prepare("SELECT id, record FROM images")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            for row in rows {
                let (id, record) = row?;
                images.insert(id.clone(), serde_json::from_str(&record)?);
                before.insert(id, record);
            }
            let result = change(&mut images);
            for id in before.keys().filter(|id| !images.contains_key(*id)) {
                tx.execute("DELETE FROM images WHERE id = ?1", [id])?;
            }
            for (id, image) in &images {
                let record = serde_json::to_string(image)?;
                if before.get(id) != Some(&record) {
                    tx.execute(
                        "INSERT OR REPLACE INTO images (id, record) VALUES (?1, ?2)",
                        params![id, record],
                    )?;
                }
            }
            Ok(result)
        })
    }

    /// Forgets an image, or returns what uses it; both are one transaction.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_image(&mut self, image: &str) -> Result<Option<ImageUser>, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let user = tx
                .query_row(
                    "SELECT c.record, p.record FROM containers c JOIN pods p ON p.id = c.pod
                     WHERE json_extract(c.record, '$.image') = ?1 LIMIT 1",
                    [image],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
                )
                .optional()?;
            if let Some((container, pod)) = user {
                let container: ContainerRecord = serde_json::from_str(&container)?;
                let pod: PodRecord = serde_json::from_str(&pod)?;
                return Ok(Some(ImageUser {
                    pod: pod.spec.name,
                    container: Some(container.id),
                }));
            }
            let pods: Vec<PodRecord> = records(
                tx,
                "SELECT p.record FROM pods p, json_each(p.record, '$.volumeImages') v WHERE v.value = ?1 LIMIT 1",
                [image],
            )?;
            if let Some(pod) = pods.into_iter().next() {
                return Ok(Some(ImageUser {
                    pod: pod.spec.name,
                    container: None,
                }));
            }
            tx.execute("DELETE FROM images WHERE id = ?1", [image])?;
            Ok(None)
        })
    }
}
