//! A decided container becomes a process as it was decided.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use podwright::engine::launch::{Launch, PidChoice};
use podwright::engine::stage::{CreateStage, StageServer, Step};
use podwright::names::ContainerId;
use podwright::state::{Lease, Work};
use podwright::sys::cgroup::Cgroups;
use podwright::sys::process::{self, Ended};
use serde_json::json;

use crate::support::container::{PROGRAM, Rig, signal_masks};

#[test]
fn the_exit_status_and_the_output_are_the_programs_own() {
    let Some(rig) = Rig::new() else { return };
    let ran = rig.script("echo out; echo err >&2; exit 7", json!({}));
    assert_eq!(ran.ended, Ended::Code(7), "{ran:?}");
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("out\n", "err\n")
    );
    // The same surroundings serve again.
    let ran = rig.script("sh -c 'kill -15 $$$$'; exit $?", json!({}));
    assert_eq!(ran.ended, Ended::Code(143), "{ran:?}");
}

#[test]
fn a_program_that_is_not_there_is_told_from_one_that_may_not_run() {
    let Some(rig) = Rig::new() else { return };
    fs::write(rig.layer().join("bin/data"), "no program").unwrap();
    let script = rig.layer().join("bin/script");
    fs::write(&script, "#!/bin/missing\n").unwrap();
    let broken = rig.layer().join("bin/broken");
    fs::write(&broken, "\u{1}\u{2}").unwrap();
    for path in [script, broken] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (command, step, code) in [
        ("missing", Step::CommandNotFound, 127),
        ("/bin/missing", Step::CommandNotFound, 127),
        ("data", Step::CommandNotExecutable, 126),
        ("/etc", Step::CommandNotExecutable, 126),
        ("script", Step::CommandNotFound, 127),
        ("broken", Step::CommandNotExecutable, 126),
    ] {
        let launch = rig.decide(json!({"command": [command]}));
        let error = rig.start(&launch).unwrap_err();
        assert_eq!(
            (error.step, error.code()),
            (step, code),
            "{command}: {error}"
        );
    }
}

#[test]
fn a_stage_that_is_given_up_works_on_at_nothing() {
    let Some(rig) = Rig::new() else { return };
    let mut launch = rig.decide(json!({"command": ["sleep", "1000"]}));
    // What is given up is found by its id, and all tests of this process have the same.
    launch.site.id = ContainerId::parse(&"e".repeat(64)).expect("an id");
    let cgroups = Cgroups::detect().expect("cgroups");
    let group = cgroups
        .group(Path::new(&launch.site.cgroup))
        .expect("a name");
    for step in 0..12 {
        let stage = CreateStage::start(Path::new(PROGRAM), &launch, None).expect("started");
        // At any moment of its work, and when it waits for the word to start what it made.
        std::thread::sleep(Duration::from_millis(step * step));
        drop(stage);
        assert_eq!(group.pids().expect("read"), Vec::<u32>::new());
        let children = process::children().expect("read");
        let mark = format!("PODWRIGHT_LAUNCH={}-{}", launch.site.id, std::process::id());
        let mut strays = children.iter();
        assert!(!strays.any(|pid| process::was_started_with(*pid, &mark)));
    }
    let ran = rig.script("exit 7", json!({}));
    assert_eq!(ran.ended, Ended::Code(7), "{ran:?}");
}

