//! Ports that a pod asks itself for, or each of its replicas for the host's.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::containers::every_container;
use super::fault::{is_on, items, text};
use super::specs::{every_spec, replicas};
use crate::manifest::decode::Object;
use crate::manifest::source::{At, Findings};

/// Warns of probes of a port whose name the container does not have: they fail for ever.
pub(super) fn probed_names(object: &Object, found: &mut Findings) {
    every_probed_port(object, &mut |container, port, at| {
        if let IntOrString::String(name) = port {
            let ports = items(&container.ports).iter();
            let names: BTreeSet<&str> = ports.map(|port| text(&port.name)).collect();
            if !names.contains(name.as_str()) {
                let message = format!("the container has no port of the name {name:?}");
                found.warning(at, message);
            }
        }
    });
}

/// Warns of probes of a port that the container does not declare.
///
/// Kubernetes lets a container listen where it likes, so these are only likely faults; and only where it declares
/// ports at all, since many declare none.
pub(super) fn probed_numbers(object: &Object, found: &mut Findings) {
    every_probed_port(object, &mut |container, port, at| {
        let declared = items(&container.ports);
        if let IntOrString::Int(number) = port
            && !declared.is_empty()
            && !declared.iter().any(|port| port.container_port == *number)
        {
            found.warning(at, format!("the container declares no port {number}"));
        }
    });
}

/// Visits the ports that the probes of an object ask, each with its container and its path.
fn every_probed_port(object: &Object, visit: &mut dyn FnMut(&Container, &IntOrString, &At<'_>)) {
    every_spec(object, &mut |_, spec, at| {
        every_container(spec, at, &mut |container, at| {
            let probes = [
                ("livenessProbe", &container.liveness_probe),
                ("readinessProbe", &container.readiness_probe),
                ("startupProbe", &container.startup_probe),
            ];
            for (field, probe) in probes {
                let at = at.field(field);
                for (field, port) in probe.iter().flat_map(ports_of) {
                    visit(container, &port, &at.field(field).field("port"));
                }
            }
        });
    });
}

fn ports_of(probe: &Probe) -> impl Iterator<Item = (&'static str, IntOrString)> {
    let http = probe.http_get.as_ref().map(|action| action.port.clone());
    let tcp = probe.tcp_socket.as_ref().map(|action| action.port.clone());
    let grpc = probe.grpc.as_ref();
    let grpc = grpc.map(|action| IntOrString::Int(action.port));
    let ports = [("httpGet", http), ("tcpSocket", tcp), ("grpc", grpc)];
    ports
        .into_iter()
        .filter_map(|(field, port)| Some((field, port?)))
}

/// Warns of ports of the host that each of several replicas wants.
pub(super) fn of_replicas(object: &Object, found: &mut Findings) {
    let replicas = replicas(object);
    if replicas < 2 {
        return;
    }
    every_spec(object, &mut |_, spec, at| {
        every_host_port(spec, at, &mut |number, _, at| {
            let message = format!("host port {number} is wanted by each of {replicas} replicas");
            found.warning(at, message);
        });
    });
}

/// Visits the ports of the host that a pod wants, each with its path.
pub(super) fn every_host_port(
    spec: &PodSpec,
    at: &At<'_>,
    visit: &mut dyn FnMut(i32, &ContainerPort, &At<'_>),
) {
    let on_host = is_on(spec.host_network);
    every_container(spec, at, &mut |container, at| {
        let at = at.field("ports");
        for (index, port) in items(&container.ports).iter().enumerate() {
            let wanted = port.host_port.filter(|port| *port != 0);
            if let Some(number) = wanted.or(on_host.then_some(port.container_port)) {
                visit(number, port, &at.index(index));
            }
        }
    });
}
