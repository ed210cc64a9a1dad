//! `kube explain`.

use crate::support::Manifests;

fn explain(arguments: &[&str]) -> String {
    let said = Manifests::of(&[]).run("explain", arguments);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout
}

fn played(name: &str) -> String {
    let text = explain(&[name]);
    let line = text.lines().find_map(|line| line.strip_prefix("PLAYED:"));
    line.unwrap().trim().to_owned()
}

#[test]
fn a_field_is_told_with_its_type_default_versions_and_what_a_play_makes_of_it() {
    let text = explain(&["pod.spec.containers.imagePullPolicy"]);
    assert_eq!(
        text,
        "KIND:     Pod
VERSION:  v1
FIELD:    spec.containers.imagePullPolicy <string>
DEFAULT:  Always if the tag is `latest` or absent, else IfNotPresent
SINCE:    1.25 or before
PLAYED:   yes
"
    );
    let text = explain(&["pod.spec.hostnameOverride"]);
    assert!(text.contains("SINCE:    1.34\n"), "{text}");
    let text = explain(&["deploy.spec.template.spec.containers"]);
    assert!(
        text.contains("<[]Container> required\n") && text.contains("\nFIELDS:\n"),
        "{text}"
    );
    assert!(
        text.contains("  name                      <string> required\n"),
        "{text}"
    );
}

#[test]
fn what_a_play_makes_of_a_field_is_what_the_translation_says() {
    assert_eq!(played("pod.spec.containers.command"), "yes");
    assert_eq!(played("pod.spec.securityContext"), "yes");
    assert_eq!(played("deployment.spec.replicas"), "yes");
    assert_eq!(
        played("pod.spec.runtimeClassName"),
        "no: it has no effect yet, and a play warns of it"
    );
    assert_eq!(
        played("pod.spec.nodeSelector"),
        "it has no effect on a single host"
    );
    assert_eq!(
        played("role.rules"),
        "no: objects of this kind are passed over"
    );
}

#[test]
fn an_explanation_is_json_when_asked() {
    let text = explain(&["-o", "json", "pvc.spec.accessModes"]);
    let row: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(row["kind"], "PersistentVolumeClaim");
    assert_eq!(row["type"], "[]string");
    assert_eq!(row["path"], "spec.accessModes");
}

#[test]
fn what_is_unknown_is_answered_with_the_nearest() {
    let said = Manifests::of(&[]).run("explain", &["pod.spec.contianers"]);
    assert_eq!(said.code, Some(125));
    assert!(
        said.stderr.contains("did you mean `containers`?"),
        "{said:?}"
    );
    let said = Manifests::of(&[]).run(
        "explain",
        &["--kubernetes-version", "1.33", "pod.spec.hostnameOverride"],
    );
    assert_eq!(said.code, Some(125));
}
