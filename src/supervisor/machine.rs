//! The kubelet's rules for one pod, as a pure machine: events in, commands out.
//!
//! ```text
//!              Intent, Started, Ended, HookDone, Probed, time
//!                               │
//!                 Machine::handle(event, now) ──▶ Vec<Command>: Launch, Signal, Kill, Hook, …
//!                               │
//!                 Machine::take_changes() ──▶ records and outcomes for the store
//! ```
//!
//! Intents of one container are carried out one after the other, in the order of their numbers; a kill
//! acts at once, and a stop overtakes what waits before it. The machine never waits: it says by
//! [`Machine::next_wake`] when it wants to be asked again.

mod due;
mod incidents;
mod pause;
mod turns;
mod wishes;
mod words;

use std::collections::VecDeque;

use jiff::Timestamp;

use self::pause::{Ice, IceWish};
use self::wishes::{PodGoal, PodTask};
pub use self::words::{Changes, Command, End, Event, Hook};
use super::chronicle::Chronicle;
use super::deadline::ActiveDeadline;
use super::member::{Member, StopStep};
use crate::model::container::StopSignal;
use crate::model::event::EventAction;
use crate::model::observed::{ContainerRecord, ObservedPod};
use crate::model::pod::PodSpec;
use crate::model::state::{BootId, BootMillis, ContainerState};
use crate::state::{Intent, IntentKind, Outcome};

/// The place of a container in its pod: init containers first, as the spec has them.
pub type Place = usize;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub boot: BootMillis,
    pub wall: Timestamp,
}

/// One pod's machine.
#[derive(Debug)]
pub struct Machine {
    spec: PodSpec,
    boot: BootId,
    members: Vec<Member>,
    tasks: VecDeque<PodTask>,
    ice: Vec<IceWish>,
    chronicle: Chronicle,
    outcomes: Vec<(i64, Outcome)>,
    deadline: ActiveDeadline,
    /// The pod is taken down: what is still wished is for the next supervisor, if there is to be one.
    is_over: bool,
}

impl Machine {
    /// Builds the machine of a pod from its records.
    ///
    /// `stop_signals` are those of the containers' images, in the order of the containers.
    #[must_use]
    pub fn new(
        pod: ObservedPod,
        boot: BootId,
        stop_signals: &[Option<StopSignal>],
        now: Moment,
    ) -> Self {
        let ObservedPod { record, containers } = pod;
        let chronicle = Chronicle::new(record.clone());
        let spec = record.spec;
        let members: Vec<Member> = containers
            .into_iter()
            .enumerate()
            .filter_map(|(place, mut record)| {
                if let ContainerState::Waiting {
                    boot: waits_in,
                    until,
                    ..
                } = &mut record.state
                    && *waits_in != boot
                {
                    *waits_in = boot.clone();
                    *until = now.boot;
                }
                let container = spec.container(&record.name)?;
                let signal = container
                    .lifecycle
                    .stop_signal
                    .or(stop_signals.get(place).copied().flatten())
                    .unwrap_or(StopSignal::TERM);
                Some(Member::new(container, record, signal, now))
            })
            .collect();
        Self {
            deadline: ActiveDeadline::new(spec.active_deadline, &members),
            spec,
            boot,
            members,
            tasks: VecDeque::new(),
            ice: Vec::new(),
            chronicle,
            outcomes: Vec::new(),
            is_over: false,
        }
    }

    /// Returns the record of a container.
    #[must_use]
    pub fn record(&self, place: Place) -> &ContainerRecord {
        &self.members[place].record
    }

