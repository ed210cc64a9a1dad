//! The files below `/etc` that all containers of a pod see.

use std::fs;
use std::net::IpAddr;

use super::{Context, StartError};
use crate::engine::installation::EngineError;
use crate::engine::launch::files::{HostsFacts, hosts_file, resolv_conf};
use crate::engine::neighbours;
use crate::engine::paths::PodPaths;
use crate::model::infra::EtcHostname;
use crate::state::Store;

impl Context {
    /// Writes the files that all containers of the pod see.
    pub(super) fn write_etc(&self, paths: &PodPaths) -> Result<(), StartError> {
        let spec = &self.pod.spec;
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let write = |name: &str, text: &str| {
            let path = paths.etc(name);
            fs::write(&path, text).map_err(EngineError::io(&path))
        };
        let hostname = self.hostname();
        let addresses: Vec<IpAddr> = self.pod.addresses.iter().map(|a| a.address).collect();
        let hosts = hosts_file(
            &spec.infra,
            &HostsFacts {
                host_file: &read("/etc/hosts"),
                hostname: &hostname,
                addresses: &addresses,
                gateway: self.pod.addresses.first().map(|assigned| assigned.gateway),
            },
        );
        if let Some(mut hosts) = hosts {
            let mut turn = None;
            if neighbours::may_have(&self.pod) {
                turn = Some(neighbours::hold(&self.installation)?);
                let observed = self
                    .ledger
                    .read(Store::observed)
                    .map_err(EngineError::from)?;
                hosts += &neighbours::lines(&observed, &self.pod);
            }
            write("hosts", &hosts)?;
            drop(turn);
        }
        if spec.infra.etc_hostname == EtcHostname::Pod {
            write("hostname", &format!("{hostname}\n"))?;
        }
        let upstream = read("/run/systemd/resolve/resolv.conf");
        let conf = resolv_conf(
            &read("/etc/resolv.conf"),
            Some(&upstream)
                .filter(|text| !text.is_empty())
                .map(String::as_str),
            &spec.infra.network,
            &spec.infra.dns,
        )?;
        write("resolv.conf", &conf)?;
        Ok(())
    }

    /// Returns what the pod's containers have for their host name.
    pub(super) fn hostname(&self) -> String {
        match self.pod.spec.hostname() {
            Some(hostname) => hostname.to_string(),
            None => nix::unistd::gethostname()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
        }
    }
}
