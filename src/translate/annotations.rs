//! podman's annotations: those that set something leave the annotations and become that setting.

use crate::manifest::source::At;
use crate::model::pod::Labels;

use super::notes::Notes;

/// The name of the infra container.
pub(super) const INFRA_NAME: &str = "io.podman.annotations.infra.name";
/// The greatest number of processes, of the pod or (`/CONTAINER`) of a container.
pub(super) const PIDS_LIMIT: &str = "io.podman.annotations.pids-limit";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io";
const INIT_TYPE: &str = "io.podman.annotations.init.container.type";

/// Annotations that podman acts on and this engine does not.
const NOT_HONOURED: [&str; 15] = [
    "io.podman.annotations.userns",
    "io.podman.annotations.ulimit",
    "io.podman.annotations.volumes-from",
    "io.podman.annotations.kube.image.volumes.mount",
    "io.podman.annotations.kube.image.automount",
    "io.podman.annotations.cpuset",
    "io.podman.annotations.memory-nodes",
    "io.podman.annotations.cid-file",
    "io.podman.annotations.autoremove",
    "io.podman.annotations.init",
    "io.podman.annotations.publish-all",
    "io.podman.annotations.privileged",
    "io.containers.autoupdate",
    "io.containers.sdnotify",
    "bind-mount-options",
];

/// Tells whether podman reads the annotation from a controller's metadata too.
pub(super) fn is_setting(key: &str) -> bool {
    [
        "io.podman.annotations.",
        "io.containers.",
        SECCOMP_POD,
        SECCOMP_CONTAINER,
    ]
    .iter()
    .any(|prefix| key.starts_with(prefix))
}

/// A pod's annotations while it is translated.
pub(super) struct Annotations<'a> {
    left: Labels,
    at: At<'a>,
}

impl<'a> Annotations<'a> {
    pub(super) fn new(all: Labels, at: At<'a>) -> Self {
        Self { left: all, at }
    }

    /// Returns where the annotations stand.
    pub(super) fn at(&self) -> At<'a> {
        self.at
    }

    /// Takes a setting of the pod out of the annotations.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        self.left.remove(key)
    }

    /// Takes a setting of one container out of the annotations.
    pub(super) fn take_of(&mut self, key: &str, container: &str) -> Option<String> {
        self.left.remove(&format!("{key}/{container}"))
    }

    /// Takes the pod's seccomp profile, spelled as before `seccompProfile` came.
    pub(super) fn take_seccomp(&mut self) -> Option<String> {
        self.take(SECCOMP_POD)
    }

    /// Takes a container's seccomp profile, spelled as before `seccompProfile` came.
    pub(super) fn take_seccomp_of(&mut self, container: &str) -> Option<String> {
        self.take_of(SECCOMP_CONTAINER, container)
    }

    /// Returns the annotations that set nothing, with a warning for each that podman would act on.
    pub(super) fn into_plain(self, notes: &mut Notes<'_>) -> Labels {
        for (key, value) in &self.left {
            let name = key.split('/').next().unwrap_or(key);
            let sets = match name {
                INIT_TYPE => value != "always",
                name => NOT_HONOURED.contains(&name) && !value.eq_ignore_ascii_case("false"),
            };
            if sets {
                notes.not_yet(&self.at.key(key));
            }
        }
        self.left
    }
}
