//! What is recorded is compared with what there is, and the differences are repaired.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use podwright::engine::paths::Paths;
use podwright::model::state::ContainerState;
use podwright::sys::mount;
use rusqlite::Connection;

use super::host::{Host, PATIENCE, Ran, pod};
use super::{image, traces};

const GRACELESS: &str = "terminationGracePeriodSeconds: 0";

fn sleeper(name: &str, policy: &str) -> String {
    pod(
        name,
        "command: [sleep, '1000']",
        &format!("{GRACELESS}\nrestartPolicy: {policy}"),
    )
}

#[test]
fn a_root_leaves_the_pods_of_another_one_alone_and_in_the_end_no_cgroup() {
    let Some(host) = Host::new() else { return };
    let file = host
        .dir()
        .join("files")
        .join(host.write("web", &sleeper("web", "Always")));
    let [one, two] = ["one", "two"].map(|name| host.dir().join(name));
    for root in [&one, &two] {
        mount::ensure_dir(root, 0o700).expect("directory");
        image::make(root, &root.with_extension("run"));
    }
    let run = |root: &Path, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podwright"));
        command.arg("--root").arg(root);
        command.arg("--runroot").arg(root.with_extension("run"));
        command.args(arguments).stdin(Stdio::null());
        Ran::of(&host.run_in(move || command.output().expect("the program runs")))
    };
    let cgroup = Paths::cgroup_parent_of(&one);
    let played = run(&one, &["kube", "play", file.to_str().expect("text")]);
    let present = !traces::cgroups(&cgroup).is_empty();
    let repaired = run(&two, &["system", "check", "--repair"]);
    let alone = run(&one, &["ps", "--format", "{{.Names}}"]);
    // Nothing is asserted while the pod is there, which is none of the host's own.
    let removed = run(&one, &["pod", "rm", "--force", "--all"]);
    played.expect();
    assert!(present, "{cgroup}");
    assert_eq!((repaired.code, repaired.stdout.as_str()), (Some(0), ""));
    assert_eq!(alone.expect(), "web-main\n");
    removed.expect();
    let until = Instant::now() + PATIENCE;
    while !traces::cgroups(&cgroup).is_empty() {
        assert!(Instant::now() < until, "{:?}", traces::cgroups(&cgroup));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_left_over_is_found_told_and_removed() {
    let Some(host) = Host::new() else { return };
    host.play("web", &sleeper("web", "Always")).expect();
    assert_eq!(host.run(&["system", "check"]).expect(), "");
    let id = "ab".repeat(32);
    let paths = host.paths();
    let locks = paths.runroot.join("locks");
    for file in [format!("pod-{id}"), format!("container-{id}")] {
        fs::write(locks.join(file), "").expect("lock file");
    }
    fs::create_dir_all(paths.root.join("pods").join(&id).join("logs")).expect("directory");
    let run = paths.runroot.join("pods").join(&id);
    mount::ensure_dir(&run, 0o700).expect("directory");
    mount::mount_tmpfs(&run, 0o700, None, nix::mount::MsFlags::empty()).expect("tmpfs");
    let mut stray = Command::new("/bin/busybox")
        .args(["sleep", "1000"])
        .spawn()
        .expect("a process");
    let lost = format!("{}/{id}", host.cgroup_parent());
    for root in traces::cgroups(host.cgroup_parent()) {
        if root.ends_with(host.cgroup_parent().trim_start_matches('/')) {
            let cgroup = root.join(&id);
            fs::create_dir(&cgroup).expect("cgroup");
            // A cpuset without processors takes nobody; the other hierarchies do.
            let _ = fs::write(cgroup.join("cgroup.procs"), stray.id().to_string());
        }
    }
    host.kill_watchers();
    let said = host.run(&["system", "check"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    for words in [
        format!("something is left of pod {id}"),
        format!("a lock is left of container {id}"),
        "pod `web` has no supervisor".to_owned(),
    ] {
        assert!(said.stdout.contains(&words), "{words:?} in {said:?}");
    }
    let repaired = host.run(&["system", "check", "--repair"]);
    assert_eq!(
        (repaired.code, repaired.stderr.as_str()),
        (Some(0), ""),
        "{repaired:?}"
    );
    assert!(stray.wait().is_ok(), "{lost}");
    assert_eq!(host.run(&["system", "check"]).expect(), "");
    // A new supervisor holds its lease before it has moved to its cgroup, where it is looked for.
    let until = Instant::now() + PATIENCE;
    while host.supervisors().is_empty() {
        assert!(Instant::now() < until, "no supervisor");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(host.supervisors().len(), 1);
    assert!(host.container("web", "main").state.is_running());
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn what_is_mounted_beside_the_tmpfs_of_a_pod_goes_with_the_pod_and_is_not_emptied() {
    let Some(host) = Host::new() else { return };
    host.play("web", &sleeper("web", "Always")).expect();
    let kept = host.dir().join("files").join("kept");
    fs::create_dir(&kept).expect("directory");
    fs::write(kept.join("file"), "").expect("file");
    let run = host.paths().pod(&host.pod("web").record.id).run;
    host.kill_watchers();
    // As when a volume is mounted for a pod that another one is just taking down.
    assert!(mount::unmount(&run).expect("unmounted"));
    for (number, place) in ["volumes/scratch", "claims/data", "claims/data"]
        .iter()
        .enumerate()
    {
        let place = run.join(place);
        mount::ensure_dir(&place, 0o700).expect("directory");
        match number {
            0 => mount::mount_tmpfs(&place, 0o700, None, nix::mount::MsFlags::empty()),
            _ => mount::bind(&kept, &place, mount::Depth::One),
        }
        .expect("mounted");
    }
    let said = host.run(&["system", "check"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let words = format!(
        "{} is mounted beside the tmpfs",
        run.join("volumes/scratch").display()
    );
    assert!(said.stdout.contains(&words), "{said:?}");
    host.down("web").expect();
    assert!(kept.join("file").exists());
    fs::remove_dir_all(kept).expect("removed");
    host.expect_clean();
}

#[test]
fn what_a_process_that_stays_has_open_is_looked_at() {
    let Some(host) = Host::new() else { return };
    host.play("web", &sleeper("web", "Always")).expect();
    assert_eq!(host.run(&["system", "check"]).expect(), "");
    let files = host.dir().join("files");
    let open = files.join("open");
    // A process that is called as the keeper is, and waits.
    fs::write(files.join("stage-keep"), "read word").expect("script");
    let mut stray = Command::new("/bin/sh")
        .arg("stage-keep")
        .current_dir(&files)
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&open).expect("opened"))
        .spawn()
        .expect("a process");
    for cgroup in traces::cgroups(host.cgroup_parent()) {
        if cgroup.ends_with("supervisors") {
            let pid = stray.id().to_string();
            fs::write(cgroup.join("cgroup.procs"), pid).expect("moved");
        }
    }
    let said = host.run(&["system", "check"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let words = format!("process {} keeps {} open\n", stray.id(), open.display());
    assert!(said.stdout.contains(&words), "{said:?}");
    stray.kill().expect("killed");
    stray.wait().expect("waited for");
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn a_damaged_database_is_told_and_rebuilt_from_what_runs() {
    let Some(host) = Host::new() else { return };
    host.play("web", &sleeper("web", "Always")).expect();
    let before = host.container("web", "main");
    let database = host.paths().root.join("db.sqlite");
    host.kill_watchers();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", database.display()));
    }
    fs::write(&database, "no database".repeat(1000)).expect("damaged");
    for command in [
        &["ps"][..],
        &["kube", "play", "web.yaml"],
        &["system", "check"],
    ] {
        let ran = host.run(command);
        assert_eq!(ran.code, Some(125), "{ran:?}");
        assert!(ran.stderr.contains("is damaged"), "{ran:?}");
    }
    let repaired = host.run(&["system", "check", "--repair"]);
    assert!(repaired.stderr.contains("was damaged"), "{repaired:?}");
    let after = host.container("web", "main");
    assert_eq!(after.id, before.id);
    assert_eq!(after.state.process(), before.state.process());
    assert!(repaired.stdout.contains("image"), "{repaired:?}");
    host.down("web").expect();
    for number in 1..3 {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}.damaged-{number}{end}", database.display()));
        }
    }
    host.expect_clean();
}

#[test]
fn after_a_boot_ps_is_right_at_once_and_what_was_wanted_starts_again() {
    let Some(host) = Host::new() else { return };
    for (name, policy) in [
        ("always", "Always"),
        ("never", "Never"),
        ("stopped", "Always"),
    ] {
        host.play(name, &sleeper(name, policy)).expect();
    }
    host.run(&["pod", "stop", "stopped"]).expect();
    go_down(&host);
    let said = host
        .run(&["ps", "--all", "--format", "{{.Names}} {{.State}}"])
        .expect();
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 3);
    for (line, name) in lines.iter().zip(["always", "never", "stopped"]) {
        assert!(line.starts_with(&format!("{name}-main Exited")), "{line}");
    }
    let mut started: Vec<String> = host
        .run(&["system", "boot"])
        .expect()
        .lines()
        .map(str::to_owned)
        .collect();
    started.sort_unstable();
    assert_eq!(started, ["always", "never"]);
    host.wait_for("always", "main", |container| container.state.is_running());
    host.wait_for("never", "main", |container| {
        matches!(container.state, ContainerState::Exited { .. })
    });
    assert!(!host.container("stopped", "main").state.is_running());
    for name in ["always", "never", "stopped"] {
        host.down(name).expect();
    }
    host.expect_clean();
}

/// Ends everything at once, as a loss of power does: no process, no runroot, another boot id in what is recorded.
fn go_down(host: &Host) {
    let until = Instant::now() + PATIENCE;
    loop {
        let pids = traces::processes(host);
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        assert!(Instant::now() < until, "a process does not die");
        std::thread::sleep(Duration::from_millis(20));
    }
    let paths = host.paths();
    for pod in fs::read_dir(paths.runroot.join("pods"))
        .expect("pods")
        .flatten()
    {
        while mount::unmount(&pod.path()).expect("unmounted") {}
    }
    fs::remove_dir_all(&paths.runroot).expect("removed");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot id");
    let connection = Connection::open(paths.root.join("db.sqlite")).expect("database");
    let other = "00000000-0000-4000-8000-000000000000";
    let update = "UPDATE containers SET record = replace(record, ?1, ?2)";
    connection
        .execute(update, [boot.trim(), other])
        .expect("written");
}

#[test]
fn a_database_that_many_use_is_never_locked() {
    let Some(host) = Host::new() else { return };
    std::thread::scope(|scope| {
        for shell in 0..24 {
            let host = &host;
            scope.spawn(move || {
                for turn in 0..4 {
                    let name = format!("data-{shell}-{turn}");
                    host.run(&["volume", "create", &name]).expect();
                    host.run(&["ps", "--all"]).expect();
                    host.run(&["volume", "rm", &name]).expect();
                }
            });
        }
    });
    host.expect_clean();
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let Some(host) = Host::new() else { return };
    let small = host.dir().join("files").join("small");
    mount::ensure_dir(&small, 0o700).expect("directory");
    mount::mount_tmpfs(&small, 0o700, Some(600 << 10), nix::mount::MsFlags::empty())
        .expect("tmpfs");
    let root = small.join("root").to_string_lossy().into_owned();
    let run = |arguments: &[&str]| {
        let mut all = vec!["--root", root.as_str()];
        all.extend(arguments);
        host.run(&all)
    };
    run(&["volume", "create", "before"]).expect();
    fill(&small.join("filler"));
    let mut full = None;
    for number in 0..200 {
        let ran = run(&["volume", "create", &format!("more-{number}")]);
        if ran.code != Some(0) {
            full = Some((number, ran));
            break;
        }
    }
    let (made, ran) = full.expect("the disk is full");
    assert!(
        ran.stderr.contains("is full") || ran.stderr.contains("No space left"),
        "{ran:?}"
    );
    let listed = run(&["volume", "ls", "--quiet"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert_eq!(listed.stdout.lines().count(), made + 1, "{listed:?}");
    fs::remove_file(small.join("filler")).expect("removed");
    run(&["volume", "create", "after"]).expect();
    assert_eq!(run(&["system", "check"]).expect(), "");
    while mount::unmount(&small).expect("unmounted") {}
}

/// Takes all the room there is.
fn fill(file: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(file).expect("file");
    for size in [4096, 512] {
        while file.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
    }
}
