//! What manifests need of this host and do not find there, each told at its place before anything is touched.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::Error;
use super::grants;
use crate::engine::{Engine, EngineError, network, volumes};
use crate::manifest::rules::{self, Present, Spot};
use crate::manifest::{self, FindingType, Located, Reading};
use crate::model::container::PullPolicy;
use crate::model::network::PublishedPort;
use crate::model::observed::{ConfigData, ObjectContent, Observed, ObservedPod};
use crate::model::pod::PodSpec;
use crate::model::volume::VolumeSpec;
use crate::names::PodName;
use crate::plan::Existing;
use crate::translate::{Application, Origins};

/// Adds what is missing to the findings of the manifests.
///
/// # Errors
/// The images cannot be read; or a port is taken that no manifest names, but the command line.
pub(super) fn check(
    engine: Option<&mut Engine>,
    reading: &mut Reading,
    (application, origins): (&Application, &Origins),
    (observed, existing): (&Observed, Existing),
    pulls: Pulls,
) -> Result<(), Error> {
    let present = Present {
        objects: objects(application, observed),
        missing_images: missing_images(engine, application, pulls)?,
    };
    rules::check_present(reading, &present);
    let mut found = Vec::new();
    for pod in &application.pods {
        let old = observed.pod(&pod.name);
        let name = old.filter(|_| existing == Existing::Refuse);
        let unmet = name.map(|holder| name_in_use(pod, holder)).into_iter();
        let unmet = unmet.chain(host_paths(pod)).chain(ports(pod, observed));
        for unmet in unmet.chain(grants::missing(pod)) {
            match unmet.locate(reading, &pod.name, origins) {
                Some(located) => found.push(located),
                None => {
                    return Err(Error::Unmet(format!(
                        "pod `{}`: {}",
                        pod.name, unmet.message
                    )));
                }
            }
        }
    }
    reading.findings.extend(found);
    Located::sort(&mut reading.findings);
    Ok(())
}

/// Something of a pod that the host refuses.
pub(super) struct Unmet<'a> {
    pub(super) spot: Spot<'a>,
    pub(super) kind: FindingType,
    pub(super) message: String,
}

impl Unmet<'_> {
    fn locate(&self, reading: &Reading, pod: &PodName, origins: &Origins) -> Option<Located> {
        origins.error(reading, (pod, self.spot), self.kind, &self.message)
    }
}

/// Returns the ConfigMaps and Secrets that the pods of an application will find, with their keys.
fn objects(
    application: &Application,
    observed: &Observed,
) -> BTreeMap<(&'static str, String), BTreeSet<String>> {
    let mut present = BTreeMap::new();
    for object in &observed.objects {
        let keys = match &object.content {
            ObjectContent::ConfigMap(data) => keys_of(data),
            ObjectContent::Secret { keys, .. } => keys.iter().cloned().collect(),
        };
        present.insert((object.content.kind(), object.name.to_string()), keys);
    }
    for map in &application.config_maps {
        present.insert(("ConfigMap", map.name.to_string()), keys_of(&map.data));
    }
    for secret in &application.secrets {
        let keys = secret.values.keys().cloned().collect();
        present.insert(("Secret", secret.name.to_string()), keys);
    }
    present
}

fn keys_of(data: &ConfigData) -> BTreeSet<String> {
    let keys = data.text.keys().chain(data.binary.keys());
    keys.cloned().collect()
}

/// Whether images that are not here may come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulls {
    /// A plan is printed, and nothing is touched.
    Nothing,
    /// What the pull policies ask for.
    ByPolicy,
}

/// Adds the images that did not come to the findings of the manifests.
pub(super) fn add_missing(
    reading: &mut Reading,
    application: &Application,
    observed: &Observed,
    missing_images: BTreeMap<String, String>,
) {
    let present = Present {
        objects: objects(application, observed),
        missing_images,
    };
    rules::check_present(reading, &present);
}

/// Returns the images that are not on this host and will not come, as the pods name them.
///
/// Without an engine only ours is.
fn missing_images(
    mut engine: Option<&mut Engine>,
    application: &Application,
    pulls: Pulls,
) -> Result<BTreeMap<String, String>, Error> {
    let mut missing = BTreeMap::new();
    for (image, policy) in application.pods.iter().flat_map(PodSpec::images) {
        // `localhost` without a port is where images are that were made here.
        let own = image.registry() == Some("localhost");
        let comes = pulls == Pulls::ByPolicy && policy != PullPolicy::Never && !own;
        let is_here = match &mut engine {
            _ if comes => continue,
            Some(engine) => engine.find_image(image)?.is_some(),
            None => crate::image::hello::is_meant(image),
        };
        if !is_here {
            missing.insert(image.to_string(), "image not known".to_owned());
        }
    }
    Ok(missing)
}

fn name_in_use<'a>(pod: &PodSpec, holder: &ObservedPod) -> Unmet<'a> {
    Unmet {
        spot: Spot::Name,
        kind: FindingType::Duplicate,
        message: format!(
            "name {:?} is in use: pod already exists, with id {}",
            pod.name.as_str(),
            holder.record.id.short()
        ),
    }
}

fn host_paths(pod: &PodSpec) -> impl Iterator<Item = Unmet<'_>> {
    pod.volumes.iter().filter_map(|(name, volume)| {
        let VolumeSpec::HostPath { path, kind } = volume else {
            return None;
        };
        let error = volumes::check_host_path(path, *kind).err()?;
        Some(Unmet {
            spot: Spot::HostPath(name.as_str()),
            kind: FindingType::NotFound,
            message: error.to_string(),
        })
    })
}

/// Finds ports that another pod or a foreign process has; those of the pod it replaces are its own.
fn ports<'a>(pod: &PodSpec, observed: &Observed) -> Option<Unmet<'a>> {
    let holder = |port: &PublishedPort| {
        let has = |other: &&ObservedPod| {
            let mut ports = other.record.spec.published_ports();
            ports.any(|other| other.collides(port))
        };
        observed.pods.iter().find(has)
    };
    let own: Vec<_> = observed
        .pods_named(&pod.name)
        .map(|pod| &pod.record.id)
        .collect();
    pod.published_ports().find_map(|port| {
        let message = match holder(&port).map(|pod| &pod.record) {
            Some(holder) if own.contains(&&holder.id) => None,
            Some(holder) => Some(format!(
                "port {port} is already taken by pod `{}`",
                holder.spec.name
            )),
            None => foreign(&port),
        };
        message.map(|message| Unmet {
            spot: Spot::HostPort(port.host_port),
            kind: FindingType::Duplicate,
            message,
        })
    })
}

fn foreign(port: &PublishedPort) -> Option<String> {
    let held = network::hold_ports(std::slice::from_ref(port));
    held.err().map(|error| error.to_string())
}

/// Gives an error of the engine its place in the manifest, where it is about what one names.
pub(super) fn place(error: EngineError, reading: &Reading, origins: &Origins) -> Error {
    let EngineError::NotStarted { pod, failure } = &error else {
        return error.into();
    };
    let spot = match &failure.container {
        // What a shell answers for a command that is not there, or is no program.
        Some(container) if matches!(failure.code, 126 | 127) => Spot::Command(container.as_str()),
        Some(container) => Spot::Container(container.as_str()),
        None => Spot::Name,
    };
    match origins.error(reading, (pod, spot), FindingType::Invalid, &failure.message) {
        Some(located) => Error::Manifest(manifest::Report(&[located]).to_string()),
        None => error.into(),
    }
}
