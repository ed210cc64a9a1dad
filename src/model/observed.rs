//! What is recorded: pods, their containers, who owns what, and all of it together as the planner sees it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::container::ContainerSpec;
use super::network::NetworkRecord;
use super::pod::PodSpec;
use super::quantity::Bytes;
use super::state::{Backoff, ContainerState, ExitStatus, PodState, Wanted};
use super::volume::{NamedVolumeSpec, VolumeSpec};
use crate::names::{
    ApplicationName, ContainerId, ContainerName, ImageId, NetworkName, ObjectName, PodId, PodName,
    VolumeName,
};

/// A pod as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodRecord {
    pub id: PodId,
    pub application: ApplicationName,
    pub created: Timestamp,
    /// The id of the infra container: namespaces and a cgroup, no process of its own.
    pub infra: ContainerId,
    /// The addresses claimed for the pod, in the order of its networks.
    pub addresses: Vec<AssignedAddress>,
    /// Whether it bears its name and ports, or another pod does.
    #[serde(default, skip_serializing_if = "Standing::is_serving")]
    pub standing: Standing,
    #[serde(default, skip_serializing_if = "LogDriver::is_default")]
    pub log_driver: LogDriver,
    /// The images that its image volumes have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub volume_images: BTreeMap<VolumeName, ImageId>,
    pub spec: PodSpec,
}

impl PodRecord {
    /// Returns whether the pod has this name, is to have it, or had it before it was replaced.
    #[must_use]
    pub fn is_called(&self, name: &PodName) -> bool {
        let had = matches!(&self.standing, Standing::Retired { name: had } if had == name);
        &self.spec.name == name || had
    }
}

/// Where the output of containers goes; the host's choice, so that no manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogDriver {
    /// To files in CRI's format.
    File(Rotation),
    /// Nowhere.
    None,
}

/// When a log file is full, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    pub size: Bytes,
    /// The current file is one of them.
    pub files: u32,
}

impl Default for Rotation {
    /// The kubelet's `containerLogMaxSize` and `containerLogMaxFiles`.
    fn default() -> Self {
        Self {
            size: Bytes(10 * 1024 * 1024),
            files: 5,
        }
    }
}

impl Default for LogDriver {
    fn default() -> Self {
        Self::File(Rotation::default())
    }
}

impl LogDriver {
    /// Returns whether nothing was asked for.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which of two pods of one name is meant by it while one replaces the other.
///
/// ```text
/// new pod:  Candidate ──hand over──▶ Serving      nothing leads to a candidate yet
/// old pod:  Serving ────hand over──▶ Retired      it has a name made from its id, and no ports
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Standing {
    /// The name, the host ports and the containers' names are its own.
    #[default]
    Serving,
    /// It is to take the place of this pod once it has started.
    Candidate { of: PodId },
    /// It had this name until another pod took its place; it goes.
    Retired { name: PodName },
}

impl Standing {
    /// Returns whether the pod bears its name itself.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        *self == Self::Serving
    }
}

/// An address that a pod holds on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignedAddress {
    pub network: NetworkName,
    pub address: IpAddr,
    pub prefix: u8,
    pub gateway: IpAddr,
    /// Whether the network leads nowhere but to its pods and the host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
}

/// A container as it is recorded; what it is stands in its pod's spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerRecord {
    pub id: ContainerId,
    pub pod: PodId,
    pub name: ContainerName,
    /// The image the name in the spec stood for when the pod was made.
    pub image: ImageId,
    pub created: Timestamp,
    pub wanted: Wanted,
    pub state: ContainerState,
    /// How often the restart policy started it again.
    pub restarts: u32,
    pub backoff: Backoff,
    /// When it was last started.
    pub started: Option<Timestamp>,
    /// How the run before the present one ended.
    pub last_end: Option<LastEnd>,
    /// Its last words (`terminationMessagePath`).
    pub message: Option<String>,
    /// Whether its readiness probe, if any, succeeded.
    pub ready: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LastEnd {
    pub status: ExitStatus,
    pub at: Timestamp,
}

impl ContainerRecord {
    /// Returns the record of a container that was never started.
    #[must_use]
    pub fn new(
        id: ContainerId,
        pod: PodId,
        spec: &ContainerSpec,
        image: ImageId,
        created: Timestamp,
    ) -> Self {
        Self {
            id,
            pod,
            name: spec.name.clone(),
            image,
            created,
            wanted: Wanted::Stopped,
            state: ContainerState::Created,
            restarts: 0,
            backoff: Backoff::default(),
            started: None,
            last_end: None,
            message: None,
            ready: false,
        }
    }

    /// Returns how the last finished run ended.
    #[must_use]
    pub fn exit(&self) -> Option<&ExitStatus> {
        match &self.state {
            ContainerState::Exited { status, .. } => Some(status),
            _ => self.last_end.as_ref().map(|end| &end.status),
        }
    }
}

