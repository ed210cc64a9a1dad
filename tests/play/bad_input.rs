//! What cannot be played is refused with one clear error, and leaves everything as it was.

use std::net::TcpListener;

use super::host::{Host, changes, pod};

/// Plays what must be refused: one error, at the place of a text of the manifest, with these words, and nothing else
/// changes.
#[track_caller]
fn refused(host: &Host, yaml: &str, at: &str, words: &[&str]) {
    host.write("bad", yaml);
    let before = host.traces();
    let ran = host.run(&["kube", "play", "bad.yaml"]);
    assert_eq!(ran.code, Some(125), "{yaml}\n{}", ran.stderr);
    assert_eq!(ran.stdout, "", "{yaml}");
    let errors = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{yaml}\n{}", ran.stderr);
    let place = place(yaml, at);
    let told = |line: &str| line.trim_start().split("  (").next() == Some(&place);
    assert!(
        ran.stderr.lines().any(told),
        "not `{place}`:\n{}",
        ran.stderr
    );
    for word in words {
        assert!(
            ran.stderr.contains(word),
            "{word:?} is missing:\n{}",
            ran.stderr
        );
    }
    let changes = changes(&before, &host.traces());
    assert!(
        changes.is_empty(),
        "{yaml}\nleft behind:\n{}",
        changes.join("\n")
    );
}

/// Returns where a text stands that a manifest has once, as errors tell it.
#[track_caller]
fn place(yaml: &str, text: &str) -> String {
    assert_eq!(yaml.matches(text).count(), 1, "{text}:\n{yaml}");
    let before = &yaml[..yaml.find(text).unwrap()];
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
    format!("--> bad.yaml:{line}:{column}")
}

#[test]
fn a_manifest_with_a_mistake_is_refused_at_its_place() {
    let Some(host) = Host::new() else { return };
    let missing = host.run(&["kube", "play", "nosuch.yaml"]);
    assert_eq!(missing.code, Some(125));
    assert!(missing.stderr.contains("nosuch.yaml"), "{}", missing.stderr);
    refused(&host, "kind: [Pod\napiVersion: v1\n", ": v1", &["']'"]);
    let no_containers =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: []}\n";
    refused(&host, no_containers, "containers", &["spec.containers"]);
    let unknown = "apiVersion: v1\nkind: Podd\nmetadata: {name: web}\nspec: {}\n";
    refused(&host, unknown, "Podd", &["kind"]);
    let quantity = pod("web", "resources: {limits: {memory: 5q}}", "");
    refused(&host, &quantity, "5q", &["memory"]);
    refused(
        &host,
        &pod("web", "", "restartPolicy: Sometimes"),
        "Sometimes",
        &["spec.restartPolicy"],
    );
    let mode =
        "volumes:\n- name: tmp\n  configMap: {name: some, optional: true, defaultMode: 1023}";
    refused(&host, &pod("web", "", mode), "1023", &["defaultMode"]);
    let capability = "securityContext: {capabilities: {add: [NO_SUCH]}}";
    refused(
        &host,
        &pod("web", capability, ""),
        "NO_SUCH",
        &["capabilit"],
    );
    host.expect_clean();
}

#[test]
fn what_the_host_lacks_is_told_before_anything_is_touched() {
    let Some(host) = Host::new() else { return };
    let image =
        pod("web", "imagePullPolicy: Never", "").replace("localhost/busybox", "localhost/nothing");
    refused(&host, &image, "localhost/nothing", &["image not known"]);
    let hostpath = "volumes:\n- name: data\n  hostPath: {path: /no/such/place, type: Directory}";
    refused(
        &host,
        &pod("web", "", hostpath),
        "/no/such/place",
        &["spec.volumes[0].hostPath"],
    );
    let map = "env:\n- name: A\n  valueFrom:\n    configMapKeyRef: {name: nosuch, key: a}";
    refused(
        &host,
        &pod("web", map, ""),
        "nosuch",
        &["ConfigMap \"nosuch\" not found"],
    );
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {a: b}\n---\n";
    let key = "env:\n- name: A\n  valueFrom:\n    secretKeyRef: {name: keys, key: other}";
    let yaml = format!("{secret}{}", pod("web", key, ""));
    refused(
        &host,
        &yaml,
        "other",
        &["Secret \"keys\" has no key \"other\""],
    );
    let ports = "ports:\n- {containerPort: 80, hostPort: 7777}";
    let foreign = host.run_in(|| TcpListener::bind("0.0.0.0:7777").expect("bound"));
    refused(&host, &pod("web", ports, ""), "7777", &["7777", "process"]);
    drop(foreign);
    let stay = format!("command: [sleep, '1000']\n{ports}");
    host.play(
        "other",
        &pod("other", &stay, "terminationGracePeriodSeconds: 0"),
    )
    .expect();
    refused(
        &host,
        &pod("web", ports, ""),
        "7777",
        &["7777", "pod `other`"],
    );
    refused(
        &host,
        &pod("other", "", ""),
        "other",
        &["other", "already exists"],
    );
    host.down("other").expect();
    host.expect_clean();
}

#[test]
fn a_pod_that_does_not_start_leaves_nothing() {
    let Some(host) = Host::new() else { return };
    refused(
        &host,
        &pod("web", "command: [/no/such/program]", ""),
        "/no/such/program",
        &["/no/such/program"],
    );
    let volumes = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {a: b}
---
";
    let second = "  - {name: other, image: localhost/busybox, command: [/no/such/program]}\n";
    let first = pod(
        "web",
        "command: [sleep, '1000']",
        "terminationGracePeriodSeconds: 0",
    );
    refused(
        &host,
        &format!("{volumes}{first}{second}"),
        "/no/such/program",
        &["other"],
    );
    let init = "restartPolicy: Never\ninitContainers:\n- {name: prepare, image: localhost/busybox, command: [sh, -c, exit 3]}";
    refused(
        &host,
        &pod("web", "command: [sleep, '1000']", init),
        "prepare",
        &["init container", "3"],
    );
    host.expect_clean();
}
