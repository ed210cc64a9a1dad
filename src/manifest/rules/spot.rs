//! Places in a pod's manifest, found again by what a pod's model knows of them: its names and values.

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::across::every_spec;
use super::containers::every_container;
use super::fault::items;
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
            _ => {}
        }
    }
}
