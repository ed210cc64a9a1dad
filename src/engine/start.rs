//! Starts the containers of one pod, for its supervisor.
//!
//! ```text
//! start ─▶ set_up_pod ─▶ prepare (volumes, bundle, layer; the launch decided) ─▶ create ─▶ hold
//!              └ the pod's network comes up on a thread of its own until the container is created
//! ```
//!
//! Containers of a pod start together, each on a thread of its supervisor. Whoever sets the pod up holds its ports,
//! and everybody else waits for them; a container's run is held from before its cgroup is emptied until its process
//! is, so that what is meant for one run never meets the next.

mod bundle;
mod decide;
mod etc;
mod init;
mod moving;
mod output;
mod pod;
mod running;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::installation::EngineError;
use super::keeper::Keeper;
use super::launch::{HostFacts, Launch, LaunchError};
use super::ledger::Ledger;
use super::network::PortHold;
use super::paths::{Paths, PodPaths};
use super::protocol::SummonError;
use super::stage::{CreateError, CreateStage, OWN_PROGRAM, StageServer};
use super::turns::Turn;
use super::{cgroups, sandbox, volumes};
use crate::causes::chain;
use crate::fault;
use crate::image::ImageRecord;
use crate::image::store::ContentStore;
use crate::model::container::StopSignal;
use crate::model::observed::{ContainerRecord, ObservedPod, PodRecord};
use crate::model::state::ExitStatus;
use crate::names::VolumeName;
use crate::state::{LockDir, Store, Work};
use crate::sys::cgroup::CgroupError;
use crate::sys::process::PidFd;

use bundle::hold;
use output::open_streams;
use pod::Connecting;

pub use moving::Moving;
pub use output::Streams;
pub(super) use running::{exit_status, was_killed_for_memory};

/// Why a container did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("volume `{name}`: {source}")]
    Volume {
        name: VolumeName,
        source: volumes::VolumeError,
    },
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error("the image of the container is gone")]
    NoImage,
    #[error("the process ended before it could be held")]
    Vanished,
}

impl StartError {
    /// Returns the exit code a shell would show for it.
    fn code(&self) -> u8 {
        match self {
            Self::Create(error) => error.code(),
            _ => 125,
        }
    }
}

/// Which run of a container something is meant for: it must not meet the next one.
pub type Run = u64;

/// The run that a former supervisor began.
pub const ADOPTED: Run = 0;

/// The present run of a container.
#[derive(Debug, Default)]
struct Present {
    /// At first the one that was [`ADOPTED`].
    run: Run,
    /// Whether its cgroup was removed behind it, so that nothing is left there.
    has_no_cgroup: bool,
}

/// A container that was started.
#[derive(Debug)]
pub struct Started {
    pub run: Run,
    pub process: PidFd,
    pub pid: i32,
    pub start_time: u64,
    pub streams: Streams,
}

/// What a supervisor needs of its pod's surroundings; shared by the threads that start containers.
#[derive(Debug)]
pub struct Context {
    installation: Paths,
    ledger: Ledger,
    lease_path: PathBuf,
    pod: PodRecord,
    records: Vec<ContainerRecord>,
    images: Vec<ImageRecord>,
    content: ContentStore,
    /// The ports of the host, held while the pod is set up; also the right to set it up.
    ports: Mutex<Option<PortHold>>,
    /// Whether all ports of the pod are in hand: not those of a pod whose place it is to take, nor of a supervisor
    /// that is gone.
    settled: AtomicBool,
    /// The right to make the pod's volumes: containers that start together share them.
    volumes: Mutex<()>,
    /// The present run of each container; also the right to its cgroup.
    runs: Vec<Mutex<Present>>,
    /// The line to the keeper, once something is kept.
    keeper: Mutex<Option<Keeper>>,
    /// What starts from here on belongs to no caller.
    moving: Moving,
    /// Where the stages of restarts begin; nothing if it cannot be made.
    bare: OnceLock<Option<OwnedFd>>,
    /// Makes the stages of a pod whose containers fail again and again.
    server: Mutex<Option<StageServer>>,
    /// What the host offers, which stays as it is while this process lives.
    host: OnceLock<HostFacts>,
}

