//! Walks a plan; what it did is undone when a step fails.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::mem::discriminant;
use std::path::Path;

use super::installation::{Engine, EngineError};
use super::named::Made;
use super::network::{self, OtherPods};
use super::objects::{self, Values};
use super::wishes::Wish;
use super::{cgroups, sandbox};
use crate::model::network::NetworkSpec;
use crate::model::observed::{ObjectContent, ObjectRecord, ObservedPod};
use crate::model::quantity::Seconds;
use crate::names::{ContainerId, ObjectName, PodId, PodName, VolumeName};
use crate::plan::{Action, Plan};
use crate::state::{IntentKind, Lease, Outcome, VolumeRemoval};
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

/// What takes one step back.
#[derive(Debug)]
pub(super) enum Undo {
    RemovePod(PodId),
    /// Start a pod again that was taken down for another.
    PutUp(PodId),
    /// Give the place back to the pod that had it.
    HandBack {
        old: Box<ObservedPod>,
        new: PodId,
    },
    RestoreObject {
        old: Option<Box<ObjectRecord>>,
        new: Box<ObjectRecord>,
    },
    RemoveVolume(VolumeName),
}

impl Report {
    fn is_candidate(&self, pod: &PodId) -> bool {
        let mut created = self.created.iter();
        created.any(|new| &new.record.id == pod && !new.record.standing.is_serving())
    }
}

impl Engine {
    /// Carries a plan out, or leaves everything as it was.
    ///
    /// # Errors
    /// The first step that failed; what was done before it is undone. A step back that fails as well is
    /// told by the next command that meets what it left.
    pub fn execute(&mut self, plan: Plan) -> Result<Report, EngineError> {
        let mut report = Report::default();
        let mut undo = Vec::new();
        match self.walk(&plan, &mut report, &mut undo) {
            Ok(()) => {
                self.forget_old_secrets(&undo)?;
                self.sweep()?;
                Ok(report)
            }
            Err(error) => {
                for step in undo.into_iter().rev() {
                    // The error that led here is the one to tell.
                    let _ = self.take_back(step);
                }
                Err(error)
            }
        }
    }

    fn walk(
        &mut self,
        plan: &Plan,
        report: &mut Report,
        undo: &mut Vec<Undo>,
    ) -> Result<(), EngineError> {
        let same_kind = |a: &Action, b: &Action| discriminant(a) == discriminant(b);
        for actions in plan.0.chunk_by(same_kind) {
            self.step(actions, report, undo)?;
            if !report.not_removed.is_empty() {
                // What pods use goes after them.
                break;
            }
        }
        Ok(())
    }

    /// Carries out actions of one kind; those that wait for pods wait for all of them at once.
    fn step(
        &mut self,
        actions: &[Action],
        report: &mut Report,
        undo: &mut Vec<Undo>,
    ) -> Result<(), EngineError> {
        match actions.first() {
            Some(Action::StartPod { .. }) => self.start_pods(&pods_of(actions), report),
            Some(Action::TakeDownPod { .. }) => self.take_down_pods(&pods_of(actions), undo),
            Some(Action::HandOver { .. }) => self.hand_over(actions, report, undo),
            Some(Action::RemovePod { .. }) => {
                // What was handed over is done: from here on there is no way back.
                self.forget_old_secrets(undo)?;
                undo.clear();
                self.remove_planned(actions, report);
                Ok(())
            }
            _ => actions
                .iter()
                .try_for_each(|action| self.run(action, report, undo)),
        }
    }

