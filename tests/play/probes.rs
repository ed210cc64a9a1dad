//! Probes and hooks, asked and carried out for real.

use std::path::Path;
use std::time::{Duration, Instant};

use podwright::model::state::{ContainerState, WaitReason, Wanted};

use super::host::{Host, PATIENCE, pod};
use super::traces;

#[test]
fn a_failing_liveness_probe_restarts_the_container_with_a_back_off() {
    let Some(host) = Host::new() else { return };
    let container = "
command: [sh, -c, 'touch /tmp/alive; echo up; sleep 1; rm /tmp/alive; exec sleep 1000']
livenessProbe:
  exec: {command: [cat, /tmp/alive]}
  periodSeconds: 1
  failureThreshold: 2
  terminationGracePeriodSeconds: 1
";
    host.play("sick", &pod("sick", container, "")).expect();
    host.wait_for("sick", "main", |main| {
        main.restarts == 1 && main.state.is_running()
    });
    let main = host.wait_for("sick", "main", |main| {
        matches!(main.state, ContainerState::Waiting { .. })
    });
    let crash_loop = matches!(
        main.state,
        ContainerState::Waiting {
            reason: WaitReason::CrashLoopBackOff,
            ..
        }
    );
    assert!(crash_loop, "{main:?}");
    // Its own grace period, not the pod's 30 s; SIGTERM does not end the first process.
    assert_eq!(main.last_end.map(|end| end.status.code()), Some(137));
    assert_eq!(host.log("sick", "main"), "up\nup\n");
}

#[test]
fn a_startup_probe_holds_back_the_others() {
    let Some(host) = Host::new() else { return };
    let container = "
command: [sh, -c, 'sleep 3; mkdir -p /www; echo ok > /www/index.html; httpd -p 8000 -h /www; exec sleep 1000']
ports: [{name: web, containerPort: 8000}]
startupProbe:
  httpGet: {port: web, path: /index.html}
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet: {port: web, path: /index.html}
  periodSeconds: 1
  failureThreshold: 1
readinessProbe:
  tcpSocket: {port: web}
  periodSeconds: 1
";
    let started = Instant::now();
    host.play(
        "slow",
        &pod("slow", container, "terminationGracePeriodSeconds: 0"),
    )
    .expect();
    assert!(!host.container("slow", "main").ready);
    let main = host.wait_for("slow", "main", |main| main.ready);
    assert!(started.elapsed() >= Duration::from_secs(3));
    assert_eq!(main.restarts, 0);
}

#[test]
fn readiness_follows_its_probe_and_the_next_supervisor_goes_on_asking() {
    let Some(host) = Host::new() else { return };
    let www = host.dir().join("www");
    std::fs::create_dir(&www).unwrap();
    let page = www.join("index.html");
    let container = "
command: [httpd, -f, -p, '8000', -h, /www]
volumeMounts: [{name: www, mountPath: /www}]
readinessProbe:
  httpGet: {port: 8000}
  periodSeconds: 1
  failureThreshold: 1
";
    let spec = format!(
        "terminationGracePeriodSeconds: 0\nvolumes:\n- name: www\n  hostPath: {{path: {}}}",
        www.display()
    );
    host.play("web", &pod("web", container, &spec)).expect();
    let wait_for = |ready| {
        let main = host.wait_for("web", "main", |main| main.ready == ready);
        assert_eq!(main.restarts, 0);
    };
    assert!(!host.container("web", "main").ready);
    std::fs::write(&page, "ok").unwrap();
    wait_for(true);
    std::fs::remove_file(&page).unwrap();
    wait_for(false);
    std::fs::write(&page, "ok").unwrap();
    wait_for(true);
    host.kill_supervisors();
    assert!(host.container("web", "main").ready);
    assert_eq!(host.run(&["pod", "start", "web"]).code, Some(0));
    std::fs::remove_file(&page).unwrap();
    wait_for(false);
}

#[test]
fn a_failing_post_start_hook_ends_the_container() {
    let Some(host) = Host::new() else { return };
    let container = "
command: [sleep, '1000']
lifecycle:
  postStart: {exec: {command: ['false']}}
";
    let spec = "restartPolicy: Never\nterminationGracePeriodSeconds: 1";
    host.play("hooked", &pod("hooked", container, spec))
        .expect();
    let main = host.wait_for("hooked", "main", |main| {
        matches!(main.state, ContainerState::Exited { .. })
    });
    assert_eq!(main.restarts, 0);
}

