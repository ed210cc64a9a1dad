//! What one container is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::network::ContainerPort;
use super::quantity::{Bytes, MilliCpu, Seconds};
use super::volume::Mount;
use crate::names::{ContainerName, ImageRef, ObjectName, VolumeName};

/// What an infra container and every other container truly share: limits and security settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessSpec {
    pub limits: Limits,
    pub security: SecuritySettings,
}

/// How much of the host a cgroup may take.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<MilliCpu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_request: Option<MilliCpu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_request: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
}

/// Who a process is and what confines it; what is absent here is inherited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecuritySettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as_user: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as_group: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as_non_root: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompProfile>,
}

/// Which system calls are let through (`seccompProfile`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SeccompProfile {
    RuntimeDefault,
    Unconfined,
    /// A profile file below the seccomp profile root.
    Localhost(PathBuf),
}

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerSpec {
    pub name: ContainerName,
    pub role: Role,
    pub image: ImageRef,
    pub pull: PullPolicy,
    /// The entrypoint; without one, the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The arguments; without any, the image's unless `command` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFrom>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    pub process: ProcessSpec,
    pub privileges: Privileges,
    pub probes: Probes,
    pub lifecycle: Lifecycle,
    pub terminal: Terminal,
    pub termination_message: TerminationMessage,
}

/// When a container runs within its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Runs to completion before the next starts.
    Init,
    /// An init container with `restartPolicy: Always`: started in order, stopped last (KEP-753).
    Sidecar,
    /// Runs beside the other app containers.
    App,
}

/// When an image is fetched before a container starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
    /// podman's own: fetched when the registry has another one.
    Newer,
}

/// One environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVar {
    pub name: String,
    pub value: EnvValue,
}

/// Where the value of a variable comes from; references are resolved when the container starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EnvValue {
    /// The text, with `$(VAR)` still in it.
    Literal(String),
    ConfigMapKey(KeyRef),
    SecretKey(KeyRef),
    Field(FieldRef),
    Resource(ResourceRef),
}

/// One key of a ConfigMap or Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    pub object: ObjectName,
    pub key: String,
    pub optional: bool,
}

/// All keys of a ConfigMap or Secret as variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvFrom {
    pub source: EnvSource,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    pub optional: bool,
}

/// The object whose keys become variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EnvSource {
    ConfigMap(ObjectName),
    Secret(ObjectName),
}

/// A fact about the pod (`fieldRef.fieldPath`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum FieldRef {
    Name,
    Namespace,
    Uid,
    Label(String),
    Annotation(String),
    /// All labels, one a line; files only.
    Labels,
    /// All annotations, one a line; files only.
    Annotations,
    NodeName,
    ServiceAccountName,
    HostIp,
    HostIps,
    PodIp,
    PodIps,
}

/// A limit or request of a container (`resourceFieldRef`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceRef {
    /// The container asked about; without one, the one that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerName>,
    pub resource: ResourceField,
    pub divisor: Divisor,
}

/// Which amount a resource reference shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceField {
    #[serde(rename = "limits.cpu")]
    LimitsCpu,
    #[serde(rename = "limits.memory")]
    LimitsMemory,
    #[serde(rename = "requests.cpu")]
    RequestsCpu,
    #[serde(rename = "requests.memory")]
    RequestsMemory,
}

/// The unit a resource is shown in; amounts are rounded up to whole units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Divisor {
    Cpu(MilliCpu),
    Memory(Bytes),
}

/// What a container may do beyond an ordinary process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Privileges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_escalation: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_root: Option<bool>,
    /// Capabilities beyond the default set, without the prefix `CAP_`; `ALL` is all of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub add_capabilities: BTreeSet<Capability>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub drop_capabilities: BTreeSet<Capability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proc_mount: Option<ProcMount>,
}

/// A capability by its name without the prefix `CAP_`, in upper case, or `ALL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Capability(String);

/// A capability that Linux does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a capability that Linux knows")]
pub struct UnknownCapability(String);

/// The capabilities of Linux 6.x in the order of their numbers (`capabilities(7)`).
pub const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

impl Capability {
    /// Parses a capability, with or without `CAP_`, in any case.
    ///
    /// # Errors
    /// Linux has no such capability.
    pub fn parse(text: &str) -> Result<Self, UnknownCapability> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if name == "ALL" || CAPABILITIES.contains(&name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(UnknownCapability(text.to_owned()))
        }
    }

    /// Returns the name without `CAP_`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this stands for all capabilities.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0 == "ALL"
    }
}

impl TryFrom<String> for Capability {
    type Error = UnknownCapability;
    fn try_from(text: String) -> Result<Self, UnknownCapability> {
        Self::parse(&text)
    }
}

impl From<Capability> for String {
    fn from(capability: Capability) -> String {
        capability.0
    }
}

/// Whether parts of `/proc` are hidden (`procMount`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcMount {
    Default,
    Unmasked,
}

impl ContainerSpec {
    /// Returns the devices of the host that the container asks for by their paths.
    pub fn host_devices(&self) -> impl Iterator<Item = &Path> {
        self.devices.iter().filter_map(|device| match device {
            Device::Host(path) => Some(path.as_path()),
            Device::Claim { .. } => None,
        })
    }
}

/// A device of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Device {
    /// A raw block claim (`volumeDevices`).
    Claim { volume: VolumeName, path: PathBuf },
    /// podman's resource name `podman.io/device=PATH`.
    Host(PathBuf),
}

/// How a container is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<Probe>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Probe>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Probe>,
}

impl Probes {
    /// Returns whether there is a probe at all.
    #[must_use]
    pub fn any(&self) -> bool {
        self.startup.is_some() || self.liveness.is_some() || self.readiness.is_some()
    }
}

