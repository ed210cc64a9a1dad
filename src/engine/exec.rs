//! Runs a further program in a container that runs: `podwright exec`, and exec probes.
//!
//! ```text
//! caller ──start──▶ stage-exec ──fork──▶ the program   (in the container's namespaces and cgroup)
//!    ▲                  │ waits              │
//!    └── exit code ◀────┴──── ended ◀────────┘
//! ```
//!
//! The stage joins everything by one descriptor of the container's init, then confines itself as
//! the bundle's `config.json` says: the program is what the init is.

mod join;
mod terminal;

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::stage::{CreateError, Step};
use crate::sys::{descriptor, memfd};

pub use join::stage_main;
pub use terminal::{Input, attach};

/// The hidden first argument that starts the stage.
pub const STAGE: &str = "stage-exec";

/// Where the stage finds its request, and where it reports.
const REQUEST_FD: i32 = 3;
const REPORT_FD: i32 = 4;

/// How many descriptors the stage is handed.
pub const HANDED: u32 = 5;

/// The most a stage may report.
const REPORT_LIMIT: u64 = 1 << 20;

/// A program to run, and the container to run it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecRequest {
    /// The container's init.
    pub pid: i32,
    /// Its start time, so that no later process is taken for it.
    pub start_time: u64,
    /// Holds the `config.json` the container was made from.
    pub bundle: PathBuf,
    /// Where compiled filters of system calls are kept.
    pub filters: PathBuf,
    /// The container's cgroup, absolute in the cgroup tree.
    pub cgroup: String,
    pub args: Vec<String>,
    /// `NAME=VALUE` each, beside the container's own.
    pub env: Vec<String>,
    /// `USER[:GROUP]`, looked up in the container; without it, as the container's init.
    pub user: Option<String>,
    /// Without it, where the container's init began.
    pub cwd: Option<PathBuf>,
    pub terminal: bool,
}

/// The standard streams of the program; of no use where it has a terminal.
#[derive(Debug)]
pub struct Streams {
    pub stdin: Stdio,
    pub stdout: Stdio,
    pub stderr: Stdio,
}

impl Streams {
    /// The caller's own.
    #[must_use]
    pub fn inherited() -> Self {
        Self {
            stdin: Stdio::inherit(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
        }
    }
}

/// A program that runs in a container.
#[derive(Debug)]
pub struct Exec {
    /// Ends with the program's exit code, or 128 and the signal's number. Killing it kills the program.
    pub stage: Child,
    /// The master of its terminal, if it has one.
    pub terminal: Option<OwnedFd>,
}

impl Exec {
    /// Waits for the program and returns its exit code.
    ///
    /// # Errors
    /// Somebody else waited for the stage.
    pub fn wait(mut self) -> io::Result<u8> {
        let status = self.stage.wait()?;
        Ok(code_of(status))
    }
}

/// Returns the exit code that a stage's end stands for.
#[must_use]
pub fn code_of(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

/// Starts a program in a container; on return it runs.
///
/// # Errors
/// The container does not run, or the program cannot be run in it.
pub fn start(program: &Path, request: &ExecRequest, streams: Streams) -> Result<Exec, CreateError> {
    let failed = |error: &io::Error| CreateError::io(Step::Stage, program, error);
    let input = serde_json::to_vec(request)
        .map_err(io::Error::from)
        .and_then(|text| memfd::sealed("exec", &text))
        .map_err(|error| failed(&error))?;
    let (report, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command
        .arg(OsStr::new(STAGE))
        .env_clear()
        .envs(crate::fault::inherited())
        .current_dir("/")
        .stdin(streams.stdin)
        .stdout(streams.stdout)
        .stderr(streams.stderr);
    // Away from the low numbers first: none may be overwritten before it is moved.
    let away = |fd: OwnedFd| descriptor::move_above(fd, REPORT_FD).map_err(|error| failed(&error));
    descriptor::give(&mut command, away(input.into())?, REQUEST_FD);
    descriptor::give(&mut command, away(theirs.into())?, REPORT_FD);
    let mut stage = command.spawn().map_err(|error| failed(&error))?;
    // The command holds our copies of what it gave.
    drop(command);
    match told(&report) {
        Ok(terminal) => Ok(Exec { stage, terminal }),
        Err(error) => {
            // It has nothing more to do; how it ends says nothing new.
            let _ = stage.wait();
            Err(error)
        }
    }
}

/// Waits until the program runs: until the last copy of the other end closes with `execve(2)`.
fn told(report: &UnixStream) -> Result<Option<OwnedFd>, CreateError> {
    let died = |error: &dyn std::fmt::Display| {
        CreateError::new(Step::Stage, format!("the stage died: {error}"))
    };
    let mut text = Vec::new();
    let terminal = descriptor::receive(report, &mut text).map_err(|error| died(&error))?;
    report
        .take(REPORT_LIMIT)
        .read_to_end(&mut text)
        .map_err(|error| died(&error))?;
    match text.as_slice() {
        // The byte that a terminal travels with, or nothing at all.
        [] | [0] => Ok(terminal),
        [0, error @ ..] | error => {
            Err(serde_json::from_slice(error).unwrap_or_else(|error| died(&error)))
        }
    }
}
