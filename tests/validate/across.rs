//! What only shows when documents are seen together; each is a warning, for the other half may be elsewhere.

use crate::support::Manifests;

fn found(documents: &[&str]) -> Vec<String> {
    let files = Manifests::of(&[("in.yaml", &documents.join("---\n"))]);
    assert_eq!(
        files.validate(&["in.yaml"]).code,
        Some(0),
        "these are warnings"
    );
    let found = files.findings(&["in.yaml"]);
    found
        .iter()
        .map(|one| one.trim_start_matches("warning Warning ").to_owned())
        .collect()
}

fn pod(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nspec: {spec}\n"
    )
}

fn with_container(more: &str) -> String {
    format!("{{containers: [{{name: a, image: b{more}}}]}}")
}

fn service(selector: &str, port: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{selector: {{app: {selector}}}, ports: [{port}]}}\n"
    )
}

#[test]
fn a_selector_that_no_pod_answers_to() {
    let web = pod("web", &with_container(", ports: [{containerPort: 80}]"));
    assert_eq!(found(&[&web, &service("web", "{port: 80}")]), [""; 0]);
    let nobody = "spec.selector: no pod among these manifests has these labels";
    assert_eq!(found(&[&web, &service("wbe", "{port: 80}")]), [nobody]);
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {podSelector: {matchLabels: {app: wbe}}}\n";
    let nobody = "spec.podSelector: no pod among these manifests has these labels";
    assert_eq!(found(&[&web, policy]), [nobody]);
}

#[test]
fn a_port_of_a_service_that_no_pod_has() {
    let web = pod(
        "web",
        &with_container(", ports: [{name: http, containerPort: 8080}]"),
    );
    let said = |port: &str| found(&[&web, &service("web", port)]);
    assert_eq!(said("{port: 80, targetPort: http}"), [""; 0]);
    assert_eq!(said("{port: 80, targetPort: 8080}"), [""; 0]);
    assert_eq!(said("{port: 8080}"), [""; 0]);
    assert_eq!(
        said("{port: 80, targetPort: web}"),
        ["spec.ports[0].targetPort: no pod behind this service has a port of the name \"web\""]
    );
    assert_eq!(
        said("{port: 80, targetPort: 81}"),
        ["spec.ports[0].targetPort: no pod behind this service declares the port 81"]
    );
    assert_eq!(
        said("{port: 80}"),
        ["spec.ports[0].port: no pod behind this service declares the port 80"]
    );
    let silent = pod("web", &with_container(""));
    assert_eq!(found(&[&silent, &service("web", "{port: 80}")]), [""; 0]);
}

#[test]
fn objects_that_a_pod_needs_and_that_are_not_there() {
    let needs = |spec: &str| found(&[&pod("web", spec)]);
    let missing =
        |path: &str, kind: &str| format!("{path}: {kind} \"x\" is not among these manifests");
    for (spec, path, kind) in [
        (
            with_container(", envFrom: [{configMapRef: {name: x}}]"),
            "spec.containers[0].envFrom[0].configMapRef.name",
            "ConfigMap",
        ),
        (
            with_container(", envFrom: [{secretRef: {name: x}}]"),
            "spec.containers[0].envFrom[0].secretRef.name",
            "Secret",
        ),
        (
            with_container(", env: [{name: A, valueFrom: {secretKeyRef: {name: x, key: k}}}]"),
            "spec.containers[0].env[0].valueFrom.secretKeyRef.name",
            "Secret",
        ),
        (
            with_volume("configMap: {name: x}"),
            "spec.volumes[0].configMap.name",
            "ConfigMap",
        ),
        (
            with_volume("secret: {secretName: x}"),
            "spec.volumes[0].secret.secretName",
            "Secret",
        ),
        (
            with_volume("persistentVolumeClaim: {claimName: x}"),
            "spec.volumes[0].persistentVolumeClaim.claimName",
            "PersistentVolumeClaim",
        ),
        (
            with_volume("projected: {sources: [{configMap: {name: x}}]}"),
            "spec.volumes[0].projected.sources[0].configMap.name",
            "ConfigMap",
        ),
        (
            "{serviceAccountName: x, containers: [{name: a, image: b}]}".to_owned(),
            "spec.serviceAccountName",
            "ServiceAccount",
        ),
    ] {
        assert_eq!(needs(&spec), [missing(path, kind)], "{spec}");
    }
    for spec in [
        with_container(", envFrom: [{configMapRef: {name: x, optional: true}}]"),
        with_volume("secret: {secretName: x, optional: true}"),
    ] {
        assert_eq!(needs(&spec), [""; 0], "{spec}");
    }
}

