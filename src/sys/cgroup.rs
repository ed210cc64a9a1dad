//! Cgroups of both versions: made, limited, read, killed, removed.
//!
//! A cgroup is named by its absolute path in the hierarchy, such as `/a/b`. On version 2 there is
//! one hierarchy; on version 1 (also the "hybrid" layout) there is one for each controller, and
//! the cgroup is a directory of the same path in each of them (`cgroups(7)`).
//!
//! On version 2 a controller works in a cgroup only if all cgroups above enable it for their
//! children, and a cgroup that does so may not hold processes itself: put processes in leaves.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PROCS: &str = "cgroup.procs";

/// What went wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// No cgroup file system is mounted.
    #[error("no cgroup file system is mounted: neither version 2 nor version 1")]
    NotMounted,
    /// The path is no absolute path of plain names.
    #[error("`{}` is not a cgroup's path", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The kernel or the cgroup above does not have the controller that a limit needs.
    #[error("the cgroup controller `{controller}` is not available for `{}`", path.display())]
    NoController {
        /// The controller.
        controller: &'static str,
        /// The cgroup.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("{action} `{}`", path.display())]
    Refused {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Processes did not end, or new ones came faster than the old ones were killed.
    #[error("processes in the cgroup `{}` do not end", path.display())]
    StillAlive {
        /// The cgroup.
        path: PathBuf,
    },
}

fn refused(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    move |source| CgroupError::Refused {
        action,
        path: path.to_owned(),
        source,
    }
}

/// A cgroup hierarchy of version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    controllers: Vec<String>,
    mount: PathBuf,
}

/// The cgroup hierarchies of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups {
    layout: Layout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Layout {
    V1(Vec<Hierarchy>),
    V2(PathBuf),
}

/// The version of the cgroup interface that has the controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// One hierarchy a controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// What the processes of a cgroup may use together; what is absent is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CgroupLimits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of swap beyond the memory.
    pub swap: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Processor time.
    pub cpu: Option<CpuQuota>,
    /// Share of the processor time in proportion to others, as version 1 counts it: 1024 is one
    /// processor's.
    pub cpu_shares: Option<u64>,
}

/// Processor time allowed in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuQuota {
    /// The time.
    pub quota: Duration,
    /// The period.
    pub period: Duration,
}

/// What the processes of a cgroup use or have used together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CgroupUsage {
    /// Bytes of memory, with the page cache.
    pub memory: u64,
    /// Bytes of it that are page cache not used lately; the kubelet's working set is the rest.
    pub inactive_file: u64,
    /// Processor time since the cgroup was made.
    pub cpu: Duration,
    /// Processes and threads.
    pub pids: u64,
    /// Processes killed because the memory was used up.
    pub oom_kills: u64,
}

impl Cgroups {
    /// Finds the hierarchies among the mounts of this process.
    ///
    /// # Errors
    /// There are none.
    pub fn detect() -> Result<Self, CgroupError> {
        let path = Path::new("/proc/self/mountinfo");
        let mounts = fs::read_to_string(path).map_err(refused("reading", path))?;
        Self::from_mountinfo(&mounts).ok_or(CgroupError::NotMounted)
    }

    fn from_mountinfo(text: &str) -> Option<Self> {
        let mut unified = None;
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for line in text.lines() {
            let Some((front, back)) = line.split_once(" - ") else {
                continue;
            };
            let mount = front.split(' ').nth(4).map(unescape)?;
            let mut back = back.split(' ');
            let (kind, options) = (back.next(), back.nth(1).unwrap_or_default());
            match kind {
                Some("cgroup2") => unified = unified.or(Some(mount)),
                Some("cgroup") => {
                    let controllers: Vec<String> = options
                        .split(',')
                        .filter(|option| !FLAGS.contains(option))
                        .map(str::to_owned)
                        .collect();
                    // The same hierarchy mounted a second time adds nothing.
                    if !hierarchies.iter().any(|h| h.controllers == controllers) {
                        hierarchies.push(Hierarchy { controllers, mount });
                    }
                }
                _ => {}
            }
        }
        const FLAGS: [&str; 6] = ["rw", "ro", "xattr", "clone_children", "noprefix", "none"];
        let has_memory = |h: &Hierarchy| h.controllers.iter().any(|name| name == "memory");
        let layout = match unified {
            Some(mount) if !hierarchies.iter().any(has_memory) => Layout::V2(mount),
            _ if hierarchies.is_empty() => return None,
            unified => {
                // Beside version 1 it has no controllers, but systemd follows processes by it.
                hierarchies.extend(unified.map(|mount| Hierarchy {
                    controllers: Vec::new(),
                    mount,
                }));
                Layout::V1(hierarchies)
            }
        };
        Some(Self { layout })
    }

