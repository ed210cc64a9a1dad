//! All documents of one play, translated together.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1;

use crate::manifest::{At, Findings, Object};
use crate::model::pod::PodSpec;
use crate::model::volume::NamedVolumeSpec;

use super::config::{self, ConfigMapData, SecretData};
use super::network::{self, Turn};
use super::notes::Notes;
use super::options::PlayOptions;
use super::{pod, workload};

/// What the documents of one play ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// In the order of the documents.
    pub pods: Vec<PodSpec>,
    pub volumes: Vec<NamedVolumeSpec>,
    pub config_maps: Vec<ConfigMapData>,
    pub secrets: Vec<SecretData>,
}

impl Application {
    /// Tells whether the documents ask for nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            pods,
            volumes,
            config_maps,
            secrets,
        } = self;
        pods.is_empty() && volumes.is_empty() && config_maps.is_empty() && secrets.is_empty()
    }
}

/// An application, and what was found in each object it was made of.
#[derive(Debug)]
pub struct Translated {
    pub application: Application,
    /// One for each object, in their order.
    pub findings: Vec<Findings>,
    /// For each pod, the number of the object that it comes from.
    pub origins: Vec<usize>,
    /// What was found in the ConfigMaps that the command line names.
    pub option_findings: Findings,
}

/// Translates all objects of one play.
#[must_use]
pub fn translate<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
    options: &PlayOptions,
) -> Translated {
    let mut translation = Translation::new(options);
    let mut origins = Vec::new();
    let findings = objects
        .into_iter()
        .enumerate()
        .map(|(number, object)| {
            let mut findings = Findings::default();
            translation.object(object, &mut findings);
            origins.resize(translation.application.pods.len(), number);
            findings
        })
        .collect();
    let mut option_findings = Findings::default();
    Translated {
        application: translation.finish(&mut option_findings),
        findings,
        origins,
        option_findings,
    }
}

/// A play while its documents are translated, one after the other.
pub struct Translation<'o> {
    options: &'o PlayOptions,
    application: Application,
    /// How many pods came so far, those with errors included.
    turn: usize,
}

impl<'o> Translation<'o> {
    /// Starts with the ConfigMaps that the command line names.
    #[must_use]
    pub fn new(options: &'o PlayOptions) -> Self {
        Self {
            options,
            application: Application::default(),
            turn: 0,
        }
    }

    /// Adds what an object asks for; a kind that asks for nothing here gets a warning.
    pub fn object(&mut self, object: &Object, findings: &mut Findings) {
        let kind = match object {
            Object::Pod(pod) => return self.pod(pod, findings),
            Object::ConfigMap(map) => return self.config_map(map, findings),
            Object::Secret(secret) => return self.secret(secret, findings),
            Object::PersistentVolumeClaim(claim) => return self.claim(claim, findings),
            Object::Deployment(deployment) => return self.deployment(deployment, findings),
            Object::DaemonSet(set) => return self.daemon_set(set, findings),
            Object::Job(job) => return self.job(job, findings),
            // There is one name space, and no server to give an account to.
            Object::Namespace(_) | Object::ServiceAccount(_) => return,
            Object::PersistentVolume(_) => "PersistentVolume",
            Object::Service(_) => "Service",
            Object::ReplicaSet(_) => "ReplicaSet",
            Object::StatefulSet(_) => "StatefulSet",
            Object::CronJob(_) => "CronJob",
            Object::Ingress(_) => "Ingress",
            Object::NetworkPolicy(_) => "NetworkPolicy",
            // The reader has warned of it.
            Object::Unsupported { .. } => return,
        };
        findings.warning(
            &At::ROOT.field("kind"),
            format!("kind `{kind}` is not honoured yet"),
        );
    }

    /// Adds a Pod, unless an error is found in it.
    pub fn pod(&mut self, pod: &v1::Pod, findings: &mut Findings) {
        let pods = pod::pod(pod, self.options, findings);
        self.add(pods.into_iter().collect(), 1);
    }

    /// Adds the pods of a Deployment, unless an error is found in it.
    pub fn deployment(&mut self, deployment: &Deployment, findings: &mut Findings) {
        let workload = workload::deployment(deployment, self.options, findings);
        self.add(workload.pods, workload.replicas);
    }

    /// Adds the pod of a DaemonSet, unless an error is found in it.
    pub fn daemon_set(&mut self, set: &DaemonSet, findings: &mut Findings) {
        let workload = workload::daemon_set(set, self.options, findings);
        self.add(workload.pods, workload.replicas);
    }

    /// Adds the pod of a Job, unless an error is found in it.
    pub fn job(&mut self, job: &Job, findings: &mut Findings) {
        let workload = workload::job(job, self.options, findings);
        self.add(workload.pods, workload.replicas);
    }

    /// Adds pods; their turns pass even where errors left no pod.
    fn add(&mut self, pods: Vec<PodSpec>, turns: usize) {
        for (index, mut pod) in pods.into_iter().enumerate() {
            let turn = Turn(self.turn + index);
            network::deal(&mut pod.infra.network, self.options, turn);
            self.application.pods.push(pod);
        }
        self.turn += turns;
    }

    /// Adds a ConfigMap, unless an error is found in it.
    pub fn config_map(&mut self, map: &v1::ConfigMap, findings: &mut Findings) {
        let Some(map) = config::config_map(map, findings) else {
            return;
        };
        let also_given =
            |other: &v1::ConfigMap| other.metadata.name.as_deref() == Some(map.name.as_str());
        if self.options.config_maps.iter().any(also_given) {
            let message = format!(
                "ambiguous configuration: the same config map {} is present in YAML and in --configmaps",
                map.name
            );
            let at = At::ROOT.field("metadata");
            Notes::new(findings).unsupported(&at.field("name"), message);
        }
        self.application.config_maps.push(map);
    }

    /// Adds a Secret, unless an error is found in it.
    pub fn secret(&mut self, secret: &v1::Secret, findings: &mut Findings) {
        self.application
            .secrets
            .extend(config::secret(secret, findings));
    }

    /// Adds a PersistentVolumeClaim, unless an error is found in it.
    pub fn claim(&mut self, claim: &v1::PersistentVolumeClaim, findings: &mut Findings) {
        self.application
            .volumes
            .extend(config::claim(claim, self.options, findings));
    }

    /// Returns everything together; findings about the command line's own ConfigMaps go to `findings`.
    #[must_use]
    pub fn finish(mut self, findings: &mut Findings) -> Application {
        for map in &self.options.config_maps {
            self.application
                .config_maps
                .extend(config::config_map(map, findings));
        }
        self.application
    }
}
