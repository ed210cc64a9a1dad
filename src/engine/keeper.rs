//! Keeps what would die with a supervisor: the output it has not read, and the watch over it.
//!
//! A pipe lives as long as somebody has it open. When a supervisor was killed and its container ends
//! before the next one comes, nobody has; what the container printed last would be gone. One small
//! process per installation, the keeper, holds a second read end of every container's output, never
//! reads it, and starts a supervisor anew that went without a word. It lives as long as there is
//! anything to keep, and nothing depends on it but that: without a keeper everything else goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use serde::{Deserialize, Serialize};

use super::paths::Paths;
use super::protocol;
use crate::fault;
use crate::names::PodId;
use crate::state::{Lease, LockDir};
use crate::sys::{descriptor, process, socket};

/// The hidden first argument that makes the binary a keeper.
pub const STAGE: &str = "stage-keep";

/// The keeper's socket among those of the supervisors.
const NAME: &str = "keeper";

/// How long a keeper with nothing to keep waits for more, and how often it looks whether a pod without a supervisor
/// is still there.
const LINGER: u16 = 1000;

/// How long a supervisor that went without a word stays gone, so that one that cannot live costs little.
const BEFORE_RESTART: Duration = Duration::from_millis(500);

/// What a supervisor says to the keeper, one line each.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// Who speaks.
    Watch(PodId),
    /// Keep the descriptor that comes with this; it replaces the one of the same name.
    Keep(String),
    /// Nothing is left to keep for this pod.
    Release,
}

/// A supervisor's line to the keeper.
#[derive(Debug)]
pub struct Keeper(UnixStream);