    /// Returns the version.
    #[must_use]
    pub fn version(&self) -> CgroupVersion {
        match self.layout {
            Layout::V1(_) => CgroupVersion::V1,
            Layout::V2(_) => CgroupVersion::V2,
        }
    }

    /// Names a cgroup, which need not exist.
    ///
    /// # Errors
    /// The path is not absolute, is the root, or has `.` or `..` in it.
    pub fn group(&self, path: &Path) -> Result<Cgroup<'_>, CgroupError> {
        let relative = path.strip_prefix("/").ok().filter(|relative| {
            let mut parts = relative.components();
            relative.components().next().is_some()
                && parts.all(|part| matches!(part, Component::Normal(_)))
        });
        match relative {
            Some(relative) => Ok(Cgroup {
                cgroups: self,
                path: relative.to_owned(),
            }),
            None => Err(CgroupError::Path {
                path: path.to_owned(),
            }),
        }
    }

    fn mounts(&self) -> Vec<&Path> {
        match &self.layout {
            Layout::V1(hierarchies) => hierarchies.iter().map(|h| h.mount.as_path()).collect(),
            Layout::V2(mount) => vec![mount],
        }
    }

    fn hierarchy(&self, controller: &str) -> Option<&Path> {
        match &self.layout {
            Layout::V1(hierarchies) => hierarchies
                .iter()
                .find(|h| h.controllers.iter().any(|name| name == controller))
                .map(|h| h.mount.as_path()),
            Layout::V2(mount) => Some(mount),
        }
    }
}

/// Undoes the octal escapes of `/proc/self/mountinfo`.
fn unescape(text: &str) -> PathBuf {
    PathBuf::from(text.replace("\\040", " ").replace("\\011", "\t"))
}

/// A cgroup of this host, named by its path.
#[derive(Debug, Clone)]
pub struct Cgroup<'a> {
    cgroups: &'a Cgroups,
    path: PathBuf,
}

