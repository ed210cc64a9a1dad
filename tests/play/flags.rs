//! Each flag of `kube play` has its effect in the pod.

use std::net::Ipv4Addr;

use super::host::{ADDRESS, Host, Ran, pod};

fn play(host: &Host, flags: &[&str], yaml: &str) -> Ran {
    let file = host.write("web", yaml);
    let mut arguments = vec!["kube", "play"];
    arguments.extend(flags);
    arguments.push(&file);
    host.run(&arguments)
}

fn printing(command: &str) -> String {
    let container = format!("command: [sh, -c, '{command}; sleep 1000']");
    pod("web", &container, "terminationGracePeriodSeconds: 0")
}

#[track_caller]
fn refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code, Some(125), "{ran:?}");
    assert!(ran.stderr.contains(words), "{ran:?}");
}

#[test]
fn config_maps_come_from_other_files_too() {
    let Some(host) = Host::new() else { return };
    let map = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{name}: of-{name}}}\n"
        )
    };
    let (one, two) = (
        host.write("one", &map("one")),
        host.write("two", &map("two")),
    );
    let yaml = pod(
        "web",
        "command: [sh, -c, 'echo $one $two; sleep 1000']\nenvFrom: [{configMapRef: {name: one}}, {configMapRef: {name: two}}]",
        "terminationGracePeriodSeconds: 0",
    );
    play(&host, &["--configmap", &format!("{one},{two}")], &yaml).expect();
    host.wait_for_log("web", "main", "of-one of-two");
    host.down("web").expect();
    let wrong = play(&host, &["--configmap", "web.yaml"], &yaml);
    refused(&wrong, "--configmap takes ConfigMaps, not Pod");
}

#[test]
fn annotations_of_the_command_line_reach_pod_and_containers() {
    let Some(host) = Host::new() else { return };
    let flags = [
        "--annotation",
        "first=one",
        "--annotation",
        "second=two,three",
    ];
    play(&host, &flags, &printing("true")).expect();
    let format = "{{index .Config.Annotations \"first\"}} {{index .Config.Annotations \"second\"}}";
    let shown = host
        .run(&["inspect", "--format", format, "web-main"])
        .expect();
    assert_eq!(shown, "one two,three\n");
    host.down("web").expect();
    let wrong = play(&host, &["--annotation", "val"], &printing("true"));
    refused(&wrong, "annotation \"val\" must include an '=' sign");
    assert!(host.observed().pods.is_empty());
}

#[test]
fn ports_are_published_by_the_command_line() {
    let Some(host) = Host::new() else { return };
    let hello = pod("web", "ports: [{containerPort: 8080}]", "")
        .replace("localhost/busybox", "localhost/podwright-hello");
    play(&host, &["--publish", "192.0.2.1:8085:8080/tcp"], &hello).expect();
    host.get_soon(ADDRESS, 8085, "/");
    assert!(host.get(Ipv4Addr::LOCALHOST, 8085, "/").is_err());
    host.down("web").expect();
    play(&host, &["--publish-all"], &hello).expect();
    host.get_soon(ADDRESS, 8080, "/");
    host.down("web").expect();
    refused(&play(&host, &["--publish", "x:y"], &hello), "x:y");
}

#[test]
fn containers_are_named_as_in_the_manifest_without_the_prefix() {
    let Some(host) = Host::new() else { return };
    play(&host, &["--no-pod-prefix"], &printing("true")).expect();
    let names = host.run(&["ps", "--format", "{{.Names}}"]).expect();
    assert_eq!(names, "main\n");
    host.down("web").expect();
    play(&host, &[], &printing("true")).expect();
    let names = host.run(&["ps", "--format", "{{.Names}}"]).expect();
    assert_eq!(names, "web-main\n");
}

#[test]
fn hosts_and_hostname_are_the_images_own_if_asked() {
    let Some(host) = Host::new() else { return };
    let yaml = printing("cat /etc/hosts /etc/hostname; echo end");
    play(&host, &[], &yaml).expect();
    let log = host.wait_for_log("web", "main", "end");
    assert!(log.contains("\nweb\n"), "{log}");
    assert!(
        log.contains("127.0.0.1\tlocalhost") || log.contains("localhost"),
        "{log}"
    );
    host.down("web").expect();
    play(&host, &["--no-hosts", "--no-hostname"], &yaml).expect();
    let log = host.wait_for_log("web", "main", "end");
    assert!(!log.contains("web"), "{log}");
}