impl Keeper {
    /// Reaches the keeper of this installation, and starts one if there is none.
    ///
    /// # Errors
    /// It can neither be reached nor started.
    pub fn reach(paths: &Paths, pod: &PodId) -> io::Result<Self> {
        let locks = LockDir::open(&paths.locks()).map_err(io::Error::other)?;
        for _ in 0..100 {
            if let Ok(stream) = connect(paths) {
                let keeper = Self(stream);
                keeper.say(&Word::Watch(pod.clone()), None)?;
                return Ok(keeper);
            }
            let lease = Lease::try_take(&locks.keeper_lease()).map_err(io::Error::other)?;
            match lease {
                Some(lease) => {
                    let listener = protocol::bind(paths, NAME)?;
                    protocol::start_stage(STAGE, &serde_json::to_vec(paths)?, lease, listener)?;
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Has a descriptor kept under a name.
    ///
    /// # Errors
    /// The keeper is gone.
    pub fn keep(&self, name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.say(&Word::Keep(name.to_owned()), Some(fd))
    }

    /// Says good-bye: nothing is kept for the pod any more.
    ///
    /// # Errors
    /// The keeper is gone, and everything it kept with it.
    pub fn release(&self) -> io::Result<()> {
        self.say(&Word::Release, None)
    }

    fn say(&self, word: &Word, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut line = serde_json::to_vec(word)?;
        line.push(b'\n');
        descriptor::send(&self.0, &line, fd)
    }
}

fn connect(paths: &Paths) -> io::Result<UnixStream> {
    let directory = socket::open_dir(&paths.sockets())?;
    socket::connect_unix(directory.as_fd(), NAME)
}

/// The hidden stage: keeps until nothing is left.
#[must_use]
pub fn stage_main() -> ExitCode {
    match inherit().and_then(|(paths, listener, lease)| {
        let kept = keep_all(&paths, &listener);
        drop(lease);
        super::cgroups::leave_supervisors(&paths);
        kept
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn inherit() -> io::Result<(Paths, UnixListener, OwnedFd)> {
    let (text, lease, listener) = protocol::take_over()?;
    let paths: Paths = serde_json::from_slice(&text)?;
    // A keeper started by one that leads a session already is no leader and may become one.
    let _ = nix::unistd::setsid();
    std::env::set_current_dir("/")?;
    super::cgroups::enter(&paths.supervisors_cgroup())?;
    Ok((paths, listener, lease))
}

/// One supervisor as the keeper sees it.
struct Client {
    line: UnixStream,
    heard: Vec<u8>,
    pod: Option<PodId>,
}

/// What is kept, by pod and name.
type Kept = BTreeMap<PodId, BTreeMap<String, OwnedFd>>;

fn keep_all(paths: &Paths, listener: &UnixListener) -> io::Result<()> {
    let locks = LockDir::open(&paths.locks()).map_err(io::Error::other)?;
    let mut lines = Lines::new(listener)?;
    let mut kept = Kept::new();
    // Whether what is kept of some pod has nobody that watches over it.
    let mut lonely = false;
    loop {
        if lonely {
            lonely = forget_removed(paths, &lines.clients, &mut kept);
        }
        let idle = lines.clients.is_empty() && kept.is_empty();
        let ready = lines.wait(idle || lonely)?;
        if idle && ready.is_empty() {
            return Ok(());
        }
        let mut gone = Vec::new();
        for number in ready {
            if number == LISTENER {
                lines.welcome(listener);
            } else if let Some(client) = lines.clients.get_mut(&number)
                && !listen(client, &mut kept)
            {
                // With its line closed, it is not waited for any more either.
                gone.extend(lines.clients.remove(&number));
            }
        }
        lonely |= !gone.is_empty();
        start_anew(
            paths,
            &locks,
            gone.into_iter().filter_map(|client| client.pod).collect(),
        );
        // Supervisors that were started anew are children of this process.
        while let Ok(Some(child)) = process::ended_child() {
            let _ = process::reap(child.pid);
        }
    }
}

/// Forgets what is kept of pods that were removed while they had no supervisor, which say no good-bye; tells whether
/// others have none either.
fn forget_removed(paths: &Paths, clients: &BTreeMap<u64, Client>, kept: &mut Kept) -> bool {
    let watched: BTreeSet<&PodId> = clients.values().filter_map(|c| c.pod.as_ref()).collect();
    kept.retain(|pod, _| watched.contains(pod) || paths.pod(pod).run.exists());
    !kept.keys().all(|pod| watched.contains(pod))
}

/// What the listener is called among the lines; the clients have the numbers from there on.
const LISTENER: u64 = 0;

/// How many lines are heard at a time.
const AT_ONCE: usize = 64;

/// The lines to all supervisors, by number.
///
/// To wait costs the same for each that has something to say, however many there are.
struct Lines {
    waiter: Epoll,
    clients: BTreeMap<u64, Client>,
    last: u64,
}

impl Lines {
    fn new(listener: &UnixListener) -> io::Result<Self> {
        let waiter = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        waiter.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        Ok(Self {
            waiter,
            clients: BTreeMap::new(),
            last: LISTENER,
        })
    }

    /// Waits for anything, if need be not for long, and returns the numbers of those that have something to say.
    fn wait(&self, briefly: bool) -> io::Result<Vec<u64>> {
        let timeout = match briefly {
            true => EpollTimeout::from(LINGER),
            false => EpollTimeout::NONE,
        };
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let count = match self.waiter.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            waited => waited?,
        };
        Ok(events[..count].iter().map(EpollEvent::data).collect())
    }

    /// Takes in whoever has come, unless it is somebody else's process or cannot be waited for: its line is closed.
    fn welcome(&mut self, listener: &UnixListener) {
        let Ok((line, _)) = listener.accept() else {
            return;
        };
        let number = self.last + 1;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number);
        let own = socket::peer_uid(&line).ok() == Some(nix::unistd::geteuid().as_raw());
        if own && self.waiter.add(&line, event).is_ok() {
            self.last = number;
            let client = Client {
                line,
                heard: Vec::new(),
                pod: None,
            };
            self.clients.insert(number, client);
        }
    }
}

/// Takes in what a supervisor says; tells whether it is still there.
fn listen(client: &mut Client, kept: &mut Kept) -> bool {
    let before = client.heard.len();
    let Ok(mut fd) = descriptor::receive(&client.line, &mut client.heard) else {
        return false;
    };
    if client.heard.len() == before {
        return false;
    }
    while let Some(end) = client.heard.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = client.heard.drain(..=end).collect();
        match (serde_json::from_slice(&line), &client.pod) {
            (Ok(Word::Watch(pod)), _) => client.pod = Some(pod),
            (Ok(Word::Keep(name)), Some(pod)) => {
                if let Some(fd) = fd.take() {
                    fault::point("with a descriptor kept");
                    kept.entry(pod.clone()).or_default().insert(name, fd);
                }
            }
            (Ok(Word::Release), Some(pod)) => {
                kept.remove(pod);
                client.pod = None;
            }
            _ => return false,
        }
    }
    true
}

/// Starts the supervisors of pods whose former ones were killed.
///
/// What fails here is done by the next command that needs one.
fn start_anew(paths: &Paths, locks: &LockDir, pods: Vec<PodId>) {
    if pods.is_empty() {
        return;
    }
    // Those that were killed together have been heard of together by then: they are not waited for in turn.
    std::thread::sleep(BEFORE_RESTART);
    for pod in pods {
        let _ = protocol::summon(paths, locks, &pod);
    }
}
