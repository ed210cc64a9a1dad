//! What happens to containers: they start, end, fall ill, and their hooks come back.

use std::time::Duration;

use super::words::{Command, End, Hook};
use super::{Machine, Moment, Place};
use crate::model::quantity::Seconds;
use crate::model::state::{ContainerState, ExitStatus, ProcessRef, WaitReason, Wanted};
use crate::state::{IntentKind, Outcome};
use crate::supervisor::member::{Layer, StopStep};

impl Machine {
    pub(super) fn started(
        &mut self,
        place: Place,
        process: ProcessRef,
        now: Moment,
        commands: &mut Vec<Command>,
    ) {
        let member = &mut self.members[place];
        member.launching = false;
        member.stop = None;
        member.started_boot = Some(now.boot);
        member.started_up = !member.has_startup_probe;
        member.record.ready = !member.has_readiness_probe && member.started_up;
        member.record.started = Some(now.wall);
        member.record.state = ContainerState::Running {
            process,
            since: now.wall,
        };
        member.changed = true;
        if let Some(handler) = member.post_start.clone() {
            member.starting = true;
            commands.push(Command::Run(place, Hook::PostStart, handler));
        }
        self.finish_start(place, Outcome::Done);
    }

    pub(super) fn ended(&mut self, place: Place, end: End, now: Moment) {
        let End { status, message } = end;
        let start_failed = matches!(status, ExitStatus::StartFailed { .. });
        let was_asked_to_end = self.members[place].stop.is_some();
        let restarts = self
            .spec
            .restarts(self.members[place].role, status.is_failure());
        let member = &mut self.members[place];
        let ran = member
            .started_boot
            .take()
            .map_or(Duration::ZERO, |started| now.boot.since(started));
        member.launching = false;
        member.stop = None;
        member.started_up = false;
        member.starting = false;
        member.record.ready = false;
        member.changed = true;
        member.record.message = message;
        member.end(status.clone(), now.wall);
        if start_failed {
            let ExitStatus::StartFailed { message, code } = &status else {
                return;
            };
            let failure = member.failed(message.clone(), *code);
            member.failed_start = Some(failure.clone());
            self.finish_start(place, Outcome::Failed(failure));
        }
        let member = &mut self.members[place];
        let restart_by_hand = member.head_began
            && matches!(
                member.queue.front().map(|head| &head.kind),
                Some(IntentKind::Restart { .. })
            );
        if member.record.wanted == Wanted::Running
            && !restart_by_hand
            && restarts
            && (!was_asked_to_end || member.unhealthy)
        {
            let (wait, backoff) = member.record.backoff.after_run(ran);
            member.record.backoff = backoff;
            member.layer = Layer::Fresh;
            member.record.state = ContainerState::Waiting {
                reason: WaitReason::CrashLoopBackOff,
                boot: self.boot.clone(),
                until: now.boot.after(wait.duration()),
            };
        }
        member.unhealthy = false;
    }

    pub(super) fn hook_done(
        &mut self,
        place: Place,
        hook: Hook,
        result: Result<(), String>,
        now: Moment,
        commands: &mut Vec<Command>,
    ) {
        match (hook, result) {
            (Hook::PreStop, _) => {
                let member = &mut self.members[place];
                if member.stop == Some(StopStep::Hook) {
                    member.signal_stop(place, now, commands);
                }
            }
            (Hook::PostStart, result) => {
                self.members[place].starting = false;
                if result.is_err() {
                    // The kubelet kills the container; the restart policy decides what then.
                    self.unhealthy(place, None, now, commands);
                }
            }
        }
    }

    pub(super) fn unhealthy(
        &mut self,
        place: Place,
        grace: Option<Seconds>,
        now: Moment,
        commands: &mut Vec<Command>,
    ) {
        let grace = grace.unwrap_or(self.spec.termination_grace);
        let member = &mut self.members[place];
        if matches!(member.record.state, ContainerState::Running { .. }) {
            member.unhealthy = true;
            member.begin_stop(place, grace, now, commands);
        }
    }
}
