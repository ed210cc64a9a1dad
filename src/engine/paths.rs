//! Where everything lies: what lasts below the root, what ends with a boot below the runroot.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::names::{ContainerName, PodId, VolumeName, hex};

/// The directories of one installation; nothing of it lies anywhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// What survives a boot.
    pub root: PathBuf,
    /// What does not.
    pub runroot: PathBuf,
    /// The cgroup that all pods are in, absolute in the cgroup tree.
    pub cgroup_parent: String,
    /// Another OCI runtime than the embedded one.
    pub runtime: Option<PathBuf>,
}

impl Paths {
    /// The root of an installation for root.
    pub const DEFAULT_ROOT: &'static str = "/var/lib/podwright";
    /// The runroot of an installation for root.
    pub const DEFAULT_RUNROOT: &'static str = "/run/podwright";

    /// Returns the cgroup that the pods of a root are in when nobody chose one: a root's own, for what no
    /// pod is recorded of there is removed.
    #[must_use]
    pub fn cgroup_parent_of(root: &Path) -> String {
        match root == Path::new(Self::DEFAULT_ROOT) {
            true => "/podwright".to_owned(),
            false => format!("/podwright-{}", tag_of(root)),
        }
    }

    /// Returns whether nobody but this root has to do with the cgroup that its pods are in.
    #[must_use]
    pub fn has_own_cgroup(&self) -> bool {
        self.cgroup_parent == Self::cgroup_parent_of(&self.root)
    }

    /// Returns where images rest.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Returns where the values of Secrets rest: one file each, 0600.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Returns where the locks of commands and supervisors are.
    #[must_use]
    pub fn locks(&self) -> PathBuf {
        self.runroot.join("locks")
    }

    /// Returns the cgroup of the supervisors.
    #[must_use]
    pub fn supervisors_cgroup(&self) -> String {
        format!("{}/supervisors", self.cgroup_parent)
    }

    /// Returns where the sockets of the supervisors are, each by the id of its pod.
    #[must_use]
    pub fn sockets(&self) -> PathBuf {
        self.runroot.join("sockets")
    }

    /// Returns where compiled filters of system calls are kept.
    #[must_use]
    pub fn filters(&self) -> PathBuf {
        self.runroot.join("filters")
    }

    /// Returns where the named volumes are.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// Returns the data of a named volume.
    #[must_use]
    pub fn volume(&self, name: &VolumeName) -> PathBuf {
        self.volumes().join(name.as_str()).join("_data")
    }

    /// Returns the two directories of a pod.
    #[must_use]
    pub fn pod(&self, id: &PodId) -> PodPaths {
        PodPaths {
            state: self.root.join("pods").join(id.as_str()),
            run: self.runroot.join("pods").join(id.as_str()),
            cgroup: format!("{}/{id}", self.cgroup_parent),
        }
    }

    /// Returns whether these are the default directories, whose bridge has the default name.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.root == Path::new(Self::DEFAULT_ROOT)
    }
}

/// Returns what tells the names of a root's things in the kernel from those of another root.
pub(super) fn tag_of(root: &Path) -> String {
    hex(&Sha256::digest(root.as_os_str().as_encoded_bytes())[..3])
}

/// The file in a bundle that a container has at its `terminationMessagePath`.
pub(super) const TERMINATION_LOG: &str = "termination-log";

/// The directories of one pod.
#[derive(Debug, Clone)]
pub struct PodPaths {
    /// What survives a boot: logs, writable layers, emptyDirs.
    pub state: PathBuf,
    /// The pod's private tmpfs.
    pub run: PathBuf,
    /// The pod's cgroup, absolute in the cgroup tree.
    pub cgroup: String,
}

impl PodPaths {
    /// Returns the directory of a container's log files.
    #[must_use]
    pub fn logs(&self, container: &ContainerName) -> PathBuf {
        self.state.join("logs").join(container.as_str())
    }

    /// Returns the file that a container has at its `terminationMessagePath`.
    #[must_use]
    pub fn termination_message(&self, container: &ContainerName) -> PathBuf {
        self.bundle(container).join(TERMINATION_LOG)
    }

    /// Returns the directory of a container's writable layer.
    #[must_use]
    pub fn layer(&self, container: &ContainerName) -> PathBuf {
        self.state.join("layers").join(container.as_str())
    }

    /// Returns the directory of an emptyDir on disk.
    #[must_use]
    pub fn empty_dir(&self, volume: &VolumeName) -> PathBuf {
        self.state.join("volumes").join(volume.as_str())
    }

    /// Returns where a volume of the pod is made in its tmpfs.
    #[must_use]
    pub fn run_volume(&self, volume: &VolumeName) -> PathBuf {
        self.run.join("volumes").join(volume.as_str())
    }

    /// Returns where a named volume is mounted that is more than a directory.
    #[must_use]
    pub fn claim(&self, volume: &VolumeName) -> PathBuf {
        self.run.join("claims").join(volume.as_str())
    }

    /// Returns the OCI bundle of a container, with its streams and pins.
    #[must_use]
    pub fn bundle(&self, container: &ContainerName) -> PathBuf {
        self.run.join("containers").join(container.as_str())
    }

    /// Returns the bundle of the init of a shared PID namespace; no container can have its name.
    #[must_use]
    pub fn init_bundle(&self) -> PathBuf {
        self.run.join("containers").join("_init")
    }

    /// Returns the layer of that init, which stays empty.
    #[must_use]
    pub fn init_layer(&self) -> PathBuf {
        self.state.join("layers").join("_init")
    }

    /// Returns the cgroup of that init, absolute in the cgroup tree.
    #[must_use]
    pub fn init_cgroup(&self) -> String {
        format!("{}/_init", self.cgroup)
    }

    /// Returns where a namespace of the pod is pinned.
    #[must_use]
    pub fn namespace(&self, kind: &str) -> PathBuf {
        self.run.join("ns").join(kind)
    }

    /// Returns the shared memory of the pod (`/dev/shm`).
    #[must_use]
    pub fn shm(&self) -> PathBuf {
        self.run.join("shm")
    }

    /// Returns a file that all containers of the pod see, such as `hosts`.
    #[must_use]
    pub fn etc(&self, file: &str) -> PathBuf {
        self.run.join("etc").join(file)
    }

    /// Returns the cgroup of a container, absolute in the cgroup tree.
    #[must_use]
    pub fn container_cgroup(&self, container: &ContainerName) -> String {
        format!("{}/{container}", self.cgroup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one root removes because it knows no pod there may be a pod of another root.
    #[test]
    fn no_two_roots_share_a_cgroup() {
        let cgroups = [Paths::DEFAULT_ROOT, "/srv/one", "/srv/two"]
            .map(|root| Paths::cgroup_parent_of(Path::new(root)));
        assert_eq!(cgroups[0], "/podwright");
        assert_ne!(cgroups[1], cgroups[2]);
        for cgroup in &cgroups[1..] {
            assert!(cgroup.starts_with("/podwright-"), "{cgroup}");
        }
    }
}
