//! Containers that are paused, and what may be asked of them.

use std::time::Duration;

use podwright::model::state::ContainerState;

use super::host::{Host, Ran, pod};

fn is_paused(state: &ContainerState) -> bool {
    matches!(state, ContainerState::Paused { .. })
}

#[track_caller]
fn refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code, Some(125), "{}", ran.stderr);
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn a_paused_container_does_nothing_and_its_probes_do_not_fail() {
    let Some(host) = Host::new() else { return };
    let yaml = pod(
        "clock",
        "command: [sh, -c, 'while :; do echo tick; sleep 0.1; done']
livenessProbe: {exec: {command: ['true']}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1}",
        "terminationGracePeriodSeconds: 0",
    );
    host.play("clock", &yaml).expect();
    host.wait_for_log("clock", "main", "tick");
    assert_eq!(host.run(&["pause", "clock-main"]).expect(), "clock-main\n");
    let before = host.container("clock", "main");
    assert!(is_paused(&before.state));
    let list = host
        .run(&["ps", "--format", "{{.Status}} {{.State}}"])
        .expect();
    assert_eq!(list, "Paused Paused\n");
    let shown = "{{.State.Paused}} {{.State.Running}} {{.State.Status}}";
    let shown = host
        .run(&["inspect", "--format", shown, "clock-main"])
        .expect();
    assert_eq!(shown, "true false paused\n");
    let pods = host.run(&["pod", "ps", "--format", "{{.Status}}"]).expect();
    assert_eq!(pods, "Paused\n");
    let log = host.log("clock", "main");
    // Long enough for a probe to be due, asked and to time out; a new supervisor has to know as well.
    std::thread::sleep(Duration::from_millis(1500));
    host.kill_supervisors();
    refused(&host.run(&["pause", "clock-main"]), "is already paused");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(host.log("clock", "main"), log);
    for (command, words) in [
        (
            &["stop", "clock-main"][..],
            "can only stop created or running",
        ),
        (&["start", "clock-main"], "to be started"),
        (&["restart", "clock-main"], "unable to restart"),
        (&["exec", "clock-main", "true"], "on running containers"),
        (&["rm", "clock-main"], "as it is paused"),
        (&["pod", "rm", "clock"], "as it is paused"),
    ] {
        refused(&host.run(command), words);
    }
    host.run(&["unpause", "--all"]).expect();
    let after = host.wait_for("clock", "main", |container| !is_paused(&container.state));
    assert_eq!(after.state.process(), before.state.process());
    assert_eq!(after.restarts, 0);
    host.wait_for("clock", "main", |_| {
        host.log("clock", "main").len() > log.len()
    });
    refused(
        &host.run(&["unpause", "clock-main"]),
        "is not paused, can't unpause",
    );
    host.run(&["exec", "clock-main", "true"]).expect();
    host.down("clock").expect();
    host.expect_clean();
}

#[test]
fn paused_pods_are_killed_removed_and_taken_down() {
    let Some(host) = Host::new() else { return };
    let yaml = |name| {
        pod(
            name,
            "command: [sleep, '1000']",
            "restartPolicy: Never\nterminationGracePeriodSeconds: 0",
        )
    };
    host.play("one", &yaml("one")).expect();
    host.run(&["pod", "pause", "one"]).expect();
    host.run(&["kill", "one-main"]).expect();
    host.wait_for("one", "main", |container| !container.state.is_running());
    // The next run is not frozen.
    host.run(&["start", "one-main"]).expect();
    host.run(&["exec", "one-main", "true"]).expect();
    host.run(&["pause", "--all"]).expect();
    host.run(&["rm", "-f", "-t", "0", "one-main"]).expect();
    host.down("one").expect();
    host.play("two", &yaml("two")).expect();
    host.run(&["pod", "pause", "two"]).expect();
    host.down("two").expect();
    host.play("three", &yaml("three")).expect();
    host.run(&["pod", "pause", "--all"]).expect();
    host.run(&["pod", "unpause", "three"]).expect();
    assert!(!is_paused(&host.container("three", "main").state));
    host.run(&["pod", "rm", "-f", "-t", "0", "three"]).expect();
    host.expect_clean();
}
