//! Ingresses.

use k8s_openapi::api::core::v1::TypedLocalObjectReference;
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressTLS,
};

use super::fault::{Faults as _, Message, Shown, items, or_empty, text};
use super::{address, metadata, names, ports};
use crate::manifest::source::{At, Findings};

const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];
const BAD_SEQUENCES: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS: [&str; 2] = ["/..", "/."];
const CLASS: &str = "kubernetes.io/ingress.class";

/// Checks an Ingress.
pub fn ingress(ingress: &Ingress, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&ingress.metadata, names::dns_subdomain, &meta_at, found);
    let spec = or_empty(&ingress.spec);
    let rules = items(&spec.rules);
    if rules.is_empty() && spec.default_backend.is_none() {
        let message = "either `defaultBackend` or `rules` must be specified";
        found.invalid(&at, Shown::json(&spec.rules), message);
    }
    if let Some(target) = &spec.default_backend {
        backend(target, &at.field("defaultBackend"), found);
    }
    for (index, one) in rules.iter().enumerate() {
        rule(one, &at.field("rules").index(index), found);
    }
    for (index, one) in items(&spec.tls).iter().enumerate() {
        tls(one, &at.field("tls").index(index), found);
    }
    let annotations = ingress.metadata.annotations.as_ref();
    let old = annotations.and_then(|map| map.get(CLASS));
    let old_at = meta_at.field("annotations");
    let old_at = old_at.key(CLASS);
    if let Some(class) = &spec.ingress_class_name {
        let class_at = at.field("ingressClassName");
        found.invalid_each(&class_at, class, names::dns_subdomain(class));
        if let Some(old) = old.filter(|old| *old != class) {
            let message = "must match `ingressClassName` when both are specified";
            let shown = format!("annotations.{CLASS}");
            found.invalid(&At::ROOT.shown_as(&shown, &old_at), old, message);
        }
    } else if old.is_some() {
        let message = "deprecated, please use 'spec.ingressClassName' instead";
        found.warning(&old_at, message);
    }
}

fn host_name(host: &str) -> Vec<Message> {
    if host.contains('*') {
        names::wildcard_subdomain(host)
    } else {
        names::dns_subdomain(host)
    }
}

fn rule(rule: &IngressRule, at: &At<'_>, found: &mut Findings) {
    let host = text(&rule.host);
    if !host.is_empty() {
        let at = at.field("host");
        if address::parse_ip(host).is_some() {
            found.invalid(&at, host, "must be a DNS name, not an IP address");
        }
        found.invalid_each(&at, host, host_name(host));
    }
    let Some(http) = &rule.http else {
        return;
    };
    let at = at.field("http");
    let at = at.field("paths");
    if http.paths.is_empty() {
        found.required(&at, "");
    }
    for (index, one) in http.paths.iter().enumerate() {
        path(one, &at.index(index), found);
    }
}

fn path(rule: &HTTPIngressPath, at: &At<'_>, found: &mut Findings) {
    let (path, path_at) = (text(&rule.path), at.field("path"));
    match rule.path_type.as_str() {
        "" => {
            found.required(&at.field("pathType"), "pathType must be specified");
            return;
        }
        "Exact" | "Prefix" => {
            absolute(path, &path_at, found);
            plain(path, &path_at, found);
        }
        "ImplementationSpecific" if path.is_empty() => {}
        "ImplementationSpecific" => absolute(path, &path_at, found),
        other => found.unsupported(&at.field("pathType"), other, &PATH_TYPES),
    }
    backend(&rule.backend, &at.field("backend"), found);
}

fn absolute(path: &str, at: &At<'_>, found: &mut Findings) {
    if !path.starts_with('/') {
        found.invalid(at, path, "must be an absolute path");
    }
}

fn plain(path: &str, at: &At<'_>, found: &mut Findings) {
    for bad in BAD_SEQUENCES.iter().filter(|bad| path.contains(**bad)) {
        found.invalid(at, path, &format!("must not contain '{bad}'"));
    }
    for bad in BAD_ENDS.iter().filter(|bad| path.ends_with(**bad)) {
        found.invalid(at, path, &format!("cannot end with '{bad}'"));
    }
}

fn backend(target: &IngressBackend, at: &At<'_>, found: &mut Findings) {
    match (&target.resource, &target.service) {
        (Some(_), Some(_)) => {
            found.invalid(at, "", "cannot set both resource and service backends");
        }
        (Some(resource), None) => object(resource, &at.field("resource"), found),
        (None, Some(service)) => service_backend(service, at, found),
        (None, None) => found.invalid(at, "", "resource or service backend is required"),
    }
}

fn service_backend(service: &IngressServiceBackend, at: &At<'_>, found: &mut Findings) {
    let service_at = at.field("service");
    let name_at = service_at.field("name");
    if service.name.is_empty() {
        found.required(&name_at, "");
    } else {
        found.invalid_each(
            &name_at,
            &service.name,
            names::dns_1035_label(&service.name),
        );
    }
    let port = or_empty(&service.port);
    let port_at = service_at.field("port");
    match (text(&port.name), port.number.unwrap_or_default()) {
        ("", 0) => found.required(at, "port name or number is required"),
        ("", number) => ports::number(number, &port_at.field("number"), found),
        (name, 0) => {
            found.invalid_each(&port_at.field("name"), name, names::port_name(name));
        }
        _ => found.invalid(at, "", "cannot set both port name & port number"),
    }
}

fn object(object: &TypedLocalObjectReference, at: &At<'_>, found: &mut Findings) {
    if let Some(group) = &object.api_group {
        found.invalid_each(&at.field("apiGroup"), group, names::dns_subdomain(group));
    }
    for (field, word) in [("kind", &object.kind), ("name", &object.name)] {
        let at = at.field(field);
        found.not_empty(&at, word);
        found.invalid_each(&at, word, names::path_segment(word));
    }
}

fn tls(tls: &IngressTLS, at: &At<'_>, found: &mut Findings) {
    for (index, host) in items(&tls.hosts).iter().enumerate() {
        found.invalid_each(&at.field("hosts").index(index), host, host_name(host));
    }
    let secret = text(&tls.secret_name);
    if !secret.is_empty() {
        found.invalid_each(
            &at.field("secretName"),
            secret,
            names::dns_subdomain(secret),
        );
    }
}
