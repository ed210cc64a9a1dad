//! Networks, as `network ls` and `network inspect` show them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use gotmpl::ToValue as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::output::{Column, Object, Row, moment};
use super::Width;
use crate::engine::paths::Paths;
use crate::engine::sandbox;
use crate::model::network::NetworkRecord;
use crate::model::observed::{Observed, ObservedPod};
use crate::model::pod::Labels;
use crate::names::NetworkName;

/// A network, with podman's fields.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct NetworkRow {
    pub(in crate::cli) name: String,
    id: String,
    driver: &'static str,
    network_interface: String,
    created: String,
    subnets: [Subnet; 1],
    ipv6_enabled: bool,
    internal: bool,
    /// Whether pods find each other by name.
    dns_enabled: bool,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
    ipam_options: BTreeMap<&'static str, &'static str>,
    /// The pods on it, by the ids of their infra containers.
    containers: BTreeMap<String, Member>,
    #[serde(skip)]
    shown_id: String,
    #[serde(skip)]
    at: jiff::Timestamp,
}

#[derive(Debug, Clone, Serialize)]
struct Subnet {
    subnet: String,
    gateway: Ipv4Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_range: Option<LeaseRange>,
}

#[derive(Debug, Clone, Serialize)]
struct LeaseRange {
    start_ip: Ipv4Addr,
    end_ip: Ipv4Addr,
}

/// A pod on a network.
#[derive(Debug, Clone, Serialize)]
struct Member {
    name: String,
    interfaces: BTreeMap<String, Interface>,
}

#[derive(Debug, Clone, Serialize)]
struct Interface {
    subnets: [Assigned; 1],
}

#[derive(Debug, Clone, Serialize)]
struct Assigned {
    ipnet: String,
    gateway: String,
}

impl NetworkRow {
    /// The columns of `network ls`.
    pub(in crate::cli) const SHOWN: [&'static str; 3] = ["ID", "Name", "Driver"];

    pub(in crate::cli) fn new(
        network: &NetworkRecord,
        observed: &Observed,
        paths: &Paths,
        width: Width,
    ) -> Self {
        let id = network.id();
        Self {
            name: network.name.to_string(),
            shown_id: match width {
                Width::Cut => id[..12].to_owned(),
                Width::Full => id.clone(),
            },
            id,
            driver: "bridge",
            network_interface: sandbox::network_of(paths, &network.name)
                .bridge()
                .to_string(),
            created: network.created.to_string(),
            subnets: [Subnet {
                subnet: network.subnet.to_string(),
                gateway: network.gateway,
                lease_range: network.range.map(|range| LeaseRange {
                    start_ip: range.first,
                    end_ip: range.last,
                }),
            }],
            ipv6_enabled: false,
            internal: network.internal,
            dns_enabled: network.has_names(),
            labels: network.labels.clone(),
            ipam_options: BTreeMap::from([("driver", "host-local")]),
            containers: observed
                .pods_on(&network.name)
                .map(|pod| (pod.record.infra.to_string(), member(pod, &network.name)))
                .collect(),
            at: network.created,
        }
    }
}

fn member(pod: &ObservedPod, network: &NetworkName) -> Member {
    let record = &pod.record;
    let assigned = record.addresses.iter().enumerate();
    let interfaces = assigned
        .filter(|(_, assigned)| &assigned.network == network)
        .map(|(place, assigned)| {
            let interface = Interface {
                subnets: [Assigned {
                    ipnet: format!("{}/{}", assigned.address, assigned.prefix),
                    gateway: assigned.gateway.to_string(),
                }],
            };
            (format!("eth{place}"), interface)
        });
    Member {
        name: record.spec.infra_name(&record.id),
        interfaces: interfaces.collect(),
    }
}

impl Object for NetworkRow {
    /// The names that templates of podman's have for the fields.
    fn for_templates(&self) -> Option<Value> {
        let [subnet] = &self.subnets;
        let range = subnet.lease_range.as_ref();
        Some(json!({
            "Name": self.name,
            "ID": self.id,
            "Driver": self.driver,
            "NetworkInterface": self.network_interface,
            "Created": moment(self.at),
            "Subnets": [{
                "Subnet": subnet.subnet,
                "Gateway": subnet.gateway,
                "LeaseRange": range.map(|range| json!({"StartIP": range.start_ip, "EndIP": range.end_ip})),
            }],
            "IPv6Enabled": self.ipv6_enabled,
            "Internal": self.internal,
            "DNSEnabled": self.dns_enabled,
            "Labels": self.labels,
            "Options": {},
            "IPAMOptions": self.ipam_options,
            "Containers": self.containers,
        }))
    }
}

impl Row for NetworkRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<NetworkRow>] = &[
            Column::new("ID", "NETWORK ID", |row| row.shown_id.to_value()),
            Column::new("Name", "NAME", |row| row.name.to_value()),
            Column::new("Driver", "DRIVER", |row| row.driver.to_value()),
            Column::new("Created", "CREATED", |row| moment(row.at).to_value()),
            Column::new("NetworkInterface", "NETWORKINTERFACE", |row| {
                row.network_interface.to_value()
            }),
            Column::new("Labels", "LABELS", |row| {
                let labels = row.labels.iter();
                let pairs: Vec<String> = labels
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                pairs.join(",").to_value()
            }),
            Column::new("Internal", "INTERNAL", |row| row.internal.to_value()),
            Column::new("DNSEnabled", "DNSENABLED", |row| row.dns_enabled.to_value()),
            Column::new("IPv6Enabled", "IPV6ENABLED", |row| {
                row.ipv6_enabled.to_value()
            }),
        ];
        COLUMNS
    }
}