    /// Carries out one action that waits for no pod.
    fn run(
        &mut self,
        action: &Action,
        report: &mut Report,
        undo: &mut Vec<Undo>,
    ) -> Result<(), EngineError> {
        match action {
            Action::CreatePod(pod) => {
                self.store.create_pod(pod)?;
                undo.push(Undo::RemovePod(pod.record.id.clone()));
                report.created.push((**pod).clone());
            }
            Action::PutConfigMap(record) => self.put_object(record.clone(), undo)?,
            Action::PutSecret { record, data } => {
                report
                    .secrets
                    .push(self.put_secret(record.clone(), data, undo)?);
            }
            Action::CreateVolume(record) => {
                let name = record.spec.name.clone();
                if self.create_volume(record)? == Made::New {
                    undo.push(Undo::RemoveVolume(name.clone()));
                    report.volumes.push(name);
                }
            }
            Action::RemoveObject { kind, name } => {
                self.remove_object(kind, name)?;
                report.removed_objects.push((kind, name.clone()));
            }
            Action::RemoveVolume { name } => match self.remove_volume(name)? {
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
        for (id, result) in self.remove_pods(&removals) {
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
    pub fn remove_pods(
        &mut self,
        pods: &[(PodId, Option<Seconds>)],
    ) -> Vec<(PodId, Result<(), EngineError>)> {
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
            let result = result.and_then(|_| self.forget_pod(pod));
            results.push((pod.clone(), result));
        }
        if let Err(error) = self.remove_unused_network()
            && let Some((_, last)) = results.last_mut()
            && last.is_ok()
        {
            *last = Err(error);
        }
        results
    }

    /// Removes the bridge if no pod is left that could use it.
    fn remove_unused_network(&self) -> Result<(), EngineError> {
        let bridged =
            |pod: &ObservedPod| matches!(pod.record.spec.infra.network, NetworkSpec::Bridge { .. });
        if !self.store.observed()?.pods.iter().any(bridged) {
            network::remove_unused(&sandbox::host_network(&self.paths))?;
        }
        Ok(())
    }

    /// Returns whether a pod was started, be it half-way, so that a supervisor has to take it down.
    #[must_use]
    pub fn has_kernel_part(&self, pod: &PodId) -> bool {
        self.paths.pod(pod).run.exists()
            || Lease::is_taken(&self.locks.lease_path(pod)).unwrap_or(true)
    }

    /// Removes what is left of a pod that has nothing in the kernel: its records, files and locks.
    fn forget_pod(&mut self, pod: &PodId) -> Result<(), EngineError> {
        let mut caller = self.locks.caller(&self.command);
        let guard = caller.pod(pod)?;
        let paths = self.paths.pod(pod);
        let containers = self.store.pod(pod)?.map(|pod| pod.containers);
        cgroups::remove(&paths.cgroup)?;
        // What is mounted in it must not be emptied with it.
        while mount::unmount(&paths.run).map_err(|error| EngineError::Sandbox(error.into()))? {}
        remove_tree(&paths.run)?;
        remove_tree(&paths.state)?;
        // The record goes when there is nothing left that only it knows of.
        let by = self.by();
        self.store.remove_pod(pod, &by)?;
        let socket = self.paths.sockets().join(pod.as_str());
        remove_file(&socket)?;
        remove_file(&self.locks.lease_path(pod))?;
        for container in containers.into_iter().flatten() {
            guard.container(&container.id).remove()?;
        }
        guard.remove()?;
        Ok(())
    }

    /// Removes what commands that were killed have left and no record knows.
    ///
    /// A record is made before anything else of a pod and removed after it, so that a directory,
    /// socket or lease without one is nobody's.
    fn sweep(&mut self) -> Result<(), EngineError> {
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
        let observed = self.store.observed()?;
        for pod in observed.pods {
            found.remove(&pod.record.id);
        }
        for pod in found {
            // A supervisor that finds no record ends by itself.
            if !Lease::is_taken(&self.locks.lease_path(&pod)).unwrap_or(true) {
                self.forget_pod(&pod)?;
            }
        }
        self.sweep_volumes()?;
        self.sweep_secrets()
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

    /// Removes a container that does not run: its record, its layer, its logs and its lock.
    ///
    /// # Errors
    /// The record or the files cannot be removed.
    pub fn forget_container(
        &mut self,
        pod: &PodId,
        id: &ContainerId,
        full_name: &str,
    ) -> Result<(), EngineError> {
        let Some(observed) = self.store.pod(pod)? else {
            return Err(EngineError::Removed);
        };
        let by = self.by();
        let mut caller = self.locks.caller(&self.command);
        let mut share = caller.share(pod)?;
        let guard = share.container(id)?;
        self.store.remove_container(pod, id, full_name, &by)?;
        let paths = self.paths.pod(pod);
        for container in observed.containers.iter().filter(|c| &c.id == id) {
            remove_tree(&paths.layer(&container.name))?;
            remove_tree(&paths.logs(&container.name))?;
        }
        guard.remove()?;
        Ok(())
    }

    fn put_object(
        &mut self,
        record: ObjectRecord,
        undo: &mut Vec<Undo>,
    ) -> Result<(), EngineError> {
        let kind = record.content.kind();
        let old = self
            .store
            .observed()?
            .objects
            .into_iter()
            .find(|object| object.name == record.name && object.content.kind() == kind);
        self.store.put_object(&record)?;
        undo.push(Undo::RestoreObject {
            old: old.map(Box::new),
            new: Box::new(record),
        });
        Ok(())
    }

    fn put_secret(
        &mut self,
        record: ObjectRecord,
        data: &SecretData,
        undo: &mut Vec<Undo>,
    ) -> Result<String, EngineError> {
        let ObjectContent::Secret { id, .. } = &record.content else {
            return Ok(String::new());
        };
        let id = id.clone();
        let values: Values = data
            .values
            .iter()
            .map(|(key, value)| (key.clone(), value.reveal().to_vec()))
            .collect();
        let _held = objects::hold_secrets(&self.paths)?;
        objects::write_secret(&self.paths, &id, &values)?;
        self.put_object(record, undo)
            .inspect_err(|_| drop(objects::remove_secret(&self.paths, &id)))?;
        Ok(id)
    }

    /// Removes the files of Secrets that the finished plan has replaced.
    fn forget_old_secrets(&mut self, undo: &[Undo]) -> Result<(), EngineError> {
        for step in undo {
            if let Undo::RestoreObject { old: Some(old), .. } = step
                && let ObjectContent::Secret { id, .. } = &old.content
            {
                objects::remove_secret(&self.paths, id)?;
            }
        }
        Ok(())
    }

    fn remove_object(&mut self, kind: &'static str, name: &ObjectName) -> Result<(), EngineError> {
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

    fn take_back(&mut self, step: Undo) -> Result<(), EngineError> {
        match step {
            Undo::PutUp(pod) => self.put_up(pod),
            Undo::HandBack { old, new } => self.hand_back(&old, &new),
            Undo::RemovePod(pod) => {
                for (_, result) in self.remove_pods(&[(pod, Some(Seconds(0)))]) {
                    result?;
                }
                Ok(())
            }
            Undo::RestoreObject { old, new } => {
                if let ObjectContent::Secret { id, .. } = &new.content {
                    objects::remove_secret(&self.paths, id)?;
                }
                match old {
                    Some(old) => self.store.put_object(&old)?,
                    None => {
                        self.store.remove_object(new.content.kind(), &new.name)?;
                    }
                }
                Ok(())
            }
            Undo::RemoveVolume(name) => {
                // One that another pod has found meanwhile stays with it.
                self.remove_volume(&name).map(drop)
            }
        }
    }
}

/// Takes a pod out of the kernel: its cgroup, its network, its mounts.
///
/// # Errors
/// What could not be removed, in words.
pub fn take_down(
    paths: &super::paths::Paths,
    pod: &crate::model::observed::PodRecord,
    others: OtherPods,
) -> Result<(), String> {
    let cgroup = cgroups::remove(&paths.pod(&pod.id).cgroup).map_err(|error| error.to_string());
    let sandbox = sandbox::tear_down(paths, pod, others).map_err(|error| error.to_string());
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
