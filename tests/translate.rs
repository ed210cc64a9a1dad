//! Kubernetes objects become the model, or findings at their place.

use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use podwright::manifest::source::{Findings, Severity};
use podwright::model::container::{Device, PullPolicy, Role};
use podwright::model::network::NetworkSpec;
use podwright::model::pod::PodSpec;
use podwright::translate::{NetworkChoice, PlayOptions, Translation, parse_publish};

fn options() -> PlayOptions {
    PlayOptions::new(PathBuf::from("/work"))
}

/// Translates one pod; the findings as `severity path: message`.
fn translate(yaml: &str, options: &PlayOptions) -> (Option<PodSpec>, Vec<String>) {
    let pod: v1::Pod = serde_yaml::from_str(yaml).unwrap();
    let mut findings = Findings::default();
    let mut translation = Translation::new(options);
    translation.pod(&pod, &mut findings);
    let application = translation.finish(&mut findings);
    let lines = findings
        .0
        .iter()
        .map(|finding| {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            format!("{severity} {}: {}", finding.path, finding.message)
        })
        .collect();
    (application.pods.into_iter().next(), lines)
}

const MINIMAL: &str = "{metadata: {name: web}, spec: {containers: [{name: a, image: nginx}]}}";

#[test]
fn minimal_pod_gets_kubernetes_defaults() {
    let (pod, findings) = translate(MINIMAL, &options());
    assert_eq!(findings, Vec::<String>::new());
    let pod = pod.unwrap();
    assert_eq!(pod.termination_grace.0, 30);
    assert_eq!(pod.containers[0].role, Role::App);
    assert_eq!(pod.containers[0].pull, PullPolicy::Always);
    let NetworkSpec::Bridge { networks } = &pod.infra.network else {
        panic!("a bridge");
    };
    assert_eq!(networks[0].network.as_str(), "podwright");
}

#[test]
fn flags_are_stronger_than_the_manifest() {
    let yaml = "{metadata: {name: web}, spec: {hostNetwork: true, hostAliases: [{ip: 1.2.3.4, hostnames: [a]}], \
                containers: [{name: a, image: nginx, ports: [{containerPort: 80, hostPort: 8080}, {containerPort: 81}]}]}}";
    let options = PlayOptions {
        network: Some(NetworkChoice::None),
        no_hosts: true,
        publish: vec![parse_publish("9000:80").unwrap()],
        publish_all: true,
        ..options()
    };
    let (_, findings) = translate(yaml, &options);
    assert_eq!(
        findings,
        ["error spec.hostAliases: HostAliases in yaml file will not work with --no-hosts"]
    );
    let options = PlayOptions {
        no_hosts: false,
        ..options
    };
    let pod = translate(yaml, &options).0.unwrap();
    assert_eq!(pod.infra.network, NetworkSpec::None);
    let hosts: Vec<u16> = pod.containers[0]
        .ports
        .iter()
        .map(|port| port.host.as_ref().unwrap().port)
        .collect();
    assert_eq!(hosts, [9000, 81]);
}

#[test]
fn faults_that_the_api_server_does_not_see_are_errors_at_their_place() {
    for (container, expected) in [
        (
            "image: ./myimage",
            "error spec.containers[0].image: `./myimage` is not a valid image reference: invalid reference format",
        ),
        (
            "{}",
            "error spec.containers[0].image: container \"a\" is missing the required 'image' field",
        ),
        (
            "{image: x, lifecycle: {stopSignal: noSuchSignal}}",
            "error spec.containers[0].lifecycle.stopSignal: Invalid value: \"noSuchSignal\": invalid signal: noSuchSignal",
        ),
        (
            "{image: x, securityContext: {capabilities: {add: [NET_ROW]}}}",
            "error spec.containers[0].securityContext.capabilities.add[0]: `NET_ROW` is not a capability that Linux knows",
        ),
        (
            "{image: x, resources: {limits: {memory: 1Kib}}}",
            "error spec.containers[0].resources.limits[memory]: Invalid value: \"1Kib\": quantities must match",
        ),
        (
            "{image: x, resources: {limits: {mem: 1Ki}}}",
            "error spec.containers[0].resources.limits[mem]: ",
        ),
        (
            "{image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nope}}}]}",
            "error spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"spec.nope\"",
        ),
    ] {
        let mut value: serde_yaml::Value = serde_yaml::from_str(container).unwrap();
        if value.is_string() {
            value = serde_yaml::from_str(&format!("{{{container}}}")).unwrap();
        }
        value["name"] = "a".into();
        let text = serde_yaml::to_string(&value)
            .unwrap()
            .replace('\n', "\n    ");
        let yaml = format!("metadata: {{name: web}}\nspec:\n  containers:\n  - \n    {text}");
        let (pod, findings) = translate(&yaml, &options());
        assert!(pod.is_none(), "{container}");
        assert!(findings[0].starts_with(expected), "{findings:?}");
    }
}

