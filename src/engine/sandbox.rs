//! The pod in the kernel: its private tmpfs, pinned namespaces, files and network, made and removed.
//!
//! Everything the host sees of a pod is one tmpfs (`RUNROOT/pods/ID`, 0700) and what is mounted inside it;
//! unmounting it removes all, also after a `kill -9` at any moment. There is no infra process: the
//! namespaces are pinned by bind mounts.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

use super::network::{
    self, BridgeNetwork, DefaultRoute, HostNetwork, NetworkError, NetworkWarning, OtherPods,
    PodNetwork,
};
use super::paths::{Paths, PodPaths};
use crate::fault;
use crate::model::infra::IpcNamespace;
use crate::model::network::{NetworkSpec, parse_mac};
use crate::model::observed::{AssignedAddress, Observed, PodRecord};
use crate::model::pod::PodSpec;
use crate::names::{NetworkName, PodId};
use crate::subnet::Ipv4Subnet;
use crate::sys::mount::{self, Depth, MountError, Propagation};
use crate::sys::namespace::{self, Namespace, NamespaceError, NamespaceKind};
use crate::sys::netlink::LinkName;
use crate::sys::sysctl::{self, SysctlError};

/// A pod that could not be set up or taken down.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("making {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error("the sysctl `{name}` needs a namespace of the pod's own, but it shares the host's")]
    SysctlOfHost { name: String },
    #[error("setting the sysctl `{name}`")]
    Sysctl { name: String, source: SysctlError },
    #[error(transparent)]
    Hostname(SysctlError),
    #[error("the address {0} of the pod is no IPv4 address of a bridge")]
    Address(IpAddr),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    TearDown(Vec<NetworkError>),
}

/// The size of `/dev/shm`, as podman and Docker have it.
pub const SHM_SIZE: u64 = 64 << 20;

/// Returns whether the pod is set up in the kernel.
#[must_use]
pub fn is_set_up(paths: &PodPaths) -> bool {
    paths.run.join(READY).exists()
}

/// The file that is written when everything else stands; it holds the warnings there were, one a line.
const READY: &str = "ready";

