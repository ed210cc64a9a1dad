//! What only shows when objects are read together.

use podwright::manifest::rules::{check_all, forgive_podman};
use podwright::manifest::source::Severity;
use podwright::manifest::{Extent, ReadOptions, Source, read};

fn warnings(text: &str) -> Vec<String> {
    let mut reading = read(&[Source::new("all.yaml", text)], &ReadOptions::default());
    check_all(&mut reading, Extent::Part);
    let all = reading.findings.iter().map(|one| {
        assert_eq!(one.finding.severity, Severity::Warning, "{:?}", one.finding);
        format!("{}: {}", one.span.line, one.finding.message)
    });
    all.collect()
}

#[test]
fn keys_that_are_not_there_are_told() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: m}
data: {a: x}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {a: x}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: c
    image: i
    env:
    - {name: A, valueFrom: {configMapKeyRef: {name: m, key: a}}}
    - {name: B, valueFrom: {configMapKeyRef: {name: m, key: b}}}
    - {name: C, valueFrom: {configMapKeyRef: {name: m, key: c, optional: true}}}
    - {name: D, valueFrom: {configMapKeyRef: {name: elsewhere, key: d}}}
  volumes:
  - name: v
    secret: {secretName: s, items: [{key: b, path: b}]}
";
    assert_eq!(
        warnings(text),
        [
            "20: ConfigMap \"m\" has no key \"b\"",
            "25: Secret \"s\" has no key \"b\"",
        ]
    );
}

#[test]
fn names_of_ports_must_lead_somewhere() {
    let text = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
      - name: c
        image: i
        ports: [{name: web, containerPort: 80}]
        livenessProbe: {httpGet: {port: wbe}}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  selector: {a: b}
  ports:
  - {name: a, port: 80, targetPort: web}
  - {name: b, port: 81, targetPort: http}
";
    assert_eq!(
        warnings(text),
        [
            "13: the container has no port of the name \"wbe\"",
            "22: no pod behind this service has a port of the name \"http\"",
        ]
    );
}

#[test]
fn objects_and_host_ports_that_stand_twice_are_told() {
    let pod = |name: &str, port: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: c, image: i, ports: [{port}]}}]}}\n---\n"
        )
    };
    let text = [
        pod("a", "{containerPort: 80, hostPort: 8080}"),
        pod(
            "b",
            "{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}",
        ),
        pod("c", "{containerPort: 80, hostPort: 8080, protocol: UDP}"),
        pod("a", "{containerPort: 80}"),
    ];
    assert_eq!(
        warnings(&text.concat()),
        [
            "9: host port 8080/TCP is wanted by pod `a` too",
            "18: Pod \"a\" stands at all.yaml:3 already",
        ]
    );
}

#[test]
fn what_a_whole_set_lacks_is_told_when_asked() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: c
    image: i
    envFrom:
    - configMapRef: {name: m}
    - configMapRef: {name: other, optional: true}
  volumes:
  - name: v
    persistentVolumeClaim: {claimName: d}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  selector: {a: b}
  ports: [{port: 80}]
";
    let mut reading = read(&[Source::new("all.yaml", text)], &ReadOptions::default());
    check_all(&mut reading, Extent::Part);
    assert_eq!(
        reading
            .findings
            .iter()
            .map(|one| &one.finding.message)
            .collect::<Vec<_>>(),
        [""; 0]
    );
    let mut reading = read(&[Source::new("all.yaml", text)], &ReadOptions::default());
    check_all(&mut reading, Extent::Whole);
    let paths = reading
        .findings
        .iter()
        .map(|one| one.finding.path.to_string());
    assert_eq!(
        paths.collect::<Vec<_>>(),
        [
            "spec.containers[0].envFrom[0].configMapRef.name",
            "spec.volumes[0].persistentVolumeClaim.claimName",
            "spec.selector",
        ]
    );
}

#[test]
fn podmans_own_ways_can_be_forgiven() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: my_pod}
spec:
  hostname: My_host
  containers:
  - name: c
    image: i
    resources: {limits: {podman.io/device=/dev/kmsg: 1}}
";
    let mut reading = read(&[Source::new("all.yaml", text)], &ReadOptions::default());
    check_all(&mut reading, Extent::Part);
    assert!(reading.findings.len() > 2);
    forgive_podman(&mut reading);
    let paths = reading
        .findings
        .iter()
        .map(|one| one.finding.path.to_string());
    assert_eq!(paths.collect::<Vec<_>>(), ["spec.hostname"]);
}
