//! Finds containers and pods by what people call them: a name, an id, or the beginning of an id.

use super::super::error::{Error, usage};
use crate::model::observed::{ContainerRecord, Observed, ObservedPod};

/// A container and the pod it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) pod: &'a ObservedPod,
    pub(super) container: &'a ContainerRecord,
}

impl Found<'_> {
    /// Returns the name the container has outside of its pod.
    pub(super) fn name(&self) -> String {
        self.pod.record.spec.full_name(&self.container.name)
    }
}

/// Returns all containers, pod by pod.
pub(super) fn all_containers(observed: &Observed) -> impl Iterator<Item = Found<'_>> {
    observed.pods.iter().flat_map(|pod| {
        pod.containers
            .iter()
            .map(move |container| Found { pod, container })
    })
}

/// Finds one container.
pub(super) fn container<'a>(observed: &'a Observed, text: &str) -> Result<Found<'a>, Error> {
    one(
        "container",
        text,
        all_containers(observed),
        |found| found.name(),
        |found| found.container.id.as_str(),
    )
}

/// Finds one pod.
pub(super) fn pod<'a>(observed: &'a Observed, text: &str) -> Result<&'a ObservedPod, Error> {
    one(
        "pod",
        text,
        observed.pods.iter(),
        |pod| pod.record.spec.name.to_string(),
        |pod| pod.record.id.as_str(),
    )
}

/// Returns the container that was made last.
pub(super) fn latest_container(observed: &Observed) -> Result<Found<'_>, Error> {
    all_containers(observed)
        .max_by_key(|found| found.container.created)
        .ok_or_else(|| none_yet("container"))
}

/// Returns the pod that was made last.
pub(super) fn latest_pod(observed: &Observed) -> Result<&ObservedPod, Error> {
    let pods = observed.pods.iter();
    pods.max_by_key(|pod| pod.record.created)
        .ok_or_else(|| none_yet("pod"))
}

fn none_yet(what: &str) -> Error {
    usage(format!("there is no {what} yet"))
}

/// A name or a whole id wins over the beginning of one.
fn one<T: Copy>(
    what: &'static str,
    text: &str,
    candidates: impl Iterator<Item = T>,
    name: impl Fn(&T) -> String,
    id: impl for<'b> Fn(&'b T) -> &'b str,
) -> Result<T, Error> {
    let mut matching = Vec::new();
    for candidate in candidates {
        if name(&candidate) == text || id(&candidate) == text {
            return Ok(candidate);
        }
        if !text.is_empty() && id(&candidate).starts_with(text) {
            matching.push(candidate);
        }
    }
    match matching.as_slice() {
        [] => Err(Error::NoSuch {
            what,
            name: text.to_owned(),
        }),
        [one] => Ok(*one),
        several => Err(Error::Ambiguous {
            what,
            prefix: text.to_owned(),
            ids: several.iter().map(|one| id(one)[..12].to_owned()).collect(),
        }),
    }
}