fn with_volume(source: &str) -> String {
    format!("{{containers: [{{name: a, image: b}}], volumes: [{{name: v, {source}}}]}}")
}

#[test]
fn a_key_that_its_object_does_not_have() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n";
    let env = |key: &str| {
        with_container(&format!(
            ", env: [{{name: A, valueFrom: {{configMapKeyRef: {{name: x, key: {key}}}}}}}]"
        ))
    };
    assert_eq!(found(&[map, &pod("web", &env("a"))]), [""; 0]);
    assert_eq!(
        found(&[map, &pod("web", &env("c"))]),
        [
            "spec.containers[0].env[0].valueFrom.configMapKeyRef.key: ConfigMap \"x\" has no key \"c\""
        ]
    );
    let items = with_volume("configMap: {name: x, items: [{key: c, path: c}]}");
    assert_eq!(
        found(&[map, &pod("web", &items)]),
        ["spec.volumes[0].configMap.items[0].key: ConfigMap \"x\" has no key \"c\""]
    );
}

#[test]
fn an_object_that_stands_twice() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    assert_eq!(
        found(&[map, map]),
        ["metadata.name: ConfigMap \"x\" stands at in.yaml:3 already"]
    );
    let elsewhere = map.replace("name: x", "name: x, namespace: other");
    assert_eq!(found(&[map, &elsewhere]), [""; 0]);
    let files = Manifests::of(&[("a.yaml", map), ("b.yaml", map)]);
    assert_eq!(
        files.findings(&["a.yaml", "b.yaml"]),
        ["warning Warning metadata.name: ConfigMap \"x\" stands at a.yaml:3 already"]
    );
}

#[test]
fn objects_that_stand_far_apart() {
    let map = |name: &str, key: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{key}: x}}\n")
    };
    let pod = pod(
        "web",
        &with_container(", ports: [{name: http, containerPort: 80, hostPort: 80}]").replace(
            "{containers",
            "{volumes: [{name: v, configMap: {name: last, items: [{key: k, path: k}]}}], containers",
        ),
    );
    // More is to be seen together than stays in memory.
    let between = (0..20).map(|file| {
        let maps = (0..300).map(|number| map(&format!("m-{file}-{number}"), "k"));
        (
            format!("{file:02}.yaml"),
            maps.collect::<Vec<_>>().join("---\n"),
        )
    });
    let between: Vec<(String, String)> = between.collect();
    let ends = [
        map("m-0-0", "k"),
        service("web", "{port: 1, targetPort: https}"),
        map("last", "l"),
    ];
    let ends = ends.join("---\n");
    let mut files: Vec<(&str, &str)> = vec![("00-first.yaml", &pod), ("99-last.yaml", &ends)];
    files.extend(
        between
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    );
    assert_eq!(
        Manifests::of(&files).findings(&["."]),
        [
            "warning Warning spec.volumes[0].configMap.items[0].key: ConfigMap \"last\" has no key \"k\"",
            "warning Warning metadata.name: ConfigMap \"m-0-0\" stands at ./00.yaml:3 already",
            "warning Warning spec.ports[0].targetPort: no pod behind this service has a port of the name \"https\"",
        ]
    );
}

