//! What is due: deadlines that have passed, containers to be stopped, containers to be started.

use std::time::Duration;

use super::wishes::PodGoal;
use super::words::Command;
use super::{Machine, Moment};
use crate::model::container::Role;
use crate::model::pod::RestartPolicy;
use crate::model::quantity::Seconds;
use crate::model::state::{ContainerState, Wanted};
use crate::state::Outcome;
use crate::supervisor::member::{LEAST_GRACE, Layer, StopStep};

impl Machine {
    pub(super) fn enforce_deadlines(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for (place, member) in self.members.iter_mut().enumerate() {
            let ContainerState::Stopping { deadline, .. } = &member.record.state else {
                continue;
            };
            if *deadline > now.boot {
                if member.stop.is_none() {
                    // Whether a supervisor that is gone came to the signal nobody knows; the kubelet asks again too.
                    member.signal_stop(place, now, commands);
                }
                continue;
            }
            match member.stop {
                Some(StopStep::Killed) => {}
                // The hook used the grace period up: the kubelet gives it up, not the signal.
                Some(StopStep::Hook) => member.signal_stop(place, now, commands),
                Some(StopStep::Signalled) | None => {
                    member.stop = Some(StopStep::Killed);
                    commands.push(Command::Kill(place));
                }
            }
        }
    }

    /// Stops what a wish for the pod wants stopped: apps first, then sidecars from the last to the first (KEP-753).
    pub(super) fn stop_unwanted(&mut self, now: Moment, commands: &mut Vec<Command>) {
        if !self.is_turn_of_task() {
            return;
        }
        let Some(task) = self.tasks.front_mut() else {
            return;
        };
        let (PodGoal::Stop(grace) | PodGoal::Restart(grace) | PodGoal::Remove(grace)) = task.goal
        else {
            return;
        };
        let began = *task.began.get_or_insert(now.boot);
        let mut others_run = false;
        for (place, member) in self.members.iter_mut().enumerate() {
            if member.role == Role::Sidecar {
                continue;
            }
            if member.record.state.is_running() || member.launching {
                others_run = true;
                member.begin_stop(place, grace, now, commands);
            } else {
                member.rest();
            }
        }
        if others_run {
            return;
        }
        let left = left_of(grace, now.boot.since(began));
        for (place, member) in self.members.iter_mut().enumerate().rev() {
            if member.role != Role::Sidecar {
                continue;
            }
            if member.record.state.is_running() || member.launching {
                member.begin_stop(place, left, now, commands);
                return;
            }
            member.rest();
        }
    }

    /// Starts what should run and may: in the order of the spec, each after those it waits for.
    pub(super) fn start_wanted(&mut self, now: Moment, commands: &mut Vec<Command>) {
        let mut open = true;
        let mut deferred = None;
        for place in 0..self.members.len() {
            let member = &mut self.members[place];
            let by_hand = member.head_began;
            let due = match (&member.record.state, member.start) {
                (_, Some(layer)) => Some(layer),
                (ContainerState::Created, None) => Some(Layer::Kept),
                (ContainerState::Waiting { until, .. }, None) if *until <= now.boot => {
                    Some(member.layer)
                }
                _ => None,
            };
            if member.record.wanted == Wanted::Running
                && !member.launching
                && !member.record.state.is_running()
                && (open || by_hand)
                && let Some(layer) = due
            {
                if member.start.is_none()
                    && matches!(member.record.state, ContainerState::Waiting { .. })
                {
                    member.record.restarts += 1;
                }
                member.launching = true;
                member.layer = Layer::Kept;
                // Recorded with what comes of it: a start that nobody knows of is begun again, and counted once.
                commands.push(Command::Launch(place, layer));
            }
            // The kubelet starts one after the other, each with its postStart hook.
            if member.starting || member.launching && member.post_start.is_some() {
                open = false;
            }
            if member.role != Role::App && !member.is_passed() {
                open = false;
                deferred = deferred.or_else(|| member.failure());
            }
        }
        if let Some(failure) = deferred
            && self.spec.restart_policy != RestartPolicy::Never
        {
            self.finish_pod_start(Outcome::Deferred(failure));
        }
    }
}

/// Returns what those before it have left a sidecar of the pod's one grace period (KEP-753).
fn left_of(grace: Seconds, past: Duration) -> Seconds {
    let left = Seconds(grace.0.saturating_sub(past.as_secs()));
    left.max(LEAST_GRACE.min(grace))
}
