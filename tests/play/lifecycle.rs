//! How containers start, end and are told of.

use std::time::{Duration, Instant};

use podwright::model::quantity::Seconds;
use podwright::model::state::{ContainerState, ExitStatus};

use super::host::{Host, pod};

#[test]
fn the_stop_signal_is_honoured_and_the_grace_period_before_the_kill() {
    let Some(host) = Host::new() else { return };
    let polite = "command: [sh, -c, 'trap \"echo bye; exit 5\" TERM; echo up; while :; do sleep 0.05; done']";
    let yaml = pod("polite", polite, "restartPolicy: Never");
    host.play("polite", &yaml).expect();
    host.wait_for_log("polite", "main", "up");
    host.run(&["pod", "stop", "polite"]).expect();
    let status = host.container("polite", "main").exit().cloned();
    assert_eq!(status, Some(ExitStatus::Code(5)));
    assert_eq!(host.log("polite", "main"), "up\nbye\n");

    let deaf = "command: [sh, -c, 'trap \"echo no\" TERM; echo up; while :; do sleep 0.05; done']";
    let spec = "restartPolicy: Never\nterminationGracePeriodSeconds: 1";
    host.play("deaf", &pod("deaf", deaf, spec)).expect();
    host.wait_for_log("deaf", "main", "up");
    let began = Instant::now();
    host.run(&["pod", "stop", "deaf"]).expect();
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(4),
        "{took:?}"
    );
    let killed = ExitStatus::Signal {
        signal: 9,
        oom: false,
    };
    assert_eq!(host.container("deaf", "main").exit(), Some(&killed));
    assert_eq!(host.log("deaf", "main"), "up\nno\n");
}

#[test]
fn the_status_of_a_container_is_exact() {
    let Some(host) = Host::new() else { return };
    let cases = [
        ("code", "command: [sh, -c, 'exit 7']", ExitStatus::Code(7)),
        (
            "memory",
            "command: [dd, if=/dev/zero, of=/dev/null, bs=100M, count=1]\nresources: {limits: {memory: 20Mi}}",
            ExitStatus::Signal {
                signal: 9,
                oom: true,
            },
        ),
    ];
    for (name, program, expected) in cases {
        host.play(name, &pod(name, program, "restartPolicy: Never"))
            .expect();
        let ended = host.wait_for(name, "main", |container| {
            matches!(container.state, ContainerState::Exited { .. })
        });
        assert_eq!(ended.exit(), Some(&expected), "{name}");
        host.down(name).expect();
    }
}

#[test]
fn init_containers_run_in_order_before_the_others() {
    let Some(host) = Host::new() else { return };
    let spec = "
restartPolicy: Never
volumes: [{name: notes, emptyDir: {}}]
initContainers:
- name: one
  image: localhost/busybox
  command: [sh, -c, 'sleep 0.2; echo one >> /notes/order']
  volumeMounts: [{name: notes, mountPath: /notes}]
- name: two
  image: localhost/busybox
  command: [sh, -c, 'echo two >> /notes/order']
  volumeMounts: [{name: notes, mountPath: /notes}]";
    let main = "command: [cat, /notes/order]\nvolumeMounts: [{name: notes, mountPath: /notes}]";
    host.play("ordered", &pod("ordered", main, spec)).expect();
    assert_eq!(host.wait_for_log("ordered", "main", "two"), "one\ntwo\n");
    host.down("ordered").expect();
    host.expect_clean();
}

#[test]
fn a_container_that_keeps_failing_is_restarted_at_once_and_then_backed_off() {
    let Some(host) = Host::new() else { return };
    host.play(
        "loop",
        &pod(
            "loop",
            "command: [sh, -c, 'echo run; exit 1']",
            "restartPolicy: OnFailure",
        ),
    )
    .expect();
    let waiting = host.wait_for("loop", "main", |container| {
        container.backoff.next == Some(Seconds(20))
    });
    assert_eq!(waiting.restarts, 1);
    assert!(matches!(waiting.state, ContainerState::Waiting { .. }));
    assert_eq!(waiting.exit(), Some(&ExitStatus::Code(1)));
    assert_eq!(host.log("loop", "main"), "run\nrun\n");
    host.down("loop").expect();
    host.expect_clean();
}

#[test]
fn an_input_that_is_asked_for_stays_open() {
    let Some(host) = Host::new() else { return };
    let main = |stdin: &str| format!("command: [sh, -c, 'cat; echo the end']\n{stdin}");
    let spec = "restartPolicy: Never\nterminationGracePeriodSeconds: 0";
    host.play("closed", &pod("closed", &main(""), spec))
        .expect();
    host.wait_for_log("closed", "main", "the end");
    let played = host.play("web", &pod("web", &main("stdin: true"), spec));
    assert_eq!((played.code, played.stderr.as_str()), (Some(0), ""));
    host.kill_watchers();
    assert_eq!(
        host.run(&["top", "web-main", "args"])
            .expect()
            .matches("cat")
            .count(),
        2
    );
    assert!(host.container("web", "main").state.is_running());
    host.down("web").expect();
    host.down("closed").expect();
    host.expect_clean();
}

#[test]
fn the_last_words_of_a_container_are_those_of_its_file_or_of_its_log() {
    let Some(host) = Host::new() else { return };
    let last_words = |main: &str| {
        let yaml = pod("web", main, "restartPolicy: Never");
        let played = host.play("web", &yaml);
        assert_eq!((played.code, played.stderr.as_str()), (Some(0), ""));
        host.wait_for("web", "main", |container| {
            matches!(container.state, ContainerState::Exited { .. })
        });
        let inspect = ["inspect", "--format", "{{.State.LastMessage}}", "web-main"];
        let words = host.run(&inspect).expect();
        host.down("web").expect();
        words
    };
    let own = "terminationMessagePath: /words\nterminationMessagePolicy: FallbackToLogsOnError";
    let script = |script: &str| format!("{own}\ncommand: [sh, -c, '{script}']");
    assert_eq!(
        last_words(&script("echo no; echo -n said >/words; exit 1")),
        "said\n"
    );
    assert_eq!(
        last_words(&script("echo one; echo two; exit 1")),
        "one\ntwo\n\n"
    );
    assert_eq!(last_words(&script("echo one")), "\n");
    assert_eq!(last_words("command: [sh, -c, 'echo one; exit 1']"), "\n");
    let long = "command: [sh, -c, 'head -c 5000 /dev/zero | tr \"\\\\0\" x >/dev/termination-log']";
    assert_eq!(last_words(long).len(), 4097);
    host.expect_clean();
}
