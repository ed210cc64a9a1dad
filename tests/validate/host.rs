//! `--target host`: what `kube play` would not honour here, and what this host lacks.

use crate::support::Manifests;

fn pod(spec: &str) -> String {
    let spec = spec.replace('\n', "\n  ");
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  {spec}\n")
}

/// What is found for this host that is not found for a cluster.
fn found(text: &str) -> Vec<String> {
    let files = Manifests::of(&[("in.yaml", text)]);
    assert_eq!(files.findings(&["in.yaml", "--partial"]), [""; 0]);
    let root = files.path().join("root");
    let runroot = files.path().join("run");
    let found = files.findings(&[
        "--root",
        root.to_str().unwrap(),
        "--runroot",
        runroot.to_str().unwrap(),
        "--target",
        "host",
        "in.yaml",
    ]);
    assert!(!root.exists(), "a check leaves nothing behind");
    found
}

const OURS: &str = "containers:\n- {name: a, image: localhost/podwright-hello}\n";

#[test]
fn a_pod_that_can_run_here_has_no_finding() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: lacks root");
        return;
    }
    assert_eq!(found(&pod(OURS)), [""; 0]);
}

#[test]
fn a_host_path_a_device_and_an_image_that_are_not_here_are_errors() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: lacks root");
        return;
    }
    let path = format!(
        "{OURS}volumes:\n- {{name: v, hostPath: {{path: /no/such/path, type: Directory}}}}\n"
    );
    let path = found(&pod(&path));
    assert_eq!(path.len(), 1, "{path:?}");
    assert!(
        path[0].starts_with("error NotFound spec.volumes[0].hostPath.path: "),
        "{path:?}"
    );
    let image = found(&pod(
        "containers:\n- {name: a, image: localhost/nothing, imagePullPolicy: Never}\n",
    ));
    assert_eq!(image.len(), 1, "{image:?}");
    assert!(
        image[0].starts_with("error NotFound spec.containers[0].image: "),
        "{image:?}"
    );
}

#[test]
fn a_setting_that_is_not_honoured_and_a_kind_that_is_not_played_are_warnings() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: lacks root");
        return;
    }
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n";
    assert_eq!(
        found(&format!("{role}---\n{}", pod(OURS))),
        ["warning UnknownKind kind: kind `Role` of `rbac.authorization.k8s.io/v1` is passed over"]
    );
    let unused = found(&pod(&format!("{OURS}schedulerName: mine\n")));
    assert!(
        unused
            .iter()
            .all(|one| one.starts_with("warning Warning spec.schedulerName")),
        "{unused:?}"
    );
}

#[test]
fn an_object_that_is_neither_here_nor_among_the_manifests_is_an_error() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: lacks root");
        return;
    }
    let text = pod(
        "containers:\n- name: a\n  image: localhost/podwright-hello\n  envFrom: [{configMapRef: {name: c}}]\n",
    );
    assert_eq!(
        found(&text),
        [
            "error NotFound spec.containers[0].envFrom[0].configMapRef.name: ConfigMap \"c\" not found"
        ]
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    assert_eq!(found(&format!("{map}---\n{text}")), [""; 0]);
}
