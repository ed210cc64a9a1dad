//! Makes what a container needs, gathers the facts about it, and has its launch decided.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::PoisonError;

use super::bundle::{make_bundle, make_layer};
use super::{ADOPTED, Context, Run, StartError};
use crate::engine::facts::{Facts, Node};
use crate::engine::installation::EngineError;
use crate::engine::launch::{
    self, HostDevice, JoinedNamespaces, Launch, LaunchError, LaunchFacts, PidChoice, PodFiles,
    ResolvedVolume, Site,
};
use crate::engine::objects::{ObjectKind, Objects};
use crate::engine::paths::TERMINATION_LOG;
use crate::engine::{sandbox, volumes};
use crate::fault;
use crate::image::ImageRecord;
use crate::image::rootfs::{ground_layer, lower_directories};
use crate::model::container::{ContainerSpec, SeccompProfile};
use crate::model::infra::{IpcNamespace, PidNamespace};
use crate::model::observed::{ContainerRecord, ObjectContent, VolumeRecord};
use crate::model::pod::PodSpec;
use crate::model::volume::VolumeSpec;
use crate::names::{ContainerName, VolumeName};
use crate::sys::namespace::NamespaceKind;
use crate::sys::tree;

/// A container of the pod: what is wanted of it, what is recorded, and what it is made from.
pub(super) struct Member<'a> {
    spec: ContainerSpec,
    record: &'a ContainerRecord,
    image: &'a ImageRecord,
}

impl Member<'_> {
    pub(super) fn name(&self) -> &ContainerName {
        &self.record.name
    }
}

impl Context {
    /// Returns the container at a place among the pod's.
    pub(super) fn member(&self, place: usize) -> Result<Member<'_>, StartError> {
        let record = &self.records[place];
        let spec = self.pod.spec.container(&record.name);
        Ok(Member {
            spec: without_terminal(spec.ok_or(EngineError::Removed)?),
            record,
            image: self.image(record).ok_or(StartError::NoImage)?,
        })
    }

    /// Makes the volumes, the bundle and the layer of a container, and decides its launch.
    pub(super) fn prepare(
        &self,
        member: &Member<'_>,
        run: Run,
        fresh: bool,
    ) -> Result<Launch, StartError> {
        let (objects, named_volumes) = self.referred()?;
        let facts = Facts {
            pod: &self.pod,
            objects: &objects,
            node: LazyCell::new(Node::of_host),
        };
        let places = self.make_volumes(&facts, &named_volumes)?;
        fault::point("with the volumes made");
        let paths = self.paths();
        let bundle = paths.bundle(member.name());
        make_bundle(&bundle)?;
        let files = self.files(&bundle);
        let mut lower = lower_directories(&self.content, member.image);
        if files.is_complete() {
            lower.push(ground_layer(&self.content).map_err(EngineError::from)?);
        }
        let site = Site {
            id: member.record.id.clone(),
            rootfs: make_layer(&paths.layer(member.name()), lower, fresh)?,
            cgroup: paths.container_cgroup(member.name()),
            filters: self.installation.filters(),
            bare_namespace: self.bare_namespace(run),
            pod: paths.run,
            bundle,
        };
        self.decide(member, &facts, &places, &files, site)
    }

    /// Reads the objects and the named volumes that the pod refers to; most refer to none.
    fn referred(&self) -> Result<(Objects, Vec<VolumeRecord>), EngineError> {
        let spec = &self.pod.spec;
        let (wanted, mut claims) = (spec.objects(), spec.claims());
        if wanted.is_empty() && claims.next().is_none() {
            return Ok((Objects::default(), Vec::new()));
        }
        let (mut objects, named) = self
            .ledger
            .read(|store| Ok((store.objects()?, store.volumes()?)))?;
        // The values of other Secrets are none of this process's business.
        objects.retain(|object| {
            let kind = match object.content {
                ObjectContent::ConfigMap(_) => ObjectKind::ConfigMap,
                ObjectContent::Secret { .. } => ObjectKind::Secret,
            };
            wanted.contains(&(kind, &object.name))
        });
        Ok((Objects::load(&self.installation, &objects)?, named))
    }

    /// Returns the mount namespace that the stages of restarts begin in.
    ///
    /// To make it costs what one start saves by it: a container that is started once goes without.
    fn bare_namespace(&self, run: Run) -> Option<PathBuf> {
        if run <= ADOPTED + 1 {
            return None;
        }
        let made = self.bare.get_or_init(|| tree::bare_namespace().ok());
        let number = made.as_ref()?.as_raw_fd();
        Some(PathBuf::from(format!(
            "/proc/{}/fd/{number}",
            process::id()
        )))
    }

    /// Makes what is missing of the pod's volumes, one thread at a time.
    fn make_volumes(
        &self,
        facts: &Facts<'_>,
        named: &[VolumeRecord],
    ) -> Result<volumes::Places, StartError> {
        let _turn = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let stock = volumes::Stock {
            named,
            layers: &self.layers(),
        };
        volumes::prepare(&self.installation, facts, &stock)
            .map_err(|(name, source)| StartError::Volume { name, source })
    }

    /// Returns the layers of the images that the pod has as volumes.
    fn layers(&self) -> volumes::Layers {
        let used = |image: &&ImageRecord| self.pod.volume_images.values().any(|id| *id == image.id);
        let images = self.images.iter().filter(used);
        images
            .map(|image| (image.id.clone(), lower_directories(&self.content, image)))
            .collect()
    }

    fn decide(
        &self,
        member: &Member<'_>,
        facts: &Facts<'_>,
        places: &volumes::Places,
        files: &PodFiles,
        site: Site,
    ) -> Result<Launch, StartError> {
        let container = &member.spec;
        let profile = match self.pod.spec.effective_seccomp(container) {
            SeccompProfile::Localhost(path) => Some(read_profile(path)?),
            _ => None,
        };
        let launch = launch::decide(
            &self.pod.spec,
            container,
            LaunchFacts {
                runtime: self.installation.runtime.clone(),
                image: &member.image.config,
                hostname: &self.hostname(),
                namespaces: &self.namespaces(),
                files,
                volumes: &self.resolved(places),
                devices: &devices(container)?,
                mounted_devices: &mounted_devices(&self.pod.spec, container)?,
                values: facts,
                seccomp_profile: profile.as_deref(),
                host: self.host()?,
                site,
            },
        )?;
        Ok(launch)
    }

    /// Returns the files that a container with this bundle sees of its pod.
    fn files(&self, bundle: &Path) -> PodFiles {
        let paths = self.paths();
        let existing = |name: &str| Some(paths.etc(name)).filter(|path| path.exists());
        PodFiles {
            shm: match self.pod.spec.infra.shared.ipc {
                IpcNamespace::Pod => paths.shm(),
                IpcNamespace::Host => PathBuf::from("/dev/shm"),
            },
            hosts: existing("hosts"),
            hostname: existing("hostname"),
            resolv_conf: existing("resolv.conf"),
            termination_message: Some(bundle.join(TERMINATION_LOG)),
        }
    }

    fn resolved(&self, places: &volumes::Places) -> BTreeMap<VolumeName, ResolvedVolume> {
        let resolve = |name: &VolumeName, path: &PathBuf| ResolvedVolume {
            path: path.clone(),
            read_only: is_read_only(&self.pod.spec.volumes[name]),
        };
        let places = places.iter();
        places
            .map(|(name, path)| (name.clone(), resolve(name, path)))
            .collect()
    }

    /// Returns the namespaces that the pod's containers join.
    pub(super) fn namespaces(&self) -> JoinedNamespaces {
        let (spec, paths) = (&self.pod.spec, self.paths());
        let own = sandbox::own_namespaces(spec);
        let path = |kind: NamespaceKind| {
            own.contains(&kind)
                .then(|| paths.namespace(kind.file_name()))
        };
        JoinedNamespaces {
            net: path(NamespaceKind::Net),
            ipc: path(NamespaceKind::Ipc),
            uts: path(NamespaceKind::Uts),
            pid: match spec.infra.shared.pid {
                PidNamespace::Container => PidChoice::Own,
                PidNamespace::Pod => PidChoice::Joined(paths.namespace("pid")),
                PidNamespace::Host => PidChoice::Host,
            },
        }
    }
}

