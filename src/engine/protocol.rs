//! How a command and a pod's supervisor find each other, and what a supervisor is told at its start.
//!
//! The socket carries no words: a byte from a command rings ("look at the intents"), a byte from the
//! supervisor tells that something was recorded. All that is said stands in the store, where it
//! outlives either of them.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use super::paths::Paths;
use crate::names::PodId;
use crate::state::{Lease, LeaseError, LockDir, LockError};
use crate::sys::{memfd, mount, socket};

/// The hidden first argument that makes the binary a supervisor.
pub const STAGE: &str = "stage-supervise";

/// What a supervisor is told, over an inherited descriptor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instructions {
    pub paths: Paths,
    pub pod: PodId,
}

/// A supervisor that could not be reached or started.
#[derive(Debug, thiserror::Error)]
pub enum SummonError {
    #[error("taking the lease of pod {pod}")]
    Lease { pod: PodId, source: LeaseError },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("starting the supervisor of pod {pod}")]
    Start { pod: PodId, source: io::Error },
    #[error("the supervisor of pod {pod} does not answer on its socket")]
    Silent { pod: PodId, source: io::Error },
}

/// Rings the pod's supervisor and returns the connection it tells on; starts one if there is none.
///
/// Whoever takes the lease binds the socket and hands both on, so that there is no moment in which a
/// pod has a lease but no socket to reach its holder by.
///
/// # Errors
/// The supervisor cannot be started or does not answer.
pub fn summon(paths: &Paths, locks: &LockDir, pod: &PodId) -> Result<UnixStream, SummonError> {
    let lease_path = locks.lease_path(pod);
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    // A supervisor that is on its way out still holds the lease for a moment.
    for _ in 0..500 {
        match connect(paths, pod) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
        let lease = Lease::try_take(&lease_path).map_err(|source| SummonError::Lease {
            pod: pod.clone(),
            source,
        })?;
        match lease {
            Some(lease) => {
                spawn(paths, pod, lease).map_err(|source| SummonError::Start {
                    pod: pod.clone(),
                    source,
                })?;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    Err(SummonError::Silent {
        pod: pod.clone(),
        source: last,
    })
}

/// Rings a supervisor that lives; an error means that there is none.
///
/// # Errors
/// Nobody listens.
pub fn connect(paths: &Paths, pod: &PodId) -> io::Result<UnixStream> {
    let directory = socket::open_dir(&paths.sockets())?;
    let mut stream = socket::connect_unix(directory.as_fd(), pod.as_str())?;
    io::Write::write_all(&mut stream, b"!")?;
    Ok(stream)
}

/// Waits until the supervisor has news, or was silent for long; tells whether it is still there.
pub(super) fn has_news(line: &mut UnixStream, patience: Duration) -> bool {
    let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(line.as_fd(), PollFlags::POLLIN)];
    // An interrupted wait looks again, and so does one that took long.
    let _ = poll(&mut fds, patience);
    if !fds[0].any().unwrap_or(true) {
        return true;
    }
    let mut buffer = [0u8; 64];
    matches!(line.read(&mut buffer), Ok(read) if read > 0)
}

/// Starts a supervisor that inherits the lease and a bound socket.
fn spawn(paths: &Paths, pod: &PodId, lease: Lease) -> io::Result<()> {
    let instructions = Instructions {
        paths: paths.clone(),
        pod: pod.clone(),
    };
    start_stage(
        STAGE,
        &serde_json::to_vec(&instructions)?,
        lease,
        bind(paths, pod.as_str())?,
    )
}

/// Starts a long-lived stage of this binary, which takes over with [`take_over`].
///
/// The three standard streams carry what it inherits: nothing else is ever left open across an exec.
pub(super) fn start_stage(
    stage: &str,
    input: &[u8],
    lease: Lease,
    listener: UnixListener,
) -> io::Result<()> {
    Command::new("/proc/self/exe")
        .arg(stage)
        .env_clear()
        .envs(crate::fault::inherited())
        .stdin(Stdio::from(memfd::sealed(stage, input)?))
        .stdout(Stdio::from(lease.into_fd()))
        .stderr(Stdio::from(OwnedFd::from(listener)))
        .spawn()?;
    Ok(())
}

/// Takes what [`start_stage`] handed on off the standard streams, which lead to `/dev/null` afterwards.
pub(super) fn take_over() -> io::Result<(Vec<u8>, OwnedFd, UnixListener)> {
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let lease = io::stdout().as_fd().try_clone_to_owned()?;
    let listener = UnixListener::from(io::stderr().as_fd().try_clone_to_owned()?);
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    if !memfd::is_sealed(&input) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut text = Vec::new();
    input.read_to_end(&mut text)?;
    Ok((text, lease, listener))
}

/// Binds a socket among those of the supervisors.
pub(super) fn bind(paths: &Paths, name: &str) -> io::Result<UnixListener> {
    mount::ensure_dir(&paths.sockets(), 0o700)?;
    let directory = socket::open_dir(&paths.sockets())?;
    socket::bind_unix(directory.as_fd(), name)
}

/// What a supervisor has inherited.
#[derive(Debug)]
pub struct Inheritance {
    pub instructions: Instructions,
    pub lease: Lease,
    pub listener: UnixListener,
}

/// Takes what was inherited off the standard streams.
///
/// # Errors
/// The process was not started by [`summon`].
pub fn inherit() -> io::Result<Inheritance> {
    let (text, lease, listener) = take_over()?;
    let instructions: Instructions = serde_json::from_slice(&text)?;
    let locks = LockDir::open(&instructions.paths.locks()).map_err(io::Error::other)?;
    let lease = Lease::from_inherited_fd(lease, &locks.lease_path(&instructions.pod))
        .map_err(io::Error::other)?;
    Ok(Inheritance {
        instructions,
        lease,
        listener,
    })
}
