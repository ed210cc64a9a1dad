//! Many commands at once, and commands that break into others.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podwright::model::state::ContainerState;
use podwright::names::{ContainerId, PodId, PodName};
use podwright::state::{LockDir, LockName, Store};

use super::host::{Host, Ran, pod};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A container that ignores SIGTERM, and says when it does.
const DEAF: &str = "command: [sh, -c, 'trap \"\" TERM; echo up; while :; do sleep 1; done']";

fn word_of(host: &Host, ran: &Ran, by: &str) {
    assert_eq!(ran.code, Some(125), "{ran:?}");
    assert!(ran.stderr.contains(by), "{by} is not in {}", ran.stderr);
    assert_eq!(host.run(&["ps", "--all"]).code, Some(0));
}

#[test]
fn a_container_that_is_restarted_from_many_shells_starts_as_often() {
    let Some(host) = Host::new() else { return };
    let files = host.dir().join("files");
    // A signal that comes before the trap is lost on a first process; the grace period is for that.
    let main = "command: [sh, -c, 'trap end=1 TERM; echo start >> /shared/starts; until [ $end ]; do sleep 0.02; done']\nvolumeMounts: [{name: shared, mountPath: /shared}]";
    let spec = format!(
        "terminationGracePeriodSeconds: 3\nvolumes:\n- {{name: shared, hostPath: {{path: {}}}}}",
        files.display()
    );
    host.play("web", &pod("web", main, &spec)).expect();
    let lines = || {
        let text = std::fs::read_to_string(files.join("starts")).unwrap_or_default();
        text.lines().count()
    };
    host.wait_for("web", "main", |_| lines() == 1);
    for shells in [8, 64] {
        let before = lines();
        for command in restarts_in_order(&host, shells) {
            let ran = Host::finish(command);
            assert_eq!(
                (ran.code, ran.stdout.trim()),
                (Some(0), "web-main"),
                "{ran:?}"
            );
        }
        // The last command ends when its start is done; the shell may be a moment from its first line.
        host.wait_for("web", "main", |_| lines() >= before + shells);
        assert_eq!(lines(), before + shells);
    }
    host.down("web").expect();
    host.expect_clean();
}

/// Restarts a container from many shells at once, and holds the order of the tickets against that of the restarts.
///
/// The shells wait for a lock that is held, and their wishes for a supervisor that is stopped: both orders can be read
/// in peace.
fn restarts_in_order(host: &Host, shells: usize) -> Vec<Child> {
    let (web, main) = (host.pod("web").record.id, host.container("web", "main").id);
    let [supervisor] = host.supervisors()[..] else {
        panic!("one pod, one supervisor")
    };
    let supervisor = Pid::from_raw(supervisor);
    let (commands, tickets) = host
        .engine()
        .while_still(&[(web, main.clone())], || {
            kill(supervisor, Signal::SIGSTOP).unwrap();
            let commands: Vec<Child> = (0..shells)
                .map(|_| host.spawn(&["restart", "web-main"]))
                .collect();
            (commands, queue_of(host, &main, shells))
        })
        .unwrap();
    let locks = LockDir::open(&host.paths().locks()).unwrap();
    let store = Store::open(&host.paths().root, locks).unwrap();
    let mut wishes = BTreeMap::new();
    let until = Instant::now() + PATIENCE;
    while wishes.len() < shells {
        assert!(Instant::now() < until, "{} wishes", wishes.len());
        let unfetched = store.unfetched().unwrap();
        wishes.extend(unfetched.into_iter().map(|wish| (wish.seq, wish.asker.pid)));
    }
    let asked: Vec<u32> = wishes.values().map(|pid| pid.unsigned_abs()).collect();
    assert_eq!(asked, tickets);
    kill(supervisor, Signal::SIGCONT).unwrap();
    loop {
        let unfetched = store.unfetched().unwrap();
        let (pending, done): (Vec<_>, Vec<_>) =
            unfetched.into_iter().partition(|wish| wish.is_pending);
        let Some(next) = pending.iter().map(|wish| wish.seq).min() else {
            return commands;
        };
        assert!(done.iter().all(|wish| wish.seq < next), "{done:?}");
    }
}

