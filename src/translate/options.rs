//! What the command line adds to the manifests of a play.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use k8s_openapi::api::core::v1;

use crate::model::infra::EtcHostname;
use crate::model::network::{self, Attachment, Protocol, PublishedPort};
use crate::model::pod::ContainerNaming;
use crate::names::{DnsName, NetworkName};

/// The choices of one `kube play` that change what its pods are.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayOptions {
    /// `--network`; without it `hostNetwork` decides, else the default network is joined.
    pub network: Option<NetworkChoice>,
    /// `--ip`: one a pod, in the order of the pods.
    pub addresses: Vec<IpAddr>,
    /// `--mac-address`: one a pod, in the order of the pods.
    pub macs: Vec<String>,
    /// `--publish`.
    pub publish: Vec<PublishedPort>,
    /// `--publish-all`: every port that containers name is published under its own number.
    pub publish_all: bool,
    /// `--annotation`: for every pod, whatever kind of document it comes from.
    pub annotations: BTreeMap<String, String>,
    /// `--no-pod-prefix`.
    pub naming: ContainerNaming,
    /// `--no-hosts`: the image's own `/etc/hosts` stays.
    pub no_hosts: bool,
    /// `--no-hostname`.
    pub etc_hostname: EtcHostname,
    /// `--configmap`: ConfigMaps beside those of the manifests.
    pub config_maps: Vec<v1::ConfigMap>,
    /// What a relative `hostPath` is relative to.
    pub working_dir: PathBuf,
}

/// The network that `--network` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkChoice {
    Host,
    None,
    Bridge(Vec<Attachment>),
}

impl PlayOptions {
    /// Returns the choices of a play without flags, started in `working_dir`.
    #[must_use]
    pub fn new(working_dir: PathBuf) -> Self {
        Self {
            network: None,
            addresses: Vec::new(),
            macs: Vec::new(),
            publish: Vec::new(),
            publish_all: false,
            annotations: BTreeMap::new(),
            naming: ContainerNaming::PodPrefix,
            no_hosts: false,
            etc_hostname: EtcHostname::Pod,
            config_maps: Vec::new(),
            working_dir,
        }
    }
}

/// A flag's value that does not say what the flag needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    #[error("network `{text}`: {why}")]
    Network { text: String, why: String },
    #[error("`{text}` is not a port to publish: [[IP:]HOSTPORT:]PORT[/tcp|udp|sctp] is")]
    Publish { text: String },
    #[error("`{text}` is not the MAC address of an interface, such as 92:d0:c6:0a:29:33")]
    Mac { text: String },
}

/// Reads the values of all `--network` flags: `host`, `none`, or
/// `NAME[:ip=IP,mac=MAC,alias=NAME]` several times.
///
/// # Errors
/// A value that cannot be read, or one that cannot stand beside the others.
pub fn parse_network(values: &[String]) -> Result<Option<NetworkChoice>, OptionError> {
    match values {
        [] => Ok(None),
        [one] if one == "host" => Ok(Some(NetworkChoice::Host)),
        [one] if one == "none" => Ok(Some(NetworkChoice::None)),
        several => {
            let mut attachments: Vec<Attachment> = Vec::new();
            for text in several {
                let attachment = parse_attachment(text)?;
                let same = |one: &Attachment| one.network == attachment.network;
                if attachments.iter().any(same) {
                    return Err(OptionError::Network {
                        text: text.clone(),
                        why: "the pod is connected to it already".to_owned(),
                    });
                }
                attachments.push(attachment);
            }
            Ok(Some(NetworkChoice::Bridge(attachments)))
        }
    }
}

