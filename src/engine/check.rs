//! Compares what is recorded with what there is.
//!
//! Everything is looked at twice: what a command is just making or removing is gone or recorded the second time.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::installation::{Engine, EngineError};
use super::network::{self, HostNetwork, Leaks};
use super::sandbox::SandboxError;
use super::sweep::names_in;
use super::{cgroups, keeper, networks, protocol, sandbox};
use crate::model::observed::{ObjectContent, Observed, ObservedPod};
use crate::names::{ContainerId, ImageId, NetworkName, ObjectName, PodId};
use crate::sys::cgroup::Cgroups;
use crate::sys::mount;
use crate::sys::mount_table::mounts_below;
use crate::sys::process;

/// Between the two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// A pod that was to be brought back, by its name, and what came of it.
pub type Boot = (String, Result<(), EngineError>);

/// Something that is not as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// The database's own words.
    Database(String),
    /// A command died in the middle of its work.
    DeadCommand {
        number: i64,
        by: String,
    },
    /// Something of a pod that is not recorded.
    UnknownPod(PodId),
    /// Processes in a cgroup of a pod whose container does not run.
    Processes {
        cgroup: String,
        pids: Vec<i32>,
    },
    /// A pod that needs a supervisor and has none.
    Unsupervised {
        pod: PodId,
        name: String,
    },
    /// Something is mounted where a pod's tmpfs is to be.
    Mount {
        pod: PodId,
        path: PathBuf,
    },
    /// A supervisor or the keeper has something open that is none of its business.
    Descriptor {
        pid: u32,
        path: PathBuf,
    },
    Link(String),
    Forward(String),
    /// A bridge that no pod uses.
    Bridge(String),
    /// The lock file of a container that is not recorded.
    ContainerLock(ContainerId),
    LostSecret(ObjectName),
    UnknownSecret(String),
    /// An image whose layers are not all there.
    BrokenImage(String),
    /// A pod that cannot start again, since an image of it is not recorded.
    NoImage {
        pod: String,
        image: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(words) => write!(f, "database: {words}"),
            Self::DeadCommand { by, .. } => {
                write!(f, "`{by}` was killed in the middle of its work")
            }
            Self::UnknownPod(id) => {
                write!(f, "something is left of pod {id}, which is not recorded")
            }
            Self::Processes { cgroup, pids } => {
                write!(
                    f,
                    "processes {pids:?} in cgroup {cgroup}, whose container does not run"
                )
            }
            Self::Unsupervised { name, .. } => write!(f, "pod `{name}` has no supervisor"),
            Self::Mount { pod, path } => {
                write!(
                    f,
                    "{} is mounted beside the tmpfs of pod {}",
                    path.display(),
                    pod.short()
                )
            }
            Self::Descriptor { pid, path } => {
                write!(f, "process {pid} keeps {} open", path.display())
            }
            Self::Link(name) => write!(f, "link {name} belongs to no pod"),
            Self::Forward(words) => write!(f, "port {words} is published for no pod"),
            Self::Bridge(name) => write!(f, "bridge {name} is used by no pod"),
            Self::ContainerLock(id) => {
                write!(f, "a lock is left of container {id}, which is not recorded")
            }
            Self::LostSecret(name) => write!(f, "the values of Secret `{name}` are lost"),
            Self::UnknownSecret(id) => write!(f, "values {id} belong to no Secret"),
            Self::BrokenImage(name) => write!(f, "image {name} lacks layers"),
            Self::NoImage { pod, image } => {
                write!(
                    f,
                    "pod `{pod}`: image {image} is not recorded: load or pull it again"
                )
            }
        }
    }
}

impl Engine {
    /// Returns everything that is not as it is recorded.
    ///
    /// # Errors
    /// The database is too damaged to be read, or the kernel does not answer.
    pub fn check(&mut self) -> Result<Vec<Finding>, EngineError> {
        let first = self.look()?;
        if first.is_empty() {
            return Ok(Vec::new());
        }
        std::thread::sleep(PAUSE);
        let second = self.look()?;
        Ok(first.intersection(&second).cloned().collect())
    }

    /// Removes what is left over and brings back what is missing; returns what could not be helped.
    ///
    /// # Errors
    /// The database cannot be used.
    pub fn repair(&mut self, findings: &[Finding]) -> Result<Vec<Finding>, EngineError> {
        self.end_dead_runs()?;
        for finding in findings {
            // What goes wrong is found again below.
            let _ = self.mend(finding);
        }
        self.sweep()?;
        self.check()
    }

