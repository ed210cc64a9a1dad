//! What a plan has to know of this host.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::error::Error;
use crate::engine::objects::{ObjectKind, Values};
use crate::engine::{Engine, sandbox};
use crate::model::network::NetworkSpec;
use crate::model::pod::PodSpec;
use crate::names::{ImageId, ImageRef, ObjectName};
use crate::plan::{self, Bridge, Host};
use crate::translate::{Application, SecretData};

/// Learns what the plan has to know of the host.
pub(super) fn gather(engine: &mut Engine, application: &Application) -> Result<Host, Error> {
    let mut images = BTreeMap::new();
    for pod in &application.pods {
        for container in pod.all_containers() {
            if !images.contains_key(&container.image) {
                let id = find_image(engine, pod, &container.image)?;
                images.insert(container.image.clone(), id);
            }
        }
    }
    let needs_bridge = |pod: &PodSpec| matches!(pod.infra.network, NetworkSpec::Bridge { .. });
    let bridge = match application.pods.iter().any(needs_bridge) {
        true => {
            let subnet = sandbox::host_network(engine.paths())
                .subnet()
                .map_err(crate::engine::EngineError::from)?;
            Some(Bridge {
                network: subnet.network(),
                prefix: subnet.prefix(),
                gateway: subnet.gateway(),
            })
        }
        false => None,
    };
    Ok(Host {
        images,
        bridge,
        same_secrets: same_secrets(engine, &application.secrets)?,
    })
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