/// One probe, with Kubernetes' defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    pub action: Handler,
    pub initial_delay: Seconds,
    pub period: Seconds,
    pub timeout: Seconds,
    pub success_threshold: u32,
    pub failure_threshold: u32,
    /// The grace period of a kill that this probe causes; without one, the pod's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_grace: Option<Seconds>,
}

/// What a probe or a hook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Handler {
    Exec {
        command: Vec<String>,
    },
    HttpGet {
        scheme: HttpScheme,
        /// The host to connect to; without one, the pod's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        port: PortRef,
        path: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<HttpHeader>,
    },
    TcpSocket {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        port: PortRef,
    },
    Grpc {
        port: u16,
        service: String,
    },
    /// Hooks only.
    Sleep(Seconds),
}

/// The scheme of an HTTP probe; certificates are not verified, as the kubelet does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HttpScheme {
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    #[serde(rename = "HTTPS")]
    Https,
}

/// A header of an HTTP probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpHeader {
    pub name: String,
    pub value: String,
}

/// A port by its number, or by the name a container port has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PortRef {
    Number(u16),
    Name(String),
}

/// What happens around a container's life.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_start: Option<Handler>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<Handler>,
    /// The signal that asks for the end; without one, the image's, else SIGTERM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<StopSignal>,
}

/// A signal as a manifest or an image names it: `SIGTERM`, `SIGRTMIN+3`, `15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StopSignal(i32);

/// A text that names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid signal: {0}")]
pub struct UnknownSignal(pub String);

/// The signals of x86-64 and ARM64 by number, from 1 (`signal(7)`).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
const SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

impl StopSignal {
    pub const TERM: Self = Self(15);
    pub const KILL: Self = Self(9);

    /// Parses a signal by number or by name, with or without `SIG`, in any case.
    ///
    /// # Errors
    /// The text names no signal.
    pub fn parse(text: &str) -> Result<Self, UnknownSignal> {
        let unknown = || UnknownSignal(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return (1..=SIGRTMAX)
                .contains(&number)
                .then_some(Self(number))
                .ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(position) = SIGNALS.iter().position(|signal| *signal == name) {
            return i32::try_from(position + 1).map(Self).map_err(|_| unknown());
        }
        let number = match name {
            "CLD" => Some(17),
            "IOT" => Some(6),
            "POLL" => Some(29),
            "RTMIN" => Some(SIGRTMIN),
            "RTMAX" => Some(SIGRTMAX),
            _ => {
                let offset = |prefix: &str| -> Option<i32> {
                    name.strip_prefix(prefix)?.parse::<u8>().ok().map(i32::from)
                };
                offset("RTMIN+")
                    .map(|offset| SIGRTMIN + offset)
                    .or_else(|| offset("RTMAX-").map(|offset| SIGRTMAX - offset))
            }
        };
        number
            .filter(|number| (1..=SIGRTMAX).contains(number))
            .map(Self)
            .ok_or_else(unknown)
    }

    /// Returns the signal's number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }
}

impl std::fmt::Display for StopSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = usize::try_from(self.0 - 1)
            .ok()
            .and_then(|position| SIGNALS.get(position));
        match named {
            Some(name) => write!(f, "SIG{name}"),
            None if self.0 == SIGRTMIN => f.write_str("SIGRTMIN"),
            None if self.0 < SIGRTMIN => write!(f, "{}", self.0),
            None if self.0 == SIGRTMAX => f.write_str("SIGRTMAX"),
            None if self.0 - SIGRTMIN <= 15 => write!(f, "SIGRTMIN+{}", self.0 - SIGRTMIN),
            None => write!(f, "SIGRTMAX-{}", SIGRTMAX - self.0),
        }
    }
}

impl TryFrom<String> for StopSignal {
    type Error = UnknownSignal;
    fn try_from(text: String) -> Result<Self, UnknownSignal> {
        Self::parse(&text)
    }
}

impl From<StopSignal> for String {
    fn from(signal: StopSignal) -> String {
        signal.to_string()
    }
}

/// What a container's standard streams are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terminal {
    pub tty: bool,
    pub stdin: bool,
    pub stdin_once: bool,
}

/// Where a container leaves its last words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TerminationMessage {
    pub path: PathBuf,
    pub policy: TerminationMessagePolicy,
}

impl Default for TerminationMessage {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/dev/termination-log"),
            policy: TerminationMessagePolicy::File,
        }
    }
}

/// Whether the log stands in for missing last words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TerminationMessagePolicy {
    #[default]
    File,
    FallbackToLogsOnError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_and_number() {
        for (text, number, name) in [
            ("SIGTERM", 15, "SIGTERM"),
            ("term", 15, "SIGTERM"),
            ("9", 9, "SIGKILL"),
            ("51", 51, "SIGRTMAX-13"),
            ("SIGRTMIN+3", 37, "SIGRTMIN+3"),
            ("SIGRTMAX", 64, "SIGRTMAX"),
        ] {
            let signal = StopSignal::parse(text).unwrap();
            assert_eq!(
                (signal.number(), signal.to_string().as_str()),
                (number, name)
            );
        }
        for text in ["noSuchSignal", "0", "65", "-1", "SIGRTMIN+31", "SIG", ""] {
            assert!(StopSignal::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn capabilities_are_known_with_and_without_prefix() {
        assert_eq!(
            Capability::parse("CAP_NET_RAW"),
            Capability::parse("net_raw")
        );
        assert!(Capability::parse("ALL").unwrap().is_all());
        assert!(Capability::parse("NET_ROW").is_err());
    }
}
