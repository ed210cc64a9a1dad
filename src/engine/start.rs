//! Starts one container of a pod: gathers its facts, decides its launch, and runs the stage that creates it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::facts::{Facts, Node};
use super::installation::EngineError;
use super::keeper::Keeper;
use super::launch::files::{HostsFacts, hosts_file, resolv_conf};
use super::launch::{
    self, HostDevice, HostFacts, JoinedNamespaces, LaunchError, LaunchFacts, PidChoice, PodFiles,
    ResolvedVolume, RootFs,
};
use super::ledger::Ledger;
use super::network::{PortHold, hold_ports};
use super::objects::Objects;
use super::paths::{Paths, PodPaths};
use super::protocol::SummonError;
use super::sandbox::SandboxError;
use super::stage::{self, CreateError, CreateStage, OWN_PROGRAM};
use super::turns::Turn;
use super::{cgroups, neighbours, remove, sandbox, volumes};
use crate::fault;
use crate::image::ImageRecord;
use crate::image::rootfs::lower_directories;
use crate::image::store::ContentStore;
use crate::model::container::{ContainerSpec, SeccompProfile, StopSignal};
use crate::model::infra::{EtcHostname, IpcNamespace, PidNamespace};
use crate::model::network::PublishedPort;
use crate::model::observed::{ContainerRecord, ObservedPod, PodRecord, Standing};
use crate::model::state::ExitStatus;
use crate::model::volume::VolumeSpec;
use crate::names::{ContainerName, VolumeName};
use crate::state::{Lease, LeaseError, LockDir, Store, Work};
use crate::sys::cgroup::CgroupError;
use crate::sys::mount;
use crate::sys::namespace::NamespaceKind;
use crate::sys::process::{self, Ended, PidFd};

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

/// A container that was started.
#[derive(Debug)]
pub struct Started {
    pub run: Run,
    pub process: PidFd,
    pub pid: i32,
    pub start_time: u64,
    pub streams: Streams,
}

