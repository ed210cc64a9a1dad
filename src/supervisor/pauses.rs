//! Which containers are paused: their probes are not asked, and what was asked meanwhile does not count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::machine::Place;

/// How often each container was paused or unpaused: one with an odd number is paused.
#[derive(Debug, Clone, Default)]
pub(super) struct Pauses(Arc<Mutex<BTreeMap<Place, u64>>>);

impl Pauses {
    /// Notes that a container is being paused.
    pub(super) fn begin(&self, place: Place) {
        self.turn(place, 0);
    }

    /// Notes that a container runs again.
    pub(super) fn end(&self, place: Place) {
        self.turn(place, 1);
    }

    /// Returns which time without a pause this is; none while the container is paused.
    pub(super) fn unpaused(&self, place: Place) -> Option<u64> {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.get(&place).copied().unwrap_or_default();
        (turn % 2 == 0).then_some(turn)
    }

    fn turn(&self, place: Place, from: u64) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(place).or_default();
        if *turn % 2 == from {
            *turn += 1;
        }
    }
}