/// A terminal would end with the supervisor that holds it; output goes to the log instead.
fn without_terminal(container: &ContainerSpec) -> ContainerSpec {
    let mut container = container.clone();
    container.terminal.tty = false;
    container
}

/// Returns the host's devices that a container is given: those it asks for, or all of them.
fn devices(container: &ContainerSpec) -> Result<Vec<HostDevice>, EngineError> {
    if container.privileges.privileged == Some(true) {
        return launch::host::host_devices().map_err(EngineError::io(Path::new("/dev")));
    }
    let mut devices = Vec::new();
    for path in container.host_devices() {
        devices.extend(launch::host::devices_at(path).map_err(EngineError::io(path))?);
    }
    Ok(devices)
}

/// Returns the host's devices that a container has through its mounts.
fn mounted_devices(
    pod: &PodSpec,
    container: &ContainerSpec,
) -> Result<Vec<HostDevice>, EngineError> {
    let mut devices = Vec::new();
    for (file, path) in pod.mounted_devices(container) {
        devices.extend(HostDevice::read(file, path).map_err(EngineError::io(file))?);
    }
    Ok(devices)
}

fn is_read_only(volume: &VolumeSpec) -> bool {
    match volume {
        VolumeSpec::Projected { .. } | VolumeSpec::Image { .. } => true,
        VolumeSpec::Claim { read_only, .. } => *read_only,
        VolumeSpec::HostPath { .. } | VolumeSpec::EmptyDir { .. } => false,
    }
}

/// Where profiles of the type `Localhost` lie, as the kubelet has it.
const PROFILE_ROOT: &str = "/var/lib/kubelet/seccomp";

fn read_profile(path: &Path) -> Result<String, LaunchError> {
    launch::seccomp::read_profile(Path::new(PROFILE_ROOT), path)
}
