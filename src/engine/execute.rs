//! Walks a plan; what it did is undone when a step fails.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::course::{Batch, Before, Course, batches};
use super::installation::{Engine, EngineError};
use super::named::Made;
use super::objects::{self, Values};
use super::protocol::SummonError;
use super::recover::this_process;
use super::wishes::Wish;
use super::{cgroups, sandbox};
use crate::fault;
use crate::model::observed::{ObjectContent, ObjectRecord, Observed, ObservedPod};
use crate::model::quantity::Seconds;
use crate::names::{ObjectName, PodId, PodName, VolumeName};
use crate::plan::{Action, ActionKind, Plan};
use crate::state::{IntentKind, Lease, Outcome, Removal, Step, VolumeRemoval};
use crate::sys::mount;
use crate::translate::SecretData;

/// What a plan came to.
#[derive(Debug, Default)]
pub struct Report {
    /// The pods that were created, with their containers.
    pub created: Vec<ObservedPod>,
    /// The pods that were as they are wanted.
    pub kept: Vec<(PodId, PodName)>,
    /// The pods whose place another one took.
    pub replaced: Vec<PodId>,
    pub removed_pods: Vec<PodId>,
    /// The pods that could not be removed; what pods use was left alone then.
    pub not_removed: Vec<(PodId, EngineError)>,
    pub volumes: Vec<VolumeName>,
    pub secrets: Vec<String>,
    pub removed_objects: Vec<(&'static str, ObjectName)>,
    pub removed_volumes: Vec<VolumeName>,
    /// What went on, but not as it should.
    pub warnings: Vec<String>,
}

/// How often a pod is told to go that other commands start again.
const TRIES: usize = 8;

/// What became of one of several pods.
pub type PodResult = (PodId, Result<(), EngineError>);

impl Report {
    fn is_candidate(&self, pod: &PodId) -> bool {
        let mut created = self.created.iter();
        created.any(|new| &new.record.id == pod && !new.record.standing.is_serving())
    }
}

impl Engine {
    /// Carries a plan out, or leaves everything as it was.
    ///
    /// If this process dies on the way, the next command undoes what the plan has made; once the plan has
    /// come to removing, that command removes the rest instead.
    ///
    /// # Errors
    /// The first step that failed; what was done before it is undone. A step back that fails as well is
    /// tried again by the next command.
    pub fn execute(&mut self, plan: Plan) -> Result<Report, EngineError> {
        let mut report = Report::default();
        if plan.is_empty() {
            return Ok(report);
        }
        let course = Course::of(&plan, &self.before(&plan)?);
        let first = match course.undo.as_slice() {
            [] => course.finish.as_slice(),
            undo => undo,
        };
        let starts = plan
            .0
            .iter()
            .any(|action| matches!(action, Action::StartPod { .. }));
        let run = self
            .store
            .begin_run(&self.command, &this_process()?, first)?;
        let mut turned = course.undo.is_empty();
        for (place, batch) in batches(plan).iter().enumerate() {
            if !report.not_removed.is_empty() {
                // What pods use goes after them.
                break;
            }
            if !turned && place == course.turns_at {
                self.store.turn_run(run, &course.finish)?;
                turned = true;
            }
            if let Err(error) = self.act(batch, &mut report) {
                // The error that led here is the one to tell.
                let _ = match turned {
                    true => self.store.end_run(run).map_err(EngineError::from),
                    false => self.finish_run(run, course.undo),
                };
                return Err(error);
            }
        }
        if !course.replaced_secrets.is_empty() {
            self.store.turn_run(run, &course.replaced_secrets)?;
        }
        self.finish_run(run, course.replaced_secrets)?;
        if !report.created.is_empty() && !starts {
            self.store.persist()?;
        }
        self.sweep()?;
        Ok(report)
    }

    /// Returns what a plan changes, as it is before.
    fn before(&self, plan: &Plan) -> Result<Before, EngineError> {
        let changes_pods = |action: &Action| {
            matches!(action, Action::TakeDownPod { .. } | Action::HandOver { .. })
        };
        Ok(Before {
            objects: self.store.objects()?,
            pods: match plan.0.iter().any(changes_pods) {
                true => self.observed()?.pods,
                false => Vec::new(),
            },
        })
    }

