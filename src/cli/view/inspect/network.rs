//! The pod's addresses and ports, as podman shows them of each container.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Subject;
use crate::model::network::{NetworkSpec, PublishedPort};
use crate::model::observed::ObservedPod;
use crate::names::NetworkName;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    gateway: String,
    mac_address: String,
    /// Where the pod's network namespace is pinned.
    sandbox_key: String,
    ports: BTreeMap<String, Option<Vec<HostPort>>>,
    networks: BTreeMap<String, Network>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    gateway: String,
    /// Only one that was asked for; the kernel draws the others.
    mac_address: String,
    #[serde(rename = "NetworkID")]
    network_id: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli::view) struct HostPort {
    host_ip: String,
    host_port: String,
}

/// Returns the network of a container's pod.
pub(super) fn network_settings(subject: &Subject<'_>) -> NetworkSettings {
    let pod = subject.pod;
    let addresses = &pod.record.addresses;
    let first = addresses.first();
    let mac = |network: Option<&NetworkName>| match &pod.record.spec.infra.network {
        NetworkSpec::Bridge { networks } => networks
            .iter()
            .find(|attached| Some(&attached.network) == network)
            .and_then(|attached| attached.mac.clone())
            .unwrap_or_default(),
        NetworkSpec::Host | NetworkSpec::None => String::new(),
    };
    NetworkSettings {
        ip_address: first.map(|own| own.address.to_string()).unwrap_or_default(),
        ip_prefix_len: first.map_or(0, |own| own.prefix),
        gateway: first.map(|own| own.gateway.to_string()).unwrap_or_default(),
        mac_address: mac(first.map(|own| &own.network)),
        sandbox_key: subject.own().namespace("net").display().to_string(),
        ports: pod
            .record
            .spec
            .all_containers()
            .flat_map(|container| &container.ports)
            .map(|port| (format!("{}/{}", port.port, port.protocol), None))
            .chain(
                port_bindings(pod)
                    .into_iter()
                    .map(|(port, hosts)| (port, Some(hosts))),
            )
            .collect(),
        networks: addresses
            .iter()
            .map(|own| {
                let network = Network {
                    ip_address: own.address.to_string(),
                    ip_prefix_len: own.prefix,
                    gateway: own.gateway.to_string(),
                    mac_address: mac(Some(&own.network)),
                    network_id: own.network.to_string(),
                };
                (own.network.to_string(), network)
            })
            .collect(),
    }
}

/// Returns the host's ports by the pod's ports.
pub(in crate::cli::view) fn port_bindings(pod: &ObservedPod) -> BTreeMap<String, Vec<HostPort>> {
    let mut bindings: BTreeMap<String, Vec<HostPort>> = BTreeMap::new();
    for port in pod.record.spec.published_ports() {
        let PublishedPort {
            protocol,
            host_ip,
            host_port,
            container_port,
        } = port;
        let host_ip = host_ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
        bindings
            .entry(format!("{container_port}/{protocol}"))
            .or_default()
            .push(HostPort {
                host_ip,
                host_port: host_port.to_string(),
            });
    }
    bindings
}
