//! Ends what commands that died were in the middle of.
//!
//! A command that finds the run of a dead one takes it over and carries its steps out, as the dead
//! one's own error path would have: both go through `Engine::carry_on`. What may take a grace period
//! is done by a process of its own, and so is what a command finds that only reads: neither waits for it.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::installation::{Engine, EngineError};
use super::objects;
use super::paths::Paths;
use super::protocol;
use crate::fault;
use crate::model::observed::{ObjectContent, ObjectRecord, ObservedPod, VolumeRecord};
use crate::model::quantity::Seconds;
use crate::model::state::{BootId, ProcessRef};
use crate::names::PodId;
use crate::state::{Removal, Run, Step, Unfetched};
use crate::sys::{clock, memfd, process};

/// The hidden first argument that makes the binary end what dead commands left.
pub const STAGE: &str = "stage-recover";

/// How long a command waits for that process before it goes on.
const PATIENCE: Duration = Duration::from_secs(2);

/// A dead command's work that was ended.
#[derive(Debug)]
pub struct Recovered {
    /// What the command was called.
    pub by: String,
    /// Why it could not be ended yet; the next command tries again.
    pub failure: Option<EngineError>,
}

impl Engine {
    /// Ends what commands that died were in the middle of, before this one changes anything.
    ///
    /// What they have made is gone afterwards, and what they were removing too, but for pods that
    /// take long over their end.
    ///
    /// # Errors
    /// The database cannot be used.
    pub fn recover(&mut self) -> Result<Vec<Recovered>, EngineError> {
        self.see_to_orphans()?;
        let (mut quick, slow): (Vec<Run>, Vec<Run>) =
            self.dead_runs()?.into_iter().partition(is_quick);
        let recovered = self.end_runs(std::mem::take(&mut quick))?;
        if slow.is_empty() {
            return Ok(recovered);
        }
        self.start_recovery()?;
        let until = Instant::now() + PATIENCE;
        let numbers: Vec<i64> = slow.into_iter().map(|run| run.number).collect();
        while self
            .store
            .runs()?
            .iter()
            .any(|run| numbers.contains(&run.number))
        {
            if Instant::now() > until {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(recovered)
    }

    /// Has that done by another process, if there is anything; this one only reads.
    ///
    /// So is what is met later: a record that is wrong and that nobody keeps up.
    ///
    /// # Errors
    /// The database cannot be read, or there is no process to be had.
    pub fn recover_soon(&self) -> Result<(), EngineError> {
        match self.dead_runs()?.is_empty() && self.orphans()?.is_empty() {
            true => {
                self.mends.set(true);
                Ok(())
            }
            false => self.start_recovery(),
        }
    }

    /// Returns what was asked by commands that are gone.
    fn orphans(&self) -> Result<Vec<Unfetched>, EngineError> {
        self.whose_command_is_gone(self.store.unfetched()?, |intent| &intent.asker)
    }

    /// Rings for what dead commands had written down and perhaps not rung for; nobody will fetch the outcome.
    fn see_to_orphans(&mut self) -> Result<(), EngineError> {
        let orphans = self.orphans()?;
        if orphans.is_empty() {
            return Ok(());
        }
        let pending = orphans.iter().filter(|intent| intent.is_pending);
        let pods: BTreeSet<&PodId> = pending.map(|intent| &intent.pod).collect();
        for pod in pods {
            // A supervisor that cannot be had now does it when it comes.
            let _ = protocol::summon(&self.paths, &self.locks, pod);
        }
        let numbers: Vec<i64> = orphans.iter().map(|intent| intent.seq).collect();
        Ok(self.store.abandon_intents(&numbers)?)
    }

    /// Calls the supervisors of pods that need one and have none: they record what has happened meanwhile.
    fn call_supervisors(&self) -> Result<(), EngineError> {
        let runs = |pod: &ObservedPod| pod.containers.iter().any(|c| c.state.is_running());
        for pod in self.store.observed()?.pods.iter().filter(|pod| runs(pod)) {
            if self.has_no_supervisor(&pod.record.id) {
                // The next command that needs it tries again.
                let _ = protocol::summon(&self.paths, &self.locks, &pod.record.id);
            }
        }
        Ok(())
    }

    pub(super) fn start_recovery(&self) -> Result<(), EngineError> {
        let start = || -> io::Result<()> {
            let input = memfd::sealed(STAGE, &serde_json::to_vec(&self.paths)?)?;
            Command::new("/proc/self/exe")
                .arg(STAGE)
                .env_clear()
                .envs(fault::inherited())
                .stdin(Stdio::from(input))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .current_dir("/")
                .spawn()
                .map(drop)
        };
        start().map_err(EngineError::io(Path::new("/proc/self/exe")))
    }

    fn end_runs(&mut self, runs: Vec<Run>) -> Result<Vec<Recovered>, EngineError> {
        let mut recovered = Vec::new();
        for run in runs {
            if self.store.take_over_run(&run, &self.process)? {
                recovered.push(Recovered {
                    failure: self.finish_run(run.number, run.steps).err(),
                    by: run.by,
                });
            }
        }
        if !recovered.is_empty() {
            self.sweep()?;
        }
        Ok(recovered)
    }

    /// Ends all of that, however long it takes.
    pub(super) fn end_dead_runs(&mut self) -> Result<Vec<Recovered>, EngineError> {
        let dead = self.dead_runs()?;
        self.end_runs(dead)
    }

    /// Returns the runs whose commands are gone.
    pub(super) fn dead_runs(&self) -> Result<Vec<Run>, EngineError> {
        self.whose_command_is_gone(self.store.runs()?, |run| &run.process)
    }

    fn whose_command_is_gone<T>(
        &self,
        all: Vec<T>,
        command: impl Fn(&T) -> &ProcessRef,
    ) -> Result<Vec<T>, EngineError> {
        let mut dead = Vec::new();
        for one in all {
            if !lives(command(&one), &self.process.boot)? {
                dead.push(one);
            }
        }
        Ok(dead)
    }

    /// Carries the steps of a run out and ends it; every step is tried.
    pub(super) fn finish_run(&mut self, run: i64, steps: Vec<Step>) -> Result<(), EngineError> {
        let mut first = None;
        for step in steps {
            if let Err(error) = self.carry_on(step) {
                first.get_or_insert(error);
            }
        }
        match first {
            Some(error) => Err(error),
            None => Ok(self.store.end_run(run)?),
        }
    }

    /// Does one step that a command did not come to do, or takes one back.
    pub(super) fn carry_on(&mut self, step: Step) -> Result<(), EngineError> {
        let word = step.word();
        fault::point(format_args!("before to {word} again"));
        match step {
            Step::RemovePod { pod, grace } => {
                let result = self.remove_pods_now(&[(pod, grace)]).pop();
                result.map_or(Ok(()), |(_, result)| result)?;
            }
            Step::RemoveContainer(removal) => match self.remove_containers_now(&[removal]).pop() {
                Some(Err(error)) if !error.is_removed() => return Err(error),
                _ => {}
            },
            Step::PutUp(pod) => self.put_up(pod)?,
            Step::HandBack { old, new } => self.hand_back(&old, &new)?,
            // One that has ended already looks when it is started.
            Step::Ring(pod) => drop(protocol::connect(&self.paths, &pod)),
            Step::RestoreObject { old, new } => self.restore_object(old.as_deref(), &new)?,
            Step::RemoveObject { kind, name } => self.remove_object(&kind, &name)?,
            Step::RemoveVolume(record) => self.remove_this_volume(&record)?,
            Step::RemoveVolumeNamed(name) => drop(self.remove_volume_now(&name)?),
            Step::ForgetSecret(id) => objects::remove_secret(&self.paths, &id)?,
        }
        fault::point(format_args!("after to {word} again"));
        Ok(())
    }

    fn restore_object(
        &mut self,
        old: Option<&ObjectRecord>,
        new: &ObjectRecord,
    ) -> Result<(), EngineError> {
        if self.store.objects()?.contains(new) {
            match old {
                Some(old) => self.store.put_object(old)?,
                None => {
                    self.store.remove_object(new.content.kind(), &new.name)?;
                }
            }
        }
        if let ObjectContent::Secret { id, .. } = &new.content {
            objects::remove_secret(&self.paths, id)?;
        }
        Ok(())
    }

    /// Removes a volume unless another command has made one of the same name since, or a pod uses it.
    fn remove_this_volume(&mut self, record: &VolumeRecord) -> Result<(), EngineError> {
        let name = &record.spec.name;
        let volumes = self.store.volumes()?;
        match volumes.iter().find(|other| other.spec.name == *name) {
            Some(other) if other.created != record.created => Ok(()),
            Some(_) => self.remove_volume_now(name).map(drop),
            None => self.remove_empty_place(name),
        }
    }

    /// Does something that others end with these steps if this process dies in it.
    pub(super) fn in_run<T>(
        &mut self,
        steps: &[Step],
        work: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if steps.is_empty() {
            return work(self);
        }
        let run = self.store.begin_run(&self.command, &self.process, steps)?;
        let result = work(self);
        self.store.end_run(run)?;
        result
    }
}

/// Returns whether nothing of a run waits for a grace period.
fn is_quick(run: &Run) -> bool {
    run.steps.iter().all(|step| match step {
        Step::RemovePod { grace, .. } | Step::RemoveContainer(Removal { grace, .. }) => {
            *grace == Some(Seconds(0))
        }
        Step::PutUp(_)
        | Step::HandBack { .. }
        | Step::Ring(_)
        | Step::RestoreObject { .. }
        | Step::RemoveObject { .. }
        | Step::RemoveVolume(_)
        | Step::RemoveVolumeNamed(_)
        | Step::ForgetSecret(_) => true,
    })
}

/// The hidden stage: ends everything that dead commands left.
#[must_use]
pub fn stage_main() -> ExitCode {
    match inherit().and_then(|paths| {
        let mut engine =
            Engine::open(paths, "recovery", Arc::new(|_| {})).map_err(io::Error::other)?;
        engine.end_dead_runs().map_err(io::Error::other)?;
        engine.see_to_orphans().map_err(io::Error::other)?;
        engine.call_supervisors().map_err(io::Error::other)
    }) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Reads where everything lies, and parts from the command that started this process.
fn inherit() -> io::Result<Paths> {
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    let paths: Paths = serde_json::from_slice(&text)?;
    // A process that leads a session already parts from nobody.
    let _ = nix::unistd::setsid();
    super::cgroups::enter(&format!("{}/supervisors", paths.cgroup_parent))?;
    Ok(paths)
}

/// Returns what tells this process from every other.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn this_process() -> Result<ProcessRef, EngineError> {
    let pid = nix::unistd::getpid().as_raw();
    let start_time = process::start_time(pid).map_err(EngineError::io(Path::new("/proc")))?;
    Ok(ProcessRef {
        pid,
        start_time: start_time.unwrap_or(0),
        boot: BootId(clock::boot_id().map_err(EngineError::io(Path::new("/proc")))?),
    })
}

fn lives(reference: &ProcessRef, boot: &BootId) -> Result<bool, EngineError> {
    if reference.boot != *boot {
        return Ok(false);
    }
    let start = process::start_time(reference.pid).map_err(EngineError::io(Path::new("/proc")))?;
    Ok(start == Some(reference.start_time))
}
