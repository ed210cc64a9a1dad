//! How a pod meets the network: from `hostNetwork`, ports, DNS settings and the flags of the play.

use std::net::IpAddr;

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::container::ContainerSpec;
use crate::model::network::{
    Attachment, ContainerPort, DnsPolicy, DnsSpec, HostPort, HostsEntry, NetworkSpec, Protocol,
    PublishedPort,
};
use crate::names::{DnsName, NetworkName};

use super::notes::{Notes, filled, items};
use super::options::{NetworkChoice, PlayOptions};

/// The place of a pod in its play, from 0: `--ip` and `--mac-address` are dealt out in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn(pub usize);

/// Decides the network of a pod: the flags' word is stronger than the manifest's.
pub(super) fn network(host_network: bool, options: &PlayOptions) -> NetworkSpec {
    let networks = match &options.network {
        Some(NetworkChoice::Host) => return NetworkSpec::Host,
        Some(NetworkChoice::None) => return NetworkSpec::None,
        Some(NetworkChoice::Bridge(attachments)) => attachments.clone(),
        None if host_network => return NetworkSpec::Host,
        None => vec![Attachment::to(NetworkName::default_network())],
    };
    NetworkSpec::Bridge { networks }
}

/// Gives a pod on a bridge the address and the hardware address of its turn.
pub(super) fn deal(network: &mut NetworkSpec, options: &PlayOptions, turn: Turn) {
    let NetworkSpec::Bridge { networks } = network else {
        return;
    };
    if let Some(first) = networks.first_mut() {
        if let Some(address) = options.addresses.get(turn.0) {
            first.address = Some(*address);
        }
        if let Some(mac) = options.macs.get(turn.0) {
            first.mac = Some(mac.clone());
        }
    }
}

