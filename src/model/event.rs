//! What has happened, as it is recorded: one fact each, with podman's words and the kubelet's reasons.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::network::NetworkRecord;
use super::observed::{ContainerRecord, PodRecord};
use super::pod::Labels;
use crate::names::{ContainerId, PodId, VolumeName};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventRecord {
    pub at: Timestamp,
    pub subject: EventSubject,
    pub action: EventAction,
    /// The kubelet's word for why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EventReason>,
    /// What a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What it happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum EventSubject {
    Container {
        id: ContainerId,
        /// As it is called outside of its pod.
        name: String,
        image: String,
        pod: PodId,
        pod_name: String,
        #[serde(default, skip_serializing_if = "Labels::is_empty")]
        labels: Labels,
    },
    Pod {
        id: PodId,
        name: String,
        #[serde(default, skip_serializing_if = "Labels::is_empty")]
        labels: Labels,
    },
    Volume {
        name: String,
    },
    Network {
        id: String,
        name: String,
    },
    Secret {
        id: String,
        name: String,
    },
    Image {
        id: String,
        name: String,
    },
}

impl EventSubject {
    /// Names a container of a pod.
    #[must_use]
    pub fn container(pod: &PodRecord, container: &ContainerRecord) -> Self {
        let spec = pod.spec.container(&container.name);
        Self::Container {
            id: container.id.clone(),
            name: pod.spec.full_name(&container.name),
            image: spec.map_or_else(String::new, |spec| spec.image.qualified().to_string()),
            pod: pod.id.clone(),
            pod_name: pod.spec.name.to_string(),
            labels: pod.spec.labels.clone(),
        }
    }

    /// Names a pod.
    #[must_use]
    pub fn pod(pod: &PodRecord) -> Self {
        Self::Pod {
            id: pod.id.clone(),
            name: pod.spec.name.to_string(),
            labels: pod.spec.labels.clone(),
        }
    }

    /// Names a network.
    #[must_use]
    pub fn network(network: &NetworkRecord) -> Self {
        Self::Network {
            id: network.id(),
            name: network.name.to_string(),
        }
    }

    /// Names a volume.
    #[must_use]
    pub fn volume(name: &VolumeName) -> Self {
        Self::Volume {
            name: name.to_string(),
        }
    }

    /// Returns podman's word for the kind of thing.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Container { .. } => "container",
            Self::Pod { .. } => "pod",
            Self::Volume { .. } => "volume",
            Self::Network { .. } => "network",
            Self::Secret { .. } => "secret",
            Self::Image { .. } => "image",
        }
    }

    /// Returns the id; the name of what has none.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Container { id, .. } => id.as_str(),
            Self::Pod { id, .. } => id.as_str(),
            Self::Volume { name } => name,
            Self::Network { id, .. } | Self::Secret { id, .. } | Self::Image { id, .. } => id,
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Container { name, .. }
            | Self::Pod { name, .. }
            | Self::Volume { name }
            | Self::Network { name, .. }
            | Self::Secret { name, .. }
            | Self::Image { name, .. } => name,
        }
    }

    /// Returns the labels of a container or pod.
    #[must_use]
    pub fn labels(&self) -> Option<&Labels> {
        match self {
            Self::Container { labels, .. } | Self::Pod { labels, .. } => Some(labels),
            _ => None,
        }
    }
}

/// What happened, in podman's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EventAction {
    Create,
    Start,
    /// Asked to end, it has ended.
    Stop,
    Died {
        code: i32,
    },
    Kill {
        signal: i32,
    },
    Pause,
    Unpause,
    Remove,
    Exec,
    ExecDied {
        code: i32,
    },
    /// A probe's verdict.
    HealthStatus {
        healthy: bool,
    },
    /// Nothing of podman's: a reason of the kubelet's says what.
    Warning,
    Pull,
    Push,
    Import,
    Save,
    Load,
    Tag,
    Untag,
    Prune,
}

impl EventAction {
    /// Returns podman's word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Died { .. } => "died",
            Self::Kill { .. } => "kill",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Remove => "remove",
            Self::Exec => "exec",
            Self::ExecDied { .. } => "exec_died",
            Self::HealthStatus { .. } => "health_status",
            Self::Warning => "warning",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Import => "import",
            Self::Save => "save",
            Self::Load => "loadfromarchive",
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Prune => "prune",
        }
    }

    /// Returns the exit code of what has ended.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Died { code } | Self::ExecDied { code } => Some(*code),
            _ => None,
        }
    }
}

/// Why something happened: the kubelet's names for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventReason {
    Unhealthy,
    BackOff,
    DeadlineExceeded,
    OOMKilled,
    Completed,
    Error,
    StartError,
    ContainerStatusUnknown,
    FailedPostStartHook,
    FailedPreStopHook,
}

impl EventReason {
    /// Returns the reason that a container's state has for an end.
    #[must_use]
    pub fn of_end(status: &super::state::ExitStatus) -> Self {
        match status.reason() {
            "Completed" => Self::Completed,
            "OOMKilled" => Self::OOMKilled,
            "StartError" => Self::StartError,
            "ContainerStatusUnknown" => Self::ContainerStatusUnknown,
            _ => Self::Error,
        }
    }
}

impl fmt::Display for EventReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
