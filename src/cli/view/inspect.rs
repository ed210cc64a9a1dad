//! `inspect` of a container, with podman's fields.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::super::output::Object;
use super::Scene;
use super::container::effective_command;
use super::words::{self, NEVER};
use crate::engine::launch::capabilities;
use crate::engine::paths::Paths;
use crate::engine::sandbox;
use crate::image::ImageRecord;
use crate::model::container::{
    Capability, ContainerSpec, EnvFrom, EnvSource, EnvValue, FieldRef, Handler, KeyRef, Limits,
    Role,
};
use crate::model::infra::{IpcNamespace, PidNamespace, UserNamespace};
use crate::model::network::{NetworkSpec, PublishedPort};
use crate::model::observed::{ContainerRecord, LogDriver, ObjectContent, Observed, ObservedPod};
use crate::model::pod::RestartPolicy;
use crate::model::quantity::Seconds;
use crate::model::state::{ContainerState, ExitStatus};
use crate::model::volume::{Mount, Propagation, VolumeSpec};
use crate::names::{NetworkName, ObjectName};

/// What stands for a value that came from a Secret, as podman has it.
const MASK: &str = "*******";

/// All that is known of a container.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct ContainerInspect {
    id: String,
    created: String,
    path: String,
    args: Vec<String>,
    state: State,
    image: String,
    image_digest: String,
    image_name: String,
    pod: String,
    pub(in crate::cli) name: String,
    restart_count: u32,
    resolv_conf_path: String,
    hostname_path: String,
    hosts_path: String,
    #[serde(rename = "OCIConfigPath")]
    oci_config_path: String,
    #[serde(rename = "OCIRuntime")]
    oci_runtime: String,
    driver: &'static str,
    /// Nothing here gives SELinux labels.
    mount_label: &'static str,
    process_label: &'static str,
    app_armor_profile: &'static str,
    namespace: &'static str,
    effective_caps: Vec<String>,
    bounding_caps: Vec<String>,
    graph_driver: GraphDriver,
    dependencies: Vec<String>,
    mounts: Vec<MountInspect>,
    network_settings: NetworkSettings,
    is_infra: bool,
    is_service: bool,
    role: Role,
    config: Config,
    host_config: HostConfig,
}

