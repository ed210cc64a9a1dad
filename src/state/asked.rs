//! What is asked of pods and what became of it: the intents in the database.
//!
//! An intent is written by a command, carried out by the pod's supervisor, and forgotten by the command
//! once it has read the outcome. When the command died before, the next one sees to it. Those of a pod that was
//! removed stay for whoever still waits, with the name of the command that removed it; the last few thousand are kept.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::intent::{Intent, IntentKind, IntentState, Outcome};
use super::sqlite::{Durability, Inner, StoreError};
use super::store::Store;
use crate::model::state::ProcessRef;
use crate::names::{ContainerId, PodId};

/// How many intents later the last word about something that was removed is forgotten.
const KEPT: i64 = 4096;

/// One thing to write down.
#[derive(Debug, Clone)]
pub struct Asked {
    pub pod: PodId,
    /// None: all of the pod.
    pub container: Option<ContainerId>,
    pub kind: IntentKind,
    /// The command that asks, and its process.
    pub by: String,
    pub asker: ProcessRef,
}

/// Something asked whose outcome was not fetched yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfetched {
    pub seq: i64,
    pub pod: PodId,
    pub asker: ProcessRef,
    pub is_pending: bool,
}

/// What became of the writing down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// It has this number.
    As(i64),
    /// The pod or container is gone; by whom, if that is still known.
    Gone { by: Option<String> },
}

impl Noted {
    /// Returns whether there was nothing to ask it of.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }
}

impl Store {
    /// Writes down what is asked, all in one transaction; the numbers rise in the order given.
    ///
    /// The locks of all that is named are held by whoever calls this.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn intend(&mut self, asked: &[Asked]) -> Result<Vec<Noted>, StoreError> {
        self.0.write(Durability::Full, |tx| {
            asked.iter().map(|asked| note(tx, asked)).collect()
        })
    }

    /// Returns the intents of a pod that nobody has carried out, in their order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pending(&self, pod: &PodId) -> Result<Vec<Intent>, StoreError> {
        self.0.read(|tx| pending(tx, pod))
    }

    /// Returns what became of intents, in the order of the numbers; none for one that is forgotten.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn intent_states(&self, numbers: &[i64]) -> Result<Vec<Option<IntentState>>, StoreError> {
        self.0.read(|tx| {
            let mut statement = tx.prepare("SELECT state FROM intents WHERE seq = ?1")?;
            let mut states = Vec::with_capacity(numbers.len());
            for seq in numbers {
                let state: Option<String> =
                    statement.query_row([seq], |row| row.get(0)).optional()?;
                let state = state.map(|state| serde_json::from_str(&state));
                states.push(state.transpose()?);
            }
            Ok(states)
        })
    }

    /// Returns what was asked by commands that have not fetched the outcome yet; takes no lock.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn unfetched(&self) -> Result<Vec<Unfetched>, StoreError> {
        self.0.read(|tx| {
            let pending = serde_json::to_string(&IntentState::Pending)?;
            let mut statement =
                tx.prepare("SELECT seq, pod, asker, state FROM intents WHERE asker IS NOT NULL")?;
            let rows = statement.query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, String>(3)?,
                ))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (seq, pod, asker, state) = row?;
                if let Ok(pod) = PodId::parse(&pod) {
                    found.push(Unfetched {
                        seq,
                        pod,
                        asker: serde_json::from_str(&asker)?,
                        is_pending: state == pending,
                    });
                }
            }
            Ok(found)
        })
    }

    /// Notes that nobody will fetch the outcome of these intents: it is forgotten, at once or when it comes.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn abandon_intents(&mut self, numbers: &[i64]) -> Result<(), StoreError> {
        self.0.write(Durability::Normal, |tx| {
            let pending = serde_json::to_string(&IntentState::Pending)?;
            for seq in numbers {
                tx.execute("UPDATE intents SET asker = NULL WHERE seq = ?1", [seq])?;
                tx.execute(
                    "DELETE FROM intents WHERE seq = ?1 AND state != ?2",
                    params![seq, pending],
                )?;
            }
            Ok(())
        })
    }

    /// Forgets intents that were carried out and told.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_intents(&mut self, numbers: &[i64]) -> Result<(), StoreError> {
        self.0.write(Durability::Normal, |tx| {
            let mut statement = tx.prepare("DELETE FROM intents WHERE seq = ?1")?;
            for seq in numbers {
                statement.execute([seq])?;
            }
            Ok(())
        })
    }
}