    fn mend(&mut self, finding: &Finding) -> Result<(), EngineError> {
        match finding {
            Finding::UnknownPod(pod) => self
                .forget_unknown_pods(std::slice::from_ref(pod))
                .into_iter()
                .collect::<Result<(), _>>()?,
            Finding::Processes { cgroup, .. } => cgroups::kill(cgroup)?,
            Finding::Unsupervised { pod, .. } => {
                drop(protocol::summon(&self.paths, &self.locks, pod)?);
            }
            Finding::Mount { pod, path } => {
                // A supervisor may be setting the pod up this moment.
                if self.has_no_supervisor(pod) {
                    mount::unmount(path).map_err(SandboxError::from)?;
                }
            }
            Finding::Link(_) | Finding::Forward(_) => {
                for (_, host, leaks) in self.network_leaks(&self.store.observed()?)? {
                    network::remove_leaks(&host, &leaks)?;
                }
            }
            Finding::Bridge(_) => self.remove_unused_networks()?,
            Finding::ContainerLock(id) => self.locks.forget_container(id)?,
            // The sweep removes values that belong to no Secret; lost ones nobody can bring back.
            Finding::Database(_)
            | Finding::DeadCommand { .. }
            | Finding::Descriptor { .. }
            | Finding::LostSecret(_)
            | Finding::UnknownSecret(_)
            | Finding::BrokenImage(_)
            | Finding::NoImage { .. } => {}
        }
        Ok(())
    }

    fn look(&mut self) -> Result<BTreeSet<Finding>, EngineError> {
        let mut found = BTreeSet::new();
        found.extend(self.store.faults()?.into_iter().map(Finding::Database));
        for run in self.dead_runs()? {
            found.insert(Finding::DeadCommand {
                number: run.number,
                by: run.by,
            });
        }
        let observed = self.store.observed()?;
        self.look_for_unknown(&observed, &mut found)?;
        for pod in &observed.pods {
            self.look_at_pod(pod, &mut found)?;
        }
        self.look_at_mounts(&mut found)?;
        self.look_at_descriptors(&mut found)?;
        self.look_at_networks(&observed, &mut found)?;
        self.look_at_secrets(&observed, &mut found)?;
        let images = self.image_records()?;
        for image in &images {
            if !self.images.has(image) {
                found.insert(Finding::BrokenImage(image.id.to_string()));
            }
        }
        for pod in &observed.pods {
            let known = |id: &ImageId| images.iter().any(|image| image.id == *id);
            for image in pod.images().filter(|id| !known(id)) {
                found.insert(Finding::NoImage {
                    pod: pod.record.spec.name.to_string(),
                    image: image.to_string(),
                });
            }
        }
        Ok(found)
    }

    /// Finds directories, sockets, locks and cgroups of pods that are not recorded.
    fn look_for_unknown(
        &self,
        observed: &Observed,
        found: &mut BTreeSet<Finding>,
    ) -> Result<(), EngineError> {
        let mut pods = self.locks.pods()?;
        let mut places = vec![
            self.paths.root.join("pods"),
            self.paths.runroot.join("pods"),
            self.paths.sockets(),
        ];
        places.extend(self.cgroup_places(Path::new(&self.paths.cgroup_parent))?);
        for place in places {
            let names = names_in(&place)?;
            pods.extend(names.iter().filter_map(|name| PodId::parse(name).ok()));
        }
        let mut containers = self.locks.containers()?;
        for pod in &observed.pods {
            pods.remove(&pod.record.id);
            for container in &pod.containers {
                containers.remove(&container.id);
            }
        }
        found.extend(pods.into_iter().map(Finding::UnknownPod));
        found.extend(containers.into_iter().map(Finding::ContainerLock));
        Ok(())
    }

    /// Returns where a cgroup is in each hierarchy.
    fn cgroup_places(&self, cgroup: &Path) -> Result<Vec<PathBuf>, EngineError> {
        let relative = cgroup.strip_prefix("/").unwrap_or(cgroup);
        let cgroups = Cgroups::detect()?;
        Ok(cgroups
            .controller_mounts()
            .map(|mount| mount.join(relative))
            .collect())
    }

    fn look_at_pod(
        &self,
        pod: &ObservedPod,
        found: &mut BTreeSet<Finding>,
    ) -> Result<(), EngineError> {
        let id = &pod.record.id;
        let paths = self.paths.pod(id);
        let cgroups = Cgroups::detect()?;
        for container in &pod.containers {
            let cgroup = paths.container_cgroup(&container.name);
            let group = cgroups.group(Path::new(&cgroup))?;
            if container.state.is_running() || !group.exists() {
                continue;
            }
            let pids: Vec<i32> = group
                .pids()?
                .into_iter()
                .filter_map(|pid| i32::try_from(pid).ok())
                .collect();
            if !pids.is_empty() {
                found.insert(Finding::Processes { cgroup, pids });
            }
        }
        let runs = pod.containers.iter().any(|c| c.state.is_running());
        if runs && self.has_no_supervisor(id) {
            found.insert(Finding::Unsupervised {
                pod: id.clone(),
                name: pod.record.spec.name.to_string(),
            });
        }
        Ok(())
    }

