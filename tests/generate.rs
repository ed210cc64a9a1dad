//! What goes out as YAML comes back the same.

#[path = "generated/cases.rs"]
mod cases;
#[path = "generated/files.rs"]
mod files;
#[path = "support/kubectl.rs"]
mod program;
mod support {
    pub(crate) mod draw;
    pub(crate) mod drawn;
    pub(crate) mod filled;
}

use std::io::Write as _;
use std::process::{Command, Stdio};

use k8s_openapi::api::core::v1;
use proptest::prelude::*;
use serde::Deserialize as _;

use podwright::manifest::{Findings, Object, ReadOptions, Report, Severity, Source, read};
use podwright::model::pod::PodSpec;
use podwright::translate::{
    Application, Controller, GenerateOptions, PlayOptions, Translation, documents, generate,
    translate,
};
use support::draw::{Draw, HARD_TEXTS};
use support::drawn;
use support::filled::{self, Sentinels};

/// Reads a stream and translates it; any error is told.
fn play(yaml: &str, options: &PlayOptions) -> Application {
    let reading = read(&[Source::new("out.yaml", yaml)], &ReadOptions::default());
    assert!(
        reading.findings.is_empty(),
        "{}\n{yaml}",
        Report(&reading.findings)
    );
    let objects: Vec<Object> = reading
        .objects
        .into_iter()
        .map(|read| read.object.unwrap())
        .collect();
    let translated = translate(&objects, options);
    for findings in &translated.findings {
        no_errors(findings);
    }
    translated.application
}

fn no_errors(findings: &Findings) {
    for finding in &findings.0 {
        assert_ne!(finding.severity, Severity::Error, "{finding:?}");
    }
}

/// Plays a manifest without flags; the pods of it.
fn pods(yaml: &str) -> Vec<PodSpec> {
    play(yaml, &PlayOptions::new("/work".into())).pods
}

/// The pod, through objects alone.
fn around(spec: &PodSpec) -> PodSpec {
    let generated = generate(spec);
    let mut findings = Findings::default();
    let mut translation = Translation::new(&generated.options);
    translation.pod(&generated.pod, &mut findings);
    let application = translation.finish(&mut findings);
    no_errors(&findings);
    application.pods.into_iter().next().unwrap()
}

#[test]
fn a_pod_with_every_field_comes_back_whole() {
    let spec = filled::pod(&mut Sentinels::default());
    assert_eq!(around(&spec), spec);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_pod_comes_back_from_its_manifest(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        let spec = drawn::pod(&mut Draw(&bytes));
        prop_assert_eq!(around(&spec), spec);
    }

    #[test]
    fn every_pod_comes_back_from_its_yaml(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        let mut draw = Draw(&bytes);
        let spec = drawn::pod(&mut draw);
        let volume = drawn::named_volume(&mut draw);
        let options = generate(&spec).options;
        let yaml = documents(
            std::slice::from_ref(&spec),
            std::slice::from_ref(&volume),
            &GenerateOptions::default(),
        )
        .unwrap();
        for document in serde_yaml::Deserializer::from_str(&yaml) {
            // A reader of YAML 1.2 sees the same.
            let value = serde_yaml::Value::deserialize(document).unwrap();
            if value["kind"] == "Pod" {
                let pod: v1::Pod = serde_yaml::from_value(value).unwrap();
                prop_assert_eq!(&pod, &generate(&spec).pod);
            }
        }
        let application = play(&yaml, &options);
        prop_assert_eq!(application.pods, [spec]);
        prop_assert_eq!(application.volumes, [volume]);
    }

    #[test]
    fn any_text_survives_as_text(text in any::<String>()) {
        text_survives(&text);
    }
}

fn text_survives(text: &str) {
    let mut spec = filled::pod(&mut Sentinels::default());
    spec.containers[0].args = Some(vec![text.to_owned(), text.to_owned()]);
    spec.annotations.insert("text".to_owned(), text.to_owned());
    let options = generate(&spec).options;
    let yaml = documents(&[spec.clone()], &[], &GenerateOptions::default()).unwrap();
    assert_eq!(play(&yaml, &options).pods, [spec], "{text:?}\n{yaml}");
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    for text in HARD_TEXTS {
        text_survives(text);
    }
}

const WEB: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: my_web
spec:
  containers:
  - name: a_b
    image: nginx:1.27
    ports:
    - containerPort: 80
      hostPort: 8080
    - containerPort: 53
      hostPort: 5353
      protocol: UDP
";

fn generated(yaml: &str, options: &GenerateOptions) -> Result<String, String> {
    documents(&pods(yaml), &[], options).map_err(|error| error.to_string())
}

#[test]
fn a_pod_is_written_with_podmans_head_and_without_defaults() {
    let options = GenerateOptions {
        created: Some(jiff::Timestamp::UNIX_EPOCH),
        ..GenerateOptions::default()
    };
    let yaml = generated(WEB, &options).unwrap();
    let (head, body) = yaml.split_once("apiVersion").unwrap();
    assert!(head.starts_with("# Save the output "), "{head}");
    assert!(head.contains("# Created with podwright-"), "{head}");
    assert_eq!(
        body,
        "\
: v1
kind: Pod
metadata:
  creationTimestamp: \"1970-01-01T00:00:00Z\"
  name: myweb
spec:
  containers:
  - image: nginx:1.27
    name: ab
    ports:
    - containerPort: 80
      hostPort: 8080
    - containerPort: 53
      hostPort: 5353
      protocol: UDP
"
    );
}