/// Returns the intents of a pod that nobody has carried out, in their order.
pub(super) fn pending(tx: &Transaction<'_>, pod: &PodId) -> Result<Vec<Intent>, Inner> {
    let pending = serde_json::to_string(&IntentState::Pending)?;
    let mut statement = tx.prepare_cached(
        "SELECT seq, container, kind, by FROM intents WHERE pod = ?1 AND state = ?2 ORDER BY seq",
    )?;
    let rows = statement.query_map(params![pod.as_str(), pending], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, Option<String>>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    let mut intents = Vec::new();
    for row in rows {
        let (seq, container, kind, by) = row?;
        intents.push(Intent {
            seq,
            container: container.and_then(|id| ContainerId::parse(&id).ok()),
            kind: serde_json::from_str(&kind)?,
            by,
        });
    }
    Ok(intents)
}

fn note(tx: &Transaction<'_>, asked: &Asked) -> Result<Noted, Inner> {
    if !is_there(tx, asked)? {
        return Ok(Noted::Gone {
            by: remover(tx, asked)?,
        });
    }
    tx.execute(
        "INSERT INTO intents (pod, container, kind, by, state, asker) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            asked.pod.as_str(),
            asked.container.as_ref().map(ContainerId::as_str),
            serde_json::to_string(&asked.kind)?,
            asked.by,
            serde_json::to_string(&IntentState::Pending)?,
            serde_json::to_string(&asked.asker)?
        ],
    )?;
    Ok(Noted::As(tx.last_insert_rowid()))
}

fn is_there(tx: &Transaction<'_>, asked: &Asked) -> Result<bool, Inner> {
    let (table, id) = match &asked.container {
        Some(container) => ("containers", container.as_str()),
        None => ("pods", asked.pod.as_str()),
    };
    let query = format!("SELECT 1 FROM {table} WHERE id = ?1");
    let found: Option<i64> = tx.query_row(&query, [id], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

/// Returns which command removed the pod or container.
fn remover(tx: &Transaction<'_>, asked: &Asked) -> Result<Option<String>, Inner> {
    let query = "SELECT by FROM intents WHERE pod = ?1 AND (container IS NULL OR container = ?2) \
                 AND kind LIKE '{\"remove\"%' ORDER BY seq DESC LIMIT 1";
    let container = asked.container.as_ref().map(ContainerId::as_str);
    let by = tx.query_row(query, params![asked.pod.as_str(), container], |row| {
        row.get(0)
    });
    Ok(by.optional()?)
}

/// Tells whoever still waits for something of a pod or container that it was removed, and by whom.
pub(super) fn leave_word(
    tx: &Transaction<'_>,
    pod: &PodId,
    container: Option<&ContainerId>,
    by: &str,
) -> Result<(), Inner> {
    let overtaken = IntentState::Done(Outcome::Overtaken { by: by.to_owned() });
    let container = container.map(ContainerId::as_str);
    tx.execute(
        "UPDATE intents SET state = ?1 WHERE pod = ?2 AND (?3 IS NULL OR container = ?3) AND state = ?4",
        params![
            serde_json::to_string(&overtaken)?,
            pod.as_str(),
            container,
            serde_json::to_string(&IntentState::Pending)?
        ],
    )?;
    tx.execute(
        "INSERT INTO intents (pod, container, kind, by, state) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            pod.as_str(),
            container,
            serde_json::to_string(&IntentKind::Remove { grace: None })?,
            by,
            serde_json::to_string(&IntentState::Done(Outcome::Done))?
        ],
    )?;
    tx.execute(
        "DELETE FROM intents WHERE seq < ?1 AND state != ?2",
        params![
            tx.last_insert_rowid() - KEPT,
            serde_json::to_string(&IntentState::Pending)?
        ],
    )?;
    Ok(())
}