impl Context {
    /// Gathers what is needed to start the containers of a pod.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn open(
        installation: Paths,
        pod: &ObservedPod,
        ledger: Ledger,
        moving: Moving,
    ) -> Result<Self, EngineError> {
        let mut images: Vec<ImageRecord> = ledger.read(Store::images)?;
        images.retain(|image| pod.images().any(|id| *id == image.id));
        let content = ContentStore::open(&installation.root, Path::new("/proc/self/exe"))?;
        // A pod that stands already was set up by a supervisor that is gone, and its ports went with it.
        let settled = pod.record.standing.is_serving()
            && !sandbox::is_set_up(&installation.pod(&pod.record.id));
        let lease_path = LockDir::open(&installation.locks())?.lease_path(&pod.record.id);
        Ok(Self {
            installation,
            ledger,
            lease_path,
            pod: pod.record.clone(),
            records: pod.containers.clone(),
            images,
            content,
            ports: Mutex::new(None),
            settled: AtomicBool::new(settled),
            volumes: Mutex::new(()),
            runs: pod.containers.iter().map(|_| Mutex::default()).collect(),
            keeper: Mutex::new(None),
            moving,
            bare: OnceLock::new(),
            server: Mutex::new(None),
            host: OnceLock::new(),
        })
    }

    /// Returns the pod's directories.
    #[must_use]
    pub fn paths(&self) -> PodPaths {
        self.installation.pod(&self.pod.id)
    }

    /// Returns where compiled filters of system calls are kept.
    #[must_use]
    pub fn filters(&self) -> PathBuf {
        self.installation.filters()
    }

    /// Returns the pod as it was recorded.
    #[must_use]
    pub fn pod(&self) -> &PodRecord {
        &self.pod
    }

    /// Returns the signal each container's image wants for its end.
    #[must_use]
    pub fn stop_signals(&self) -> Vec<Option<StopSignal>> {
        self.records
            .iter()
            .map(|record| {
                let signal = self.image(record)?.config.stop_signal.as_ref()?;
                StopSignal::parse(signal).ok()
            })
            .collect()
    }

    fn image(&self, record: &ContainerRecord) -> Option<&ImageRecord> {
        self.images.iter().find(|image| image.id == record.image)
    }

    /// Starts a container, on a fresh writable layer or the one it had.
    ///
    /// # Errors
    /// How the start failed, as it is recorded; nothing of this try is left running.
    pub fn start(&self, place: usize, fresh: bool) -> Result<Started, ExitStatus> {
        self.try_start(place, fresh)
            .map_err(|error| ExitStatus::StartFailed {
                message: chain(&error),
                code: error.code(),
            })
    }

    fn try_start(&self, place: usize, fresh: bool) -> Result<Started, StartError> {
        let member = self.member(place)?;
        let _turn = Turn::take(&self.installation.locks());
        let connecting = self.set_up_pod()?;
        let mut present = self.present(place);
        present.run += 1;
        if !std::mem::take(&mut present.has_no_cgroup) {
            // A start that was killed half-way may have left a process that nobody knows.
            cgroups::kill(&self.paths().container_cgroup(member.name()))?;
        }
        let launch = self.prepare(&member, present.run, fresh)?;
        let streams =
            open_streams(&launch.site.bundle).map_err(EngineError::io(&launch.site.bundle))?;
        self.keep(member.name(), &streams);
        let pid = self.create(&launch, connecting)?;
        fault::point("with a container that nobody knows");
        hold(present.run, pid, &launch.site.bundle, streams)
    }

    /// Creates a container and waits for its pod's network meanwhile; returns the id of its process.
    fn create(
        &self,
        launch: &Launch,
        connecting: Option<Connecting<'_>>,
    ) -> Result<i32, StartError> {
        self.moving.finish()?;
        fault::point("before a container is created");
        let stage = self.start_stage(launch)?;
        if connecting.is_some() {
            // The stage's own move is then no first one. Only here is the time for it, and only with others going on
            // would it be in their way.
            cgroups::expect_moves();
        }
        // The program of a container finds its network.
        connecting.map_or(Ok(()), Connecting::finish)?;
        Ok(stage.finish()?.pid)
    }

    /// Starts a stage, by the fork server if there is one.
    fn start_stage(&self, launch: &Launch) -> Result<CreateStage, StartError> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = server.as_ref() {
            match CreateStage::copy(running, launch, self.work()?) {
                Ok(Some(stage)) => return Ok(stage),
                Ok(None) => {}
                // It is of no use any more.
                Err(_) => *server = None,
            }
        }
        drop(server);
        let work = Some(self.work()?);
        Ok(CreateStage::start(Path::new(OWN_PROGRAM), launch, work)?)
    }

    /// Makes sure of a fork server, for containers that will be started again and again.
    ///
    /// The thread that calls this must live as long as this process.
    pub fn expect_restarts(&self) {
        // One that is in use is there.
        if let Ok(mut server) = self.server.try_lock()
            && server.is_none()
        {
            // Without one each stage is started for itself.
            *server = StageServer::start(Path::new(OWN_PROGRAM)).ok();
        }
    }

    /// Returns what the host offers, asked once.
    fn host(&self) -> Result<&HostFacts, EngineError> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let host = HostFacts::read().map_err(EngineError::io(Path::new("/proc")))?;
        Ok(self.host.get_or_init(|| host))
    }

    /// Marks what is started with it as working for this supervisor.
    fn work(&self) -> Result<Work, EngineError> {
        let lease = self.lease_path.as_path();
        let started = Work::begin(lease).map_err(|source| SummonError::Lease {
            pod: self.pod.id.clone(),
            source,
        });
        Ok(started?)
    }

    /// Gives up what only starts that follow closely need: the open database, and the fork server.
    pub fn rest(&self) {
        self.ledger.close();
        if let Ok(mut server) = self.server.try_lock() {
            *server = None;
        }
    }
}
