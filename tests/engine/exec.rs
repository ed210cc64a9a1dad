//! A program that is run in a container later is what the container's own processes are.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use podwright::engine::exec::{self, Streams};
use podwright::engine::stage::Step;
use podwright::sys::process::Ended;
use serde_json::{Value, json};

use crate::support::container::{PROGRAM, Rig, Running, execute, signal_masks};

fn sleeping(rig: &Rig, fields: Value) -> Running {
    let mut all = fields;
    all["command"] = json!(["sh", "-c", "trap 'exit 0' TERM; sleep 100 & wait"]);
    rig.start(&rig.decide(all)).expect("started")
}

fn run(rig: &Rig, running: &Running, script: &str) -> (u8, String) {
    execute(&running.request(rig, script)).expect("runs")
}

#[test]
fn an_exec_is_confined_as_the_init_is() {
    let Some(rig) = Rig::new() else { return };
    let status = "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/";
    for fields in [
        json!({}),
        json!({"process": {"security": {"runAsUser": 1000, "runAsGroup": 5}}}),
        json!({"privileges": {"privileged": true}}),
        json!({"privileges": {"allowEscalation": false, "dropCapabilities": ["ALL"]}}),
        json!({"privileges": {"addCapabilities": ["NET_RAW"]},
               "process": {"security": {"runAsUser": 1000}}}),
        json!({"process": {"security": {"seccomp": "unconfined"}}}),
    ] {
        let mut plain = fields.clone();
        plain["command"] = json!(["sleep", "100"]);
        let running = rig.start(&rig.decide(plain)).expect("started");
        let of = |process: &str| run(&rig, &running, &format!("{status}{process}/status"));
        let (init, own) = (of("1"), of("self"));
        assert_eq!(init, own, "{fields}");
        assert_eq!(init.0, 0);
        let namespaces = |process: &str| {
            let links = "mnt net pid uts ipc cgroup user";
            run(
                &rig,
                &running,
                &format!("for n in {links}; do readlink /proc/{process}/ns/$n; done"),
            )
        };
        // Without CAP_SYS_PTRACE another user's namespaces are not to be seen: root asks.
        if !fields.to_string().contains("runAsUser") && !fields.to_string().contains("drop") {
            assert_eq!(namespaces("1"), namespaces("self"));
        }
        let limits = |process: &str| run(&rig, &running, &format!("cat /proc/{process}/limits"));
        assert_eq!(limits("1"), limits("self"));
        let cgroup = |process: &str| run(&rig, &running, &format!("cat /proc/{process}/cgroup"));
        let memory = |(_, text): (u8, String)| -> Vec<String> {
            let ours = text.lines().filter(|line| line.contains("podwright-test"));
            ours.map(str::to_owned).collect()
        };
        let init = memory(cgroup("1"));
        let own = memory(cgroup("self"));
        assert!(
            init.iter().all(|line| own.contains(line)),
            "{init:?} {own:?}"
        );
        running.kill();
    }
}

#[test]
fn the_code_of_an_exec_is_the_programs_own() {
    let Some(rig) = Rig::new() else { return };
    let running = sleeping(&rig, json!({}));
    assert_eq!(run(&rig, &running, "exit 7").0, 7);
    let mut request = running.request(&rig, "");
    request.args = ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"]
        .map(str::to_owned)
        .to_vec();
    let (_, text) = execute(&request).unwrap();
    assert_eq!(signal_masks(&text), [0, 0], "{text}");
    assert_eq!(run(&rig, &running, "kill -9 $$").0, 137);
    assert_eq!(
        run(&rig, &running, "cd /proc/self/cwd; pwd -P; echo $container"),
        (0, "/\npodwright\n".to_owned())
    );
    for (args, code) in [(["missing"], 127), (["/etc/passwd"], 126), (["/etc"], 126)] {
        let mut request = running.request(&rig, "");
        request.args = args.map(str::to_owned).to_vec();
        let error = execute(&request).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    running.kill();
}

#[test]
fn an_exec_may_differ_in_user_directory_and_environment() {
    let Some(rig) = Rig::new() else { return };
    let running = sleeping(&rig, json!({"process": {"security": {"runAsUser": 1000}}}));
    let mut request = running.request(
        &rig,
        "id -u; id -G; pwd; echo $A $HOME; grep CapEff /proc/self/status",
    );
    request.user = Some("root".to_owned());
    request.cwd = Some("/tmp".into());
    request.env = vec!["A=b=c".to_owned()];
    let (code, text) = execute(&request).unwrap();
    assert_eq!(code, 0);
    assert_eq!(text, "0\n0\n/tmp\nb=c /root\nCapEff:\t00000000800405fb\n");
    request.user = Some("nobody-here".to_owned());
    assert_eq!(execute(&request).unwrap_err().step, Step::User);
    request.user = None;
    request.cwd = Some("/nowhere".into());
    assert_eq!(execute(&request).unwrap_err().step, Step::WorkingDirectory);
    running.kill();
}

#[test]
fn a_container_that_ended_or_was_another_is_refused() {
    let Some(rig) = Rig::new() else { return };
    let running = sleeping(&rig, json!({}));
    let mut other = running.request(&rig, "true");
    other.start_time += 1;
    assert_eq!(execute(&other).unwrap_err().step, Step::NotRunning);
    let request = running.request(&rig, "true");
    running.kill();
    assert_eq!(execute(&request).unwrap_err().step, Step::NotRunning);
}

#[test]
fn a_program_ends_with_its_stage() {
    let Some(rig) = Rig::new() else { return };
    let running = sleeping(&rig, json!({}));
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::piped(),
        stderr: Stdio::null(),
    };
    let request = running.request(&rig, "echo ready; exec sleep 77");
    let mut exec = exec::start(Path::new(PROGRAM), &request, streams).unwrap();
    let mut ready = [0; 6];
    let mut stdout = exec.stage.stdout.take().unwrap();
    stdout.read_exact(&mut ready).unwrap();
    exec.stage.kill().unwrap();
    // The end of the output: nobody holds it any more.
    stdout.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(exec.wait().unwrap(), 137);
    assert!(!run(&rig, &running, "ps").1.contains("sleep 77"));
    running.kill();
}

#[test]
fn an_exec_can_have_a_terminal_and_input() {
    let Some(rig) = Rig::new() else { return };
    let running = sleeping(&rig, json!({"process": {"security": {"runAsUser": 1000}}}));
    let mut request = running.request(&rig, "tty; read x; echo got $x; echo y > $(tty)");
    request.terminal = true;
    let mut exec = exec::start(Path::new(PROGRAM), &request, Streams::inherited()).unwrap();
    let mut master = std::fs::File::from(exec.terminal.take().unwrap());
    master.write_all(b"word\n").unwrap();
    let mut text = Vec::new();
    let _ = master.read_to_end(&mut text);
    assert_eq!(exec.wait().unwrap(), 0);
    let text = String::from_utf8_lossy(&text).replace('\r', "");
    assert!(
        text.contains("/dev/pts/0\n") && text.contains("got word\ny\n"),
        "{text}"
    );
    running.kill();
}

#[test]
fn the_container_gets_the_signal_meant_for_it() {
    let Some(rig) = Rig::new() else { return };
    let running = sleeping(&rig, json!({}));
    // Its shell has to have come as far as the trap.
    while run(&rig, &running, "ps | grep -c 'sleep 10[0]'").1 == "0\n" {}
    running.process.send_signal(15).unwrap();
    assert_eq!(running.finish().ended, Ended::Code(0));
}