/// The read ends of a container's output.
#[derive(Debug)]
pub struct Streams {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// How long what worked for a supervisor that is gone may take to end.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(2);

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
    runs: Vec<Mutex<Run>>,
    /// The line to the keeper, once something is kept.
    keeper: Mutex<Option<Keeper>>,
    /// What starts from here on belongs to no caller.
    moving: Moving,
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
        images.retain(|image| pod.containers.iter().any(|c| c.image == image.id));
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
            runs: pod.containers.iter().map(|_| Mutex::new(ADOPTED)).collect(),
            keeper: Mutex::new(None),
            moving,
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
        let record = &self.records[place];
        let container = self
            .pod
            .spec
            .container(&record.name)
            .ok_or(EngineError::Removed)?;
        let container = &without_terminal(container);
        let image = self.image(record).ok_or(StartError::NoImage)?;
        let _turn = Turn::take(&self.installation.locks());
        let connecting = self.set_up_pod()?;
        let paths = self.paths();
        let mut run = self.runs[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *run += 1;
        // A start that was killed half-way may have left a process that nobody knows.
        cgroups::kill(&paths.container_cgroup(&record.name))?;
        let (objects, named_volumes) = self
            .ledger
            .read(|store| Ok((store.objects()?, store.volumes()?)))
            .map_err(EngineError::from)?;
        let objects = Objects::load(&self.installation, &objects).map_err(EngineError::from)?;
        let node = Node::of_host();
        let facts = Facts {
            pod: &self.pod,
            objects: &objects,
            node: &node,
        };
        let places = {
            let _turn = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
            volumes::prepare(&self.installation, &facts, &named_volumes)
                .map_err(|(name, source)| StartError::Volume { name, source })?
        };
        fault::point("with the volumes made");
        let bundle = paths.bundle(&record.name);
        make_bundle(&bundle)?;
        let lower = lower_directories(&self.content, image);
        let rootfs = make_layer(&paths.layer(&record.name), lower, fresh)?;
        let launch = self.decide(container, record, image, &facts, &places, &bundle, rootfs)?;
        let streams = open_streams(&bundle).map_err(EngineError::io(&bundle))?;
        self.keep(&record.name, &streams);
        self.moving.finish()?;
        fault::point("before a container is created");
        let stage = CreateStage::start(Path::new(OWN_PROGRAM), &launch, Some(self.work()?))?;
        if connecting.is_some() {
            self.warm_cgroups();
        }
        // The program of a container finds its network.
        connecting.map_or(Ok(()), Connecting::finish)?;
        let pid = stage.finish()?.pid;
        fault::point("with a container that nobody knows");
        hold(*run, pid, &bundle, streams)
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

    /// Ends what still works for a supervisor that is gone: it was making containers that nobody knows.
    ///
    /// # Errors
    /// The lease cannot be asked.
    pub fn end_orphans(&self, lease: &Lease) -> Result<(), LeaseError> {
        let until = Instant::now() + ORPHANS_PATIENCE;
        while lease.is_worked_for()? && Instant::now() < until {
            for record in self.records.iter().filter(|record| !has_process(record)) {
                // What does not end now is met again when the container is started or removed.
                let _ = cgroups::kill(&self.paths().container_cgroup(&record.name));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Moves this process to where it is, while the stage is busy with other things.
    ///
    /// The first move after a quiet time waits for every processor of the machine (an RCU grace period, 10 ms
    /// and more), those soon after it do not: the stage's own is then one of those. Only a pod's first start
    /// has that time, and only with others going on would it be in their way.
    fn warm_cgroups(&self) {
        // Whatever it fails at, the stage will tell.
        let _ = cgroups::enter(&self.installation.supervisors_cgroup());
    }

    /// Has the output kept beyond this process; without a keeper only what is unread at its death is lost.
    pub fn keep(&self, name: &ContainerName, streams: &Streams) {
        let mut slot = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..2 {
            let keeper = match slot.take() {
                Some(keeper) => keeper,
                None => match Keeper::reach(&self.installation, &self.pod.id) {
                    Ok(keeper) => keeper,
                    Err(_) => return,
                },
            };
            let kept = keeper
                .keep(&format!("{name}/stdout"), streams.stdout.as_fd())
                .and_then(|()| keeper.keep(&format!("{name}/stderr"), streams.stderr.as_fd()));
            if kept.is_ok() {
                *slot = Some(keeper);
                return;
            }
        }
    }

    /// Closes the database until it is needed again.
    pub fn close_store(&self) {
        self.ledger.close();
    }

    /// Lets the keeper forget the pod: this supervisor ends because nothing is left to do.
    pub fn release(&self) {
        let slot = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = slot.as_ref() {
            // A keeper that is gone keeps nothing.
            let _ = keeper.release();
        }
    }

    /// Sets the pod up in the kernel if it is not, one thread at a time.
    ///
    /// What is returned is still under way; others wait until it has been finished.
    fn set_up_pod(&self) -> Result<Option<Connecting<'_>>, StartError> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = self.paths();
        if sandbox::is_set_up(&paths) {
            return self.ensure_init(&paths).map(|()| None);
        }
        let (pod, own_ports) = self.standing()?;
        *ports = None;
        let held = hold_ports(&own_ports).map_err(EngineError::from)?;
        cgroups::create(&paths.cgroup, &pod.spec.infra.process.limits)?;
        fault::point("with the pod's cgroup made");
        sandbox::set_up(&self.installation, &pod).map_err(EngineError::from)?;
        self.write_etc(&paths)?;
        let installation = self.installation.clone();
        let mut connecting = Connecting {
            network: Some(thread::spawn(move || {
                sandbox::connect(&installation, &pod).map(drop)
            })),
            ports,
            held: Some(held),
        };
        if !self.pod.spec.shares_pid_namespace() {
            return Ok(Some(connecting));
        }
        // The init joins the network, and only one thread may make it: the right is kept until then.
        connecting.complete()?;
        self.ensure_init(&paths).map(|()| None)
    }

    /// Returns the pod as it is recorded now, and those of its ports that no pod has whose place it is to take.
    fn standing(&self) -> Result<(PodRecord, Vec<PublishedPort>), EngineError> {
        let (pod, before) = self.ledger.read(|store| {
            let pod = store.pod(&self.pod.id)?;
            let before = match pod.as_ref().map(|pod| &pod.record.standing) {
                Some(Standing::Candidate { of }) => store.pod(of)?,
                Some(Standing::Serving | Standing::Retired { .. }) | None => None,
            };
            Ok((pod, before))
        })?;
        let pod = pod.ok_or(EngineError::Removed)?.record;
        let mut ports: Vec<_> = pod.spec.published_ports().collect();
        if let Some(before) = before {
            let taken: Vec<_> = before.record.spec.published_ports().collect();
            ports.retain(|port| !taken.iter().any(|taken| taken.collides(port)));
        }
        Ok((pod, ports))
    }

    /// Returns whether the pod has its ports in hand.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// Takes the ports in hand that came to the pod when it took another's place, if it was to take one, and those
    /// that a former supervisor had.
    ///
    /// Whoever led them here may have been killed before, so they are led here again. That they cannot be
    /// held yet is no error: the pod before holds them until it has ended, and then rings again.
    pub fn settle(&self) {
        if self.is_settled() {
            return;
        }
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if !sandbox::is_set_up(&self.paths()) {
            return;
        }
        let Ok((pod, own)) = self.standing() else {
            return;
        };
        let held = ports.get_or_insert_default().hold_more(&own).is_ok();
        let led = pod.standing.is_serving()
            && sandbox::lead_ports(&self.installation, None, &pod).is_ok();
        self.settled.store(held && led, Ordering::Relaxed);
    }

    /// Starts the init of a shared PID namespace unless it lives, and pins the namespace.
    fn ensure_init(&self, paths: &PodPaths) -> Result<(), StartError> {
        if !self.pod.spec.shares_pid_namespace() {
            return Ok(());
        }
        let bundle = paths.init_bundle();
        let pin = bundle.join("pidfd");
        if PidFd::open_pinned(&pin).is_ok_and(|init| init.is_alive().unwrap_or(false)) {
            return Ok(());
        }
        cgroups::kill(&paths.init_cgroup())?;
        make_bundle(&bundle)?;
        let host = HostFacts::read().map_err(EngineError::io(Path::new("/proc")))?;
        let layer = make_layer(&paths.init_layer(), vec![self.content.empty_layer()], true)?;
        let launch = launch::infra::decide(launch::infra::InfraFacts {
            id: self.pod.infra.clone(),
            pod: paths.run.clone(),
            bundle: bundle.clone(),
            rootfs: layer,
            stdout: bundle.join("stdout"),
            stderr: bundle.join("stderr"),
            cgroup: paths.init_cgroup(),
            filters: self.installation.filters(),
            namespaces: &joined(&self.pod, paths),
            host: &host,
        });
        let streams = open_streams(&bundle).map_err(EngineError::io(&bundle))?;
        self.moving.finish()?;
        let init = hold(
            ADOPTED,
            stage::create(&launch, self.work()?)?,
            &bundle,
            streams,
        )?;
        fault::point("with the pod's init started");
        let namespace = paths.namespace("pid");
        let _ = mount::unmount(&namespace).map_err(|error| EngineError::Sandbox(error.into()))?;
        fs::File::create(&namespace)
            .and_then(|_| fs::File::open(format!("/proc/{}/ns/pid", init.pid)))
            .and_then(|open| crate::sys::tree::pin(open.as_fd(), &namespace))
            .map_err(EngineError::io(&namespace))?;
        Ok(())
    }

    /// Writes the files that all containers of the pod see.
    fn write_etc(&self, paths: &PodPaths) -> Result<(), StartError> {
        let spec = &self.pod.spec;
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let write = |name: &str, text: &str| {
            let path = paths.etc(name);
            fs::write(&path, text).map_err(EngineError::io(&path))
        };
        let hostname = self.hostname();
        let addresses: Vec<IpAddr> = self.pod.addresses.iter().map(|a| a.address).collect();
        let hosts = hosts_file(
            &spec.infra,
            &HostsFacts {
                host_file: &read("/etc/hosts"),
                hostname: &hostname,
                addresses: &addresses,
                gateway: self.pod.addresses.first().map(|assigned| assigned.gateway),
            },
        );
        if let Some(mut hosts) = hosts {
            let mut turn = None;
            if neighbours::may_have(&self.pod) {
                turn = Some(neighbours::hold(&self.installation)?);
                let observed = self
                    .ledger
                    .read(Store::observed)
                    .map_err(EngineError::from)?;
                hosts += &neighbours::lines(&observed, &self.pod);
            }
            write("hosts", &hosts)?;
            drop(turn);
        }
        if spec.infra.etc_hostname == EtcHostname::Pod {
            write("hostname", &format!("{hostname}\n"))?;
        }
        let upstream = read("/run/systemd/resolve/resolv.conf");
        let conf = resolv_conf(
            &read("/etc/resolv.conf"),
            Some(&upstream)
                .filter(|text| !text.is_empty())
                .map(String::as_str),
            &spec.infra.network,
            &spec.infra.dns,
        )?;
        write("resolv.conf", &conf)?;
        Ok(())
    }

    fn hostname(&self) -> String {
        match self.pod.spec.hostname() {
            Some(hostname) => hostname.to_string(),
            None => nix::unistd::gethostname()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is a fact of its own, gathered by the one caller"
    )]
    fn decide(
        &self,
        container: &ContainerSpec,
        record: &ContainerRecord,
        image: &ImageRecord,
        facts: &Facts<'_>,
        places: &volumes::Places,
        bundle: &Path,
        rootfs: RootFs,
    ) -> Result<launch::Launch, StartError> {
        let paths = self.paths();
        let spec = &self.pod.spec;
        let host = HostFacts::read().map_err(EngineError::io(Path::new("/proc")))?;
        let privileged = container.privileges.privileged == Some(true);
        let devices: Vec<HostDevice> = if privileged {
            launch::host::host_devices().map_err(EngineError::io(Path::new("/dev")))?
        } else {
            Vec::new()
        };
        let volumes = places
            .iter()
            .map(|(name, path)| {
                let volume = ResolvedVolume {
                    path: path.clone(),
                    read_only: is_read_only(&spec.volumes[name]),
                };
                (name.clone(), volume)
            })
            .collect();
        let profile = match spec.effective_seccomp(container) {
            SeccompProfile::Localhost(path) => Some(read_profile(path)?),
            _ => None,
        };
        let files = PodFiles {
            shm: match spec.infra.shared.ipc {
                IpcNamespace::Pod => paths.shm(),
                IpcNamespace::Host => PathBuf::from("/dev/shm"),
            },
            hosts: existing(paths.etc("hosts")),
            hostname: existing(paths.etc("hostname")),
            resolv_conf: existing(paths.etc("resolv.conf")),
            termination_message: Some(bundle.join("termination-log")),
        };
        let launch = launch::decide(
            spec,
            container,
            LaunchFacts {
                id: record.id.clone(),
                pod: paths.run.clone(),
                bundle: bundle.to_owned(),
                rootfs,
                stdout: bundle.join("stdout"),
                stderr: bundle.join("stderr"),
                cgroup: paths.container_cgroup(&record.name),
                filters: self.installation.filters(),
                runtime: self.installation.runtime.clone(),
                image: &image.config,
                hostname: &self.hostname(),
                namespaces: &joined(&self.pod, &paths),
                files: &files,
                volumes: &volumes,
                devices: &devices,
                values: facts,
                seccomp_profile: profile.as_deref(),
                host: &host,
            },
        )?;
        Ok(launch)
    }

    /// Ends everything in the cgroup of a container's run.
    pub fn kill_cgroup(&self, place: usize, run: Run) {
        // What does not end now is met again when the container is started or removed.
        let _ = self.in_cgroup(place, run, cgroups::kill);
    }

    /// Freezes the processes of a container's run.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn freeze(&self, place: usize, run: Run) -> Result<(), String> {
        self.in_cgroup(place, run, cgroups::freeze)
    }

    /// Lets the processes of a container's run go on.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn thaw(&self, place: usize, run: Run) -> Result<(), String> {
        self.in_cgroup(place, run, cgroups::thaw)
    }

    /// Does something to the cgroup of a container while no later run can begin.
    fn in_cgroup(
        &self,
        place: usize,
        run: Run,
        work: impl FnOnce(&str) -> Result<(), CgroupError>,
    ) -> Result<(), String> {
        let present = self.runs[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *present != run {
            return Err("the container has ended".to_owned());
        }
        let cgroup = self.paths().container_cgroup(&self.records[place].name);
        work(&cgroup).map_err(|error| chain(&error))
    }

    /// Clears up behind a container that ended; tells whether it was killed for its memory.
    #[must_use]
    pub fn end(&self, name: &ContainerName) -> bool {
        let paths = self.paths();
        let oom = was_killed_for_memory(&paths, name);
        if oom {
            // Who asks before the end is recorded finds no cgroup any more. Without the mark it is
            // told as an ordinary kill.
            let _ = fs::write(paths.bundle(name).join(OOM_MARK), "");
        }
        let cgroup = paths.container_cgroup(name);
        // What is left is met again when the container is started or removed. The pinned descriptor
        // stays until then: it knows the status, which nobody has recorded yet.
        let _ = cgroups::remove(&cgroup);
        oom
    }

    /// Returns how a container ended whose process is gone, if the kernel has kept it.
    #[must_use]
    pub fn pinned_status(&self, name: &ContainerName) -> Option<Ended> {
        let pin = self.paths().bundle(name).join("pidfd");
        PidFd::open_pinned(&pin).ok()?.exit_info()
    }

    /// Opens the output of a container that another supervisor started.
    ///
    /// # Errors
    /// The FIFOs are gone.
    pub fn reopen_streams(&self, name: &ContainerName) -> io::Result<Streams> {
        open_streams(&self.paths().bundle(name))
    }

    /// Takes the pod out of the kernel.
    ///
    /// # Errors
    /// What could not be removed, in words.
    pub fn tear_down(&self) -> Result<(), String> {
        // Whoever is settling the pod's ports ends first, and nobody begins.
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        *ports = None;
        let observed = self.ledger.read(Store::observed);
        let observed = observed.map_err(|error| error.to_string())?;
        remove::take_down(&self.installation, &self.pod, &observed)
    }
}

/// A process on its way from the cgroup of its caller to that of the supervisors.
///
/// The first move after a quiet time waits for every processor of the machine, 10 ms and more: the pod's namespaces
/// are made meanwhile.
#[derive(Debug)]
pub struct Moving(Mutex<Option<JoinHandle<io::Result<()>>>>);

impl Moving {
    /// Begins to move this process.
    #[must_use]
    pub fn begin(cgroup: String) -> Self {
        let moving = thread::spawn(move || cgroups::enter(&cgroup));
        Self(Mutex::new(Some(moving)))
    }

    /// Waits until the process is there.
    fn finish(&self) -> Result<(), EngineError> {
        let mut moving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = moving.take().map_or(Ok(()), |moving| {
            moving.join().expect("moving does not panic")
        });
        moved.map_err(EngineError::io(Path::new("/sys/fs/cgroup")))
    }
}

/// A pod that is being given its network while its first container is being made.
struct Connecting<'a> {
    network: Option<JoinHandle<Result<(), SandboxError>>>,
    ports: MutexGuard<'a, Option<PortHold>>,
    held: Option<PortHold>,
}

impl Connecting<'_> {
    fn finish(mut self) -> Result<(), StartError> {
        self.complete()
    }

