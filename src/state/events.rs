//! The events in the store: written with what they tell of, in one transaction, and of bounded number.

use rusqlite::{Transaction, params};

use super::pods::pod;
use super::sqlite::{Durability, Inner, StoreError};
use super::store::{Store, records};
use crate::clock::{Clock as _, SystemClock};
use crate::model::event::{EventAction, EventRecord, EventSubject};
use crate::model::observed::{ContainerRecord, ObservedPod};
use crate::names::ContainerId;

/// How many events are kept; the oldest go.
const KEPT: i64 = 10_000;

impl Store {
    /// Returns the events numbered higher than `after`, in their order, and the highest number there is.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn events(&self, after: i64) -> Result<(Vec<EventRecord>, i64), StoreError> {
        self.0.read(|tx| {
            let query = "SELECT record FROM events WHERE seq > ?1 ORDER BY seq";
            Ok((records(tx, query, [after])?, highest(tx)?.max(after)))
        })
    }

    /// Returns the number of the last event.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        self.0.read(highest)
    }

    /// Notes what has happened.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note(&mut self, events: &[EventRecord]) -> Result<(), StoreError> {
        self.0.write(Durability::Normal, |tx| write(tx, events))
    }
}

fn highest(tx: &Transaction<'_>) -> Result<i64, Inner> {
    let query = "SELECT coalesce(max(seq), 0) FROM events";
    Ok(tx.query_row(query, [], |row| row.get(0))?)
}

/// Writes events in the transaction of what they tell of.
pub(super) fn write(tx: &Transaction<'_>, events: &[EventRecord]) -> Result<(), Inner> {
    if events.is_empty() {
        return Ok(());
    }
    let mut statement = tx.prepare_cached("INSERT INTO events (record) VALUES (?1)")?;
    for event in events {
        statement.execute(params![serde_json::to_string(event)?])?;
    }
    let oldest = tx.last_insert_rowid() - KEPT;
    tx.prepare_cached("DELETE FROM events WHERE seq <= ?1")?
        .execute([oldest])?;
    Ok(())
}

/// Writes that a pod and its containers came or went.
pub(super) fn write_of_pod(
    tx: &Transaction<'_>,
    pod: &ObservedPod,
    action: &EventAction,
) -> Result<(), Inner> {
    let containers = pod.containers.iter();
    let containers = containers.map(|one| EventSubject::container(&pod.record, one));
    let pod = std::iter::once(EventSubject::pod(&pod.record));
    let events: Vec<EventRecord> = match action {
        EventAction::Remove => containers.chain(pod).map(|one| now(one, action)).collect(),
        _ => pod.chain(containers).map(|one| now(one, action)).collect(),
    };
    write(tx, &events)
}

/// Writes that one container came or went; one that is not there has nothing to tell.
pub(super) fn write_of_container(
    tx: &Transaction<'_>,
    id: &ContainerId,
    action: &EventAction,
) -> Result<(), Inner> {
    let query = "SELECT record FROM containers WHERE id = ?1";
    let Some(container) = records::<ContainerRecord>(tx, query, [id.as_str()])?.pop() else {
        return Ok(());
    };
    let Some(pod) = pod(tx, &container.pod)? else {
        return Ok(());
    };
    write_now(tx, EventSubject::container(&pod.record, &container), action)
}

/// Writes that something came or went, in the transaction that says so.
pub(super) fn write_now(
    tx: &Transaction<'_>,
    subject: EventSubject,
    action: &EventAction,
) -> Result<(), Inner> {
    write(tx, &[now(subject, action)])
}

fn now(subject: EventSubject, action: &EventAction) -> EventRecord {
    EventRecord {
        at: SystemClock.now(),
        subject,
        action: action.clone(),
        reason: None,
        message: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::LockDir;

    fn event(name: &str) -> EventRecord {
        EventRecord {
            at: jiff::Timestamp::UNIX_EPOCH,
            subject: EventSubject::Volume {
                name: name.to_owned(),
            },
            action: EventAction::Create,
            reason: None,
            message: None,
        }
    }

    #[test]
    fn events_are_numbered_and_the_oldest_go() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDir::open(&directory.path().join("locks")).unwrap();
        let mut store = Store::open(directory.path(), locks).unwrap();
        assert_eq!(store.events(0).unwrap(), (vec![], 0));
        store.note(&[event("a"), event("b")]).unwrap();
        assert_eq!(store.events(1).unwrap(), (vec![event("b")], 2));
        let many: Vec<EventRecord> = (0..KEPT).map(|number| event(&number.to_string())).collect();
        store.note(&many).unwrap();
        let (kept, last) = store.events(0).unwrap();
        assert_eq!((kept.len(), last), (10_000, KEPT + 2));
        assert_eq!(kept, many);
        assert_eq!(store.last_event().unwrap(), last);
    }
}
