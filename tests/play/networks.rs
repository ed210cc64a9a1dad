//! Networks by their commands: made, joined, listed, in use, removed.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::host::{Host, Ran};
use super::image;

/// A pod whose container serves its own name on port 8080.
fn server(name: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: {}
    command: [sh, -c, 'mkdir -p /tmp/www; hostname > /tmp/www/name; exec httpd -f -p 8080 -h /tmp/www']
",
        image::NAME
    )
}

fn inspect(host: &Host, name: &str) -> Value {
    let text = host.run(&["network", "inspect", name]).expect();
    let list: Value = serde_json::from_str(&text).expect("JSON");
    list[0].clone()
}

/// Plays a manifest with flags.
fn play_with(host: &Host, name: &str, yaml: &str, flags: &[&str]) -> Ran {
    let file = host.write(name, yaml);
    let words = [&["kube", "play"], flags, &[file.as_str()]].concat();
    host.run(&words)
}

/// Plays a pod on networks.
#[track_caller]
fn play_on(host: &Host, name: &str, networks: &[&str]) {
    let flags: Vec<&str> = networks
        .iter()
        .flat_map(|network| ["--network", *network])
        .collect();
    play_with(host, name, &server(name), &flags).expect();
}

/// Asks a pod's server from within another one, by an address or by a name that the pod knows.
///
/// A busybox that is linked statically against glibc cannot resolve names, so the test reads the file for it.
fn ask(host: &Host, from: &str, whom: &str) -> Option<String> {
    let container = format!("{from}-web");
    let hosts = host
        .run(&["exec", &container, "cat", "/etc/hosts"])
        .expect();
    let named = |line: &&str| line.split_whitespace().skip(1).any(|name| name == whom);
    let address = match whom.parse::<Ipv4Addr>() {
        Ok(address) => address,
        Err(_) => {
            let line = hosts.lines().find(named)?;
            line.split_whitespace().next()?.parse().expect("an address")
        }
    };
    let request = format!("printf 'GET /name HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 8080");
    let answer = host.run(&["exec", &container, "sh", "-c", &request]);
    let (_, body) = answer.stdout.split_once("\r\n\r\n")?;
    Some(body.trim().to_owned())
}