/// Returns what there is to know about a pod that was set up, which whoever started it is to be told.
#[must_use]
pub fn warnings(paths: &PodPaths) -> Vec<String> {
    // A pod that is gone already has nothing to tell.
    let text = std::fs::read_to_string(paths.run.join(READY)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Sets the pod up but for its network; what an earlier try left half-made is removed first.
///
/// # Errors
/// What the kernel refuses; nothing is left then.
pub fn set_up(paths: &Paths, pod: &PodRecord) -> Result<(), SandboxError> {
    let pod_paths = paths.pod(&pod.id);
    remove_mounts(&pod_paths)?;
    set_up_steps(&pod_paths, pod).inspect_err(|_| {
        // The error that led here is the one to tell.
        let _ = remove_mounts(&pod_paths);
    })
}

/// Gives a pod that was just set up its network, after which it is ready.
///
/// This takes the longest and nothing of a container needs it before its program runs. Others are at work
/// in the pod meanwhile: when it fails, the pod stays half-made for [`set_up`] to remove. Who does this has
/// nobody to tell: what there is to know stays with the pod, for [`warnings`].
///
/// # Errors
/// What the kernel refuses; nothing of the network is left then.
pub fn connect(paths: &Paths, pod: &PodRecord) -> Result<(), SandboxError> {
    let pod_paths = paths.pod(&pod.id);
    let mut networks = pod_networks(paths, pod)?;
    if !pod.standing.is_serving() {
        // They lead to the pod before it until this one has started.
        networks.iter_mut().for_each(|one| one.ports.clear());
    }
    if networks.is_empty() && own_namespaces(&pod.spec).contains(&NamespaceKind::Net) {
        network::set_up_loopback(&pod_paths.namespace("net"))?;
    }
    let warnings = join_all(&networks)?;
    fault::point("with the pod's network made");
    let lines: String = warnings
        .iter()
        .map(|warning| format!("{warning}\n"))
        .collect();
    let ready = pod_paths.run.join(READY);
    std::fs::write(&ready, lines).map_err(|source| SandboxError::Directory {
        path: ready,
        source,
    })
}

fn set_up_steps(pod_paths: &PodPaths, pod: &PodRecord) -> Result<(), SandboxError> {
    make_directory(&pod_paths.run)?;
    mount::mount_tmpfs(
        &pod_paths.run,
        0o700,
        None,
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
    )?;
    // No copy of the host's mounts has those of pods, but the one that a stage takes of its own pod's.
    mount::set_propagation(&pod_paths.run, Propagation::Unbindable, Depth::One)?;
    fault::point("with the pod's tmpfs mounted");
    for directory in ["ns", "etc", "volumes", "containers", "shm"] {
        make_directory(&pod_paths.run.join(directory))?;
    }
    if pod.spec.infra.shared.ipc == IpcNamespace::Pod {
        mount::mount_tmpfs(
            &pod_paths.shm(),
            0o1777,
            Some(SHM_SIZE),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        )?;
    }
    let kinds = own_namespaces(&pod.spec);
    let pins: Vec<(NamespaceKind, PathBuf)> = kinds
        .iter()
        .map(|kind| (*kind, pod_paths.namespace(kind.file_name())))
        .collect();
    if !pins.is_empty() {
        let pins: Vec<(NamespaceKind, &Path)> = pins
            .iter()
            .map(|(kind, path)| (*kind, path.as_path()))
            .collect();
        namespace::create_pinned(&pins)?;
    }
    fault::point("with the pod's namespaces made");
    set_kernel_settings(pod_paths, &pod.spec)
}

/// Joins a pod to its networks, or to none of them.
fn join_all(networks: &[PodNetwork]) -> Result<Vec<NetworkWarning>, SandboxError> {
    let mut warnings = Vec::new();
    for (place, network) in networks.iter().enumerate() {
        match network::set_up(network) {
            Ok(more) => warnings.extend(more),
            Err(error) => {
                for joined in &networks[..place] {
                    // The error that led here is the one to tell; a bridge goes only when it is empty.
                    let _ = network::tear_down(joined, OtherPods::None);
                }
                return Err(error.into());
            }
        }
    }
    Ok(warnings)
}

/// Takes the pod down: its networks, and its tmpfs with all that is mounted in it.
///
/// # Errors
/// What could not be removed; the rest is gone.
pub fn tear_down(paths: &Paths, pod: &PodRecord, observed: &Observed) -> Result<(), SandboxError> {
    let pod_paths = paths.pod(&pod.id);
    let mut errors = Vec::new();
    for (network, assigned) in pod_networks(paths, pod)?.iter().zip(&pod.addresses) {
        let mut on_it = observed.pods_on(&assigned.network);
        let others = match on_it.any(|other| other.record.id != pod.id) {
            true => OtherPods::Remain,
            false => OtherPods::None,
        };
        errors.extend(
            network::tear_down(network, others)
                .err()
                .into_iter()
                .flatten(),
        );
    }
    fault::point("with the pod's network gone");
    remove_mounts(&pod_paths)?;
    fault::point("with the pod's mounts gone");
    match errors.is_empty() {
        true => Ok(()),
        false => Err(SandboxError::TearDown(errors)),
    }
}

/// Leads the published ports of one pod to the one that takes its place.
///
/// # Errors
/// The packet filter refuses; the ports lead where they led.
pub fn lead_ports(
    paths: &Paths,
    from: Option<&PodRecord>,
    to: &PodRecord,
) -> Result<(), SandboxError> {
    let from = match from {
        Some(pod) => published_network(paths, pod)?,
        None => None,
    };
    match published_network(paths, to)? {
        Some(to) => Ok(network::lead_ports(from.as_ref(), &to)?),
        None => Ok(()),
    }
}

/// Returns the network of a pod that the host's ports lead to.
fn published_network(paths: &Paths, pod: &PodRecord) -> Result<Option<PodNetwork>, SandboxError> {
    let mut networks = pod_networks(paths, pod)?.into_iter();
    Ok(networks.find(|one| one.default_route == DefaultRoute::Here))
}

/// Returns the namespaces that the pod has of its own and shares among its containers.
#[must_use]
pub fn own_namespaces(spec: &PodSpec) -> Vec<NamespaceKind> {
    let mut kinds = Vec::new();
    if spec.infra.network != NetworkSpec::Host {
        kinds.extend([NamespaceKind::Net, NamespaceKind::Uts]);
    }
    if spec.infra.shared.ipc == IpcNamespace::Pod {
        kinds.push(NamespaceKind::Ipc);
    }
    kinds
}

/// Returns which bridge and table belong to a network of this installation.
#[must_use]
pub fn network_of(paths: &Paths, name: &NetworkName) -> HostNetwork {
    match (name.is_default(), paths.is_default()) {
        (true, true) => HostNetwork::of_default_root(),
        (true, false) => HostNetwork::of_root(&paths.root),
        (false, _) => HostNetwork::of_network(&paths.root, name),
    }
}

/// Returns the networks of a pod as they were decided, in its order.
///
/// The host's ports lead to the first that leads outside, and so does the pod's default route.
fn pod_networks(paths: &Paths, pod: &PodRecord) -> Result<Vec<PodNetwork>, SandboxError> {
    let outward = pod.addresses.iter().position(|one| !one.internal);
    let assigned = pod.addresses.iter().enumerate();
    assigned
        .map(|(place, assigned)| {
            let ports = match outward == Some(place) {
                true => pod.spec.published_ports().collect(),
                false => Vec::new(),
            };
            Ok(PodNetwork {
                bridge: bridge_of(paths, assigned)?,
                link: PodNetwork::link_of(&pod.id, place),
                interface: PodNetwork::interface_of(place),
                default_route: match outward == Some(place) {
                    true => DefaultRoute::Here,
                    false => DefaultRoute::Elsewhere,
                },
                address: v4(assigned.address)?,
                mac: mac_of(pod, &assigned.network),
                ports,
                netns: paths.pod(&pod.id).namespace("net"),
            })
        })
        .collect()
}

fn bridge_of(paths: &Paths, assigned: &AssignedAddress) -> Result<BridgeNetwork, SandboxError> {
    Ok(BridgeNetwork {
        host: network_of(paths, &assigned.network),
        subnet: Ipv4Subnet::containing(v4(assigned.address)?, assigned.prefix),
        gateway: v4(assigned.gateway)?,
        internal: assigned.internal,
    })
}

fn v4(address: IpAddr) -> Result<Ipv4Addr, SandboxError> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err(SandboxError::Address(address)),
    }
}

