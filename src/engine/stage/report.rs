//! What a stage and whoever started it say to each other.
//!
//! One byte in, when the container may be started; lines of JSON out, the last of them when its program is about to run.
//! Nothing more and the end of the stream then mean that it runs, for the last copy of the stage's end closes with
//! `execve(2)`; a line more is why it does not.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use super::error::{CreateError, Step};
use crate::sys::descriptor;

/// What a stage waits for before it starts what it made; the end of the line instead means to give it up.
const GO: &[u8] = b"!";

/// The most a stage may say.
const LIMIT: usize = 1 << 20;

/// What a stage says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// Another process goes on in the stage's place: a child of whoever started the stage, or an orphan.
    Successor { pid: i32 },
    /// The program is about to run; its terminal, if it has one, comes along.
    Started,
    /// There is no container.
    Failed(CreateError),
}

/// The stage's end of the line.
#[derive(Debug)]
pub(super) struct Report {
    socket: UnixStream,
    may_start: bool,
}

impl Report {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket: socket.into(),
            may_start: false,
        }
    }

    /// Returns whether nobody waits for the report any more.
    pub(super) fn has_hung_up(&self) -> bool {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        // A closed peer is told whether one asks for it or not.
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Waits until the pod around the container is complete.
    ///
    /// # Errors
    /// Nobody waits for the container any more.
    pub(super) fn await_start(&mut self) -> Result<(), CreateError> {
        if self.may_start {
            return Ok(());
        }
        let mut go = [0; GO.len()];
        self.socket
            .read_exact(&mut go)
            .map_err(|error| CreateError::caused(Step::Stage, &error))?;
        self.may_start = true;
        Ok(())
    }

    /// Says a word, with a descriptor.
    ///
    /// # Errors
    /// Nobody listens.
    pub(super) fn say(&self, word: &Word, fd: Option<BorrowedFd<'_>>) -> Result<(), CreateError> {
        let say = || -> io::Result<()> {
            let mut line = serde_json::to_vec(word)?;
            line.push(b'\n');
            descriptor::send(&self.socket, &line, fd)
        };
        say().map_err(|error| CreateError::caused(Step::Stage, &error))
    }

    /// Says why there is no container.
    pub(super) fn fail(&mut self, error: CreateError) {
        // A word that nobody has read when the stage ends would take its report along (unix(7)).
        let _ = self.await_start();
        // Nobody is left to be told if nobody listens.
        let _ = self.say(&Word::Failed(error), None);
    }
}

/// What was heard of a stage to the end of the stream.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) successor: Option<i32>,
    pub(super) started: bool,
    pub(super) terminal: Option<OwnedFd>,
}

/// Lets the container start, and listens until its program runs or the stage has ended.
///
/// # Errors
/// What the stage could not do, or that it talks nonsense.
pub(super) fn hear(mut line: &UnixStream) -> Result<Heard, CreateError> {
    // A stage that is gone has left its report.
    let _ = line.write_all(GO);
    let mut heard = Heard::default();
    let mut text = Vec::new();
    loop {
        let known = text.len();
        match descriptor::receive(line, &mut text) {
            Ok(fd) => heard.terminal = fd.or(heard.terminal),
            // It was killed before it was told to start.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(CreateError::caused(Step::Stage, &error)),
        }
        if text.len() == known || text.len() > LIMIT {
            break;
        }
    }
    let lines = text.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        let word = serde_json::from_slice(line)
            .map_err(|error| CreateError::new(Step::Stage, format!("the stage died: {error}")))?;
        match word {
            Word::Successor { pid } => heard.successor = Some(pid),
            Word::Started => heard.started = true,
            Word::Failed(error) => return Err(error),
        }
    }
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: impl FnOnce(&mut Report)) -> Result<Heard, CreateError> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut report = Report::new(theirs.into());
        words(&mut report);
        drop(report);
        hear(&ours)
    }

    #[test]
    fn a_container_that_started_is_told_from_a_stage_that_ended() {
        let heard = said(|_| {}).unwrap();
        assert!(!heard.started);
        let (reader, _writer) = io::pipe().unwrap();
        let heard = said(|report| {
            report.say(&Word::Successor { pid: 7 }, None).unwrap();
            report.say(&Word::Started, Some(reader.as_fd())).unwrap();
        });
        let heard = heard.unwrap();
        assert_eq!((heard.successor, heard.started), (Some(7), true));
        assert!(heard.terminal.is_some());
    }

    #[test]
    fn what_failed_last_counts() {
        let error = CreateError::new(Step::CommandNotFound, "x");
        let heard = said(|report| {
            report.may_start = true;
            report.say(&Word::Started, None).unwrap();
            report.fail(error.clone());
        });
        assert_eq!(heard.unwrap_err(), error);
    }
}
