//! The fork server of a pod whose containers fail again and again: a stage that was executed once, and is copied for each
//! container that is started anew.
//!
//! ```text
//! supervisor ──streams──▶ fork server ──clone3(CLONE_PARENT)──▶ stage ═════▶ the container's program
//!      ▲                       │ pid                              │
//!      └───────────────────────┴────────── started, error ────────┘
//! ```
//!
//! To execute this program costs a stage a quarter of all that it does: its pages are mapped, its C library asks the
//! processor what it can do, for which a virtual machine stops each time. A copy is a child of the supervisor like any
//! other stage. The server ends with its line, and keeps nothing but the last launch, which the next one mostly equals.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use super::create::{Ready, make};
use crate::fault;
use crate::sys::cgroup::Cgroups;
use crate::sys::descriptor::{receive, send};
use crate::sys::process::{Birthplace, SingleThreaded, restore_signals};

/// The hidden first argument that starts a fork server.
pub const SERVE: &str = "stage-serve";

/// The standard streams of a stage: its input, its report, and the mark of whom it works for.
type Streams = [OwnedFd; 3];

/// What a stage is asked for with, as the byte beside its last stream.
const FIRST: u8 = b'1';
const FURTHER: u8 = b'+';

/// A supervisor's line to its fork server.
#[derive(Debug)]
pub struct StageServer(UnixStream);

impl StageServer {
    /// Starts a fork server.
    ///
    /// Its copies end with the thread that calls this.
    ///
    /// # Errors
    /// There is no process to be had.
    pub fn start(program: &Path) -> io::Result<Self> {
        let (line, theirs) = UnixStream::pair()?;
        Command::new(program)
            .arg(SERVE)
            .env_clear()
            .envs(fault::inherited())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // It is reaped with everything that falls to a supervisor.
            .spawn()?;
        Ok(Self(line))
    }

    /// Has a stage made that has these streams, the first process of a PID namespace or not, and returns its pid.
    ///
    /// # Errors
    /// The server is gone, or there is no process to be had; a stage that was made all the same ends with its report.
    pub(super) fn copy(&self, streams: [BorrowedFd<'_>; 3], is_first: bool) -> io::Result<i32> {
        let kind = if is_first { FIRST } else { FURTHER };
        for stream in streams {
            send(&self.0, &[kind], Some(stream))?;
        }
        let mut answer = Vec::new();
        while answer.len() < size_of::<i32>() {
            let known = answer.len();
            receive(&self.0, &mut answer)?;
            if answer.len() == known {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let answer = answer.try_into().map(i32::from_ne_bytes);
        // A process has a positive number, an error that of an errno with a minus.
        match answer.unwrap_or(0) {
            pid @ 1.. => Ok(pid),
            errno => Err(io::Error::from_raw_os_error(-errno)),
        }
    }
}

/// The `main` of the fork server, and of the stages that are copied from it.
pub fn stage_main() -> ExitCode {
    restore_signals();
    // Asked once for all copies.
    let _ = Cgroups::detect();
    let Ok(line) = io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let line = UnixStream::from(line);
    let mut known = Known::default();
    let served = serve(&line, &mut known);
    drop(line);
    match served.and_then(|streams| streams.map(take).transpose()) {
        Ok(Some(())) => make(known.ready),
        Ok(None) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The last launch, as it was written and as it was read, its filter of system calls compiled.
#[derive(Default)]
struct Known {
    text: Vec<u8>,
    ready: Option<Ready>,
}

impl Known {
    /// Reads a launch, unless it is the last one again; one that makes no sense is the copy's to complain of.
    fn learn(&mut self, input: &OwnedFd) -> io::Result<()> {
        let input = File::from(input.try_clone()?);
        let size = usize::try_from(input.metadata()?.len()).map_err(io::Error::other)?;
        let mut text = vec![0; size];
        // The copy finds its input as it was.
        input.read_exact_at(&mut text, 0)?;
        if text != self.text {
            self.ready = Ready::read(&text).ok();
            self.text = text;
        }
        Ok(())
    }
}

/// Copies this process as often as it is asked to; returns the streams in a copy, and nothing when nobody asks any more.
fn serve(line: &UnixStream, known: &mut Known) -> io::Result<Option<Streams>> {
    while let Some((streams, birthplace)) = hear(line)? {
        known.learn(&streams[0])?;
        let copied = SingleThreaded::prove().and_then(|single| single.fork_sibling(birthplace));
        let answer = match copied {
            Ok(None) => return Ok(Some(streams)),
            Ok(Some(pid)) => pid,
            Err(error) => -error.raw_os_error().unwrap_or(nix::libc::EAGAIN),
        };
        drop(streams);
        send(line, &answer.to_ne_bytes(), None)?;
    }
    Ok(None)
}

/// Hears what is asked for; nothing at the end of the line.
fn hear(line: &UnixStream) -> io::Result<Option<(Streams, Birthplace)>> {
    let mut streams = Vec::new();
    let mut asked = Vec::new();
    while asked.len() < 3 {
        let known = asked.len();
        streams.extend(receive(line, &mut asked)?);
        if asked.len() == known {
            return Ok(None);
        }
    }
    let birthplace = match asked.last() {
        Some(&FIRST) => Birthplace::NewPidNamespace,
        _ => Birthplace::OfChildren,
    };
    let streams = Streams::try_from(streams);
    let streams = streams.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Some((streams, birthplace)))
}

/// Makes the streams those of this process.
fn take([input, report, work]: Streams) -> io::Result<()> {
    nix::unistd::dup2_stdin(&input)?;
    nix::unistd::dup2_stdout(&report)?;
    nix::unistd::dup2_stderr(&work)?;
    Ok(())
}
