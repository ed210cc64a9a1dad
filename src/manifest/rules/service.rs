//! Services.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::fault::{Faults as _, Shown, items, or_empty, text, text_or};
use super::{address, metadata, names, ports, service_ips};
use crate::manifest::source::{At, Findings};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const AFFINITIES: [&str; 2] = ["ClientIP", "None"];
const TRAFFIC: [&str; 2] = ["Cluster", "Local"];
const DISTRIBUTIONS: [&str; 3] = ["PreferClose", "PreferSameZone", "PreferSameNode"];
const LONGEST_AFFINITY: i32 = 86_400;
const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const NO_EXTERNAL: &str = "may not be set for ExternalName services";

/// Checks a Service.
pub fn service(service: &Service, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, spec_at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&service.metadata, names::dns_1035_label, &meta_at, found);
    topology(service, &meta_at.field("annotations"), found);
    let spec = or_empty(&service.spec);
    let view = View::of(&spec);
    if items(&spec.ports).is_empty() && !view.is_headless && view.kind != "ExternalName" {
        found.required(&spec_at.field("ports"), "");
    }
    by_type(&spec, &view, &spec_at, found);
    all_ports(items(&spec.ports), &spec_at.field("ports"), found);
    if let Some(labels) = &spec.selector {
        metadata::labels(labels, &spec_at.field("selector"), found);
    }
    affinity(&spec, &spec_at, found);
    if view.kind != "ExternalName" {
        service_ips::cluster_ips(&spec, &view, &spec_at, found);
    }
    for (index, ip) in items(&spec.external_ips).iter().enumerate() {
        address::reachable_ip(ip, &spec_at.field("externalIPs").index(index), found);
    }
    found.one_of(&spec_at.field("type"), view.kind, &TYPES);
    taken_ports(&spec, &view, &spec_at.field("ports"), found);
    source_ranges(service, &spec, &view, found);
    balancer(&spec, &view, &spec_at, found);
    traffic(&spec, &view, &spec_at, found);
    warn(&spec, &view, &spec_at, found);
}

/// A service with what the server fills in.
pub(super) struct View<'a> {
    kind: &'a str,
    pub cluster_ips: Vec<&'a str>,
    is_headless: bool,
    is_external: bool,
}

impl<'a> View<'a> {
    fn of(spec: &'a ServiceSpec) -> Self {
        let kind = text_or(&spec.type_, "ClusterIP");
        let mut cluster_ips: Vec<&str> = items(&spec.cluster_ips)
            .iter()
            .map(String::as_str)
            .collect();
        let first = text(&spec.cluster_ip);
        if cluster_ips.is_empty() && !first.is_empty() {
            cluster_ips.push(first);
        }
        let has_external_ips = !items(&spec.external_ips).is_empty();
        Self {
            kind,
            is_headless: cluster_ips == ["None"],
            is_external: ["LoadBalancer", "NodePort"].contains(&kind)
                || (kind == "ClusterIP" && has_external_ips),
            cluster_ips,
        }
    }

    fn is_balanced(&self) -> bool {
        self.kind == "LoadBalancer"
    }
}

fn topology(service: &Service, at: &At<'_>, found: &mut Findings) {
    let annotations = service.metadata.annotations.as_ref();
    let value = |key| annotations.and_then(|map| map.get(key));
    if value(TOPOLOGY_HINTS).is_some() {
        let message = format!("deprecated, please use {TOPOLOGY_MODE} instead");
        found.warning(&at.key(TOPOLOGY_HINTS), message);
    }
    if let (Some(hints), Some(mode)) = (value(TOPOLOGY_HINTS), value(TOPOLOGY_MODE))
        && hints != mode
    {
        let message = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        found.invalid(&at.key(TOPOLOGY_MODE), mode, &message);
    }
}

fn by_type(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    match view.kind {
        "LoadBalancer" | "NodePort" if view.is_headless => {
            // `clusterIPs` is where the server keeps what `clusterIP` says
            let (ips_at, ip_at) = (at.field("clusterIPs"), at.field("clusterIP"));
            let message = format!("may not be set to 'None' for {} services", view.kind);
            let at = match &spec.cluster_ips {
                Some(_) => ips_at.index(0),
                None => at.shown_as(".clusterIPs[0]", &ip_at),
            };
            found.invalid(&at, "None", &message);
        }
        "ExternalName" => external_name(spec, view, at, found),
        _ => {}
    }
}

