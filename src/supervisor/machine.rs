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

#[path = "machine_pause.rs"]
mod pause;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use pause::{Ice, IceWish, refused};

use super::chronicle::Chronicle;
use super::deadline::ActiveDeadline;
use super::member::{LEAST_GRACE, Layer, Member, StopStep};
use crate::model::container::{Handler, Role, StopSignal};
use crate::model::event::{EventAction, EventRecord};
use crate::model::observed::{ContainerRecord, ObservedPod};
use crate::model::pod::{PodSpec, RestartPolicy};
use crate::model::quantity::Seconds;
use crate::model::state::{
    BootId, BootMillis, ContainerState, ExitStatus, ProcessRef, WaitReason, Wanted,
};
use crate::names::ContainerId;
use crate::state::{Failure, Intent, IntentKind, Outcome};

/// The place of a container in its pod: init containers first, as the spec has them.
pub type Place = usize;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub boot: BootMillis,
    pub wall: Timestamp,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    Intent(Intent),
    Started(Place, ProcessRef),
    StartFailed(Place, ExitStatus),
    Ended(Place, ExitStatus),
    /// A hook ended; the text says how it failed.
    HookDone(Place, Hook, Result<(), String>),
    /// A liveness or startup probe gave the container up.
    Unhealthy(Place, Option<Seconds>),
    /// A startup probe succeeded for the first time, or there is none.
    StartedUp(Place),
    Ready(Place, bool),
    /// The freezer did what it was told, or why not.
    Frozen(Place, Result<(), String>),
    Thawed(Place, Result<(), String>),
    /// Time passed.
    Tick,
}

/// Which hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    PostStart,
    PreStop,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Launch(Place, Layer),
    Signal(Place, StopSignal),
    /// End it and everything in its cgroup.
    Kill(Place),
    Run(Place, Hook, Handler),
    Freeze(Place),
    Thaw(Place),
    /// Everything has ended and nobody wants the pod any more.
    Remove,
}

impl Command {
    /// Returns what the kind of command is called.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Launch(..) => "launch a container",
            Self::Signal(..) => "signal a container",
            Self::Kill(_) => "kill a container",
            Self::Run(..) => "run a hook",
            Self::Freeze(_) => "freeze a container",
            Self::Thaw(_) => "thaw a container",
            Self::Remove => "take the pod down",
        }
    }
}

/// What to write down.
#[derive(Debug, Default)]
pub struct Changes {
    pub records: Vec<ContainerRecord>,
    pub outcomes: Vec<(i64, Outcome)>,
    pub events: Vec<EventRecord>,
}

impl Changes {
    /// Returns whether there is nothing to write down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.outcomes.is_empty() && self.events.is_empty()
    }
}

