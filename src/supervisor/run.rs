//! The supervisor's event loop: the machine's hands and ears.
//!
//! One thread decides; what may block (launching, the database, taking the pod down) runs on threads of
//! its own and comes back as a note. The process holds the pod's lease for life, and it is the parent
//! of the containers it started; those of a supervisor that was killed it adopts by their descriptors.

mod clients;
mod hands;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

use super::container::Live;
use super::helpers::Helpers;
use super::machine::{Changes, End, Event, Machine, Moment, Place};
use super::pauses::Pauses;
use super::probe::Past;
use super::recorder::Recorder;
use crate::engine::ledger::Ledger;
use crate::engine::protocol::{self, Inheritance};
use crate::engine::start::{Context, Moving, Started};
use crate::model::observed::ObservedPod;
use crate::model::state::{BootId, BootMillis, ContainerState, ExitStatus, ProcessRef};
use crate::state::{Intent, StoreError};
use crate::sys::{clock, memory, process};

/// How long an idle supervisor waits for a last word.
const LINGER: Duration = Duration::from_millis(300);

/// How long nothing must happen before memory is given back; longer than idle threads are kept.
///
/// A pod with a start ahead, in its back-off, keeps it: to open the database, start a fork server and fetch the code
/// again is a quarter of what a restart costs.
const SETTLE: Duration = Duration::from_millis(1500);

/// How long a write that failed waits for its next try.
const RETRY: Duration = Duration::from_secs(1);

/// Something that reached the loop.
#[derive(Debug)]
pub(super) enum Note {
    Event(Event),
    /// A command rang.
    Ring,
    ClientGone(u64),
    Launched(Place, Result<Started, ExitStatus>),
    /// A container ended and its output was read to the end.
    Ended(Place, End),
    /// Children that were left alone may be reaped now.
    Reap,
}

