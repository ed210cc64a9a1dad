//! What looks at running pods: `top`, `port`, `pod logs`.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Stdio;

use podwright::sys::path::open_root;
use podwright::sys::terminal::open_pty;

use super::host::{Host, pod};

/// Runs the program with standard output on a terminal, and returns what it prints there.
fn on_terminal(host: &Host, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let root = open_root(Path::new("/")).unwrap();
    let pty = open_pty(root.as_fd()).unwrap();
    let mut command = host.command(arguments);
    command
        .stdout(Stdio::from(pty.slave))
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(environment.iter().copied());
    let mut child = host.run_in(move || command.spawn().unwrap());
    let mut text = Vec::new();
    // A terminal that nobody has open any more answers with EIO.
    let _ = File::from(pty.master).read_to_end(&mut text);
    assert!(child.wait().unwrap().success());
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

#[test]
fn pod_logs_are_in_order_and_on_a_terminal_each_container_has_its_colour() {
    let Some(host) = Host::new() else { return };
    // Each waits for the word of the other, and for it to be read.
    let container = |script: &str| {
        format!(
            "command: [sh, -c, 'cd /words; {script}']\nvolumeMounts: [{{name: words, mountPath: /words}}]"
        )
    };
    let main = container("echo one; >a; until [ -e b ]; do sleep 0.1; done; echo three");
    let side = container("until [ -e a ]; do sleep 0.1; done; sleep 0.3; echo two; sleep 0.3; >b");
    let spec = "restartPolicy: Never\nvolumes: [{name: words, emptyDir: {}}]";
    let side = side.replace('\n', "\n    ");
    let yaml = pod("web", &main, spec)
        + &format!("  - name: side\n    image: localhost/busybox\n    {side}\n");
    host.play("web", &yaml).expect();
    host.wait_for_log("web", "main", "three");
    host.wait_for_log("web", "side", "two");
    let arguments = ["pod", "logs", "--names", "--color", "web"];
    let plain = "web-main one\nweb-side two\nweb-main three\n";
    let coloured =
        "\x1b[31mweb-main\x1b[0m one\n\x1b[32mweb-side\x1b[0m two\n\x1b[31mweb-main\x1b[0m three\n";
    assert_eq!(host.run(&arguments).expect(), plain);
    assert_eq!(on_terminal(&host, &arguments, &[]), coloured);
    assert_eq!(on_terminal(&host, &arguments, &[("NO_COLOR", "1")]), plain);
    assert_eq!(on_terminal(&host, &arguments, &[("TERM", "dumb")]), plain);
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn top_shows_the_processes_as_the_container_numbers_and_names_them() {
    let Some(host) = Host::new() else { return };
    let yaml = pod(
        "web",
        "command: [sh, -c, 'sleep 1000 & echo up; wait']\nsecurityContext: {runAsUser: 1000}",
        "terminationGracePeriodSeconds: 0",
    );
    host.play("web", &yaml).expect();
    host.wait_for_log("web", "main", "up");
    let text = host.run(&["top", "web-main"]).expect();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "USER", "PID", "PPID", "%CPU", "ELAPSED", "TTY", "TIME", "COMMAND"
        ]
    );
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!((&lines[1][..3], lines[1][5]), (&["web", "1", "0"][..], "?"));
    assert_eq!((lines[2][0], lines[2][2]), ("web", "1"));
    assert_eq!(lines[2][7..], ["sleep", "1000"]);
    // Another descriptor, and a process that was executed in the container.
    let child = host.spawn(&["exec", "web-main", "sleep", "1234"]);
    let until = std::time::Instant::now() + super::host::PATIENCE;
    let text = loop {
        let text = host
            .run(&["pod", "top", "web", "huser,hpid", "pid", "seccomp", "%a"])
            .expect();
        if text.contains("sleep 1234") {
            break text;
        }
        assert!(std::time::Instant::now() < until, "{text}");
    };
    assert_eq!(text.lines().count(), 4, "{text}");
    let process = host.container("web", "main");
    let pid = process.state.process().expect("running").pid.to_string();
    let first: Vec<&str> = text
        .lines()
        .nth(1)
        .unwrap_or("")
        .split_whitespace()
        .collect();
    assert_eq!(first[1..4], [pid.as_str(), "1", "filter"]);
    host.run(&["kill", "web-main"]).expect();
    assert_eq!(Host::finish(child).code, Some(137));
    host.wait_for("web", "main", |container| !container.state.is_running());
    let error = host.run(&["top", "web-main"]);
    assert_eq!(error.code, Some(125));
    assert!(error.stderr.contains("only be used on running containers"));
    let error = host.run(&["top", "web-main", "shoesize"]);
    assert_eq!(error.code, Some(125));
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn port_says_where_a_port_is_published() {
    let Some(host) = Host::new() else { return };
    let yaml = pod(
        "web",
        "command: [sleep, '1000']
ports:
- {containerPort: 80, hostPort: 8087, hostIP: 192.0.2.1}
- {containerPort: 53, hostPort: 5353, protocol: UDP}",
        "terminationGracePeriodSeconds: 0",
    );
    host.play("web", &yaml).expect();
    assert_eq!(
        host.run(&["port", "web-main"]).expect(),
        "80/tcp -> 192.0.2.1:8087\n53/udp -> 0.0.0.0:5353\n"
    );
    assert_eq!(
        host.run(&["port", "web-main", "80"]).expect(),
        "192.0.2.1:8087\n"
    );
    assert_eq!(
        host.run(&["port", "--latest", "53/udp"]).expect(),
        "0.0.0.0:5353\n"
    );
    let id = host.container("web", "main").id;
    assert_eq!(
        host.run(&["container", "port", "--all"]).expect(),
        format!(
            "{0}\t80/tcp -> 192.0.2.1:8087\n{0}\t53/udp -> 0.0.0.0:5353\n",
            id.short()
        )
    );
    let error = host.run(&["port", "web-main", "81"]);
    assert_eq!(error.code, Some(125));
    assert!(
        error
            .stderr
            .contains("failed to find published port \"81\"")
    );
}

#[test]
fn stats_tell_what_containers_use() {
    let Some(host) = Host::new() else { return };
    let yaml = pod(
        "busy",
        "command: [sh, -c, 'while :; do :; done']\nresources: {limits: {memory: 64Mi, cpu: 500m}}",
        "terminationGracePeriodSeconds: 0",
    );
    host.play("busy", &yaml).expect();
    let idle = pod(
        "idle",
        "command: [sleep, '1000']",
        "terminationGracePeriodSeconds: 0",
    );
    host.play("idle", &idle).expect();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let fields = "{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDS}}|{{.NetIO}}";
    let text = host
        .run(&["stats", "--no-stream", "--format", fields])
        .expect();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').collect()).collect();
    let row = |name: &str| {
        rows.iter()
            .find(|row| row[0] == name)
            .expect("a row")
            .clone()
    };
    let share = |row: &[&str]| {
        row[1]
            .trim_end_matches('%')
            .parse::<f64>()
            .expect("a share")
    };
    let (busy, idle) = (row("busy-main"), row("idle-main"));
    assert!(share(&busy) > 15.0 && share(&busy) < 75.0, "{text}");
    assert!(share(&idle) < 15.0, "{text}");
    assert!(busy[2].ends_with(" / 67.11MB"), "{text}");
    assert_eq!(busy[3], "1");
    let json = host
        .run(&["pod", "stats", "--no-stream", "--format", "json", "busy"])
        .expect();
    let json: serde_json::Value = serde_json::from_str(&json).expect("json");
    assert_eq!(json.as_array().expect("list").len(), 1);
    assert_eq!(json[0]["Pod"], host.pod("busy").record.id.short());
    // The stream goes on, and shows what is running by then.
    let mut stream = host.spawn(&["stats", "--interval", "1", "--format", "{{.Name}}"]);
    host.down("idle").expect();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    stream.kill().expect("killed");
    let text = Host::finish(stream).stdout;
    assert!(text.matches("busy-main").count() >= 2, "{text}");
    assert!(text.matches("idle-main").count() <= 1, "{text}");
    let none = host.run(&["stats", "--no-stream", "nobody"]);
    assert_eq!(none.code, Some(125));
    host.down("busy").expect();
    host.expect_clean();
}