fn external_name(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    if !view.cluster_ips.is_empty() {
        let (ips_at, ip_at) = (at.field("clusterIPs"), at.field("clusterIP"));
        let at = match &spec.cluster_ips {
            Some(_) => ips_at,
            None => at.shown_as(".clusterIPs", &ip_at),
        };
        found.forbidden(&at, NO_EXTERNAL);
    }
    let set = [
        ("ipFamilies", !items(&spec.ip_families).is_empty()),
        ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
    ];
    for (field, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        found.forbidden(&at.field(field), NO_EXTERNAL);
    }
    let name = text(&spec.external_name);
    let name = name.strip_suffix('.').unwrap_or(name);
    let at = at.field("externalName");
    if name.is_empty() {
        found.required(&at, "");
    } else {
        found.invalid_each(&at, name, names::dns_subdomain(name));
    }
}

fn all_ports(list: &[ServicePort], at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, port) in list.iter().enumerate() {
        let at = at.index(index);
        let (name, name_at) = (text(&port.name), at.field("name"));
        if !name.is_empty() {
            found.invalid_each(&name_at, name, names::dns_label(name));
            if !seen.insert(name) {
                found.duplicate(&name_at, name);
            }
        } else if list.len() > 1 {
            found.required(&name_at, "");
        }
        ports::number(port.port, &at.field("port"), found);
        let protocol = text_or(&port.protocol, "TCP");
        found.one_of(&at.field("protocol"), protocol, &ports::PROTOCOLS);
        let same = IntOrString::Int(port.port);
        let target = match &port.target_port {
            None | Some(IntOrString::Int(0)) => &same,
            Some(IntOrString::String(name)) if name.is_empty() => &same,
            Some(target) => target,
        };
        ports::number_or_name(target, &at.field("targetPort"), found);
        if let Some(protocol) = &port.app_protocol {
            metadata::label_key(protocol, &at.field("appProtocol"), found);
        }
    }
}

fn taken_ports(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    let (mut of_nodes, mut own) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in items(&spec.ports).iter().enumerate() {
        let at = at.index(index);
        let node_at = at.field("nodePort");
        let node_port = port.node_port.unwrap_or_default();
        let protocol = text_or(&port.protocol, "TCP");
        if node_port != 0 {
            if view.kind == "ClusterIP" {
                found.forbidden(&node_at, "may not be used when `type` is 'ClusterIP'");
            }
            // a cluster narrows this further, by a range of its own
            ports::number(node_port, &node_at, found);
            if !of_nodes.insert((protocol, node_port)) {
                found.duplicate(&node_at, node_port);
            }
        }
        if !own.insert((protocol, port.port)) {
            let number = port.port;
            let key = format!(
                r#"{{"Name":"","Protocol":"{protocol}","AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}"#
            );
            found.duplicate(&at, Shown::Json(key));
        }
    }
}

fn affinity(spec: &ServiceSpec, at: &At<'_>, found: &mut Findings) {
    let affinity = text_or(&spec.session_affinity, "None");
    found.one_of(&at.field("sessionAffinity"), affinity, &AFFINITIES);
    if affinity != "ClientIP" {
        return;
    }
    let config = spec.session_affinity_config.as_ref();
    let client = config.and_then(|config| config.client_ip.as_ref());
    let seconds = client.and_then(|client| client.timeout_seconds);
    let seconds = seconds.filter(|seconds| !(1..=LONGEST_AFFINITY).contains(seconds));
    if let Some(seconds) = seconds {
        let at = at.field("sessionAffinityConfig");
        let at = at.field("clientIP");
        let message = format!("must be greater than 0 and less than {LONGEST_AFFINITY}");
        found.invalid(&at.field("timeoutSeconds"), seconds, &message);
    }
}

