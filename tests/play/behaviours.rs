//! What podman's own tests check of `kube play`, by the numbers of `docs/podman-behaviours.md`.

use super::host::{Host, Ran, pod};

fn sleeper(name: &str) -> String {
    pod(
        name,
        "command: [sleep, '1000']",
        "terminationGracePeriodSeconds: 0",
    )
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}], selector: {a: b}}\n";

#[track_caller]
fn refused(ran: &Ran, words: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(125), ""), "{ran:?}");
    assert!(ran.stderr.contains(words), "{words}: {ran:?}");
}

#[test]
fn an_empty_file_before_another_is_no_matter() {
    let Some(host) = Host::new() else { return };
    let good = host.write("good", &sleeper("web"));
    for nothing in ["", "  \n\n"] {
        let nothing = host.write("nothing", nothing);
        host.run(&["kube", "play", &nothing, &good]).expect();
        assert_eq!(host.pod_names(), ["web"]);
        host.down("good").expect();
    }
}

#[test]
fn kinds_that_are_not_played_are_told_or_passed_over() {
    let Some(host) = Host::new() else { return };
    let words = "YAML document does not contain any supported kube kind";
    refused(&host.play("only", SERVICE), words);
    let mixed = format!(
        "{SERVICE}---\n{}---\n{SERVICE}---\n{}",
        sleeper("one"),
        sleeper("two")
    );
    let told = host.play("mixed", &mixed.replacen("name: s", "name: t", 1));
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(
        told.stderr.contains("kind `Service` is not honoured yet"),
        "{told:?}"
    );
    assert_eq!(host.pod_names(), ["one", "two"]);
    host.down("mixed").expect();
    host.run(&["kube", "play", "--validate=ignore", "mixed.yaml"])
        .expect();
    assert_eq!(host.pod_names(), ["one", "two"]);
}

#[test]
fn a_manifest_that_cannot_be_read_leaves_nothing() {
    let Some(host) = Host::new() else { return };
    let tab = format!("{}---\nkind: Pod\n\tmetadata: x\n", sleeper("web"));
    refused(
        &host.play("tab", &tab),
        "found a tab character that violates indentation",
    );
    let open = format!("{}---\nkind: [Pod\n", sleeper("web"));
    refused(&host.play("open", &open), "open.yaml:");
    refused(&host.play("text", "just text\n"), "cannot unmarshal");
    assert!(host.pod_names().is_empty());
    host.expect_clean();
}

#[test]
fn a_list_is_read_as_the_documents_it_holds() {
    let Some(host) = Host::new() else { return };
    let item = "  - apiVersion: v1\n    kind: Pod\n    metadata: {name: web}\n    spec:\n      terminationGracePeriodSeconds: 0\n      containers: [{name: main, image: localhost/busybox, command: [sh, -c, 'echo word-$word; sleep 1000'], envFrom: [{configMapRef: {name: words}}]}]\n";
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n  - {{apiVersion: v1, kind: ConfigMap, metadata: {{name: words}}, data: {{word: yes}}}}\n{item}"
    );
    let list = list.replace("word: yes", "word: 'yes'");
    let three = format!("{list}---\n{}---\n{}", sleeper("two"), sleeper("three"));
    host.play("list", &three).expect();
    assert_eq!(host.pod_names(), ["three", "two", "web"]);
    host.wait_for_log("web", "main", "word-yes");
}

#[test]
fn the_older_names_of_the_commands_mean_the_same() {
    let Some(host) = Host::new() else { return };
    let file = host.write("web", &sleeper("web"));
    host.run(&["play", "kube", &file]).expect();
    let older = host.run(&["generate", "kube", "web"]).expect();
    let newer = host.run(&["kube", "generate", "web"]).expect();
    let text = |yaml: &str| -> Vec<String> {
        let lines = yaml
            .lines()
            .filter(|line| !line.contains("creationTimestamp"));
        lines.map(ToOwned::to_owned).collect()
    };
    assert_eq!(text(&older), text(&newer));
    host.run(&["play", "kube", "--down", &file]).expect();
    host.expect_clean();
}

#[test]
fn the_output_names_pods_containers_and_secrets() {
    let Some(host) = Host::new() else { return };
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: hush}\nstringData: {a: b}\n---\n";
    let second = "  - name: other\n    image: localhost/busybox\n    command: [sleep, '1000']\n";
    let said = host
        .play("web", &format!("{secret}{}{second}", sleeper("web")))
        .expect();
    let pod = host.pod("web");
    let ids: Vec<&str> = pod.containers.iter().map(|c| c.id.as_str()).collect();
    let secret = said.lines().nth(1).expect("an id");
    assert!(
        secret.len() >= 25 && secret.chars().all(|c| c.is_ascii_hexdigit()),
        "{said}"
    );
    assert_eq!(
        said,
        format!(
            "Secrets:\n{secret}\nPod:\n{}\nContainers:\n{}\n{}\n\n",
            pod.record.id, ids[0], ids[1]
        )
    );
    assert_eq!(pod.record.id.as_str().len(), 64);
}

