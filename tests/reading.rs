//! The cases of `testdata/reading`: each a manifest, and all that reading it says.
//!
//! `PODWRIGHT_BLESS=1 cargo test --test reading` writes what is said now.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use podwright::manifest::{
    Kinds, KubernetesVersion, ReadOptions, Report, Source, UnknownFields, read,
};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/reading");
    let entries = fs::read_dir(root).expect("the cases are there");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    cases.sort();
    cases
}

/// Returns the objects, one a line, and the report.
fn said(case: &Path) -> String {
    let name = ["in.yaml", "in.json"]
        .into_iter()
        .find(|name| case.join(name).exists())
        .expect("a case has an input");
    let bytes = fs::read(case.join(name)).expect("readable");
    let options = ReadOptions {
        unknown_fields: UnknownFields::Refuse,
        ..ReadOptions::default()
    };
    let reading = read(&[Source::from_bytes(name, bytes)], &options);
    let mut said = String::new();
    for read in &reading.objects {
        let title = read.document.title().unwrap_or_default();
        let faulty = if read.object.is_some() {
            ""
        } else {
            ", not decoded"
        };
        let index = read.document.index();
        writeln!(said, "document {index}: {}{faulty}", title.escape_debug()).expect("a string");
    }
    said + &Report(&reading.findings).to_string()
}

#[test]
fn every_case_says_what_it_said() {
    let mut wrong = String::new();
    for case in cases() {
        let now = said(&case);
        let path = case.join("said.txt");
        if std::env::var_os("PODWRIGHT_BLESS").is_some() {
            fs::write(&path, &now).expect("writable");
        } else if fs::read_to_string(&path).ok().as_deref() != Some(now.as_str()) {
            write!(wrong, "{} now says:\n{now}\n", case.display()).expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_report_has_a_control_character() {
    for case in cases() {
        let said = said(&case);
        let bad = said.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(bad, None, "{}", case.display());
    }
}

#[test]
fn a_long_text_of_long_characters_is_read_whole_wherever_it_is_cut() {
    for shift in 0..4 {
        let value = format!("{}{}", "a".repeat(shift), "€ü🦀".repeat(2000));
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{nodeName: {value}}}\n"
        );
        let reading = read(&[Source::new("a.yaml", text)], &ReadOptions::default());
        let spec = reading.objects[0].document.node().get("spec");
        let read = spec.and_then(|spec| spec.get("nodeName")?.as_str());
        assert_eq!(read, Some(value.as_str()));
    }
}

/// Returns each finding as `line:column type path` for all built-in kinds of one version.
fn checked(text: &str, version: &str) -> Vec<String> {
    let options = ReadOptions {
        unknown_fields: UnknownFields::Refuse,
        kinds: Kinds::BuiltIn,
        kubernetes: KubernetesVersion::parse(version).expect("a version"),
    };
    let reading = read(&[Source::new("a.yaml", text)], &options);
    let lines = reading.findings.iter().map(|located| {
        let (span, finding) = (located.span, &located.finding);
        let help = finding.help.as_deref().unwrap_or("-");
        let (kind, path) = (finding.kind, &finding.path);
        format!("{}:{} {kind:?} {path} ({help})", span.line, span.column)
    });
    lines.collect()
}

#[test]
fn kinds_without_a_type_are_held_against_their_schema() {
    let text = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: a
  labels: {a: 1}
roleref: {}
subjects:
- kind: User
  nam: x
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: a}
spec:
  maxReplicas: \"3\"
  scaleTargetRef: {kind: Deployment, name: a}
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Value, value: 1K}}
status: {currentReplicas: no}
";
    let wanted = [
        "1:1 Required roleRef (-)",
        "5:15 Decode metadata.labels[a] (quote it: `\"1\"`)",
        "6:1 UnknownField roleref (did you mean `roleRef`?)",
        "8:3 Required subjects[0].name (-)",
        "9:3 UnknownField subjects[0].nam (did you mean `name`?)",
        "15:16 Decode spec.maxReplicas (write it without quotes: `3`)",
        "19:56 Decode spec.metrics[0].resource.target.value (-)",
        "20:27 Decode status.currentReplicas (-)",
    ];
    assert_eq!(checked(text, "1.34"), wanted);
}

#[test]
fn a_field_is_known_in_the_versions_that_have_it() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  hostnameOverride: x
  containers: []
";
    assert_eq!(checked(text, "1.37"), [] as [&str; 0]);
    assert_eq!(checked(text, "1.34"), [] as [&str; 0]);
    assert_eq!(
        checked(text, "1.33"),
        ["5:3 UnknownField spec.hostnameOverride (Kubernetes has it since 1.34)"]
    );
}

#[test]
fn a_kind_is_known_in_the_versions_that_serve_it() {
    let text =
        "apiVersion: flowcontrol.apiserver.k8s.io/v1beta2\nkind: FlowSchema\nmetadata: {name: a}\n";
    assert_eq!(checked(text, "1.25"), [] as [&str; 0]);
    assert_eq!(
        checked(text, "1.34"),
        ["1:13 UnknownKind apiVersion (write `apiVersion: flowcontrol.apiserver.k8s.io/v1`)"]
    );
    let text = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n";
    assert_eq!(checked(text, "1.34"), ["2:7 UnknownKind kind (-)"]);
}
