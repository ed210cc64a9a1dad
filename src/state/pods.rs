//! Pods in the store: recorded with their containers and claims, kept up, and forgotten.

use rusqlite::{Transaction, params};

use super::claims::claim_all;
use super::intent::{Intent, IntentState, Outcome};
use super::sqlite::{Durability, Inner, StoreError};
use super::store::{Store, records};
use super::{asked, events};
use crate::model::event::{EventAction, EventRecord};
use crate::model::observed::{ContainerRecord, ObservedPod, PodRecord};
use crate::names::{ContainerId, PodId};

impl Store {
    /// Returns one pod with its containers.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pod(&self, id: &PodId) -> Result<Option<ObservedPod>, StoreError> {
        self.0.read(|tx| pod(tx, id))
    }

    /// Records a new pod with its containers, and its claims.
    ///
    /// It outlasts a loss of power with the first thing that is asked of the pod, or with [`Self::persist`]:
    /// a play of many pods pays for that once.
    ///
    /// # Errors
    /// [`StoreError::Taken`] names who has a name, address or port of the pod.
    pub fn create_pod(&mut self, pod: &ObservedPod) -> Result<(), StoreError> {
        self.0.write(Durability::Normal, |tx| {
            let id = pod.record.id.as_str();
            tx.execute(
                "INSERT INTO pods (id, record) VALUES (?1, ?2)",
                params![id, serde_json::to_string(&pod.record)?],
            )?;
            claim_all(tx, pod)?;
            for (position, container) in pod.containers.iter().enumerate() {
                tx.execute(
                    "INSERT INTO containers (id, pod, position, record) VALUES (?1, ?2, ?3, ?4)",
                    params![
                        container.id.as_str(),
                        id,
                        i64::try_from(position).unwrap_or(i64::MAX),
                        serde_json::to_string(container)?
                    ],
                )?;
            }
            events::write_of_pod(tx, pod, &EventAction::Create)
        })
    }

    /// Forgets a pod with all that it claims; whoever still asks something of it learns that `by` removed it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_pod(&mut self, id: &PodId, by: &str) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            if let Some(pod) = pod(tx, id)? {
                events::write_of_pod(tx, &pod, &EventAction::Remove)?;
            }
            for table in ["claims", "containers"] {
                tx.execute(
                    &format!("DELETE FROM {table} WHERE pod = ?1"),
                    [id.as_str()],
                )?;
            }
            tx.execute("DELETE FROM pods WHERE id = ?1", [id.as_str()])?;
            asked::leave_word(tx, id, None, by)
        })
    }

    /// Forgets one container of a pod and its name; whoever still asks something of it learns that `by` removed it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_container(
        &mut self,
        pod: &PodId,
        id: &ContainerId,
        full_name: &str,
        by: &str,
    ) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            events::write_of_container(tx, id, &EventAction::Remove)?;
            // Another pod has the name by now if it took this one's place.
            tx.execute(
                "DELETE FROM claims WHERE kind = 'name' AND value = ?1
                 AND pod = ?2",
                [full_name, pod.as_str()],
            )?;
            tx.execute("DELETE FROM containers WHERE id = ?1", [id.as_str()])?;
            asked::leave_word(tx, pod, Some(id), by)
        })
    }

    /// Records what containers of a pod do now, what became of its intents and what there is to tell, in one
    /// transaction; returns the intents that are left, in their order.
    ///
    /// Only the holder of the pod's lease calls this, once and again: its statements are kept.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn record(
        &mut self,
        pod: &PodId,
        containers: &[ContainerRecord],
        outcomes: &[(i64, Outcome)],
        events: &[EventRecord],
        durability: Durability,
    ) -> Result<Vec<Intent>, StoreError> {
        self.0.write(durability, |tx| {
            for container in containers {
                tx.prepare_cached("UPDATE containers SET record = ?2 WHERE id = ?1")?
                    .execute(params![
                        container.id.as_str(),
                        serde_json::to_string(container)?
                    ])?;
            }
            for (seq, outcome) in outcomes {
                let state = IntentState::Done(outcome.clone());
                tx.execute(
                    "UPDATE intents SET state = ?2 WHERE seq = ?1",
                    params![seq, serde_json::to_string(&state)?],
                )?;
                // Whoever asked was killed meanwhile.
                tx.execute(
                    "DELETE FROM intents WHERE seq = ?1 AND asker IS NULL",
                    [seq],
                )?;
            }
            events::write(tx, events)?;
            asked::pending(tx, pod)
        })
    }
}

pub(super) fn pod(tx: &Transaction<'_>, id: &PodId) -> Result<Option<ObservedPod>, Inner> {
    let Some(record) =
        records::<PodRecord>(tx, "SELECT record FROM pods WHERE id = ?1", [id.as_str()])?.pop()
    else {
        return Ok(None);
    };
    let containers = records(
        tx,
        "SELECT record FROM containers WHERE pod = ?1 ORDER BY position",
        [id.as_str()],
    )?;
    Ok(Some(ObservedPod { record, containers }))
}