#[test]
fn a_pre_stop_hook_runs_before_the_signal_and_within_the_grace_period() {
    let Some(host) = Host::new() else { return };
    let trap = "trap 'echo term; exit 0' TERM; while :; do sleep 0.1; done";
    let container = |hook: &str| {
        format!(
            "
command: [sh, -c, \"{trap}\"]
lifecycle:
  preStop: {{exec: {{command: [sh, -c, \"{hook}\"]}}}}
"
        )
    };
    let hook = "echo hook > /proc/1/fd/1; sleep 1; echo done > /proc/1/fd/1";
    host.play("kind", &pod("kind", &container(hook), ""))
        .expect();
    host.run(&["pod", "stop", "kind"]);
    assert_eq!(host.log("kind", "main"), "hook\ndone\nterm\n");

    let yaml = pod(
        "long",
        &container("sleep 1000"),
        "terminationGracePeriodSeconds: 1",
    );
    host.play("long", &yaml).expect();
    let began = Instant::now();
    host.run(&["pod", "stop", "long"]);
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(5),
        "{took:?}"
    );
    assert_eq!(host.log("long", "main"), "term\n");
    for name in ["kind", "long"] {
        host.down(name);
    }
}

#[test]
fn whoever_asks_a_container_over_the_network_is_nobody() {
    let Some(host) = Host::new() else { return };
    // It takes a connection and says nothing.
    let container = "
command: [nc, -ll, -p, '8000', -e, sleep, '60']
livenessProbe:
  httpGet: {port: 8000}
  timeoutSeconds: 20
";
    let spec = "terminationGracePeriodSeconds: 0";
    host.play("mute", &pod("mute", container, spec)).expect();
    let until = Instant::now() + PATIENCE;
    let stage = loop {
        let is_stage = |pid: &i32| traces::command_line(*pid).contains("stage-probe");
        let found = traces::processes(&host).into_iter().find(is_stage);
        let confined = |pid: &i32| status(*pid, "NoNewPrivs") == ["1"];
        if let Some(pid) = found.filter(confined) {
            break pid;
        }
        assert!(Instant::now() < until, "nobody asks");
        std::thread::sleep(Duration::from_millis(20));
    };
    for ids in ["Uid", "Gid"] {
        assert_eq!(status(stage, ids), ["65534"; 4]);
    }
    assert_eq!(status(stage, "Groups"), [""; 0]);
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(stage, set), ["0000000000000000"]);
    }
    host.down("mute");
    let is_gone = || !Path::new(&format!("/proc/{stage}")).exists();
    while !is_gone() {
        assert!(Instant::now() < until, "it asks on after the container");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the words of a line of a process's status.
fn status(pid: i32, key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let words = line.unwrap_or_default().split_whitespace();
    words.map(str::to_owned).collect()
}

#[test]
fn a_pod_is_stopped_at_its_deadline_and_no_helper_is_left_unreaped() {
    let Some(host) = Host::new() else { return };
    let container = "
command: [sleep, '1000']
livenessProbe: {exec: {command: ['true']}, periodSeconds: 1}
readinessProbe: {tcpSocket: {port: 1}, periodSeconds: 1}
";
    let spec = "activeDeadlineSeconds: 4\nterminationGracePeriodSeconds: 1";
    host.play("short", &pod("short", container, spec)).expect();
    std::thread::sleep(Duration::from_millis(2500));
    let children = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let supervisors = host.supervisors();
    let children: Vec<String> = supervisors.iter().flat_map(children).collect();
    let zombies = children
        .iter()
        .flat_map(|children| children.split_whitespace())
        .filter_map(|pid| pid.parse().ok())
        .filter(|pid| {
            status(*pid, "State")
                .first()
                .is_some_and(|state| state == "Z")
        });
    assert_eq!(supervisors.len(), 1);
    assert!(zombies.count() <= 1, "one may end just now: {children:?}");
    let main = host.wait_for("short", "main", |main| {
        matches!(main.state, ContainerState::Exited { .. })
    });
    assert_eq!((main.restarts, main.wanted), (0, Wanted::Stopped));
}
