//! What somebody wants of a container: written down durably, carried out by the pod's supervisor in order.

use serde::{Deserialize, Serialize};

use crate::model::container::StopSignal;
use crate::model::quantity::Seconds;
use crate::names::ContainerId;

/// One wish, numbered in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub seq: i64,
    /// The container; none means all of the pod, in the pod's own order.
    pub container: Option<ContainerId>,
    pub kind: IntentKind,
    /// The command that asked, for those whose wish it overtakes.
    pub by: String,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum IntentKind {
    Start,
    /// Ask for the end, kill after the grace period; without one, the pod's own.
    Stop {
        grace: Option<Seconds>,
    },
    /// Stop and start as one.
    Restart {
        grace: Option<Seconds>,
    },
    Kill {
        signal: StopSignal,
    },
    /// Stop everything for good; the supervisor ends and leaves nothing in the kernel.
    Remove {
        grace: Option<Seconds>,
    },
}

/// Whether an intent was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum IntentState {
    Pending,
    Done(Outcome),
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// It took effect.
    Done,
    /// There was nothing to do.
    Already,
    /// It could not be done; the text says what happened, the code what a shell would see.
    Failed { message: String, code: u8 },
    /// It goes on, but not yet to its end: an init container failed and will be tried again.
    Deferred { message: String },
    /// Another command's wish came before it took effect.
    Overtaken { by: String },
}