/// As [`ask`], of a server that may just be starting.
#[track_caller]
fn ask_soon(host: &Host, from: &str, whom: &str) -> String {
    for _ in 0..100 {
        if let Some(answer) = ask(host, from, whom) {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!(
        "{from} does not reach {whom}: {}",
        host.run(&["ps", "-a"]).stdout
    )
}

fn address(host: &Host, pod: &str, place: usize) -> String {
    host.pod(pod).record.addresses[place].address.to_string()
}

#[test]
fn networks_are_made_listed_and_removed_as_podman_does() {
    let Some(host) = Host::new() else { return };
    let run = |words: &[&str]| host.run(words);
    assert_eq!(run(&["network", "create", "back"]).expect(), "back\n");
    let made = [
        "network",
        "create",
        "--subnet",
        "10.77.0.0/24",
        "--gateway",
        "10.77.0.254",
        "--ip-range",
        "10.77.0.128/25",
        "--label",
        "tier=one",
        "--internal",
        "inner",
    ];
    assert_eq!(run(&made).expect(), "inner\n");
    let names = run(&["network", "ls", "-q"]).expect();
    assert_eq!(names, "back\ninner\npodwright\n");
    let table = run(&["network", "ls"]).expect();
    let id = inspect(&host, "back")["id"]
        .as_str()
        .expect("id")
        .to_owned();
    assert!(
        table.starts_with("NETWORK ID    NAME       DRIVER\n"),
        "{table}"
    );
    assert!(
        table.contains(&format!("{}  back       bridge\n", &id[..12])),
        "{table}"
    );

    let inner = inspect(&host, "inner");
    for (field, value) in [
        ("/name", "inner"),
        ("/driver", "bridge"),
        ("/subnets/0/subnet", "10.77.0.0/24"),
        ("/subnets/0/gateway", "10.77.0.254"),
        ("/subnets/0/lease_range/start_ip", "10.77.0.129"),
        ("/labels/tier", "one"),
    ] {
        assert_eq!(
            inner.pointer(field).and_then(Value::as_str),
            Some(value),
            "{field}"
        );
    }
    assert_eq!(inner["internal"], true);
    let format = [
        "network",
        "inspect",
        "inner",
        "--format",
        "{{.Name}} {{(index .Subnets 0).Gateway}} {{.Internal}}",
    ];
    assert_eq!(run(&format).expect(), "inner 10.77.0.254 true\n");
    let filtered = [
        "network",
        "ls",
        "--filter",
        "label=tier=one",
        "--format",
        "{{.Name}} {{.Labels}}",
    ];
    assert_eq!(run(&filtered).expect(), "inner tier=one\n");
    // The id follows from the name, as podman's does, and its beginning is enough.
    assert_eq!(inspect(&host, &id[..12])["name"], "back");

    for (words, code, said) in [
        (
            &["create", "back"][..],
            125,
            "network name back already used: network already exists",
        ),
        (
            &["create", "host"],
            125,
            "conflicts with a valid network mode",
        ),
        (
            &["create", "--gateway", "10.1.1.1", "x"],
            125,
            "cannot set gateway or range without subnet",
        ),
        (
            &["create", "--subnet", "10.77.0.0/25", "x"],
            125,
            "subnet 10.77.0.0/25 is already used on the host or by another config",
        ),
        (
            &["create", "--subnet", "192.0.2.0/25", "x"],
            125,
            "subnet 192.0.2.0/25 is already used on the host or by another config",
        ),
        (
            &[
                "create",
                "--subnet",
                "10.78.0.0/24",
                "--gateway",
                "10.79.0.1",
                "x",
            ],
            125,
            "gateway 10.79.0.1 not in subnet 10.78.0.0/24",
        ),
        (
            &[
                "create",
                "--subnet",
                "10.78.0.0/24",
                "--ip-range",
                "10.79.0.0/25",
                "x",
            ],
            125,
            "lease range start ip 10.79.0.1 not in subnet 10.78.0.0/24",
        ),
        (
            &["create", "--driver", "macvlan", "x"],
            125,
            "unsupported driver macvlan",
        ),
        (
            &["rm", "nope"],
            1,
            "unable to find network with name or ID nope: network not found",
        ),
        (
            &["rm", "podwright"],
            125,
            "default network podwright cannot be removed",
        ),
        (
            &["inspect", "nope"],
            1,
            "unable to find network with name or ID nope: network not found",
        ),
        (&["exists", "nope"], 1, ""),
    ] {
        let words: Vec<&str> = std::iter::once("network")
            .chain(words.iter().copied())
            .collect();
        let ran = run(&words);
        assert_eq!(ran.code, Some(code), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{words:?}: {}", ran.stderr);
    }
    run(&["network", "exists", "back"]).expect();
    assert_eq!(
        run(&["network", "create", "--ignore", "back"]).expect(),
        "back\n"
    );
    assert_eq!(run(&["network", "create"]).expect(), "podwright1\n");
    assert_eq!(
        run(&["network", "rm", "back", "inner"]).expect(),
        "back\ninner\n"
    );
    assert_eq!(
        run(&["network", "prune", "--force"]).expect(),
        "podwright1\n"
    );
    let events = run(&[
        "events",
        "--stream=false",
        "--filter",
        "type=network",
        "--format",
        "{{.Status}} {{.Name}}",
    ]);
    let events = events.expect();
    let lines: Vec<&str> = events.lines().collect();
    assert_eq!(
        lines,
        [
            "create back",
            "create inner",
            "create podwright1",
            "remove back",
            "remove inner",
            "remove podwright1",
        ]
    );
    host.expect_clean();
}

#[test]
fn a_pod_on_two_networks_joins_both_and_others_stay_apart() {
    let Some(host) = Host::new() else { return };
    for name in ["front", "back"] {
        host.run(&["network", "create", name]).expect();
    }
    play_on(&host, "left", &["front"]);
    play_on(&host, "right", &["back:alias=store"]);
    let both = format!("front:ip={}", {
        let subnet = inspect(&host, "front")["subnets"][0]["subnet"].clone();
        subnet.as_str().expect("subnet").replace(".0/24", ".77")
    });
    play_on(&host, "both", &[&both, "back:mac=02:00:00:00:00:07"]);

    let pod = host.pod("both");
    assert_eq!(pod.record.addresses.len(), 2);
    assert!(address(&host, "both", 0).ends_with(".77"));
    for place in 0..2 {
        let shown = host.run(&[
            "exec",
            "both-web",
            "ip",
            "-4",
            "addr",
            "show",
            &format!("eth{place}"),
        ]);
        let shown = shown.expect();
        assert!(
            shown.contains(&format!("{}/24", address(&host, "both", place))),
            "{shown}"
        );
    }
    let link = host
        .run(&["exec", "both-web", "ip", "link", "show", "eth1"])
        .expect();
    assert!(link.contains("02:00:00:00:00:07"), "{link}");
    let routes = host.run(&["exec", "both-web", "ip", "route"]).expect();
    assert_eq!(routes.matches("default").count(), 1, "{routes}");

    // By address and by every name there is; the newcomer is known to those that ran before it.
    for (from, whom, answer) in [
        ("both", "left", "left"),
        ("both", "right-web", "right"),
        ("both", "store", "right"),
        ("left", "both", "both"),
        ("right", "both", "both"),
    ] {
        assert_eq!(ask_soon(&host, from, whom), answer, "{from} asks {whom}");
    }
    assert_eq!(ask(&host, "left", &address(&host, "right", 0)), None);
    assert_eq!(ask(&host, "left", "right"), None);

    let members = inspect(&host, "back")["containers"].clone();
    assert_eq!(members.as_object().expect("a map").len(), 2, "{members}");
    let format = "{{range .InfraConfig.Networks}}{{.}} {{end}}";
    assert_eq!(
        host.run(&["pod", "inspect", "both", "--format", format])
            .expect(),
        "front back \n"
    );
    assert_eq!(host.run(&["system", "check"]).code, Some(0));

    host.down("both").expect();
    let hosts = host
        .run(&["exec", "left-web", "cat", "/etc/hosts"])
        .expect();
    assert!(!hosts.contains("both"), "{hosts}");
    for name in ["left", "right"] {
        host.down(name).expect();
    }
    host.run(&["network", "rm", "front", "back"]).expect();
    host.expect_clean();
}

#[test]
fn a_network_in_use_stays_until_it_is_forced() {
    let Some(host) = Host::new() else { return };
    host.run(&["network", "create", "busy"]).expect();
    host.run(&["network", "create", "idle"]).expect();
    play_on(&host, "user", &["busy"]);
    let refused = host.run(&["network", "rm", "busy"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    for words in [
        "\"busy\" has associated containers with it",
        "network is being used",
        "pod `user`",
    ] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(host.run(&["network", "prune", "-f"]).expect(), "idle\n");
    host.run(&["network", "create", "spare"]).expect();
    let pruned = host.run(&["system", "prune", "-f"]).expect();
    assert!(
        pruned.starts_with("Deleted Networks\nspare\nTotal"),
        "{pruned}"
    );
    let used = host.run(&["network", "ls", "-q", "--filter", "dangling=false"]);
    assert_eq!(used.expect(), "busy\n");
    assert_eq!(
        host.run(&["network", "rm", "-f", "-t", "0", "busy"])
            .expect(),
        "busy\n"
    );
    assert_eq!(host.run(&["pod", "exists", "user"]).code, Some(1));
    host.run(&["network", "rm", "-f", "busy"]).expect();
    host.expect_clean();
}

#[test]
fn what_cannot_be_joined_is_refused_before_anything_is_made() {
    let Some(host) = Host::new() else { return };
    host.run(&["network", "create", "--subnet", "10.77.0.0/29", "small"])
        .expect();
    play_on(&host, "one", &["small:ip=10.77.0.4"]);
    let mac = play_with(&host, "two", &server("two"), &["--mac-address", "92:d0"]);
    assert_eq!(mac.code, Some(125), "{}", mac.stderr);
    assert!(mac.stderr.contains("is not the MAC address"));
    let refused = |name: &str, networks: &[&str]| {
        let flags: Vec<&str> = networks
            .iter()
            .flat_map(|network| ["--network", *network])
            .collect();
        let ran = play_with(&host, name, &server(name), &flags);
        assert_eq!(ran.code, Some(125), "{networks:?}: {}", ran.stderr);
        assert_eq!(host.observed().pods.len(), 1, "{networks:?}");
        ran.stderr
    };
    for (networks, said) in [
        (
            &["nope"][..],
            "unable to find network with name or ID nope: network not found",
        ),
        (
            &["small:ip=10.77.0.4"],
            "address 10.77.0.4 is in use by pod `one`",
        ),
        (
            &["small:ip=10.77.0.1"],
            "10.77.0.1 is no address for a pod in the network `small`",
        ),
        (
            &["small:ip=10.99.0.4"],
            "10.99.0.4 is no address for a pod in the network `small`",
        ),
        (&["small", "small"], "the pod is connected to it already"),
        (&["small", "host"], "`host` stands alone"),
    ] {
        let stderr = refused("two", networks);
        assert!(stderr.contains(said), "{networks:?}: {stderr}");
    }
    // Six addresses, one of them the gateway's.
    for name in ["b", "c", "d", "e"] {
        play_with(
            &host,
            name,
            &server(name),
            &["--network", "small", "--start=false"],
        )
        .expect();
    }
    let ran = play_with(&host, "f", &server("f"), &["--network", "small"]);
    assert!(
        ran.stderr
            .contains("no address is left in the network `small` (10.77.0.0/29)"),
        "{}",
        ran.stderr
    );
    host.run(&["network", "rm", "-f", "small"]).expect();
    host.expect_clean();
}

#[test]
fn a_replaced_pod_keeps_its_name_on_the_network() {
    let Some(host) = Host::new() else { return };
    host.run(&["network", "create", "back"]).expect();
    play_on(&host, "watcher", &["back"]);
    play_on(&host, "web", &["back"]);
    assert_eq!(ask_soon(&host, "watcher", "web"), "web");
    let before = address(&host, "web", 0);
    let changed = server("web").replace("spec:\n", "spec:\n  hostname: other\n");
    play_with(&host, "web", &changed, &["--network", "back", "--replace"]).expect();
    assert_eq!(ask_soon(&host, "watcher", "web"), "other");
    assert_ne!(address(&host, "web", 0), before);
    let hosts = host
        .run(&["exec", "watcher-web", "cat", "/etc/hosts"])
        .expect();
    assert_eq!(hosts.matches("web-web").count(), 1, "{hosts}");

    let check = host.run(&["system", "check"]);
    assert_eq!(check.code, Some(0), "{}{}", check.stdout, check.stderr);
    for name in ["watcher", "web"] {
        host.down(name).expect();
    }
    host.run(&["network", "rm", "back"]).expect();
    host.expect_clean();
}

#[test]
fn ports_lead_to_the_first_network_that_leads_outside() {
    let Some(host) = Host::new() else { return };
    host.run(&["network", "create", "--internal", "inner"])
        .expect();
    let flags = [
        "--network",
        "inner",
        "--network",
        "bridge",
        "--publish",
        "8080:8080",
    ];
    play_with(&host, "web", &server("web"), &flags).expect();
    let answer = host.get_soon(Ipv4Addr::LOCALHOST, 8080, "/name");
    assert!(answer.ends_with("web\n"), "{answer}");
    let routes = host.run(&["exec", "web-web", "ip", "route"]).expect();
    assert!(routes.contains("dev eth1"), "{routes}");
    assert!(
        routes
            .lines()
            .any(|line| line.starts_with("default") && line.contains("eth1")),
        "{routes}"
    );
    host.down("web").expect();

    let flags = ["--network", "inner", "--publish", "8080:8080"];
    let ran = play_with(&host, "web", &server("web"), &flags);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr
            .contains("no port is published, since all of its networks are internal"),
        "{}",
        ran.stderr
    );
    host.down("web").expect();
    host.run(&["network", "rm", "inner"]).expect();
    host.expect_clean();
}

#[test]
fn a_packet_filter_that_drops_what_is_forwarded_is_told_by_the_play_that_makes_the_network() {
    let Some(host) = Host::new() else { return };
    let filter = |command: &str| {
        let words: Vec<&str> = command.split(' ').collect();
        let mut nft = std::process::Command::new("/usr/sbin/nft");
        assert!(
            host.run_in(|| nft.args(words).status())
                .expect("nft")
                .success()
        );
    };
    filter("add table ip wall");
    filter("add chain ip wall forward { type filter hook forward priority 0 ; policy drop ; }");
    let first = play_with(&host, "one", &server("one"), &[]);
    let told = "warning: the host's packet filter drops forwarded packets by default (chain `ip wall forward`): ";
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stderr.starts_with(told), "{}", first.stderr);
    assert_eq!(first.stderr.lines().count(), 1, "{}", first.stderr);
    play_on(&host, "two", &[]);
    filter("delete table ip wall");
    for name in ["one", "two"] {
        host.down(name).expect();
    }
    host.expect_clean();
}
