//! Ports by number that no container declares.
//!
//! Kubernetes lets a container listen where it likes, so these are only likely faults; and only where a pod
//! declares ports at all, since many declare none.

use k8s_openapi::api::core::v1::{Container, PodSpec, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::behind::Pods;
use super::containers::every_container;
use super::fault::items;
use crate::manifest::source::{At, Findings};

/// Warns of probes of a port that the container does not declare.
pub(super) fn probes(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    every_container(spec, at, &mut |container, at| {
        if items(&container.ports).is_empty() {
            return;
        }
        let probes = [
            ("livenessProbe", &container.liveness_probe),
            ("readinessProbe", &container.readiness_probe),
            ("startupProbe", &container.startup_probe),
        ];
        for (field, probe) in probes {
            let Some(probe) = probe else {
                continue;
            };
            let at = at.field(field);
            let http = probe.http_get.as_ref().map(|action| &action.port);
            let tcp = probe.tcp_socket.as_ref().map(|action| &action.port);
            let grpc = probe
                .grpc
                .as_ref()
                .map(|action| IntOrString::Int(action.port));
            for (field, port) in [
                ("httpGet", http),
                ("tcpSocket", tcp),
                ("grpc", grpc.as_ref()),
            ] {
                if let Some(IntOrString::Int(number)) = port
                    && !declares(container, *number)
                {
                    let message = format!("the container declares no port {number}");
                    found.warning(&at.field(field).field("port"), message);
                }
            }
        }
    });
}

/// Warns of ports of a Service that lead to a number which no pod behind it declares.
pub(super) fn target_ports(service: &Service, space: &str, pods: &Pods<'_>, found: &mut Findings) {
    let Some(spec) = &service.spec else {
        return;
    };
    let chosen = spec.selector.as_ref().filter(|chosen| !chosen.is_empty());
    let Some(chosen) = chosen else {
        return;
    };
    let behind = pods.chosen(space, chosen);
    let any = |test: &dyn Fn(&Container) -> bool| {
        let mut is_any = false;
        for spec in &behind {
            every_container(spec, &At::ROOT, &mut |container, _| {
                is_any |= test(container)
            });
        }
        is_any
    };
    if !any(&|container| !items(&container.ports).is_empty()) {
        return;
    }
    let at = At::ROOT;
    let at = at.field("spec");
    let at = at.field("ports");
    for (index, port) in items(&spec.ports).iter().enumerate() {
        let (field, number) = match &port.target_port {
            Some(IntOrString::Int(number)) if *number != 0 => ("targetPort", *number),
            Some(IntOrString::String(_)) => continue,
            Some(IntOrString::Int(_)) | None => ("port", port.port),
        };
        if !any(&|container| declares(container, number)) {
            let message = format!("no pod behind this service declares the port {number}");
            found.warning(&at.index(index).field(field), message);
        }
    }
}

fn declares(container: &Container, number: i32) -> bool {
    let mut ports = items(&container.ports).iter();
    ports.any(|port| port.container_port == number)
}