/// A wish for the pod as a whole.
#[derive(Debug)]
struct PodTask {
    /// None is waiting for the outcome of what the machine wishes itself.
    seq: Option<i64>,
    by: String,
    goal: PodGoal,
    /// It had its turn.
    begun: bool,
    /// When its stopping began.
    began: Option<BootMillis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PodGoal {
    Start,
    Stop(Seconds),
    Restart(Seconds),
    Remove(Seconds),
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
            && self.members.iter().all(|member| {
                member.is_idle() && !matches!(member.record.state, ContainerState::Waiting { .. })
            })
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
        match event {
            Event::Intent(intent) => self.accept(intent, now, &mut commands),
            Event::Started(place, process) => self.started(place, process, now, &mut commands),
            Event::StartFailed(place, status) => self.ended(place, status, now),
            Event::Ended(place, status) => self.ended(place, status, now),
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

    fn accept(&mut self, intent: Intent, now: Moment, commands: &mut Vec<Command>) {
        let grace = |grace: Option<Seconds>| grace.unwrap_or(self.spec.termination_grace);
        let place = intent.container.as_ref().and_then(|id| self.place_of(id));
        if place.is_some() == intent.container.is_some()
            && let Some(message) = self.refusal_while_paused(place, &intent.kind)
        {
            self.finish(Some(intent.seq), refused(message));
            return;
        }
        let Some(_) = &intent.container else {
            let goal = match intent.kind {
                IntentKind::Start => PodGoal::Start,
                IntentKind::Stop { grace: wish } => PodGoal::Stop(grace(wish)),
                IntentKind::Restart { grace: wish } => PodGoal::Restart(grace(wish)),
                IntentKind::Remove { grace: wish } => PodGoal::Remove(grace(wish)),
                IntentKind::Kill { signal } => {
                    self.kill_all(intent.seq, signal, commands);
                    return;
                }
                IntentKind::Pause => {
                    self.ask_ice_for_all(intent.seq, Ice::Freeze, commands);
                    return;
                }
                IntentKind::Unpause => {
                    self.ask_ice_for_all(intent.seq, Ice::Thaw, commands);
                    return;
                }
            };
            self.accept_task(
                PodTask {
                    seq: Some(intent.seq),
                    by: intent.by,
                    goal,
                    begun: false,
                    began: None,
                },
                now,
            );
            return;
        };
        let Some(place) = place else {
            let failure = Failure {
                container: None,
                message: "no such container".to_owned(),
                code: 125,
            };
            self.outcomes.push((intent.seq, Outcome::Failed(failure)));
            return;
        };
        match intent.kind {
            IntentKind::Kill { signal } => {
                let outcome = self.kill(place, signal, commands);
                self.outcomes.push((intent.seq, outcome));
            }
            IntentKind::Pause => self.ask_ice(intent.seq, place, Ice::Freeze, commands),
            IntentKind::Unpause => self.ask_ice(intent.seq, place, Ice::Thaw, commands),
            IntentKind::Stop { grace: wish } | IntentKind::Remove { grace: wish } => {
                let wish = grace(wish);
                self.overtake(place, &intent.by);
                self.members[place].want(Wanted::Stopped);
                self.shorten(place, wish, now);
                self.members[place].queue.push_back(intent);
            }
            IntentKind::Start | IntentKind::Restart { .. } => {
                self.members[place].queue.push_back(intent);
            }
        }
    }

    /// Takes a wish for the whole pod; a stop or removal overtakes what waits and breaks into what goes on.
    fn accept_task(&mut self, task: PodTask, now: Moment) {
        if let PodGoal::Stop(grace) | PodGoal::Remove(grace) = task.goal {
            for earlier in std::mem::take(&mut self.tasks) {
                if matches!(earlier.goal, PodGoal::Start | PodGoal::Restart(_)) {
                    let by = task.by.clone();
                    self.finish(earlier.seq, Outcome::Overtaken { by });
                } else {
                    self.tasks.push_back(earlier);
                }
            }
            for place in self.places() {
                self.overtake(place, &task.by);
                self.members[place].want(Wanted::Stopped);
                self.shorten(place, grace, now);
            }
        }
        self.tasks.push_back(task);
    }

    /// Ends the wishes for a container that a stop makes pointless.
    fn overtake(&mut self, place: Place, by: &str) {
        let member = &mut self.members[place];
        if matches!(
            member.queue.front().map(|head| &head.kind),
            Some(IntentKind::Start | IntentKind::Restart { .. })
        ) {
            member.head_began = false;
        }
        for intent in std::mem::take(&mut member.queue) {
            if matches!(intent.kind, IntentKind::Start | IntentKind::Restart { .. }) {
                let by = by.to_owned();
                self.outcomes.push((intent.seq, Outcome::Overtaken { by }));
            } else {
                member.queue.push_back(intent);
            }
        }
        member.start = None;
    }

    /// Moves the deadline of a container that is already stopping nearer, never further away.
    fn shorten(&mut self, place: Place, grace: Seconds, now: Moment) {
        let member = &mut self.members[place];
        if let ContainerState::Stopping { deadline, .. } = &mut member.record.state {
            let wished = now.boot.after(grace.duration());
            if wished < *deadline {
                *deadline = wished;
                member.changed = true;
            }
            if grace == Seconds(0) && member.stop == Some(StopStep::Hook) {
                // Whoever gives no time at all means the end, not the hook's.
                member.stop = Some(StopStep::Signalled);
            }
        }
    }

    fn kill(&mut self, place: Place, signal: StopSignal, commands: &mut Vec<Command>) -> Outcome {
        let member = &mut self.members[place];
        if !member.record.state.is_running() {
            let message = format!(
                "can only kill running containers. {} is in state {}",
                member.record.id,
                member.record.state.word()
            );
            return Outcome::Failed(member.failed(message, 125));
        }
        if signal == StopSignal::KILL {
            // A container killed by hand stays down, as podman has it.
            member.want(Wanted::Stopped);
            commands.push(Command::Kill(place));
            if matches!(member.record.state, ContainerState::Paused { .. }) {
                // On version 1 of the cgroups what is frozen does not even die.
                commands.push(Command::Thaw(place));
            }
        } else {
            commands.push(Command::Signal(place, signal));
        }
        Outcome::Done
    }

    fn kill_all(&mut self, seq: i64, signal: StopSignal, commands: &mut Vec<Command>) {
        for place in self.places() {
            if self.members[place].record.state.is_running() {
                self.kill(place, signal, commands);
            }
        }
        self.outcomes.push((seq, Outcome::Done));
    }

    fn started(
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

    /// Ends the wish that a start fulfils, if one is at the head of the queue.
    fn finish_start(&mut self, place: Place, outcome: Outcome) {
        let member = &mut self.members[place];
        member.start = None;
        let fulfilled = |head: &Intent| match head.kind {
            IntentKind::Start => true,
            // One that has not begun wants a start of its own.
            IntentKind::Restart { .. } => member.head_began,
            _ => false,
        };
        if let Some(head) = member.queue.front()
            && fulfilled(head)
        {
            self.outcomes.push((head.seq, outcome));
            member.queue.pop_front();
            member.head_began = false;
        }
    }

    fn ended(&mut self, place: Place, status: ExitStatus, now: Moment) {
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

    fn hook_done(
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

    fn unhealthy(
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
            if self.progress() == before {
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

    /// Returns whether it is the turn of the wish for the pod at the head of the queue.
    ///
    /// Wishes are carried out in the order of their numbers, those for the pod and those for one of its
    /// containers alike; only a stop or removal waits for nobody.
    fn is_turn_of_task(&self) -> bool {
        self.tasks.front().is_some_and(|task| match task.goal {
            PodGoal::Stop(_) | PodGoal::Remove(_) => true,
            PodGoal::Start | PodGoal::Restart(_) => {
                let earlier = |head: &Intent| Some(head.seq) < task.seq;
                let heads = self.members.iter().filter_map(|m| m.queue.front());
                !heads.into_iter().any(earlier)
            }
        })
    }

    /// Returns whether it is the turn of a wish for one container.
    fn is_turn_of(&self, head: &Intent) -> bool {
        match head.kind {
            IntentKind::Stop { .. }
            | IntentKind::Remove { .. }
            | IntentKind::Kill { .. }
            | IntentKind::Pause
            | IntentKind::Unpause => true,
            IntentKind::Start | IntentKind::Restart { .. } => self
                .tasks
                .front()
                .is_none_or(|task| task.seq > Some(head.seq)),
        }
    }

    /// Turns the wish for the pod at the head of the queue into wishes for its containers.
    fn begin_task(&mut self) {
        if !self.is_turn_of_task() {
            return;
        }
        let Some(task) = self.tasks.front_mut() else {
            return;
        };
        task.begun = true;
        match task.goal {
            PodGoal::Start => self.want_all_running(),
            PodGoal::Stop(_) | PodGoal::Remove(_) | PodGoal::Restart(_) => {
                for member in &mut self.members {
                    member.want(Wanted::Stopped);
                }
            }
        }
    }

    fn want_all_running(&mut self) {
        let fresh_start = self.members.iter().all(|member| {
            member.record.wanted == Wanted::Stopped && !member.record.state.is_running()
        });
        for member in &mut self.members {
            if member.record.wanted == Wanted::Stopped && member.removed_by.is_none() {
                member.want(Wanted::Running);
                let runs = member.record.state.is_running();
                if !runs && (fresh_start || member.role != Role::Init) {
                    member.ask_start();
                }
            }
        }
    }

    /// Begins the wish at the head of a container's queue.
    fn begin_head(&mut self, place: Place, now: Moment, commands: &mut Vec<Command>) {
        let default_grace = self.spec.termination_grace;
        let head = self.members[place].queue.front().cloned();
        let Some(head) = head.filter(|head| self.is_turn_of(head)) else {
            return;
        };
        let member = &mut self.members[place];
        let running = member.record.state.is_running();
        match head.kind {
            IntentKind::Start | IntentKind::Restart { .. } if member.removed_by.is_some() => {
                let by = member.removed_by.clone().unwrap_or_default();
                member.queue.pop_front();
                self.outcomes.push((head.seq, Outcome::Overtaken { by }));
            }
            IntentKind::Start if running && !member.head_began => {
                member.want(Wanted::Running);
                self.finish_start(place, Outcome::Already);
            }
            IntentKind::Start if !member.head_began => {
                member.head_began = true;
                member.want(Wanted::Running);
                member.ask_start();
            }
            // What is being started has to be there before it can be started again.
            IntentKind::Restart { .. } if member.launching && !member.head_began => {}
            IntentKind::Restart { grace } => {
                member.want(Wanted::Running);
                if !member.head_began {
                    member.head_began = true;
                    if running {
                        member.begin_stop(place, grace.unwrap_or(default_grace), now, commands);
                    }
                }
                if !member.record.state.is_running() && !member.launching && member.start.is_none()
                {
                    member.ask_start();
                }
            }
            IntentKind::Stop { grace } | IntentKind::Remove { grace } => {
                if running {
                    member.head_began = true;
                    member.begin_stop(place, grace.unwrap_or(default_grace), now, commands);
                } else if !member.launching {
                    let began = std::mem::take(&mut member.head_began);
                    member.rest();
                    // A start of the pod that was asked for before does not start it after all.
                    member.want(Wanted::Stopped);
                    if matches!(head.kind, IntentKind::Remove { .. }) {
                        member.removed_by = Some(head.by);
                    }
                    member.queue.pop_front();
                    let outcome = if began {
                        Outcome::Done
                    } else {
                        Outcome::Already
                    };
                    self.outcomes.push((head.seq, outcome));
                }
            }
            IntentKind::Start
            | IntentKind::Kill { .. }
            | IntentKind::Pause
            | IntentKind::Unpause => {}
        }
    }

    fn enforce_deadlines(&mut self, now: Moment, commands: &mut Vec<Command>) {
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
    fn stop_unwanted(&mut self, now: Moment, commands: &mut Vec<Command>) {
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
    fn start_wanted(&mut self, now: Moment, commands: &mut Vec<Command>) {
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
                member.changed = true;
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

    fn finish_pod_start(&mut self, outcome: Outcome) {
        if let Some(task) = self.tasks.front()
            && task.goal == PodGoal::Start
            && task.begun
        {
            let seq = task.seq;
            self.tasks.pop_front();
            self.finish(seq, outcome);
        }
    }

    /// Ends the wish for the pod at the head of the queue if it is fulfilled.
    fn finish_task(&mut self, now: Moment, commands: &mut Vec<Command>) {
        let start_outcome = self.start_outcome();
        let all_down = self
            .members
            .iter()
            .all(|member| !member.record.state.is_running() && !member.launching);
        let Some(task) = self.tasks.front_mut().filter(|task| task.begun) else {
            return;
        };
        let outcome = match (task.goal, start_outcome) {
            (PodGoal::Start, Some(outcome)) => outcome,
            (PodGoal::Restart(_), _) if all_down => {
                task.goal = PodGoal::Start;
                task.begun = false;
                return;
            }
            (PodGoal::Stop(_), _) if all_down => Outcome::Done,
            (PodGoal::Remove(_), _) if all_down => {
                commands.push(Command::Remove);
                Outcome::Done
            }
            _ => return,
        };
        if matches!(outcome, Outcome::Failed { .. }) {
            self.members.iter_mut().for_each(Member::rest);
        }
        match (task.goal, &outcome) {
            (PodGoal::Start, Outcome::Done) => {
                self.chronicle.pod(now.wall, EventAction::Start);
            }
            (PodGoal::Stop(_), Outcome::Done) => self.chronicle.pod(now.wall, EventAction::Stop),
            _ => {}
        }
        let seq = task.seq;
        self.tasks.pop_front();
        self.finish(seq, outcome);
    }

    /// Returns how the start of the pod went, once every app container was started or failed to.
    fn start_outcome(&self) -> Option<Outcome> {
        let mut failure = None;
        for member in self
            .members
            .iter()
            .filter(|member| member.role == Role::App && member.removed_by.is_none())
        {
            if let Some(failed) = &member.failed_start {
                failure.get_or_insert_with(|| Outcome::Failed(failed.clone()));
            } else if member.launching {
                return None;
            } else if member.start.is_some()
                || member.record.state == ContainerState::Created
                    && member.record.wanted == Wanted::Running
            {
                return self.init_failure();
            }
        }
        Some(failure.unwrap_or(Outcome::Done))
    }

    /// Returns why the pod will never start: an init container failed and is not tried again.
    fn init_failure(&self) -> Option<Outcome> {
        if self.spec.restart_policy != RestartPolicy::Never {
            return None;
        }
        self.members
            .iter()
            .filter(|member| member.role == Role::Init)
            .find_map(Member::failure)
            .map(Outcome::Failed)
    }

    fn place_of(&self, id: &ContainerId) -> Option<Place> {
        self.members
            .iter()
            .position(|member| &member.record.id == id)
    }
}

/// Returns what those before it have left a sidecar of the pod's one grace period (KEP-753).
fn left_of(grace: Seconds, past: Duration) -> Seconds {
    let left = Seconds(grace.0.saturating_sub(past.as_secs()));
    left.max(LEAST_GRACE.min(grace))
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
