//! Everything about one pod.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::container::{ContainerSpec, EnvSource, EnvValue, PullPolicy, Role, SeccompProfile};
use super::infra::{InfraSpec, PidNamespace};
use super::network::{NetworkSpec, PublishedPort};
use super::quantity::Seconds;
use super::volume::{HostPathKind, ProjectedSource, VolumeSpec};
use crate::names::{ContainerName, Hostname, ImageRef, ObjectName, PodId, PodName, VolumeName};

/// Labels or annotations.
pub type Labels = BTreeMap<String, String>;

/// Everything about one pod: an infra container and what comes on top of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSpec {
    pub name: PodName,
    /// The namespace the manifest names; here it is only a word the pod may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<ObjectName>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    pub infra: InfraSpec,
    /// In the order they start; sidecars are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<ContainerSpec>,
    pub containers: Vec<ContainerSpec>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<VolumeName, VolumeSpec>,
    pub restart_policy: RestartPolicy,
    pub termination_grace: Seconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_deadline: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ObjectName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<ObjectName>,
    pub naming: ContainerNaming,
}

/// A pod as it is stored, printed and sent: the version once, and the type itself.
///
/// A form of another version is refused, and so is a field that this version does not have:
/// a reader never drops what it does not understand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    version: WireVersion,
    pub pod: PodSpec,
}

impl Wire {
    /// Puts a pod into the present version's envelope.
    #[must_use]
    pub fn new(pod: PodSpec) -> Self {
        Self {
            version: WireVersion,
            pod,
        }
    }
}

/// The present version of the wire form: 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct WireVersion;

/// A wire form of a version that this program does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {0} of the wire form is not known, only version 1 is")]
struct UnknownVersion(u32);

impl TryFrom<u32> for WireVersion {
    type Error = UnknownVersion;
    fn try_from(version: u32) -> Result<Self, UnknownVersion> {
        (version == 1)
            .then_some(Self)
            .ok_or(UnknownVersion(version))
    }
}

impl From<WireVersion> for u32 {
    fn from(_: WireVersion) -> Self {
        1
    }
}

/// When a container that ended is started again (`restartPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RestartPolicy {
    #[default]
    Always,
    OnFailure,
    Never,
}

/// The kinds of object that a pod reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    ConfigMap,
    Secret,
}

/// How containers are called outside of their pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ContainerNaming {
    /// `POD-CONTAINER`.
    #[default]
    PodPrefix,
    /// As in the manifest (`--no-pod-prefix`).
    Bare,
}

impl PodSpec {
    /// Returns all containers but the infra container, in the order they start.
    pub fn all_containers(&self) -> impl Iterator<Item = &ContainerSpec> {
        self.init_containers.iter().chain(&self.containers)
    }

    /// Returns the container of this name.
    #[must_use]
    pub fn container(&self, name: &ContainerName) -> Option<&ContainerSpec> {
        self.all_containers()
            .find(|container| &container.name == name)
    }

    /// Returns the images of its containers and of its volumes, each with what is to be pulled when.
    pub fn images(&self) -> impl Iterator<Item = (&ImageRef, PullPolicy)> {
        let containers = self.all_containers().map(|one| (&one.image, one.pull));
        containers.chain(
            self.volume_images()
                .map(|(_, reference, pull)| (reference, pull)),
        )
    }

    /// Returns the volumes that are images.
    pub fn volume_images(&self) -> impl Iterator<Item = (&VolumeName, &ImageRef, PullPolicy)> {
        self.volumes
            .iter()
            .filter_map(|(name, volume)| match volume {
                VolumeSpec::Image { reference, pull } => Some((name, reference, *pull)),
                _ => None,
            })
    }