fn source_ranges(service: &Service, spec: &ServiceSpec, view: &View<'_>, found: &mut Findings) {
    let ranges = items(&spec.load_balancer_source_ranges);
    let at = At::ROOT;
    if !ranges.is_empty() {
        let at = at.field("spec");
        let ranges_at = at.field("loadBalancerSourceRanges");
        let at = at.shown_as(".LoadBalancerSourceRanges", &ranges_at);
        if !view.is_balanced() {
            found.forbidden(&at, ONLY_BALANCED);
        }
        for (index, range) in ranges.iter().enumerate() {
            let range = range.trim();
            // its warnings spell the field as it is written
            let list_at = if address::is_cidr(range) {
                ranges_at
            } else {
                at
            };
            address::cidr(range, &list_at.index(index), found);
        }
        return;
    }
    let annotations = service.metadata.annotations.as_ref();
    let Some(ranges) = annotations.and_then(|map| map.get(SOURCE_RANGES)) else {
        return;
    };
    let at = at.field("metadata");
    let at = at.field("annotations");
    let at = at.key(SOURCE_RANGES);
    if !view.is_balanced() {
        found.forbidden(&at, ONLY_BALANCED);
    }
    for range in ranges.split(',').filter(|_| !ranges.trim().is_empty()) {
        address::cidr(range.trim(), &at, found);
    }
}

fn balancer(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    if spec.allocate_load_balancer_node_ports.is_some() && !view.is_balanced() {
        found.forbidden(&at.field("allocateLoadBalancerNodePorts"), ONLY_BALANCED);
    }
    let Some(class) = &spec.load_balancer_class else {
        return;
    };
    let at = at.field("loadBalancerClass");
    if view.is_balanced() {
        metadata::label_key(class, &at, found);
    } else {
        found.forbidden(&at, ONLY_BALANCED);
    }
}

fn traffic(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    let external = text(&spec.external_traffic_policy);
    let external_at = at.field("externalTrafficPolicy");
    if !external.is_empty() {
        if view.is_external {
            found.one_of(&external_at, external, &TRAFFIC);
        } else {
            let message = "may only be set for externally-accessible services";
            found.invalid(&external_at, external, message);
        }
    }
    let health = spec.health_check_node_port.unwrap_or_default();
    let health_at = at.field("healthCheckNodePort");
    if health != 0 {
        if view.is_balanced() && external == "Local" {
            ports::number(health, &health_at, found);
        } else {
            let message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            found.invalid(&health_at, health, message);
        }
    }
    if let Some(policy) = &spec.internal_traffic_policy {
        found.one_of(&at.field("internalTrafficPolicy"), policy, &TRAFFIC);
    }
    if let Some(distribution) = &spec.traffic_distribution {
        found.one_of(
            &at.field("trafficDistribution"),
            distribution,
            &DISTRIBUTIONS,
        );
    }
}

fn warn(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    let has_external_ips = !items(&spec.external_ips).is_empty();
    let is_external = view.kind == "ExternalName";
    let balancer_ip = text(&spec.load_balancer_ip);
    if view.is_headless {
        const MESSAGE: &str = "is ignored for headless services";
        let ignored = [
            ("loadBalancerIP", !balancer_ip.is_empty()),
            ("externalIPs", has_external_ips),
            (
                "sessionAffinity",
                text_or(&spec.session_affinity, "None") != "None",
            ),
        ];
        for (field, _) in ignored.into_iter().filter(|(_, is_set)| *is_set) {
            found.warning(&at.field(field), MESSAGE);
        }
    }
    address::warn(balancer_ip, &at.field("loadBalancerIP"), found);
    if is_external && has_external_ips {
        let message = r#"is ignored when spec.type is "ExternalName""#;
        found.warning(&at.field("externalIPs"), message);
    }
    if !is_external && !text(&spec.external_name).is_empty() {
        let message = r#"is ignored when spec.type is not "ExternalName""#;
        found.warning(&at.field("externalName"), message);
    }
    if spec.traffic_distribution.as_deref() == Some("PreferClose") {
        let message = r#""PreferClose" is deprecated; use "PreferSameZone""#;
        found.warning(&at.field("trafficDistribution"), message);
    }
}
