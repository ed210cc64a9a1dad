//! The files in `/etc` that a pod's containers share: `hosts`, `hostname`, `resolv.conf`.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::LaunchError;
use crate::model::infra::{HostsFile, InfraSpec};
use crate::model::network::{DnsPolicy, DnsSpec, NetworkSpec};

/// What glibc and musl read of a search list (`resolv.conf(5)`, KEP-2595).
const NAMESERVERS: usize = 3;

/// What the lines of `/etc/hosts` are made from.
#[derive(Debug, Clone, Copy)]
pub struct HostsFacts<'a> {
    /// The host's own file, for pods in the host's network.
    pub host_file: &'a str,
    pub hostname: &'a str,
    /// The pod's addresses; none with no network.
    pub addresses: &'a [IpAddr],
    /// The host as the pod reaches it.
    pub gateway: Option<IpAddr>,
}

/// Returns the pod's `/etc/hosts`; nothing where the image's own stays.
#[must_use]
pub fn hosts_file(infra: &InfraSpec, facts: &HostsFacts<'_>) -> Option<String> {
    let HostsFile::Pod { aliases } = &infra.hosts else {
        return None;
    };
    let mut text = if infra.network == NetworkSpec::Host {
        facts.host_file.trim_end().to_owned() + "\n"
    } else {
        own_hosts(infra, facts)
    };
    for entry in aliases {
        let names: Vec<&str> = entry.names.iter().map(|name| name.as_str()).collect();
        line(&mut text, &entry.ip, &names.join("\t"));
    }
    Some(text)
}

fn own_hosts(infra: &InfraSpec, facts: &HostsFacts<'_>) -> String {
    let mut text = String::new();
    for (ip, names) in [
        ("127.0.0.1", "localhost"),
        ("::1", "localhost ip6-localhost ip6-loopback"),
        ("fe00::", "ip6-localnet"),
        ("fe00::", "ip6-mcastprefix"),
        ("fe00::1", "ip6-allnodes"),
        ("fe00::2", "ip6-allrouters"),
    ] {
        line(&mut text, &ip, names);
    }
    let name = match &infra.subdomain {
        Some(subdomain) => format!("{0}.{subdomain}\t{0}", facts.hostname),
        None => facts.hostname.to_owned(),
    };
    for address in facts.addresses {
        line(&mut text, address, &name);
    }
    if facts.addresses.is_empty() {
        line(&mut text, &"127.0.0.1", &name);
    }
    if let Some(gateway) = facts.gateway {
        line(&mut text, &gateway, "host.containers.internal");
    }
    text
}

fn line(text: &mut String, ip: &dyn std::fmt::Display, names: &str) {
    writeln!(text, "{ip}\t{names}").expect("writing to a string never fails");
}

/// The lines of a `resolv.conf`.
#[derive(Debug, Default, PartialEq, Eq)]
struct ResolvConf {
    nameservers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

impl ResolvConf {
    fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => conf.nameservers.extend(words.next().map(str::to_owned)),
                // The last of several lines counts.
                Some("search" | "domain") => {
                    conf.searches = words.map(str::to_owned).collect();
                }
                Some("options") => conf.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        conf
    }