    /// Finds mounts that would stay when the pod's tmpfs goes, and a second tmpfs of the same pod.
    fn look_at_mounts(&self, found: &mut BTreeSet<Finding>) -> Result<(), EngineError> {
        for pod in sandbox::present(&self.paths).map_err(EngineError::io(&self.paths.runroot))? {
            let run = self.paths.pod(&pod).run;
            let mounts = mounts_below(&run).map_err(EngineError::io(&run))?;
            let (own, inside): (Vec<_>, Vec<_>) = mounts
                .into_iter()
                .partition(|path| path.ends_with(pod.as_str()));
            let stray = match own.as_slice() {
                [] => inside,
                [_, more @ ..] => more.to_vec(),
            };
            found.extend(stray.into_iter().map(|path| Finding::Mount {
                pod: pod.clone(),
                path,
            }));
        }
        Ok(())
    }

    /// Finds what the processes that stay have open beside what is the installation's, the kernel's or nobody's.
    fn look_at_descriptors(&self, found: &mut BTreeSet<Finding>) -> Result<(), EngineError> {
        let cgroups = Cgroups::detect()?;
        let supervisors = self.paths.supervisors_cgroup();
        let canonical = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        let own = [&self.paths.root, &self.paths.runroot].map(canonical);
        let known = ["/dev/null", "/proc", "/sys", "/memfd:"];
        let stages = [protocol::STAGE, keeper::STAGE];
        // On version 1 there are hierarchies that nobody moves a container to.
        let stays = |pid: &u32| {
            process::argument(*pid, 1).is_some_and(|word| stages.contains(&word.as_str()))
        };
        for pid in cgroups
            .group(Path::new(&supervisors))?
            .pids()?
            .into_iter()
            .filter(stays)
        {
            for path in process::open_paths(pid) {
                let text = path.to_string_lossy();
                let is_known = own.iter().any(|own| path.starts_with(own))
                    || known.iter().any(|known| text.starts_with(known));
                if !is_known {
                    found.insert(Finding::Descriptor { pid, path });
                }
            }
        }
        Ok(())
    }

    /// Returns what the networks have in the kernel that no pod has.
    fn network_leaks(
        &self,
        observed: &Observed,
    ) -> Result<Vec<(NetworkName, HostNetwork, Leaks)>, EngineError> {
        let pods = || observed.pods.iter().map(|pod| &pod.record);
        let links = pods().flat_map(sandbox::links_of).collect();
        let addresses = pods()
            .flat_map(|pod| &pod.addresses)
            .filter_map(|assigned| match assigned.address {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
            .collect();
        networks::names(observed)
            .map(|name| {
                let host = sandbox::network_of(&self.paths, &name);
                let leaks = network::leaks(&host, &links, &addresses)?;
                Ok((name, host, leaks))
            })
            .collect()
    }

    fn look_at_networks(
        &self,
        observed: &Observed,
        found: &mut BTreeSet<Finding>,
    ) -> Result<(), EngineError> {
        for (name, host, leaks) in self.network_leaks(observed)? {
            let links = leaks.links.iter().map(|link| link.as_str().to_owned());
            found.extend(links.map(Finding::Link));
            let forwards = leaks.forwards.iter();
            found.extend(forwards.map(|forward| {
                Finding::Forward(format!("{} to {}", forward.host_port, forward.to))
            }));
            if leaks.bridge && observed.pods_on(&name).next().is_none() {
                found.insert(Finding::Bridge(host.bridge().as_str().to_owned()));
            }
        }
        Ok(())
    }

    fn look_at_secrets(
        &self,
        observed: &Observed,
        found: &mut BTreeSet<Finding>,
    ) -> Result<(), EngineError> {
        let mut files: BTreeSet<String> = names_in(&self.paths.secrets())?
            .into_iter()
            .filter(|name| !name.starts_with('.'))
            .collect();
        for object in &observed.objects {
            if let ObjectContent::Secret { id, .. } = &object.content
                && !files.remove(id)
            {
                found.insert(Finding::LostSecret(object.name.clone()));
            }
        }
        // The lock of the directory lies in it.
        files.retain(|name| name.len() == 64);
        found.extend(files.into_iter().map(Finding::UnknownSecret));
        Ok(())
    }

    /// Brings the pods back that were wanted when the host went down; returns their names.
    ///
    /// Their supervisors meet records of processes of another boot, and do what the restart policy says.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn boot(&mut self) -> Result<Vec<Boot>, EngineError> {
        let observed = self.store.observed()?;
        let is_wanted = |pod: &&ObservedPod| {
            use crate::model::state::Wanted;
            pod.containers.iter().any(|c| c.wanted == Wanted::Running)
        };
        Ok(observed
            .pods
            .iter()
            .filter(is_wanted)
            .map(|pod| {
                let summoned = protocol::summon(&self.paths, &self.locks, &pod.record.id);
                let name = pod.record.spec.name.to_string();
                (name, summoned.map(drop).map_err(EngineError::from))
            })
            .collect())
    }
}