/// The hidden stage: supervises one pod until nothing is left to do.
#[must_use]
pub fn stage_main() -> ExitCode {
    match protocol::inherit().and_then(supervise) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn supervise(inheritance: Inheritance) -> io::Result<()> {
    let Inheritance {
        instructions,
        lease,
        listener,
    } = inheritance;
    memory::share_one_heap();
    leave_caller()?;
    let moving = Moving::begin(instructions.paths.supervisors_cgroup());
    let ledger = Ledger::new(&instructions.paths);
    let recorder = Recorder::new(instructions.pod.clone(), ledger.clone());
    let Some(pod) = recorder.pod().map_err(io::Error::other)? else {
        // Removed since somebody thought it needed a supervisor: the socket was made anew for nothing.
        let socket = instructions.paths.sockets();
        let _ = std::fs::remove_file(socket.join(instructions.pod.as_str()));
        return lease.remove().map_err(io::Error::other);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(1))
        .build()?;
    let ended = runtime.block_on(async {
        let paths = instructions.paths;
        let context = Context::open(paths, &pod, ledger, moving).map_err(io::Error::other)?;
        context.end_orphans(&lease).map_err(io::Error::other)?;
        let mut supervisor = Supervisor::new(context, pod, recorder, listener)?;
        supervisor.adopt();
        let ended = supervisor.run().await;
        supervisor.context.release();
        ended
    });
    // What is still at work on threads of its own ends first: it works by the right of the lease.
    drop(runtime);
    drop(lease);
    ended
}

/// Parts from whoever started it: a logout or the end of a CI job must not take the pods along.
fn leave_caller() -> io::Result<()> {
    // A supervisor started by one that leads a session already is no leader and may become one.
    let _ = nix::unistd::setsid();
    std::env::set_current_dir("/")?;
    process::become_subreaper()
}

struct Supervisor {
    context: Arc<Context>,
    recorder: Recorder,
    machine: Machine,
    boot: BootId,
    live: BTreeMap<Place, Live>,
    /// The hooks and probes of each run; they end with it.
    attendants: BTreeMap<Place, JoinSet<()>>,
    helpers: Helpers,
    /// Which containers are paused, for their probes.
    pauses: Pauses,
    launches: usize,
    listener: UnixListener,
    clients: BTreeMap<u64, tokio::net::unix::OwnedWriteHalf>,
    next_client: u64,
    sender: UnboundedSender<Note>,
    notes: UnboundedReceiver<Note>,
    children: Signal,
    /// The number of the last intent given to the machine.
    seen: i64,
    rung: bool,
    unsaved: Changes,
    removed: bool,
}

type Batch = JoinHandle<(Changes, Result<Vec<Intent>, StoreError>)>;

impl Supervisor {
    fn new(
        context: Context,
        pod: ObservedPod,
        recorder: Recorder,
        listener: StdListener,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let boot = BootId(clock::boot_id()?);
        let (sender, notes) = unbounded_channel();
        let machine = Machine::new(pod, boot.clone(), &context.stop_signals(), now());
        Ok(Self {
            context: Arc::new(context),
            recorder,
            machine,
            boot,
            live: BTreeMap::new(),
            attendants: BTreeMap::new(),
            helpers: Helpers::new(sender.clone()),
            pauses: Pauses::default(),
            launches: 0,
            listener: UnixListener::from_std(listener)?,
            clients: BTreeMap::new(),
            next_client: 0,
            sender,
            notes,
            children: signal(SignalKind::child())?,
            seen: 0,
            rung: true,
            unsaved: Changes::default(),
            removed: false,
        })
    }

    /// Takes over the containers that a former supervisor left behind.
    fn adopt(&mut self) {
        for place in self.machine.places() {
            let record = self.machine.record(place);
            let Some(reference) = record.state.process().cloned() else {
                continue;
            };
            let name = record.name.clone();
            if matches!(record.state, ContainerState::Paused { .. }) {
                self.pauses.begin(place);
            }
            let past = self.past(place);
            match Live::adopt(
                &reference,
                &self.boot,
                place,
                &self.context,
                &name,
                &self.sender,
            ) {
                Ok(live) => {
                    self.live.insert(place, live);
                    self.attend(place, past);
                }
                Err(end) => {
                    // The receiver lives as long as this value.
                    let _ = self.sender.send(Note::Ended(place, end));
                }
            }
        }
        if self.machine.is_about_to_start() {
            // Whose output is kept is watched over already; a pod in its back-off has none.
            self.context.be_watched();
        }
        self.settle();
        self.handle(Event::Tick);
    }

    async fn run(&mut self) -> io::Result<()> {
        let mut batch: Option<Batch> = None;
        let mut retry_at: Option<tokio::time::Instant> = None;
        let mut settled = false;
        loop {
            if batch.is_none() && retry_at.is_none() && self.has_work() {
                batch = Some(self.begin_batch());
            }
            if self.is_finished() && batch.is_none() {
                return Ok(());
            }
            let wake = self.wake_after();
            let idle = self.is_idle() && batch.is_none();
            let is_quiet = batch.is_none() && !self.machine.is_about_to_start();
            tokio::select! {
                biased;
                done = joined(&mut batch), if batch.is_some() => {
                    batch = None;
                    retry_at = self.end_batch(done);
                }
                Some(note) = self.notes.recv() => self.take(note),
                accepted = self.listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        self.welcome(stream);
                    }
                }
                _ = self.children.recv() => self.reap_strangers(),
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {
                    self.handle(Event::Tick);
                }
                () = until(retry_at), if retry_at.is_some() => retry_at = None,
                () = tokio::time::sleep(LINGER), if idle => return Ok(()),
                () = tokio::time::sleep(SETTLE), if is_quiet && !settled => {
                    settled = true;
                    self.context.rest();
                    // What cannot be given back is kept.
                    let _ = memory::release_unused();
                    continue;
                }
            }
            settled = false;
        }
    }

    fn has_work(&self) -> bool {
        self.rung || !self.unsaved.is_empty()
    }

    fn is_finished(&self) -> bool {
        self.removed && !self.has_work()
    }

    fn is_idle(&self) -> bool {
        self.machine.is_idle()
            && self.live.is_empty()
            && self.launches == 0
            && self.clients.is_empty()
            && !self.has_work()
    }

    fn wake_after(&self) -> Option<Duration> {
        let at = self.machine.next_wake()?;
        Some(at.since(now().boot) + Duration::from_millis(1))
    }

    /// Hands everything not yet recorded to a thread of its own.
    fn begin_batch(&mut self) -> Batch {
        self.rung = false;
        let changes = std::mem::take(&mut self.unsaved);
        let recorder = self.recorder.clone();
        let seen = self.seen;
        tokio::task::spawn_blocking(move || {
            let result = recorder.exchange(&changes, seen);
            (changes, result)
        })
    }

    /// Lets the machine know what was wished meanwhile, and the commands that there is news.
    fn end_batch(
        &mut self,
        done: (Changes, Result<Vec<Intent>, StoreError>),
    ) -> Option<tokio::time::Instant> {
        let (changes, result) = done;
        match result {
            Ok(intents) => {
                if !changes.records.is_empty() || !changes.outcomes.is_empty() {
                    self.tell_clients();
                }
                // What is wished of a pod that was taken down is for the next supervisor, if there is to be one.
                for intent in intents {
                    if self.removed {
                        break;
                    }
                    self.seen = self.seen.max(intent.seq);
                    self.handle(Event::Intent(intent));
                }
                None
            }
            // Nothing is lost: what could not be written is tried again, later changes after it.
            Err(_) => {
                let later = std::mem::take(&mut self.unsaved);
                self.unsaved = changes;
                self.keep(later);
                self.rung = true;
                Some(tokio::time::Instant::now() + RETRY)
            }
        }
    }

    fn keep(&mut self, changes: Changes) {
        for record in changes.records {
            self.unsaved.records.retain(|old| old.id != record.id);
            self.unsaved.records.push(record);
        }
        self.unsaved.outcomes.extend(changes.outcomes);
        self.unsaved.events.extend(changes.events);
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Ring => {
                self.rung = true;
                self.settle();
            }
            Note::Reap => self.reap_strangers(),
            Note::ClientGone(client) => {
                self.clients.remove(&client);
            }
            Note::Event(event) => self.handle(event),
            Note::Launched(place, result) => {
                self.launches -= 1;
                match result {
                    Ok(started) => self.started(place, started),
                    Err(status) => self.handle(Event::StartFailed(place, status)),
                }
                self.reap_strangers();
            }
            Note::Ended(place, end) => {
                self.live.remove(&place);
                self.attendants.remove(&place);
                self.handle(Event::Ended(place, end));
                self.reap_strangers();
            }
        }
    }

    /// Has the pod's ports taken in hand that are not yet.
    fn settle(&self) {
        if !self.context.is_settled() {
            let context = self.context.clone();
            tokio::task::spawn_blocking(move || context.settle());
        }
    }

    fn started(&mut self, place: Place, started: Started) {
        let reference = ProcessRef {
            pid: started.pid,
            start_time: started.start_time,
            boot: self.boot.clone(),
        };
        let name = self.machine.record(place).name.clone();
        match Live::begin(started, place, &self.context, &name, &self.sender) {
            Ok(live) => {
                self.live.insert(place, live);
                self.pauses.end(place);
                self.handle(Event::Started(place, reference));
                self.attend(place, Past::default());
            }
            Err(error) => self.handle(Event::StartFailed(
                place,
                ExitStatus::StartFailed {
                    message: format!("watching the container: {error}"),
                    code: 125,
                },
            )),
        }
    }

    fn handle(&mut self, event: Event) {
        let commands = self.machine.handle(event, now());
        for command in commands {
            self.carry_out(command);
        }
        let changes = self.machine.take_changes();
        self.keep(changes);
    }
}

async fn joined(batch: &mut Option<Batch>) -> (Changes, Result<Vec<Intent>, StoreError>) {
    match batch {
        Some(handle) => handle.await.expect("the recorder does not panic"),
        None => std::future::pending().await,
    }
}

async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn now() -> Moment {
    Moment {
        boot: BootMillis(u64::try_from(clock::since_boot().as_millis()).unwrap_or(u64::MAX)),
        wall: jiff::Timestamp::now(),
    }
}
