//! What pods need that this process cannot give: privileges, capabilities, devices.

use std::path::Path;

use super::unmet::Unmet;
use crate::engine::launch::{HostFacts, capabilities};
use crate::manifest::FindingType;
use crate::manifest::rules::Spot;
use crate::model::container::{Capability, ContainerSpec};
use crate::model::pod::PodSpec;

/// Returns what this process cannot give a pod.
pub(super) fn missing(pod: &PodSpec) -> Vec<Unmet<'_>> {
    let refuse = |message: String| {
        let (spot, kind) = (Spot::Name, FindingType::Forbidden);
        vec![Unmet {
            spot,
            kind,
            message,
        }]
    };
    if !nix::unistd::geteuid().is_root() {
        return refuse("pods are played as root only".to_owned());
    }
    match HostFacts::read() {
        Ok(host) => pod
            .all_containers()
            .flat_map(|one| of_container(one, &host))
            .collect(),
        Err(error) => refuse(format!("this host cannot run pods: {error}")),
    }
}

fn of_container<'p>(container: &'p ContainerSpec, host: &HostFacts) -> Vec<Unmet<'p>> {
    let name = container.name.as_str();
    let privileges = &container.privileges;
    let lacks = |one: &&Capability| !one.is_all() && !host.capabilities.contains(one);
    let added = match capabilities::bounding(privileges, &host.capabilities) {
        Ok(_) => None,
        Err(_) => Some(privileges.add_capabilities.iter().filter(lacks)),
    };
    let capabilities = added.into_iter().flatten().map(|one| Unmet {
        spot: Spot::Capability {
            container: name,
            name: one.as_str(),
        },
        kind: FindingType::Forbidden,
        message: format!("this host does not give the capability {}", one.as_str()),
    });
    let missing = container.host_devices().filter(|path| !is_device(path));
    let devices = missing.map(|path| Unmet {
        spot: Spot::Device {
            container: name,
            path,
        },
        kind: FindingType::NotFound,
        message: format!("{} is no device of this host", path.display()),
    });
    capabilities.chain(devices).collect()
}

/// Tells whether a path leads to a device, or to a directory of them.
fn is_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata(path).is_ok_and(|file| {
        let kind = file.file_type();
        kind.is_char_device() || kind.is_block_device() || kind.is_dir()
    })
}