impl Object for ContainerInspect {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: &'static str,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    dead: bool,
    pid: i32,
    exit_code: i32,
    error: String,
    started_at: String,
    finished_at: String,
    /// The kubelet's word for why it is not running, or for its end.
    reason: String,
    ready: bool,
    last_message: String,
    cgroup_path: String,
    health: Health,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    /// Empty for a container that nobody probes.
    status: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    name: &'static str,
    data: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MountInspect {
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    source: String,
    destination: String,
    driver: &'static str,
    mode: &'static str,
    options: Vec<String>,
    #[serde(rename = "RW")]
    read_write: bool,
    propagation: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    gateway: String,
    mac_address: String,
    /// Where the pod's network namespace is pinned.
    sandbox_key: String,
    ports: BTreeMap<String, Option<Vec<HostPort>>>,
    networks: BTreeMap<String, Network>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    gateway: String,
    /// Only one that was asked for; the kernel draws the others.
    mac_address: String,
    #[serde(rename = "NetworkID")]
    network_id: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostPort {
    host_ip: String,
    host_port: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    hostname: String,
    user: String,
    tty: bool,
    open_stdin: bool,
    stdin_once: bool,
    env: Vec<String>,
    cmd: Vec<String>,
    image: String,
    working_dir: String,
    entrypoint: Vec<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    stop_signal: String,
    stop_timeout: u64,
    umask: &'static str,
    healthcheck: Option<Healthcheck>,
}

/// An exec probe for liveness, the one kind that podman has a field for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    test: Vec<String>,
    start_period: u64,
    interval: u64,
    timeout: u64,
    retries: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
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
    devices: Vec<String>,
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

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LogConfig {
    #[serde(rename = "Type")]
    kind: &'static str,
    path: String,
    tag: &'static str,
    size: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RestartPolicyInspect {
    name: &'static str,
    maximum_retry_count: u32,
}

/// What a container has from its host, not from its specification.
pub(in crate::cli) struct Host<'a> {
    pub(in crate::cli) paths: &'a Paths,
    /// The capabilities there are to give.
    pub(in crate::cli) capabilities: BTreeSet<Capability>,
}

/// Returns all that is known of a container.
pub(in crate::cli) fn inspect_container(
    scene: &Scene<'_>,
    pod: &ObservedPod,
    container: &ContainerRecord,
    host: &Host<'_>,
) -> Option<ContainerInspect> {
    let paths = host.paths;
    let own = paths.pod(&pod.record.id);
    let text = |path: &Path| path.display().to_string();
    let spec = pod.spec_of(container)?;
    let image = scene.images.get(&container.image).copied();
    let (entrypoint, cmd) = effective_command(spec, image);
    let mut words = entrypoint.iter().chain(&cmd).cloned();
    Some(ContainerInspect {
        id: container.id.to_string(),
        created: container.created.to_string(),
        path: words.next().unwrap_or_default(),
        args: words.collect(),
        state: State {
            cgroup_path: own.container_cgroup(&container.name),
            health: Health {
                status: health(spec, container),
            },
            ..state(container)
        },
        image: container.image.to_string(),
        image_digest: image
            .map(|image| image.digest.to_string())
            .unwrap_or_default(),
        image_name: spec.image.qualified().to_string(),
        pod: pod.record.id.to_string(),
        name: pod.record.spec.full_name(&container.name),
        restart_count: container.restarts,
        resolv_conf_path: text(&own.etc("resolv.conf")),
        hostname_path: text(&own.etc("hostname")),
        hosts_path: text(&own.etc("hosts")),
        oci_config_path: text(&own.bundle(&container.name).join("config.json")),
        oci_runtime: paths
            .runtime
            .as_deref()
            .map_or_else(|| "libcontainer".to_owned(), text),
        driver: "overlay",
        mount_label: "",
        process_label: "",
        app_armor_profile: "",
        namespace: "",
        effective_caps: effective(pod, spec, image, &host.capabilities),
        bounding_caps: bounding_caps(spec, &host.capabilities),
        graph_driver: GraphDriver {
            name: "overlay",
            data: BTreeMap::from([("UpperDir", text(&own.layer(&container.name).join("upper")))]),
        },
        dependencies: vec![pod.record.infra.to_string()],
        mounts: spec
            .mounts
            .iter()
            .filter_map(|mount| mount_inspect(pod, mount, paths))
            .collect(),
        network_settings: network_settings(pod, paths),
        is_infra: false,
        is_service: false,
        role: spec.role,
        config: config(scene.observed, pod, spec, image, (entrypoint, cmd)),
        host_config: host_config(pod, container, spec, paths),
    })
}

fn bounding_caps(spec: &ContainerSpec, host: &BTreeSet<Capability>) -> Vec<String> {
    // A set that this host cannot give is told when the container starts.
    let set = capabilities::bounding(&spec.privileges, host).unwrap_or_default();
    cap_names(&set)
}

/// Returns what the process itself may do: root all of it, others only what was added by name.
fn effective(
    pod: &ObservedPod,
    spec: &ContainerSpec,
    image: Option<&ImageRecord>,
    host: &BTreeSet<Capability>,
) -> Vec<String> {
    let user = user(pod, spec, image);
    let name = user.split(':').next().unwrap_or_default();
    let is_root = ["", "0", "root"].contains(&name);
    let mut set = capabilities::bounding(&spec.privileges, host).unwrap_or_default();
    let added = &spec.privileges.add_capabilities;
    if !is_root && !added.iter().any(Capability::is_all) {
        set.retain(|one| added.contains(one));
    }
    cap_names(&set)
}

fn cap_names(set: &BTreeSet<Capability>) -> Vec<String> {
    let names = set.iter().map(|one| one.as_str());
    names
        .map(|name| match name {
            "ALL" => name.to_owned(),
            _ => format!("CAP_{name}"),
        })
        .collect()
}

/// Returns podman's word for what the probes say of a container.
fn health(spec: &ContainerSpec, container: &ContainerRecord) -> &'static str {
    match (
        spec.probes.any(),
        container.state.is_running(),
        container.ready,
    ) {
        (false, _, _) | (true, false, _) => "",
        (true, true, true) => "healthy",
        (true, true, false) if spec.probes.readiness.is_some() => "unhealthy",
        (true, true, false) => "starting",
    }
}

fn healthcheck(spec: &ContainerSpec) -> Option<Healthcheck> {
    let probe = spec.probes.liveness.as_ref()?;
    let Handler::Exec { command } = &probe.action else {
        return None;
    };
    let nanoseconds = |seconds: Seconds| seconds.0.saturating_mul(1_000_000_000);
    let words = std::iter::once("CMD".to_owned());
    Some(Healthcheck {
        test: words.chain(command.iter().cloned()).collect(),
        start_period: nanoseconds(probe.initial_delay),
        interval: nanoseconds(probe.period),
        timeout: nanoseconds(probe.timeout),
        retries: probe.failure_threshold,
    })
}

fn state(container: &ContainerRecord) -> State {
    let moment =
        |at: Option<jiff::Timestamp>| at.map_or_else(|| NEVER.to_owned(), |at| at.to_string());
    let status = match &container.state {
        ContainerState::Exited { status, .. } => Some(status),
        ContainerState::Waiting { .. } => container.last_end.as_ref().map(|end| &end.status),
        ContainerState::Created
        | ContainerState::Running { .. }
        | ContainerState::Paused { .. }
        | ContainerState::Stopping { .. } => None,
    };
    let reason = match &container.state {
        ContainerState::Waiting { reason, .. } => reason.to_string(),
        _ => status
            .map(|status| status.reason().to_owned())
            .unwrap_or_default(),
    };
    State {
        status: container.state.word(),
        running: container.state.is_running()
            && !matches!(container.state, ContainerState::Paused { .. }),
        paused: matches!(container.state, ContainerState::Paused { .. }),
        restarting: matches!(container.state, ContainerState::Waiting { .. }),
        oom_killed: matches!(status, Some(ExitStatus::Signal { oom: true, .. })),
        dead: false,
        pid: container.state.process().map_or(0, |process| process.pid),
        exit_code: words::exit_code(container),
        error: match status {
            Some(ExitStatus::StartFailed { message, .. }) => message.clone(),
            _ => String::new(),
        },
        started_at: moment(container.started),
        finished_at: moment(
            container
                .last_end
                .as_ref()
                .map(|end| end.at)
                .or(words::ended(container)),
        ),
        reason,
        ready: container.ready,
        last_message: container.message.clone().unwrap_or_default(),
        cgroup_path: String::new(),
        health: Health { status: "" },
    }
}

fn mount_inspect(pod: &ObservedPod, mount: &Mount, paths: &Paths) -> Option<MountInspect> {
    let own = paths.pod(&pod.record.id);
    let text = |path: &Path| path.display().to_string();
    let (kind, name, source) = match pod.record.spec.volumes.get(&mount.volume)? {
        VolumeSpec::HostPath { path, .. } => ("bind", None, text(path)),
        VolumeSpec::EmptyDir { medium, .. } => match medium {
            crate::model::volume::Medium::Disk => {
                ("bind", None, text(&own.empty_dir(&mount.volume)))
            }
            crate::model::volume::Medium::Memory => {
                ("tmpfs", None, text(&own.run_volume(&mount.volume)))
            }
        },
        VolumeSpec::Projected { .. } => ("bind", None, text(&own.run_volume(&mount.volume))),
        VolumeSpec::Claim { claim, .. } => (
            "volume",
            Some(claim.to_string()),
            text(&paths.volume(claim)),
        ),
        VolumeSpec::Image { reference, .. } => ("image", None, reference.to_string()),
    };
    Some(MountInspect {
        kind,
        name,
        source,
        destination: text(&mount.path),
        driver: if kind == "volume" { "local" } else { "" },
        mode: "",
        options: std::iter::once("rbind".to_owned())
            .chain(mount.options.iter().cloned())
            .collect(),
        read_write: !mount.read_only,
        propagation: match mount.propagation {
            Propagation::None => "rprivate",
            Propagation::HostToContainer => "rslave",
            Propagation::Bidirectional => "rshared",
        },
    })
}

fn network_settings(pod: &ObservedPod, paths: &Paths) -> NetworkSettings {
    let addresses = &pod.record.addresses;
    let first = addresses.first();
    let mac = |network: Option<&NetworkName>| match &pod.record.spec.infra.network {
        NetworkSpec::Bridge { networks } => networks
            .iter()
            .find(|attached| Some(&attached.network) == network)
            .and_then(|attached| attached.mac.clone())
            .unwrap_or_default(),
        NetworkSpec::Host | NetworkSpec::None => String::new(),
    };
    NetworkSettings {
        ip_address: first.map(|own| own.address.to_string()).unwrap_or_default(),
        ip_prefix_len: first.map_or(0, |own| own.prefix),
        gateway: first.map(|own| own.gateway.to_string()).unwrap_or_default(),
        mac_address: mac(first.map(|own| &own.network)),
        sandbox_key: paths
            .pod(&pod.record.id)
            .namespace("net")
            .display()
            .to_string(),
        ports: pod
            .record
            .spec
            .all_containers()
            .flat_map(|container| &container.ports)
            .map(|port| (format!("{}/{}", port.port, port.protocol), None))
            .chain(
                port_bindings(pod)
                    .into_iter()
                    .map(|(port, hosts)| (port, Some(hosts))),
            )
            .collect(),
        networks: addresses
            .iter()
            .map(|own| {
                let network = Network {
                    ip_address: own.address.to_string(),
                    ip_prefix_len: own.prefix,
                    gateway: own.gateway.to_string(),
                    mac_address: mac(Some(&own.network)),
                    network_id: own.network.to_string(),
                };
                (own.network.to_string(), network)
            })
            .collect(),
    }
}

/// Returns the host's ports by the pod's ports.
pub(super) fn port_bindings(pod: &ObservedPod) -> BTreeMap<String, Vec<HostPort>> {
    let mut bindings: BTreeMap<String, Vec<HostPort>> = BTreeMap::new();
    for port in pod.record.spec.published_ports() {
        let PublishedPort {
            protocol,
            host_ip,
            host_port,
            container_port,
        } = port;
        let host_ip = host_ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
        bindings
            .entry(format!("{container_port}/{protocol}"))
            .or_default()
            .push(HostPort {
                host_ip,
                host_port: host_port.to_string(),
            });
    }
    bindings
}

fn config(
    observed: &Observed,
    pod: &ObservedPod,
    spec: &ContainerSpec,
    image: Option<&ImageRecord>,
    (entrypoint, cmd): (Vec<String>, Vec<String>),
) -> Config {
    let record = &pod.record;
    let image_config = image.map(|image| &image.config);
    let working_dir = spec
        .working_dir
        .as_ref()
        .map(|directory| directory.display().to_string())
        .or_else(|| image_config.map(|config| config.working_dir.clone()))
        .filter(|directory| !directory.is_empty())
        .unwrap_or_else(|| "/".to_owned());
    let image_signal = image_config.and_then(|config| config.stop_signal.clone());
    Config {
        hostname: record
            .spec
            .hostname()
            .map(|name| name.to_string())
            .unwrap_or_default(),
        user: user(pod, spec, image),
        tty: spec.terminal.tty,
        open_stdin: spec.terminal.stdin,
        stdin_once: spec.terminal.stdin_once,
        env: environment(observed, pod, spec, image),
        cmd,
        image: spec.image.qualified().to_string(),
        working_dir,
        entrypoint,
        labels: record.spec.labels.clone(),
        annotations: record.spec.annotations.clone(),
        stop_signal: spec
            .lifecycle
            .stop_signal
            .map(|signal| signal.to_string())
            .or(image_signal)
            .unwrap_or_else(|| "SIGTERM".to_owned()),
        stop_timeout: record.spec.termination_grace.0,
        umask: "0022",
        healthcheck: healthcheck(spec),
    }
}

fn user(pod: &ObservedPod, spec: &ContainerSpec, image: Option<&ImageRecord>) -> String {
    let record = &pod.record.spec;
    match (record.effective_user(spec), record.effective_group(spec)) {
        (Some(user), Some(group)) => format!("{user}:{group}"),
        (Some(user), None) => user.to_string(),
        (None, Some(group)) => format!("0:{group}"),
        (None, None) => image
            .map(|image| image.config.user.clone())
            .unwrap_or_default(),
    }
}

/// Returns the variables as `NAME=VALUE`; what came from a Secret is masked.
fn environment(
    observed: &Observed,
    pod: &ObservedPod,
    spec: &ContainerSpec,
    image: Option<&ImageRecord>,
) -> Vec<String> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut set =
        |name: &str, value: String| match variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => variables.push((name.to_owned(), value)),
        };
    for line in image
        .map(|image| image.config.env.as_slice())
        .unwrap_or_default()
    {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        set(name, value.to_owned());
    }
    for from in &spec.env_from {
        for (name, value) in all_keys(observed, from) {
            set(&name, value);
        }
    }
    for variable in &spec.env {
        if let Some(value) = value(observed, pod, &variable.value) {
            set(&variable.name, value);
        }
    }
    variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn content<'a>(observed: &'a Observed, name: &ObjectName, kind: &str) -> Option<&'a ObjectContent> {
    let mut objects = observed.objects.iter();
    objects
        .find(|object| &object.name == name && object.content.kind() == kind)
        .map(|object| &object.content)
}

