//! What outlives a `kill -9`: of the supervisor, and of the command.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use podwright::fault::VARIABLE;
use podwright::model::quantity::Seconds;
use podwright::model::state::{ContainerState, ExitStatus};
use podwright::sys::descriptor;
use podwright::sys::process::PidFd;

use super::host::{Host, PATIENCE, Ran, pod};
use super::traces;

#[test]
fn output_and_status_outlive_the_supervisor() {
    let Some(host) = Host::new() else { return };
    // 20000 lines are 108 kB: more than a pipe of the default size holds.
    let main = "command: [sh, -c, 'echo up; while ! [ -e /shared/go ]; do sleep 0.02; done; seq 20000; exit 7']\nvolumeMounts: [{name: shared, mountPath: /shared}]";
    let shared = host.dir().join("files");
    let spec = format!(
        "restartPolicy: OnFailure\nvolumes:\n- {{name: shared, hostPath: {{path: {}}}}}",
        shared.display()
    );
    host.play("web", &pod("web", main, &spec)).expect();
    host.wait_for_log("web", "main", "up");
    let process = host
        .container("web", "main")
        .state
        .process()
        .cloned()
        .expect("process");
    host.kill_supervisors();
    // The next supervisor comes in half a second; the container has ended by then.
    fs::write(shared.join("go"), "").expect("go");
    let until = Instant::now() + PATIENCE;
    while std::path::Path::new(&format!("/proc/{}", process.pid)).exists() {
        assert!(Instant::now() < until, "the container goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    let commands = [(); 2].map(|()| host.spawn(&["pod", "start", "web"]));
    for command in commands {
        let ran = Host::finish(command);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert_eq!(host.supervisors().len(), 1);
    let ended = host.wait_for("web", "main", |container| container.last_end.is_some());
    if ended.exit() == Some(&ExitStatus::Unknown) {
        eprintln!("skipped: lacks PIDFD_INFO_EXIT");
        return;
    }
    assert_eq!(ended.exit(), Some(&ExitStatus::Code(7)));
    // The file is there, so the run after it writes the same again and ends the same way.
    host.wait_for("web", "main", |container| {
        container.restarts == 1 && container.backoff.next == Some(Seconds(20))
    });
    let lines: String = (1..=20000).map(|number| format!("{number}\n")).collect();
    assert!(
        host.log("web", "main") == format!("up\n{lines}up\n{lines}"),
        "lines are missing"
    );
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn a_killed_play_and_a_killed_supervisor_leave_a_state_that_can_be_taken_down() {
    let Some(host) = Host::new() else { return };
    let objects =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {key: value}\n---\n";
    let main = "command: [sleep, '1000']\nports: [{containerPort: 80, hostPort: 8088}]\nenv: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}]";
    let yaml = format!(
        "{objects}{}",
        pod("web", main, "terminationGracePeriodSeconds: 0")
    );
    host.write("web", &yaml);
    for step in 0..24u64 {
        let mut child = host.spawn(&["kube", "play", "web.yaml"]);
        std::thread::sleep(Duration::from_millis(step * 7));
        child.kill().expect("killed");
        Host::finish(child);
        if step % 2 == 1 {
            host.kill_supervisors();
        }
        let ran = host.run(&["pod", "ps"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let ran = host.down("web");
        assert_eq!(ran.code, Some(0), "after {} ms: {}", step * 7, ran.stderr);
        host.expect_clean();
    }
}

#[test]
fn of_two_plays_at_once_one_wins_and_the_other_says_why() {
    let Some(host) = Host::new() else { return };
    host.write(
        "web",
        &pod(
            "web",
            "command: [sleep, '1000']",
            "terminationGracePeriodSeconds: 0",
        ),
    );
    for _ in 0..3 {
        let commands = [(); 2].map(|()| host.spawn(&["kube", "play", "web.yaml"]));
        let mut results = commands.map(Host::finish);
        results.sort_by_key(|ran: &Ran| ran.code);
        assert_eq!(results[0].code, Some(0), "{results:?}");
        assert_eq!(results[1].code, Some(125), "{results:?}");
        assert!(
            results[1].stderr.contains("already exists"),
            "{}",
            results[1].stderr
        );
        assert_eq!(host.container("web", "main").state.word(), "running");
        host.down("web").expect();
        host.expect_clean();
    }
}

#[test]
fn nothing_inherits_the_descriptors_of_whoever_called() {
    let Some(host) = Host::new() else { return };
    let secret = host.dir().join("files").join("secret");
    fs::write(&secret, "").expect("written");
    let call = |arguments: &[&str]| {
        let mut command = host.command(arguments);
        let open = File::open(&secret).expect("opened");
        descriptor::give(&mut command, open.into(), 251);
        Ran::of(&host.run_in(move || command.output().expect("the program runs")))
    };
    // The keeper and the supervisor are begun anew by this command.
    host.kill_watchers();
    host.write(
        "web",
        &pod(
            "web",
            "command: [sleep, '1000']",
            "terminationGracePeriodSeconds: 0\nshareProcessNamespace: true",
        ),
    );
    call(&["kube", "play", "web.yaml"]).expect();
    let pids = super::traces::processes(&host);
    // A supervisor, the keeper, the init and the container.
    assert!(pids.len() >= 4, "{pids:?}");
    for pid in pids {
        for open in fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
        {
            let open = fs::read_link(open.expect("descriptor").path()).unwrap_or_default();
            let command = super::traces::command_line(pid);
            assert_ne!(open, secret, "{command}");
        }
    }
    let open = call(&["exec", "web-main", "ls", "/proc/self/fd"]).expect();
    assert!(!open.contains("251"), "{open}");
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn the_next_supervisor_has_the_ports_in_hand() {
    let Some(host) = Host::new() else { return };
    let main = "command: [sleep, '1000']\nports: [{containerPort: 80, hostPort: 8090}]";
    host.play("web", &pod("web", main, "terminationGracePeriodSeconds: 0"))
        .expect();
    assert!(host.is_held(8090));
    host.kill_watchers();
    assert!(!host.is_held(8090));
    host.run(&["pod", "start", "web"]).expect();
    host.wait_until_held(8090);
    host.down("web").expect();
    assert!(!host.is_held(8090));
    host.expect_clean();
}

#[test]
fn what_a_command_wrote_down_before_it_was_killed_is_done_and_its_outcome_forgotten() {
    let Some(host) = Host::new() else { return };
    let files = host.dir().join("files");
    let main = "command: [sh, -c, 'echo start >> /shared/starts; exec sleep 1000']\nvolumeMounts: [{name: shared, mountPath: /shared}]";
    let spec = format!(
        "terminationGracePeriodSeconds: 0\nvolumes:\n- {{name: shared, hostPath: {{path: {}}}}}",
        files.display()
    );
    host.play("web", &pod("web", main, &spec)).expect();
    let lines = || {
        let text = fs::read_to_string(files.join("starts")).unwrap_or_default();
        text.lines().count()
    };
    host.wait_for("web", "main", |_| lines() == 1);
    let fuse = files.join("fuse");
    fs::write(&fuse, "").expect("fuse");
    let mut command = host.command(&["restart", "web-main"]);
    command.env(VARIABLE, format!("command:2:{}", fuse.display()));
    let ran = Ran::of(&host.run_in(move || command.output().expect("the program runs")));
    assert_eq!(ran.code, None, "{ran:?}");
    let at = fs::read_to_string(fuse.with_extension("blown")).expect("a death");
    assert_eq!(at, "after a commit");
    let unfetched = || host.engine().store().unfetched().expect("read");
    assert_eq!((unfetched().len(), lines()), (1, 1));
    assert!(unfetched()[0].is_pending);
    // Whoever comes next only reads.
    host.run(&["ps"]).expect();
    host.wait_for("web", "main", |_| lines() == 2 && unfetched().is_empty());
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn whoever_reads_a_record_that_nobody_keeps_up_has_it_mended() {
    let Some(host) = Host::new() else { return };
    let spec = "terminationGracePeriodSeconds: 0\nrestartPolicy: Never";
    host.play("web", &pod("web", "command: [sleep, '1000']", spec))
        .expect();
    let pid = host
        .container("web", "main")
        .state
        .process()
        .map(|process| process.pid);
    host.kill_watchers();
    let pid = nix::unistd::Pid::from_raw(pid.expect("a process"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("killed");
    let recorded = || {
        let pods = host.engine().store().observed().expect("read").pods;
        pods[0].containers[0].state.word().to_owned()
    };
    host.wait_for("web", "main", |container| !container.state.is_running());
    assert_eq!(recorded(), "running");
    let said = host
        .run(&["ps", "--all", "--format", "{{.State}}"])
        .expect();
    assert!(said.starts_with("Exited"), "{said}");
    host.wait_for("web", "main", |_| recorded() == "exited");
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn restarts_cost_a_supervisor_no_descriptors() {
    let Some(host) = Host::new() else { return };
    let spec = "terminationGracePeriodSeconds: 0";
    host.play("web", &pod("web", "command: [sleep, '1000']", spec))
        .expect();
    let count = || {
        let supervisors = host.supervisors();
        assert_eq!(supervisors.len(), 1);
        let open = fs::read_dir(format!("/proc/{}/fd", supervisors[0])).expect("descriptors");
        open.count()
    };
    host.run(&["restart", "web-main"]).expect();
    let before = count();
    for _ in 0..12 {
        host.run(&["restart", "web-main"]).expect();
    }
    // The line to the last command and the database close a moment later.
    host.wait_for("web", "main", |_| count() <= before);
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn what_copies_stages_is_missed_by_nobody() {
    let Some(host) = Host::new() else { return };
    let main = "command: [sh, -c, 'echo up; exit 1']";
    host.play("loop", &pod("loop", main, "restartPolicy: Always"))
        .expect();
    let servers = || -> Vec<i32> {
        let is_server = |pid: &i32| traces::command_line(*pid).contains("stage-serve");
        traces::processes(&host)
            .into_iter()
            .filter(is_server)
            .collect()
    };
    let waits = |restarts: u32| {
        host.wait_for("loop", "main", |container| {
            container.restarts == restarts
                && matches!(container.state, ContainerState::Waiting { .. })
        })
    };
    waits(1);
    assert!(servers().is_empty());
    // It comes with the first restart that had to wait, and stays for the next.
    let ended = waits(2);
    assert_eq!(ended.exit(), Some(&ExitStatus::Code(1)));
    let found = servers();
    assert_eq!(found.len(), 1);
    let process = PidFd::open(found[0]).expect("pidfd").expect("it is there");
    process.send_signal(9).expect("signal");
    waits(3);
    assert_eq!(host.log("loop", "main"), "up\n".repeat(4));
    host.kill_supervisors();
    let until = Instant::now() + PATIENCE;
    while !servers().is_empty() {
        assert!(Instant::now() < until, "it outlives its supervisor");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The next supervisor has nothing that runs, and is missed all the same.
    for _ in 0..2 {
        let until = Instant::now() + PATIENCE;
        while host.supervisors().is_empty() {
            assert!(Instant::now() < until, "nobody starts it anew");
            std::thread::sleep(Duration::from_millis(10));
        }
        // It is known to the keeper a moment after it is there.
        std::thread::sleep(Duration::from_secs(2));
        host.kill_supervisors();
    }
    host.down("loop").expect();
}
