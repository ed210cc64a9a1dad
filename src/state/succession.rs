//! One pod takes another's place: name, containers' names and host ports change hands in one transaction.

use rusqlite::{Transaction, params};

use super::claims::claim_all;
use super::pods::pod;
use super::sqlite::{Durability, Inner, StoreError};
use super::store::Store;
use crate::model::observed::{ObservedPod, Standing};
use crate::names::{PodId, PodName};

/// What came of handing a place over.
#[derive(Debug, Clone, PartialEq)]
pub enum HandOver {
    /// The candidate serves; the pod before it, as it was, if it is still there.
    Done(Option<Box<ObservedPod>>),
    /// The candidate was removed meanwhile; nothing has changed.
    NoCandidate,
}

impl Store {
    /// Lets a candidate take the place of the pod it is to replace, which gets a name made from its id.
    ///
    /// # Errors
    /// The database cannot be written, or a third pod has what the candidate claims.
    pub fn hand_over(&mut self, candidate: &PodId) -> Result<HandOver, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let Some(mut new) = pod(tx, candidate)? else {
                return Ok(HandOver::NoCandidate);
            };
            let Standing::Candidate { of } = new.record.standing else {
                return Ok(HandOver::NoCandidate);
            };
            let old = pod(tx, &of)?;
            drop_claims(tx, &[candidate, &of])?;
            new.record.standing = Standing::Serving;
            write(tx, &new)?;
            if let Some(old) = &old {
                write(tx, &retired(old.clone()))?;
            }
            Ok(HandOver::Done(old.map(Box::new)))
        })
    }

    /// Gives the place back to a pod that [`Store::hand_over`] took it from.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn hand_back(&mut self, old: &ObservedPod, candidate: &PodId) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            let of = &old.record.id;
            drop_claims(tx, &[candidate, of])?;
            if pod(tx, of)?.is_some() {
                write(tx, old)?;
            }
            if let Some(mut new) = pod(tx, candidate)? {
                new.record.standing = Standing::Candidate { of: of.clone() };
                write(tx, &new)?;
            }
            Ok(())
        })
    }
}

fn retired(mut pod: ObservedPod) -> ObservedPod {
    let name = format!("retired-{:.12}", pod.record.id.to_string());
    let name = PodName::parse(&name).expect("letters and hex digits make a name");
    let name = std::mem::replace(&mut pod.record.spec.name, name);
    pod.record.standing = Standing::Retired { name };
    pod
}

fn drop_claims(tx: &Transaction<'_>, pods: &[&PodId]) -> Result<(), Inner> {
    for pod in pods {
        tx.execute("DELETE FROM claims WHERE pod = ?1", [pod.as_str()])?;
    }
    Ok(())
}

/// Writes a pod's record and claims; what its containers do is its supervisor's to record.
fn write(tx: &Transaction<'_>, pod: &ObservedPod) -> Result<(), Inner> {
    tx.execute(
        "UPDATE pods SET record = ?2 WHERE id = ?1",
        params![pod.record.id.as_str(), serde_json::to_string(&pod.record)?],
    )?;
    claim_all(tx, pod)
}