    /// Waits for the network; the right to set the pod up stays with this value.
    fn complete(&mut self) -> Result<(), StartError> {
        let Some(network) = self.network.take() else {
            return Ok(());
        };
        let made: Result<(), SandboxError> =
            network.join().expect("setting up a network does not panic");
        made.map_err(EngineError::from)?;
        *self.ports = self.held.take();
        Ok(())
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        // Whoever sets the pod up next must not meet this one, and a pod that stands has its ports in hand,
        // whatever its first container failed at; the error that led here is the one to tell.
        let _ = self.complete();
    }
}

/// A terminal would end with the supervisor that holds it; output goes to the log instead.
fn without_terminal(container: &ContainerSpec) -> ContainerSpec {
    let mut container = container.clone();
    container.terminal.tty = false;
    container
}

/// The file in a bundle that says that the container was killed for its memory.
const OOM_MARK: &str = "oom-killed";

/// Returns whether the kernel killed something of a container's last run for its memory.
pub(super) fn was_killed_for_memory(paths: &PodPaths, name: &ContainerName) -> bool {
    // The mark is made before the cgroup goes: asked in this order, one of them tells.
    cgroups::had_oom_kill(&paths.container_cgroup(name))
        || paths.bundle(name).join(OOM_MARK).exists()
}