    /// Returns the places of all containers.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        0..self.members.len()
    }

    /// Returns whether the startup probe of a container, if it has one, has succeeded in this run.
    #[must_use]
    pub fn has_started_up(&self, place: Place) -> bool {
        self.members[place].started_up
    }

    /// Returns what the pod is.
    #[must_use]
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// Returns whether there is nothing to wait for: no process, no deadline, no wish.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
            && self.members.iter().all(Member::is_idle)
            && !self.is_about_to_start()
    }

    /// Returns whether a container waits for its next start.
    #[must_use]
    pub fn is_about_to_start(&self) -> bool {
        let mut states = self.members.iter().map(|member| &member.record.state);
        states.any(|state| matches!(state, ContainerState::Waiting { .. }))
    }

    /// Returns when the machine wants a [`Event::Tick`].
    #[must_use]
    pub fn next_wake(&self) -> Option<BootMillis> {
        self.members
            .iter()
            .filter_map(|member| match &member.record.state {
                ContainerState::Waiting { until, .. } if !member.launching => Some(*until),
                ContainerState::Stopping { deadline, .. }
                    if member.stop != Some(StopStep::Killed) =>
                {
                    Some(*deadline)
                }
                _ => None,
            })
            .chain(self.deadline.at())
            .min()
    }

    /// Takes what has changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes {
            records: Vec::new(),
            outcomes: std::mem::take(&mut self.outcomes),
            events: self.chronicle.take(),
        };
        for member in &mut self.members {
            if std::mem::take(&mut member.changed) {
                changes.records.push(member.record.clone());
            }
        }
        changes
    }

    /// Lets one thing happen and returns what is to be done about it.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Command> {
        let records = self.members.iter().map(|member| &member.record);
        let before: Vec<ContainerRecord> = records.cloned().collect();
        self.announce(&event, now);
        let commands = self.step(event, now);
        for (before, member) in before.iter().zip(&self.members) {
            self.chronicle.compare(before, &member.record, now.wall);
        }
        self.chronicle.conclude();
        commands
    }

    /// Tells what no record will show.
    fn announce(&mut self, event: &Event, now: Moment) {
        let record = |place: Place| &self.members[place].record;
        match event {
            Event::Unhealthy(place, _) => self.chronicle.unhealthy(record(*place), now.wall),
            Event::HookDone(place, hook, Err(message)) => {
                self.chronicle
                    .hook_failed(record(*place), now.wall, *hook, message);
            }
            Event::Intent(Intent {
                kind: IntentKind::Kill { signal },
                container,
                ..
            }) => {
                let members = self.members.iter().map(|member| &member.record);
                let meant = members.filter(|record| {
                    record.state.is_running()
                        && container.as_ref().is_none_or(|id| *id == record.id)
                });
                for record in meant {
                    let signal = signal.number();
                    let action = EventAction::Kill { signal };
                    self.chronicle
                        .container(record, now.wall, action, None, None);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, event: Event, now: Moment) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.is_over {
            return commands;
        }
        match event {
            Event::Intent(intent) => self.accept(intent, now, &mut commands),
            Event::Started(place, process) => self.started(place, process, now, &mut commands),
            Event::StartFailed(place, status) => self.ended(place, status.into(), now),
            Event::Ended(place, end) => self.ended(place, end, now),
            Event::HookDone(place, hook, result) => {
                self.hook_done(place, hook, result, now, &mut commands);
            }
            Event::Unhealthy(place, grace) => self.unhealthy(place, grace, now, &mut commands),
            Event::StartedUp(place) => self.members[place].start_up(),
            Event::Ready(place, ready) => self.members[place].set_ready(ready),
            Event::Frozen(place, result) => {
                self.ice_done(place, Ice::Freeze, result, &mut commands);
            }
            Event::Thawed(place, result) => {
                self.ice_done(place, Ice::Thaw, result, &mut commands);
            }
            Event::Tick => {}
        }
        if self.deadline.passes(now) {
            self.chronicle.deadline_exceeded(now.wall);
            let stop = PodTask {
                seq: None,
                by: "activeDeadlineSeconds".to_owned(),
                goal: PodGoal::Stop(self.spec.termination_grace),
                begun: false,
                began: None,
            };
            self.accept_task(stop, now);
        }
        self.settle(now, &mut commands);
        self.deadline.observe(&self.members, now);
        commands
    }

    /// Notes how a wish for the pod came out, for whoever waits for it.
    fn finish(&mut self, seq: Option<i64>, outcome: Outcome) {
        self.outcomes.extend(seq.map(|seq| (seq, outcome)));
    }

    /// Does everything that can be done now.
    fn settle(&mut self, now: Moment, commands: &mut Vec<Command>) {
        loop {
            let before = self.progress();
            self.begin_task();
            for place in self.places() {
                self.begin_head(place, now, commands);
            }
            self.enforce_deadlines(now, commands);
            self.stop_unwanted(now, commands);
            self.start_wanted(now, commands);
            self.finish_task(now, commands);
            if self.is_over || self.progress() == before {
                return;
            }
        }
    }

    /// Returns what changes whenever a wish begins or is fulfilled: whoever waited for it may have its turn.
    fn progress(&self) -> (usize, usize, Option<(PodGoal, bool)>) {
        let front = self.tasks.front();
        (
            self.tasks.len(),
            self.members.iter().map(|member| member.queue.len()).sum(),
            front.map(|task| (task.goal, task.begun)),
        )
    }
}

#[cfg(test)]
mod tests;
