//! Removes pods and containers: stopped by their supervisors, then forgotten with everything that is their own.
//!
//! ```text
//!   wish Remove, all pods at once ──▶ supervisor: stops, takes the pod out of the kernel, ends
//!                                      └▶ lease taken ──▶ files ──▶ record ──▶ socket, lease, lock
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::installation::{Engine, EngineError};
use super::paths::Paths;
use super::protocol::SummonError;
use super::wishes::Wish;
use super::{cgroups, parallel, sandbox};
use crate::fault;
use crate::model::observed::{Observed, PodRecord};
use crate::model::quantity::Seconds;
use crate::names::PodId;
use crate::state::{IntentKind, Lease, LockDir, Outcome, PodGuard, Removal, Step, Store};

/// How long what worked for a supervisor that is gone may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a pod is told to go that other commands start again.
const TRIES: usize = 8;

/// What became of one of several pods.
pub type PodResult = (PodId, Result<(), EngineError>);

impl Engine {
    /// Stops pods in their grace periods, all at once, and removes everything that is their own.
    ///
    /// # Errors
    /// The database cannot be written; what failed of one pod stands beside its id.
    pub fn remove_pods(
        &mut self,
        pods: &[(PodId, Option<Seconds>)],
    ) -> Result<Vec<PodResult>, EngineError> {
        let steps: Vec<Step> = pods
            .iter()
            .map(|(pod, grace)| Step::RemovePod {
                pod: pod.clone(),
                grace: *grace,
            })
            .collect();
        self.in_run(&steps, |engine| Ok(engine.remove_pods_now(pods)))
    }

    /// As [`Engine::remove_pods`], within a run that says so.
    pub(super) fn remove_pods_now(&mut self, pods: &[(PodId, Option<Seconds>)]) -> Vec<PodResult> {
        let wishes: Vec<Wish> = pods
            .iter()
            .filter(|(pod, _)| self.has_kernel_part(pod))
            .map(|(pod, grace)| Wish {
                pod: pod.clone(),
                container: None,
                kind: IntentKind::Remove { grace: *grace },
            })
            .collect();
        let mut stopped = self.carry_out(&wishes).into_iter();
        let mut results: Vec<PodResult> = Vec::new();
        for (pod, _) in pods {
            let result = match wishes.iter().any(|wish| &wish.pod == pod) {
                true => stopped.next().unwrap_or(Err(EngineError::Removed)),
                false => Ok(Outcome::Already),
            };
            let result = match result {
                // A removal is overtaken by nothing but another one.
                Err(EngineError::Overtaken { .. }) => Ok(Outcome::Already),
                other => other,
            };
            results.push((pod.clone(), unless_removed(result.map(drop))));
        }
        let stopped = results.iter_mut().filter(|(_, result)| result.is_ok());
        let (pods, places): (Vec<PodId>, Vec<_>) =
            stopped.map(|(pod, result)| (pod.clone(), result)).unzip();
        for (place, result) in places.into_iter().zip(self.forget_pods(&pods)) {
            *place = unless_removed(result);
        }
        let rest = self.remove_unused_networks();
        if let Err(error) = rest.and_then(|()| self.tell_neighbours())
            && let Some((_, last)) = results.last_mut()
            && last.is_ok()
        {
            *last = Err(error);
        }
        results
    }

    /// Returns whether a pod was started, be it half-way, so that a supervisor has to take it down.
    #[must_use]
    pub fn has_kernel_part(&self, pod: &PodId) -> bool {
        self.paths.pod(pod).run.exists()
            || Lease::is_taken(&self.locks.lease_path(pod)).unwrap_or(true)
    }

    /// Removes what is left of pods that have nothing in the kernel: their records, files and locks.
    ///
    /// One that another command has called since is told once more that the pod goes.
    pub(super) fn forget_pods(&mut self, pods: &[PodId]) -> Vec<Result<(), EngineError>> {
        let at_once = self.at_once;
        let eraser = self.eraser();
        let erased = parallel::each(pods, at_once, |pod| eraser.erase(pod));
        let again = |(pod, erased): (&PodId, _)| match erased {
            Ok(true) => Ok(()),
            Ok(false) => self.forget_called(pod),
            Err(error) => Err(error),
        };
        pods.iter().zip(erased).map(again).collect()
    }

