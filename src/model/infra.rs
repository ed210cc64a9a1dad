//! The container that owns the pod's namespaces and cgroup.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::container::ProcessSpec;
use super::network::{DnsSpec, HostsEntry, NetworkSpec};
use crate::names::{ContainerName, Hostname};

/// What the owner of the namespaces has beyond a process: all of it once, and only here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InfraSpec {
    /// The pod's own limits and its security settings; containers inherit the latter.
    pub process: ProcessSpec,
    /// The name asked for (`io.podman.annotations.infra.name`); without one it follows from the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ContainerName>,
    /// The host name; without one, the pod's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Hostname>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<Hostname>,
    pub network: NetworkSpec,
    pub dns: DnsSpec,
    pub hosts: HostsFile,
    pub etc_hostname: EtcHostname,
    pub shared: SharedNamespaces,
    pub user_namespace: UserNamespace,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supplemental_groups: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fs_group: Option<u32>,
    pub fs_group_change: FsGroupChange,
}

/// Who writes `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum HostsFile {
    /// The image's own stays (`--no-hosts`).
    Image,
    /// The pod's, with these lines after the usual ones.
    Pod { aliases: Vec<HostsEntry> },
}

/// Who writes `/etc/hostname`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EtcHostname {
    /// The image's own stays (`--no-hostname`).
    Image,
    Pod,
}

/// Whose PID and IPC namespaces the containers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedNamespaces {
    pub pid: PidNamespace,
    pub ipc: IpcNamespace,
}

/// Whose PID namespace the containers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PidNamespace {
    /// Each its own.
    Container,
    /// One for the pod (`shareProcessNamespace`).
    Pod,
    /// The host's (`hostPID`).
    Host,
}

/// Whose IPC namespace the containers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpcNamespace {
    Pod,
    /// The host's (`hostIPC`).
    Host,
}

/// Whose user namespace the containers are in (`hostUsers`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserNamespace {
    Host,
    Pod,
}

/// When volumes are handed over to the pod's `fsGroup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FsGroupChange {
    #[default]
    Always,
    OnRootMismatch,
}