impl Cgroup<'_> {
    /// Makes the cgroup and those above it, and on version 2 enables the controllers for it; one
    /// that exists is kept.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn create(&self) -> Result<(), CgroupError> {
        for mount in self.cgroups.mounts() {
            let mut dir = mount.to_owned();
            for part in &self.path {
                if self.cgroups.version() == CgroupVersion::V2 {
                    enable_controllers(&dir)?;
                }
                let parent = dir.clone();
                dir.push(part);
                match fs::create_dir(&dir) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    other => other.map_err(refused("making the cgroup", &dir))?,
                }
                inherit_cpuset(&parent, &dir)?;
            }
        }
        Ok(())
    }

    /// Tells whether the cgroup exists in any hierarchy.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.dirs().iter().any(|dir| dir.is_dir())
    }

    /// Sets the limits given; others stay as they are.
    ///
    /// # Errors
    /// A controller is missing, or the kernel refuses a value.
    pub fn limit(&self, limits: &CgroupLimits) -> Result<(), CgroupError> {
        if let Some(memory) = limits.memory {
            self.limit_memory(memory, limits.swap)?;
        }
        if let Some(pids) = limits.pids {
            self.write("pids", "pids.max", &pids.to_string())?;
        }
        if let Some(cpu) = limits.cpu {
            self.limit_cpu(cpu)?;
        }
        match (limits.cpu_shares, self.cgroups.version()) {
            (None, _) => Ok(()),
            (Some(shares), CgroupVersion::V1) => {
                self.write("cpu", "cpu.shares", &shares.to_string())
            }
            (Some(shares), CgroupVersion::V2) => {
                self.write("cpu", "cpu.weight", &weight_of(shares).to_string())
            }
        }
    }

    fn limit_memory(&self, memory: u64, swap: Option<u64>) -> Result<(), CgroupError> {
        if self.cgroups.version() == CgroupVersion::V2 {
            self.write("memory", "memory.max", &memory.to_string())?;
            return match swap {
                Some(swap) => self.write_if_present("memory", "memory.swap.max", swap),
                None => Ok(()),
            };
        }
        // The limit of memory and swap together may never be below that of memory alone: which of
        // the two can be written first depends on whether they grow or shrink.
        const MEMORY: &str = "memory.limit_in_bytes";
        const BOTH: &str = "memory.memsw.limit_in_bytes";
        let both = swap.map(|swap| memory.saturating_add(swap));
        let grows = self.write("memory", MEMORY, &memory.to_string());
        if let Some(both) = both {
            self.write_if_present("memory", BOTH, both)?;
        }
        match grows {
            Err(_) if both.is_some() => self.write("memory", MEMORY, &memory.to_string()),
            other => other,
        }
    }

    fn limit_cpu(&self, cpu: CpuQuota) -> Result<(), CgroupError> {
        let (quota, period) = (cpu.quota.as_micros(), cpu.period.as_micros());
        match self.cgroups.version() {
            CgroupVersion::V2 => self.write("cpu", "cpu.max", &format!("{quota} {period}")),
            CgroupVersion::V1 => {
                self.write("cpu", "cpu.cfs_period_us", &period.to_string())?;
                self.write("cpu", "cpu.cfs_quota_us", &quota.to_string())
            }
        }
    }

    /// Moves a process with all its threads into the cgroup.
    ///
    /// # Errors
    /// The process or the cgroup is gone, or on version 2 the cgroup has children.
    pub fn add(&self, pid: u32) -> Result<(), CgroupError> {
        for dir in self.dirs() {
            write(&dir.join(PROCS), &pid.to_string())?;
        }
        Ok(())
    }

    /// Lists the processes in the cgroup and below it; none if it does not exist.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn pids(&self) -> Result<Vec<u32>, CgroupError> {
        // On version 1 a process may have been moved away in some of the hierarchies.
        let mut pids = Vec::new();
        for dir in self.dirs() {
            for dir in tree(&dir)? {
                let path = dir.join(PROCS);
                let text = match fs::read_to_string(&path) {
                    Err(error) if is_gone(&error) => continue,
                    other => other.map_err(refused("reading", &path))?,
                };
                pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
            }
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Kills all processes in the cgroup and below it, also those that fork while it happens, and
    /// waits for their end no longer than this.
    ///
    /// # Errors
    /// Processes still live after that time.
    pub fn kill(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        if !self.kill_by_kernel()? {
            self.set_frozen(true);
            for pid in self.pids()? {
                signal_kill(pid);
            }
            self.set_frozen(false);
        }
        let mut pause = Duration::from_micros(200);
        loop {
            let pids = self.pids()?;
            if pids.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(CgroupError::StillAlive {
                    path: Path::new("/").join(&self.path),
                });
            }
            for pid in pids {
                signal_kill(pid);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Kills by `cgroup.kill` and says whether the kernel has it (Linux 5.14, version 2).
    fn kill_by_kernel(&self) -> Result<bool, CgroupError> {
        let Layout::V2(mount) = &self.cgroups.layout else {
            return Ok(false);
        };
        let path = mount.join(&self.path).join("cgroup.kill");
        match fs::write(&path, "1") {
            Ok(()) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(source) => Err(refused("writing", &path)(source)),
        }
    }

    /// Freezes or thaws the processes, so that none forks while they are counted. Where that is
    /// not possible, they are killed again until none is left.
    fn set_frozen(&self, frozen: bool) {
        let (file, value) = match (self.cgroups.version(), frozen) {
            (CgroupVersion::V1, true) => ("freezer.state", "FROZEN"),
            (CgroupVersion::V1, false) => ("freezer.state", "THAWED"),
            (CgroupVersion::V2, true) => ("cgroup.freeze", "1"),
            (CgroupVersion::V2, false) => ("cgroup.freeze", "0"),
        };
        let Some(mount) = self.cgroups.hierarchy("freezer") else {
            return;
        };
        let path = mount.join(&self.path).join(file);
        // A process that waits for a device keeps its cgroup in the state FREEZING.
        for _ in 0..20 {
            if fs::write(&path, value).is_err() || !frozen || self.is_frozen(mount) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_frozen(&self, mount: &Path) -> bool {
        let dir = mount.join(&self.path);
        match self.cgroups.version() {
            CgroupVersion::V1 => fs::read_to_string(dir.join("freezer.state"))
                .is_ok_and(|state| state.trim() == "FROZEN"),
            CgroupVersion::V2 => read_key(&dir.join("cgroup.events"), "frozen") == Some(1),
        }
    }

    /// Reads what the processes use; what a missing controller would tell is 0.
    ///
    /// # Errors
    /// The cgroup does not exist.
    pub fn usage(&self) -> Result<CgroupUsage, CgroupError> {
        if !self.exists() {
            let path = Path::new("/").join(&self.path);
            return Err(refused("reading the cgroup", &path)(Errno::ENOENT.into()));
        }
        let file = |controller: &str, file: &str| {
            let mount = self
                .cgroups
                .hierarchy(controller)
                .unwrap_or(Path::new("/nowhere"));
            mount.join(&self.path).join(file)
        };
        let number = |controller, name| read_number(&file(controller, name)).unwrap_or(0);
        let key = |controller, name, key| read_key(&file(controller, name), key).unwrap_or(0);
        Ok(match self.cgroups.version() {
            CgroupVersion::V1 => CgroupUsage {
                memory: number("memory", "memory.usage_in_bytes"),
                inactive_file: key("memory", "memory.stat", "total_inactive_file"),
                cpu: Duration::from_nanos(number("cpuacct", "cpuacct.usage")),
                pids: number("pids", "pids.current"),
                oom_kills: self.oom_kills_below()?,
            },
            CgroupVersion::V2 => CgroupUsage {
                memory: number("memory", "memory.current"),
                inactive_file: key("memory", "memory.stat", "inactive_file"),
                cpu: Duration::from_micros(key("cpu", "cpu.stat", "usage_usec")),
                pids: number("pids", "pids.current"),
                oom_kills: key("memory", "memory.events", "oom_kill"),
            },
        })
    }

    /// Counts the processes killed for want of memory here and below: version 1 counts them only
    /// in the cgroup that the process was in.
    fn oom_kills_below(&self) -> Result<u64, CgroupError> {
        let Some(mount) = self.cgroups.hierarchy("memory") else {
            return Ok(0);
        };
        let dirs = tree(&mount.join(&self.path))?;
        Ok(dirs
            .iter()
            .filter_map(|dir| read_key(&dir.join("memory.oom_control"), "oom_kill"))
            .sum())
    }

    /// Removes the cgroup and those below it; one that does not exist is no error.
    ///
    /// The kernel keeps a cgroup busy for a moment after its last process has ended, so this tries
    /// again for as long as given.
    ///
    /// # Errors
    /// There are still processes in it.
    pub fn remove(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        for dir in self.dirs() {
            for dir in tree(&dir)?.iter().rev() {
                remove_dir(dir, deadline)?;
            }
        }
        Ok(())
    }

    fn dirs(&self) -> Vec<PathBuf> {
        let mounts = self.cgroups.mounts();
        mounts.iter().map(|mount| mount.join(&self.path)).collect()
    }

    fn write(&self, controller: &'static str, file: &str, value: &str) -> Result<(), CgroupError> {
        let missing = || CgroupError::NoController {
            controller,
            path: Path::new("/").join(&self.path),
        };
        let mount = self.cgroups.hierarchy(controller).ok_or_else(missing)?;
        let dir = mount.join(&self.path);
        let path = dir.join(file);
        if dir.is_dir() && !path.exists() {
            return Err(missing());
        }
        write(&path, value)
    }

    /// Writes a value where the kernel was built with what it is about (swap accounting).
    fn write_if_present(
        &self,
        controller: &'static str,
        file: &str,
        value: u64,
    ) -> Result<(), CgroupError> {
        match self.write(controller, file, &value.to_string()) {
            Err(CgroupError::NoController { .. }) => Ok(()),
            other => other,
        }
    }
}

/// Enables in a cgroup of version 2 those controllers for its children that it has itself.
fn enable_controllers(dir: &Path) -> Result<(), CgroupError> {
    const WANTED: [&str; 6] = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];
    let read = |file: &str| {
        let path = dir.join(file);
        fs::read_to_string(&path).map_err(refused("reading", &path))
    };
    let (available, enabled) = (read("cgroup.controllers")?, read("cgroup.subtree_control")?);
    let has = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    for name in WANTED {
        if has(&available, name) && !has(&enabled, name) {
            let path = dir.join("cgroup.subtree_control");
            match fs::write(&path, format!("+{name}")) {
                // Real-time processes keep the cpu controller off, processes in the cgroup itself
                // all of them; a limit that needs it will say that it is missing.
                Err(error) if is_refusal(&error) => {}
                other => other.map_err(refused("writing", &path))?,
            }
        }
    }
    Ok(())
}

fn is_refusal(error: &io::Error) -> bool {
    [Errno::EBUSY, Errno::EINVAL, Errno::EOPNOTSUPP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

/// Gives a new cpuset of version 1 its parent's processors and memory nodes: an empty one takes
/// no process. In other hierarchies there are no such files.
fn inherit_cpuset(parent: &Path, dir: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (parent.join(file), dir.join(file));
        let empty = fs::read_to_string(&to).is_ok_and(|value| value.trim().is_empty());
        // On version 2 an empty cpuset means the parent's.
        if empty && parent.join("cpuset.sched_load_balance").exists() {
            let value = fs::read_to_string(&from).map_err(refused("reading", &from))?;
            write(&to, value.trim())?;
        }
    }
    Ok(())
}

/// Converts version 1's shares to version 2's weight as the kubelet does (KEP-2254).
fn weight_of(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + (shares - 2) * 9999 / 262_142
}

/// Returns a cgroup's directory and all below it, parents first.
fn tree(dir: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let mut found = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(dir) = found.get(next).cloned() {
        next += 1;
        let entries = match fs::read_dir(&dir) {
            Err(error) if is_gone(&error) => continue,
            other => other.map_err(refused("reading", &dir))?,
        };
        let entries = entries.flatten();
        let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(dirs.map(|entry| entry.path()));
    }
    Ok(found)
}

fn remove_dir(dir: &Path, deadline: Instant) -> Result<(), CgroupError> {
    let mut pause = Duration::from_micros(500);
    loop {
        match fs::remove_dir(dir) {
            Ok(()) => return Ok(()),
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error)
                if error.raw_os_error() == Some(Errno::EBUSY as i32)
                    && Instant::now() < deadline => {}
            Err(source) => return Err(refused("removing the cgroup", dir)(source)),
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Tells whether the cgroup was removed: also an open file of it answers so.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENODEV as i32)
}

fn signal_kill(pid: u32) {
    // One that has ended since is what was wanted.
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    fs::write(path, value).map_err(refused("writing", path))
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Reads one value of a file of `key value` lines.
fn read_key(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const PATIENCE: Duration = Duration::from_secs(5);

    /// Runs a test on a cgroup of its own, which is gone afterwards.
    fn with_group(name: &str, test: impl FnOnce(&Cgroups, &Cgroup<'_>)) {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: lacks root");
            return;
        }
        let cgroups = Cgroups::detect().expect("cgroups");
        let path = format!("/pw-test-{}-{name}", std::process::id());
        let group = cgroups.group(Path::new(&path)).expect("path");
        if let Err(error) = group.create() {
            eprintln!("skipped: lacks writable cgroups ({error})");
            return;
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            test(&cgroups, &group);
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
        let found = Cgroups::from_mountinfo(hybrid).expect("found");
        assert_eq!(found.version(), CgroupVersion::V1);
        assert_eq!(found.mounts().len(), 4);
        let cpu = Some(Path::new("/sys/fs/cgroup/cpu"));
        assert_eq!(found.hierarchy("cpuacct"), cpu);
        assert_eq!(found.hierarchy("pids"), None);

        let unified = "34 20 0:4 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = Cgroups::from_mountinfo(unified).expect("found");
        assert_eq!(found.version(), CgroupVersion::V2);
        assert_eq!(
            Cgroups::from_mountinfo("1 2 0:1 / / rw - ext4 /dev/vda rw\n"),
            None
        );
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
            child.wait().expect("status");
            let usage = group.usage().expect("usage");
            assert!(usage.oom_kills >= 1, "{usage:?}");
            assert!(usage.cpu > Duration::ZERO, "{usage:?}");
        });
    }
}
