//! What taking an application down has to do.

use super::action::{Action, Plan};
use crate::model::observed::{ObjectContent, ObjectRecord, Observed, PodRecord};
use crate::names::{ApplicationName, ObjectName, PodName, VolumeName};
use crate::translate::Application;

/// What is to go, by the names that the manifests have.
#[derive(Debug, Default)]
pub struct DownWish {
    /// Everything that was played under these names goes, but volumes.
    pub applications: Vec<ApplicationName>,
    pub pods: Vec<PodName>,
    pub secrets: Vec<ObjectName>,
    pub config_maps: Vec<ObjectName>,
    /// Volumes go only with `--force`.
    pub volumes: Vec<VolumeName>,
}

impl DownWish {
    /// Wishes that everything goes that an application has.
    #[must_use]
    pub fn of(application: Application) -> Self {
        let Application {
            pods,
            volumes,
            config_maps,
            secrets,
        } = application;
        Self {
            applications: Vec::new(),
            pods: pods.into_iter().map(|pod| pod.name).collect(),
            secrets: secrets.into_iter().map(|secret| secret.name).collect(),
            config_maps: config_maps.into_iter().map(|map| map.name).collect(),
            volumes: volumes.into_iter().map(|volume| volume.name).collect(),
        }
    }

    /// Wishes that the volumes go, too, that were made for the applications.
    pub fn add_volumes_of_applications(&mut self, observed: &Observed) {
        let owned = observed.volumes.iter().filter(|volume| {
            let owner = volume.application.as_ref();
            owner.is_some_and(|owner| self.applications.contains(owner))
        });
        let names: Vec<_> = owned.map(|volume| volume.spec.name.clone()).collect();
        self.volumes.extend(names);
    }

    fn has_pod(&self, pod: &PodRecord) -> bool {
        let named = |name: &PodName| pod.is_called(name);
        self.pods.iter().any(named) || self.applications.contains(&pod.application)
    }

    fn has_object(&self, object: &ObjectRecord) -> bool {
        let names = match object.content {
            ObjectContent::ConfigMap(_) => &self.config_maps,
            ObjectContent::Secret { .. } => &self.secrets,
        };
        let owner = object.application.as_ref();
        names.contains(&object.name) || owner.is_some_and(|owner| self.applications.contains(owner))
    }
}

/// Plans a take-down; what is not there is no error, and nothing is done about it.
#[must_use]
pub fn down(wish: &DownWish, observed: &Observed) -> Plan {
    let pods = observed.pods.iter().map(|pod| &pod.record);
    let mut actions: Vec<Action> = pods
        .filter(|pod| wish.has_pod(pod))
        .map(|pod| Action::RemovePod {
            id: pod.id.clone(),
            name: pod.spec.name.clone(),
            grace: None,
        })
        .collect();
    for object in observed
        .objects
        .iter()
        .filter(|object| wish.has_object(object))
    {
        actions.push(Action::RemoveObject {
            kind: object.content.kind(),
            name: object.name.clone(),
        });
    }
    for name in &wish.volumes {
        if observed.volume(name).is_some() {
            actions.push(Action::RemoveVolume { name: name.clone() });
        }
    }
    Plan(actions)
}
