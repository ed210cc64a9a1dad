//! What outlives a `kill -9`: of the supervisor, and of the command.

use std::time::Duration;

use podwright::model::quantity::Seconds;
use podwright::model::state::ExitStatus;

use super::host::{Host, PATIENCE, Ran, pod};

#[test]
fn output_and_status_outlive_the_supervisor() {
    let Some(host) = Host::new() else { return };
    // 20000 lines are 108 kB: more than a pipe of the default size holds.
    let main = "command: [sh, -c, 'echo up; while ! [ -e /shared/go ]; do sleep 0.02; done; seq 20000; exit 7']\nvolumeMounts: [{name: shared, mountPath: /shared}]";
    let shared = host.dir().join("files");
    let spec = format!(
        "restartPolicy: OnFailure\nvolumes:\n- {{name: shared, hostPath: {{path: {}}}}}",
        shared.display()
    );
    host.play("web", &pod("web", main, &spec)).expect();
    host.wait_for_log("web", "main", "up");
    let process = host
        .container("web", "main")
        .state
        .process()
        .cloned()
        .expect("process");
    host.kill_supervisors();
    // The next supervisor comes in half a second; the container has ended by then.
    std::fs::write(shared.join("go"), "").expect("go");
    let until = std::time::Instant::now() + PATIENCE;
    while std::path::Path::new(&format!("/proc/{}", process.pid)).exists() {
        assert!(std::time::Instant::now() < until, "the container goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    let commands = [(); 2].map(|()| host.spawn(&["pod", "start", "web"]));
    for command in commands {
        let ran = Host::finish(command);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert_eq!(host.supervisors().len(), 1);
    let ended = host.wait_for("web", "main", |container| container.last_end.is_some());
    if ended.exit() == Some(&ExitStatus::Unknown) {
        eprintln!("skipped: lacks PIDFD_INFO_EXIT");
        return;
    }
    assert_eq!(ended.exit(), Some(&ExitStatus::Code(7)));
    // The file is there, so the run after it writes the same again and ends the same way.
    host.wait_for("web", "main", |container| {
        container.restarts == 1 && container.backoff.next == Some(Seconds(20))
    });
    let lines: String = (1..=20000).map(|number| format!("{number}\n")).collect();
    assert!(
        host.log("web", "main") == format!("up\n{lines}up\n{lines}"),
        "lines are missing"
    );
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn a_killed_play_and_a_killed_supervisor_leave_a_state_that_can_be_taken_down() {
    let Some(host) = Host::new() else { return };
    let objects =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {key: value}\n---\n";
    let main = "command: [sleep, '1000']\nports: [{containerPort: 80, hostPort: 8088}]\nenv: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}]";
    let yaml = format!(
        "{objects}{}",
        pod("web", main, "terminationGracePeriodSeconds: 0")
    );
    host.write("web", &yaml);
    for step in 0..24u64 {
        let mut child = host.spawn(&["kube", "play", "web.yaml"]);
        std::thread::sleep(Duration::from_millis(step * 7));
        child.kill().expect("killed");
        Host::finish(child);
        if step % 2 == 1 {
            host.kill_supervisors();
        }
        let ran = host.run(&["pod", "ps"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let ran = host.down("web");
        assert_eq!(ran.code, Some(0), "after {} ms: {}", step * 7, ran.stderr);
        host.expect_clean();
    }
}

#[test]
fn of_two_plays_at_once_one_wins_and_the_other_says_why() {
    let Some(host) = Host::new() else { return };
    host.write(
        "web",
        &pod(
            "web",
            "command: [sleep, '1000']",
            "terminationGracePeriodSeconds: 0",
        ),
    );
    for _ in 0..3 {
        let commands = [(); 2].map(|()| host.spawn(&["kube", "play", "web.yaml"]));
        let mut results = commands.map(Host::finish);
        results.sort_by_key(|ran: &Ran| ran.code);
        assert_eq!(results[0].code, Some(0), "{results:?}");
        assert_eq!(results[1].code, Some(125), "{results:?}");
        assert!(
            results[1].stderr.contains("already exists"),
            "{}",
            results[1].stderr
        );
        assert_eq!(host.container("web", "main").state.word(), "running");
        host.down("web").expect();
        host.expect_clean();
    }
}
