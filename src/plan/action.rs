//! One step of a plan.

use std::fmt;

use serde::Serialize;

use crate::model::observed::{ObjectRecord, ObservedPod, VolumeRecord};
use crate::model::quantity::Seconds;
use crate::names::{ObjectName, PodId, PodName, VolumeName};
use crate::translate::SecretData;

/// What is to be done, in this order.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Plan(pub Vec<Action>);

/// One step; each can be undone until the plan is through.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Record a pod with its containers and claim its names, addresses and ports.
    CreatePod(Box<ObservedPod>),
    PutConfigMap(ObjectRecord),
    PutSecret {
        record: ObjectRecord,
        /// The values are no part of what a plan shows.
        #[serde(skip)]
        data: SecretData,
    },
    CreateVolume(VolumeRecord),
    StartPod {
        id: PodId,
        name: PodName,
    },
    /// Leave a pod alone that is as it is wanted.
    KeepPod {
        id: PodId,
        name: PodName,
    },
    /// Stop a pod that cannot run beside the one that replaces it; its records and data stay.
    TakeDownPod {
        id: PodId,
        name: PodName,
    },
    /// Wait until a pod serves, and give it the name and the ports of the one it replaces.
    HandOver {
        from: PodId,
        to: PodId,
        name: PodName,
    },
    /// Stop a pod in its grace period, and remove it with everything that is its own.
    RemovePod {
        id: PodId,
        name: PodName,
        grace: Option<Seconds>,
    },
    RemoveObject {
        kind: &'static str,
        name: ObjectName,
    },
    /// Remove a named volume with its data.
    RemoveVolume {
        name: VolumeName,
    },
}

/// Writes an enum with the list of all its values and a word for each.
macro_rules! kinds {
    ($($kind:ident => $word:literal),* $(,)?) => {
        /// What an action is, without what it is about: the fault points of a plan are numbered by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ActionKind {
            $($kind),*
        }

        impl ActionKind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Returns what the kind is called.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word),*
                }
            }
        }
    };
}

kinds! {
    CreatePod => "create pod",
    PutConfigMap => "put ConfigMap",
    PutSecret => "put Secret",
    CreateVolume => "create volume",
    StartPod => "start pod",
    KeepPod => "keep pod",
    TakeDownPod => "take pod down",
    HandOver => "hand over",
    RemovePod => "remove pod",
    RemoveObject => "remove object",
    RemoveVolume => "remove volume",
}

impl Action {
    /// Returns which kind of action it is.
    #[must_use]
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::CreatePod(_) => ActionKind::CreatePod,
            Self::PutConfigMap(_) => ActionKind::PutConfigMap,
            Self::PutSecret { .. } => ActionKind::PutSecret,
            Self::CreateVolume(_) => ActionKind::CreateVolume,
            Self::StartPod { .. } => ActionKind::StartPod,
            Self::KeepPod { .. } => ActionKind::KeepPod,
            Self::TakeDownPod { .. } => ActionKind::TakeDownPod,
            Self::HandOver { .. } => ActionKind::HandOver,
            Self::RemovePod { .. } => ActionKind::RemovePod,
            Self::RemoveObject { .. } => ActionKind::RemoveObject,
            Self::RemoveVolume { .. } => ActionKind::RemoveVolume,
        }
    }
}

impl Plan {
    /// Returns whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let kept = |action: &Action| matches!(action, Action::KeepPod { .. });
        self.0.iter().all(kept)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for action in &self.0 {
            writeln!(f, "{action}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreatePod(pod) => {
                let spec = &pod.record.spec;
                write!(f, "create pod {} with", spec.name)?;
                for (position, container) in spec.all_containers().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma} {} ({})", container.name, container.image)?;
                }
                Ok(())
            }
            Self::PutConfigMap(record) => write!(f, "keep ConfigMap {}", record.name),
            Self::PutSecret { record, .. } => write!(f, "keep Secret {}", record.name),
            Self::CreateVolume(record) => write!(f, "create volume {}", record.spec.name),
            Self::StartPod { name, .. } => write!(f, "start pod {name}"),
            Self::KeepPod { name, .. } => write!(f, "keep pod {name}, which is as it is wanted"),
            Self::TakeDownPod { name, .. } => write!(f, "stop the old pod {name}"),
            Self::HandOver { name, .. } => {
                write!(f, "lead name and ports of pod {name} to the new one")
            }
            Self::RemovePod { name, .. } => write!(f, "stop and remove pod {name}"),
            Self::RemoveObject { kind, name } => write!(f, "remove {kind} {name}"),
            Self::RemoveVolume { name } => write!(f, "remove volume {name}"),
        }
    }
}
