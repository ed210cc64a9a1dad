//! Why a container was not created, in a form that crosses from a stage to its parent.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::causes::chain;

/// What a stage was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The stage itself.
    Stage,
    /// A mount namespace of its own, and the volumes in it.
    Mounts,
    RootFs,
    Devices,
    /// Looking up the user in the image.
    User,
    Streams,
    Cgroup,
    WorkingDirectory,
    /// What another OCI runtime does.
    Runtime,
    /// The container's program is not there.
    CommandNotFound,
    /// The container's program cannot be executed.
    CommandNotExecutable,
    /// The file of the OCI runtime.
    RuntimeProgram,
    /// The container does not run.
    NotRunning,
    /// Entering a running container.
    Join,
    /// Becoming what the container's processes are.
    Confine,
}

/// A container that was not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub struct CreateError {
    pub step: Step,
    /// What it was done with.
    pub path: Option<PathBuf>,
    /// What the kernel said.
    pub errno: Option<i32>,
    pub message: String,
}

impl CreateError {
    pub(crate) fn new(step: Step, message: impl Into<String>) -> Self {
        Self {
            step,
            path: None,
            errno: None,
            message: message.into(),
        }
    }

    pub(crate) fn io(step: Step, path: &Path, error: &io::Error) -> Self {
        Self {
            step,
            path: Some(path.to_owned()),
            errno: error.raw_os_error(),
            message: error.to_string(),
        }
    }

    /// Takes an error with its causes, which are joined with colons.
    pub(crate) fn caused(step: Step, error: &dyn std::error::Error) -> Self {
        Self::new(step, chain(error))
    }

    /// Returns the exit code a shell would show: 127 not found, 126 not executable, else 125.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self.step {
            Step::CommandNotFound => 127,
            Step::CommandNotExecutable => 126,
            Step::Stage
            | Step::Mounts
            | Step::RootFs
            | Step::Devices
            | Step::User
            | Step::Streams
            | Step::Cgroup
            | Step::WorkingDirectory
            | Step::Runtime
            | Step::RuntimeProgram
            | Step::NotRunning
            | Step::Join
            | Step::Confine => 125,
        }
    }

    fn doing(&self) -> &'static str {
        match self.step {
            Step::Stage => "running a stage of this program",
            Step::Mounts => "preparing the mounts",
            Step::RootFs => "mounting the root file system",
            Step::Devices => "making the devices",
            Step::User => "finding the user",
            Step::Streams => "opening the output",
            Step::Cgroup => "making the cgroup",
            Step::WorkingDirectory => "making the working directory",
            Step::Runtime => "creating the container",
            Step::CommandNotFound | Step::CommandNotExecutable => "running the command",
            Step::RuntimeProgram => "running the OCI runtime",
            Step::NotRunning => "finding the container",
            Step::Join => "entering the container",
            Step::Confine => "confining the process",
        }
    }
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing())?;
        if let Some(path) = &self.path {
            write!(f, " `{}`", path.display())?;
        }
        write!(f, ": {}", self.message)
    }
}
