//! Ports of containers, by number and by name, inside and on the host.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, ContainerPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::fault::{Faults as _, is_on, items, text, text_or};
use super::names;
use super::scope::{Scope, Subject};
use crate::manifest::source::{At, Findings};

/// The transport protocols.
pub(super) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// Checks the ports of one container.
pub(super) fn ports(ports: &[ContainerPort], at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = at.index(index);
        let name = text(&port.name);
        if !name.is_empty() {
            let (wrong, at) = (names::port_name(name), at.field("name"));
            if wrong.is_empty() && !seen.insert(name) {
                found.duplicate(&at, name);
            }
            found.invalid_each(&at, name, wrong);
        }
        if port.container_port == 0 {
            found.required(&at.field("containerPort"), "");
        } else {
            number(port.container_port, &at.field("containerPort"), found);
        }
        if let Some(host) = port.host_port.filter(|port| *port != 0) {
            number(host, &at.field("hostPort"), found);
        }
        let protocol = text_or(&port.protocol, "TCP");
        found.one_of(&at.field("protocol"), protocol, &PROTOCOLS);
    }
}

/// Checks a port number.
pub(super) fn number(port: i32, at: &At<'_>, found: &mut Findings) {
    if let Some(message) = names::port_number(port) {
        found.invalid(at, port, &message);
    }
}

/// Checks a port that is given by number or by name.
pub(super) fn number_or_name(port: &IntOrString, at: &At<'_>, found: &mut Findings) {
    match port {
        IntOrString::Int(port) => number(*port, at, found),
        IntOrString::String(name) => found.invalid_each(at, name, names::port_name(name)),
    }
}

/// Checks that no two ports of `containers` want the same port of the host.
pub(super) fn unique_on_host<'a>(
    containers: impl Iterator<Item = (usize, &'a Container)>,
    scope: &Scope<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let mut taken = BTreeSet::new();
    for (index, container) in containers {
        let at = at.index(index);
        let at = at.field("ports");
        for (index, port) in items(&container.ports).iter().enumerate() {
            let host = scope.host_port(port.host_port, port.container_port);
            if host == 0 {
                continue;
            }
            let protocol = text_or(&port.protocol, "TCP");
            let key = format!("{protocol}/{}/{host}", text(&port.host_ip));
            if taken.contains(&key) {
                found.duplicate(&at.index(index).field("hostPort"), &key);
            }
            taken.insert(key);
        }
    }
}

/// Checks that a pod in the host's network has its ports where the host has them.
pub(super) fn same_as_host(scope: &Scope<'_>, at: &At<'_>, found: &mut Findings) {
    if !is_on(scope.spec.host_network) {
        return;
    }
    for (index, container) in scope.spec.containers.iter().enumerate() {
        let at = at.index(index);
        let at = at.field("ports");
        for (index, port) in items(&container.ports).iter().enumerate() {
            let host = scope.host_port(port.host_port, port.container_port);
            let is_set = scope.subject == Subject::Pod || host != 0;
            if is_set && host != port.container_port {
                let message = "must match `containerPort` when `hostNetwork` is true";
                found.invalid(&at.index(index).field("hostPort"), host, message);
            }
        }
    }
}
