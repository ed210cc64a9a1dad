//! Asks a server over the network, in a stage that can do no harm.
//!
//! ```text
//! supervisor ──question (0)──▶ stage-probe ──HTTP, TCP, gRPC──▶ the container
//!      ▲                            │  uid 65534, no capabilities, the host's network
//!      └────────answer (1)──────────┘
//! ```
//!
//! What a container answers is not to be trusted; the supervisor, which is root, never reads it. The
//! kubelet asks from the node's network, and so does the stage: no program is needed in the image.

mod grpc;
mod http;
mod stage;
mod target;
mod tls;

use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use crate::model::container::{HttpHeader, HttpScheme};
use crate::sys::memfd;
use crate::sys::process::PidFd;

pub use stage::stage_main;

/// The hidden first argument that starts the stage.
pub const STAGE: &str = "stage-probe";

/// The most a stage may answer.
const ANSWER_LIMIT: u64 = 16 << 10;

const SIGKILL: i32 = 9;

/// What a server is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Question {
    Http(HttpQuestion),
    /// Whether a connection is taken.
    Tcp {
        host: String,
        port: u16,
    },
    /// The health protocol of gRPC, version 1.
    Grpc {
        host: String,
        port: u16,
        service: String,
    },
}

/// A GET and what is made of the response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HttpQuestion {
    pub(super) scheme: HttpScheme,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) headers: Vec<HttpHeader>,
    pub(super) asker: Asker,
}

/// On whose behalf a GET is made; the kubelet treats the responses differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asker {
    /// The status has to be from 200 to 399; a redirect to another host is as good as a success.
    Probe,
    /// Any response will do.
    Hook,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    Passed,
    Failed(String),
    /// The question could not be put; this says nothing about the container.
    Unasked(String),
}

/// Asks a question; dropped before there is an answer, the stage is killed.
pub(super) async fn ask(question: &Question) -> Answer {
    let (stage, mut socket) = match start(question) {
        Ok(started) => started,
        Err(error) => return Answer::Unasked(format!("starting a stage: {error}")),
    };
    let mut text = Vec::new();
    let read = (&mut socket)
        .take(ANSWER_LIMIT)
        .read_to_end(&mut text)
        .await;
    drop(stage);
    match read.map(|_| serde_json::from_slice(&text)) {
        Ok(Ok(answer)) => answer,
        _ => Answer::Failed("the stage that asked ended without an answer".to_owned()),
    }
}

/// A stage at work; dropped, it is killed. The supervisor's loop reaps it with all that fall to it.
struct Asking(PidFd);

impl Drop for Asking {
    fn drop(&mut self) {
        // One that has answered has ended, or is about to.
        let _ = self.0.send_signal(SIGKILL);
    }
}

fn start(question: &Question) -> io::Result<(Asking, UnixStream)> {
    let input = memfd::sealed("question", &serde_json::to_vec(question)?)?;
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    ours.shutdown(Shutdown::Write)?;
    // With a working directory the standard library would fork(2); ours is `/`.
    let child = Command::new("/proc/self/exe")
        .arg(STAGE)
        .env_clear()
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::from(File::options().write(true).open("/dev/null")?))
        .spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    // Nobody can have reaped it yet: the loop that does runs on this thread.
    let process = PidFd::open(pid)?.ok_or(io::ErrorKind::NotFound)?;
    Ok((Asking(process), UnixStream::from_std(ours)?))
}
