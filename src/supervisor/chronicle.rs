//! What a pod's machine has to tell: the events that follow from one step of it.
//!
//! The records before and after a step are compared, so that no way through the machine can forget to
//! tell; what the records do not show (a probe's verdict, a hook's failure) is told beside.

use jiff::Timestamp;

use super::machine::Hook;
use crate::model::event::{EventAction, EventReason, EventRecord, EventSubject};
use crate::model::observed::{ContainerRecord, PodRecord};
use crate::model::state::{ContainerState, WaitReason};

/// The events that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Chronicle {
    pod: PodRecord,
    events: Vec<EventRecord>,
    /// What is told of the pod after what is told of its containers in this step.
    conclusions: Vec<EventRecord>,
}

impl Chronicle {
    pub(super) fn new(pod: PodRecord) -> Self {
        Self {
            pod,
            events: Vec::new(),
            conclusions: Vec::new(),
        }
    }

    pub(super) fn take(&mut self) -> Vec<EventRecord> {
        std::mem::take(&mut self.events)
    }

    /// Tells what happened to a container between two of its records.
    pub(super) fn compare(
        &mut self,
        before: &ContainerRecord,
        after: &ContainerRecord,
        at: Timestamp,
    ) {
        for (action, reason, message) in happened(before, after) {
            self.container(after, at, action, reason, message);
        }
    }

    /// Tells something of a container.
    pub(super) fn container(
        &mut self,
        container: &ContainerRecord,
        at: Timestamp,
        action: EventAction,
        reason: Option<EventReason>,
        message: Option<String>,
    ) {
        self.events.push(EventRecord {
            at,
            subject: EventSubject::container(&self.pod, container),
            action,
            reason,
            message,
        });
    }

    /// Tells that a probe gave a container up.
    pub(super) fn unhealthy(&mut self, container: &ContainerRecord, at: Timestamp) {
        let action = EventAction::HealthStatus { healthy: false };
        let message = "a liveness or startup probe failed: the container is ended".to_owned();
        self.container(
            container,
            at,
            action,
            Some(EventReason::Unhealthy),
            Some(message),
        );
    }

    /// Tells how a hook failed.
    pub(super) fn hook_failed(
        &mut self,
        container: &ContainerRecord,
        at: Timestamp,
        hook: Hook,
        message: &str,
    ) {
        let reason = match hook {
            Hook::PostStart => EventReason::FailedPostStartHook,
            Hook::PreStop => EventReason::FailedPreStopHook,
        };
        let message = Some(message.to_owned());
        self.container(container, at, EventAction::Warning, Some(reason), message);
    }

    /// Tells what the pod has come to by this step.
    pub(super) fn pod(&mut self, at: Timestamp, action: EventAction) {
        let event = self.of_pod(at, action, None, None);
        self.conclusions.push(event);
    }

    /// Ends a step.
    pub(super) fn conclude(&mut self) {
        self.events.append(&mut self.conclusions);
    }

    /// Tells that the pod was active for longer than it may be.
    pub(super) fn deadline_exceeded(&mut self, at: Timestamp) {
        let message = "pod was active on the node longer than the specified deadline".to_owned();
        let reason = Some(EventReason::DeadlineExceeded);
        let event = self.of_pod(at, EventAction::Warning, reason, Some(message));
        self.events.push(event);
    }

    fn of_pod(
        &self,
        at: Timestamp,
        action: EventAction,
        reason: Option<EventReason>,
        message: Option<String>,
    ) -> EventRecord {
        EventRecord {
            at,
            subject: EventSubject::pod(&self.pod),
            action,
            reason,
            message,
        }
    }
}

type Told = (EventAction, Option<EventReason>, Option<String>);

/// Returns what lies between two records of a container.
fn happened(before: &ContainerRecord, after: &ContainerRecord) -> Vec<Told> {
    let mut told = Vec::new();
    let ended = after
        .last_end
        .as_ref()
        .filter(|_| before.last_end != after.last_end);
    if let Some(end) = ended {
        let action = EventAction::Died {
            code: end.status.code(),
        };
        let message = match &end.status {
            crate::model::state::ExitStatus::StartFailed { message, .. } => Some(message.clone()),
            _ => None,
        };
        told.push((action, Some(EventReason::of_end(&end.status)), message));
        if matches!(before.state, ContainerState::Stopping { .. }) {
            told.push((EventAction::Stop, None, None));
        }
    }
    if let ContainerState::Waiting {
        reason: WaitReason::CrashLoopBackOff,
        ..
    } = &after.state
        && !matches!(before.state, ContainerState::Waiting { .. })
        && before.backoff.next.is_some()
    {
        let message = "Back-off restarting failed container".to_owned();
        told.push((
            EventAction::Warning,
            Some(EventReason::BackOff),
            Some(message),
        ));
    }
    match (&before.state, &after.state) {
        (ContainerState::Running { .. }, ContainerState::Paused { .. }) => {
            told.push((EventAction::Pause, None, None));
        }
        (ContainerState::Paused { .. }, ContainerState::Running { .. }) => {
            told.push((EventAction::Unpause, None, None));
        }
        (old, ContainerState::Running { .. }) if !old.is_running() => {
            told.push((EventAction::Start, None, None));
        }
        (ContainerState::Running { .. }, ContainerState::Running { .. }) => {
            told.extend(readiness(before.ready, after.ready));
        }
        _ => {}
    }
    told
}

fn readiness(before: bool, after: bool) -> Option<Told> {
    let action = EventAction::HealthStatus { healthy: after };
    match (before, after) {
        (true, false) => {
            let message = "Readiness probe failed".to_owned();
            Some((action, Some(EventReason::Unhealthy), Some(message)))
        }
        (false, true) => Some((action, None, None)),
        _ => None,
    }
}
