use super::super::{Existing, Host, Plan, PlayWish, play};
use super::*;
use crate::clock::{RandomIds, SystemClock};
use crate::manifest::{self, ReadOptions, Source};
use crate::model::network::NetworkRecord;
use crate::names::NetworkName;
use crate::names::ObjectName;
use crate::plan::Action;
use crate::translate::{self, Application, PlayOptions};

fn application(spec: &str) -> Application {
    let yaml = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n{spec}\n  containers:\n  - name: main\n    image: localhost/x\n    volumeMounts: [{{name: v, mountPath: /v}}]\n"
    );
    let source = Source::from_bytes("x.yaml", yaml.into_bytes());
    let mut reading = manifest::read(&[source], &ReadOptions::default());
    let options = PlayOptions::new("/".into());
    translate::translate_reading(&mut reading, &options).application
}

fn host() -> Host {
    let image = ImageId::parse(&"0".repeat(64)).unwrap();
    Host {
        images: BTreeMap::from([(ImageRef::parse("localhost/x").unwrap(), image)]),
        networks: BTreeMap::from([(NetworkName::default_network(), network())]),
        same_secrets: BTreeSet::new(),
    }
}

fn network() -> NetworkRecord {
    NetworkRecord::new(
        NetworkName::default_network(),
        jiff::Timestamp::UNIX_EPOCH,
        "10.0.0.0/24".parse().unwrap(),
        [10, 0, 0, 1].into(),
    )
}

fn planned(spec: &str, observed: &Observed) -> Plan {
    let wish = PlayWish {
        name: ObjectName::parse("x").unwrap(),
        application: application(spec),
        start: true,
        existing: Existing::Replace,
        log_driver: LogDriver::default(),
    };
    play(wish, observed, &host(), &mut RandomIds, &SystemClock).unwrap()
}

/// Plays one pod where another one runs, and returns the words of the plan.
fn replaced(old: &str, new: &str) -> Vec<String> {
    let mut observed = Observed::default();
    for action in planned(old, &observed).0 {
        if let Action::CreatePod(mut pod) = action {
            for container in &mut pod.containers {
                container.wanted = Wanted::Running;
            }
            observed.pods.push(*pod);
        }
    }
    let plan = planned(new, &observed);
    plan.0
        .iter()
        .map(ToString::to_string)
        .filter(|words| !words.contains("volume"))
        .collect()
}

const EMPTY: &str = "  volumes: [{name: v, emptyDir: {}}]";

#[test]
fn what_is_there_as_wanted_is_kept() {
    assert_eq!(
        replaced(EMPTY, EMPTY),
        ["keep pod web, which is as it is wanted"]
    );
}

#[test]
fn pods_that_share_nothing_overlap() {
    let changed = format!("{EMPTY}\n  hostname: other");
    assert_eq!(
        replaced(EMPTY, &changed),
        [
            "create pod web with main (localhost/x)",
            "start pod web",
            "lead name and ports of pod web to the new one",
            "stop and remove pod web",
        ]
    );
}

#[test]
fn pods_that_write_the_same_or_are_the_host_follow_one_another() {
    let claim = "  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]";
    let path = "  volumes: [{name: v, hostPath: {path: /srv/data}}]";
    let below = "  volumes: [{name: v, hostPath: {path: /srv/data/sub}}]";
    let on_host = "  hostNetwork: true\n  volumes: [{name: v, emptyDir: {}}]";
    for (old, new) in [
        (claim.to_owned(), format!("{claim}\n  hostname: other")),
        (path.to_owned(), below.to_owned()),
        (below.to_owned(), path.to_owned()),
        (on_host.to_owned(), format!("{on_host}\n  hostname: other")),
    ] {
        let words = replaced(&old, &new);
        assert_eq!(words[1], "stop the old pod web", "{words:?}");
    }
    for (old, new) in [
        (claim, path),
        (
            path,
            "  volumes: [{name: v, hostPath: {path: /srv/database}}]",
        ),
        (path, EMPTY),
    ] {
        let words = replaced(old, new);
        assert_eq!(words[1], "start pod web", "{words:?}");
    }
}

#[test]
fn what_a_killed_command_left_goes_first() {
    let mut observed = Observed::default();
    for spec in [EMPTY, EMPTY] {
        for action in planned(spec, &Observed::default()).0 {
            if let Action::CreatePod(pod) = action {
                observed.pods.push(*pod);
            }
        }
    }
    let of = observed.pods[0].record.id.clone();
    let left = observed.pods[1].record.id.clone();
    observed.pods[1].record.standing = crate::model::observed::Standing::Candidate { of };
    let plan = planned(EMPTY, &observed);
    assert!(
        matches!(&plan.0[0], Action::RemovePod { id, .. } if *id == left),
        "{plan}"
    );
}