#[test]
fn the_stages_of_a_fork_server_are_like_any_other() {
    let Some(mut rig) = Rig::new() else { return };
    let server = StageServer::start(Path::new(PROGRAM)).expect("started");
    let lease = rig.path().join("lease");
    fs::write(&lease, "").unwrap();
    let copy = |launch: &Launch| {
        let work = Work::begin(&lease).expect("a file");
        CreateStage::copy(&server, launch, work)
    };
    let made = |launch: &Launch| copy(launch).expect("a copy").expect("alone");
    for code in [7, 8] {
        let script = format!("echo $$$$; echo err >&2; exit {code}");
        let launch = rig.decide(json!({"command": ["sh", "-c", script]}));
        let ran = rig.watch(|| made(&launch).finish()).expect("started");
        let ran = ran.finish();
        assert_eq!(ran.ended, Ended::Code(code), "{ran:?}");
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("1\n", "err\n"));
    }
    let launch = rig.decide(json!({"command": ["missing"]}));
    let error = rig.watch(|| made(&launch).finish()).unwrap_err();
    assert_eq!(error.code(), 127, "{error}");
    let launch = rig.decide(json!({"command": ["sleep", "1000"]}));
    let cgroups = Cgroups::detect().expect("cgroups");
    let group = cgroups
        .group(Path::new(&launch.site.cgroup))
        .expect("a name");
    for step in 0..12 {
        let stage = made(&launch);
        std::thread::sleep(Duration::from_millis(step * step));
        drop(stage);
        assert_eq!(group.pids().expect("read"), Vec::<u32>::new());
    }
    // Whoever works no more has no mark of it.
    let lease = Lease::try_take(&lease).expect("a file").expect("free");
    assert!(!lease.is_worked_for().expect("read"));
    rig.namespaces.pid = PidChoice::Joined("/proc/self/ns/pid".into());
    let launch = rig.decide(json!({"command": ["true"]}));
    assert!(copy(&launch).expect("told").is_none());
}

#[test]
fn a_process_is_who_and_what_the_spec_says() {
    let Some(rig) = Rig::new() else { return };
    let script = "id -u; id -g; id -G; umask; pwd; echo $HOME $HOSTNAME $container; ulimit -n";
    let user = json!({"process": {"security": {"runAsUser": 1000}}, "workingDir": "/made/here"});
    let ran = rig.script(script, user);
    assert_eq!(ran.ended, Ended::Code(0), "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        &lines[..6],
        [
            "1000",
            "1000",
            "1000 2000",
            "0022",
            "/made/here",
            "/home/web web podwright"
        ]
    );
    let (_, files) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("limit");
    assert_eq!(lines[6], files.min(1_048_576).to_string());
}

#[test]
fn a_user_other_than_root_can_open_its_own_output() {
    let Some(rig) = Rig::new() else { return };
    let user = json!({"process": {"security": {"runAsUser": 1000}}});
    let ran = rig.script("echo again > /dev/stdout", user);
    assert_eq!(
        (ran.ended, ran.stdout.as_str()),
        (Ended::Code(0), "again\n"),
        "{ran:?}"
    );
}

#[test]
fn the_status_of_a_process_shows_podmans_confinement() {
    let Some(rig) = Rig::new() else { return };
    let show =
        "grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status";
    let status = |fields| -> Vec<String> {
        let ran = rig.script(show, fields);
        let values = ran
            .stdout
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        values.map(str::to_owned).collect()
    };
    // podman 4.3.1 from Debian's packages shows the same for the same options.
    let (none, default) = ("0000000000000000", "00000000800405fb");
    assert_eq!(
        status(json!({})),
        [none, default, default, default, none, "0", "2"]
    );
    let user = json!({"process": {"security": {"runAsUser": 1000}}});
    assert_eq!(status(user), [none, none, none, default, none, "0", "2"]);
    let bind = "0000000000000400";
    let narrow = json!({"privileges": {"allowEscalation": false,
        "dropCapabilities": ["ALL"], "addCapabilities": ["NET_BIND_SERVICE"]}});
    assert_eq!(status(narrow), [none, bind, bind, bind, none, "1", "2"]);
    let unconfined = json!({"process": {"security": {"seccomp": "unconfined"}}});
    assert_eq!(status(unconfined).last().map(String::as_str), Some("0"));
}

#[test]
fn what_tells_of_the_host_is_masked_and_what_changes_it_read_only() {
    let Some(rig) = Rig::new() else { return };
    let script = "head -c 1 /proc/keys; ls /sys/firmware; \
        echo 1 > /proc/sys/kernel/panic; echo $?; mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x/y; echo $?; \
        touch /sys/x; echo $?; touch /ok; echo $?";
    let ran = rig.script(script, json!({}));
    let codes: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(codes, ["1", "1", "1", "0"], "{ran:?}");
    let ran = rig.script(
        "touch /no; echo $?",
        json!({"privileges": {"readOnlyRoot": true}}),
    );
    assert_eq!(ran.stdout, "1\n", "{ran:?}");
}

