//! Environment variables and where their values come from.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector,
};

use super::fault::{Faults as _, items, text, text_or};
use super::names;
use super::quantity::{self, Amount};
use crate::manifest::source::{At, Findings};

const OF_VARIABLES: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// What a file of the downward API may hold of a pod.
pub(super) const OF_FILES: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// What the server can convert, though not all of it may be asked for.
const KNOWN: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTE_UNITS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Checks the variables of a container.
pub(super) fn variables(variables: &[EnvVar], at: &At<'_>, found: &mut Findings) {
    for (index, variable) in variables.iter().enumerate() {
        let at = at.index(index);
        if variable.name.is_empty() {
            found.required(&at.field("name"), "");
        } else {
            let wrong = names::variable_name(&variable.name);
            found.invalid_each(&at.field("name"), &variable.name, wrong);
        }
        if let Some(source) = &variable.value_from {
            let has_value = !text(&variable.value).is_empty();
            value_from(source, has_value, &at.field("valueFrom"), found);
        }
    }
}

fn value_from(source: &EnvVarSource, has_value: bool, at: &At<'_>, found: &mut Findings) {
    let mut sources = 0;
    if let Some(field) = &source.field_ref {
        sources += 1;
        field_ref(field, &OF_VARIABLES, &at.field("fieldRef"), found);
    }
    if let Some(resource) = &source.resource_field_ref {
        sources += 1;
        let at = at.field("resourceFieldRef");
        resource_ref(resource, Holder::Variable, &at, found);
    }
    if let Some(of) = &source.config_map_key_ref {
        sources += 1;
        key_ref(&of.name, &of.key, &at.field("configMapKeyRef"), found);
    }
    if let Some(of) = &source.secret_key_ref {
        sources += 1;
        key_ref(&of.name, &of.key, &at.field("secretKeyRef"), found);
    }
    if sources == 0 {
        found.invalid(at, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
    } else if has_value {
        found.invalid(at, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        found.invalid(
            at,
            "",
            "may not have more than one field specified at a time",
        );
    }
}

fn key_ref(name: &str, key: &str, at: &At<'_>, found: &mut Findings) {
    found.invalid_each(&at.field("name"), name, names::dns_subdomain(name));
    if key.is_empty() {
        found.required(&at.field("key"), "");
    } else {
        found.invalid_each(&at.field("key"), key, names::config_key(key));
    }
}

/// Checks a reference to a field of the pod itself, one of `allowed`.
pub(super) fn field_ref(
    field: &ObjectFieldSelector,
    allowed: &[&str],
    at: &At<'_>,
    found: &mut Findings,
) {
    let path = field.field_path.as_str();
    let path_at = at.field("fieldPath");
    // what is wrong with a key in brackets, the server blames on the whole reference
    let key_at = at.shown_as("", &path_at);
    if path.is_empty() {
        found.required(&path_at, "");
        return;
    }
    let version = text_or(&field.api_version, "v1");
    if version != "v1" {
        let message = format!("error converting fieldPath: unsupported pod version: {version}");
        found.invalid(&path_at, path, &message);
        return;
    }
    match path
        .strip_suffix("']")
        .and_then(|path| path.split_once("['"))
    {
        Some(("metadata.annotations", key)) => {
            let key = key.to_lowercase();
            found.invalid_each(&key_at, &key, names::qualified_name(&key));
        }
        Some(("metadata.labels", key)) => {
            found.invalid_each(&key_at, key, names::qualified_name(key));
        }
        Some((before, _)) if !before.is_empty() => {
            conversion_fault("does not support subscript", path, &path_at, found);
        }
        _ if path == "spec.host" || KNOWN.contains(&path) => {
            let path = if path == "spec.host" {
                "spec.nodeName"
            } else {
                path
            };
            found.one_of(&path_at, path, allowed);
        }
        _ => conversion_fault("not supported", path, &path_at, found),
    }
}

fn conversion_fault(why: &str, path: &str, at: &At<'_>, found: &mut Findings) {
    let message = format!("error converting fieldPath: field label {why}: {path}");
    found.invalid(at, path, &message);
}

/// What holds the value of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Variable,
    File,
}

/// Checks a reference to a limit or request of a container.
pub(super) fn resource_ref(
    reference: &ResourceFieldSelector,
    holder: Holder,
    at: &At<'_>,
    found: &mut Findings,
) {
    let resource = reference.resource.as_str();
    let huge = ["requests.hugepages-", "limits.hugepages-"];
    let is_huge = huge.iter().any(|prefix| resource.starts_with(prefix));
    if holder == Holder::File && text(&reference.container_name).is_empty() {
        found.required(&at.field("containerName"), "");
    } else if resource.is_empty() {
        found.required(&at.field("resource"), "");
    } else if !is_huge {
        found.one_of(&at.field("resource"), resource, &RESOURCES);
    }
    let Some(divisor) = &reference.divisor else {
        return;
    };
    let at = at.field("divisor");
    if let Some(divisor) = quantity::read(divisor, &at, found).filter(|one| *one != Amount::ZERO) {
        unit(resource, &divisor.to_string(), is_huge, &at, found);
    }
}

fn unit(resource: &str, divisor: &str, is_huge: bool, at: &At<'_>, found: &mut Findings) {
    let what = match resource.split_once('.') {
        Some(("limits" | "requests", "cpu")) => {
            if !["1m", "1"].contains(&divisor) {
                let message = "only divisor's values 1m and 1 are supported with the cpu resource";
                found.invalid(at, resource, message);
            }
            return;
        }
        Some(("limits" | "requests", "memory")) => "memory",
        Some(("limits" | "requests", "ephemeral-storage")) => "local ephemeral storage",
        _ if is_huge => "hugepages",
        _ => return,
    };
    if !BYTE_UNITS.contains(&divisor) {
        let units = BYTE_UNITS.join(", ");
        let message =
            format!("only divisor's values {units} are supported with the {what} resource");
        found.invalid(at, resource, &message);
    }
}

/// Checks the ConfigMaps and Secrets whose keys all become variables.
///
/// The server blames an entry without a source on the whole list.
pub(super) fn sources(sources: &[EnvFromSource], at: &At<'_>, found: &mut Findings) {
    for (index, source) in sources.iter().enumerate() {
        let at = at.index(index);
        let prefix = text(&source.prefix);
        if !prefix.is_empty() {
            let wrong = names::variable_name(prefix);
            found.invalid_each(&at.field("prefix"), prefix, wrong);
        }
        if let Some(of) = &source.config_map_ref {
            object_ref(&of.name, &at.field("configMapRef"), found);
        }
        if let Some(of) = &source.secret_ref {
            object_ref(&of.name, &at.field("secretRef"), found);
        }
        match (&source.config_map_ref, &source.secret_ref) {
            (None, None) => {
                found.invalid(
                    &at,
                    "",
                    "must specify one of: `configMapRef` or `secretRef`",
                );
            }
            (Some(_), Some(_)) => {
                found.invalid(
                    &at,
                    "",
                    "may not have more than one field specified at a time",
                );
            }
            _ => {}
        }
    }
}

fn object_ref(name: &str, at: &At<'_>, found: &mut Findings) {
    let at = at.field("name");
    if name.is_empty() {
        found.required(&at, "");
    } else {
        let wrong = names::as_prefix(names::dns_subdomain, name);
        found.invalid_each(&at, name, wrong);
    }
}

/// Warns of a variable that hides an earlier one of the same name.
pub(super) fn warn_hidden(variables: &Option<Vec<EnvVar>>, at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, variable) in items(variables).iter().enumerate() {
        let name = variable.name.as_str();
        if seen.insert(name) {
            continue;
        }
        let (value, reference) = (text(&variable.value), format!("$({name})"));
        let extends = value.contains(&reference) && value != reference;
        if variable.value_from.is_some() || !extends {
            found.warning(
                &at.index(index),
                format!(
                    "hides previous definition of {name:?}, which may be dropped when using apply"
                ),
            );
        }
    }
}