    fn without_loopback(mut self) -> Self {
        self.nameservers.retain(|server| {
            let address = server.split('%').next().unwrap_or_default();
            !address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        self
    }
}

/// Returns the pod's `/etc/resolv.conf`.
///
/// A resolver on the host's loopback device cannot be reached from another network namespace;
/// `upstream` is what it asks itself (`/run/systemd/resolve/resolv.conf`).
///
/// # Errors
/// The host has only loopback resolvers, no upstream is known, and the pod names none itself.
pub fn resolv_conf(
    host: &str,
    upstream: Option<&str>,
    network: &NetworkSpec,
    dns: &DnsSpec,
) -> Result<String, LaunchError> {
    let mut conf = match (dns.policy, network) {
        (DnsPolicy::None, _) => ResolvConf::default(),
        (_, NetworkSpec::Host) => ResolvConf::parse(host),
        (_, NetworkSpec::None) => ResolvConf::parse(host).without_loopback(),
        (_, NetworkSpec::Bridge { .. }) => reachable(host, upstream, dns)?,
    };
    // The pod's own words come after the host's, as the kubelet appends them.
    let own = dns.nameservers.iter().map(ToString::to_string);
    add(&mut conf.nameservers, own);
    add(&mut conf.searches, dns.searches.iter().cloned());
    for option in &dns.options {
        let name = |option: &str| option.split(':').next().map(str::to_owned);
        conf.options.retain(|known| name(known) != name(option));
        conf.options.push(option.clone());
    }
    conf.nameservers.truncate(NAMESERVERS);
    Ok(written(&conf))
}

fn reachable(host: &str, upstream: Option<&str>, dns: &DnsSpec) -> Result<ResolvConf, LaunchError> {
    let own = ResolvConf::parse(host);
    let had_some = !own.nameservers.is_empty();
    let conf = own.without_loopback();
    if !conf.nameservers.is_empty() || !had_some {
        return Ok(conf);
    }
    let upstream = ResolvConf::parse(upstream.unwrap_or_default()).without_loopback();
    if upstream.nameservers.is_empty() && dns.nameservers.is_empty() {
        return Err(LaunchError::OnlyLoopbackResolvers);
    }
    Ok(ResolvConf {
        nameservers: upstream.nameservers,
        ..conf
    })
}

fn add(list: &mut Vec<String>, more: impl Iterator<Item = String>) {
    for entry in more {
        if !list.contains(&entry) {
            list.push(entry);
        }
    }
}

fn written(conf: &ResolvConf) -> String {
    let mut text = String::new();
    if !conf.searches.is_empty() {
        text.push_str(&format!("search {}\n", conf.searches.join(" ")));
    }
    for server in &conf.nameservers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !conf.options.is_empty() {
        text.push_str(&format!("options {}\n", conf.options.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::pod;
    use super::*;
    use crate::model::network::HostsEntry;
    use crate::names::{DnsName, Hostname};

    const BRIDGE: NetworkSpec = NetworkSpec::Bridge { networks: vec![] };

    fn hosts(infra: &InfraSpec, addresses: &[IpAddr]) -> Option<String> {
        let facts = HostsFacts {
            host_file: "127.0.0.1 localhost\n10.0.0.9 machine\n\n",
            hostname: "web",
            addresses,
            gateway: Some("10.89.2.1".parse().unwrap()),
        };
        hosts_file(infra, &facts)
    }

    #[test]
    fn a_pod_on_a_bridge_finds_itself_the_host_and_its_aliases() {
        let mut infra = pod().infra;
        infra.network = BRIDGE;
        infra.subdomain = Some(Hostname::parse("sub").unwrap());
        infra.hosts = HostsFile::Pod {
            aliases: vec![HostsEntry {
                ip: "1.2.3.4".parse().unwrap(),
                names: ["one", "two"].map(|n| DnsName::parse(n).unwrap()).to_vec(),
            }],
        };
        let text = hosts(&infra, &["10.89.2.7".parse().unwrap()]).unwrap();
        assert_eq!(
            text,
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::\tip6-localnet\nfe00::\tip6-mcastprefix\nfe00::1\tip6-allnodes\n\
             fe00::2\tip6-allrouters\n10.89.2.7\tweb.sub\tweb\n\
             10.89.2.1\thost.containers.internal\n1.2.3.4\tone\ttwo\n"
        );
        infra.network = NetworkSpec::Host;
        let text = hosts(&infra, &[]).unwrap();
        assert_eq!(
            text,
            "127.0.0.1 localhost\n10.0.0.9 machine\n1.2.3.4\tone\ttwo\n"
        );
        infra.hosts = HostsFile::Image;
        assert_eq!(hosts(&infra, &[]), None);
    }

    #[test]
    fn a_resolver_that_cannot_be_reached_is_replaced() {
        let local = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n";
        let upstream = "nameserver 192.168.1.1\n";
        let mut dns = DnsSpec::default();
        let conf = |network: &NetworkSpec, upstream, dns: &DnsSpec| {
            resolv_conf(local, upstream, network, dns)
        };
        assert_eq!(
            conf(&BRIDGE, Some(upstream), &dns).unwrap(),
            "search lan\nnameserver 192.168.1.1\noptions edns0 trust-ad\n"
        );
        assert!(matches!(
            conf(&BRIDGE, None, &dns),
            Err(LaunchError::OnlyLoopbackResolvers)
        ));
        assert!(
            conf(&NetworkSpec::Host, None, &dns)
                .unwrap()
                .contains("127.0.0.53")
        );
        dns.nameservers = vec!["9.9.9.9".parse().unwrap()];
        assert!(
            conf(&BRIDGE, None, &dns)
                .unwrap()
                .contains("nameserver 9.9.9.9\n")
        );
    }

    #[test]
    fn the_pods_own_words_are_added_or_stand_alone() {
        let host = "nameserver 10.0.0.1\nsearch a b\noptions ndots:1 rotate\n";
        let mut dns = DnsSpec {
            policy: DnsPolicy::ClusterFirst,
            nameservers: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            searches: vec!["b".to_owned(), "c".to_owned()],
            options: vec!["ndots:5".to_owned()],
        };
        assert_eq!(
            resolv_conf(host, None, &BRIDGE, &dns).unwrap(),
            "search a b c\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions rotate ndots:5\n"
        );
        dns.policy = DnsPolicy::None;
        assert_eq!(
            resolv_conf(host, None, &BRIDGE, &dns).unwrap(),
            "search b c\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:5\n"
        );
    }
}
