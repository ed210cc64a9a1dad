//! What commands wish: taken in, each in its place, those that cannot wait at once.

use super::pause::{Ice, refused};
use super::words::Command;
use super::{Machine, Moment, Place};
use crate::model::container::StopSignal;
use crate::model::quantity::Seconds;
use crate::model::state::{BootMillis, ContainerState, Wanted};
use crate::names::ContainerId;
use crate::state::{Failure, Intent, IntentKind, Outcome};
use crate::supervisor::member::StopStep;

/// A wish for the pod as a whole.
#[derive(Debug)]
pub(super) struct PodTask {
    /// None is waiting for the outcome of what the machine wishes itself.
    pub(super) seq: Option<i64>,
    pub(super) by: String,
    pub(super) goal: PodGoal,
    /// It had its turn.
    pub(super) begun: bool,
    /// When its stopping began.
    pub(super) began: Option<BootMillis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PodGoal {
    Start,
    Stop(Seconds),
    Restart(Seconds),
    Remove(Seconds),
}

impl Machine {
    pub(super) fn accept(&mut self, intent: Intent, now: Moment, commands: &mut Vec<Command>) {
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
    pub(super) fn accept_task(&mut self, task: PodTask, now: Moment) {
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
    pub(super) fn overtake(&mut self, place: Place, by: &str) {
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
    pub(super) fn shorten(&mut self, place: Place, grace: Seconds, now: Moment) {
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

    pub(super) fn kill(
        &mut self,
        place: Place,
        signal: StopSignal,
        commands: &mut Vec<Command>,
    ) -> Outcome {
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

    pub(super) fn kill_all(&mut self, seq: i64, signal: StopSignal, commands: &mut Vec<Command>) {
        for place in self.places() {
            if self.members[place].record.state.is_running() {
                self.kill(place, signal, commands);
            }
        }
        self.outcomes.push((seq, Outcome::Done));
    }

    pub(super) fn place_of(&self, id: &ContainerId) -> Option<Place> {
        self.members
            .iter()
            .position(|member| &member.record.id == id)
    }
}