    /// Does actions of one kind; those that wait for pods wait for all of them at once.
    fn act(&mut self, batch: &Batch, report: &mut Report) -> Result<(), EngineError> {
        let word = batch.kind.word();
        fault::point(format_args!("before to {word}"));
        let actions = batch.actions.as_slice();
        match batch.kind {
            ActionKind::StartPod => self.start_pods(&pods_of(actions), report)?,
            ActionKind::TakeDownPod => self.take_down_pods(&pods_of(actions))?,
            ActionKind::HandOver => self.hand_over(actions, report)?,
            ActionKind::RemovePod => self.remove_planned(actions, report),
            ActionKind::CreatePod
            | ActionKind::PutConfigMap
            | ActionKind::PutSecret
            | ActionKind::CreateVolume
            | ActionKind::KeepPod
            | ActionKind::RemoveObject
            | ActionKind::RemoveVolume => {
                for action in actions {
                    self.run(action, report)?;
                }
            }
        }
        fault::point(format_args!("after to {word}"));
        Ok(())
    }

    /// Carries out one action that waits for no pod.
    fn run(&mut self, action: &Action, report: &mut Report) -> Result<(), EngineError> {
        match action {
            Action::CreatePod(pod) => {
                self.store.create_pod(pod)?;
                self.write_copy(pod)?;
                report.created.push((**pod).clone());
                self.expect_images(pod.containers.iter().map(|container| &container.image))?;
            }
            Action::PutConfigMap(record) => self.store.put_object(record)?,
            Action::PutSecret { record, data } => {
                report.secrets.push(self.put_secret(record, data)?);
            }
            Action::CreateVolume(record) => {
                if self.create_volume_now(record)? == Made::New {
                    report.volumes.push(record.spec.name.clone());
                }
            }
            Action::RemoveObject { kind, name } => {
                self.remove_object(kind, name)?;
                report.removed_objects.push((kind, name.clone()));
            }
            Action::RemoveVolume { name } => match self.remove_volume_now(name)? {
                VolumeRemoval::Removed => report.removed_volumes.push(name.clone()),
                VolumeRemoval::Unknown => {}
                VolumeRemoval::InUse(pods) => report.warnings.push(kept(name, &pods)),
            },
            Action::KeepPod { id, name } => report.kept.push((id.clone(), name.clone())),
            Action::StartPod { .. }
            | Action::TakeDownPod { .. }
            | Action::HandOver { .. }
            | Action::RemovePod { .. } => {}
        }
        Ok(())
    }

    fn remove_planned(&mut self, actions: &[Action], report: &mut Report) {
        let removals: Vec<_> = actions.iter().filter_map(removal).collect();
        for (id, result) in self.remove_pods_now(&removals) {
            match result {
                Ok(()) => report.removed_pods.push(id),
                // Another pod serves in its place: what is left of it is swept by the next command.
                Err(error) if report.replaced.contains(&id) => {
                    let words = format!(
                        "pod {} was replaced, but is not gone yet: {error}",
                        id.short()
                    );
                    report.warnings.push(words);
                }
                Err(error) => report.not_removed.push((id, error)),
            }
        }
        self.settle(report);
    }