#[test]
fn a_service_stands_before_its_pod_and_takes_its_ports() {
    let options = GenerateOptions {
        service: true,
        ..GenerateOptions::default()
    };
    let yaml = generated(WEB, &options).unwrap();
    let documents: Vec<&str> = yaml.split("---\n").collect();
    assert_eq!(documents.len(), 2);
    assert!(documents[0].contains("kind: Service\n"));
    assert!(
        documents[0].ends_with(
            "\
spec:
  ports:
  - name: \"80\"
    port: 80
    targetPort: 80
  - name: \"53-udp\"
    port: 53
    protocol: UDP
    targetPort: 53
  selector:
    app: myweb
  type: NodePort
"
        ),
        "{yaml}"
    );
    assert!(documents[1].contains("kind: Pod\n"));
    assert!(documents[1].contains("app: myweb"));
    assert!(!documents[1].contains("hostPort"));
}

#[test]
fn controllers_are_named_after_their_pod_and_play_again() {
    for (controller, policy, kind, name) in [
        (
            Controller::Deployment { replicas: Some(2) },
            "Always",
            "Deployment",
            "myweb-deployment",
        ),
        (
            Controller::DaemonSet,
            "Always",
            "DaemonSet",
            "myweb-daemonset",
        ),
        (Controller::Job, "Never", "Job", "myweb-job"),
    ] {
        let options = GenerateOptions {
            controller: Some(controller),
            ..GenerateOptions::default()
        };
        let web = format!("{WEB}  restartPolicy: {policy}\n");
        let yaml = generated(&web, &options).unwrap();
        assert!(yaml.contains(&format!("kind: {kind}\n")), "{yaml}");
        assert!(yaml.contains(&format!("  name: {name}\n")), "{yaml}");
        let pods = pods(&yaml);
        assert_eq!(pods[0].name.as_str(), format!("{name}-pod"));
        let replicas = if kind == "Deployment" { 2 } else { 1 };
        assert_eq!(pods.len(), replicas);
        assert_eq!(pods[0].labels["app"], "myweb");
    }
}

#[test]
fn a_job_runs_its_pod_once() {
    let options = GenerateOptions {
        controller: Some(Controller::Job),
        ..GenerateOptions::default()
    };
    let yaml = generated(&format!("{WEB}  restartPolicy: OnFailure\n"), &options).unwrap();
    for words in [
        "parallelism: 1\n",
        "completions: 1\n",
        "restartPolicy: OnFailure\n",
    ] {
        assert!(yaml.contains(words), "{words} is not in\n{yaml}");
    }
}

#[test]
fn a_controller_that_cannot_run_the_pod_is_refused() {
    for (controller, policy, expected) in [
        (
            Controller::Deployment { replicas: None },
            "Never",
            "can only have restartPolicy set to Always",
        ),
        (
            Controller::DaemonSet,
            "OnFailure",
            "can only have restartPolicy set to Always",
        ),
        (
            Controller::Job,
            "Always",
            "k8s Jobs can not have restartPolicy set to Always; only Never and OnFailure policies allowed",
        ),
    ] {
        let options = GenerateOptions {
            controller: Some(controller),
            ..GenerateOptions::default()
        };
        let error = generated(&format!("{WEB}  restartPolicy: {policy}\n"), &options).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let mut pod = filled::pod(&mut Sentinels::default());
    pod.containers.clear();
    let error = documents(&[pod], &[], &GenerateOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("only has an infra container"));
}

#[test]
fn a_volume_becomes_a_claim() {
    let mut draw = Draw(&[]);
    let mut volume = drawn::named_volume(&mut draw);
    volume.size = None;
    let yaml = documents(&[], &[volume], &GenerateOptions::default()).unwrap();
    assert!(
        yaml.ends_with(
            "\
kind: PersistentVolumeClaim
metadata:
  name: a
spec:
  accessModes:
  - ReadWriteOnce
  resources:
    requests:
      storage: 1Gi
"
        ),
        "{yaml}"
    );
}

#[test]
fn kubectl_reads_every_text_as_it_was() {
    let mut spec = drawn::pod(&mut Draw(&[]));
    let texts = HARD_TEXTS.iter().flat_map(|text| {
        [
            (*text).to_owned(),
            format!("a{text}"),
            format!("/{text} b"),
            format!("{text}\n{text}"),
        ]
    });
    spec.containers[0].args = Some(texts.collect());
    let yaml = documents(&[spec.clone()], &[], &GenerateOptions::default()).unwrap();
    let Some(json) = through_kubectl(&yaml) else {
        eprintln!("skipped: lacks kubectl");
        return;
    };
    let pod: v1::Pod = serde_json::from_str(&json).unwrap();
    let container = pod.spec.unwrap().containers.remove(0);
    assert_eq!(container.args, spec.containers[0].args);
}

/// Lets kubectl read a manifest and write it as JSON, without any server.
fn through_kubectl(yaml: &str) -> Option<String> {
    let mut child = Command::new(program::kubectl()?)
        .args([
            "annotate",
            "--local",
            "--overwrite",
            "-f",
            "-",
            "a=b",
            "-o",
            "json",
        ])
        .env("KUBECONFIG", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(yaml.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}