/// Translates the ports of a container.
pub(super) fn ports(
    list: &[v1::ContainerPort],
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Vec<ContainerPort> {
    list.iter()
        .enumerate()
        .filter_map(|(index, item)| port(item, &at.index(index), notes))
        .collect()
}

fn port(item: &v1::ContainerPort, at: &At<'_>, notes: &mut Notes<'_>) -> Option<ContainerPort> {
    let v1::ContainerPort {
        container_port,
        host_ip,
        host_port,
        name,
        protocol,
    } = item;
    let ip = notes.parse_some(&at.field("hostIP"), host_ip.as_ref(), str::parse::<IpAddr>);
    let host_port = host_port.filter(|port| *port != 0);
    let host = match host_port {
        Some(port) => Some(HostPort {
            ip,
            port: number(port, &at.field("hostPort"), notes)?,
        }),
        None => None,
    };
    // A port that only the host names is the container's too, as podman has it.
    let port = match (*container_port, &host) {
        (0, Some(host)) => host.port,
        (port, _) => number(port, &at.field("containerPort"), notes)?,
    };
    Some(ContainerPort {
        name: filled(name.as_ref()).cloned(),
        port,
        protocol: protocol_of(protocol.as_ref(), &at.field("protocol"), notes),
        host,
    })
}

fn protocol_of(word: Option<&String>, at: &At<'_>, notes: &mut Notes<'_>) -> Protocol {
    let upper = word.map(|word| word.to_ascii_uppercase());
    let words = [
        ("TCP", Protocol::Tcp),
        ("UDP", Protocol::Udp),
        ("SCTP", Protocol::Sctp),
    ];
    notes.choose(at, upper.as_ref(), Protocol::Tcp, &words)
}

/// Takes a port number: 1 to 65535.
pub(super) fn number(port: i32, at: &At<'_>, notes: &mut Notes<'_>) -> Option<u16> {
    let number = u16::try_from(port).ok().filter(|port| *port != 0);
    if number.is_none() {
        notes.invalid(at, port, "must be between 1 and 65535, inclusive");
    }
    number
}

/// Adds what `--publish` and `--publish-all` say to the ports of the app containers.
///
/// A published port replaces the manifest's host port for the same container port and protocol;
/// one that no container names goes to the first container.
pub(super) fn publish(containers: &mut [ContainerSpec], options: &PlayOptions) {
    let is_published = |port: &ContainerPort| {
        options
            .publish
            .iter()
            .any(|wanted| (wanted.container_port, wanted.protocol) == (port.port, port.protocol))
    };
    for port in containers
        .iter_mut()
        .flat_map(|container| &mut container.ports)
    {
        if is_published(port) {
            port.host = None;
        } else if options.publish_all && port.host.is_none() {
            port.host = Some(HostPort {
                ip: None,
                port: port.port,
            });
        }
    }
    for wanted in &options.publish {
        publish_one(containers, wanted);
    }
}

fn publish_one(containers: &mut [ContainerSpec], wanted: &PublishedPort) {
    let host = Some(HostPort {
        ip: wanted.host_ip,
        port: wanted.host_port,
    });
    let names = |port: &&mut ContainerPort| {
        (port.port, port.protocol) == (wanted.container_port, wanted.protocol)
            && port.host.is_none()
    };
    let free = containers
        .iter_mut()
        .flat_map(|container| &mut container.ports)
        .find(names);
    if let Some(port) = free {
        port.host = host;
        return;
    }
    if let Some(first) = containers.first_mut() {
        first.ports.push(ContainerPort {
            name: None,
            port: wanted.container_port,
            protocol: wanted.protocol,
            host,
        });
    }
}

/// Translates `dnsPolicy` and `dnsConfig`; `at` is the pod's spec.
pub(super) fn dns(
    policy: Option<&String>,
    config: Option<&v1::PodDNSConfig>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> DnsSpec {
    let policy_at = at.field("dnsPolicy");
    let words = [
        ("ClusterFirst", DnsPolicy::ClusterFirst),
        (
            "ClusterFirstWithHostNet",
            DnsPolicy::ClusterFirstWithHostNet,
        ),
        ("Default", DnsPolicy::Default),
        ("None", DnsPolicy::None),
    ];
    let policy = notes.choose(&policy_at, policy, DnsPolicy::ClusterFirst, &words);
    let Some(config) = config else {
        return DnsSpec {
            policy,
            ..DnsSpec::default()
        };
    };
    let at = at.field("dnsConfig");
    let v1::PodDNSConfig {
        nameservers,
        options,
        searches,
    } = config;
    let servers_at = at.field("nameservers");
    let mut servers = Vec::new();
    for (index, server) in items(nameservers.as_ref()).iter().enumerate() {
        servers.extend(notes.parse(&servers_at.index(index), server, str::parse::<IpAddr>));
    }
    DnsSpec {
        policy,
        nameservers: servers,
        searches: searches.clone().unwrap_or_default(),
        options: items(options.as_ref()).iter().map(dns_option).collect(),
    }
}

fn dns_option(option: &v1::PodDNSConfigOption) -> String {
    let v1::PodDNSConfigOption { name, value } = option;
    let name = name.clone().unwrap_or_default();
    match value {
        Some(value) => format!("{name}:{value}"),
        None => name,
    }
}

/// Translates the lines a pod adds to `/etc/hosts`.
pub(super) fn aliases(
    list: &[v1::HostAlias],
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Vec<HostsEntry> {
    let mut entries = Vec::new();
    for (index, v1::HostAlias { hostnames, ip }) in list.iter().enumerate() {
        let at = at.index(index);
        let names_at = at.field("hostnames");
        let mut names = Vec::new();
        for (index, name) in items(hostnames.as_ref()).iter().enumerate() {
            names.extend(notes.parse(&names_at.index(index), name, DnsName::parse));
        }
        if let Some(ip) = notes.parse(&at.field("ip"), ip, str::parse) {
            entries.push(HostsEntry { ip, names });
        }
    }
    entries
}
