//! What a pod may ask about itself: names, addresses, limits, keys of objects.
//!
//! References stand unresolved in the model; here they become values, when a container starts.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::launch::env::Values;
use super::objects::{ObjectKind, Objects};
use crate::model::container::{
    ContainerSpec, Divisor, EnvSource, FieldRef, ResourceField, ResourceRef,
};
use crate::model::observed::PodRecord;
use crate::model::pod::Labels;
use crate::names::ObjectName;
use crate::sys::process::processors;

/// Everything a reference can be about.
pub struct Facts<'a> {
    pub pod: &'a PodRecord,
    pub objects: &'a Objects,
    /// Looked at when something is asked about it, which is seldom.
    pub node: LazyCell<Node>,
}

/// What is known about the host.
#[derive(Debug, Clone)]
pub struct Node {
    pub name: String,
    pub address: IpAddr,
    pub processors: u64,
    pub memory: u64,
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    #[error("{} {object} not found", kind.word())]
    NoObject {
        kind: ObjectKind,
        object: ObjectName,
    },
    #[error("key {key} not found in {} {object}", kind.word())]
    NoKey {
        kind: ObjectKind,
        object: ObjectName,
        key: String,
    },
    #[error("container `{0}` asked about does not exist")]
    NoContainer(String),
}

impl ObjectKind {
    /// Returns the word podman's messages have for the kind.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }
}

impl Facts<'_> {
    /// Returns a fact about the pod.
    #[must_use]
    pub fn fact(&self, field: &FieldRef) -> String {
        let spec = &self.pod.spec;
        let pod_ip = || {
            let own = self.pod.addresses.first().map(|assigned| assigned.address);
            own.unwrap_or(self.node.address).to_string()
        };
        match field {
            FieldRef::Name => spec.name.to_string(),
            FieldRef::Namespace => spec
                .namespace
                .as_ref()
                .map_or_else(|| "default".to_owned(), ToString::to_string),
            FieldRef::Uid => self.pod.id.to_string(),
            FieldRef::Label(key) => spec.labels.get(key).cloned().unwrap_or_default(),
            FieldRef::Annotation(key) => spec.annotations.get(key).cloned().unwrap_or_default(),
            FieldRef::Labels => lines(&spec.labels),
            FieldRef::Annotations => lines(&spec.annotations),
            FieldRef::NodeName => self.node.name.clone(),
            FieldRef::ServiceAccountName => spec
                .service_account
                .as_ref()
                .map_or_else(|| "default".to_owned(), ToString::to_string),
            FieldRef::HostIp | FieldRef::HostIps => self.node.address.to_string(),
            FieldRef::PodIp | FieldRef::PodIps => pod_ip(),
        }
    }

    /// Returns an amount of a container in the units asked for, rounded up.
    ///
    /// Without a limit or request, the host's whole amount is shown, as the kubelet does.
    ///
    /// # Errors
    /// The pod has no container of that name.
    pub fn amount(&self, resource: &ResourceRef, this: &ContainerSpec) -> Result<u64, FactError> {
        let container = match &resource.container {
            None => this,
            Some(name) => self
                .pod
                .spec
                .container(name)
                .ok_or_else(|| FactError::NoContainer(name.to_string()))?,
        };
        let limits = &container.process.limits;
        let cpu = || limits.cpu.map(|cpu| cpu.0);
        let memory = || limits.memory.map(|memory| memory.0);
        let amount = match resource.resource {
            ResourceField::LimitsCpu => cpu().unwrap_or(self.node.processors * 1000),
            ResourceField::LimitsMemory => memory().unwrap_or(self.node.memory),
            ResourceField::RequestsCpu => limits
                .cpu_request
                .map(|cpu| cpu.0)
                .or_else(cpu)
                .unwrap_or(self.node.processors * 1000),
            ResourceField::RequestsMemory => limits
                .memory_request
                .map(|memory| memory.0)
                .or_else(memory)
                .unwrap_or(self.node.memory),
        };
        let unit = match resource.divisor {
            Divisor::Cpu(unit) => unit.0,
            Divisor::Memory(unit) => unit.0,
        };
        Ok(amount.div_ceil(unit.max(1)))
    }
}

impl Values for Facts<'_> {
    fn object(&self, source: &EnvSource) -> Option<BTreeMap<String, String>> {
        let values = match source {
            EnvSource::ConfigMap(name) => self.objects.get(ObjectKind::ConfigMap, name),
            EnvSource::Secret(name) => self.objects.get(ObjectKind::Secret, name),
        };
        let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
        Some(
            values?
                .iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
        )
    }

    fn field(&self, field: &FieldRef) -> Option<String> {
        Some(self.fact(field))
    }

    fn resource(&self, asking: &ContainerSpec, resource: &ResourceRef) -> String {
        self.amount(resource, asking)
            .map(|amount| amount.to_string())
            .unwrap_or_default()
    }
}

/// Writes labels as the kubelet writes them into files: `key="value"`, one a line.
fn lines(labels: &Labels) -> String {
    let lines: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    lines.join("\n")
}

impl Node {
    /// Looks at the host.
    ///
    /// The address is the one that packets to the outside carry; without any, 127.0.0.1.
    #[must_use]
    pub fn of_host() -> Self {
        let name = nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        // Connecting a datagram socket sends nothing; it only asks the routing table.
        let address = std::net::UdpSocket::bind("0.0.0.0:0")
            .and_then(|socket| {
                socket.connect("192.0.2.1:9")?;
                socket.local_addr()
            })
            .map_or(IpAddr::from([127, 0, 0, 1]), |address| address.ip());
        let processors = processors() as u64;
        let memory = std::fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| {
                let line = text.lines().next()?.strip_prefix("MemTotal:")?;
                line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
            })
            .map_or(0, |kibibytes| kibibytes * 1024);
        Self {
            name,
            address,
            processors,
            memory,
        }
    }
}