#[test]
fn a_name_in_use_is_refused_and_the_first_pod_untouched() {
    let Some(host) = Host::new() else { return };
    host.play("web", &sleeper("web")).expect();
    let first = host.pod("web");
    for _ in 0..2 {
        refused(
            &host.play("web", &sleeper("web")),
            "is in use: pod already exists",
        );
        assert_eq!(host.pod("web"), first);
    }
}

#[test]
fn what_a_pod_must_have_and_must_not_have_is_refused_and_nothing_left() {
    let Some(host) = Host::new() else { return };
    let good = sleeper("web");
    let twice = format!("{good}  - name: main\n    image: localhost/busybox\n");
    let init = good.replace(
        "  containers:",
        "  initContainers: [{name: main, image: localhost/busybox}]\n  containers:",
    );
    for (yaml, words) in [
        (
            good.replace("localhost/busybox", "./myimage"),
            "invalid reference format",
        ),
        (
            good.replace("    image: localhost/busybox\n", ""),
            "spec.containers[0].image: Required value",
        ),
        (
            good.replace("  name: web\n", "  labels: {a: b}\n"),
            "metadata.name: Required value",
        ),
        (twice, "spec.containers[1].name: Duplicate value: \"main\""),
        (init, "Duplicate value: \"main\""),
    ] {
        refused(&host.play("web", &yaml), words);
        assert!(host.pod_names().is_empty());
    }
    host.play("web", &good).expect();
}

#[test]
fn annotations_may_be_as_long_as_kubernetes_lets_them_be() {
    let Some(host) = Host::new() else { return };
    let with = |length: usize| {
        let text = "x".repeat(length);
        sleeper("web").replace(
            "  name: web\n",
            &format!("  name: web\n  annotations: {{key: {text}}}\n"),
        )
    };
    host.play("web", &with(262_144 - 3)).expect();
    host.down("web").expect();
    refused(&host.play("web", &with(262_144 - 2)), "262144");
}

#[test]
fn workloads_become_pods_in_number_and_a_job_runs_once() {
    let Some(host) = Host::new() else { return };
    let workload = |kind: &str, version: &str, more: &str, command: &str, policy: &str| {
        let selector = match kind {
            "Job" => "",
            _ => "selector: {matchLabels: {a: b}}, ",
        };
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w}}\nspec: {{{more}{selector}template: {{metadata: {{labels: {{a: b}}}}, spec: {{{policy}terminationGracePeriodSeconds: 0, containers: [{{name: main, image: localhost/busybox, command: {command}}}]}}}}}}\n"
        )
    };
    let sleep = "[sleep, '1000']";
    for (kind, more, pods) in [
        (
            "Deployment",
            "replicas: 3, ",
            &["w-pod", "w-pod-1", "w-pod-2"][..],
        ),
        ("Deployment", "", &["w-pod"][..]),
        ("DaemonSet", "", &["w-pod"][..]),
    ] {
        host.play("w", &workload(kind, "apps/v1", more, sleep, ""))
            .expect();
        assert_eq!(host.pod_names(), pods);
        assert!(host.container("w-pod", "main").state.is_running());
        host.down("w").expect();
    }
    let none = host.play(
        "w",
        &workload("Deployment", "apps/v1", "replicas: 0, ", sleep, ""),
    );
    assert!(host.pod_names().is_empty(), "{none:?}");
    let job = workload(
        "Job",
        "batch/v1",
        "",
        "[sh, -c, 'echo once']",
        "restartPolicy: Never, ",
    );
    host.play("w", &job).expect();
    host.wait_for("w-pod", "main", |container| container.exit().is_some());
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(host.log("w-pod", "main"), "once\n");
    assert_eq!(host.container("w-pod", "main").restarts, 0);
    host.down("w").expect();
    for kind in ["StatefulSet", "ReplicaSet"] {
        let more = if kind == "StatefulSet" {
            "serviceName: s, "
        } else {
            ""
        };
        let told = host.play("w", &workload(kind, "apps/v1", more, sleep, ""));
        assert_eq!(told.code, Some(125), "{told:?}");
        assert!(
            told.stderr
                .contains(&format!("kind `{kind}` is not honoured yet")),
            "{told:?}"
        );
    }
}
