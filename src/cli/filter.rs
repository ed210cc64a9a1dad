//! `--filter KEY=VALUE`: which containers, pods and images a list shows.
//!
//! Filters of one key are alternatives, filters of several keys must all hold, as in podman; labels must
//! all hold.

use jiff::Timestamp;

use super::args::{Filter, Moment};
use super::error::{Error, usage};
use crate::image::ImageRecord;
use crate::model::event::{EventRecord, EventSubject};
use crate::model::network::NetworkRecord;
use crate::model::observed::{ContainerRecord, Observed, ObservedPod, VolumeRecord};
use crate::model::pod::Labels;
use crate::model::state::ContainerState;

/// Whether a container meets all filters.
pub(super) fn container(
    pod: &ObservedPod,
    container: &ContainerRecord,
    filters: &[Filter],
) -> Result<bool, Error> {
    let name = pod.record.spec.full_name(&container.name);
    all(filters, |filter| {
        let value = filter.value.as_str();
        Ok(match filter.key.as_str() {
            "id" => container.id.as_str().starts_with(value),
            "name" => name.contains(value),
            "label" => label(&pod.record.spec.labels, value),
            "status" => match value {
                "created" | "running" | "paused" | "exited" | "stopping" => {
                    container.state.word() == value
                }
                "stopped" => container.state.word() == "exited",
                "configured" => container.state == ContainerState::Created,
                "removing" | "unknown" | "dead" | "initialized" => false,
                _ => return Err(invalid(filter, "no such state")),
            },
            "exited" => {
                let code: i32 = value
                    .parse()
                    .map_err(|_| invalid(filter, "it is no exit code"))?;
                matches!(&container.state, ContainerState::Exited { status, .. } if status.code() == code)
            }
            "ancestor" => {
                let image = pod
                    .spec_of(container)
                    .map(|spec| spec.image.qualified().to_string());
                container.image.as_str().starts_with(value)
                    || image.is_some_and(|image| image.contains(value))
            }
            "pod" => {
                pod.record.spec.name.as_str() == value || pod.record.id.as_str().starts_with(value)
            }
            "network" => pod
                .record
                .addresses
                .iter()
                .any(|own| own.network.as_str() == value),
            "volume" => pod.spec_of(container).is_some_and(|spec| {
                let mut mounts = spec.mounts.iter();
                mounts
                    .any(|mount| mount.volume.as_str() == value || mount.path.as_os_str() == value)
            }),
            _ => return Err(invalid(filter, "containers have no such filter")),
        })
    })
}

/// Whether a pod meets all filters.
pub(super) fn pod(pod: &ObservedPod, filters: &[Filter]) -> Result<bool, Error> {
    let spec = &pod.record.spec;
    all(filters, |filter| {
        let value = filter.value.as_str();
        let mut containers = pod.containers.iter();
        Ok(match filter.key.as_str() {
            "id" => pod.record.id.as_str().starts_with(value),
            "name" => spec.name.as_str().contains(value),
            "label" => label(&spec.labels, value),
            "status" => pod.state().to_string().eq_ignore_ascii_case(value),
            "network" => pod
                .record
                .addresses
                .iter()
                .any(|own| own.network.as_str() == value),
            "ctr-ids" => containers.any(|container| container.id.as_str().starts_with(value)),
            "ctr-names" => {
                containers.any(|container| spec.full_name(&container.name).contains(value))
            }
            "ctr-status" => containers.any(|container| container.state.word() == value),
            "ctr-number" => value.parse() == Ok(containers.count()),
            _ => return Err(invalid(filter, "pods have no such filter")),
        })
    })
}

/// Whether an image meets all filters.
pub(super) fn image(image: &ImageRecord, filters: &[Filter]) -> Result<bool, Error> {
    all(filters, |filter| {
        let value = filter.value.as_str();
        Ok(match filter.key.as_str() {
            "id" => image.id.as_str().starts_with(value),
            "reference" => image
                .names
                .iter()
                .any(|name| is_meant(&name.to_string(), value)),
            "dangling" => match value {
                "true" => image.names.is_empty(),
                "false" => !image.names.is_empty(),
                _ => return Err(invalid(filter, "it is true or false")),
            },
            "label" => label(&image.config.labels, value),
            _ => return Err(invalid(filter, "images have no such filter")),
        })
    })
}

/// Whether a named volume meets all filters.
pub(super) fn volume(
    volume: &VolumeRecord,
    observed: &Observed,
    filters: &[Filter],
) -> Result<bool, Error> {
    let spec = &volume.spec;
    let backing = &spec.backing;
    let options = [
        ("type", &backing.kind),
        ("device", &backing.device),
        ("o", &backing.options),
    ];
    all(filters, |filter| {
        let value = filter.value.as_str();
        Ok(match filter.key.as_str() {
            "name" => spec.name.as_str().contains(value),
            "label" => label(&spec.labels, value),
            "opt" => {
                let (key, wanted) = match value.split_once('=') {
                    Some((key, wanted)) => (key, Some(wanted)),
                    None => (value, None),
                };
                options.iter().any(|(own, given)| {
                    let given = given.as_deref();
                    *own == key && given.is_some() && (wanted.is_none() || wanted == given)
                })
            }
            "driver" | "scope" => value == "local",
            "dangling" => {
                let mut pods = observed.pods.iter();
                meets_dangling(pods.any(|pod| pod.claims(&spec.name)), filter)?
            }
            "since" | "after" => volume.created > moment(filter, observed)?,
            "until" => volume.created < moment(filter, observed)?,
            _ => return Err(invalid(filter, "volumes have no such filter")),
        })
    })
}

