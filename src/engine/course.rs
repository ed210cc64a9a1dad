//! The course of a plan: which of its actions go together, and what its command's death means where.

use std::mem::discriminant;

use super::succession::is_running;
use crate::model::observed::{ObjectContent, ObjectRecord, ObservedPod};
use crate::model::quantity::Seconds;
use crate::plan::{Action, ActionKind, Plan};
use crate::state::Step;

/// Actions that are done together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) kind: ActionKind,
    pub(super) actions: Vec<Action>,
}

/// Parts a plan into neighbours of one kind.
pub(super) fn batches(plan: Plan) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for action in plan.0 {
        let kind = action.kind();
        match batches.last_mut() {
            Some(batch) if batch.kind == kind => batch.actions.push(action),
            _ => batches.push(Batch {
                kind,
                actions: vec![action],
            }),
        }
    }
    batches
}

/// Returns whether an action makes something, or takes something away that comes back on a failure.
fn can_be_undone(kind: ActionKind) -> bool {
    match kind {
        ActionKind::CreatePod
        | ActionKind::PutConfigMap
        | ActionKind::PutSecret
        | ActionKind::CreateVolume
        | ActionKind::StartPod
        | ActionKind::TakeDownPod
        | ActionKind::HandOver => true,
        ActionKind::KeepPod
        | ActionKind::RemovePod
        | ActionKind::RemoveObject
        | ActionKind::RemoveVolume => false,
    }
}

/// What a plan changes, as it is before.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) objects: Vec<ObjectRecord>,
    /// Those that give way to others.
    pub(super) pods: Vec<ObservedPod>,
}

/// What is to be done if the command dies.
#[derive(Debug)]
pub(super) struct Course {
    /// Before the plan turns: what it has made goes, the last first.
    pub(super) undo: Vec<Step>,
    /// Before which batch it turns: with the first removal after all that can be undone.
    pub(super) turns_at: usize,
    /// From there on: the rest goes.
    pub(super) finish: Vec<Step>,
    /// When all is done: the values of Secrets that nobody can need any more.
    pub(super) replaced_secrets: Vec<Step>,
}

impl Course {
    /// Tells what a plan's course is.
    pub(super) fn of(plan: &Plan, before: &Before) -> Self {
        let kinds = plan.0.iter().map(Action::kind);
        let last = kinds.clone().rposition(can_be_undone);
        let turn = last.map_or(0, |last| last + 1);
        let mut parted: Vec<ActionKind> = kinds.take(turn).collect();
        parted.dedup();
        let mut course = Self {
            undo: Vec::new(),
            turns_at: parted.len(),
            finish: Vec::new(),
            replaced_secrets: Vec::new(),
        };
        for (place, action) in plan.0.iter().enumerate() {
            match place < turn {
                true => course.make(action, before),
                false => course.remove(action),
            }
        }
        course.undo.reverse();
        // Pods that were taken down come back last of all, when what took their ports and addresses is gone.
        for action in &plan.0 {
            course.put_up(action, before);
            if let Action::HandOver { to, .. } = action {
                // It takes hold of the ports that the removed one has let go.
                course.finish.push(Step::Ring(to.clone()));
            }
        }
        course
    }

    fn make(&mut self, action: &Action, before: &Before) {
        match action {
            Action::CreatePod(pod) => self.undo.push(Step::RemovePod {
                pod: pod.record.id.clone(),
                grace: Some(Seconds(0)),
            }),
            Action::PutConfigMap(record) | Action::PutSecret { record, .. } => {
                self.put(record, &before.objects);
            }
            Action::CreateVolume(record) => {
                self.undo.push(Step::RemoveVolume(Box::new(record.clone())));
            }
            Action::HandOver { from, to, .. } => {
                let old = before.pods.iter().find(|pod| &pod.record.id == from);
                self.undo.extend(old.map(|old| Step::HandBack {
                    old: Box::new(old.clone()),
                    new: to.clone(),
                }));
            }
            // What goes before anything is made is what a command has left that was killed: the next one meets it again.
            Action::StartPod { .. }
            | Action::KeepPod { .. }
            | Action::TakeDownPod { .. }
            | Action::RemovePod { .. }
            | Action::RemoveObject { .. }
            | Action::RemoveVolume { .. } => {}
        }
    }

    fn remove(&mut self, action: &Action) {
        match action {
            Action::RemovePod { id, grace, .. } => self.finish.push(Step::RemovePod {
                pod: id.clone(),
                grace: *grace,
            }),
            Action::RemoveObject { kind, name } => self.finish.push(Step::RemoveObject {
                kind: (*kind).to_owned(),
                name: name.clone(),
            }),
            Action::RemoveVolume { name } => {
                self.finish.push(Step::RemoveVolumeNamed(name.clone()));
            }
            Action::CreatePod(_)
            | Action::PutConfigMap(_)
            | Action::PutSecret { .. }
            | Action::CreateVolume(_)
            | Action::StartPod { .. }
            | Action::KeepPod { .. }
            | Action::TakeDownPod { .. }
            | Action::HandOver { .. } => {}
        }
    }

    fn put_up(&mut self, action: &Action, before: &Before) {
        if let Action::TakeDownPod { id, .. } = action
            && let Some(pod) = before.pods.iter().find(|pod| &pod.record.id == id)
            && is_running(pod)
        {
            self.undo.push(Step::PutUp(id.clone()));
        }
    }

    fn put(&mut self, record: &ObjectRecord, objects: &[ObjectRecord]) {
        let same = |old: &&ObjectRecord| {
            old.name == record.name && discriminant(&old.content) == discriminant(&record.content)
        };
        let old = objects.iter().find(same);
        if let Some(ObjectContent::Secret { id, .. }) = old.map(|old| &old.content) {
            self.replaced_secrets.push(Step::ForgetSecret(id.clone()));
        }
        self.undo.push(Step::RestoreObject {
            old: old.cloned().map(Box::new),
            new: Box::new(record.clone()),
        });
    }
}
