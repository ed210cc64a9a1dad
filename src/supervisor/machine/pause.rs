//! Pausing: a wish is fulfilled when the kernel has frozen every container it is for.
//!
//! ```text
//!   Pause ──▶ Freeze ──▶ Frozen: Running becomes Paused        a stop meanwhile wins: it is thawed again
//!   Unpause ─▶ Thaw ──▶ Thawed: Paused becomes Running
//! ```

use std::collections::BTreeSet;

use super::{Command, Machine, Place};
use crate::model::state::ContainerState;
use crate::state::{Failure, IntentKind, Outcome};

/// What is asked of the freezer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ice {
    Freeze,
    Thaw,
}

/// A wish that waits for the freezer.
#[derive(Debug)]
pub(super) struct IceWish {
    seq: i64,
    ice: Ice,
    waits_for: BTreeSet<Place>,
    failure: Option<String>,
}

impl Machine {
    /// Asks the freezer for one container, or refuses in podman's words.
    pub(super) fn ask_ice(
        &mut self,
        seq: i64,
        place: Place,
        ice: Ice,
        commands: &mut Vec<Command>,
    ) {
        let record = &self.members[place].record;
        let refusal = match (ice, &record.state) {
            (Ice::Freeze, ContainerState::Running { .. })
            | (Ice::Thaw, ContainerState::Paused { .. }) => None,
            (Ice::Freeze, ContainerState::Paused { .. }) => Some("is already paused"),
            (Ice::Freeze, _) => Some("is not running, can't pause"),
            (Ice::Thaw, _) => Some("is not paused, can't unpause"),
        };
        match refusal {
            Some(words) => {
                let message = format!("\"{}\" {words}", record.id);
                self.finish(Some(seq), refused(message));
            }
            None => self.begin_ice(seq, ice, BTreeSet::from([place]), commands),
        }
    }

    /// Asks the freezer for all containers of the pod that it can do something for.
    pub(super) fn ask_ice_for_all(&mut self, seq: i64, ice: Ice, commands: &mut Vec<Command>) {
        let members = self.members.iter().enumerate();
        let meant = members.filter(|(_, member)| match ice {
            Ice::Freeze => matches!(member.record.state, ContainerState::Running { .. }),
            Ice::Thaw => matches!(member.record.state, ContainerState::Paused { .. }),
        });
        let places: BTreeSet<Place> = meant.map(|(place, _)| place).collect();
        match places.is_empty() {
            true => self.finish(Some(seq), Outcome::Already),
            false => self.begin_ice(seq, ice, places, commands),
        }
    }

    fn begin_ice(
        &mut self,
        seq: i64,
        ice: Ice,
        places: BTreeSet<Place>,
        commands: &mut Vec<Command>,
    ) {
        commands.extend(places.iter().map(|place| match ice {
            Ice::Freeze => Command::Freeze(*place),
            Ice::Thaw => Command::Thaw(*place),
        }));
        self.ice.push(IceWish {
            seq,
            ice,
            waits_for: places,
            failure: None,
        });
    }

    /// Takes the freezer's answer for one container.
    pub(super) fn ice_done(
        &mut self,
        place: Place,
        ice: Ice,
        result: Result<(), String>,
        commands: &mut Vec<Command>,
    ) {
        let member = &mut self.members[place];
        let next = match (ice, &member.record.state, &result) {
            (Ice::Freeze, ContainerState::Running { process, since }, Ok(())) => {
                Some(ContainerState::Paused {
                    process: process.clone(),
                    since: *since,
                })
            }
            (Ice::Thaw, ContainerState::Paused { process, since }, Ok(())) => {
                Some(ContainerState::Running {
                    process: process.clone(),
                    since: *since,
                })
            }
            // It was asked to end meanwhile, which it cannot while it is frozen.
            (Ice::Freeze, ContainerState::Stopping { .. }, Ok(())) => {
                commands.push(Command::Thaw(place));
                None
            }
            _ => None,
        };
        if let Some(next) = next {
            member.record.state = next;
            member.changed = true;
        }
        self.answer_ice(place, ice, &result);
    }

    fn answer_ice(&mut self, place: Place, ice: Ice, result: &Result<(), String>) {
        for mut wish in std::mem::take(&mut self.ice) {
            if wish.ice == ice && wish.waits_for.remove(&place) {
                wish.failure = wish.failure.or_else(|| result.clone().err());
            }
            if !wish.waits_for.is_empty() {
                self.ice.push(wish);
                continue;
            }
            let outcome = match wish.failure {
                Some(message) => refused(message),
                None => Outcome::Done,
            };
            self.finish(Some(wish.seq), outcome);
        }
    }

    /// Returns why a wish cannot be fulfilled while a container is paused, in podman's words.
    pub(super) fn refusal_while_paused(
        &self,
        place: Option<Place>,
        kind: &IntentKind,
    ) -> Option<String> {
        let words = match kind {
            IntentKind::Start if place.is_some() => {
                "must be in Created or Stopped state to be started"
            }
            IntentKind::Stop { .. } => "can only stop created or running containers",
            IntentKind::Restart { .. } => "unable to restart a container in a paused state",
            IntentKind::Start
            | IntentKind::Kill { .. }
            | IntentKind::Pause
            | IntentKind::Unpause
            | IntentKind::Remove { .. } => return None,
        };
        let mut members = self.members.iter().enumerate();
        let paused = members.find(|(own, member)| {
            place.is_none_or(|place| place == *own)
                && matches!(member.record.state, ContainerState::Paused { .. })
        });
        let id = &paused?.1.record.id;
        Some(format!("{words}. {id} is in state paused"))
    }
}

/// Returns the outcome of a wish that is refused.
pub(super) fn refused(message: String) -> Outcome {
    Outcome::Failed(Failure {
        container: None,
        message,
        code: 125,
    })
}

#[cfg(test)]
#[path = "pause_tests.rs"]
mod tests;
