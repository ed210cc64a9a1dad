//! The hidden stages of the engine: what must run in a process of its own with one thread.
//!
//! ```text
//! supervisor ──create──▶ stage-create ──libcontainer──▶ init      (a child of the supervisor)
//!      ▲                     │  mount namespace, overlay, user, FIFOs, cgroup
//!      └──── pid or error ───┘
//! ```
//!
//! libcontainer deadlocks in a process with threads, and changes the process it runs in (OOM score,
//! dumpable). A stage takes its input as descriptor 0 and reports over descriptor 1, so that
//! nothing of it stands in a command line and no descriptor has to be handed on by number.

mod create;
mod error;
mod external;
mod infra;
mod program;
mod streams;

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::launch::Launch;
use crate::sys::descriptor;
use crate::sys::memfd;

pub use create::stage_main;
pub use error::{CreateError, Step};
pub(super) use program::execute;

/// The hidden first argument that starts the stage.
pub const CREATE: &str = "stage-create";

/// Where a process finds its own program, whatever has become of the file.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The most a stage may answer.
const REPLY_LIMIT: u64 = 1 << 20;

/// What the stage reports.
#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Created { pid: i32 },
    Failed(CreateError),
}

/// A container whose program runs.
#[derive(Debug)]
pub struct Created {
    /// A child of the calling process: its number stays its own until it is waited for.
    pub pid: i32,
    /// The master of its terminal, if it has one; its output comes from there.
    pub terminal: Option<OwnedFd>,
}

/// Creates and starts a container, and returns the pid of its init, a child of this process.
///
/// The container's output goes to its FIFOs. Besides the init, the runtime leaves one more child,
/// a zombie at once, that a subreaper has to reap.
///
/// # Errors
/// What the stage could not do; nothing of the container is left but a child to reap.
pub fn create(launch: &Launch) -> Result<i32, CreateError> {
    Ok(create_with(Path::new(OWN_PROGRAM), launch)?.pid)
}

/// As [`create`], with the stage of another program file, and the terminal returned.
///
/// # Errors
/// As [`create`].
pub fn create_with(program: &Path, launch: &Launch) -> Result<Created, CreateError> {
    CreateStage::start(program, launch)?.finish()
}

/// A stage that is creating a container.
#[derive(Debug)]
pub struct CreateStage {
    stage: Child,
    report: UnixStream,
}

impl CreateStage {
    /// Starts the stage.
    ///
    /// # Errors
    /// There is no process or no memory to be had.
    pub fn start(program: &Path, launch: &Launch) -> Result<Self, CreateError> {
        let failed = |error: &io::Error| CreateError::io(Step::Stage, program, error);
        let input = serde_json::to_vec(launch)
            .map_err(io::Error::from)
            .and_then(|text| memfd::sealed("launch", &text))
            .map_err(|error| failed(&error))?;
        let (report, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
        let stage = Command::new(program)
            .arg(CREATE)
            .env_clear()
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            .current_dir("/")
            .spawn()
            .map_err(|error| failed(&error))?;
        Ok(Self { stage, report })
    }

    /// Waits for the stage's report.
    ///
    /// # Errors
    /// As [`create`].
    pub fn finish(mut self) -> Result<Created, CreateError> {
        let received = self.receive();
        // Whoever reaps all children of this process may have been faster.
        let _ = self.stage.wait();
        received
    }

    fn receive(&mut self) -> Result<Created, CreateError> {
        let died = |error: &dyn std::fmt::Display| {
            CreateError::new(Step::Stage, format!("the stage died: {error}"))
        };
        let mut text = Vec::new();
        let terminal = descriptor::receive(&self.report, &mut text).map_err(|e| died(&e))?;
        (&mut self.report)
            .take(REPLY_LIMIT)
            .read_to_end(&mut text)
            .map_err(|error| died(&error))?;
        match serde_json::from_slice(&text) {
            Ok(Reply::Created { pid }) => Ok(Created { pid, terminal }),
            Ok(Reply::Failed(error)) => Err(error),
            Err(error) => Err(died(&error)),
        }
    }
}
