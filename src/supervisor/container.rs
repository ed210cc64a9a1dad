//! A running container as its supervisor holds it: the process by descriptor, its output into the log.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::last_words::last_words;
use super::log::{LogWriter, Stream};
use super::machine::{End, Place};
use super::run::Note;
use crate::engine::start::{ADOPTED, Context, Run, Started, Streams};
use crate::model::state::{BootId, ExitStatus, ProcessRef};
use crate::names::ContainerName;
use crate::sys::process::{Ended, PidFd};

/// How long the last output of a container that ended is waited for: a process that left it may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long the kernel is asked for the status of a process that somebody else reaps.
const STATUS_TRIES: u32 = 50;

/// A container with a process.
#[derive(Debug)]
pub(super) struct Live {
    process: Arc<PidFd>,
    pid: i32,
    run: Run,
}

/// Who is told of a process's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    /// This process.
    Us,
    /// A supervisor that is gone; the kernel keeps the status.
    Gone,
}

impl Live {
    /// Begins to watch a container that was just started.
    pub(super) fn begin(
        started: Started,
        place: Place,
        context: &Arc<Context>,
        name: &ContainerName,
        sender: &UnboundedSender<Note>,
    ) -> io::Result<Self> {
        Self::watch(
            (started.process, started.pid, started.run),
            started.streams,
            Parent::Us,
            (place, context, name, sender),
        )
    }

    /// Takes over a container that a former supervisor started.
    ///
    /// An error is how it ended, as far as anybody can tell.
    pub(super) fn adopt(
        reference: &ProcessRef,
        boot: &BootId,
        place: Place,
        context: &Arc<Context>,
        name: &ContainerName,
        sender: &UnboundedSender<Note>,
    ) -> Result<Self, End> {
        let unknown = || End::from(ExitStatus::Unknown);
        if reference.boot != *boot {
            return Err(unknown());
        }
        let found = PidFd::open_started_at(reference.pid, reference.start_time);
        let Ok(Some(process)) = found else {
            let ended = context.pinned_status(name);
            read_last_words(context, name);
            return Err(end_of(ended, context, place, name));
        };
        let streams = context.reopen_streams(name).map_err(|_| unknown())?;
        context.keep(name, &streams);
        Self::watch(
            (process, reference.pid, ADOPTED),
            streams,
            Parent::Gone,
            (place, context, name, sender),
        )
        .map_err(|_| unknown())
    }

    fn watch(
        (process, pid, run): (PidFd, i32, Run),
        streams: Streams,
        parent: Parent,
        (place, context, name, sender): (
            Place,
            &Arc<Context>,
            &ContainerName,
            &UnboundedSender<Note>,
        ),
    ) -> io::Result<Self> {
        let process = Arc::new(process);
        let log = Arc::new(Mutex::new(open_log(context, name)?));
        let readers = [
            (Stream::Stdout, streams.stdout),
            (Stream::Stderr, streams.stderr),
        ]
        .into_iter()
        .map(|(stream, fd)| Ok(tokio::spawn(copy(open_pipe(fd)?, stream, log.clone()))))
        .collect::<io::Result<Vec<_>>>()?;
        let end = readable_end(&process)?;
        let (context, name, sender) = (context.clone(), name.clone(), sender.clone());
        let watched = process.clone();
        tokio::spawn(async move {
            let ended = wait(&watched, end, parent).await;
            drain(readers).await;
            // Removing a cgroup may wait for processes to die, which must not hold the loop up.
            let end = tokio::task::spawn_blocking(move || end_of(ended, &context, place, &name))
                .await
                .unwrap_or_else(|_| ExitStatus::Unknown.into());
            let _ = sender.send(Note::Ended(place, end));
        });
        Ok(Self { process, pid, run })
    }

    /// Returns which run of the container this is.
    pub(super) fn run(&self) -> Run {
        self.run
    }

    /// Returns the process id, for as long as the process is not reaped.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal; a process that ended already gets none.
    pub(super) fn signal(&self, signal: i32) {
        let _ = self.process.send_signal(signal);
    }
}

/// Returns a descriptor that becomes readable when the process ends.
pub(super) fn readable_end(process: &PidFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        deprecated,
        reason = "the descriptor is owned by the value it is registered for and closed with it"
    )]
    AsyncFd::with_interest(process.as_fd().try_clone_to_owned()?, Interest::READABLE)
}

/// Reads a FIFO whose writers may still come.
fn open_pipe(fd: OwnedFd) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(fd)
}

fn open_log(context: &Context, name: &ContainerName) -> io::Result<LogWriter> {
    let log = LogWriter::open(&context.paths().logs(name))?;
    Ok(log.driven_by(context.pod().log_driver))
}

/// Reads what a container printed that ended while no supervisor was there.
fn read_last_words(context: &Context, name: &ContainerName) {
    let (Ok(streams), Ok(mut log)) = (context.reopen_streams(name), open_log(context, name)) else {
        return;
    };
    for (stream, fd) in [
        (Stream::Stdout, streams.stdout),
        (Stream::Stderr, streams.stderr),
    ] {
        let mut from = std::fs::File::from(fd);
        let mut buffer = vec![0u8; 16 << 10];
        // Nobody writes any more: an empty pipe ends it.
        while let Ok(read @ 1..) = std::io::Read::read(&mut from, &mut buffer) {
            let _ = log.write(stream, &buffer[..read], jiff::Timestamp::now());
        }
        let _ = log.finish(stream, jiff::Timestamp::now());
    }
}

async fn copy(mut from: pipe::Receiver, stream: Stream, log: Arc<Mutex<LogWriter>>) {
    let mut buffer = vec![0u8; 16 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk loses lines, as it does for the kubelet; the container runs on.
        if read == 0 {
            let _ = log.finish(stream, jiff::Timestamp::now());
            return;
        }
        let _ = log.write(stream, &buffer[..read], jiff::Timestamp::now());
    }
}

/// Waits for the end of a process and learns how it ended, if that can be learned.
async fn wait(process: &PidFd, end: AsyncFd<OwnedFd>, parent: Parent) -> Option<Ended> {
    // An error here would mean a broken descriptor; the status then tells what there is to tell.
    let _ = end.readable().await;
    match parent {
        Parent::Us => process.try_wait().ok().flatten(),
        Parent::Gone => {
            for _ in 0..STATUS_TRIES {
                if let Some(ended) = process.exit_info() {
                    return Some(ended);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            None
        }
    }
}

async fn drain(readers: Vec<JoinHandle<()>>) {
    let all = async {
        for reader in readers {
            let _ = reader.await;
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS, all).await;
}

/// Clears up behind a container that ended, and tells how it did.
fn end_of(ended: Option<Ended>, context: &Context, place: Place, name: &ContainerName) -> End {
    let status = context.end(place, ended);
    let message = last_words(context, name, status.is_failure());
    End { status, message }
}
