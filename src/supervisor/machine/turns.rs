//! Wishes have their turn one after the other: begun, and ended when they are fulfilled.

use super::wishes::PodGoal;
use super::words::Command;
use super::{Machine, Moment, Place};
use crate::model::container::Role;
use crate::model::event::EventAction;
use crate::model::pod::RestartPolicy;
use crate::model::state::{ContainerState, Wanted};
use crate::state::{Intent, IntentKind, Outcome};
use crate::supervisor::member::Member;

impl Machine {
    /// Returns whether it is the turn of the wish for the pod at the head of the queue.
    ///
    /// Wishes are carried out in the order of their numbers, those for the pod and those for one of its
    /// containers alike; only a stop or removal waits for nobody.
    pub(super) fn is_turn_of_task(&self) -> bool {
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
    pub(super) fn is_turn_of(&self, head: &Intent) -> bool {
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
    pub(super) fn begin_task(&mut self) {
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

    pub(super) fn want_all_running(&mut self) {
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
    pub(super) fn begin_head(&mut self, place: Place, now: Moment, commands: &mut Vec<Command>) {
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

    pub(super) fn finish_pod_start(&mut self, outcome: Outcome) {
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
    pub(super) fn finish_task(&mut self, now: Moment, commands: &mut Vec<Command>) {
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
        let (seq, goal) = (task.seq, task.goal);
        self.tasks.pop_front();
        self.finish(seq, outcome);
        if matches!(goal, PodGoal::Remove(_)) {
            self.end_after_removal();
        }
    }

    /// Ends with the removal of the pod: nothing begins any more, and what else was to end has ended.
    fn end_after_removal(&mut self) {
        self.is_over = true;
        for task in std::mem::take(&mut self.tasks) {
            if matches!(task.goal, PodGoal::Stop(_) | PodGoal::Remove(_)) {
                self.finish(task.seq, Outcome::Done);
            }
        }
    }

    /// Returns how the start of the pod went, once every app container was started or failed to.
    pub(super) fn start_outcome(&self) -> Option<Outcome> {
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
    pub(super) fn init_failure(&self) -> Option<Outcome> {
        if self.spec.restart_policy != RestartPolicy::Never {
            return None;
        }
        self.members
            .iter()
            .filter(|member| member.role == Role::Init)
            .find_map(Member::failure)
            .map(Outcome::Failed)
    }

    /// Ends the wish that a start fulfils, if one is at the head of the queue.
    pub(super) fn finish_start(&mut self, place: Place, outcome: Outcome) {
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
}
