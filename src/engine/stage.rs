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

mod cgroup;
mod create;
mod error;
mod external;
mod infra;
mod mounts;
mod premount;
mod program;
mod streams;

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use super::launch::Launch;
use crate::state::Work;
use crate::sys::process::{self, PidFd};
use crate::sys::{descriptor, memfd};

pub use create::stage_main;
pub use error::{CreateError, Step};
pub(super) use program::execute;

/// The hidden first argument that starts the stage.
pub const CREATE: &str = "stage-create";

/// Where a process finds its own program, whatever has become of the file.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The variable that tells the processes of one launch from all others.
const MARK: &str = "PODWRIGHT_LAUNCH";

/// What a stage waits for before it starts what it made; the end of the line instead means to give it up.
const GO: &[u8] = b"!";

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
        let stage = Command::new(program)
            .arg(CREATE)
            .env_clear()
            .env(MARK, &value)
            .envs(crate::fault::inherited())
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(work.map_or_else(Stdio::null, |work| Stdio::from(work.into_fd())))
            .spawn()
            .map_err(|error| failed(&error))?;
        Ok(Self {
            stage,
            report,
            mark: format!("{MARK}={value}"),
            cgroup: launch.site.cgroup.clone(),
            is_over: false,
        })
    }

    /// Lets the stage start the container that it makes, and waits for its report.
    ///
    /// # Errors
    /// As [`create`].
    pub fn finish(mut self) -> Result<Created, CreateError> {
        // A stage that is gone has left its report.
        let _ = self.report.write_all(GO);
        let received = self.await_report().and_then(|()| self.receive());
        // Whoever reaps all children of this process may have been faster.
        let _ = self.stage.wait();
        self.is_over = true;
        received
    }

    /// Waits until the stage reports; one that dies without a word leaves nothing behind.
    ///
    /// The end of the stream alone says nothing: the container's init has the other end open too, and may wait for
    /// ever to be started by a stage that is gone.
    fn await_report(&self) -> Result<(), CreateError> {
        let failed = |error: &io::Error| CreateError::caused(Step::Stage, error);
        let pid = i32::try_from(self.stage.id()).unwrap_or_default();
        let stage = PidFd::open(pid).map_err(|error| failed(&error))?;
        loop {
            let mut fds = vec![PollFd::new(self.report.as_fd(), PollFlags::POLLIN)];
            fds.extend(
                stage
                    .iter()
                    .map(|stage| PollFd::new(stage.as_fd(), PollFlags::POLLIN)),
            );
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(failed(&errno.into())),
            }
            if fds[0].any().unwrap_or(true) {
                return Ok(());
            }
            self.clear_up();
            return Err(CreateError::new(Step::Stage, "the stage was killed"));
        }
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