    /// Removes what is left of pods that no record knows.
    ///
    /// One that has been recorded since it was found stays, and so does what a supervisor has: it ends by itself.
    pub(super) fn forget_unknown_pods(&mut self, pods: &[PodId]) -> Vec<Result<(), EngineError>> {
        let at_once = self.at_once;
        let eraser = self.eraser();
        parallel::each(pods, at_once, |pod| eraser.erase_unknown(pod))
    }

    /// Removes what is left of a pod that other commands call again and again.
    fn forget_called(&mut self, pod: &PodId) -> Result<(), EngineError> {
        for _ in 0..TRIES {
            let wish = Wish {
                pod: pod.clone(),
                container: None,
                kind: IntentKind::Remove {
                    grace: Some(Seconds(0)),
                },
            };
            for result in self.carry_out(&[wish]) {
                result?;
            }
            if self.eraser().erase(pod)? {
                return Ok(());
            }
        }
        Err(EngineError::Io {
            path: self.locks.lease_path(pod),
            source: io::ErrorKind::ResourceBusy.into(),
        })
    }

    fn eraser(&mut self) -> Eraser<'_> {
        Eraser {
            by: self.by(),
            paths: &self.paths,
            locks: &self.locks,
            command: &self.command,
            store: Mutex::new(&mut self.store),
        }
    }

    /// Stops containers in their grace periods, all at once, and removes them with what is their own.
    ///
    /// # Errors
    /// The database cannot be written; what failed of one container stands in its place.
    pub fn remove_containers(
        &mut self,
        containers: &[Removal],
    ) -> Result<Vec<Result<(), EngineError>>, EngineError> {
        let steps: Vec<Step> = containers
            .iter()
            .cloned()
            .map(Step::RemoveContainer)
            .collect();
        self.in_run(
            &steps,
            |engine| Ok(engine.remove_containers_now(containers)),
        )
    }

    /// As [`Engine::remove_containers`], within a run that says so.
    pub(super) fn remove_containers_now(
        &mut self,
        containers: &[Removal],
    ) -> Vec<Result<(), EngineError>> {
        // A supervisor has to know, lest it starts the container again with its pod.
        let is_supervised: Vec<bool> = containers
            .iter()
            .map(|removal| self.has_kernel_part(&removal.pod))
            .collect();
        let wishes: Vec<Wish> = containers
            .iter()
            .zip(&is_supervised)
            .filter(|(_, is_supervised)| **is_supervised)
            .map(|(removal, _)| Wish {
                pod: removal.pod.clone(),
                container: Some(removal.container.clone()),
                kind: IntentKind::Remove {
                    grace: removal.grace,
                },
            })
            .collect();
        let mut stopped = self.carry_out(&wishes).into_iter();
        containers
            .iter()
            .zip(is_supervised)
            .map(|(removal, is_supervised)| {
                if is_supervised {
                    stopped.next().unwrap_or(Err(EngineError::Removed))?;
                }
                self.forget_container(removal)
            })
            .collect()
    }

    /// Removes a container that does not run: its layer, its logs, its record and its lock.
    fn forget_container(&mut self, removal: &Removal) -> Result<(), EngineError> {
        let Removal {
            pod,
            container: id,
            name,
            grace: _,
        } = removal;
        let Some(observed) = self.store.pod(pod)? else {
            return Err(EngineError::Removed);
        };
        let by = self.by();
        let mut caller = self.locks.caller(&self.command);
        let mut share = caller.share(pod)?;
        let guard = share.container(id)?;
        let paths = self.paths.pod(pod);
        for container in observed.containers.iter().filter(|c| &c.id == id) {
            remove_tree(&paths.layer(&container.name))?;
            remove_tree(&paths.logs(&container.name))?;
        }
        // The record goes when there is nothing left that only it knows of.
        self.store.remove_container(pod, id, name, &by)?;
        guard.remove()?;
        Ok(())
    }
}