/// A pod with the containers it has, in the order of its spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservedPod {
    pub record: PodRecord,
    pub containers: Vec<ContainerRecord>,
}

impl ObservedPod {
    /// Returns the images that its containers and its volumes have.
    pub fn images(&self) -> impl Iterator<Item = &ImageId> {
        let containers = self.containers.iter().map(|container| &container.image);
        containers.chain(self.record.volume_images.values())
    }

    /// Returns what the pod is doing: init containers that ran do not count.
    #[must_use]
    pub fn state(&self) -> PodState {
        PodState::of(
            self.containers
                .iter()
                .filter(|container| {
                    self.record
                        .spec
                        .containers
                        .iter()
                        .any(|spec| spec.name == container.name)
                        || container.state.is_running()
                })
                .map(|container| &container.state),
        )
    }

    /// Returns whether the pod names this volume of the host.
    #[must_use]
    pub fn claims(&self, volume: &VolumeName) -> bool {
        self.record.spec.claims().any(|claim| claim == volume)
    }

    /// Returns what a container is.
    #[must_use]
    pub fn spec_of(&self, container: &ContainerRecord) -> Option<&ContainerSpec> {
        self.record.spec.container(&container.name)
    }
}

/// A named volume as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeRecord {
    pub application: Option<ApplicationName>,
    pub created: Timestamp,
    pub spec: NamedVolumeSpec,
}

/// A ConfigMap, whole, or a Secret without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRecord {
    pub name: ObjectName,
    pub application: Option<ApplicationName>,
    pub created: Timestamp,
    pub immutable: bool,
    pub content: ObjectContent,
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ObjectContent {
    ConfigMap(ConfigData),
    /// The values rest in a file of their own, named by this id; here are only the keys.
    Secret {
        id: String,
        keys: Vec<String>,
        kind: String,
    },
}

impl ObjectContent {
    /// Returns the kind of the object, as Kubernetes spells it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ConfigMap(_) => "ConfigMap",
            Self::Secret { .. } => "Secret",
        }
    }
}

/// The keys and values of a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigData {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub text: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub binary: BTreeMap<String, Vec<u8>>,
}

/// Everything recorded, at one moment: what the planner sees.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    pub pods: Vec<ObservedPod>,
    pub volumes: Vec<VolumeRecord>,
    pub objects: Vec<ObjectRecord>,
    /// Those that were made by hand: the default one is every host's.
    pub networks: Vec<NetworkRecord>,
}

impl Observed {
    /// Returns the pods that are on a network.
    pub fn pods_on(&self, network: &NetworkName) -> impl Iterator<Item = &ObservedPod> {
        self.pods
            .iter()
            .filter(move |pod| pod.record.spec.infra.network.joins(network))
    }

    /// Returns the pod of this name; one that is to take its place is not meant.
    #[must_use]
    pub fn pod(&self, name: &PodName) -> Option<&ObservedPod> {
        let named = |pod: &&ObservedPod| &pod.record.spec.name == name;
        let serving = |pod: &&ObservedPod| pod.record.standing.is_serving();
        let mut pods = self.pods.iter().filter(named);
        pods.clone().find(serving).or_else(|| pods.next())
    }

    /// Returns all pods that have this name, are to have it, or had it before they were replaced.
    pub fn pods_named(&self, name: &PodName) -> impl Iterator<Item = &ObservedPod> {
        self.pods
            .iter()
            .filter(move |pod| pod.record.is_called(name))
    }

    /// Returns the containers that mount a volume of the host.
    pub fn users_of(&self, volume: &VolumeName) -> impl Iterator<Item = &ContainerRecord> {
        self.pods.iter().flat_map(move |pod| {
            let volumes = &pod.record.spec.volumes;
            let mounts = move |container: &&ContainerRecord| {
                let mut mounts = pod
                    .spec_of(container)
                    .into_iter()
                    .flat_map(|spec| &spec.mounts);
                mounts.any(|mount| match volumes.get(&mount.volume) {
                    Some(VolumeSpec::Claim { claim, .. }) => claim == volume,
                    _ => false,
                })
            };
            pod.containers.iter().filter(mounts)
        })
    }

    /// Returns whether anything was played under this name.
    #[must_use]
    pub fn has_application(&self, name: &ApplicationName) -> bool {
        let mut pods = self.pods.iter().map(|pod| &pod.record.application);
        let volumes = self.volumes.iter().map(|volume| &volume.application);
        let objects = self.objects.iter().map(|object| &object.application);
        let mut others = volumes.chain(objects).flatten();
        pods.any(|owner| owner == name) || others.any(|owner| owner == name)
    }

    /// Returns the volume of this name.
    #[must_use]
    pub fn volume(&self, name: &VolumeName) -> Option<&VolumeRecord> {
        self.volumes.iter().find(|volume| &volume.spec.name == name)
    }
}
