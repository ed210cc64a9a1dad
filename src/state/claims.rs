//! Claims: the names, addresses and host ports of pods, as rows of which there can be only one.
//!
//! A pod that is to take another's place shares that one's claims until then: it claims what is new only.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::networks;
use super::sqlite::Inner;
use super::store::records;
use crate::model::network::PublishedPort;
use crate::model::observed::{ObservedPod, PodRecord, Standing};
use crate::names::{NetworkName, PodId};

/// A name, address or port that somebody else has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Taken {
    #[error("name {name:?} is in use: {what} already exists, {holder}")]
    Name {
        name: String,
        what: &'static str,
        /// Where it is.
        holder: String,
    },
    #[error("address {address} is in use by pod `{holder}`")]
    Address { address: String, holder: String },
    #[error("port {port} is already taken by pod `{holder}`")]
    Port { port: String, holder: String },
    /// A network that is not there any more.
    #[error("unable to find network with name or ID {name}: network not found")]
    Network { name: NetworkName },
    #[error("pod `{name}` is being replaced by another command")]
    Place { name: String },
}

/// Who claims, and whose claims are as good as its own.
#[derive(Debug, Clone, Copy)]
struct Claimant<'a> {
    id: &'a PodId,
    predecessor: Option<&'a PodId>,
}

/// Claims every name, address and port of a pod, or says who has it.
pub(super) fn claim_all(tx: &Transaction<'_>, pod: &ObservedPod) -> Result<(), Inner> {
    let spec = &pod.record.spec;
    let id = &pod.record.id;
    let predecessor = match &pod.record.standing {
        Standing::Candidate { of } => Some(of),
        Standing::Serving | Standing::Retired { .. } => None,
    };
    let claimant = Claimant { id, predecessor };
    if let Some(of) = predecessor
        && claim(tx, "place", of.as_str(), claimant)?.is_some()
    {
        let name = spec.name.to_string();
        return Err(Taken::Place { name }.into());
    }
    claim_name(tx, spec.name.as_str(), claimant, "pod")?;
    networks::require(tx, &pod.record)?;
    claim_addresses(tx, &pod.record, claimant)?;
    if is_retired(&pod.record) {
        return Ok(());
    }
    claim_name(tx, &spec.infra_name(id), claimant, "container")?;
    for container in &pod.containers {
        claim_name(tx, &spec.full_name(&container.name), claimant, "container")?;
    }
    for port in spec.published_ports() {
        claim_port(tx, &port, claimant)?;
    }
    Ok(())
}

/// Claims the addresses; a pod that was taken down for another may share one with it that was asked for.
fn claim_addresses(
    tx: &Transaction<'_>,
    pod: &PodRecord,
    claimant: Claimant<'_>,
) -> Result<(), Inner> {
    for address in &pod.addresses {
        let value = format!("{} {}", address.network, address.address);
        let holder = claim(tx, "address", &value, claimant)?;
        if let Some(holder) = holder.filter(|_| !is_retired(pod)) {
            return Err(Taken::Address {
                address: address.address.to_string(),
                holder: holder.name,
            }
            .into());
        }
    }
    Ok(())
}

fn is_retired(pod: &PodRecord) -> bool {
    matches!(pod.standing, Standing::Retired { .. })
}

fn claim_name(
    tx: &Transaction<'_>,
    name: &str,
    claimant: Claimant<'_>,
    what: &'static str,
) -> Result<(), Inner> {
    match claim(tx, "name", name, claimant)? {
        Some(holder) => Err(Taken::Name {
            name: name.to_owned(),
            what,
            holder: match what {
                "pod" if holder.name == name => format!("with id {}", holder.short_id),
                _ => format!("in pod `{}` {}", holder.name, holder.short_id),
            },
        }
        .into()),
        None => Ok(()),
    }
}

/// Claims a port; one on all addresses excludes one on any.
fn claim_port(
    tx: &Transaction<'_>,
    port: &PublishedPort,
    claimant: Claimant<'_>,
) -> Result<(), Inner> {
    let ip = port
        .one_address()
        .map_or_else(|| "*".to_owned(), |ip| ip.to_string());
    let prefix = format!("{} {} ", port.protocol, port.host_port);
    let predecessor = claimant.predecessor.map_or("", PodId::as_str);
    let holder: Option<String> = tx
        .query_row(
            "SELECT pod FROM claims WHERE kind = 'port' AND substr(value, 1, length(?1)) = ?1
             AND (?2 = '*' OR value IN (?1 || ?2, ?1 || '*')) AND pod <> ?3",
            params![prefix, ip, predecessor],
            |row| row.get(0),
        )
        .optional()?;
    let holder = match holder {
        Some(holder) => Some(pod_name(tx, &holder)?),
        None => claim(tx, "port", &format!("{prefix}{ip}"), claimant)?.map(|holder| holder.name),
    };
    match holder {
        Some(holder) => {
            let port = port.to_string();
            Err(Taken::Port { port, holder }.into())
        }
        None => Ok(()),
    }
}

/// The pod that has what another one claims.
struct ClaimHolder {
    short_id: String,
    name: String,
}

/// Inserts a claim, or returns the pod that has it.
fn claim(
    tx: &Transaction<'_>,
    kind: &str,
    value: &str,
    claimant: Claimant<'_>,
) -> Result<Option<ClaimHolder>, Inner> {
    let inserted = tx.execute(
        "INSERT INTO claims (kind, value, pod) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        params![kind, value, claimant.id.as_str()],
    )?;
    if inserted > 0 {
        return Ok(None);
    }
    let holder: String = tx.query_row(
        "SELECT pod FROM claims WHERE kind = ?1 AND value = ?2",
        params![kind, value],
        |row| row.get(0),
    )?;
    if claimant
        .predecessor
        .is_some_and(|pod| pod.as_str() == holder)
    {
        return Ok(None);
    }
    Ok(Some(ClaimHolder {
        name: pod_name(tx, &holder)?,
        short_id: holder.chars().take(12).collect(),
    }))
}

fn pod_name(tx: &Transaction<'_>, id: &str) -> Result<String, Inner> {
    let records = records::<PodRecord>(tx, "SELECT record FROM pods WHERE id = ?1", [id])?;
    Ok(records
        .first()
        .map_or_else(|| id.to_owned(), |record| record.spec.name.to_string()))
}