/// Erases pods, several at once: what each thread needs.
struct Eraser<'a> {
    by: String,
    paths: &'a Paths,
    locks: &'a LockDir,
    command: &'a str,
    store: Mutex<&'a mut Store>,
}

impl<'a> Eraser<'a> {
    fn store(&self) -> MutexGuard<'_, &'a mut Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what is left of a pod; not if it has a supervisor again.
    fn erase(&self, pod: &PodId) -> Result<bool, EngineError> {
        let mut caller = self.locks.caller(self.command);
        self.erase_held(caller.pod(pod)?)
    }

    /// Removes what is left of a pod without a record.
    fn erase_unknown(&self, pod: &PodId) -> Result<(), EngineError> {
        let mut caller = self.locks.caller(self.command);
        let guard = caller.pod(pod)?;
        // Who records a pod has its lock, so that only now nobody is about to.
        if self.store().pod(pod)?.is_some() {
            return Ok(());
        }
        self.erase_held(guard).map(drop)
    }

    /// Removes what is left of a pod; not if it has a supervisor again.
    ///
    /// It has the lease meanwhile, so that no supervisor begins to set the pod up again.
    fn erase_held(&self, guard: PodGuard<'_>) -> Result<bool, EngineError> {
        let pod = &guard.id().clone();
        let Some(lease) = self.take_lease(pod)? else {
            return Ok(false);
        };
        let paths = self.paths.pod(pod);
        let containers = self.store().pod(pod)?.map(|pod| pod.containers);
        self.end_cgroup(pod, &lease)?;
        sandbox::remove_mounts(&paths)?;
        fault::point("with nothing left of a pod that runs");
        remove_tree(&paths.state)?;
        fault::point("with nothing left of a pod but its record");
        for container in containers.into_iter().flatten() {
            guard.container(&container.id).remove()?;
        }
        // The record goes when there is nothing left that only it knows of.
        self.store().remove_pod(pod, &self.by)?;
        fault::point("with locks left of a pod");
        let socket = self.paths.sockets().join(pod.as_str());
        remove_file(&socket)?;
        lease.remove().map_err(|source| SummonError::Lease {
            pod: pod.clone(),
            source,
        })?;
        guard.remove()?;
        Ok(true)
    }

    /// Removes the pod's cgroup when nobody is left to make it anew: what worked for a supervisor that was killed ends a
    /// moment after it, or waits in the cgroup for ever.
    fn end_cgroup(&self, pod: &PodId, lease: &Lease) -> Result<(), EngineError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let is_last = !lease.is_worked_for().map_err(|source| SummonError::Lease {
                pod: pod.clone(),
                source,
            })?;
            cgroups::remove(&self.paths.pod(pod).cgroup)?;
            if is_last {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(EngineError::Io {
                    path: self.locks.lease_path(pod),
                    source: io::ErrorKind::ResourceBusy.into(),
                });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the supervisor that was told to remove the pod is gone, and takes its lease.
    fn take_lease(&self, pod: &PodId) -> Result<Option<Lease>, EngineError> {
        let path = self.locks.lease_path(pod);
        for _ in 0..200 {
            let lease = Lease::try_take(&path).map_err(|source| SummonError::Lease {
                pod: pod.clone(),
                source,
            })?;
            if lease.is_some() {
                return Ok(lease);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(None)
    }
}

/// Who wants a thing removed is content if another has done it meanwhile.
pub(super) fn unless_removed(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(error) if error.is_removed() => Ok(()),
        other => other,
    }
}

/// Takes a pod out of the kernel: its cgroup, its network, its mounts.
///
/// # Errors
/// What could not be removed, in words.
pub(super) fn take_down(paths: &Paths, pod: &PodRecord, observed: &Observed) -> Result<(), String> {
    let cgroup = cgroups::remove(&paths.pod(&pod.id).cgroup).map_err(|error| error.to_string());
    let sandbox = sandbox::tear_down(paths, pod, observed).map_err(|error| error.to_string());
    cgroup.and(sandbox)
}

pub(super) fn remove_tree(path: &Path) -> Result<(), EngineError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EngineError::io(path)(error)),
        _ => Ok(()),
    }
}

fn remove_file(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EngineError::io(path)(error)),
        _ => Ok(()),
    }
}
