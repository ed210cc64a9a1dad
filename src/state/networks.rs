//! Networks in the store: recorded while none overlaps another, forgotten while no pod is on it.

use rusqlite::params;

use super::events;
use super::sqlite::{Durability, Inner, StoreError};
use super::store::{Store, records};
use crate::model::event::{EventAction, EventSubject};
use crate::model::network::NetworkRecord;
use crate::model::observed::PodRecord;
use crate::names::{NetworkName, PodName};

/// What became of a network that was to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkCreation {
    Made,
    NameTaken,
    /// This network has addresses of it.
    SubnetTaken(NetworkName),
}

/// What became of a network that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkRemoval {
    Removed,
    Unknown,
    /// These pods are on it.
    InUse(Vec<PodName>),
}

impl Store {
    /// Returns all networks but the default one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn networks(&self) -> Result<Vec<NetworkRecord>, StoreError> {
        let query = "SELECT record FROM networks ORDER BY name";
        self.0.read(|tx| records(tx, query, []))
    }

    /// Records a network unless its name or some of its addresses are taken.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn create_network(
        &mut self,
        network: &NetworkRecord,
    ) -> Result<NetworkCreation, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let others: Vec<NetworkRecord> = records(tx, "SELECT record FROM networks", [])?;
            if others.iter().any(|other| other.name == network.name) {
                return Ok(NetworkCreation::NameTaken);
            }
            let overlaps = |other: &&NetworkRecord| other.subnet.overlaps(network.subnet);
            if let Some(other) = others.iter().find(overlaps) {
                return Ok(NetworkCreation::SubnetTaken(other.name.clone()));
            }
            tx.execute(
                "INSERT INTO networks (name, record) VALUES (?1, ?2)",
                params![network.name.as_str(), serde_json::to_string(network)?],
            )?;
            events::write_now(tx, EventSubject::network(network), &EventAction::Create)?;
            Ok(NetworkCreation::Made)
        })
    }

    /// Forgets a network that no pod is on.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_network(&mut self, name: &NetworkName) -> Result<NetworkRemoval, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let pods: Vec<PodRecord> = records(tx, "SELECT record FROM pods", [])?;
            let users: Vec<PodName> = pods
                .into_iter()
                .filter(|pod| pod.spec.infra.network.joins(name))
                .map(|pod| pod.spec.name)
                .collect();
            if !users.is_empty() {
                return Ok(NetworkRemoval::InUse(users));
            }
            let query = "DELETE FROM networks WHERE name = ?1 RETURNING record";
            let Some(network) = records::<NetworkRecord>(tx, query, [name.as_str()])?.pop() else {
                return Ok(NetworkRemoval::Unknown);
            };
            events::write_now(tx, EventSubject::network(&network), &EventAction::Remove)?;
            Ok(NetworkRemoval::Removed)
        })
    }
}

/// Makes sure that the networks of a pod are still there, in the transaction that records it.
pub(super) fn require(tx: &rusqlite::Transaction<'_>, pod: &PodRecord) -> Result<(), Inner> {
    for assigned in &pod.addresses {
        let name = &assigned.network;
        let query = "SELECT 1 FROM networks WHERE name = ?1";
        if !name.is_default() && !tx.prepare(query)?.exists([name.as_str()])? {
            return Err(super::claims::Taken::Network { name: name.clone() }.into());
        }
    }
    Ok(())
}
