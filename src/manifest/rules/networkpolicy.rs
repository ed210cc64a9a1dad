//! NetworkPolicies.

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::fault::{Faults as _, Shown, items, or_empty};
use super::{address, metadata, names, ports, selector};
use crate::manifest::source::{At, Findings};

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const TYPES: [&str; 2] = ["Ingress", "Egress"];

/// Checks a NetworkPolicy.
pub fn network_policy(policy: &NetworkPolicy, found: &mut Findings) {
    let at = At::ROOT;
    let (meta_at, at) = (at.field("metadata"), at.field("spec"));
    metadata::object_meta(&policy.metadata, names::dns_subdomain, &meta_at, found);
    let spec = or_empty(&policy.spec);
    if let Some(chosen) = &spec.pod_selector {
        selector::label_selector(chosen, &at.field("podSelector"), found);
    }
    for (index, rule) in items(&spec.ingress).iter().enumerate() {
        let at = at.field("ingress");
        let at = at.index(index);
        all_ports(items(&rule.ports), &at.field("ports"), found);
        peers(items(&rule.from), &at.field("from"), found);
    }
    for (index, rule) in items(&spec.egress).iter().enumerate() {
        let at = at.field("egress");
        let at = at.index(index);
        all_ports(items(&rule.ports), &at.field("ports"), found);
        peers(items(&rule.to), &at.field("to"), found);
    }
    let (types, at) = (items(&spec.policy_types), at.field("policyTypes"));
    if types.len() > TYPES.len() {
        let message = "may not specify more than two policyTypes";
        found.invalid(&at, Shown::json(&types), message);
        return;
    }
    for (index, one) in types.iter().enumerate() {
        found.one_of(&at.index(index), one, &TYPES);
    }
}

fn all_ports(list: &[NetworkPolicyPort], at: &At<'_>, found: &mut Findings) {
    for (index, one) in list.iter().enumerate() {
        port(one, &at.index(index), found);
    }
}

fn port(port: &NetworkPolicyPort, at: &At<'_>, found: &mut Findings) {
    if let Some(protocol) = &port.protocol {
        found.one_of(&at.field("protocol"), protocol, &PROTOCOLS);
    }
    if let Some(first) = &port.port {
        ports::number_or_name(first, &at.field("port"), found);
    }
    let Some(end) = port.end_port else {
        return;
    };
    let at = at.field("endPort");
    match &port.port {
        Some(IntOrString::Int(first)) => {
            if end < *first {
                found.invalid(&at, end, "must be greater than or equal to `port`");
            }
            ports::number(end, &at, found);
        }
        Some(IntOrString::String(_)) => {
            found.invalid(&at, end, "may not be specified when `port` is non-numeric");
        }
        None => found.invalid(
            &at,
            end,
            "may not be specified when `port` is not specified",
        ),
    }
}

fn peers(list: &[NetworkPolicyPeer], at: &At<'_>, found: &mut Findings) {
    for (index, peer) in list.iter().enumerate() {
        let at = at.index(index);
        if let Some(chosen) = &peer.pod_selector {
            selector::label_selector(chosen, &at.field("podSelector"), found);
        }
        if let Some(chosen) = &peer.namespace_selector {
            selector::label_selector(chosen, &at.field("namespaceSelector"), found);
        }
        let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
        match (&peer.ip_block, selects) {
            (Some(block), false) => ip_block(block, &at.field("ipBlock"), found),
            (Some(block), true) => {
                ip_block(block, &at.field("ipBlock"), found);
                found.forbidden(&at, "may not specify both ipBlock and another peer");
            }
            (None, false) => found.required(&at, "must specify a peer"),
            (None, true) => {}
        }
    }
}

fn ip_block(block: &IPBlock, at: &At<'_>, found: &mut Findings) {
    if block.cidr.is_empty() {
        found.required(&at.field("cidr"), "");
        return;
    }
    let Some(outer) = address::cidr(&block.cidr, &at.field("cidr"), found) else {
        return;
    };
    for (index, except) in items(&block.except).iter().enumerate() {
        let at = at.field("except");
        let at = at.index(index);
        let inner = address::cidr(except, &at, found);
        if inner.is_some_and(|inner| !outer.is_strictly_around(inner)) {
            found.invalid(&at, except, "must be a strict subset of `cidr`");
        }
    }
}