fn all_keys(observed: &Observed, from: &EnvFrom) -> Vec<(String, String)> {
    let found = match &from.source {
        EnvSource::ConfigMap(name) => content(observed, name, "ConfigMap"),
        EnvSource::Secret(name) => content(observed, name, "Secret"),
    };
    let name = |key: &String| format!("{}{key}", from.prefix);
    match found {
        Some(ObjectContent::ConfigMap(data)) => data
            .text
            .iter()
            .map(|(key, value)| (name(key), value.clone()))
            .collect(),
        Some(ObjectContent::Secret { keys, .. }) => keys
            .iter()
            .map(|key| (name(key), MASK.to_owned()))
            .collect(),
        None => Vec::new(),
    }
}

/// Returns the value of a variable as far as it is known without the container; none if there is none.
fn value(observed: &Observed, pod: &ObservedPod, value: &EnvValue) -> Option<String> {
    let spec = &pod.record.spec;
    let key = |reference: &KeyRef| match content(observed, &reference.object, "ConfigMap")? {
        ObjectContent::ConfigMap(data) => data.text.get(&reference.key).cloned(),
        ObjectContent::Secret { .. } => None,
    };
    match value {
        EnvValue::Literal(text) => Some(text.clone()),
        EnvValue::ConfigMapKey(reference) => key(reference),
        EnvValue::SecretKey(_) => Some(MASK.to_owned()),
        EnvValue::Field(field) => match field {
            FieldRef::Name => Some(spec.name.to_string()),
            FieldRef::Uid => Some(pod.record.id.to_string()),
            FieldRef::Label(key) => Some(spec.labels.get(key).cloned().unwrap_or_default()),
            FieldRef::Annotation(key) => {
                Some(spec.annotations.get(key).cloned().unwrap_or_default())
            }
            FieldRef::PodIp | FieldRef::PodIps => pod
                .record
                .addresses
                .first()
                .map(|own| own.address.to_string()),
            FieldRef::Namespace
            | FieldRef::Labels
            | FieldRef::Annotations
            | FieldRef::NodeName
            | FieldRef::ServiceAccountName
            | FieldRef::HostIp
            | FieldRef::HostIps => None,
        },
        EnvValue::Resource(_) => None,
    }
}

