//! What taking an application down has to do.

use std::collections::BTreeSet;

use super::action::{Action, Plan};
use crate::model::observed::Observed;
use crate::names::{ObjectName, PodName, VolumeName};

/// What is to go, by the names that the manifests have.
#[derive(Debug, Default)]
pub struct DownWish {
    pub pods: Vec<PodName>,
    pub secrets: Vec<ObjectName>,
    pub config_maps: Vec<ObjectName>,
    /// Volumes go only with `--force`.
    pub volumes: Vec<VolumeName>,
}

/// Plans a take-down; what is not there is no error, and nothing is done about it.
#[must_use]
pub fn down(wish: &DownWish, observed: &Observed) -> Plan {
    let mut actions = Vec::new();
    let mut seen = BTreeSet::new();
    for name in &wish.pods {
        if !seen.insert(name) {
            continue;
        }
        actions.extend(observed.pods_named(name).map(|pod| Action::RemovePod {
            id: pod.record.id.clone(),
            name: name.clone(),
            grace: None,
        }));
    }
    for (kind, names) in [("Secret", &wish.secrets), ("ConfigMap", &wish.config_maps)] {
        for name in names {
            let there = |object: &&crate::model::observed::ObjectRecord| {
                &object.name == name && object.content.kind() == kind
            };
            if observed.objects.iter().any(|object| there(&object)) {
                actions.push(Action::RemoveObject {
                    kind,
                    name: name.clone(),
                });
            }
        }
    }
    for name in &wish.volumes {
        if observed.volume(name).is_some() {
            actions.push(Action::RemoveVolume { name: name.clone() });
        }
    }
    Plan(actions)
}