#[test]
fn addresses_are_given_by_the_command_line() {
    let Some(host) = Host::new() else { return };
    play(&host, &[], &printing("true")).expect();
    let address = host.pod("web").record.addresses[0].address.to_string();
    host.down("web").expect();
    let (network, _) = address.rsplit_once('.').expect("IPv4");
    let wanted = format!("{network}.77");
    let mac = "02:11:22:33:44:55";
    let flags = ["--ip", &wanted, "--mac-address", mac];
    play(
        &host,
        &flags,
        &printing("cat /sys/class/net/eth0/address; ip -4 addr show eth0; echo end"),
    )
    .expect();
    let log = host.wait_for_log("web", "main", "end");
    assert!(
        log.contains(mac) && log.contains(&format!("{wanted}/")),
        "{log}"
    );
    // The same address again: the old pod goes first.
    let old = host.pod("web").record.id;
    let mut replace = vec!["--replace"];
    replace.extend(flags);
    play(
        &host,
        &replace,
        &printing("ip -4 addr show eth0; echo again"),
    )
    .expect();
    let log = host.wait_for_log("web", "main", "again");
    assert!(log.contains(&wanted), "{log}");
    assert_ne!(host.pod("web").record.id, old);
}

#[test]
fn output_is_kept_or_not_as_the_log_driver_says() {
    let Some(host) = Host::new() else { return };
    let yaml = printing("echo something");
    play(&host, &["--log-driver", "none"], &yaml).expect();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(host.log("web", "main"), "");
    let format = [
        "inspect",
        "--format",
        "{{.HostConfig.LogConfig.Type}}",
        "web-main",
    ];
    assert_eq!(host.run(&format).expect(), "none\n");
    play(&host, &["--replace", "--log-driver", "k8s-file"], &yaml).expect();
    host.wait_for_log("web", "main", "something");
    assert_eq!(host.run(&format).expect(), "k8s-file\n");
    let wrong = play(&host, &["--replace", "--log-driver", "journald"], &yaml);
    refused(&wrong, "output is kept in files");
}

#[test]
fn logs_rotate_at_the_size_that_was_asked_for() {
    let Some(host) = Host::new() else { return };
    let yaml = printing("seq 100000 599999; echo the end");
    let options = ["--log-opt", "max-size=200k", "--log-opt", "max-file=2"];
    play(&host, &options, &yaml).expect();
    host.wait_for_log("web", "main", "the end");
    let pod = host.pod("web");
    let logs = host
        .paths()
        .pod(&pod.record.id)
        .logs(&pod.containers[0].name);
    let sizes: Vec<u64> = std::fs::read_dir(&logs)
        .expect("logs")
        .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
        .collect();
    assert_eq!(sizes.len(), 2);
    // What was read at once is never parted: at most a pipe's content more.
    assert!(sizes.iter().all(|size| *size > 0), "{sizes:?}");
    let shown = host.run(&["logs", "web-main"]).expect();
    assert!(shown.ends_with("\n599999\nthe end\n"), "{shown}");
    assert!(shown.lines().count() < 500_000);
    // The same options are no change, others are one.
    let old = pod.record.id;
    let replace = [&["--replace"][..], &options[..]].concat();
    play(&host, &replace, &yaml).expect();
    assert_eq!(host.pod("web").record.id, old);
    play(&host, &["--replace"], &yaml).expect();
    assert_ne!(host.pod("web").record.id, old);
    let wrong = play(&host, &["--replace", "--log-opt", "path=/x"], &yaml);
    refused(
        &wrong,
        "logs lie among the files of their pod and go with it",
    );
}

#[test]
fn a_user_namespace_is_refused_with_the_reason() {
    let Some(host) = Host::new() else { return };
    let ran = play(&host, &["--userns", "auto"], &printing("true"));
    refused(&ran, "pods share the host's user namespace");
    assert!(host.observed().pods.is_empty());
}

#[test]
fn unknown_fields_are_ignored_told_or_refused() {
    let Some(host) = Host::new() else { return };
    let yaml = printing("true").replace("spec:\n", "spec:\n  colour: red\n");
    for (mode, code, told) in [
        ("--validate=ignore", 0, false),
        ("--validate=warn", 0, true),
        ("--validate=strict", 125, true),
        ("--validate", 125, true),
    ] {
        let ran = play(&host, &[mode], &yaml);
        assert_eq!(ran.code, Some(code), "{mode}: {ran:?}");
        assert_eq!(ran.stderr.contains("colour"), told, "{mode}: {ran:?}");
        host.down("web");
    }
}

#[test]
fn pods_are_only_made_if_they_are_not_to_start() {
    let Some(host) = Host::new() else { return };
    play(&host, &["--start=false"], &printing("true")).expect();
    let running = ["inspect", "--format", "{{.State.Running}}", "web-main"];
    assert_eq!(host.run(&running).expect(), "false\n");
    host.down("web").expect();
    play(&host, &["--start"], &printing("true")).expect();
    assert_eq!(host.run(&running).expect(), "true\n");
}