fn host_config(
    pod: &ObservedPod,
    container: &ContainerRecord,
    spec: &ContainerSpec,
    paths: &Paths,
) -> HostConfig {
    let record = &pod.record;
    let own = paths.pod(&record.id);
    let limits = &spec.process.limits;
    let milli = limits.cpu.map_or(0, |cpu| cpu.0);
    let dns = &record.spec.infra.dns;
    let mounts = spec
        .mounts
        .iter()
        .filter_map(|mount| mount_inspect(pod, mount, paths));
    HostConfig {
        binds: mounts
            .map(|mount| {
                let access = if mount.read_write { "rw" } else { "ro" };
                let source = mount.name.unwrap_or(mount.source);
                format!(
                    "{source}:{}:{access},{},{}",
                    mount.destination,
                    mount.propagation,
                    mount.options.join(",")
                )
            })
            .collect(),
        log_config: LogConfig {
            kind: match record.log_driver {
                LogDriver::File(_) => "k8s-file",
                LogDriver::None => "none",
            },
            path: crate::supervisor::log::current_file(&own.logs(&container.name))
                .display()
                .to_string(),
            tag: "",
            size: match record.log_driver {
                LogDriver::File(rotation) if !record.log_driver.is_default() => {
                    rotation.size.to_string()
                }
                // podman's word for a size that nobody chose.
                LogDriver::File(_) | LogDriver::None => "0B".to_owned(),
            },
        },
        network_mode: match record.spec.infra.network {
            NetworkSpec::Host => "host".to_owned(),
            NetworkSpec::None | NetworkSpec::Bridge { .. } => format!("container:{}", record.infra),
        },
        port_bindings: port_bindings(pod),
        restart_policy: RestartPolicyInspect {
            name: restart_policy(record.spec.restart_policy),
            maximum_retry_count: 0,
        },
        cap_add: cap_names(&spec.privileges.add_capabilities),
        cap_drop: cap_names(&spec.privileges.drop_capabilities),
        dns: dns.nameservers.iter().map(ToString::to_string).collect(),
        dns_options: dns.options.clone(),
        dns_search: dns.searches.clone(),
        extra_hosts: extra_hosts(pod),
        privileged: spec.privileges.privileged == Some(true),
        readonly_rootfs: spec.privileges.read_only_root == Some(true),
        security_opt: match spec.privileges.allow_escalation {
            Some(false) => vec!["no-new-privileges".to_owned()],
            _ => Vec::new(),
        },
        cgroup_parent: own.cgroup,
        cgroup_manager: "cgroupfs",
        cgroups: "default",
        container_id_file: "",
        ipc_mode: match record.spec.infra.shared.ipc {
            IpcNamespace::Host => "host".to_owned(),
            _ => format!("container:{}", record.infra),
        },
        pid_mode: match record.spec.infra.shared.pid {
            PidNamespace::Host => "host",
            PidNamespace::Pod | PidNamespace::Container => "private",
        },
        uts_mode: match record.spec.infra.network {
            NetworkSpec::Host => "host".to_owned(),
            NetworkSpec::None | NetworkSpec::Bridge { .. } => format!("container:{}", record.infra),
        },
        userns_mode: match record.spec.infra.user_namespace {
            UserNamespace::Host => "",
            UserNamespace::Pod => "auto",
        },
        shm_size: sandbox::SHM_SIZE,
        devices: Vec::new(),
        group_add: record
            .spec
            .infra
            .supplemental_groups
            .iter()
            .map(ToString::to_string)
            .collect(),
        tmpfs: BTreeMap::new(),
        ulimits: Vec::new(),
        volumes_from: Vec::new(),
        publish_all_ports: false,
        oom_score_adj: 0,
        cpuset_cpus: "",
        cpuset_mems: "",
        memory: limits.memory.map_or(0, |memory| memory.0),
        memory_reservation: limits.memory_request.map_or(0, |memory| memory.0),
        nano_cpus: milli * 1_000_000,
        cpu_period: cpu_period(limits),
        cpu_quota: cpu_quota(limits),
        pids_limit: limits.pids.unwrap_or(0),
        oom_kill_disable: false,
        auto_remove: false,
    }
}