#[test]
fn volumes_are_mounted_whole_in_part_and_read_only() {
    let Some(mut rig) = Rig::new() else { return };
    let volume = rig.volume("data");
    fs::write(volume.join("file"), "content").unwrap();
    let script = "cat /data/file; echo x > /data/new; echo x > /ro/file; echo $?; \
        pwd; stat -c %a /part; touch /part/inside; cat /single";
    let ran = rig.script(
        script,
        json!({"mounts": [
            {"volume": "data", "path": "/data", "readOnly": false, "propagation": "None"},
            {"volume": "data", "path": "/ro", "readOnly": true, "propagation": "None"},
            {"volume": "data", "path": "/part", "readOnly": false, "propagation": "None",
             "subPath": {"literal": "made/by/us"}},
            {"volume": "data", "path": "/single", "readOnly": true, "propagation": "None",
             "subPath": {"literal": "file"}},
        ]}),
    );
    assert_eq!(ran.stdout, "content1\n/\n750\ncontent", "{ran:?}");
    assert!(volume.join("new").exists());
    assert!(volume.join("made/by/us/inside").exists());
}

#[test]
fn volumes_are_mounted_where_the_images_links_lead_and_never_out_of_its_root() {
    let Some(mut rig) = Rig::new() else { return };
    let volume = rig.volume("data");
    fs::write(volume.join("file"), "content").unwrap();
    let outside = rig.volume("outside");
    let root = rig.layer();
    fs::create_dir_all(root.join("real")).unwrap();
    std::os::unix::fs::symlink("/real", root.join("link")).unwrap();
    let up = format!("../../../../../..{}", outside.display());
    std::os::unix::fs::symlink(up, root.join("up")).unwrap();
    fs::create_dir_all(root.join(outside.strip_prefix("/").unwrap())).unwrap();
    let ran = rig.script(
        "cat /real/file /link/file; cat /up/made/file; ls -d /real/sub/deep",
        json!({"mounts": [
            {"volume": "data", "path": "/link", "readOnly": false, "propagation": "None"},
            {"volume": "data", "path": "/up/made", "readOnly": false, "propagation": "None"},
            {"volume": "outside", "path": "/link/sub/deep", "readOnly": false, "propagation": "None"},
        ]}),
    );
    assert_eq!(
        ran.stdout, "contentcontentcontent/real/sub/deep\n",
        "{ran:?}"
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn volumes_lie_over_what_the_container_has_of_the_kernel() {
    let Some(mut rig) = Rig::new() else { return };
    rig.host_path("cgroups", Path::new("/sys/fs/cgroup"));
    let volume = rig.volume("data");
    fs::write(volume.join("file"), "content").unwrap();
    let mut known = [
        "cgroup.controllers",
        "pids/cgroup.procs",
        "cpu/cgroup.procs",
    ]
    .into_iter();
    let root = Path::new("/sys/fs/cgroup");
    let known = known.find(|file| root.join(file).exists()).unwrap();
    for path in ["/sys/fs/cgroup", "/host"] {
        let script = format!(
            "ls {path}/{known}; cat /sys/kernel/file /dev/own/file; ls -d /dev/mqueue /dev/null"
        );
        let ran = rig.script(
            &script,
            json!({"mounts": [
                {"volume": "cgroups", "path": path, "readOnly": true, "propagation": "None"},
                {"volume": "data", "path": "/sys/kernel", "readOnly": true, "propagation": "None"},
                {"volume": "data", "path": "/dev/own", "readOnly": true, "propagation": "None"},
            ]}),
        );
        let expected = format!("{path}/{known}\ncontentcontent/dev/mqueue\n/dev/null\n");
        assert_eq!(ran.stdout, expected, "{ran:?}");
    }
}

#[test]
fn a_working_directory_by_way_of_an_open_descriptor_is_refused() {
    let Some(rig) = Rig::new() else { return };
    for number in 3..24 {
        let path = format!("/proc/self/fd/{number}");
        let launch = rig.decide(json!({"command": ["pwd"], "workingDir": path}));
        let error = rig.start(&launch).unwrap_err();
        assert_eq!(error.step, Step::WorkingDirectory, "{error}");
    }
}

#[test]
fn a_link_in_the_image_does_not_move_what_the_kernel_shows() {
    let Some(rig) = Rig::new() else { return };
    for path in ["proc", "sys"] {
        let place = rig.layer().join(path);
        let _ = fs::remove_dir(&place);
        std::os::unix::fs::symlink("/etc", &place).unwrap();
        let launch = rig.decide(json!({"command": ["true"]}));
        let error = rig.start(&launch).unwrap_err();
        assert_eq!(error.step, Step::Mounts, "{error}");
        fs::remove_file(&place).unwrap();
    }
}

#[test]
fn one_container_writes_what_another_of_its_pod_may_only_read() {
    let Some(rig) = Rig::new() else { return };
    let options = |privileged: bool| {
        let fields = json!({"privileges": {"privileged": privileged}});
        let ran = rig.script("grep ' /sys sysfs ' /proc/mounts", fields);
        let access = ran
            .stdout
            .split(' ')
            .nth(3)
            .map(|words| words[..2].to_owned());
        access.expect("it is mounted")
    };
    let access = [false, true, false].map(options);
    assert_eq!(access, ["ro", "rw", "ro"]);
}

#[test]
fn a_directory_of_devices_that_is_bound_stays_as_it_is() {
    let Some(mut rig) = Rig::new() else { return };
    let volume = rig.volume("dev");
    fs::write(volume.join("null"), "mine").unwrap();
    let ran = rig.script(
        "cat /dev/null; head -c 1 /proc/keys; echo masked",
        json!({"mounts": [
            {"volume": "dev", "path": "/dev", "readOnly": false, "propagation": "None"}]}),
    );
    assert_eq!(ran.stdout, "minemasked\n", "{ran:?}");
    assert!(!volume.join("zero").exists() && !volume.join("fd").exists());
}

#[test]
fn the_devices_and_links_are_those_of_the_specification() {
    let Some(rig) = Rig::new() else { return };
    let script = "cd /dev; for name in null zero full random urandom tty; do \
        test -c $name && stat -c '%n %t %T %a' $name; done; \
        for name in fd stdin stdout stderr ptmx core; do echo $name $(readlink $name); done";
    let ran = rig.script(script, json!({}));
    // Not every kernel shows its memory.
    let core = match Path::new("/proc/kcore").exists() {
        true => "core /proc/kcore",
        false => "core",
    };
    let expected = format!(
        "null 1 3 666\nzero 1 5 666\nfull 1 7 666\nrandom 1 8 666\nurandom 1 9 666\ntty 5 0 666\n\
         fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2\n\
         ptmx pts/ptmx\n{core}\n"
    );
    assert_eq!(ran.stdout, expected, "{ran:?}");
}

#[test]
fn a_part_of_a_volume_never_leads_out_of_it() {
    let Some(mut rig) = Rig::new() else { return };
    let volume = rig.volume("data");
    std::os::unix::fs::symlink("/etc", volume.join("out")).unwrap();
    let launch = rig.decide(json!({"command": ["true"], "mounts": [
        {"volume": "data", "path": "/x", "readOnly": true, "propagation": "None",
         "subPath": {"literal": "out"}}]}));
    let error = rig.start(&launch).unwrap_err();
    assert_eq!(error.step, Step::Mounts, "{error}");
}

#[test]
fn a_container_sees_its_own_cgroup_and_its_limits() {
    let Some(rig) = Rig::new() else { return };
    let limits = json!({"process": {"limits": {"memory": 33_554_432, "cpu": 500, "pids": 40}}});
    let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes \
        /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us \
        || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max";
    let ran = rig.script(script, limits);
    let numbers: Vec<&str> = ran.stdout.split_whitespace().collect();
    assert_eq!(&numbers[..3], ["33554432", "40", "50000"], "{ran:?}");
}

#[test]
fn nothing_is_mounted_on_the_host_while_a_container_runs() {
    let Some(rig) = Rig::new() else { return };
    let launch = rig.decide(json!({"command": ["sleep", "30"]}));
    let running = rig.start(&launch).unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let rootfs = rig.bundle().join("rootfs");
    assert!(!mounts.contains(rootfs.to_str().unwrap()), "{mounts}");
    assert!(!rootfs.join("bin").exists());
    assert!(Path::new(&format!("/proc/{}/root/bin/busybox", running.pid)).exists());
    assert_eq!(running.kill().ended, Ended::Signal(9));
}

#[test]
fn containers_share_the_pid_namespace_of_an_init_that_reaps() {
    let Some(infra_rig) = Rig::new() else { return };
    let Some(mut rig) = Rig::new() else { return };
    let infra = infra_rig.start(&infra_rig.decide_infra()).unwrap();
    let pin = infra_rig.path().join("pid");
    fs::write(&pin, "").unwrap();
    let namespace = fs::File::open(format!("/proc/{}/ns/pid", infra.pid)).unwrap();
    podwright::sys::tree::pin(namespace.as_fd(), &pin).unwrap();
    rig.namespaces.pid = PidChoice::Joined(pin.clone());
    let script = "cat /proc/1/comm; grep -E '^(Uid|CapBnd|Seccomp|NoNewPrivs):' /proc/1/status; \
        ls /proc/1/root/ >/dev/null 2>&1; echo $?; \
        (sleep 0.1 &); cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null | grep -q .; echo $?; sleep 0.5; ps -o stat,comm | grep Z";
    let ran = rig.script(script, json!({}));
    let _ = podwright::sys::namespace::unpin(&pin);
    assert_eq!(
        ran.stdout,
        "podwright-infra\nUid:\t65534\t65534\t65534\t65534\nCapBnd:\t0000000000000000\n\
         NoNewPrivs:\t1\nSeccomp:\t2\n1\n0\n",
        "{ran:?}"
    );
    infra.process.send_signal(15).unwrap();
    assert_eq!(infra.finish().ended, Ended::Code(0));
}

#[test]
fn a_bidirectional_mount_shows_the_host_what_the_container_mounts() {
    use podwright::sys::mount::{
        Depth, MsFlags, Propagation, mount_tmpfs, set_propagation, unmount,
    };
    let Some(mut rig) = Rig::new() else { return };
    let volume = rig.volume("data");
    mount_tmpfs(&volume, 0o755, Some(1 << 20), MsFlags::empty()).unwrap();
    set_propagation(&volume, Propagation::Shared, Depth::One).unwrap();
    let ran = rig.script(
        "mkdir /data/inner && mount -t tmpfs none /data/inner && touch /data/inner/seen; echo $?",
        json!({"privileges": {"privileged": true}, "mounts": [
            {"volume": "data", "path": "/data", "readOnly": false, "propagation": "Bidirectional"}]}),
    );
    let seen = volume.join("inner/seen").exists();
    unmount(&volume).unwrap();
    assert_eq!(ran.stdout, "0\n", "{ran:?}");
    assert!(seen);
}

#[test]
fn a_terminal_is_the_containers_own() {
    let Some(rig) = Rig::new() else { return };
    let launch = rig.decide(json!({
        "command": ["sh", "-c", "tty; test -t 0 && test -t 2 && ls /dev/console; read x; echo got $x"],
        "terminal": {"tty": true, "stdin": true, "stdinOnce": false},
    }));
    let mut running = rig.start(&launch).unwrap();
    let mut master = fs::File::from(running.terminal.take().expect("a terminal"));
    master.write_all(b"word\n").unwrap();
    let mut text = Vec::new();
    // At the end of a terminal there is EIO.
    let _ = master.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).replace('\r', "");
    assert_eq!(running.finish().ended, Ended::Code(0));
    let mut lines: Vec<&str> = text.lines().filter(|line| *line != "word").collect();
    lines.dedup();
    assert_eq!(lines, ["/dev/pts/0", "/dev/console", "got word"], "{text}");
}

#[test]
fn a_program_ignores_no_signal_that_it_did_not_ask_to_ignore() {
    let Some(rig) = Rig::new() else { return };
    let ran = rig.run(json!({"command": ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"]}));
    assert_eq!(signal_masks(&ran.stdout), [0, 0], "{ran:?}");
}
