//! Walks a plan; what it did is undone when a step fails.

use super::course::{Batch, Before, Course, batches};
use super::installation::{Engine, EngineError};
use super::named::Made;
use super::objects::{self, Values};
use super::sandbox;
use super::wishes::Wish;
use crate::fault;
use crate::model::observed::{ObjectContent, ObjectRecord, ObservedPod};
use crate::model::quantity::Seconds;
use crate::names::{ObjectName, PodId, PodName, VolumeName};
use crate::plan::{Action, ActionKind, Plan};
use crate::state::{IntentKind, Outcome, VolumeRemoval};
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
        let run = self.store.begin_run(&self.command, &self.process, first)?;
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
                {
                    // Who removes the pod at once waits until all of it is there.
                    let mut caller = self.locks.caller(&self.command);
                    let _guard = caller.new_pod(&pod.record.id)?;
                    self.store.create_pod(pod)?;
                    self.write_copy(pod)?;
                }
                report.created.push((**pod).clone());
                self.expect_images(pod.images())?;
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
            for warning in sandbox::warnings(&self.paths.pod(id)) {
                // Pods of one network have the same to tell.
                if !report.warnings.contains(&warning) {
                    report.warnings.push(warning);
                }
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
