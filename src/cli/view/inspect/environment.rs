//! The variables of a container, as far as they are known without it.

use super::Subject;
use crate::model::container::{EnvFrom, EnvSource, EnvValue, FieldRef, KeyRef};
use crate::model::observed::{ObjectContent, Observed, ObservedPod};
use crate::names::ObjectName;

/// What stands for a value that came from a Secret, as podman has it.
const MASK: &str = "*******";

/// Returns the variables as `NAME=VALUE`; what came from a Secret is masked.
pub(super) fn environment(subject: &Subject<'_>) -> Vec<String> {
    let (observed, spec) = (subject.observed, subject.spec);
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut set =
        |name: &str, value: String| match variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => variables.push((name.to_owned(), value)),
        };
    let of_image = subject.image.map(|image| image.config.env.as_slice());
    for line in of_image.unwrap_or_default() {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        set(name, value.to_owned());
    }
    for from in &spec.env_from {
        for (name, value) in all_keys(observed, from) {
            set(&name, value);
        }
    }
    for variable in &spec.env {
        if let Some(value) = value(observed, subject.pod, &variable.value) {
            set(&variable.name, value);
        }
    }
    variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn content<'a>(observed: &'a Observed, name: &ObjectName, kind: &str) -> Option<&'a ObjectContent> {
    let mut objects = observed.objects.iter();
    objects
        .find(|object| &object.name == name && object.content.kind() == kind)
        .map(|object| &object.content)
}

fn all_keys(observed: &Observed, from: &EnvFrom) -> Vec<(String, String)> {
    let found = match &from.source {
        EnvSource::ConfigMap(name) => content(observed, name, "ConfigMap"),
        EnvSource::Secret(name) => content(observed, name, "Secret"),
    };
    let name = |key: &String| format!("{}{key}", from.prefix);
    match found {
        Some(ObjectContent::ConfigMap(data)) => data
            .text
            .iter()
            .map(|(key, value)| (name(key), value.clone()))
            .collect(),
        Some(ObjectContent::Secret { keys, .. }) => keys
            .iter()
            .map(|key| (name(key), MASK.to_owned()))
            .collect(),
        None => Vec::new(),
    }
}

/// Returns the value of a variable as far as it is known without the container; none if there is none.
fn value(observed: &Observed, pod: &ObservedPod, value: &EnvValue) -> Option<String> {
    let spec = &pod.record.spec;
    let key = |reference: &KeyRef| match content(observed, &reference.object, "ConfigMap")? {
        ObjectContent::ConfigMap(data) => data.text.get(&reference.key).cloned(),
        ObjectContent::Secret { .. } => None,
    };
    match value {
        EnvValue::Literal(text) => Some(text.clone()),
        EnvValue::ConfigMapKey(reference) => key(reference),
        EnvValue::SecretKey(_) => Some(MASK.to_owned()),
        EnvValue::Field(field) => match field {
            FieldRef::Name => Some(spec.name.to_string()),
            FieldRef::Uid => Some(pod.record.id.to_string()),
            FieldRef::Label(key) => Some(spec.labels.get(key).cloned().unwrap_or_default()),
            FieldRef::Annotation(key) => {
                Some(spec.annotations.get(key).cloned().unwrap_or_default())
            }
            FieldRef::PodIp | FieldRef::PodIps => pod
                .record
                .addresses
                .first()
                .map(|own| own.address.to_string()),
            FieldRef::Namespace
            | FieldRef::Labels
            | FieldRef::Annotations
            | FieldRef::NodeName
            | FieldRef::ServiceAccountName
            | FieldRef::HostIp
            | FieldRef::HostIps => None,
        },
        EnvValue::Resource(_) => None,
    }
}
