//! `inspect` of containers, pods and images.

use super::super::args::{Inspect, InspectContainers, InspectPods, ObjectKind};
use super::super::error::{Error, outcome};
use super::super::output::{Format, Object};
use super::super::view::{
    ContainerInspect, Host, ImageInspect, PodInspect, Scene, inspect_container, inspect_pod,
};
use super::Context;
use super::find::{self, Found};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::Engine;
use crate::engine::catalog::CatalogError;
use crate::engine::launch::host::own_capabilities;
use crate::image::ImageRecord;
use crate::model::observed::Observed;

pub(super) fn containers(
    context: &mut Context<'_>,
    inspect: &InspectContainers,
) -> Result<(), Error> {
    let engine = context.engine("container inspect")?;
    let observed = engine.observed()?;
    let images = engine.image_records()?;
    let found = if inspect.latest {
        vec![find::latest_container(&observed)]
    } else {
        let names = inspect.names.iter();
        names.map(|name| find::container(&observed, name)).collect()
    };
    let found = found
        .into_iter()
        .map(|found| Ok(of_container(&engine, &observed, &images, found?)));
    show(context, found, inspect.format.as_ref())
}

fn of_container(
    engine: &Engine,
    observed: &Observed,
    images: &[ImageRecord],
    found: Found<'_>,
) -> Option<ContainerInspect> {
    let scene = Scene::new(observed, images, SystemClock.now());
    let host = Host {
        paths: engine.paths(),
        capabilities: own_capabilities().unwrap_or_default(),
    };
    inspect_container(&scene, found.pod, found.container, &host)
}

pub(super) fn pods(context: &mut Context<'_>, inspect: &InspectPods) -> Result<(), Error> {
    let engine = context.engine("pod inspect")?;
    let observed = engine.observed()?;
    let found = if inspect.latest {
        vec![find::latest_pod(&observed)]
    } else {
        let names = inspect.names.iter();
        names.map(|name| find::pod(&observed, name)).collect()
    };
    let found = found
        .into_iter()
        .map(|found| Ok(Some(inspect_pod(found?, engine.paths()))));
    show(context, found, inspect.format.as_ref())
}

/// One of the kinds that `inspect` without a noun knows.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Any {
    Container(Box<ContainerInspect>),
    Pod(Box<PodInspect>),
    Image(Box<ImageInspect>),
}

impl Object for Any {
    fn for_templates(&self) -> Option<serde_json::Value> {
        match self {
            Self::Container(one) => one.for_templates(),
            Self::Pod(one) => one.for_templates(),
            Self::Image(one) => one.for_templates(),
        }
    }
}

/// Looks for containers first, then images, then pods, as podman does.
pub(super) fn any(context: &mut Context<'_>, inspect: &Inspect) -> Result<(), Error> {
    let mut engine = context.engine("inspect")?;
    let observed = engine.observed()?;
    let images = engine.image_records()?;
    let names: Vec<String> = if inspect.latest {
        vec![find::latest_container(&observed)?.container.id.to_string()]
    } else {
        inspect.names.clone()
    };
    let mut found = Vec::new();
    for name in &names {
        found.push(find(&mut engine, &observed, &images, name, inspect.kind));
    }
    show(context, found.into_iter(), inspect.format.as_ref())
}

fn find(
    engine: &mut Engine,
    observed: &Observed,
    images: &[ImageRecord],
    name: &str,
    kind: ObjectKind,
) -> Result<Option<Any>, Error> {
    let of = |one| kind == ObjectKind::All || kind == one;
    if of(ObjectKind::Container) {
        match find::container(observed, name) {
            Ok(found) => {
                let container = of_container(engine, observed, images, found);
                return Ok(container.map(|one| Any::Container(Box::new(one))));
            }
            Err(Error::NoSuch { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if of(ObjectKind::Image) {
        match engine.look_up_image(name) {
            Ok(image) => {
                let details = engine
                    .images()
                    .details(&image)
                    .map_err(crate::engine::EngineError::from)?;
                return Ok(Some(Any::Image(Box::new(ImageInspect::new(
                    image, details,
                )))));
            }
            Err(CatalogError::Unknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if of(ObjectKind::Pod) {
        match find::pod(observed, name) {
            Ok(pod) => return Ok(Some(Any::Pod(Box::new(inspect_pod(pod, engine.paths()))))),
            Err(Error::NoSuch { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::NoSuch {
        what: match kind {
            ObjectKind::All => "object",
            ObjectKind::Container => "container",
            ObjectKind::Image => "image",
            ObjectKind::Pod => "pod",
        },
        name: name.to_owned(),
    })
}

/// Shows what was found, then says what was not.
pub(super) fn show<T: Object>(
    context: &mut Context<'_>,
    found: impl Iterator<Item = Result<Option<T>, Error>>,
    format: Option<&Format>,
) -> Result<(), Error> {
    let mut objects = Vec::new();
    let mut errors = Vec::new();
    for one in found {
        match one {
            Ok(object) => objects.extend(object),
            Err(error) => errors.push(error),
        }
    }
    context.output.objects(&objects, format)?;
    outcome(errors)
}
