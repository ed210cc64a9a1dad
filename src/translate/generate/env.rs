//! Environment variables.

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::model::container::{
    Divisor, EnvFrom, EnvSource, EnvValue, EnvVar, FieldRef, KeyRef, ResourceField, ResourceRef,
};
use crate::model::quantity::{Bytes, MilliCpu};

pub(super) fn env_from(from: &EnvFrom) -> v1::EnvFromSource {
    let EnvFrom {
        source,
        prefix,
        optional,
    } = from;
    let optional = optional.then_some(true);
    let mut item = v1::EnvFromSource {
        prefix: (!prefix.is_empty()).then(|| prefix.clone()),
        ..v1::EnvFromSource::default()
    };
    match source {
        EnvSource::ConfigMap(name) => {
            item.config_map_ref = Some(v1::ConfigMapEnvSource {
                name: name.to_string(),
                optional,
            });
        }
        EnvSource::Secret(name) => {
            item.secret_ref = Some(v1::SecretEnvSource {
                name: name.to_string(),
                optional,
            });
        }
    }
    item
}

pub(super) fn variable(variable: &EnvVar) -> v1::EnvVar {
    let EnvVar { name, value } = variable;
    let mut source = v1::EnvVarSource::default();
    match value {
        EnvValue::Literal(text) => {
            return v1::EnvVar {
                name: name.clone(),
                value: Some(text.clone()),
                value_from: None,
            };
        }
        EnvValue::ConfigMapKey(KeyRef {
            object,
            key,
            optional,
        }) => {
            source.config_map_key_ref = Some(v1::ConfigMapKeySelector {
                name: object.to_string(),
                key: key.clone(),
                optional: optional.then_some(true),
            });
        }
        EnvValue::SecretKey(KeyRef {
            object,
            key,
            optional,
        }) => {
            source.secret_key_ref = Some(v1::SecretKeySelector {
                name: object.to_string(),
                key: key.clone(),
                optional: optional.then_some(true),
            });
        }
        EnvValue::Field(field_ref) => source.field_ref = Some(field(field_ref)),
        EnvValue::Resource(reference) => source.resource_field_ref = Some(resource(reference)),
    }
    v1::EnvVar {
        name: name.clone(),
        value: None,
        value_from: Some(source),
    }
}

pub(super) fn field(field: &FieldRef) -> v1::ObjectFieldSelector {
    let path = match field {
        FieldRef::Name => "metadata.name",
        FieldRef::Namespace => "metadata.namespace",
        FieldRef::Uid => "metadata.uid",
        FieldRef::Label(key) => &format!("metadata.labels['{key}']"),
        FieldRef::Annotation(key) => &format!("metadata.annotations['{key}']"),
        FieldRef::Labels => "metadata.labels",
        FieldRef::Annotations => "metadata.annotations",
        FieldRef::NodeName => "spec.nodeName",
        FieldRef::ServiceAccountName => "spec.serviceAccountName",
        FieldRef::HostIp => "status.hostIP",
        FieldRef::HostIps => "status.hostIPs",
        FieldRef::PodIp => "status.podIP",
        FieldRef::PodIps => "status.podIPs",
    };
    v1::ObjectFieldSelector {
        api_version: None,
        field_path: path.to_owned(),
    }
}

pub(super) fn resource(reference: &ResourceRef) -> v1::ResourceFieldSelector {
    let ResourceRef {
        container,
        resource,
        divisor,
    } = reference;
    let resource = match resource {
        ResourceField::LimitsCpu => "limits.cpu",
        ResourceField::LimitsMemory => "limits.memory",
        ResourceField::RequestsCpu => "requests.cpu",
        ResourceField::RequestsMemory => "requests.memory",
    };
    let divisor = match divisor {
        Divisor::Cpu(MilliCpu(1000)) | Divisor::Memory(Bytes(1)) => None,
        Divisor::Cpu(cpu) => Some(cpu.to_string()),
        Divisor::Memory(bytes) => Some(bytes.to_string()),
    };
    v1::ResourceFieldSelector {
        container_name: container.as_ref().map(ToString::to_string),
        divisor: divisor.map(Quantity),
        resource: resource.to_owned(),
    }
}
