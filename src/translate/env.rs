//! Environment variables and where their values come from.

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::container::{
    Divisor, EnvFrom, EnvSource, EnvValue, EnvVar, FieldRef, KeyRef, ResourceField, ResourceRef,
};
use crate::model::quantity::{Bytes, MilliCpu, Quantity};
use crate::names::{ContainerName, ObjectName};

use super::notes::Notes;
use super::resources;

/// Translates `env`: `$(VAR)` stays in the values until the container starts.
pub(super) fn env(list: &[v1::EnvVar], at: &At<'_>, notes: &mut Notes<'_>) -> Vec<EnvVar> {
    list.iter()
        .enumerate()
        .filter_map(|(index, item)| variable(item, &at.index(index), notes))
        .collect()
}

fn variable(item: &v1::EnvVar, at: &At<'_>, notes: &mut Notes<'_>) -> Option<EnvVar> {
    let v1::EnvVar {
        name,
        value,
        value_from,
    } = item;
    let value = match value_from {
        Some(source) => from(source, &at.field("valueFrom"), notes)?,
        None => EnvValue::Literal(value.clone().unwrap_or_default()),
    };
    Some(EnvVar {
        name: name.clone(),
        value,
    })
}

fn from(source: &v1::EnvVarSource, at: &At<'_>, notes: &mut Notes<'_>) -> Option<EnvValue> {
    let v1::EnvVarSource {
        config_map_key_ref,
        field_ref,
        file_key_ref,
        resource_field_ref,
        secret_key_ref,
    } = source;
    if let Some(v1::ConfigMapKeySelector {
        key,
        name,
        optional,
    }) = config_map_key_ref
    {
        let at = at.field("configMapKeyRef");
        return key_ref(name, key, *optional, &at, notes).map(EnvValue::ConfigMapKey);
    }
    if let Some(v1::SecretKeySelector {
        key,
        name,
        optional,
    }) = secret_key_ref
    {
        let at = at.field("secretKeyRef");
        return key_ref(name, key, *optional, &at, notes).map(EnvValue::SecretKey);
    }
    if let Some(selector) = field_ref {
        return field(selector, &at.field("fieldRef"), Use::Variable, notes).map(EnvValue::Field);
    }
    if let Some(selector) = resource_field_ref {
        return resource(selector, &at.field("resourceFieldRef"), notes).map(EnvValue::Resource);
    }
    match file_key_ref {
        Some(_) => notes.not_yet(&at.field("fileKeyRef")),
        None => notes.required(at, "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"),
    }
    None
}

fn key_ref(
    name: &str,
    key: &str,
    optional: Option<bool>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<KeyRef> {
    Some(KeyRef {
        object: notes.parse(&at.field("name"), name, ObjectName::parse)?,
        key: key.to_owned(),
        optional: optional.unwrap_or(false),
    })
}

/// Translates `envFrom`; an item that names a ConfigMap and a Secret stands for both.
pub(super) fn env_from(
    list: &[v1::EnvFromSource],
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Vec<EnvFrom> {
    let mut sources = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let at = at.index(index);
        let v1::EnvFromSource {
            config_map_ref,
            prefix,
            secret_ref,
        } = item;
        let mut add = |source, optional: Option<bool>| {
            sources.push(EnvFrom {
                source,
                prefix: prefix.clone().unwrap_or_default(),
                optional: optional.unwrap_or(false),
            });
        };
        if let Some(v1::ConfigMapEnvSource { name, optional }) = config_map_ref {
            let at = at.field("configMapRef");
            if let Some(name) = notes.parse(&at.field("name"), name, ObjectName::parse) {
                add(EnvSource::ConfigMap(name), *optional);
            }
        }
        if let Some(v1::SecretEnvSource { name, optional }) = secret_ref {
            let at = at.field("secretRef");
            if let Some(name) = notes.parse(&at.field("name"), name, ObjectName::parse) {
                add(EnvSource::Secret(name), *optional);
            }
        }
    }
    sources
}

/// What a reference to a field of the pod fills.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Variable,
    File,
}

