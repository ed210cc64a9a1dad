//! What has happened, as `events` tells it.

use std::time::Duration;

use super::host::{Host, pod};

/// Returns the events of a pod's container as `status[:code][ reason]`.
fn told(host: &Host, filters: &[&str]) -> Vec<String> {
    let fields = "{{.Type}} {{.Status}} {{.ContainerExitCode}} {{.Attributes.reason}}";
    let mut arguments = vec!["events", "--stream=false", "--format", fields];
    for filter in filters {
        arguments.extend(["--filter", filter]);
    }
    let text = host.run(&arguments).expect();
    text.lines()
        .map(|line| line.replace("<no value>", "-"))
        .collect()
}

#[test]
fn the_life_of_a_pod_is_told_in_order() {
    let Some(host) = Host::new() else { return };
    let yaml = pod(
        "web",
        "command: [sh, -c, 'trap \"exit 3\" TERM; echo up; while :; do sleep 0.05; done']",
        "restartPolicy: Never",
    );
    let follower = host.spawn(&["events", "--filter", "type=pod", "--format", "json"]);
    std::thread::sleep(Duration::from_millis(500));
    host.play("web", &yaml).expect();
    host.wait_for_log("web", "main", "up");
    host.run(&["exec", "web-main", "true"]).expect();
    host.run(&["pause", "web-main"]).expect();
    host.run(&["unpause", "web-main"]).expect();
    host.run(&["pod", "stop", "web"]).expect();
    host.down("web").expect();
    let all = host
        .run(&["events", "--stream=false", "--filter", "pod=web"])
        .expect();
    let words: Vec<String> = all
        .lines()
        .map(|line| {
            line.split(' ')
                .skip(4)
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(
        words,
        [
            "pod create",
            "container create",
            "container start",
            "pod start",
            "container exec",
            "container exec_died",
            "container pause",
            "container unpause",
            "container died",
            "container stop",
            "pod stop",
            "container remove",
            "pod remove"
        ],
        "{all}"
    );
    assert!(
        all.contains("name=web-main") && all.contains("exit_code=3"),
        "{all}"
    );
    let now = host.run(&[
        "events", "--since", "0s", "--until", "0s", "--filter", "pod=web",
    ]);
    assert_eq!(now.expect(), "");
    let mut follower = follower;
    std::thread::sleep(Duration::from_millis(500));
    follower.kill().expect("killed");
    let followed = Host::finish(follower).stdout;
    let statuses: Vec<String> = followed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json"))
        .map(|event| event["Status"].as_str().expect("a status").to_owned())
        .collect();
    assert_eq!(statuses, ["create", "start", "stop", "remove"]);
}

#[test]
fn the_kubelets_reasons_are_told() {
    let Some(host) = Host::new() else { return };
    let cases = [
        (
            "sick",
            "command: [sleep, '1000']\nlivenessProbe: {exec: {command: ['false']}, periodSeconds: 1, failureThreshold: 1}",
            "terminationGracePeriodSeconds: 0",
            "Unhealthy",
        ),
        (
            "late",
            "command: [sleep, '1000']",
            "activeDeadlineSeconds: 1\nterminationGracePeriodSeconds: 0",
            "DeadlineExceeded",
        ),
        (
            "loop",
            "command: ['false']",
            "restartPolicy: Always",
            "BackOff",
        ),
        (
            "full",
            "command: [dd, if=/dev/zero, of=/dev/null, bs=100M, count=1]\nresources: {limits: {memory: 20Mi}}",
            "restartPolicy: Never",
            "OOMKilled",
        ),
    ];
    for (name, container, spec, _) in cases {
        host.play(name, &pod(name, container, spec));
    }
    for (name, _, _, reason) in cases {
        let until = std::time::Instant::now() + super::host::PATIENCE;
        let filters = [format!("pod={name}"), format!("reason={reason}")];
        loop {
            let events = host
                .run(&[
                    "events",
                    "--stream=false",
                    "-f",
                    &filters[0],
                    "-f",
                    &filters[1],
                ])
                .expect();
            if !events.is_empty() {
                break;
            }
            assert!(
                std::time::Instant::now() < until,
                "{reason}: {:?}",
                told(&host, &[])
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
