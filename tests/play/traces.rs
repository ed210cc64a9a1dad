//! Everything a pod can leave behind on a host, as lines to compare.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::host::Host;

/// What there is, one line each.
pub(crate) type Traces = BTreeSet<String>;

/// Lists records, processes, mounts, cgroups, links, rules and files of the host.
pub(crate) fn of(host: &Host) -> Traces {
    let mut traces = Traces::new();
    records(host, &mut traces);
    for pid in processes(host) {
        let command = command_line(pid);
        // The keeper belongs to the installation and goes when it has had nothing to keep for a while.
        if !command.contains("stage-keep") {
            traces.insert(format!("process {command}"));
        }
    }
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let dir = host.dir().to_string_lossy().into_owned();
    for line in mountinfo.lines() {
        let point = line.split(' ').nth(4).unwrap_or_default();
        if point.starts_with(&dir) {
            traces.insert(format!("mount {point}"));
        }
    }
    for cgroup in cgroups(host.cgroup_parent()) {
        traces.insert(format!("cgroup {}", cgroup.display()));
    }
    for link in host.links() {
        traces.insert(format!("link {link}"));
    }
    let rules = host.run_in(|| {
        let output = Command::new("/usr/sbin/nft")
            .args(["list", "ruleset"])
            .output();
        String::from_utf8_lossy(&output.expect("nft").stdout).into_owned()
    });
    traces.extend(rules.lines().map(|line| format!("rule {line}")));
    files(host.dir(), &mut traces);
    traces
}

fn records(host: &Host, traces: &mut Traces) {
    let observed = host.observed();
    for pod in &observed.pods {
        traces.insert(format!("pod {}", pod.record.spec.name));
        for container in &pod.containers {
            traces.insert(format!(
                "container {}: {:?}",
                container.name, container.state
            ));
        }
    }
    for volume in &observed.volumes {
        traces.insert(format!("volume {}", volume.spec.name));
    }
    for object in &observed.objects {
        traces.insert(format!(
            "{} {}: {:?}",
            object.content.kind(),
            object.name,
            object.content
        ));
    }
}

/// Finds the processes of the host's pods: containers and supervisors.
pub(crate) fn processes(host: &Host) -> Vec<i32> {
    let mut pids = BTreeSet::new();
    for cgroup in cgroups(host.cgroup_parent()) {
        let listed = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
        pids.extend(listed.lines().filter_map(|line| line.parse::<i32>().ok()));
    }
    pids.into_iter().collect()
}

/// Finds the cgroups of an installation, the lowest first; the one of the supervisors stays.
pub(crate) fn cgroups(parent: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let controllers = std::fs::read_dir("/sys/fs/cgroup").expect("cgroups");
    let roots = controllers.map(|entry| entry.expect("controller").path());
    for root in roots.chain([PathBuf::from("/sys/fs/cgroup")]) {
        collect(&root.join(parent.trim_start_matches('/')), &mut found);
    }
    found
}

fn collect(cgroup: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(cgroup) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), found);
        }
    }
    found.push(cgroup.to_owned());
}

pub(crate) fn command_line(pid: i32) -> String {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ")
}

/// The database's own files, images, compiled filters, directories that stay when they are empty, and what a test itself writes.
const IGNORED: &[&str] = &[
    "db.sqlite-wal",
    "db.sqlite-shm",
    "images",
    "filters",
    "files",
    "keeper",
    "lease-keeper",
];

/// Directories that are made when they are first needed, and stay.
const MADE_ONCE: &[&str] = &["secrets", "volumes"];

/// Lists files, without those that any use of an installation changes or makes.
fn files(directory: &Path, traces: &mut Traces) {
    for entry in std::fs::read_dir(directory).expect("directory") {
        let entry = entry.expect("entry");
        let path = entry.path();
        let kind = entry.file_type().expect("kind");
        let name = entry.file_name();
        if IGNORED.iter().any(|known| name == *known) {
            continue;
        }
        if !MADE_ONCE.iter().any(|known| name == *known) {
            traces.insert(format!("file {}", path.display()));
        }
        if kind.is_dir() {
            files(&path, traces);
        }
    }
}