fn mac_of(pod: &PodRecord, network: &NetworkName) -> Option<[u8; 6]> {
    let mut attachments = pod.spec.infra.network.attachments().iter();
    let attached = attachments.find(|attached| &attached.network == network)?;
    parse_mac(attached.mac.as_deref()?)
}

/// Returns the host's ends of a pod's cables.
pub fn links_of(pod: &PodRecord) -> impl Iterator<Item = LinkName> {
    (0..pod.addresses.len()).map(|place| PodNetwork::link_of(&pod.id, place))
}

/// Sets the host name and the sysctls, each in the pod's own namespace for it.
fn set_kernel_settings(paths: &PodPaths, spec: &PodSpec) -> Result<(), SandboxError> {
    if let Some(hostname) = spec.hostname() {
        let uts = Namespace::open(NamespaceKind::Uts, &paths.namespace("uts"))?;
        namespace::in_namespaces(&[&uts], || sysctl::set_hostname(hostname.as_str()))?
            .map_err(SandboxError::Hostname)?;
    }
    let own = own_namespaces(spec);
    for (name, value) in &spec.infra.sysctls {
        let kind = if name.starts_with("net.") {
            NamespaceKind::Net
        } else {
            NamespaceKind::Ipc
        };
        if !own.contains(&kind) {
            return Err(SandboxError::SysctlOfHost { name: name.clone() });
        }
        let namespace = Namespace::open(kind, &paths.namespace(kind.file_name()))?;
        namespace::in_namespaces(&[&namespace], || sysctl::write_sysctl(name, value))?.map_err(
            |source| SandboxError::Sysctl {
                name: name.clone(),
                source,
            },
        )?;
    }
    Ok(())
}

/// Removes the pod's tmpfs with all that is mounted in it, and whatever else is mounted at its place.
///
/// # Errors
/// What the kernel refuses to unmount; nothing on disk was removed then.
pub(super) fn remove_mounts(paths: &PodPaths) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::Directory {
        path: paths.run.clone(),
        source,
    };
    // Detaching the tmpfs takes the mounts inside it along; there may be one more, of a run that was killed.
    while mount::unmount(&paths.run)? {}
    match std::fs::remove_dir(&paths.run) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            // What is mounted beside it must not be emptied with it.
            mount::unmount_all(&paths.run)?;
            std::fs::remove_dir_all(&paths.run).map_err(failed)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn make_directory(path: &Path) -> Result<(), SandboxError> {
    mount::ensure_dir(path, 0o700).map_err(|source| SandboxError::Directory {
        path: path.to_owned(),
        source,
    })
}

/// Returns the ids of the pods that have something in the kernel, whether recorded or not.
///
/// # Errors
/// The runroot cannot be read.
pub fn present(paths: &Paths) -> io::Result<Vec<PodId>> {
    let entries = match std::fs::read_dir(paths.runroot.join("pods")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut ids = Vec::new();
    for entry in entries {
        if let Ok(id) = PodId::parse(&entry?.file_name().to_string_lossy()) {
            ids.push(id);
        }
    }
    Ok(ids)
}