/// Translates a reference to a field of the pod.
pub(super) fn field(
    selector: &v1::ObjectFieldSelector,
    at: &At<'_>,
    used: Use,
    notes: &mut Notes<'_>,
) -> Option<FieldRef> {
    let v1::ObjectFieldSelector {
        field_path,
        // There is one version of a pod.
        api_version: _,
    } = selector;
    let found = field_of(field_path).filter(|field| used.allows(field));
    if found.is_none() {
        let message = format!(
            "Unsupported value: {field_path:?}: a {} shows metadata.name, metadata.namespace, metadata.uid, metadata.labels['KEY'], metadata.annotations['KEY'], {}",
            used.noun(),
            used.others(),
        );
        notes.unsupported(&at.field("fieldPath"), message);
    }
    found
}

impl Use {
    fn allows(self, field: &FieldRef) -> bool {
        match field {
            FieldRef::Labels | FieldRef::Annotations => self == Self::File,
            FieldRef::NodeName
            | FieldRef::ServiceAccountName
            | FieldRef::HostIp
            | FieldRef::HostIps
            | FieldRef::PodIp
            | FieldRef::PodIps => self == Self::Variable,
            FieldRef::Name
            | FieldRef::Namespace
            | FieldRef::Uid
            | FieldRef::Label(_)
            | FieldRef::Annotation(_) => true,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::File => "file",
        }
    }

    fn others(self) -> &'static str {
        match self {
            Self::Variable => {
                "spec.nodeName, spec.serviceAccountName, status.hostIP(s) or status.podIP(s)"
            }
            Self::File => "metadata.labels or metadata.annotations",
        }
    }
}

fn field_of(path: &str) -> Option<FieldRef> {
    let keyed = |prefix: &str| {
        let key = path
            .strip_prefix(prefix)?
            .strip_prefix("['")?
            .strip_suffix("']")?;
        (!key.is_empty()).then(|| key.to_owned())
    };
    Some(match path {
        "metadata.name" => FieldRef::Name,
        "metadata.namespace" => FieldRef::Namespace,
        "metadata.uid" => FieldRef::Uid,
        "metadata.labels" => FieldRef::Labels,
        "metadata.annotations" => FieldRef::Annotations,
        "spec.nodeName" => FieldRef::NodeName,
        "spec.serviceAccountName" => FieldRef::ServiceAccountName,
        "status.hostIP" => FieldRef::HostIp,
        "status.hostIPs" => FieldRef::HostIps,
        "status.podIP" => FieldRef::PodIp,
        "status.podIPs" => FieldRef::PodIps,
        _ => match keyed("metadata.labels") {
            Some(key) => FieldRef::Label(key),
            None => FieldRef::Annotation(keyed("metadata.annotations")?),
        },
    })
}

/// Translates a reference to a limit or request; the divisor is one whole unit by default.
pub(super) fn resource(
    selector: &v1::ResourceFieldSelector,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<ResourceRef> {
    let v1::ResourceFieldSelector {
        container_name,
        divisor,
        resource,
    } = selector;
    let words = [
        ("limits.cpu", Some(ResourceField::LimitsCpu)),
        ("limits.memory", Some(ResourceField::LimitsMemory)),
        ("requests.cpu", Some(ResourceField::RequestsCpu)),
        ("requests.memory", Some(ResourceField::RequestsMemory)),
    ];
    let resource = notes.choose(&at.field("resource"), Some(resource), None, &words)?;
    let divisor_at = at.field("divisor");
    // The API server writes a divisor that is not there as 0.
    let divisor = divisor.as_ref().filter(|divisor| divisor.0 != "0");
    let divisor = match (resource, divisor) {
        (ResourceField::LimitsCpu | ResourceField::RequestsCpu, None) => {
            Divisor::Cpu(MilliCpu(1000))
        }
        (ResourceField::LimitsMemory | ResourceField::RequestsMemory, None) => {
            Divisor::Memory(Bytes(1))
        }
        (ResourceField::LimitsCpu | ResourceField::RequestsCpu, Some(divisor)) => Divisor::Cpu(
            resources::quantity(divisor, &divisor_at, Quantity::milli_cpu, notes)?,
        ),
        (ResourceField::LimitsMemory | ResourceField::RequestsMemory, Some(divisor)) => {
            Divisor::Memory(resources::quantity(
                divisor,
                &divisor_at,
                Quantity::bytes,
                notes,
            )?)
        }
    };
    let name_at = at.field("containerName");
    Some(ResourceRef {
        container: notes.parse_some(&name_at, container_name.as_ref(), ContainerName::parse),
        resource,
        divisor,
    })
}
