//! A process of ours dies at every point there is, one after the other, and what it was doing is undone or completed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use podwright::fault::VARIABLE;
use podwright::model::observed::ObjectContent;
use podwright::plan::ActionKind;

use super::host::{Host, PATIENCE, Ran, pod};

/// What ends in turn.
const VICTIMS: &[&str] = &["command", "supervisor", "stage", "keeper"];

/// What is there when all has settled.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// No pod, object or volume.
    Gone,
    /// Everything of the manifest, and all of it runs.
    Complete,
    /// As complete, without the container `side`.
    WithoutSide,
    /// The objects that were there before, and nothing else.
    Old,
}

/// What a process dies in.
struct Scenario {
    name: &'static str,
    prepare: fn(&Host),
    command: &'static [&'static str],
    /// What may be after a command that was killed.
    allowed: &'static [State],
    /// What is after a command that succeeded, and after one that failed.
    success: State,
    failure: State,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "play on two networks",
        prepare: |host| {
            drop(
                host.run(&["network", "create", "--ignore", "back"])
                    .expect(),
            )
        },
        command: &[
            "kube",
            "play",
            "--network",
            "bridge",
            "--network",
            "back",
            "all.yaml",
        ],
        allowed: &[State::Gone, State::Complete],
        success: State::Complete,
        failure: State::Gone,
    },
    Scenario {
        name: "failing play",
        prepare: |host| drop(host.run(&["kube", "play", "old.yaml"]).expect()),
        command: &["kube", "play", "bad.yaml"],
        allowed: &[State::Old],
        success: State::Old,
        failure: State::Old,
    },
    Scenario {
        name: "replace",
        prepare: |host| drop(host.run(&["kube", "play", "plain.yaml"]).expect()),
        command: &["kube", "play", "--replace", "plain-new.yaml"],
        allowed: &[State::Complete],
        success: State::Complete,
        failure: State::Complete,
    },
    Scenario {
        name: "replace a pod that cannot run beside its successor",
        prepare: play_all,
        command: &["kube", "play", "--replace", "all-new.yaml"],
        allowed: &[State::Complete],
        success: State::Complete,
        failure: State::Complete,
    },
    Scenario {
        name: "down",
        prepare: play_all,
        command: &["kube", "down", "--force", "all.yaml"],
        allowed: &[State::Gone, State::Complete],
        success: State::Gone,
        failure: State::Complete,
    },
    Scenario {
        name: "restart",
        prepare: play_all,
        command: &["restart", "web-main"],
        allowed: &[State::Complete],
        success: State::Complete,
        failure: State::Complete,
    },
    Scenario {
        name: "remove a container",
        prepare: play_all,
        command: &["rm", "--force", "--time", "0", "web-side"],
        allowed: &[State::Complete, State::WithoutSide],
        success: State::WithoutSide,
        failure: State::Complete,
    },
    Scenario {
        name: "remove a pod",
        prepare: |host| drop(host.run(&["kube", "play", "plain.yaml"]).expect()),
        command: &["pod", "rm", "--force", "--time", "0", "plain"],
        allowed: &[State::Gone, State::Complete],
        success: State::Gone,
        failure: State::Complete,
    },
];

fn play_all(host: &Host) {
    host.run(&["kube", "play", "all.yaml"]).expect();
}

const OBJECTS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {key: VALUE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: VALUE}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: CLAIM}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
---
";

fn objects(value: &str, claim: &str) -> String {
    OBJECTS.replace("VALUE", value).replace("CLAIM", claim)
}

fn write_manifests(host: &Host) {
    let main = "command: [sleep, '1000']\nports: [{containerPort: 80, hostPort: 8089}]\nvolumeMounts:\n- {name: keys, mountPath: /keys}\n- {name: settings, mountPath: /settings}\n- {name: data, mountPath: /data}\n- {name: scratch, mountPath: /scratch}";
    let spec = "terminationGracePeriodSeconds: 0\nshareProcessNamespace: true\nvolumes:\n- {name: keys, secret: {secretName: keys}}\n- {name: settings, configMap: {name: settings}}\n- {name: data, persistentVolumeClaim: {claimName: data}}\n- {name: scratch, emptyDir: {medium: Memory}}";
    let web = pod("web", main, spec)
        + "  - name: side\n    image: localhost/busybox\n    command: [sleep, '1000']\n";
    host.write("all", &(objects("new", "data") + &web));
    // A ConfigMap is kept for a pod that names it; the anchor goes with what it keeps.
    let anchor = pod(
        "anchor",
        "command: [sleep, '1000']\nenvFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}]",
        "terminationGracePeriodSeconds: 0",
    );
    host.write("old", &(objects("old", "data") + &anchor));
    let bad = pod("bad", "command: [/not/there]", "restartPolicy: Never");
    host.write("bad", &(objects("newer", "other") + &bad));
    let plain = pod(
        "plain",
        "command: [sleep, '1000']",
        "terminationGracePeriodSeconds: 0",
    );
    host.write("plain", &plain);
    host.write("plain-new", &plain.replace("1000", "1001"));
    let web = web.replace("1000", "1001");
    host.write("all-new", &(objects("newer", "data") + &web));
}

