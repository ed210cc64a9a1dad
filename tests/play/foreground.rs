//! `kube play --wait`: everything goes with the command.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::host::{Host, PATIENCE, pod};

const RUN: [&str; 4] = ["kube", "play", "--wait", "web.yaml"];

#[test]
fn the_exit_code_is_that_of_the_container_that_failed_first() {
    let Some(host) = Host::new() else { return };
    let containers =
        "  - name: late\n    image: localhost/busybox\n    command: [sh, -c, 'sleep 1; exit 4']\n";
    let yaml = pod("web", "command: [sh, -c, exit 3]", "restartPolicy: Never") + containers;
    host.write("web", &yaml);
    let ran = host.run(&RUN);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), ""), "{ran:?}");
    assert!(ran.stdout.starts_with("Pod:\n"), "{ran:?}");
    host.expect_clean();
    host.write(
        "web",
        &pod("web", "command: ['true']", "restartPolicy: OnFailure"),
    );
    host.run(&RUN).expect();
    host.expect_clean();
}

#[test]
fn a_signal_takes_everything_down() {
    let Some(host) = Host::new() else { return };
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: made}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n";
    let command = "command: [sh, -c, 'trap \"exit 0\" TERM; while :; do sleep 0.05; done']\nvolumeMounts: [{name: made, mountPath: /made}]";
    let volumes = "volumes: [{name: made, persistentVolumeClaim: {claimName: made}}]";
    host.write("web", &format!("{claim}{}", pod("web", command, volumes)));
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let child = host.spawn(&RUN);
        let until = Instant::now() + PATIENCE;
        while host.observed().pods.is_empty() {
            assert!(Instant::now() < until, "it does not play");
            std::thread::sleep(Duration::from_millis(20));
        }
        host.wait_for("web", "main", |container| container.state.is_running());
        let pid = Pid::from_raw(child.id().try_into().expect("a pid"));
        kill(pid, signal).expect("killed");
        let ran = Host::finish(child);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        let words = "Cleaning up containers, pods, and volumes";
        assert!(ran.stdout.contains(words), "{ran:?}");
        assert!(host.observed().volumes.is_empty());
        host.expect_clean();
    }
}
