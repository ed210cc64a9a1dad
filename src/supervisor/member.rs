//! One container within its pod's machine.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::machine::{Command, Hook, Moment, Place};
use crate::model::container::{ContainerSpec, Handler, Role, StopSignal};
use crate::model::observed::{ContainerRecord, LastEnd};
use crate::model::quantity::Seconds;
use crate::model::state::{BootMillis, ContainerState, ExitStatus, Wanted};
use crate::state::{Failure, Intent};

/// Which writable layer a container starts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The one it had, as `podman restart` has it.
    Kept,
    /// An empty one, as the kubelet gives after a restart by policy.
    Fresh,
}

/// How far the stopping of a container has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopStep {
    /// Its preStop hook runs.
    Hook,
    /// The stop signal was sent.
    Signalled,
    Killed,
}

/// What a container has between the stop signal and SIGKILL when the grace period was used up before
/// (the kubelet's `minimumGracePeriodInSeconds`).
pub(super) const LEAST_GRACE: Seconds = Seconds(2);

/// One container: its record, and what is going on with it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) role: Role,
    pub(super) record: ContainerRecord,
    pub(super) changed: bool,
    /// Wishes not yet fulfilled; the head is the one being carried out.
    pub(super) queue: VecDeque<Intent>,
    pub(super) head_began: bool,
    /// To be started, once it may.
    pub(super) start: Option<Layer>,
    /// The layer of the next start by policy.
    pub(super) layer: Layer,
    pub(super) launching: bool,
    /// How the first start after it was asked for failed: what was said, and the exit code.
    pub(super) failed_start: Option<Failure>,
    pub(super) stop: Option<StopStep>,
    pub(super) stop_signal: StopSignal,
    pub(super) pre_stop: Option<Handler>,
    pub(super) post_start: Option<Handler>,
    /// Its postStart hook runs; those after it wait for that.
    pub(super) starting: bool,
    /// Its record is on its way out: it is never started again.
    pub(super) removed_by: Option<String>,
    /// It is stopped because a probe gave it up.
    pub(super) unhealthy: bool,
    pub(super) started_boot: Option<BootMillis>,
    pub(super) started_up: bool,
    pub(super) has_startup_probe: bool,
    pub(super) has_readiness_probe: bool,
}

impl Member {
    pub(super) fn new(
        spec: &ContainerSpec,
        record: ContainerRecord,
        stop_signal: StopSignal,
        now: Moment,
    ) -> Self {
        let started_boot = record.started.map(|started| {
            let ran = now.wall.duration_since(started).as_millis();
            BootMillis(now.boot.0.saturating_sub(u64::try_from(ran).unwrap_or(0)))
        });
        Self {
            role: spec.role,
            started_boot: started_boot.filter(|_| record.state.is_running()),
            // What is ready has started up; of another nobody knows, and its probe is asked again.
            started_up: record.state.is_running()
                && (record.ready || spec.probes.startup.is_none()),
            record,
            changed: false,
            queue: VecDeque::new(),
            head_began: false,
            start: None,
            layer: Layer::Fresh,
            launching: false,
            failed_start: None,
            stop: None,
            stop_signal,
            pre_stop: spec.lifecycle.pre_stop.clone(),
            post_start: spec.lifecycle.post_start.clone(),
            starting: false,
            removed_by: None,
            unhealthy: false,
            has_startup_probe: spec.probes.startup.is_some(),
            has_readiness_probe: spec.probes.readiness.is_some(),
        }
    }

    /// Returns whether nothing goes on and nothing is asked.
    pub(super) fn is_idle(&self) -> bool {
        !self.launching
            && self.queue.is_empty()
            && self.start.is_none()
            && !self.record.state.is_running()
    }

    /// Returns whether those after it in the order may start.
    pub(super) fn is_passed(&self) -> bool {
        match self.role {
            _ if self.removed_by.is_some() => true,
            Role::Init => {
                self.start.is_none()
                    && !self.launching
                    && matches!(
                        self.record.state,
                        ContainerState::Exited {
                            status: ExitStatus::Code(0),
                            ..
                        }
                    )
            }
            // One that was stopped by hand is not waited for.
            Role::Sidecar if self.record.wanted == Wanted::Stopped => true,
            Role::Sidecar => self.record.state.is_running() && self.started_up,
            Role::App => true,
        }
    }

