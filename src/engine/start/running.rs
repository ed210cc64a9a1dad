//! What is done to containers that run, and behind those that ended.

use std::fs;
use std::sync::{MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Context, Present, Run};
use crate::causes::chain;
use crate::engine::cgroups;
use crate::engine::paths::PodPaths;
use crate::model::observed::ContainerRecord;
use crate::model::state::ExitStatus;
use crate::names::ContainerName;
use crate::state::{Lease, LeaseError};
use crate::sys::cgroup::CgroupError;
use crate::sys::process::{Ended, PidFd};

/// How long what worked for a supervisor that is gone may take to end.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(2);

impl Context {
    /// Ends what still works for a supervisor that is gone: it was making containers that nobody knows.
    ///
    /// # Errors
    /// The lease cannot be asked.
    pub fn end_orphans(&self, lease: &Lease) -> Result<(), LeaseError> {
        let until = Instant::now() + ORPHANS_PATIENCE;
        while lease.is_worked_for()? && Instant::now() < until {
            for record in self.records.iter().filter(|record| !has_process(record)) {
                // What does not end now is met again when the container is started or removed.
                let _ = cgroups::kill(&self.paths().container_cgroup(&record.name));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Ends everything in the cgroup of a container's run.
    pub fn kill_cgroup(&self, place: usize, run: Run) {
        // What does not end now is met again when the container is started or removed.
        let _ = self.in_cgroup(place, run, cgroups::kill);
    }

    /// Freezes the processes of a container's run.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn freeze(&self, place: usize, run: Run) -> Result<(), String> {
        self.in_cgroup(place, run, cgroups::freeze)
    }

    /// Lets the processes of a container's run go on.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn thaw(&self, place: usize, run: Run) -> Result<(), String> {
        self.in_cgroup(place, run, cgroups::thaw)
    }

    /// Does something to the cgroup of a container while no later run can begin.
    fn in_cgroup(
        &self,
        place: usize,
        run: Run,
        work: impl FnOnce(&str) -> Result<(), CgroupError>,
    ) -> Result<(), String> {
        let present = self.present(place);
        if present.run != run {
            return Err("the container has ended".to_owned());
        }
        let cgroup = self.paths().container_cgroup(&self.records[place].name);
        work(&cgroup).map_err(|error| chain(&error))
    }

    /// Holds a container's present run: no other begins meanwhile.
    pub(super) fn present(&self, place: usize) -> MutexGuard<'_, Present> {
        let present = self.runs[place].lock();
        present.unwrap_or_else(PoisonError::into_inner)
    }

    /// Clears up behind a container that ended, and tells how it did.
    #[must_use]
    pub fn end(&self, place: usize, ended: Option<Ended>) -> ExitStatus {
        let (paths, name) = (self.paths(), &self.records[place].name);
        let mut present = self.present(place);
        let status = exit_status(ended, || was_killed_for_memory(&paths, name));
        if matches!(status, ExitStatus::Signal { oom: true, .. }) {
            // Who asks before the end is recorded finds no cgroup any more. Without the mark it is
            // told as an ordinary kill.
            let _ = fs::write(paths.bundle(name).join(OOM_MARK), "");
        }
        let cgroup = paths.container_cgroup(name);
        // What is left is met again when the container is started or removed. The pinned descriptor
        // stays until then: it knows the status, which nobody has recorded yet.
        present.has_no_cgroup = cgroups::remove(&cgroup).is_ok();
        status
    }

    /// Returns how a container ended whose process is gone, if the kernel has kept it.
    #[must_use]
    pub fn pinned_status(&self, name: &ContainerName) -> Option<Ended> {
        let pin = self.paths().bundle(name).join("pidfd");
        PidFd::open_pinned(&pin).ok()?.exit_info()
    }
}

/// The file in a bundle that says that the container was killed for its memory.
const OOM_MARK: &str = "oom-killed";

/// Returns whether the kernel killed something of a container's last run for its memory.
pub(in crate::engine) fn was_killed_for_memory(paths: &PodPaths, name: &ContainerName) -> bool {
    // The mark is made before the cgroup goes: asked in this order, one of them tells.
    cgroups::had_oom_kill(&paths.container_cgroup(name))
        || paths.bundle(name).join(OOM_MARK).exists()
}

/// Returns how a container ended, as it is recorded; nobody may have seen it.
///
/// Whether it was for its memory is asked only of one that was killed: the answer lies among cgroups, where everybody
/// waits for whoever makes or removes one.
#[must_use]
pub(in crate::engine) fn exit_status(
    ended: Option<Ended>,
    was_for_memory: impl FnOnce() -> bool,
) -> ExitStatus {
    match ended {
        Some(Ended::Code(code)) => ExitStatus::Code(code),
        Some(Ended::Signal(signal)) => ExitStatus::Signal {
            signal,
            oom: signal == nix::libc::SIGKILL && was_for_memory(),
        },
        None => ExitStatus::Unknown,
    }
}

/// Returns whether the process that is recorded of a container lives.
fn has_process(record: &ContainerRecord) -> bool {
    record.state.process().is_some_and(|process| {
        PidFd::open_started_at(process.pid, process.start_time).is_ok_and(|found| found.is_some())
    })
}
