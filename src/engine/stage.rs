//! The hidden stages of the engine: what must run in a process of its own with one thread.
//!
//! ```text
//! supervisor ──start──▶ stage-create ═══════════════════════════════════▶ the container's program
//!      ▲                     │  cgroup, mount namespace, overlay, user, FIFOs,
//!      └── started, error ───┘  mounts, devices, root, ids, confinement
//! ```
//!
//! The stage is one process with one thread from `execve(2)` to `execve(2)`, the first one of the container's PID
//! namespace from the start: nothing is copied, and nothing is left behind to be waited for. Only where the PID namespace
//! is another's, it copies itself into it; and another OCI runtime has its own way.
//!
//! A stage takes its input as descriptor 0 and reports over descriptor 1, so that nothing of it stands in a command
//! line and no descriptor has to be handed on by number.

mod cgroup;
mod create;
mod error;
mod external;
mod infra;
mod init;
mod mounts;
mod program;
mod report;
mod root;
mod streams;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::launch::Launch;
use crate::state::Work;
use crate::sys::memfd;
use crate::sys::namespace::with_pid_namespace;
use crate::sys::process::{self, PidFd};

pub use create::stage_main;
pub use error::{CreateError, Step};
pub(super) use program::execute;
use report::Heard;

/// The hidden first argument that starts the stage.
pub const CREATE: &str = "stage-create";

/// Where a process finds its own program, whatever has become of the file.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The variable that tells the processes of one launch from all others.
const MARK: &str = "PODWRIGHT_LAUNCH";

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
/// The container's output goes to its FIFOs.
///
/// # Errors
/// What the stage could not do; nothing of the container is left but a child to reap.
pub fn create(launch: &Launch, work: Work) -> Result<i32, CreateError> {
    let stage = CreateStage::start(Path::new(OWN_PROGRAM), launch, Some(work))?;
    Ok(stage.finish()?.pid)
}

/// As [`create`] for nobody's pod, with the stage of another program file, and the terminal returned.
///
/// # Errors
/// As [`create`].
pub fn create_with(program: &Path, launch: &Launch) -> Result<Created, CreateError> {
    CreateStage::start(program, launch, None)?.finish()
}

/// A stage that is creating a container.
#[derive(Debug)]
pub struct CreateStage {
    stage: Child,
    /// Whether another process than the stage becomes the container's.
    is_left: bool,
    report: UnixStream,
    /// What all processes of this launch have in their environment until they are the container's program.
    mark: String,
    cgroup: String,
    is_over: bool,
}

impl Drop for CreateStage {
    /// Ends a stage whose container is not wanted after all: nothing of it works on behind its caller's back.
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.stage.kill();
            let _ = self.stage.wait();
            self.clear_up();
        }
    }
}

impl CreateStage {
    /// Starts the stage.
    ///
    /// It has the mark of working for a supervisor as long as it lives, and so have the processes that it makes until
    /// they are the container's program.
    ///
    /// # Errors
    /// There is no process or no memory to be had.
    pub fn start(program: &Path, launch: &Launch, work: Option<Work>) -> Result<Self, CreateError> {
        let failed = |error: &io::Error| CreateError::io(Step::Stage, program, error);
        let input = serde_json::to_vec(launch)
            .map_err(io::Error::from)
            .and_then(|text| memfd::sealed("launch", &text))
            .map_err(|error| failed(&error))?;
        let (report, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
        let value = format!("{}-{}", launch.site.id, std::process::id());
        // With a working directory the standard library would fork(2), and copy the tables of our pages.
        let mut command = Command::new(program);
        command
            .arg(CREATE)
            .env_clear()
            .env(MARK, &value)
            .envs(crate::fault::inherited())
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(work.map_or_else(Stdio::null, |work| Stdio::from(work.into_fd())));
        let is_first = launch.runtime.is_none() && launch.has_new_pid_namespace();
        let stage = match is_first {
            true => with_pid_namespace(|| command.spawn())
                .map_err(|error| CreateError::caused(Step::Stage, &error))?,
            false => command.spawn(),
        };
        Ok(Self {
            stage: stage.map_err(|error| failed(&error))?,
            is_left: launch.runtime.is_some() || launch.joins_pid_namespace(),
            report,
            mark: format!("{MARK}={value}"),
            cgroup: launch.site.cgroup.clone(),
            is_over: false,
        })
    }

    /// Lets the stage start the container that it makes, and waits until it has.
    ///
    /// # Errors
    /// As [`create`].
    pub fn finish(mut self) -> Result<Created, CreateError> {
        let created = report::hear(&self.report).and_then(|heard| self.created(heard));
        let is_container = created
            .as_ref()
            .is_ok_and(|created| Some(created.pid) == self.pid());
        if !is_container {
            // Whoever reaps all children of this process may have been faster.
            let _ = self.stage.wait();
        }
        self.is_over = true;
        created
    }

    fn pid(&self) -> Option<i32> {
        i32::try_from(self.stage.id()).ok()
    }

    /// Finds the container in what was heard; a stage that ended without a word leaves nothing behind.
    fn created(&self, heard: Heard) -> Result<Created, CreateError> {
        let pid = match self.is_left {
            true => heard.successor,
            false => self.pid(),
        };
        if let Some(pid) = pid.filter(|_| heard.started) {
            let terminal = heard.terminal;
            return Ok(Created { pid, terminal });
        }
        self.clear_up();
        Err(CreateError::new(Step::Stage, "the stage was killed"))
    }

    /// Ends what a stage has begun that is gone.
    fn clear_up(&self) {
        loop {
            let strays: Vec<PidFd> = process::children()
                .unwrap_or_default()
                .into_iter()
                .filter(|pid| process::was_started_with(*pid, &self.mark))
                .filter_map(|pid| PidFd::open(pid).ok().flatten())
                .filter(|stray| stray.is_alive().unwrap_or(false))
                .collect();
            if strays.is_empty() {
                break;
            }
            for stray in strays {
                // It is looked for again, and met again when the container is started or removed.
                let _ = stray.send_signal(nix::libc::SIGKILL);
            }
        }
        // What does not end now is met again too.
        let _ = super::cgroups::kill(&self.cgroup);
    }
}
