//! The end of a cgroup: its processes killed, its directories removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::group::{Cgroup, tree};
use super::layout::{CgroupVersion, Layout};
use super::{CgroupError, is_gone, read_key, refused, write};

impl Cgroup<'_> {
    /// Removes the cgroup from each hierarchy in which neither a process nor another cgroup is in it.
    pub fn remove_unused(&self) {
        for dir in self.dirs() {
            let _ = fs::remove_dir(dir);
        }
    }

    /// Kills all processes in the cgroup and below it, also those that fork while it happens, and
    /// waits for their end no longer than this.
    ///
    /// # Errors
    /// Processes still live after that time.
    pub fn kill(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        if self.kill_by_kernel()? {
            // The kernel kills what is frozen, and leaves the cgroup frozen for the next one.
            self.set_frozen(false);
        } else {
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

    /// Freezes the processes in the cgroup and below it: they get no processor until they are thawed.
    ///
    /// # Errors
    /// There is no freezer, or a process that waits for a device is not frozen in this time; nothing is
    /// frozen then.
    pub fn freeze(&self, patience: Duration) -> Result<(), CgroupError> {
        let (mount, path) = self.freezer()?;
        let (value, thawed) = match self.cgroups.version() {
            CgroupVersion::V1 => ("FROZEN", "THAWED"),
            CgroupVersion::V2 => ("1", "0"),
        };
        let deadline = Instant::now() + patience;
        write(&path, value)?;
        while !self.is_frozen(&mount) {
            if Instant::now() >= deadline {
                write(&path, thawed)?;
                return Err(CgroupError::NotFrozen {
                    path: Path::new("/").join(&self.path),
                });
            }
            std::thread::sleep(Duration::from_millis(1));
            if self.cgroups.version() == CgroupVersion::V1 {
                // What was FREEZING is tried again by writing (kernel, freezer-subsystem.rst).
                write(&path, value)?;
            }
        }
        Ok(())
    }

    /// Lets the processes run again.
    ///
    /// # Errors
    /// There is no freezer, or the cgroup is gone.
    pub fn thaw(&self) -> Result<(), CgroupError> {
        let (_, path) = self.freezer()?;
        match self.cgroups.version() {
            CgroupVersion::V1 => write(&path, "THAWED"),
            CgroupVersion::V2 => write(&path, "0"),
        }
    }

    /// Returns where the freezer is mounted, and its file for this cgroup.
    fn freezer(&self) -> Result<(PathBuf, PathBuf), CgroupError> {
        let mount = self.cgroups.hierarchy("freezer");
        let mount = mount.ok_or_else(|| CgroupError::NoController {
            controller: "freezer",
            path: Path::new("/").join(&self.path),
        })?;
        let file = match self.cgroups.version() {
            CgroupVersion::V1 => "freezer.state",
            CgroupVersion::V2 => "cgroup.freeze",
        };
        Ok((mount.to_owned(), mount.join(&self.path).join(file)))
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

    /// Removes the cgroup if nothing is in it, which is what most leave behind, and says whether it is gone.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn remove_if_empty(&self) -> Result<bool, CgroupError> {
        let busy = [Errno::EBUSY as i32, Errno::ENOTEMPTY as i32];
        for dir in self.dirs() {
            match fs::remove_dir(&dir) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => {}
                Err(error)
                    if error
                        .raw_os_error()
                        .is_some_and(|errno| busy.contains(&errno)) =>
                {
                    return Ok(false);
                }
                Err(source) => return Err(refused("removing the cgroup", &dir)(source)),
            }
        }
        Ok(true)
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

fn signal_kill(pid: u32) {
    // One that has ended since is what was wanted.
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
