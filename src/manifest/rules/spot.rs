//! Places in a pod's manifest, found again by what a pod's model knows of them: its names and values.

use std::path::Path;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::containers::every_container;
use super::fault::items;
use super::specs::every_spec;
use crate::manifest::read::Read;
use crate::manifest::source::{At, FindingType, Findings, Located};

/// Something of a pod that a host may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot<'a> {
    /// The name of the object.
    Name,
    /// What a container runs: its command, else its arguments, else the image that brings one.
    Command(&'a str),
    /// The container of this name.
    Container(&'a str),
    /// A port of the host, of any container.
    HostPort(u16),
    /// The path of the volume of this name.
    HostPath(&'a str),
    /// A capability that a container adds.
    Capability {
        container: &'a str,
        /// Without the prefix `CAP_`, in upper case.
        name: &'a str,
    },
    /// A device of the host that a container asks for as a resource that ends in its path.
    Device { container: &'a str, path: &'a Path },
}

impl Spot<'_> {
    /// Returns an error about the spot, or nothing where the manifest does not have it.
    #[must_use]
    pub fn error(self, read: &Read, kind: FindingType, message: &str) -> Option<Located> {
        let mut found = Findings::default();
        let mut tell = |at: &At<'_>| found.error(kind, at, message.to_owned());
        match self {
            Spot::Name => tell(&At::ROOT.field("metadata").field("name")),
            _ => every_spec(read.object.as_ref()?, &mut |_, spec, at| {
                self.find(spec, at, &mut tell);
            }),
        }
        read.document.locate(found).into_iter().next()
    }

    fn find(self, spec: &PodSpec, at: &At<'_>, tell: &mut dyn FnMut(&At<'_>)) {
        if let Spot::HostPath(name) = self {
            let at = at.field("volumes");
            let mut volumes = items(&spec.volumes).iter();
            if let Some(index) = volumes.position(|volume| volume.name == name) {
                tell(&at.index(index).field("hostPath").field("path"));
            }
            return;
        }
        every_container(spec, at, &mut |container, at| {
            self.find_in(container, at, tell);
        });
    }

    fn find_in(self, container: &Container, at: &At<'_>, tell: &mut dyn FnMut(&At<'_>)) {
        match self {
            Spot::Command(name) if container.name == name => {
                if !items(&container.command).is_empty() {
                    tell(&at.field("command").index(0));
                } else if !items(&container.args).is_empty() {
                    tell(&at.field("args").index(0));
                } else {
                    tell(&at.field("image"));
                }
            }
            Spot::Container(name) if container.name == name => tell(&at.field("name")),
            Spot::HostPort(port) => {
                let at = at.field("ports");
                let mut ports = items(&container.ports).iter();
                if let Some(index) = ports.position(|one| one.host_port == Some(port.into())) {
                    tell(&at.index(index).field("hostPort"));
                }
            }
            Spot::Capability {
                container: of,
                name,
            } if container.name == of => {
                let context = container.security_context.as_ref();
                let added = context.and_then(|context| context.capabilities.as_ref()?.add.as_ref());
                let is_it = |one: &String| {
                    let one = one.to_ascii_uppercase();
                    one.strip_prefix("CAP_").unwrap_or(&one) == name
                };
                if let Some(index) = added.and_then(|added| added.iter().position(is_it)) {
                    let at = at.field("securityContext");
                    let at = at.field("capabilities");
                    tell(&at.field("add").index(index));
                }
            }
            Spot::Device {
                container: of,
                path,
            } if container.name == of => {
                let limits = container.resources.as_ref();
                let limits = limits.and_then(|resources| resources.limits.as_ref());
                let is_it = |name: &&String| {
                    let asked = name.split_once('=').map(|(_, asked)| Path::new(asked));
                    asked == Some(path)
                };
                if let Some(name) = limits.and_then(|limits| limits.keys().find(is_it)) {
                    tell(&at.field("resources").field("limits").key(name));
                }
            }
            _ => {}
        }
    }
}