    /// Returns the devices of the host that a container mounts: where each is, and where the container has it.
    pub fn mounted_devices<'a>(
        &'a self,
        container: &'a ContainerSpec,
    ) -> impl Iterator<Item = (&'a Path, &'a Path)> {
        container
            .mounts
            .iter()
            .filter_map(|mount| match self.volumes.get(&mount.volume)? {
                VolumeSpec::HostPath {
                    path,
                    kind: HostPathKind::CharDevice | HostPathKind::BlockDevice,
                } => Some((path.as_path(), mount.path.as_path())),
                _ => None,
            })
    }

    /// Returns the named volumes of the host that the pod mounts.
    pub fn claims(&self) -> impl Iterator<Item = &VolumeName> {
        self.volumes.values().filter_map(|volume| match volume {
            VolumeSpec::Claim { claim, .. } => Some(claim),
            VolumeSpec::HostPath { .. }
            | VolumeSpec::EmptyDir { .. }
            | VolumeSpec::Projected { .. }
            | VolumeSpec::Image { .. } => None,
        })
    }

    /// Returns the ConfigMaps and Secrets that the pod reads.
    #[must_use]
    pub fn objects(&self) -> BTreeSet<(ObjectKind, &ObjectName)> {
        let mut objects = BTreeSet::new();
        for container in self.all_containers() {
            for from in &container.env_from {
                objects.insert(match &from.source {
                    EnvSource::ConfigMap(name) => (ObjectKind::ConfigMap, name),
                    EnvSource::Secret(name) => (ObjectKind::Secret, name),
                });
            }
            for variable in &container.env {
                match &variable.value {
                    EnvValue::ConfigMapKey(key) => {
                        objects.insert((ObjectKind::ConfigMap, &key.object));
                    }
                    EnvValue::SecretKey(key) => {
                        objects.insert((ObjectKind::Secret, &key.object));
                    }
                    EnvValue::Literal(_) | EnvValue::Field(_) | EnvValue::Resource(_) => {}
                }
            }
        }
        for volume in self.volumes.values() {
            let VolumeSpec::Projected { sources, .. } = volume else {
                continue;
            };
            for source in sources {
                match source {
                    ProjectedSource::ConfigMap(keys) => {
                        objects.insert((ObjectKind::ConfigMap, &keys.object));
                    }
                    ProjectedSource::Secret(keys) => {
                        objects.insert((ObjectKind::Secret, &keys.object));
                    }
                    ProjectedSource::DownwardApi(_)
                    | ProjectedSource::ServiceAccountToken { .. } => {}
                }
            }
        }
        objects
    }

    /// Returns the name that a container has outside of the pod.
    #[must_use]
    pub fn full_name(&self, container: &ContainerName) -> String {
        match self.naming {
            ContainerNaming::PodPrefix => format!("{}-{container}", self.name),
            ContainerNaming::Bare => container.to_string(),
        }
    }

    /// Returns the name of the infra container.
    #[must_use]
    pub fn infra_name(&self, id: &PodId) -> String {
        match &self.infra.name {
            Some(name) => name.to_string(),
            None => format!("{}-infra", id.short()),
        }
    }

    /// Returns the host name the containers see; none means the host's own.
    ///
    /// A pod in the host's network namespace has the host's name, as the kubelet has it.
    #[must_use]
    pub fn hostname(&self) -> Option<Hostname> {
        if self.infra.network == NetworkSpec::Host {
            return None;
        }
        self.infra.hostname.clone().or_else(|| {
            let label: String = self.name.as_str().chars().take(63).collect();
            Hostname::parse(label.trim_end_matches(['-', '.', '_'])).ok()
        })
    }

    /// Returns the ports the host publishes: those of all containers, if the pod is on a bridge.
    pub fn published_ports(&self) -> impl Iterator<Item = PublishedPort> {
        let on_bridge = matches!(self.infra.network, NetworkSpec::Bridge { .. });
        self.all_containers()
            .filter(move |_| on_bridge)
            .flat_map(|container| &container.ports)
            .filter_map(|port| {
                let host = port.host.as_ref()?;
                Some(PublishedPort {
                    protocol: port.protocol,
                    host_ip: host.ip,
                    host_port: host.port,
                    container_port: port.port,
                })
            })
    }

    /// Returns the user id a container runs as; none means the image's.
    #[must_use]
    pub fn effective_user(&self, container: &ContainerSpec) -> Option<u32> {
        container
            .process
            .security
            .run_as_user
            .or(self.infra.process.security.run_as_user)
    }

    /// Returns the group id a container runs as; none means the user's own or the image's.
    #[must_use]
    pub fn effective_group(&self, container: &ContainerSpec) -> Option<u32> {
        container
            .process
            .security
            .run_as_group
            .or(self.infra.process.security.run_as_group)
    }

    /// Returns whether a container must not run as root.
    #[must_use]
    pub fn must_run_as_non_root(&self, container: &ContainerSpec) -> bool {
        container
            .process
            .security
            .run_as_non_root
            .or(self.infra.process.security.run_as_non_root)
            .unwrap_or(false)
    }

    /// Returns the seccomp profile of a container; without a word on it, the runtime's default.
    #[must_use]
    pub fn effective_seccomp<'a>(&'a self, container: &'a ContainerSpec) -> &'a SeccompProfile {
        container
            .process
            .security
            .seccomp
            .as_ref()
            .or(self.infra.process.security.seccomp.as_ref())
            .unwrap_or(&SeccompProfile::RuntimeDefault)
    }

    /// Returns whether a container that ended this way is started again.
    ///
    /// Init containers run again under `Always` only when they failed; sidecars always do (KEP-753).
    #[must_use]
    pub fn restarts(&self, role: Role, failed: bool) -> bool {
        match (role, self.restart_policy) {
            (Role::Sidecar, _) | (Role::App, RestartPolicy::Always) => true,
            (Role::Init, RestartPolicy::Always) | (_, RestartPolicy::OnFailure) => failed,
            (_, RestartPolicy::Never) => false,
        }
    }

    /// Returns whether the pod has a PID namespace of its own, and so an init process in it.
    #[must_use]
    pub fn shares_pid_namespace(&self) -> bool {
        self.infra.shared.pid == PidNamespace::Pod
    }
}