/// Returns whether the process that is recorded of a container lives.
fn has_process(record: &ContainerRecord) -> bool {
    record.state.process().is_some_and(|process| {
        PidFd::open_started_at(process.pid, process.start_time).is_ok_and(|found| found.is_some())
    })
}

fn is_read_only(volume: &VolumeSpec) -> bool {
    match volume {
        VolumeSpec::Projected { .. } | VolumeSpec::Image { .. } => true,
        VolumeSpec::Claim { read_only, .. } => *read_only,
        VolumeSpec::HostPath { .. } | VolumeSpec::EmptyDir { .. } => false,
    }
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.exists().then_some(path)
}

fn joined(pod: &PodRecord, paths: &PodPaths) -> JoinedNamespaces {
    let own = sandbox::own_namespaces(&pod.spec);
    let path = |kind: NamespaceKind| {
        own.contains(&kind)
            .then(|| paths.namespace(kind.file_name()))
    };
    JoinedNamespaces {
        net: path(NamespaceKind::Net),
        ipc: path(NamespaceKind::Ipc),
        uts: path(NamespaceKind::Uts),
        pid: match pod.spec.infra.shared.pid {
            PidNamespace::Container => PidChoice::Own,
            PidNamespace::Pod => PidChoice::Joined(paths.namespace("pid")),
            PidNamespace::Host => PidChoice::Host,
        },
    }
}

