//! `kube generate` of pods that were played, and files it does not write over.

use super::host::{Host, pod};

const SECRET: &str = "s3cr3t-that-stays-a-reference";

fn web() -> String {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{key: {SECRET}}}\n---\n"
    );
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}\n---\n";
    let web = pod(
        "web",
        "command: [sleep, '1000']\nports: [{containerPort: 80, hostPort: 8080}]\n\
         env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}, {name: ANSWER, value: 'no'}]\n\
         volumeMounts: [{name: v, mountPath: /data}]",
        "terminationGracePeriodSeconds: 0\nvolumes: [{name: v, persistentVolumeClaim: {claimName: data}}]",
    );
    format!("{secret}{claim}{web}")
}

#[test]
fn a_pod_that_was_played_is_generated_and_played_again_with_its_volume_and_secret() {
    let Some(host) = Host::new() else { return };
    host.play("web", &web()).expect();
    let before = host.pod("web").record.spec;
    let yaml = host.run(&["kube", "generate", "web"]).expect();
    assert_eq!(
        host.run(&["generate", "kube", "web"])
            .expect()
            .lines()
            .filter(|line| !line.contains("creationTimestamp"))
            .collect::<Vec<_>>(),
        yaml.lines()
            .filter(|line| !line.contains("creationTimestamp"))
            .collect::<Vec<_>>()
    );
    assert!(!yaml.contains(SECRET), "{yaml}");
    for words in [
        "secretKeyRef:",
        "value: \"no\"",
        "hostPort: 8080",
        "claimName: data",
    ] {
        assert!(yaml.contains(words), "{words} is not in\n{yaml}");
    }
    let claim = host.run(&["kube", "generate", "data"]).expect();
    for words in ["kind: PersistentVolumeClaim\n", "storage: 2Gi\n"] {
        assert!(claim.contains(words), "{words} is not in\n{claim}");
    }
    host.run(&["pod", "rm", "--force", "--time", "0", "web"])
        .expect();
    host.play("again", &yaml).expect();
    assert_eq!(host.pod("web").record.spec, before);
    host.run(&["kube", "down", "--force", "web.yaml"]).expect();
    host.expect_clean();
}

#[test]
fn generate_takes_several_pods_and_says_what_it_does_not_find() {
    let Some(host) = Host::new() else { return };
    let long = "a".repeat(64);
    for name in ["one", long.as_str()] {
        let yaml = pod(
            name,
            "command: [sleep, '1000']",
            "terminationGracePeriodSeconds: 0",
        );
        // A name that long is warned of when it is played, and not when it is given back.
        assert_eq!(host.play("pod", &yaml).code, Some(0));
    }
    let both = host.run(&["kube", "generate", "one", &long]).expect();
    assert_eq!(both.matches("kind: Pod\n").count(), 2);
    assert!(both.contains(&format!("name: {long}\n")) && both.contains("name: one\n"));
    let service = host.run(&["kube", "generate", "--service", "one"]).expect();
    assert_eq!(service.split("---\n").count(), 2);
    let deployment = host
        .run(&[
            "kube",
            "generate",
            "--type",
            "deployment",
            "--replicas",
            "3",
            "one",
        ])
        .expect();
    for words in [
        "kind: Deployment\n",
        "name: one-deployment\n",
        "replicas: 3\n",
    ] {
        assert!(
            deployment.contains(words),
            "{words} is not in\n{deployment}"
        );
    }
    for (arguments, words) in [
        (
            ["kube", "generate", "nothing"].as_slice(),
            "name or ID \"nothing\" not found",
        ),
        (
            &["kube", "generate", "--service", "nothing"],
            "name or ID \"nothing\" not found",
        ),
        (
            &["kube", "generate", "one-main"],
            "container one-main is associated with pod one",
        ),
        (
            &["kube", "generate", "--replicas", "3", "one"],
            "--replicas can only be set when --type is set to deployment",
        ),
        (
            &["kube", "generate", "--type", "job", "one"],
            "k8s Jobs can not have restartPolicy set to Always",
        ),
    ] {
        let ran = host.run(arguments);
        assert_eq!(ran.code, Some(125), "{arguments:?}");
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn generate_writes_new_files_only_and_through_no_link() {
    let Some(host) = Host::new() else { return };
    let yaml = pod(
        "web",
        "command: [sleep, '1000']",
        "terminationGracePeriodSeconds: 0",
    );
    host.play("web", &yaml).expect();
    let files = host.dir().join("files");
    host.run(&["kube", "generate", "-f", "new.yaml", "web"])
        .expect();
    let written = std::fs::read_to_string(files.join("new.yaml")).expect("file");
    assert!(written.starts_with("# Save the output"), "{written}");

    std::fs::write(files.join("old"), "mine").expect("file");
    std::os::unix::fs::symlink("old", files.join("link")).expect("link");
    std::os::unix::fs::symlink("missing", files.join("dangling")).expect("link");
    for name in ["new.yaml", "old", "link", "dangling"] {
        let ran = host.run(&["kube", "generate", "-f", name, "web"]);
        assert_eq!(ran.code, Some(125), "{name}");
        let words = format!("cannot write to \"{name}\"; file exists");
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    }
    assert_eq!(
        std::fs::read_to_string(files.join("old")).expect("file"),
        "mine"
    );
    assert!(!files.join("missing").exists());
    assert_eq!(
        std::fs::read_to_string(files.join("new.yaml")).expect("file"),
        written
    );
}