/// The kernel's period of a CPU limit, in microseconds; 0 without a limit.
pub(super) fn cpu_period(limits: &Limits) -> u64 {
    limits.cpu.map_or(0, |_| 100_000)
}

/// The CPU time of a period, in microseconds; 0 without a limit.
pub(super) fn cpu_quota(limits: &Limits) -> u64 {
    limits.cpu.map_or(0, |cpu| cpu.0.saturating_mul(100))
}

/// Returns podman's word for a restart policy.
pub(super) fn restart_policy(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::Always => "always",
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::Never => "no",
    }
}

/// Returns the pod's own lines of `/etc/hosts` as `NAME:IP`.
pub(super) fn extra_hosts(pod: &ObservedPod) -> Vec<String> {
    match &pod.record.spec.infra.hosts {
        crate::model::infra::HostsFile::Image => Vec::new(),
        crate::model::infra::HostsFile::Pod { aliases } => aliases
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

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cli::output::{Format, Output};

    fn paths() -> Paths {
        Paths {
            root: "/root".into(),
            runroot: "/run/root".into(),
            cgroup_parent: "/podwright".to_owned(),
            runtime: None,
        }
    }

    fn inspected(place: usize, format: &str) -> String {
        let observed = fixture::observed();
        let images = [fixture::image()];
        let scene = Scene::new(&observed, &images, fixture::at(fixture::NOW));
        let pod = &observed.pods[0];
        let host = Host {
            paths: &paths(),
            capabilities: BTreeSet::new(),
        };
        let container = inspect_container(&scene, pod, &pod.containers[place], &host).unwrap();
        let mut bytes = Vec::new();
        Output::new(&mut bytes)
            .objects(&[container], Some(&Format::parse(format).unwrap()))
            .unwrap();
        String::from_utf8(bytes).unwrap().trim_end().to_owned()
    }

    #[test]
    fn templates_give_podmans_answers() {
        for (format, answer) in [
            (
                "{{.Name}} {{.State.Status}} {{.State.Running}} {{.State.Pid}}",
                "web-a running true 4711",
            ),
            (
                "{{.Config.Entrypoint}} {{.Config.Cmd}} {{.Path}} {{.Args}}",
                "[sleep] [1000] sleep [1000]",
            ),
            ("{{.Config.Env}}", "[PATH=/bin A=1 S=*******]"),
            (
                "{{.Config.User}} {{.Config.Hostname}} {{.Config.StopSignal}} {{.Config.StopTimeout}}",
                "1000:2000 shop SIGTERM 7",
            ),
            (
                "{{index .Config.Annotations \"note\"}} {{.Config.Labels}}",
                "read me map[app:x]",
            ),
            (
                "{{.HostConfig.Memory}} {{.HostConfig.CpuPeriod}} {{.HostConfig.CpuQuota}}",
                "67108864 100000 50000",
            ),
            (
                "{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}} {{.HostConfig.ReadonlyRootfs}}",
                "[CAP_NET_ADMIN] [CAP_CHOWN] true",
            ),
            (
                "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.PortBindings}}",
                "always map[80/tcp:[{0.0.0.0 8080}]]",
            ),
            (
                "{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}};{{end}}",
                "bind /data true;bind /srv false;",
            ),
            (
                "{{.ImageName}} {{.RestartCount}} {{.IsService}}",
                "localhost/bb:latest 0 false",
            ),
        ] {
            assert_eq!(inspected(0, format), answer, "{format}");
        }
    }

    #[test]
    fn states_are_told_apart() {
        let format = "{{.State.Status}} {{.State.ExitCode}} {{.State.Restarting}} {{.State.Reason}} {{.State.FinishedAt}}";
        assert_eq!(
            inspected(1, format),
            "exited 0 false Completed 2024-05-01 11:59:58 +0000 UTC"
        );
        assert_eq!(
            inspected(2, format),
            "exited 3 true CrashLoopBackOff 2024-05-01 11:59:00 +0000 UTC"
        );
        assert_eq!(
            inspected(3, format),
            "created 0 false  0001-01-01 00:00:00 +0000 UTC"
        );
    }
}
