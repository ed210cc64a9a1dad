//! `port`: where the ports of containers are published.

use super::super::args::Port;
use super::super::error::Error;
use super::Context;
use super::find::{self, Found};
use crate::model::network::PublishedPort;

pub(super) fn list(context: &mut Context<'_>, arguments: &Port) -> Result<(), Error> {
    let engine = context.engine("port")?;
    let observed = engine.observed()?;
    if arguments.all {
        for found in find::all_containers(&observed) {
            let id = found.container.id.short().to_owned();
            for port in found.pod.record.spec.published_ports() {
                context.output.line(format_args!("{id}\t{}", line(&port)))?;
            }
        }
        return Ok(context.output.flush()?);
    }
    let (found, wanted) = chosen(&observed, arguments)?;
    let ports = found.pod.record.spec.published_ports();
    match wanted {
        None => {
            for port in ports {
                context.output.line(line(&port))?;
            }
        }
        Some(wanted) => {
            let meant: Vec<_> = ports.filter(|port| is_meant(port, &wanted)).collect();
            if meant.is_empty() {
                return Err(Error::Usage {
                    message: format!("failed to find published port \"{wanted}\""),
                    help: Some("`podwright port CONTAINER` lists those there are"),
                });
            }
            for port in meant {
                context.output.line(host(&port))?;
            }
        }
    }
    Ok(context.output.flush()?)
}

/// With `--latest`, the first word is the port.
fn chosen<'a>(
    observed: &'a crate::model::observed::Observed,
    arguments: &Port,
) -> Result<(Found<'a>, Option<String>), Error> {
    Ok(match (&arguments.container, arguments.latest) {
        (Some(name), false) => (find::container(observed, name)?, arguments.port.clone()),
        (word, _) => (find::latest_container(observed)?, word.clone()),
    })
}

/// A port without a protocol is one of TCP.
fn is_meant(port: &PublishedPort, wanted: &str) -> bool {
    let (number, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    number.parse() == Ok(port.container_port)
        && protocol.eq_ignore_ascii_case(&port.protocol.to_string())
}

fn line(port: &PublishedPort) -> String {
    format!(
        "{}/{} -> {}",
        port.container_port,
        port.protocol,
        host(port)
    )
}

fn host(port: &PublishedPort) -> String {
    match port.host_ip {
        None => format!("0.0.0.0:{}", port.host_port),
        Some(ip) => std::net::SocketAddr::new(ip, port.host_port).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::Protocol;

    #[test]
    fn ports_are_told_as_podman_tells_them() {
        let port = |ip: Option<&str>, protocol| PublishedPort {
            host_ip: ip.map(|ip| ip.parse().unwrap()),
            host_port: 8087,
            container_port: 80,
            protocol,
        };
        let local = port(Some("127.0.0.100"), Protocol::Tcp);
        assert_eq!(line(&local), "80/tcp -> 127.0.0.100:8087");
        assert_eq!(line(&port(None, Protocol::Udp)), "80/udp -> 0.0.0.0:8087");
        assert_eq!(host(&port(Some("::1"), Protocol::Tcp)), "[::1]:8087");
        for (wanted, meant) in [
            ("80", true),
            ("80/TCP", true),
            ("80/udp", false),
            ("8", false),
        ] {
            assert_eq!(is_meant(&local, wanted), meant, "{wanted}");
        }
    }
}