#[test]
fn a_port_of_the_host_that_is_wanted_twice() {
    let port = with_container(", ports: [{containerPort: 80, hostPort: 80}]");
    assert_eq!(
        found(&[&pod("a", &port), &pod("b", &port)]),
        ["spec.containers[0].ports[0]: host port 80/TCP is wanted by pod `a` too"]
    );
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{a: b}}}}\n  template: {{metadata: {{labels: {{a: b}}}}, spec: {port}}}\n"
    );
    assert_eq!(
        found(&[&deployment]),
        ["spec.template.spec.containers[0].ports[0]: host port 80 is wanted by each of 2 replicas"]
    );
}

#[test]
fn a_claim_for_one_pod_that_two_use() {
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: x}\nspec: {accessModes: [ReadWriteOncePod], resources: {requests: {storage: 1Gi}}}\n";
    let spec = with_volume("persistentVolumeClaim: {claimName: x}");
    assert_eq!(found(&[claim, &pod("a", &spec)]), [""; 0]);
    assert_eq!(
        found(&[claim, &pod("a", &spec), &pod("b", &spec)]),
        [
            "spec.volumes[0].persistentVolumeClaim.claimName: claim \"x\" is ReadWriteOncePod and used by pod `a` too"
        ]
    );
    let shared = claim.replace("ReadWriteOncePod", "ReadWriteMany");
    assert_eq!(
        found(&[&shared, &pod("a", &spec), &pod("b", &spec)]),
        [""; 0]
    );
}

#[test]
fn a_probe_of_a_port_that_the_container_does_not_declare() {
    let said = |probe: &str| {
        let more = format!(", ports: [{{name: http, containerPort: 80}}], livenessProbe: {probe}");
        found(&[&pod("web", &with_container(&more))])
    };
    assert_eq!(said("{httpGet: {port: http}}"), [""; 0]);
    assert_eq!(said("{tcpSocket: {port: 80}}"), [""; 0]);
    assert_eq!(
        said("{httpGet: {port: web}}"),
        [
            "spec.containers[0].livenessProbe.httpGet.port: the container has no port of the name \"web\""
        ]
    );
    assert_eq!(
        said("{tcpSocket: {port: 81}}"),
        ["spec.containers[0].livenessProbe.tcpSocket.port: the container declares no port 81"]
    );
    assert_eq!(
        said("{grpc: {port: 81}}"),
        ["spec.containers[0].livenessProbe.grpc.port: the container declares no port 81"]
    );
}

#[test]
fn an_ingress_backend_without_its_service_or_port_or_certificate() {
    let ingress = |service: &str, port: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i}}\nspec: {{rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{{port}}}}}}}}}]}}}}]}}\n"
        )
    };
    let web = pod("web", &with_container(""));
    let service = service("web", "{name: http, port: 80}");
    let said = |ingress: &str| found(&[&web, &service, ingress]);
    assert_eq!(said(&ingress("s", "number: 80")), [""; 0]);
    assert_eq!(said(&ingress("s", "name: http")), [""; 0]);
    let path = "spec.rules[0].http.paths[0].backend.service";
    assert_eq!(
        said(&ingress("x", "number: 80")),
        [format!(
            "{path}.name: Service \"x\" is not among these manifests"
        )]
    );
    assert_eq!(
        said(&ingress("s", "number: 81")),
        [format!("{path}.port.number: Service \"s\" has no port 81")]
    );
    assert_eq!(
        said(&ingress("s", "name: web")),
        [format!(
            "{path}.port.name: Service \"s\" has no port \"web\""
        )]
    );
    let tls = ingress("s", "number: 80").replace("spec: {", "spec: {tls: [{secretName: x}], ");
    assert_eq!(
        said(&tls),
        ["spec.tls[0].secretName: Secret \"x\" is not among these manifests"]
    );
}
