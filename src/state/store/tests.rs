//! Whole pods recorded, asked things of, replaced and forgotten.

use super::*;
use crate::model::ContainerSpec;
use crate::model::for_tests;
use crate::model::network::{ContainerPort, HostPort, Protocol};
use crate::model::observed::{LogDriver, Standing};
use crate::model::state::{BootId, ProcessRef};
use crate::names::{ContainerId, ImageId, ObjectName};
use crate::state::{Asked, Durability, HandOver, IntentKind, IntentState, Noted, Outcome, Taken};

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let locks = LockDir::open(&directory.path().join("locks")).unwrap();
    let store = Store::open(directory.path(), locks).unwrap();
    (directory, store)
}

fn container(host: Option<(&str, u16)>) -> ContainerSpec {
    let mut container: ContainerSpec = serde_json::from_value(serde_json::json!({
        "name": "c",
        "role": "App",
        "image": "localhost/x",
        "pull": "Never",
        "process": {"limits": {}, "security": {}},
        "privileges": {},
        "probes": {},
        "lifecycle": {},
        "terminal": {"tty": false, "stdin": false, "stdinOnce": false},
        "terminationMessage": {"path": "/dev/termination-log", "policy": "File"},
    }))
    .expect("the form of a container");
    container.ports.push(ContainerPort {
        name: None,
        port: 80,
        protocol: Protocol::Tcp,
        host: host.map(|(ip, port)| HostPort {
            ip: ip.parse().ok(),
            port,
        }),
    });
    container
}

fn pod(name: &str, digit: char, host: Option<(&str, u16)>) -> ObservedPod {
    let id = PodId::parse(&digit.to_string().repeat(64)).unwrap();
    let container = container(host);
    let record = ContainerRecord::new(
        ContainerId::parse(&format!("{digit}c").repeat(32)).unwrap(),
        id.clone(),
        &container,
        ImageId::parse(&"0".repeat(64)).unwrap(),
        jiff::Timestamp::UNIX_EPOCH,
    );
    let mut spec = for_tests::pod(name);
    spec.containers.push(container);
    ObservedPod {
        record: PodRecord {
            id,
            application: ObjectName::parse("a").unwrap(),
            created: jiff::Timestamp::UNIX_EPOCH,
            infra: ContainerId::parse(&format!("{digit}f").repeat(32)).unwrap(),
            addresses: vec![],
            standing: Standing::Serving,
            log_driver: LogDriver::default(),
            volume_images: Default::default(),
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
            .record(&pod.record.id, &[], &done(seq), &[], Durability::Normal)
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
    let done = [(numbers[0], Outcome::Done)];
    let left = store.record(&pod.record.id, &[], &done, &[], Durability::Normal);
    assert_eq!(left.unwrap(), pending[1..]);
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
