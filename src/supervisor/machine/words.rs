//! What the machine is told, what it tells to do, and what is written down of it.

use super::Place;
use crate::model::container::{Handler, StopSignal};
use crate::model::event::EventRecord;
use crate::model::observed::ContainerRecord;
use crate::model::quantity::Seconds;
use crate::model::state::{ExitStatus, ProcessRef};
use crate::state::{Intent, Outcome};
use crate::supervisor::member::Layer;

/// How a run of a container ended, and its termination message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub status: ExitStatus,
    pub message: Option<String>,
}

impl From<ExitStatus> for End {
    /// Returns the end of a run that said nothing.
    fn from(status: ExitStatus) -> Self {
        Self {
            status,
            message: None,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    Intent(Intent),
    Started(Place, ProcessRef),
    StartFailed(Place, ExitStatus),
    Ended(Place, End),
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
