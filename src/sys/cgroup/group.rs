//! One cgroup: made, joined, listed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::layout::{CgroupVersion, Cgroups, Hierarchy, Layout};
use super::{CgroupError, is_gone, refused, write};

/// Takes whole processes.
const PROCS: &str = "cgroup.procs";

/// Takes single threads, on version 1 alone; one that moves itself need not be excluded from forking and ending.
const TASKS: &str = "tasks";

/// Whoever writes it, in whatever PID namespace (cgroups(7)).
const ITSELF: &str = "0";

/// How often a cgroup is made that somebody removes.
const TRIES: u32 = 3;

/// A cgroup of this host, named by its path.
#[derive(Debug, Clone)]
pub struct Cgroup<'a> {
    pub(super) cgroups: &'a Cgroups,
    pub(super) path: PathBuf,
}

impl Cgroup<'_> {
    /// Makes the cgroup and those above it, and on version 2 enables the controllers for it; one
    /// that exists is kept.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn create(&self) -> Result<(), CgroupError> {
        again_if_gone(|| self.create_once())
    }

    /// Makes the cgroup as [`create`](Self::create) does, and moves a process with all its threads into it.
    ///
    /// # Errors
    /// The process is gone, or the kernel refuses.
    pub fn create_for(&self, pid: u32) -> Result<(), CgroupError> {
        again_if_gone(|| self.create_once().and_then(|()| self.add(pid)))
    }

    fn create_once(&self) -> Result<(), CgroupError> {
        match &self.cgroups.layout {
            Layout::V1(hierarchies) => hierarchies
                .iter()
                .try_for_each(|hierarchy| create_in(hierarchy, &self.path)),
            Layout::V2(mount) => {
                let mut dir = mount.clone();
                for part in &self.path {
                    enable_controllers(&dir)?;
                    dir.push(part);
                    create_dir(&dir).map_err(refused("making the cgroup", &dir))?;
                }
                Ok(())
            }
        }
    }

    /// Tells whether the cgroup exists in any hierarchy.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.dirs().iter().any(|dir| dir.is_dir())
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

    /// Opens the cgroup for a thread that will have to move into it by itself, wherever it is then.
    ///
    /// # Errors
    /// The cgroup is gone.
    pub fn entrance(&self) -> Result<Entrance, CgroupError> {
        let layout = &self.cgroups.layout;
        let files = layout.mounts().map(|(mount, version)| {
            let name = match version {
                CgroupVersion::V1 => TASKS,
                CgroupVersion::V2 => PROCS,
            };
            let path = mount.join(&self.path).join(name);
            let file = fs::OpenOptions::new().write(true).open(&path);
            file.map_err(refused("opening", &path))
        });
        Ok(Entrance(files.collect::<Result<_, _>>()?))
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

    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        let mounts = self.cgroups.mounts();
        mounts.map(|mount| mount.join(&self.path)).collect()
    }

    pub(super) fn write(
        &self,
        controller: &'static str,
        file: &str,
        value: &str,
    ) -> Result<(), CgroupError> {
        write(&self.file(controller, file)?, value)
    }

    /// Returns the path of a controller's file.
    pub(super) fn file(
        &self,
        controller: &'static str,
        file: &str,
    ) -> Result<PathBuf, CgroupError> {
        let missing = || CgroupError::NoController {
            controller,
            path: Path::new("/").join(&self.path),
        };
        let mount = self.cgroups.hierarchy(controller).ok_or_else(missing)?;
        let dir = mount.join(&self.path);
        let path = dir.join(file);
        // One that is there, as most are, is asked for once.
        match !path.exists() && dir.is_dir() {
            true => Err(missing()),
            false => Ok(path),
        }
    }

    /// Writes a value where the kernel was built with what it is about (swap accounting).
    pub(super) fn write_if_present(
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

/// A cgroup held open to be entered.
#[derive(Debug)]
pub struct Entrance(Vec<File>);

impl Entrance {
    /// Moves the calling thread into the cgroup, which is all of its process.
    ///
    /// # Errors
    /// The cgroup is gone.
    pub fn enter(&self) -> io::Result<()> {
        self.0
            .iter()
            .try_for_each(|mut file| file.write_all(ITSELF.as_bytes()))
    }
}

impl Cgroups {
    /// Moves this process to where it is, so that those that are moved soon after it do not wait.
    ///
    /// A move excludes that anything on the host forks or ends, for which the first one after a quiet time waits for
    /// every processor (a grace period of RCU, 10 ms and more); no cgroup is made meanwhile. Nothing depends on it.
    pub fn expect_moves(&self) {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        if let Some((mount, own)) = self.unified().zip(own) {
            let _ = write(&mount.join(own).join(PROCS), ITSELF);
        }
    }

    /// Moves a process with all its threads out of all cgroups.
    ///
    /// # Errors
    /// The process is gone, or the kernel refuses.
    pub fn add_to_root(&self, pid: u32) -> Result<(), CgroupError> {
        self.mounts()
            .try_for_each(|mount| write(&mount.join(PROCS), &pid.to_string()))
    }
}

/// Tries again what found a cgroup gone: it may have been removed at that moment, because nothing was in it.
fn again_if_gone(work: impl Fn() -> Result<(), CgroupError>) -> Result<(), CgroupError> {
    for _ in 0..TRIES {
        match work() {
            Err(CgroupError::Refused { source, .. }) if is_gone(&source) => {}
            done => return done,
        }
    }
    work()
}

fn create_dir(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes a cgroup of version 1 in one of the hierarchies, and those above it if they are missing.
fn create_in(hierarchy: &Hierarchy, path: &Path) -> Result<(), CgroupError> {
    let dir = hierarchy.mount.join(path);
    match (create_dir(&dir), path.parent()) {
        (Err(error), Some(parent)) if is_gone(&error) && parent != Path::new("") => {
            create_in(hierarchy, parent)?;
            create_dir(&dir).map_err(refused("making the cgroup", &dir))?;
        }
        (made, _) => made.map_err(refused("making the cgroup", &dir))?,
    }
    match hierarchy.has("cpuset") {
        true => inherit_cpuset(&dir),
        false => Ok(()),
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

/// Gives a new cpuset of version 1 its parent's processors and memory nodes: an empty one takes no process.
///
/// The parent itself may be another process's that has not come to it yet.
fn inherit_cpuset(dir: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        inherited(dir, file)?;
    }
    Ok(())
}

/// Returns what a cpuset has, given to it by the one above if it had nothing.
fn inherited(dir: &Path, file: &str) -> Result<String, CgroupError> {
    let path = dir.join(file);
    let value = fs::read_to_string(&path).map_err(refused("reading", &path))?;
    match (value.trim(), dir.parent()) {
        ("", Some(parent)) => {
            let value = inherited(parent, file)?;
            write(&path, value.trim())?;
            // The kernel gives it on to those that are made below (cpusets.rst).
            write(&dir.join("cgroup.clone_children"), "1")?;
            Ok(value)
        }
        _ => Ok(value),
    }
}

/// Returns a cgroup's directory and all below it, parents first.
pub(super) fn tree(dir: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    /// `.` and the entry in the directory above.
    const OWN_LINKS: u64 = 2;
    let mut found = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(dir) = found.get(next).cloned() {
        next += 1;
        // Each below it has a link to it, and most have none: forty files need not be listed to see that.
        if fs::metadata(&dir).is_ok_and(|found| found.nlink() <= OWN_LINKS) {
            continue;
        }
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
