//! The volumes that a container mounts.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::Subject;
use crate::model::volume::{Medium, Mount, Propagation, VolumeSpec};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MountInspect {
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    source: String,
    destination: String,
    driver: &'static str,
    mode: &'static str,
    options: Vec<String>,
    #[serde(rename = "RW")]
    read_write: bool,
    propagation: &'static str,
}

impl MountInspect {
    /// Returns the mount as templates see it: the name is left out of podman's JSON where there is none, and empty there.
    pub(super) fn for_templates(&self) -> Value {
        let mut fields = json!(self);
        if self.name.is_none() {
            fields["Name"] = "".into();
        }
        fields
    }

    /// Returns the mount as `podman run --volume` takes it.
    pub(super) fn bind(&self) -> String {
        let source = self.name.as_ref().unwrap_or(&self.source);
        format!(
            "{source}:{}:{},{},{}",
            self.destination,
            if self.read_write { "rw" } else { "ro" },
            self.propagation,
            self.options.join(",")
        )
    }
}

/// Returns the mounts of a container.
pub(super) fn mounts(subject: &Subject<'_>) -> Vec<MountInspect> {
    let mounts = subject.spec.mounts.iter();
    mounts
        .filter_map(|mount| mount_inspect(subject, mount))
        .collect()
}

fn mount_inspect(subject: &Subject<'_>, mount: &Mount) -> Option<MountInspect> {
    let own = subject.own();
    let text = |path: &Path| path.display().to_string();
    let (kind, name, source) = match subject.pod.record.spec.volumes.get(&mount.volume)? {
        VolumeSpec::HostPath { path, .. } => ("bind", None, text(path)),
        VolumeSpec::EmptyDir { medium, .. } => match medium {
            Medium::Disk => ("bind", None, text(&own.empty_dir(&mount.volume))),
            Medium::Memory => ("tmpfs", None, text(&own.run_volume(&mount.volume))),
        },
        VolumeSpec::Projected { .. } => ("bind", None, text(&own.run_volume(&mount.volume))),
        VolumeSpec::Claim { claim, .. } => (
            "volume",
            Some(claim.to_string()),
            text(&subject.host.paths.volume(claim)),
        ),
        VolumeSpec::Image { reference, .. } => ("image", None, reference.to_string()),
    };
    Some(MountInspect {
        kind,
        name,
        source,
        destination: text(&mount.path),
        driver: if kind == "volume" { "local" } else { "" },
        mode: "",
        options: std::iter::once("rbind".to_owned())
            .chain(mount.options.iter().cloned())
            .collect(),
        read_write: !mount.read_only,
        propagation: match mount.propagation {
            Propagation::None => "rprivate",
            Propagation::HostToContainer => "rslave",
            Propagation::Bidirectional => "rshared",
        },
    })
}
