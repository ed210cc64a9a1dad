//! Cgroups on this kernel.

use std::io::{BufReader, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layout::Layout;
use super::limits::weight_of;
use super::*;

use std::process::{Command, Stdio};

const PATIENCE: Duration = Duration::from_secs(5);

/// Returns this host's hierarchies, and on a hybrid host those of version 2 alone as well: it
/// lacks the controllers there, not the processes.
fn layouts() -> Vec<Cgroups> {
    let host = Cgroups::detect().expect("cgroups");
    let unified = host.mounts();
    let unified = unified.filter(|mount| mount.join("cgroup.subtree_control").exists());
    let mut layouts: Vec<Cgroups> = unified
        .map(|mount| Cgroups {
            layout: Layout::V2(mount.to_owned()),
        })
        .collect();
    if !layouts.contains(host) {
        layouts.push(host.clone());
    }
    layouts
}

/// Runs a test on a cgroup of its own in each layout, which is gone afterwards.
fn with_group(name: &str, test: impl Fn(&Cgroups, &Cgroup<'_>)) {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: lacks root");
        return;
    }
    for cgroups in layouts() {
        with_group_of(&cgroups, name, &test);
    }
}

fn with_group_of(cgroups: &Cgroups, name: &str, test: impl Fn(&Cgroups, &Cgroup<'_>)) {
    let path = format!("/pw-test-{}-{name}", std::process::id());
    let group = cgroups.group(Path::new(&path)).expect("path");
    if let Err(error) = group.create() {
        eprintln!("skipped: lacks writable cgroups ({error})");
        return;
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        test(cgroups, &group);
    }));
    group.kill(PATIENCE).expect("killed");
    group.remove(PATIENCE).expect("removed");
    assert!(!group.exists());
    group.remove(PATIENCE).expect("a second time is no error");
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

fn shell(script: &str) -> std::process::Child {
    Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh")
}

#[test]
fn the_layout_is_read_from_the_mounts() {
    let hybrid = "30 20 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
         31 20 0:2 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
         32 20 0:2 / /again rw - cgroup cgroup rw,memory\n\
         33 20 0:3 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
         34 20 0:4 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let find = |table: &str, all| Cgroups::from_mountinfo(table.as_bytes(), all).expect("read");
    let found = find(hybrid, usize::MAX).expect("found");
    assert_eq!(found.version(), CgroupVersion::V1);
    assert_eq!(found.mounts().count(), 4);
    let cpu = Some(Path::new("/sys/fs/cgroup/cpu"));
    assert_eq!(found.hierarchy("cpuacct"), cpu);
    assert_eq!(found.hierarchy("pids"), None);

    let unified = "34 20 0:4 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    let found = find(unified, usize::MAX).expect("found");
    assert_eq!(found.version(), CgroupVersion::V2);
    assert_eq!(find("1 2 0:1 / / rw - ext4 /dev/vda rw\n", 1), None);
}

#[test]
fn a_long_table_of_mounts_is_read_to_the_last_hierarchy() {
    let last = "34 20 0:4 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let rest = Cursor::new("35 20 0:5 / /elsewhere rw - ext4 /dev/vda rw\n".repeat(100));
    let mut table = BufReader::new(Cursor::new(last).chain(rest));
    let found = Cgroups::from_mountinfo(&mut table, 1).expect("read");
    assert_eq!(found.expect("found").version(), CgroupVersion::V2);
    let mut left = String::new();
    table.read_to_string(&mut left).expect("text");
    assert_eq!(left.lines().count(), 100);
}

#[test]
fn a_path_never_leaves_the_hierarchy() {
    let cgroups = Cgroups {
        layout: Layout::V2(PathBuf::from("/sys/fs/cgroup")),
    };
    for path in ["", "/", "a", "/../a", "/a/../..", "/a/.."] {
        assert!(cgroups.group(Path::new(path)).is_err(), "{path}");
    }
    cgroups.group(Path::new("/a/b")).expect("good");
}

#[test]
fn shares_become_weights_as_the_kubelet_does_it() {
    for (shares, weight) in [(0, 1), (2, 1), (1024, 39), (262_144, 10_000)] {
        assert_eq!(weight_of(shares), weight);
    }
}

#[test]
fn limits_are_what_was_asked_for_growing_and_shrinking() {
    with_group("limits", |cgroups, group| {
        let mebibyte = 1 << 20;
        for memory in [64 * mebibyte, 128 * mebibyte, 32 * mebibyte] {
            let limits = CgroupLimits {
                memory: Some(memory),
                swap: Some(0),
                pids: Some(7),
                cpu: Some(CpuQuota {
                    quota: Duration::from_millis(50),
                    period: Duration::from_millis(100),
                }),
                cpu_shares: Some(512),
            };
            match group.limit(&limits) {
                Err(CgroupError::NoController { controller, .. }) => {
                    eprintln!("skipped: lacks the controller {controller}");
                    return;
                }
                other => other.expect("limited"),
            }
            let (file, pids) = match cgroups.version() {
                CgroupVersion::V1 => ("memory.limit_in_bytes", "pids.max"),
                CgroupVersion::V2 => ("memory.max", "pids.max"),
            };
            let value = |controller: &str, file: &str| {
                let mount = cgroups.hierarchy(controller).expect("controller");
                read_number(&mount.join(&group.path).join(file))
            };
            assert_eq!(value("memory", file), Some(memory));
            assert_eq!(value("pids", pids), Some(7));
        }
    });
}

#[test]
fn a_cgroup_below_one_that_is_just_being_made_takes_processes() {
    with_group("raw", |cgroups, group| {
        // Somebody else has made the directory and has not come to its cpuset yet.
        for dir in group.dirs() {
            fs::create_dir(dir.join("raw")).unwrap();
        }
        let path = Path::new("/").join(&group.path).join("raw/below");
        let below = cgroups.group(&path).unwrap();
        below.create().unwrap();
        let mut child = shell("exec sleep 1000");
        below.add(child.id()).unwrap();
        assert_eq!(below.pids().unwrap(), [child.id()]);
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn processes_are_listed_and_all_killed_with_those_below() {
    with_group("kill", |cgroups, group| {
        let below = Path::new("/").join(&group.path).join("below");
        let below = cgroups.group(&below).expect("path");
        below.create().expect("made");
        // Forks as long as it lives; it starts when it is in the cgroup.
        let mut child = shell("read go; while :; do sleep 100 & sleep 0.01; done");
        below.add(child.id()).expect("moved");
        drop(child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while group.pids().expect("pids").len() < 4 {
            assert!(Instant::now() < deadline, "it forks");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(group.pids().expect("pids").contains(&child.id()));
        assert!(group.remove(Duration::ZERO).is_err(), "in use");
        let reaper = std::thread::spawn(move || child.wait().expect("status"));
        group.kill(PATIENCE).expect("killed");
        assert!(group.pids().expect("pids").is_empty());
        let status = reaper.join().expect("reaped");
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    });
}

#[test]
fn what_is_frozen_does_nothing_until_it_is_thawed_or_killed() {
    with_group("freeze", |_, group| {
        let mut child = shell("read go; while :; do :; done");
        group.add(child.id()).expect("moved");
        if let Err(error) = group.freeze(PATIENCE) {
            eprintln!("skipped: lacks a freezer ({error})");
            child.kill().expect("killed");
            child.wait().expect("reaped");
            return;
        }
        drop(child.stdin.take());
        let used = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("stat");
            stat.split(' ').nth(13).expect("utime").to_owned()
        };
        let before = used();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(used(), before);
        group.thaw().expect("thawed");
        let deadline = Instant::now() + PATIENCE;
        while used() == before {
            assert!(Instant::now() < deadline, "it runs");
            std::thread::sleep(Duration::from_millis(5));
        }
        group.freeze(PATIENCE).expect("frozen again");
        let reaper = std::thread::spawn(move || child.wait().expect("status"));
        group.kill(PATIENCE).expect("killed");
        reaper.join().expect("reaped");
        let mut next = shell("read go");
        group.add(next.id()).expect("moved");
        drop(next.stdin.take());
        next.wait().expect("the next one is not frozen");
    });
}

#[test]
fn a_process_that_uses_up_its_memory_is_counted() {
    with_group("oom", |_, group| {
        let limits = CgroupLimits {
            memory: Some(16 << 20),
            swap: Some(0),
            ..CgroupLimits::default()
        };
        if let Err(error) = group.limit(&limits) {
            eprintln!("skipped: lacks a memory controller ({error})");
            return;
        }
        let mut child = shell("read go; exec head -c 200000000 /dev/zero | tail");
        group.add(child.id()).expect("moved");
        drop(child.stdin.take());
        let status = child.wait().expect("status");
        assert!(!status.success(), "{status}");
        let usage = group.usage().expect("usage");
        assert!(usage.oom_kills >= 1, "{usage:?}");
        assert!(usage.cpu > Duration::ZERO, "{usage:?}");
    });
}
