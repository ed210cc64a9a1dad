//! CPU time of everything in a cgroup, on version 1 and 2.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Returns where the cgroup of this name counts CPU time.
fn directory(name: &str) -> PathBuf {
    let version1 = Path::new("/sys/fs/cgroup/cpuacct");
    match version1.exists() {
        true => version1.join(name),
        false => Path::new("/sys/fs/cgroup").join(name),
    }
}

/// Makes a cgroup and moves this process into it, and with it whatever it starts from now on.
pub(crate) fn enter(name: &str) {
    let directory = directory(name);
    fs::create_dir_all(&directory).expect("the bench runs as root");
    let pid = std::process::id().to_string();
    fs::write(directory.join("cgroup.procs"), pid).expect("a cgroup takes its maker");
}

/// Returns the CPU time used below a cgroup, by the dead as well; one that is missing has used none.
pub(crate) fn cpu(name: &str) -> Duration {
    let directory = directory(name);
    if let Ok(text) = fs::read_to_string(directory.join("cpuacct.usage")) {
        return Duration::from_nanos(text.trim().parse().unwrap_or(0));
    }
    let text = fs::read_to_string(directory.join("cpu.stat")).unwrap_or_default();
    let usage = text
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "));
    Duration::from_micros(usage.and_then(|usage| usage.parse().ok()).unwrap_or(0))
}

/// Returns the processes in a cgroup.
pub(crate) fn processes(name: &str) -> Vec<u32> {
    let text = fs::read_to_string(directory(name).join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}