/// Waits until so many processes queue for a container's lock, and returns them, the next one first.
fn queue_of(host: &Host, container: &ContainerId, waiters: usize) -> Vec<u32> {
    let locks = LockDir::open(&host.paths().locks()).unwrap();
    let lock = LockName::Container(container.clone());
    let until = Instant::now() + PATIENCE;
    loop {
        let states = locks.holders().unwrap();
        let queue = states.into_iter().find(|state| state.lock == lock);
        let queue = queue.map(|state| state.queue).unwrap_or_default();
        if queue.len() == waiters {
            let pids = queue.into_iter().map(|waiter| waiter.expect("a name").pid);
            return pids.collect();
        }
        assert!(Instant::now() < until, "{} wait", queue.len());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn kill_stop_without_grace_and_forced_removal_break_into_a_grace_period() {
    let Some(host) = Host::new() else { return };
    let yaml = pod("web", DEAF, "terminationGracePeriodSeconds: 1000");
    for command in [
        ["kill", "web-main"].as_slice(),
        &["stop", "--time", "0", "web-main"],
        &["rm", "--force", "--time", "0", "web-main"],
        &["pod", "stop", "--time", "0", "web"],
        &["pod", "rm", "--force", "--time", "0", "web"],
    ] {
        host.play("web", &yaml).expect();
        host.wait_for_log("web", "main", "up");
        let slow = host.spawn(&["stop", "web-main"]);
        host.wait_for("web", "main", |container| {
            container.state.word() == "stopping"
        });
        assert_eq!(host.run(command).code, Some(0), "{command:?}");
        let slow = Host::finish(slow);
        assert_eq!(slow.code, Some(0), "{command:?}: {slow:?}");
        host.down("web");
        host.expect_clean();
    }
}

#[test]
fn what_a_removal_or_a_stop_overtakes_is_told_by_its_name() {
    let Some(host) = Host::new() else { return };
    let yaml = pod("web", DEAF, "terminationGracePeriodSeconds: 1000");
    for (command, by) in [
        (
            ["pod", "rm", "--force", "--time", "0", "web"].as_slice(),
            "pod rm",
        ),
        (&["rm", "--force", "--time", "0", "web-main"], "rm"),
        (&["stop", "--time", "0", "web-main"], "stop"),
        (&["kube", "down", "web.yaml"], "kube down"),
    ] {
        host.play("web", &yaml).expect();
        host.wait_for_log("web", "main", "up");
        let restart = host.spawn(&["restart", "web-main"]);
        host.wait_for("web", "main", |container| {
            container.state.word() == "stopping"
        });
        let breaker = host.spawn(command);
        if by == "kube down" {
            // It waits for the whole grace period unless somebody breaks into that too.
            word_of(&host, &Host::finish(restart), by);
            assert_eq!(host.run(&["kill", "web-main"]).code, Some(0));
        } else {
            word_of(&host, &Host::finish(restart), by);
        }
        assert_eq!(Host::finish(breaker).code, Some(0), "{command:?}");
        host.down("web");
        host.expect_clean();
    }
}

#[test]
fn a_failure_stops_none_of_the_others() {
    let Some(host) = Host::new() else { return };
    let yaml: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|name| {
            let main = "command: [sleep, '1000']";
            pod(name, main, "terminationGracePeriodSeconds: 0")
        })
        .collect();
    host.play("all", &yaml.join("---\n")).expect();
    assert_eq!(host.run(&["stop", "b-main"]).code, Some(0));
    let ran = host.run(&["kill", "a-main", "nobody", "b-main", "c-main"]);
    assert_eq!(ran.stdout, "a-main\nc-main\n");
    assert_eq!(ran.code, Some(125));
    for word in ["nobody", "b-main"] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    let ran = host.run(&["--parallel", "1", "restart", "--all"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 3));
    host.down("all").expect();
    host.expect_clean();
}

#[test]
fn a_pod_that_is_being_recorded_is_not_swept_by_another_play() {
    let Some(host) = Host::new() else { return };
    let main = "command: [sleep, '1000']";
    let spec = "hostNetwork: true\nterminationGracePeriodSeconds: 0";
    host.play("one", &pod("one", main, spec)).expect();
    // What somebody else is about to record has its lock, and no record yet.
    let mut new = host.pod("one");
    new.record.id = PodId::parse(&"f".repeat(64)).unwrap();
    new.record.spec.name = PodName::parse("new").unwrap();
    for container in &mut new.containers {
        container.id = ContainerId::parse(&"e".repeat(64)).unwrap();
        container.pod = new.record.id.clone();
        container.state = ContainerState::Created;
    }
    let locks = LockDir::open(&host.paths().locks()).unwrap();
    let mut store = Store::open(&host.paths().root, locks.clone()).unwrap();
    let mut caller = locks.caller("a test");
    let guard = caller.new_pod(&new.record.id).unwrap();
    host.write("two", &pod("two", main, spec));
    let play = host.spawn(&["kube", "play", "two.yaml"]);
    let is_waited_for = || {
        let mut states = locks.holders().unwrap().into_iter();
        states
            .any(|state| state.lock == LockName::Pod(guard.id().clone()) && !state.queue.is_empty())
    };
    while !is_waited_for() {
        std::thread::sleep(Duration::from_millis(5));
    }
    store.create_pod(&new).unwrap();
    drop(guard);
    Host::finish(play).expect();
    assert_eq!(host.pod("new").containers, new.containers);
    host.run(&["pod", "rm", "new"]).expect();
    for name in ["one", "two"] {
        host.down(name).expect();
    }
    host.expect_clean();
}

#[test]
fn of_files_played_by_many_shells_each_is_played_once_and_the_losers_name_the_winner() {
    let Some(host) = Host::new() else { return };
    let file = |name: &str| {
        let main = "command: [sleep, '1000']";
        host.write(name, &pod(name, main, "terminationGracePeriodSeconds: 0"))
    };
    let shells = 4;
    let shared: Vec<String> = (0..3).map(|n| file(&format!("shared{n}"))).collect();
    let ran: Vec<(String, Ran)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..shells)
            .map(|shell| {
                let own: Vec<String> = (0..3).map(|n| file(&format!("own{shell}n{n}"))).collect();
                let (host, shared) = (&host, &shared);
                scope.spawn(move || {
                    let mut ran = Vec::new();
                    for (own, shared) in own.iter().zip(shared) {
                        for name in [shared, own] {
                            ran.push((name.clone(), host.run(&["kube", "play", name])));
                        }
                    }
                    ran
                })
            })
            .collect();
        let all = handles.into_iter().map(|handle| handle.join().unwrap());
        all.flatten().collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = ran.into_iter().partition(|(_, ran)| ran.code == Some(0));
    let names: BTreeSet<&String> = won.iter().map(|(name, _)| name).collect();
    assert_eq!(
        (won.len(), names.len()),
        (3 * shells + 3, 3 * shells + 3),
        "{lost:#?}"
    );
    for (name, ran) in &lost {
        let name = name.trim_end_matches(".yaml");
        let winner = host.pod(name).record.id;
        assert!(
            ran.stderr.contains("already exists") && ran.stderr.contains(winner.short()),
            "{ran:?}"
        );
    }
    for pod in host.observed().pods {
        assert_eq!(pod.containers[0].state.word(), "running");
    }
    for name in names {
        host.down(name.trim_end_matches(".yaml")).expect();
    }
    host.expect_clean();
}