    pub(super) fn want(&mut self, wanted: Wanted) {
        if self.record.wanted != wanted {
            self.record.wanted = wanted;
            self.changed = true;
        }
    }

    /// Asks a running container to end; one that is stopping already goes on as it was asked.
    pub(super) fn begin_stop(
        &mut self,
        place: Place,
        grace: Seconds,
        now: Moment,
        commands: &mut Vec<Command>,
    ) {
        let (process, since) = match &self.record.state {
            ContainerState::Running { process, since } => (process, since),
            ContainerState::Paused { process, since } => {
                commands.push(Command::Thaw(place));
                (process, since)
            }
            _ => return,
        };
        self.record.state = ContainerState::Stopping {
            process: process.clone(),
            since: *since,
            deadline: now.boot.after(grace.duration()),
        };
        self.record.ready = false;
        self.changed = true;
        let (step, command) = if grace == Seconds(0) {
            (StopStep::Killed, Command::Kill(place))
        } else if let Some(hook) = &self.pre_stop {
            let run = Command::Run(place, Hook::PreStop, hook.clone());
            (StopStep::Hook, run)
        } else {
            (
                StopStep::Signalled,
                Command::Signal(place, self.stop_signal),
            )
        };
        self.stop = Some(step);
        commands.push(command);
    }

    /// Sends the stop signal after the preStop hook, and leaves the container a little time in any case.
    pub(super) fn signal_stop(&mut self, place: Place, now: Moment, commands: &mut Vec<Command>) {
        self.stop = Some(StopStep::Signalled);
        commands.push(Command::Signal(place, self.stop_signal));
        if let ContainerState::Stopping { deadline, .. } = &mut self.record.state {
            let least = now.boot.after(LEAST_GRACE.duration());
            if *deadline < least {
                *deadline = least;
                self.changed = true;
            }
        }
    }

    /// Lets the startup probe's success count; a run that has ended or is being ended has none.
    pub(super) fn start_up(&mut self) {
        if matches!(self.record.state, ContainerState::Running { .. }) {
            self.started_up = true;
            if !self.has_readiness_probe {
                self.set_ready(true);
            }
        }
    }

    /// Records whether the container is ready; only one that runs and is to go on running can be.
    pub(super) fn set_ready(&mut self, ready: bool) {
        let runs = matches!(self.record.state, ContainerState::Running { .. });
        if runs && self.record.ready != ready {
            self.record.ready = ready;
            self.changed = true;
        }
    }

    /// Records an end.
    pub(super) fn end(&mut self, status: ExitStatus, at: Timestamp) {
        self.record.last_end = Some(LastEnd {
            status: status.clone(),
            at,
        });
        self.record.state = ContainerState::Exited { status, at };
        self.changed = true;
    }

    /// Asks for a start as soon as the order of the pod allows it.
    pub(super) fn ask_start(&mut self) {
        self.start = Some(Layer::Kept);
        self.failed_start = None;
    }

    /// Gives up waiting to be started.
    pub(super) fn rest(&mut self) {
        self.start = None;
        if matches!(self.record.state, ContainerState::Waiting { .. }) {
            self.changed = true;
            self.record.state = match &self.record.last_end {
                Some(end) => ContainerState::Exited {
                    status: end.status.clone(),
                    at: end.at,
                },
                None => ContainerState::Created,
            };
        }
    }

    /// Returns why those after it wait for ever, or for the next try.
    pub(super) fn failure(&self) -> Option<Failure> {
        let status = self.record.exit().filter(|status| status.is_failure())?;
        Some(match status {
            ExitStatus::StartFailed { message, code } => self.failed(message.clone(), *code),
            _ => {
                let code = status.code();
                self.failed(
                    format!("the init container ended with exit code {code}"),
                    125,
                )
            }
        })
    }

    /// Says of a failure that it is this container's.
    pub(super) fn failed(&self, message: String, code: u8) -> Failure {
        Failure {
            container: Some(self.record.name.clone()),
            message,
            code,
        }
    }
}