/// Where profiles of the type `Localhost` lie, as the kubelet has it.
const PROFILE_ROOT: &str = "/var/lib/kubelet/seccomp";

fn read_profile(path: &Path) -> Result<String, StartError> {
    launch::seccomp::read_profile(Path::new(PROFILE_ROOT), path).map_err(StartError::Launch)
}

/// Makes the writable layer of a container, or an empty one in its place.
fn make_layer(layer: &Path, lower: Vec<PathBuf>, fresh: bool) -> Result<RootFs, EngineError> {
    let make = || -> io::Result<()> {
        if fresh && layer.exists() {
            fs::remove_dir_all(layer)?;
        }
        mount::ensure_dir(&layer.join("upper"), 0o755)?;
        mount::ensure_dir(&layer.join("work"), 0o700)
    };
    make().map_err(EngineError::io(layer))?;
    Ok(RootFs {
        lower,
        upper: layer.join("upper"),
        work: layer.join("work"),
    })
}

/// Makes the directory of one run of a container: its FIFOs, and the files the stage mounts on.
fn make_bundle(bundle: &Path) -> Result<(), EngineError> {
    let make = || -> io::Result<()> {
        let _ = mount::unmount(&bundle.join("pidfd")).map_err(io::Error::other)?;
        if bundle.exists() {
            fs::remove_dir_all(bundle)?;
        }
        mount::ensure_dir(bundle, 0o700)?;
        mount::ensure_dir(&bundle.join("rootfs"), 0o755)?;
        for fifo in ["stdout", "stderr"] {
            mkfifo(&bundle.join(fifo), Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        for file in ["pidfd", "termination-log"] {
            fs::write(bundle.join(file), "")?;
        }
        let words = bundle.join("termination-log");
        fs::set_permissions(words, std::os::unix::fs::PermissionsExt::from_mode(0o666))
    };
    make().map_err(EngineError::io(bundle))
}

fn open_streams(bundle: &Path) -> io::Result<Streams> {
    let open = |name: &str| -> io::Result<OwnedFd> {
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(bundle.join(name))?;
        Ok(file.into())
    };
    Ok(Streams {
        stdout: open("stdout")?,
        stderr: open("stderr")?,
    })
}

/// Takes hold of a process that was just made, and pins it so that its status outlives this process.
fn hold(run: Run, pid: i32, bundle: &Path, streams: Streams) -> Result<Started, StartError> {
    let process = PidFd::open(pid)
        .map_err(EngineError::io(Path::new("/proc")))?
        .ok_or(StartError::Vanished)?;
    // Kernels that cannot pin a process lose its status with the supervisor; the container runs all the same.
    let _ = process.pin(&bundle.join("pidfd"));
    let start_time = process::start_time(pid)
        .map_err(EngineError::io(Path::new("/proc")))?
        .unwrap_or(0);
    Ok(Started {
        run,
        process,
        pid,
        start_time,
        streams,
    })
}

/// Joins an error and its causes with colons.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