#[test]
fn whatever_dies_at_whatever_point_is_undone_or_completed_by_the_next_command() {
    if Host::new().is_none() {
        return;
    }
    let begun = Instant::now();
    let hit: Vec<(&str, BTreeSet<String>, usize)> = std::thread::scope(|scope| {
        let threads: Vec<_> = SCENARIOS
            .iter()
            .map(|scenario| scope.spawn(|| walk(scenario)))
            .collect();
        threads
            .into_iter()
            .zip(SCENARIOS)
            .map(|(thread, scenario)| {
                let (names, count) = thread.join().expect("a scenario passes");
                (scenario.name, names, count)
            })
            .collect()
    });
    let mut all = BTreeSet::new();
    let mut deaths = 0;
    for (scenario, names, count) in hit {
        say(&format!(
            "{scenario}: {count} deaths at {} different points",
            names.len()
        ));
        deaths += count;
        all.extend(names);
    }
    say(&format!(
        "{deaths} deaths at {} different points in {:?}",
        all.len(),
        begun.elapsed()
    ));
    for name in &all {
        say(&format!("  {name}"));
    }
    for kind in ActionKind::ALL
        .iter()
        .filter(|kind| **kind != ActionKind::KeepPod)
    {
        for side in ["before", "after"] {
            let name = format!("command {side} to {}", kind.word());
            assert!(all.contains(&name), "no death {name}");
        }
    }
    for name in [
        "supervisor with a volume's new files written",
        "supervisor with a volume switched over",
        "keeper with a descriptor kept",
    ] {
        assert!(all.contains(name), "no death {name}");
    }
}

#[expect(clippy::print_stderr, reason = "the test tells what it has covered")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// Kills at every point of a scenario; returns the names of the points and how many deaths there were.
fn walk(scenario: &Scenario) -> (BTreeSet<String>, usize) {
    let host = Host::new().expect("a host");
    write_manifests(&host);
    let mut names = BTreeSet::new();
    let mut deaths = 0;
    for victim in VICTIMS {
        for number in 1.. {
            match die(&host, scenario, victim, number) {
                Some(name) => {
                    names.insert(format!("{victim} {name}"));
                    deaths += 1;
                }
                None => break,
            }
        }
    }
    (names, deaths)
}

/// Lets one process die, and sees to it that the next command finds things in order; returns where it died.
fn die(host: &Host, scenario: &Scenario, victim: &str, number: u32) -> Option<String> {
    (scenario.prepare)(host);
    if victim != "command" {
        // The next ones are started by the command, and may die.
        host.kill_watchers();
    }
    let fuse: PathBuf = host.dir().join("files").join("fuse");
    std::fs::write(&fuse, "").expect("fuse");
    let mut command = host.command(scenario.command);
    command.env(VARIABLE, format!("{victim}:{number}:{}", fuse.display()));
    let output = host.run_in(move || command.output().expect("the program runs"));
    let ran = Ran::of(&output);
    let at = std::fs::read_to_string(fuse.with_extension("blown")).ok();
    let _ = std::fs::remove_file(&fuse);
    let _ = std::fs::remove_file(fuse.with_extension("blown"));
    let what = format!(
        "{}: {victim} died at {number}: {at:?}, and the command: {ran:?}",
        scenario.name
    );
    let has_points = at.is_some() || number > 1 || victim != "command";
    assert!(has_points, "{what}");
    let next = host.run(&["pod", "ps"]);
    assert_eq!((next.code, next.stderr.as_str()), (Some(0), ""), "{what}");
    let is_right = |state: &State| match ran.code {
        None => scenario.allowed.contains(state),
        Some(0) => *state == scenario.success,
        Some(_) => *state == scenario.failure || scenario.allowed.contains(state),
    };
    let until = Instant::now() + PATIENCE;
    loop {
        let state = state(host);
        if state.as_ref().is_ok_and(is_right) {
            break;
        }
        assert!(Instant::now() < until, "{what}\nnow: {state:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    for file in ["all.yaml", "old.yaml", "bad.yaml", "plain.yaml"] {
        let ran = host.run(&["kube", "down", "--force", file]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{what}");
    }
    host.expect_clean_after(&what);
    at
}

/// Tells what there is, or why it is neither.
fn state(host: &Host) -> Result<State, String> {
    let observed = host.observed();
    let states: Vec<String> = observed
        .pods
        .iter()
        .flat_map(|pod| &pod.containers)
        .map(|container| format!("{}: {:?}", container.name, container.state))
        .collect();
    let pods: Vec<&str> = observed
        .pods
        .iter()
        .map(|pod| pod.record.spec.name.as_str())
        .collect();
    let runs = observed
        .pods
        .iter()
        .flat_map(|pod| &pod.containers)
        .all(|container| container.state.is_running());
    let objects = (observed.objects.len(), observed.volumes.len());
    let containers: usize = observed.pods.iter().map(|pod| pod.containers.len()).sum();
    let is_old = |value: &ObjectContent| match value {
        ObjectContent::ConfigMap(data) => format!("{data:?}").contains("old"),
        ObjectContent::Secret { .. } => true,
    };
    match (pods.as_slice(), objects, containers) {
        ([], (0, 0), 0) => Ok(State::Gone),
        (["plain"], (0, 0), 1) if runs => Ok(State::Complete),
        (["web"], (2, 1), 2) if runs => Ok(State::Complete),
        (["web"], (2, 1), 1) if runs => Ok(State::WithoutSide),
        (["anchor"], (2, 1), 1)
            if runs
                && observed
                    .objects
                    .iter()
                    .all(|object| is_old(&object.content)) =>
        {
            Ok(State::Old)
        }
        _ => Err(format!("{pods:?} {objects:?} {states:#?}")),
    }
}