fn parse_attachment(text: &str) -> Result<Attachment, OptionError> {
    let wrong = |why: String| OptionError::Network {
        text: text.to_owned(),
        why,
    };
    let (name, options) = text.split_once(':').unwrap_or((text, ""));
    let name = match name {
        "bridge" => NetworkName::default_network(),
        "host" | "none" => return Err(wrong(format!("`{name}` stands alone"))),
        name => NetworkName::parse(name).map_err(|error| wrong(error.to_string()))?,
    };
    let mut attachment = Attachment::to(name);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("ip", ip)) => {
                let address = ip
                    .parse()
                    .map_err(|_| wrong(format!("`{ip}` is not an IP address")))?;
                attachment.address = Some(address);
            }
            Some(("alias", alias)) => {
                let alias = DnsName::parse(alias).map_err(|error| wrong(error.to_string()))?;
                attachment.aliases.push(alias);
            }
            Some(("mac", mac)) => {
                let mac = parse_mac(mac).map_err(|error| wrong(error.to_string()))?;
                attachment.mac = Some(mac);
            }
            _ => return Err(wrong(format!("`{option}` is not an option of a network"))),
        }
    }
    Ok(attachment)
}

/// Reads a MAC address that an interface can have.
///
/// # Errors
/// The text is not six bytes in hexadecimal, or names a group of interfaces.
pub fn parse_mac(text: &str) -> Result<String, OptionError> {
    match network::parse_mac(text) {
        // The lowest bit of the first byte is that of groups (IEEE 802).
        Some([first, ..]) if first & 1 == 0 => Ok(text.to_ascii_lowercase()),
        _ => Err(OptionError::Mac {
            text: text.to_owned(),
        }),
    }
}

/// Reads one value of `--publish`.
///
/// # Errors
/// The value does not name a port.
pub fn parse_publish(text: &str) -> Result<PublishedPort, OptionError> {
    read_publish(text).ok_or_else(|| OptionError::Publish {
        text: text.to_owned(),
    })
}

fn read_publish(text: &str) -> Option<PublishedPort> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    let (host, container) = match ports.rsplit_once(':') {
        Some((host, container)) => (Some(host), port(container)?),
        None => (None, port(ports)?),
    };
    let (host_ip, host_port) = match host.map(|host| host.rsplit_once(':').unwrap_or(("", host))) {
        None => (None, container),
        Some(("", host_port)) => (None, port(host_port)?),
        Some((ip, host_port)) => (Some(ip), port(host_port)?),
    };
    let host_ip = match host_ip {
        Some(ip) => Some(ip.trim_matches(['[', ']']).parse().ok()?),
        None => None,
    };
    Some(PublishedPort {
        protocol,
        host_ip,
        host_port,
        container_port: container,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_read_as_podman_spells_them() {
        for (text, ip, host, container, protocol) in [
            ("80", None, 80, 80, Protocol::Tcp),
            ("8080:80", None, 8080, 80, Protocol::Tcp),
            (
                "127.0.0.1:53:5353/udp",
                Some("127.0.0.1"),
                53,
                5353,
                Protocol::Udp,
            ),
            ("[::1]:8080:80", Some("::1"), 8080, 80, Protocol::Tcp),
        ] {
            let expected = PublishedPort {
                protocol,
                host_ip: ip.map(|ip| ip.parse().unwrap()),
                host_port: host,
                container_port: container,
            };
            assert_eq!(parse_publish(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "80:", "x:80", "80/icmp", "1.2.3:80:80", "70000"] {
            assert!(parse_publish(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_are_read_with_their_addresses() {
        let values = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(parse_network(&[]), Ok(None));
        assert_eq!(
            parse_network(&values(&["host"])),
            Ok(Some(NetworkChoice::Host))
        );
        let Ok(Some(NetworkChoice::Bridge(attached))) =
            parse_network(&values(&["a:ip=10.1.0.2,mac=AA:bb:cc:dd:ee:ff", "b"]))
        else {
            panic!("two bridges");
        };
        assert_eq!(attached[0].address, Some("10.1.0.2".parse().unwrap()));
        assert_eq!(attached[0].mac.as_deref(), Some("aa:bb:cc:dd:ee:ff"));
        assert_eq!(attached[1].network.as_str(), "b");
        for texts in [
            &["a", "host"][..],
            &["a:ip=x"],
            &["a:mac=1"],
            &["a:mac=01:00:5e:00:00:01"],
            &["a:mac=+2:00:5e:00:00:01"],
            &["a:nope"],
        ] {
            assert!(parse_network(&values(texts)).is_err(), "{texts:?}");
        }
    }
}
