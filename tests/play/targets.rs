//! Which containers a command is about, by filters and by age, and what `start --attach` and `rmi --force` do.

use super::host::{Host, pod};

fn sleeper(name: &str, label: &str) -> String {
    let yaml = pod(
        name,
        "command: [sleep, '1000']",
        "terminationGracePeriodSeconds: 0",
    );
    yaml.replace(
        &format!("name: {name}\n"),
        &format!("name: {name}\n  labels: {{tier: {label}}}\n"),
    )
}

fn running(host: &Host) -> String {
    let names = host.run(&["ps", "--format", "{{.Names}}"]).expect();
    names.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn filters_choose_the_containers_that_are_started_stopped_killed_and_removed() {
    let Some(host) = Host::new() else { return };
    for (name, label) in [("one", "front"), ("two", "back"), ("three", "back")] {
        host.play(name, &sleeper(name, label)).expect();
    }
    host.run(&["stop", "--filter", "label=tier=back"]).expect();
    assert_eq!(running(&host), "one-main");
    // What does not run is not stopped or killed once more.
    assert_eq!(
        host.run(&["kill", "--filter", "label=tier=back"]).expect(),
        ""
    );
    host.run(&["start", "--filter", "name=two"]).expect();
    assert_eq!(running(&host), "one-main two-main");
    // Names and filters must both hold.
    host.run(&[
        "stop",
        "--filter",
        "label=tier=back",
        "one-main",
        "two-main",
    ])
    .expect();
    assert_eq!(running(&host), "one-main");
    host.run(&["restart", "--filter", "label=tier=back"])
        .expect();
    assert_eq!(running(&host), "one-main two-main three-main");
    host.run(&["kill", "--filter", "name=three"]).expect();
    host.wait_for("three", "main", |container| !container.state.is_running());
    host.run(&["rm", "--force", "--filter", "label=tier=back"])
        .expect();
    let left = host
        .run(&["ps", "--all", "--format", "{{.Names}}"])
        .expect();
    assert_eq!(left, "one-main\n");
    assert_eq!(host.run(&["rm", "--filter", "nonsense=1"]).code, Some(125));
}

#[test]
fn wait_latest_waits_for_the_container_made_last() {
    let Some(host) = Host::new() else { return };
    host.play("one", &sleeper("one", "front")).expect();
    let ends = "command: [sh, -c, 'sleep 0.3; exit 7']";
    host.play("two", &pod("two", ends, "restartPolicy: Never"))
        .expect();
    assert_eq!(host.run(&["wait", "--latest"]).expect(), "7\n");
}

#[test]
fn start_attach_prints_what_the_run_writes_and_ends_with_its_code() {
    let Some(host) = Host::new() else { return };
    let speaks = "command: [sh, -c, 'echo out; echo err >&2; sleep 0.3; echo last; exit 3']";
    host.play("one", &pod("one", speaks, "restartPolicy: Never"))
        .expect();
    host.wait_for("one", "main", |container| container.exit().is_some());
    let ran = host.run(&["start", "--attach", "one-main"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(3), "out\nlast\n", "err\n")
    );
    let several = host.run(&["start", "--attach", "--all"]);
    assert_eq!(several.code, Some(3), "{}", several.stderr);
    host.play("two", &sleeper("two", "x")).expect();
    let several = host.run(&["start", "--attach", "one-main", "two-main"]);
    assert_eq!(several.code, Some(125));
    assert!(
        several.stderr.contains("multiple containers"),
        "{}",
        several.stderr
    );
}

#[test]
fn rmi_force_removes_the_containers_of_the_image() {
    let Some(host) = Host::new() else { return };
    host.run(&["tag", "localhost/busybox", "localhost/other"])
        .expect();
    host.play("one", &sleeper("one", "front")).expect();
    let id = host.run(&["images", "--quiet", "--no-trunc"]).expect();
    let id = id
        .lines()
        .next()
        .expect("an image")
        .trim_start_matches("sha256:")
        .to_owned();
    let refused = host.run(&["rmi", &id]);
    assert_eq!(refused.code, Some(125), "{}", refused.stdout);
    assert_eq!(running(&host), "one-main");
    let removed = host.run(&["rmi", "--force", &id]).expect();
    assert!(
        removed.contains("Untagged: localhost/other:latest") && removed.contains("Deleted: "),
        "{removed}"
    );
    assert_eq!(host.run(&["ps", "--all", "--quiet"]).expect(), "");
    assert_eq!(host.run(&["images", "--quiet"]).expect(), "");
}

#[test]
fn log_level_error_hides_warnings_and_nothing_else() {
    let Some(host) = Host::new() else { return };
    let yaml = sleeper("one", "front").replace("spec:\n", "spec:\n  nonsense: 1\n");
    let warned = host.play("one", &yaml);
    assert!(
        warned.code == Some(0) && warned.stderr.contains("nonsense"),
        "{}",
        warned.stderr
    );
    host.down("one").expect();
    host.run(&["--log-level", "error", "kube", "play", "one.yaml"])
        .expect();
    let failed = host.run(&["--log-level", "error", "kube", "play", "one.yaml"]);
    assert!(
        failed.stderr.contains("already exists"),
        "{}",
        failed.stderr
    );
    host.run(&["--log-level", "debug", "ps"]).expect();
    assert_eq!(host.run(&["--log-level", "loud", "ps"]).code, Some(125));
}
