//! The store: pods, containers, images, volumes, networks, objects, intents and claims, as typed records.
//!
//! A record is stored as the JSON of its model type; a column beside it is only what is searched by.
//! Names, addresses and host ports are *claims*: rows inserted in the transaction that creates the pod,
//! so that two commands cannot both have one.

use std::path::Path;

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::asked;
use super::claims::claim_all;
use super::intent::{IntentState, Outcome};
use super::lock::LockDir;
use super::sqlite::{Database, Durability, Inner, StoreError};
use crate::model::event::{EventAction, EventRecord};
use crate::model::observed::{ContainerRecord, ObjectRecord, Observed, ObservedPod, PodRecord};
use crate::names::{ContainerId, ObjectName, PodId, PodName};

const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE pods (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE containers (
  id TEXT PRIMARY KEY,
  pod TEXT NOT NULL REFERENCES pods,
  position INTEGER NOT NULL,
  record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX containers_of_pod ON containers (pod, position);
CREATE TABLE claims (
  kind TEXT NOT NULL, value TEXT NOT NULL, pod TEXT NOT NULL REFERENCES pods,
  PRIMARY KEY (kind, value)) STRICT, WITHOUT ROWID;
CREATE INDEX claims_of_pod ON claims (pod);
CREATE TABLE images (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE volumes (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE objects (
  kind TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
CREATE TABLE intents (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  pod TEXT NOT NULL, container TEXT,
  kind TEXT NOT NULL, by TEXT NOT NULL, state TEXT NOT NULL) STRICT;
CREATE INDEX intents_of_pod ON intents (pod, seq);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  by TEXT NOT NULL, process TEXT NOT NULL, steps TEXT NOT NULL) STRICT;
",
    "
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL) STRICT;
",
    "
CREATE TABLE networks (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
    "
ALTER TABLE intents ADD COLUMN asker TEXT;
CREATE INDEX intents_to_fetch ON intents (asker) WHERE asker IS NOT NULL;
",
];

/// What the file is called.
pub(super) const NAME: &str = "db.sqlite";

/// The database of one root directory.
#[derive(Debug)]
pub struct Store(pub(super) Database);

/// A container that keeps an image from going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUser {
    pub container: ContainerId,
    pub pod: PodName,
}

impl Store {
    /// Opens the database below `root`.
    ///
    /// # Errors
    /// It cannot be opened, or a newer version wrote it.
    pub fn open(root: &Path, locks: LockDir) -> Result<Self, StoreError> {
        Database::open(&root.join(NAME), locks, MIGRATIONS).map(Self)
    }

    /// Reads the whole file and returns what is wrong with it: nothing, for a sound one.
    ///
    /// # Errors
    /// The file is too damaged to be read.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        self.0.faults()
    }

    /// Returns everything recorded, of one moment; takes no lock.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn observed(&self) -> Result<Observed, StoreError> {
        self.0.read(|tx| {
            let mut pods: Vec<ObservedPod> =
                records::<PodRecord>(tx, "SELECT record FROM pods", [])?
                    .into_iter()
                    .map(|record| ObservedPod {
                        record,
                        containers: Vec::new(),
                    })
                    .collect();
            pods.sort_by(|a, b| {
                (a.record.created, &a.record.id).cmp(&(b.record.created, &b.record.id))
            });
            let places: std::collections::HashMap<PodId, usize> = pods
                .iter()
                .enumerate()
                .map(|(place, pod)| (pod.record.id.clone(), place))
                .collect();
            let containers: Vec<ContainerRecord> = records(
                tx,
                "SELECT record FROM containers ORDER BY pod, position",
                [],
            )?;
            for container in containers {
                if let Some(place) = places.get(&container.pod) {
                    pods[*place].containers.push(container);
                }
            }
            Ok(Observed {
                pods,
                volumes: records(tx, "SELECT record FROM volumes ORDER BY name", [])?,
                objects: records(tx, "SELECT record FROM objects ORDER BY kind, name", [])?,
                networks: records(tx, "SELECT record FROM networks ORDER BY name", [])?,
            })
        })
    }

    /// Returns one pod with its containers.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pod(&self, id: &PodId) -> Result<Option<ObservedPod>, StoreError> {
        self.0.read(|tx| pod(tx, id))
    }

    /// Makes everything written so far outlast a loss of power.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn persist(&self) -> Result<(), StoreError> {
        self.0.persist()
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
            super::events::write_of_pod(tx, pod, &EventAction::Create)
        })
    }

    /// Forgets a pod with all that it claims; whoever still asks something of it learns that `by` removed it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_pod(&mut self, id: &PodId, by: &str) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            if let Some(pod) = pod(tx, id)? {
                super::events::write_of_pod(tx, &pod, &EventAction::Remove)?;
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
            super::events::write_of_container(tx, id, &EventAction::Remove)?;
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

    /// Records what containers do now, what became of intents and what there is to tell, in one transaction.
    ///
    /// Only the holder of the pod's lease calls this.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn record(
        &mut self,
        containers: &[&ContainerRecord],
        outcomes: &[(i64, Outcome)],
        events: &[EventRecord],
        durability: Durability,
    ) -> Result<(), StoreError> {
        self.0.write(durability, |tx| {
            for container in containers {
                tx.execute(
                    "UPDATE containers SET record = ?2 WHERE id = ?1",
                    params![container.id.as_str(), serde_json::to_string(container)?],
                )?;
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
            super::events::write(tx, events)
        })
    }

    /// Records a ConfigMap or Secret, or replaces it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn put_object(&mut self, object: &ObjectRecord) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO objects (kind, name, record) VALUES (?1, ?2, ?3)",
                params![
                    object.content.kind(),
                    object.name.as_str(),
                    serde_json::to_string(object)?
                ],
            )?;
            Ok(())
        })
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
                tx.execute(
                    "INSERT OR REPLACE INTO objects (kind, name, record) VALUES (?1, ?2, ?3)",
                    params![
                        object.content.kind(),
                        object.name.as_str(),
                        serde_json::to_string(object)?
                    ],
                )?;
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
        change: impl FnOnce(&mut std::collections::BTreeMap<String, T>) -> R,
    ) -> Result<R, StoreError> {
        self.0.write(Durability::Full, |tx| {
            let mut images = std::collections::BTreeMap::new();
            let mut before = std::collections::BTreeMap::new();
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

    /// Forgets an image, or returns a container that uses it; both are one transaction.
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
                    container: container.id,
                    pod: pod.spec.name,
                }));
            }
            tx.execute("DELETE FROM images WHERE id = ?1", [image])?;
            Ok(None)
        })
    }

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

