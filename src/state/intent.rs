//! What somebody wants of a container: written down durably, carried out by the pod's supervisor in order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::container::StopSignal;
use crate::model::quantity::Seconds;
use crate::names::{ContainerId, ContainerName};

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
    /// Freeze the processes.
    Pause,
    Unpause,
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

/// Why a wish was not fulfilled, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// Which container of the pod it was; none where the pod as a whole failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerName>,
    pub message: String,
    /// The exit code that a shell would see.
    pub code: u8,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(container) = &self.container {
            write!(f, "container `{container}`: ")?;
        }
        f.write_str(&self.message)
    }
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// It took effect.
    Done,
    /// There was nothing to do.
    Already,
    Failed(Failure),
    /// It goes on, but not yet to its end: an init container failed and will be tried again.
    Deferred(Failure),
    /// Another command's wish came before it took effect.
    Overtaken {
        by: String,
    },
}
