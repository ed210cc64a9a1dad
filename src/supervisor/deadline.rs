//! How long a pod may be active (`activeDeadlineSeconds`).

use super::machine::Moment;
use super::member::Member;
use crate::model::quantity::Seconds;
use crate::model::state::{BootMillis, ContainerState};

/// The deadline of a pod, counted from when it became active.
///
/// A pod of which nothing runs and nothing is to run is not active; started again, it has its time anew.
#[derive(Debug)]
pub(super) struct ActiveDeadline {
    limit: Option<Seconds>,
    began: Option<BootMillis>,
    /// It has passed, and the pod is being stopped.
    passed: bool,
}

impl ActiveDeadline {
    /// Takes up the deadline of a pod that a former supervisor may have started.
    pub(super) fn new(limit: Option<Seconds>, members: &[Member]) -> Self {
        Self {
            limit,
            began: members
                .iter()
                .filter_map(|member| member.started_boot)
                .min(),
            passed: false,
        }
    }

    /// Returns when it passes.
    pub(super) fn at(&self) -> Option<BootMillis> {
        let (limit, began) = (self.limit?, self.began?);
        (!self.passed).then(|| began.after(limit.duration()))
    }

    /// Returns whether it passes now; true once.
    pub(super) fn passes(&mut self, now: Moment) -> bool {
        let passes = self.at().is_some_and(|at| at <= now.boot);
        self.passed |= passes;
        passes
    }

    /// Looks whether the pod is active.
    pub(super) fn observe(&mut self, members: &[Member], now: Moment) {
        let is_active = members.iter().any(|member| {
            !member.is_idle() || matches!(member.record.state, ContainerState::Waiting { .. })
        });
        if is_active {
            self.began.get_or_insert(now.boot);
        } else {
            self.began = None;
            self.passed = false;
        }
    }
}
