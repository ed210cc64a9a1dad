//! What a plan has to know of this host.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::error::Error;
use super::super::super::output::warn;
use crate::engine::Engine;
use crate::engine::objects::{ObjectKind, Values};
use crate::model::network::{Attachment, NetworkRecord, NetworkSpec};
use crate::model::pod::PodSpec;
use crate::names::{ImageId, ImageRef, NetworkName, ObjectName};
use crate::plan::{self, Host};
use crate::translate::{Application, SecretData};

/// Learns what the plan has to know of the host.
pub(super) fn gather(engine: &mut Engine, application: &Application) -> Result<Host, Error> {
    let mut images = BTreeMap::new();
    for pod in &application.pods {
        for (image, _) in pod.images() {
            if !images.contains_key(image) {
                images.insert(image.clone(), find_image(engine, pod, image)?);
            }
        }
    }
    Ok(Host {
        images,
        networks: networks(engine, application)?,
        same_secrets: same_secrets(engine, &application.secrets)?,
    })
}

/// Returns the networks that the pods are to be on, as far as there are such.
fn networks(
    engine: &Engine,
    application: &Application,
) -> Result<BTreeMap<NetworkName, NetworkRecord>, Error> {
    let specs = application.pods.iter().map(|pod| &pod.infra.network);
    let wanted: Vec<&NetworkSpec> = specs
        .filter(|network| !network.attachments().is_empty())
        .collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let networks = engine.networks(&engine.observed()?)?.into_iter();
    let networks: BTreeMap<_, _> = networks
        .filter(|network| wanted.iter().any(|spec| spec.joins(&network.name)))
        .map(|network| (network.name.clone(), network))
        .collect();
    for pod in &application.pods {
        let mut attachments = pod.infra.network.attachments().iter();
        let inside = |attached: &Attachment| {
            let network = networks.get(&attached.network);
            network.is_some_and(|network| network.internal)
        };
        if pod.published_ports().next().is_some() && attachments.all(inside) {
            warn(format_args!(
                "pod `{}`: no port is published, since all of its networks are internal",
                pod.name
            ));
        }
    }
    Ok(networks)
}

/// Returns which Secrets rest here already, with the same values.
fn same_secrets(engine: &Engine, secrets: &[SecretData]) -> Result<BTreeSet<ObjectName>, Error> {
    let mut same = BTreeSet::new();
    if secrets.is_empty() {
        return Ok(same);
    }
    let objects = engine.objects()?;
    for secret in secrets {
        let is_same = |rests: &Values| {
            rests.len() == secret.values.len()
                && secret
                    .values
                    .iter()
                    .all(|(key, value)| rests.get(key).is_some_and(|rests| rests == value.reveal()))
        };
        if objects
            .get(ObjectKind::Secret, &secret.name)
            .is_some_and(is_same)
        {
            same.insert(secret.name.clone());
        }
    }
    Ok(same)
}

fn find_image(engine: &mut Engine, pod: &PodSpec, reference: &ImageRef) -> Result<ImageId, Error> {
    match engine.find_image(reference)? {
        Some(image) => Ok(image.id),
        None => Err(plan::PlanError::NoImage {
            pod: pod.name.clone(),
            image: reference.clone(),
        }
        .into()),
    }
}
