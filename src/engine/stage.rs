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
//! is another's, it copies itself into it; and another OCI runtime has its own way. For a pod that fails again and again
//! the first `execve(2)` is that of a [fork server](StageServer).
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
mod server;
mod streams;

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::launch::Launch;
use crate::state::Work;
use crate::sys::memfd;
use crate::sys::namespace::with_pid_namespace;
use crate::sys::process::{self, PidFd};

pub use create::stage_main;
pub use error::{CreateError, Step};
pub(super) use program::execute;
use report::Heard;
pub use server::{SERVE, StageServer, stage_main as serve_main};

/// The hidden first argument that starts the stage.
pub const CREATE: &str = "stage-create";

/// Where a process finds its own program, whatever has become of the file.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The variable that tells the processes of one launch from all others, but for stages that are copied.
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
    /// A child of this process until it is waited for.
    pid: Pid,
    report: UnixStream,
    /// Where another process than the stage becomes the container's: what both have in their environment until it does.
    mark: Option<String>,
    cgroup: String,
    is_over: bool,
}

/// What a stage is handed, and this process's end of its report.
struct Handed {
    input: OwnedFd,
    report: OwnedFd,
    heard: UnixStream,
}

impl Handed {
    fn of(launch: &Launch) -> io::Result<Self> {
        let text = serde_json::to_vec(launch)?;
        let (heard, report) = UnixStream::pair()?;
        Ok(Self {
            input: memfd::sealed("launch", &text)?.into(),
            report: report.into(),
            heard,
        })
    }
}

impl Drop for CreateStage {
    /// Ends a stage whose container is not wanted after all: nothing of it works on behind its caller's back.
    fn drop(&mut self) {
        if !self.is_over {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
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
        let failed = |error: io::Error| CreateError::io(Step::Stage, program, &error);
        let handed = Handed::of(launch).map_err(failed)?;
        let value = format!("{}-{}", launch.site.id, std::process::id());
        // With a working directory the standard library would fork(2), and copy the tables of our pages.
        let mut command = Command::new(program);
        command
            .arg(CREATE)
            .env_clear()
            .env(MARK, &value)
            .envs(crate::fault::inherited())
            .stdin(Stdio::from(handed.input))
            .stdout(Stdio::from(handed.report))
            .stderr(work.map_or_else(Stdio::null, |work| Stdio::from(work.into_fd())));
        let stage = match is_first(launch) {
            true => with_pid_namespace(|| command.spawn())
                .map_err(|error| CreateError::caused(Step::Stage, &error))?,
            false => command.spawn(),
        };
        let pid = stage.and_then(|stage| i32::try_from(stage.id()).map_err(io::Error::other));
        Ok(Self {
            pid: Pid::from_raw(pid.map_err(failed)?),
            report: handed.heard,
            mark: makes_others(launch).then(|| format!("{MARK}={value}")),
            cgroup: launch.site.cgroup.clone(),
            is_over: false,
        })
    }

    /// Has the stage made by a fork server, as one that [`start`](Self::start) starts; nothing of a launch whose stage makes
    /// other processes, of which a server would know nothing.
    ///
    /// # Errors
    /// The server is gone, or can make none.
    pub fn copy(server: &StageServer, launch: &Launch, work: Work) -> io::Result<Option<Self>> {
        if makes_others(launch) {
            return Ok(None);
        }
        let handed = Handed::of(launch)?;
        let work = work.into_fd();
        let streams = [&handed.input, &handed.report, &work].map(|fd| fd.as_fd());
        let pid = server.copy(streams, is_first(launch))?;
        Ok(Some(Self {
            pid: Pid::from_raw(pid),
            report: handed.heard,
            mark: None,
            cgroup: launch.site.cgroup.clone(),
            is_over: false,
        }))
    }

    /// Lets the stage start the container that it makes, and waits until it has.
    ///
    /// # Errors
    /// As [`create`].
    pub fn finish(mut self) -> Result<Created, CreateError> {
        let created = report::hear(&self.report).and_then(|heard| self.created(heard));
        let is_container = created
            .as_ref()
            .is_ok_and(|created| created.pid == self.pid.as_raw());
        if !is_container {
            // Whoever reaps all children of this process may have been faster.
            let _ = waitpid(self.pid, None);
        }
        self.is_over = true;
        created
    }

    /// Finds the container in what was heard; a stage that ended without a word leaves nothing behind.
    fn created(&self, heard: Heard) -> Result<Created, CreateError> {
        let pid = match self.mark.is_some() {
            true => heard.successor,
            false => Some(self.pid.as_raw()),
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
        while let Some(mark) = &self.mark {
            let strays: Vec<PidFd> = process::children()
                .unwrap_or_default()
                .into_iter()
                .filter(|pid| process::was_started_with(*pid, mark))
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

/// Returns whether a stage is the first process of its PID namespace, and then of the container.
fn is_first(launch: &Launch) -> bool {
    launch.runtime.is_none() && launch.has_new_pid_namespace()
}

/// Returns whether a stage makes another process, which becomes the container's.
fn makes_others(launch: &Launch) -> bool {
    launch.runtime.is_some() || launch.joins_pid_namespace()
}