pub(super) fn records<T: DeserializeOwned>(
    tx: &Transaction<'_>,
    query: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<T>, Inner> {
    let mut statement = tx.prepare(query)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(serde_json::from_str(row.get_ref(0)?.as_str().map_err(
            |error| {
                Inner::Sqlite(rusqlite::Error::FromSqlConversionFailure(
                    0,
                    rusqlite::types::Type::Text,
                    error.into(),
                ))
            },
        )?)?);
    }
    Ok(found)
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

#[cfg(test)]
mod tests {
    use super::super::asked::{Asked, Noted};
    use super::super::intent::IntentKind;
    use super::super::{HandOver, Taken};
    use super::*;
    use crate::model::container::{
        Lifecycle, Privileges, Probes, ProcessSpec, PullPolicy, Terminal, TerminationMessage,
    };
    use crate::model::infra::{
        EtcHostname, FsGroupChange, HostsFile, InfraSpec, IpcNamespace, PidNamespace,
        SharedNamespaces, UserNamespace,
    };
    use crate::model::network::{ContainerPort, DnsSpec, HostPort, NetworkSpec, Protocol};
    use crate::model::observed::Standing;
    use crate::model::pod::{ContainerNaming, PodSpec, RestartPolicy};
    use crate::model::quantity::Seconds;
    use crate::model::state::{BootId, ProcessRef};
    use crate::model::{ContainerSpec, Role};
    use crate::names::{ContainerName, ImageId, ImageRef, PodName};
    use std::collections::BTreeMap;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDir::open(&directory.path().join("locks")).unwrap();
        let store = Store::open(directory.path(), locks).unwrap();
        (directory, store)
    }

    fn pod(name: &str, digit: char, host: Option<(&str, u16)>) -> ObservedPod {
        let id = PodId::parse(&digit.to_string().repeat(64)).unwrap();
        let container = ContainerSpec {
            name: ContainerName::parse("c").unwrap(),
            role: Role::App,
            image: ImageRef::parse("localhost/x").unwrap(),
            pull: PullPolicy::Never,
            command: None,
            args: None,
            working_dir: None,
            env_from: vec![],
            env: vec![],
            ports: vec![ContainerPort {
                name: None,
                port: 80,
                protocol: Protocol::Tcp,
                host: host.map(|(ip, port)| HostPort {
                    ip: ip.parse().ok(),
                    port,
                }),
            }],
            mounts: vec![],
            devices: vec![],
            process: ProcessSpec::default(),
            privileges: Privileges::default(),
            probes: Probes::default(),
            lifecycle: Lifecycle::default(),
            terminal: Terminal::default(),
            termination_message: TerminationMessage::default(),
        };
        let record = ContainerRecord::new(
            ContainerId::parse(&format!("{digit}c").repeat(32)).unwrap(),
            id.clone(),
            &container,
            ImageId::parse(&"0".repeat(64)).unwrap(),
            jiff::Timestamp::UNIX_EPOCH,
        );
        let spec = PodSpec {
            name: PodName::parse(name).unwrap(),
            namespace: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            infra: InfraSpec {
                process: ProcessSpec::default(),
                name: None,
                hostname: None,
                subdomain: None,
                network: NetworkSpec::Bridge { networks: vec![] },
                dns: DnsSpec::default(),
                hosts: HostsFile::Pod { aliases: vec![] },
                etc_hostname: EtcHostname::Pod,
                shared: SharedNamespaces {
                    pid: PidNamespace::Container,
                    ipc: IpcNamespace::Pod,
                },
                user_namespace: UserNamespace::Host,
                sysctls: BTreeMap::new(),
                supplemental_groups: vec![],
                fs_group: None,
                fs_group_change: FsGroupChange::Always,
            },
            init_containers: vec![],
            containers: vec![container],
            volumes: BTreeMap::new(),
            restart_policy: RestartPolicy::Always,
            termination_grace: Seconds(30),
            active_deadline: None,
            service_account: None,
            image_pull_secrets: vec![],
            naming: ContainerNaming::PodPrefix,
        };
        ObservedPod {
            record: PodRecord {
                id,
                application: ObjectName::parse("a").unwrap(),
                created: jiff::Timestamp::UNIX_EPOCH,
                infra: ContainerId::parse(&format!("{digit}f").repeat(32)).unwrap(),
                addresses: vec![],
                standing: Standing::Serving,
                log_driver: crate::model::observed::LogDriver::default(),
                spec,
            },
            containers: vec![record],
        }
    }

    #[test]
    fn what_is_recorded_is_observed() {
        let (_directory, mut store) = store();
        let pod = pod("web", '1', Some(("", 8080)));
        store.create_pod(&pod).unwrap();
        assert_eq!(store.observed().unwrap().pods, std::slice::from_ref(&pod));
        store.remove_pod(&pod.record.id, "rm").unwrap();
        assert!(store.observed().unwrap().pods.is_empty());
        store.create_pod(&pod).unwrap();
    }

    #[test]
    fn a_name_in_use_is_told_and_nothing_is_recorded() {
        let (_directory, mut store) = store();
        store.create_pod(&pod("web", '1', None)).unwrap();
        let error = store.create_pod(&pod("web", '2', None)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "name \"web\" is in use: pod already exists, with id 111111111111"
        );
        assert_eq!(store.observed().unwrap().pods.len(), 1);
    }

    #[test]
    fn ports_overlap_across_addresses() {
        for (first, second, free) in [
            (("", 80), ("", 80), false),
            (("", 80), ("127.0.0.1", 80), false),
            (("127.0.0.1", 80), ("0.0.0.0", 80), false),
            (("127.0.0.1", 80), ("127.0.0.2", 80), true),
            (("", 80), ("", 8080), true),
        ] {
            let (_directory, mut store) = store();
            store.create_pod(&pod("a", '1', Some(first))).unwrap();
            let second = store.create_pod(&pod("b", '2', Some(second)));
            assert_eq!(second.is_ok(), free, "{second:?}");
        }
    }

    fn asked(pod: &ObservedPod, kind: IntentKind) -> Asked {
        Asked {
            pod: pod.record.id.clone(),
            container: None,
            kind,
            by: "test".to_owned(),
            asker: ProcessRef {
                pid: 7,
                start_time: 1,
                boot: BootId("boot".to_owned()),
            },
        }
    }

    #[test]
    fn the_outcome_of_what_a_dead_command_asked_is_forgotten_when_it_comes() {
        let (_directory, mut store) = store();
        let pod = pod("web", '1', None);
        store.create_pod(&pod).unwrap();
        let wanted = [IntentKind::Start, IntentKind::Stop { grace: None }];
        store.intend(&wanted.map(|kind| asked(&pod, kind))).unwrap();
        let unfetched = store.unfetched().unwrap();
        let numbers: Vec<i64> = unfetched.iter().map(|intent| intent.seq).collect();
        assert!(unfetched.iter().all(|intent| intent.is_pending));
        let done = |seq| [(seq, Outcome::Done)];
        let record = |store: &mut Store, seq| {
            store
                .record(&[], &done(seq), &[], Durability::Normal)
                .unwrap();
        };
        record(&mut store, numbers[0]);
        assert!(!store.unfetched().unwrap()[0].is_pending);
        store.abandon_intents(&numbers).unwrap();
        assert_eq!(store.unfetched().unwrap(), []);
        // The one that was done is gone, the other is still to be done.
        let states = store.intent_states(&numbers).unwrap();
        assert_eq!(states, [None, Some(IntentState::Pending)]);
        record(&mut store, numbers[1]);
        assert_eq!(store.intent_states(&numbers).unwrap(), [None, None]);
    }

    #[test]
    fn intents_are_carried_out_in_order_and_remembered() {
        let (_directory, mut store) = store();
        let pod = pod("web", '1', None);
        store.create_pod(&pod).unwrap();
        let wanted = [IntentKind::Start, IntentKind::Stop { grace: None }];
        let noted = store.intend(&wanted.map(|kind| asked(&pod, kind))).unwrap();
        let pending = store.pending(&pod.record.id).unwrap();
        let numbers: Vec<_> = pending.iter().map(|intent| intent.seq).collect();
        assert_eq!(
            noted,
            numbers.iter().copied().map(Noted::As).collect::<Vec<_>>()
        );
        store
            .record(&[], &[(numbers[0], Outcome::Done)], &[], Durability::Normal)
            .unwrap();
        assert_eq!(store.pending(&pod.record.id).unwrap().len(), 1);
        assert_eq!(
            store.intent_states(&numbers).unwrap(),
            [
                Some(IntentState::Done(Outcome::Done)),
                Some(IntentState::Pending)
            ]
        );
        store.forget_intents(&numbers).unwrap();
        assert_eq!(store.intent_states(&numbers).unwrap(), [None, None]);
    }

    #[test]
    fn who_waits_for_something_of_a_removed_pod_learns_who_removed_it() {
        let (_directory, mut store) = store();
        let pod = pod("web", '1', None);
        store.create_pod(&pod).unwrap();
        let start = asked(&pod, IntentKind::Start);
        let noted = store.intend(std::slice::from_ref(&start)).unwrap();
        let Noted::As(seq) = noted[0] else {
            panic!("{noted:?}");
        };
        store.remove_pod(&pod.record.id, "pod rm (pid 7)").unwrap();
        let by = "pod rm (pid 7)".to_owned();
        assert_eq!(
            store.intent_states(&[seq]).unwrap(),
            [Some(IntentState::Done(Outcome::Overtaken {
                by: by.clone()
            }))]
        );
        let later = store.intend(&[start]).unwrap();
        assert_eq!(later, [Noted::Gone { by: Some(by) }]);
    }

    #[test]
    fn a_newer_database_is_refused() {
        let (directory, store) = store();
        drop(store);
        rusqlite::Connection::open(directory.path().join("db.sqlite"))
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let locks = LockDir::open(&directory.path().join("locks")).unwrap();
        assert!(matches!(
            Store::open(directory.path(), locks),
            Err(StoreError::Newer { found: 99, .. })
        ));
    }

    #[test]
    fn a_damaged_database_is_told() {
        let (directory, store) = store();
        drop(store);
        std::fs::write(directory.path().join("db.sqlite"), [7u8; 8192]).unwrap();
        let _ = std::fs::remove_file(directory.path().join("db.sqlite-wal"));
        let locks = LockDir::open(&directory.path().join("locks")).unwrap();
        assert!(matches!(
            Store::open(directory.path(), locks),
            Err(StoreError::Damaged { .. })
        ));
    }

    #[test]
    fn a_candidate_shares_the_claims_of_the_pod_it_replaces_and_of_no_other() {
        let (_directory, mut store) = store();
        let old = pod("web", 'a', Some(("0.0.0.0", 80)));
        store.create_pod(&old).unwrap();
        store
            .create_pod(&pod("other", 'b', Some(("0.0.0.0", 81))))
            .unwrap();
        let candidate = |digit, port| {
            let mut pod = pod("web", digit, Some(("0.0.0.0", port)));
            let of = old.record.id.clone();
            pod.record.standing = Standing::Candidate { of };
            pod
        };
        let taken = store.create_pod(&candidate('c', 81)).unwrap_err();
        assert!(
            matches!(taken, StoreError::Taken(Taken::Port { .. })),
            "{taken}"
        );
        let new = candidate('d', 80);
        store.create_pod(&new).unwrap();
        let second = store.create_pod(&candidate('e', 80)).unwrap_err();
        assert!(
            matches!(second, StoreError::Taken(Taken::Place { .. })),
            "{second}"
        );

        let HandOver::Done(Some(before)) = store.hand_over(&new.record.id).unwrap() else {
            panic!("nobody handed over");
        };
        assert_eq!(*before, old);
        let name = |store: &Store, id: &PodId| store.pod(id).unwrap().unwrap().record.spec.name;
        assert_eq!(name(&store, &new.record.id).as_str(), "web");
        assert_eq!(
            name(&store, &old.record.id).as_str(),
            "retired-aaaaaaaaaaaa"
        );
        store.hand_back(&before, &new.record.id).unwrap();
        assert_eq!(store.pod(&old.record.id).unwrap().unwrap(), old);
        assert_eq!(store.pod(&new.record.id).unwrap().unwrap(), new);

        store.hand_over(&new.record.id).unwrap();
        store.remove_pod(&old.record.id, "a test").unwrap();
        let taken = store.create_pod(&pod("web", 'f', None)).unwrap_err();
        assert!(
            matches!(taken, StoreError::Taken(Taken::Name { .. })),
            "{taken}"
        );
    }
}