    fn start_pods(
        &mut self,
        pods: &[(PodId, PodName)],
        report: &mut Report,
    ) -> Result<(), EngineError> {
        let results = self.wish_all(pods, &IntentKind::Start);
        for ((id, pod), result) in pods.iter().zip(results) {
            let pod = pod.clone();
            match result {
                // Nobody waits for a pod's second try while another one serves.
                Ok(Outcome::Deferred(failure)) if report.is_candidate(id) => {
                    return Err(EngineError::NotStarted { pod, failure });
                }
                Ok(Outcome::Deferred(failure)) => {
                    report.warnings.push(format!("pod `{pod}`: {failure}"));
                }
                Ok(_) => {}
                Err(EngineError::Refused(failure)) => {
                    return Err(EngineError::NotStarted { pod, failure });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Wishes the same of several pods, and waits for all of them at once.
    pub(super) fn wish_all(
        &mut self,
        pods: &[(PodId, PodName)],
        kind: &IntentKind,
    ) -> Vec<Result<Outcome, EngineError>> {
        let wishes: Vec<Wish> = pods
            .iter()
            .map(|(pod, _)| Wish {
                pod: pod.clone(),
                container: None,
                kind: kind.clone(),
            })
            .collect();
        self.carry_out(&wishes)
    }

    /// Stops pods in their grace periods, all at once, and removes everything that is their own.
    ///
    /// # Errors
    /// The database cannot be written; what failed of one pod stands beside its id.
    pub fn remove_pods(
        &mut self,
        pods: &[(PodId, Option<Seconds>)],
    ) -> Result<Vec<PodResult>, EngineError> {
        let steps: Vec<Step> = pods
            .iter()
            .map(|(pod, grace)| Step::RemovePod {
                pod: pod.clone(),
                grace: *grace,
            })
            .collect();
        self.in_run(&steps, |engine| Ok(engine.remove_pods_now(pods)))
    }

    /// As [`Engine::remove_pods`], within a run that says so.
    pub(super) fn remove_pods_now(&mut self, pods: &[(PodId, Option<Seconds>)]) -> Vec<PodResult> {
        let wishes: Vec<Wish> = pods
            .iter()
            .filter(|(pod, _)| self.has_kernel_part(pod))
            .map(|(pod, grace)| Wish {
                pod: pod.clone(),
                container: None,
                kind: IntentKind::Remove { grace: *grace },
            })
            .collect();
        let mut stopped = self.carry_out(&wishes).into_iter();
        let mut results = Vec::new();
        for (pod, _) in pods {
            let result = match wishes.iter().any(|wish| &wish.pod == pod) {
                true => stopped.next().unwrap_or(Err(EngineError::Removed)),
                false => Ok(Outcome::Already),
            };
            let result = match result {
                // A removal is overtaken by nothing but another one.
                Err(EngineError::Overtaken { .. }) => Ok(Outcome::Already),
                other => other,
            };
            let result = unless_removed(result.map(drop))
                .and_then(|()| unless_removed(self.forget_pod(pod)));
            results.push((pod.clone(), result));
        }
        let rest = self.remove_unused_networks();
        if let Err(error) = rest.and_then(|()| self.tell_neighbours())
            && let Some((_, last)) = results.last_mut()
            && last.is_ok()
        {
            *last = Err(error);
        }
        results
    }

    /// Returns whether a pod was started, be it half-way, so that a supervisor has to take it down.
    #[must_use]
    pub fn has_kernel_part(&self, pod: &PodId) -> bool {
        self.paths.pod(pod).run.exists()
            || Lease::is_taken(&self.locks.lease_path(pod)).unwrap_or(true)
    }

    /// Removes what is left of a pod that has nothing in the kernel: its records, files and locks.
    ///
    /// It has its lease meanwhile, so that no supervisor begins to set the pod up again. One that another command has
    /// called since is told once more that the pod goes.
    pub(super) fn forget_pod(&mut self, pod: &PodId) -> Result<(), EngineError> {
        for _ in 0..TRIES {
            if self.try_forget_pod(pod)? {
                return Ok(());
            }
            let wish = Wish {
                pod: pod.clone(),
                container: None,
                kind: IntentKind::Remove {
                    grace: Some(Seconds(0)),
                },
            };
            for result in self.carry_out(&[wish]) {
                result?;
            }
        }
        Err(EngineError::Io {
            path: self.locks.lease_path(pod),
            source: io::ErrorKind::ResourceBusy.into(),
        })
    }

    /// Waits until the supervisor that was told to remove the pod is gone, and takes its lease.
    fn take_lease(&self, pod: &PodId) -> Result<Option<Lease>, EngineError> {
        let path = self.locks.lease_path(pod);
        for _ in 0..200 {
            let lease = Lease::try_take(&path).map_err(|source| SummonError::Lease {
                pod: pod.clone(),
                source,
            })?;
            if lease.is_some() {
                return Ok(lease);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(None)
    }

    fn try_forget_pod(&mut self, pod: &PodId) -> Result<bool, EngineError> {
        let mut caller = self.locks.caller(&self.command);
        let guard = caller.pod(pod)?;
        let Some(lease) = self.take_lease(pod)? else {
            return Ok(false);
        };
        let paths = self.paths.pod(pod);
        let containers = self.store.pod(pod)?.map(|pod| pod.containers);
        cgroups::remove(&paths.cgroup)?;
        // What is mounted in it must not be emptied with it.
        while mount::unmount(&paths.run).map_err(|error| EngineError::Sandbox(error.into()))? {}
        remove_tree(&paths.run)?;
        fault::point("with nothing left of a pod that runs");
        remove_tree(&paths.state)?;
        fault::point("with nothing left of a pod but its record");
        for container in containers.into_iter().flatten() {
            guard.container(&container.id).remove()?;
        }
        // The record goes when there is nothing left that only it knows of.
        let by = self.by();
        self.store.remove_pod(pod, &by)?;
        fault::point("with locks left of a pod");
        let socket = self.paths.sockets().join(pod.as_str());
        remove_file(&socket)?;
        lease.remove().map_err(|source| SummonError::Lease {
            pod: pod.clone(),
            source,
        })?;
        guard.remove()?;
        Ok(true)
    }

    /// Removes what commands that were killed have left and no record knows.
    ///
    /// A record is made before anything else of a pod and removed after it, so that a directory,
    /// socket, lock or lease without one is nobody's.
    pub(super) fn sweep(&mut self) -> Result<(), EngineError> {
        let places = [
            self.paths.root.join("pods"),
            self.paths.runroot.join("pods"),
            self.paths.sockets(),
        ];
        let mut found = BTreeSet::new();
        for place in places {
            found.extend(
                names_in(&place)?
                    .iter()
                    .filter_map(|name| PodId::parse(name).ok()),
            );
        }
        found.extend(self.locks.pods()?);
        let observed = self.store.observed()?;
        for pod in observed.pods {
            found.remove(&pod.record.id);
        }
        for pod in found {
            // A supervisor that finds no record ends by itself.
            if !Lease::is_taken(&self.locks.lease_path(&pod)).unwrap_or(true) {
                unless_removed(self.forget_pod(&pod))?;
            }
        }
        self.sweep_volumes()?;
        self.sweep_secrets()?;
        self.tell_neighbours()
    }

    /// Removes values of Secrets that were written but never recorded.
    fn sweep_secrets(&mut self) -> Result<(), EngineError> {
        let Some(_alone) = objects::try_hold_secrets_alone(&self.paths)? else {
            return Ok(());
        };
        let recorded: BTreeSet<String> = self
            .store
            .objects()?
            .into_iter()
            .filter_map(|object| match object.content {
                ObjectContent::Secret { id, .. } => Some(id),
                ObjectContent::ConfigMap(_) => None,
            })
            .collect();
        for name in names_in(&self.paths.secrets())? {
            if !recorded.contains(&name) {
                objects::remove_secret(&self.paths, &name)?;
            }
        }
        Ok(())
    }

    /// Stops containers in their grace periods, all at once, and removes them with what is their own.
    ///
    /// # Errors
    /// The database cannot be written; what failed of one container stands in its place.
    pub fn remove_containers(
        &mut self,
        containers: &[Removal],
    ) -> Result<Vec<Result<(), EngineError>>, EngineError> {
        let steps: Vec<Step> = containers
            .iter()
            .cloned()
            .map(Step::RemoveContainer)
            .collect();
        self.in_run(
            &steps,
            |engine| Ok(engine.remove_containers_now(containers)),
        )
    }

    /// As [`Engine::remove_containers`], within a run that says so.
    pub(super) fn remove_containers_now(
        &mut self,
        containers: &[Removal],
    ) -> Vec<Result<(), EngineError>> {
        // A supervisor has to know, lest it starts the container again with its pod.
        let is_supervised: Vec<bool> = containers
            .iter()
            .map(|removal| self.has_kernel_part(&removal.pod))
            .collect();
        let wishes: Vec<Wish> = containers
            .iter()
            .zip(&is_supervised)
            .filter(|(_, is_supervised)| **is_supervised)
            .map(|(removal, _)| Wish {
                pod: removal.pod.clone(),
                container: Some(removal.container.clone()),
                kind: IntentKind::Remove {
                    grace: removal.grace,
                },
            })
            .collect();
        let mut stopped = self.carry_out(&wishes).into_iter();
        containers
            .iter()
            .zip(is_supervised)
            .map(|(removal, is_supervised)| {
                if is_supervised {
                    stopped.next().unwrap_or(Err(EngineError::Removed))?;
                }
                self.forget_container(removal)
            })
            .collect()
    }

    /// Removes a container that does not run: its layer, its logs, its record and its lock.
    fn forget_container(&mut self, removal: &Removal) -> Result<(), EngineError> {
        let Removal {
            pod,
            container: id,
            name,
            grace: _,
        } = removal;
        let Some(observed) = self.store.pod(pod)? else {
            return Err(EngineError::Removed);
        };
        let by = self.by();
        let mut caller = self.locks.caller(&self.command);
        let mut share = caller.share(pod)?;
        let guard = share.container(id)?;
        let paths = self.paths.pod(pod);
        for container in observed.containers.iter().filter(|c| &c.id == id) {
            remove_tree(&paths.layer(&container.name))?;
            remove_tree(&paths.logs(&container.name))?;
        }
        // The record goes when there is nothing left that only it knows of.
        self.store.remove_container(pod, id, name, &by)?;
        guard.remove()?;
        Ok(())
    }

    fn put_secret(
        &mut self,
        record: &ObjectRecord,
        data: &SecretData,
    ) -> Result<String, EngineError> {
        let ObjectContent::Secret { id, .. } = &record.content else {
            return Ok(String::new());
        };
        let values: Values = data
            .values
            .iter()
            .map(|(key, value)| (key.clone(), value.reveal().to_vec()))
            .collect();
        let _held = objects::hold_secrets(&self.paths)?;
        objects::write_secret(&self.paths, id, &values)?;
        self.store.put_object(record)?;
        Ok(id.clone())
    }

    pub(super) fn remove_object(
        &mut self,
        kind: &str,
        name: &ObjectName,
    ) -> Result<(), EngineError> {
        let objects = self.store.observed()?.objects;
        self.store.remove_object(kind, name)?;
        for object in objects {
            if let ObjectContent::Secret { id, .. } = &object.content
                && &object.name == name
                && kind == "Secret"
            {
                objects::remove_secret(&self.paths, id)?;
            }
        }
        Ok(())
    }
}

/// Who wants a thing removed is content if another has done it meanwhile.
fn unless_removed(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(error) if error.is_removed() => Ok(()),
        other => other,
    }
}

/// Takes a pod out of the kernel: its cgroup, its network, its mounts.
///
/// # Errors
/// What could not be removed, in words.
pub fn take_down(
    paths: &super::paths::Paths,
    pod: &crate::model::observed::PodRecord,
    observed: &Observed,
) -> Result<(), String> {
    let cgroup = cgroups::remove(&paths.pod(&pod.id).cgroup).map_err(|error| error.to_string());
    let sandbox = sandbox::tear_down(paths, pod, observed).map_err(|error| error.to_string());
    cgroup.and(sandbox)
}

fn pods_of(actions: &[Action]) -> Vec<(PodId, PodName)> {
    let pod = |action: &Action| match action {
        Action::StartPod { id, name } | Action::TakeDownPod { id, name } => {
            Some((id.clone(), name.clone()))
        }
        _ => None,
    };
    actions.iter().filter_map(pod).collect()
}

fn removal(action: &Action) -> Option<(PodId, Option<Seconds>)> {
    match action {
        Action::RemovePod { id, grace, .. } => Some((id.clone(), *grace)),
        _ => None,
    }
}

fn kept(volume: &VolumeName, pods: &[PodName]) -> String {
    let pods: Vec<String> = pods.iter().map(|pod| format!("`{pod}`")).collect();
    format!(
        "volume `{volume}` is kept: it is in use by pod {}",
        pods.join(", ")
    )
}

/// Lists a directory; one that is missing is empty.
pub(super) fn names_in(directory: &Path) -> Result<Vec<String>, EngineError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(EngineError::io(directory)(error)),
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()
        .map_err(EngineError::io(directory))
}

pub(super) fn remove_tree(path: &Path) -> Result<(), EngineError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EngineError::io(path)(error)),
        _ => Ok(()),
    }
}

fn remove_file(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EngineError::io(path)(error)),
        _ => Ok(()),
    }
}