#[test]
fn what_is_not_honoured_yet_is_a_warning_and_not_silence() {
    let yaml = "{metadata: {name: web, annotations: {io.podman.annotations.userns: auto}}, \
                spec: {activeDeadlineSeconds: 5, runtimeClassName: x, nodeSelector: {a: b}, tolerations: [{}], \
                containers: [{name: a, image: nginx, tty: true}]}}";
    let (pod, findings) = translate(yaml, &options());
    assert!(pod.is_some());
    assert_eq!(
        findings,
        [
            "warning spec.runtimeClassName: `runtimeClassName` is not honoured yet",
            "warning spec.containers[0].tty: `tty` is not honoured yet",
            "warning metadata.annotations[io.podman.annotations.userns]: `io.podman.annotations.userns` is not honoured yet",
        ]
    );
}

#[test]
fn controllers_give_their_pods_in_number() {
    let yaml = "{metadata: {name: web, annotations: {a: b, io.podman.annotations.infra.name: inf}}, spec: {replicas: 3, selector: {}, \
                template: {metadata: {labels: {app: x}}, spec: {containers: [{name: a, image: nginx, tty: true}]}}}}";
    let options = PlayOptions {
        addresses: vec!["10.0.0.7".parse().unwrap(), "10.0.0.8".parse().unwrap()],
        ..options()
    };
    let mut findings = Findings::default();
    let mut translation = Translation::new(&options);
    translation.deployment(&serde_yaml::from_str(yaml).unwrap(), &mut findings);
    translation.deployment(
        &serde_yaml::from_str(&yaml.replace("replicas: 3", "replicas: 0")).unwrap(),
        &mut findings,
    );
    let pods = translation.finish(&mut findings).pods;
    let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["web-pod", "web-pod-1", "web-pod-2"]);
    assert!(pods.iter().all(|pod| pod.annotations.is_empty()));
    assert_eq!(pods[0].infra.name.as_ref().unwrap().as_str(), "inf");
    let addresses: Vec<String> = pods
        .iter()
        .map(|pod| match &pod.infra.network {
            NetworkSpec::Bridge { networks } => format!("{:?}", networks[0].address),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(addresses, ["Some(10.0.0.7)", "Some(10.0.0.8)", "None"]);
    assert_eq!(
        findings.0[0].path.to_string(),
        "spec.template.spec.containers[0].tty"
    );
}

#[test]
fn podmans_extensions_are_understood() {
    let yaml = "{metadata: {name: web_1}, spec: {containers: [{name: a, image: nginx, imagePullPolicy: missing, \
                resources: {limits: {podman.io/device=/dev/fuse: '1'}}, ports: [{hostPort: 80}]}]}}";
    let (pod, findings) = translate(yaml, &options());
    assert!(findings.is_empty(), "{findings:?}");
    let container = &pod.unwrap().containers[0];
    assert_eq!(container.pull, PullPolicy::IfNotPresent);
    assert_eq!(container.ports[0].port, 80);
    assert_eq!(container.devices, [Device::Host("/dev/fuse".into())]);
}

#[test]
fn an_alias_may_be_longer_than_the_kernels_host_names() {
    let name =
        "a.very-long-name-of-a-service-somewhere.namespace-with-a-long-name.svc.cluster.local";
    let yaml = format!(
        "{{metadata: {{name: web}}, spec: {{hostAliases: [{{ip: 1.2.3.4, hostnames: [{name}]}}], \
         containers: [{{name: a, image: {name}:5000/b}}]}}}}"
    );
    let (pod, findings) = translate(&yaml, &options());
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(
        pod.unwrap().containers[0].image.registry(),
        Some(format!("{name}:5000").as_str())
    );
}