/// Whether a network meets all filters.
pub(super) fn network(
    network: &NetworkRecord,
    observed: &Observed,
    filters: &[Filter],
) -> Result<bool, Error> {
    all(filters, |filter| {
        let value = filter.value.as_str();
        Ok(match filter.key.as_str() {
            "name" => network.name.as_str().contains(value),
            "id" => network.id().starts_with(value),
            "driver" => value == "bridge",
            "label" => label(&network.labels, value),
            "dangling" => {
                let mut pods = observed.pods_on(&network.name);
                meets_dangling(pods.next().is_some(), filter)?
            }
            "until" => network.created < moment(filter, observed)?,
            _ => return Err(invalid(filter, "networks have no such filter")),
        })
    })
}

/// Whether `dangling=true` or `dangling=false` fits something that is used, or not.
fn meets_dangling(used: bool, filter: &Filter) -> Result<bool, Error> {
    match filter.value.as_str() {
        "true" | "1" => Ok(!used),
        "false" | "0" => Ok(used),
        _ => Err(invalid(filter, "it is true or false")),
    }
}

/// A moment: that of another volume, a time, or a span before now.
fn moment(filter: &Filter, observed: &Observed) -> Result<Timestamp, Error> {
    let name = |volume: &&VolumeRecord| volume.spec.name.as_str() == filter.value;
    if let Some(volume) = observed.volumes.iter().find(name) {
        return Ok(volume.created);
    }
    let moment = Moment::parse(&filter.value).map_err(|error| invalid(filter, &error))?;
    Ok(moment.resolve(Timestamp::now()))
}

/// Whether an event meets all filters.
pub(super) fn event(event: &EventRecord, filters: &[Filter]) -> Result<bool, Error> {
    let subject = &event.subject;
    let is_called = |value: &str| {
        subject.name() == value || !value.is_empty() && subject.id().starts_with(value)
    };
    all(filters, |filter| {
        let value = filter.value.as_str();
        Ok(match filter.key.as_str() {
            "event" | "status" => event.action.word() == value,
            "type" => subject.kind() == value,
            "container" | "network" | "secret" | "volume" => {
                subject.kind() == filter.key && is_called(value)
            }
            "pod" => match subject {
                EventSubject::Container { pod, pod_name, .. } => {
                    pod_name == value || !value.is_empty() && pod.as_str().starts_with(value)
                }
                _ => subject.kind() == "pod" && is_called(value),
            },
            "image" => match subject {
                EventSubject::Container { image, .. } => is_meant(image, value),
                EventSubject::Image { name, .. } => is_called(value) || is_meant(name, value),
                _ => false,
            },
            "label" => subject.labels().is_some_and(|labels| label(labels, value)),
            "reason" => event
                .reason
                .is_some_and(|reason| reason.to_string() == value),
            _ => return Err(invalid(filter, "events have no such filter")),
        })
    })
}

/// Whether a name of an image is what a user calls it: whole, without its registry, or without its tag.
pub(super) fn is_meant(name: &str, text: &str) -> bool {
    let (untagged, _) = name.rsplit_once(':').unwrap_or((name, ""));
    [name, untagged].iter().any(|name| {
        *name == text
            || name
                .strip_suffix(text)
                .is_some_and(|before| before.ends_with('/'))
    })
}

fn all(filters: &[Filter], meets: impl Fn(&Filter) -> Result<bool, Error>) -> Result<bool, Error> {
    let mut keys: Vec<(&str, bool)> = Vec::new();
    for filter in filters {
        let met = meets(filter)? != filter.negated;
        let alternative = filter.key != "label" && !filter.negated;
        match keys
            .iter_mut()
            .find(|(key, _)| *key == filter.key && alternative)
        {
            Some((_, any)) => *any |= met,
            None => keys.push((&filter.key, met)),
        }
    }
    Ok(keys.iter().all(|(_, met)| *met))
}

fn label(labels: &Labels, text: &str) -> bool {
    match text.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
        None => labels.contains_key(text),
    }
}

fn invalid(filter: &Filter, why: &str) -> Error {
    usage(format!("filter `{}={}`: {why}", filter.key, filter.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(texts: &[&str]) -> Vec<Filter> {
        texts
            .iter()
            .map(|text| Filter::parse(text).unwrap())
            .collect()
    }

    #[test]
    fn filters_of_one_key_are_alternatives() {
        let even = |filter: &Filter| Ok(filter.value == "yes");
        for (texts, met) in [
            (vec![], true),
            (vec!["a=yes", "a=no"], true),
            (vec!["a=yes", "b=no"], false),
            (vec!["label=yes", "label=no"], false),
            (vec!["a!=no"], true),
            (vec!["a!=yes"], false),
        ] {
            assert_eq!(all(&filters(&texts), even).unwrap(), met, "{texts:?}");
        }
    }

    #[test]
    fn images_are_meant_by_the_end_of_their_names() {
        for (text, meant) in [
            ("docker.io/library/nginx:1", true),
            ("nginx", true),
            ("library/nginx:1", true),
            ("ginx", false),
            ("nginx:2", false),
        ] {
            assert_eq!(is_meant("docker.io/library/nginx:1", text), meant, "{text}");
        }
    }
}
