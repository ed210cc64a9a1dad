//! What a container may do and use of its host.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Subject;
use super::capabilities::names;
use super::mounts::{MountInspect, mounts};
use super::network::{HostPort, port_bindings};
use crate::engine::sandbox;
use crate::model::container::Limits;
use crate::model::infra::{HostsFile, IpcNamespace, PidNamespace, UserNamespace};
use crate::model::network::NetworkSpec;
use crate::model::observed::{LogDriver, ObservedPod};
use crate::model::pod::RestartPolicy;
use crate::supervisor::log::current_file;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    binds: Vec<String>,
    log_config: LogConfig,
    network_mode: String,
    port_bindings: BTreeMap<String, Vec<HostPort>>,
    restart_policy: RestartPolicyInspect,
    cap_add: Vec<String>,
    cap_drop: Vec<String>,
    dns: Vec<String>,
    dns_options: Vec<String>,
    dns_search: Vec<String>,
    extra_hosts: Vec<String>,
    privileged: bool,
    readonly_rootfs: bool,
    security_opt: Vec<String>,
    cgroup_parent: String,
    cgroup_manager: &'static str,
    cgroups: &'static str,
    #[serde(rename = "ContainerIDFile")]
    container_id_file: &'static str,
    ipc_mode: String,
    pid_mode: &'static str,
    #[serde(rename = "UTSMode")]
    uts_mode: String,
    userns_mode: &'static str,
    shm_size: u64,
    devices: Vec<DeviceInspect>,
    group_add: Vec<String>,
    tmpfs: BTreeMap<String, String>,
    ulimits: Vec<String>,
    volumes_from: Vec<String>,
    publish_all_ports: bool,
    oom_score_adj: i64,
    memory: u64,
    memory_reservation: u64,
    nano_cpus: u64,
    cpu_period: u64,
    cpu_quota: u64,
    cpuset_cpus: &'static str,
    cpuset_mems: &'static str,
    pids_limit: u64,
    oom_kill_disable: bool,
    auto_remove: bool,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LogConfig {
    #[serde(rename = "Type")]
    kind: &'static str,
    path: String,
    tag: &'static str,
    size: String,
}

/// A device of the host in a container.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeviceInspect {
    path_on_host: String,
    path_in_container: String,
    cgroup_permissions: &'static str,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RestartPolicyInspect {
    name: &'static str,
    maximum_retry_count: u32,
}

/// Returns what a container may do and use of its host.
pub(super) fn host_config(subject: &Subject<'_>) -> HostConfig {
    let spec = subject.spec;
    let pod = &subject.pod.record;
    let infra = &pod.spec.infra;
    let limits = &spec.process.limits;
    let of_pod = || format!("container:{}", pod.infra);
    // A network of its own comes with a host name of its own.
    let network_mode = match infra.network {
        NetworkSpec::Host => "host".to_owned(),
        NetworkSpec::None | NetworkSpec::Bridge { .. } => of_pod(),
    };
    HostConfig {
        binds: mounts(subject).iter().map(MountInspect::bind).collect(),
        log_config: log_config(subject),
        network_mode: network_mode.clone(),
        port_bindings: port_bindings(subject.pod),
        restart_policy: RestartPolicyInspect {
            name: restart_policy(pod.spec.restart_policy),
            maximum_retry_count: 0,
        },
        cap_add: names(&spec.privileges.add_capabilities),
        cap_drop: names(&spec.privileges.drop_capabilities),
        dns: words(&infra.dns.nameservers),
        dns_options: infra.dns.options.clone(),
        dns_search: infra.dns.searches.clone(),
        extra_hosts: extra_hosts(subject.pod),
        privileged: spec.privileges.privileged == Some(true),
        readonly_rootfs: spec.privileges.read_only_root == Some(true),
        security_opt: match spec.privileges.allow_escalation {
            Some(false) => vec!["no-new-privileges".to_owned()],
            _ => Vec::new(),
        },
        cgroup_parent: subject.own().cgroup,
        cgroup_manager: "cgroupfs",
        cgroups: "default",
        ipc_mode: match infra.shared.ipc {
            IpcNamespace::Host => "host".to_owned(),
            IpcNamespace::Pod => of_pod(),
        },
        pid_mode: match infra.shared.pid {
            PidNamespace::Host => "host",
            PidNamespace::Pod | PidNamespace::Container => "private",
        },
        uts_mode: network_mode,
        userns_mode: match infra.user_namespace {
            UserNamespace::Host => "",
            UserNamespace::Pod => "auto",
        },
        shm_size: sandbox::SHM_SIZE,
        group_add: words(&infra.supplemental_groups),
        memory: limits.memory.map_or(0, |memory| memory.0),
        memory_reservation: limits.memory_request.map_or(0, |memory| memory.0),
        nano_cpus: limits.cpu.map_or(0, |cpu| cpu.0 * 1_000_000),
        cpu_period: cpu_period(limits),
        cpu_quota: cpu_quota(limits),
        pids_limit: limits.pids.unwrap_or(0),
        // What podman has besides has no meaning here.
        devices: devices(subject),
        ..HostConfig::default()
    }
}

fn devices(subject: &Subject<'_>) -> Vec<DeviceInspect> {
    let mounted = subject.pod.record.spec.mounted_devices(subject.spec);
    let asked = subject.spec.host_devices().map(|path| (path, path));
    let device = |(host, container): (&Path, &Path)| DeviceInspect {
        path_on_host: host.display().to_string(),
        path_in_container: container.display().to_string(),
        cgroup_permissions: "",
    };
    asked.chain(mounted).map(device).collect()
}

fn words<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn log_config(subject: &Subject<'_>) -> LogConfig {
    let driver = subject.pod.record.log_driver;
    let logs = subject.own().logs(&subject.record.name);
    LogConfig {
        kind: match driver {
            LogDriver::File(_) => "k8s-file",
            LogDriver::None => "none",
        },
        path: current_file(&logs).display().to_string(),
        tag: "",
        size: match driver {
            LogDriver::File(rotation) if !driver.is_default() => rotation.size.to_string(),
            // podman's word for a size that nobody chose.
            LogDriver::File(_) | LogDriver::None => "0B".to_owned(),
        },
    }
}

/// The kernel's period of a CPU limit, in microseconds; 0 without a limit.
pub(in crate::cli::view) fn cpu_period(limits: &Limits) -> u64 {
    limits.cpu.map_or(0, |_| 100_000)
}

/// The CPU time of a period, in microseconds; 0 without a limit.
pub(in crate::cli::view) fn cpu_quota(limits: &Limits) -> u64 {
    limits.cpu.map_or(0, |cpu| cpu.0.saturating_mul(100))
}

/// Returns podman's word for a restart policy.
pub(in crate::cli::view) fn restart_policy(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::Always => "always",
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::Never => "no",
    }
}

/// Returns the pod's own lines of `/etc/hosts` as `NAME:IP`.
pub(in crate::cli::view) fn extra_hosts(pod: &ObservedPod) -> Vec<String> {
    match &pod.record.spec.infra.hosts {
        HostsFile::Image => Vec::new(),
        HostsFile::Pod { aliases } => aliases
            .iter()
            .flat_map(|entry| {
                entry
                    .names
                    .iter()
                    .map(move |name| format!("{name}:{}", entry.ip))
            })
            .collect(),
    }
}
