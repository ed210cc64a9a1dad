//! One pod takes another's place while requests come in.
//!
//! ```text
//!  new pod started ─▶ it serves ─▶ store: names and claims change hands ─▶ nft: ports lead to it
//!                                  ─▶ connections to the old one have ended ─▶ the old one is removed
//! ```
//!
//! A client meets one of the two at any moment. Until the last step everything goes back: the old pod
//! has not been touched.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::execute::Report;
use super::installation::{Engine, EngineError};
use super::{network, protocol, sandbox};
use crate::fault;
use crate::model::container::Role;
use crate::model::network::Protocol;
use crate::model::observed::{ContainerRecord, ObservedPod, PodRecord, Standing};
use crate::model::state::ContainerState;
use crate::names::{PodId, PodName};
use crate::plan::Action;
use crate::state::{Failure, HandOver, IntentKind, Outcome};

/// How long a pod may take to become ready: a Deployment's `progressDeadlineSeconds`.
const READY_WITHIN: Duration = Duration::from_secs(600);

/// How long a pod without a readiness probe may take to listen where the old one did.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// How long connections to the old pod may go on before it is asked to end.
const DRAINED_WITHIN: Duration = Duration::from_secs(2);

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How often a pod is put up again that is still being taken down.
const PUT_UP_TRIES: usize = 3;

impl Engine {
    /// Waits for new pods to serve, and gives each the place of the one it replaces.
    pub(super) fn hand_over(
        &mut self,
        actions: &[Action],
        report: &mut Report,
    ) -> Result<(), EngineError> {
        let mut old = Vec::new();
        for action in actions {
            if let Action::HandOver { from, to, name } = action {
                self.await_service(from, to, name, report)?;
            }
        }
        for action in actions {
            if let Action::HandOver { from, to, .. } = action {
                old.extend(self.exchange(to)?);
                report.replaced.push(from.clone());
            }
        }
        self.drain(&old);
        Ok(())
    }

    /// Takes pods out of the kernel that cannot run beside their successors; their records stay.
    pub(super) fn take_down_pods(&mut self, pods: &[(PodId, PodName)]) -> Result<(), EngineError> {
        let running: Vec<_> = pods
            .iter()
            .filter(|(pod, _)| self.has_kernel_part(pod))
            .cloned()
            .collect();
        let results = self.wish_all(&running, &IntentKind::Remove { grace: None });
        results.into_iter().collect::<Result<Vec<Outcome>, _>>()?;
        Ok(())
    }

    /// Starts a pod again that was taken down.
    pub(super) fn put_up(&mut self, pod: PodId) -> Result<(), EngineError> {
        let name = match self.store.pod(&pod)? {
            Some(pod) => pod.record.spec.name,
            None => return Ok(()),
        };
        let mut result = Ok(Outcome::Already);
        for _ in 0..PUT_UP_TRIES {
            let wish = [(pod.clone(), name.clone())];
            result = self
                .wish_all(&wish, &IntentKind::Start)
                .pop()
                .unwrap_or(Err(EngineError::Removed));
            // It may still be on its way down, and the removal is what overtook this.
            if !matches!(result, Err(EngineError::Overtaken { .. })) {
                break;
            }
        }
        result.map(drop)
    }

    /// Undoes an exchange, if there was one.
    pub(super) fn hand_back(&mut self, old: &ObservedPod, new: &PodId) -> Result<(), EngineError> {
        let is_retired =
            |pod: &ObservedPod| matches!(pod.record.standing, Standing::Retired { .. });
        if !self
            .store
            .pod(&old.record.id)?
            .as_ref()
            .is_some_and(is_retired)
        {
            return Ok(());
        }
        if let Some(new) = self.store.pod(new)?
            && sandbox::is_set_up(&self.paths.pod(&old.record.id))
        {
            sandbox::lead_ports(&self.paths, Some(&new.record), &old.record)?;
        }
        Ok(self.store.hand_back(old, new)?)
    }

    /// Lets the supervisors of new pods take hold of the ports that the old ones have let go.
    pub(super) fn settle(&self, report: &Report) {
        let created = report.created.iter().map(|pod| &pod.record.id);
        for pod in created.chain(report.kept.iter().map(|(pod, _)| pod)) {
            // One that has ended already holds nothing.
            let _ = protocol::connect(&self.paths, pod);
        }
    }

    fn observed_pod(&self, pod: &PodId) -> Result<Option<ObservedPod>, EngineError> {
        let mut pods = self.observed()?.pods.into_iter();
        Ok(pods.find(|found| &found.record.id == pod))
    }

    /// Gives a pod the name and the ports of the one it replaces, and returns that one.
    fn exchange(&mut self, new: &PodId) -> Result<Option<PodRecord>, EngineError> {
        let old = match self.store.hand_over(new)? {
            HandOver::Done(old) => old,
            HandOver::NoCandidate => return Err(EngineError::Removed),
        };
        let Some(old) = old else {
            return Ok(None);
        };
        fault::point("with the names handed over");
        if sandbox::is_set_up(&self.paths.pod(new))
            && let Some(new) = self.store.pod(new)?
        {
            sandbox::lead_ports(&self.paths, Some(&old.record), &new.record)?;
        }
        Ok(Some(old.record))
    }

    /// Waits until a pod is ready and listens where the one before it does.
    fn await_service(
        &self,
        old: &PodId,
        new: &PodId,
        name: &PodName,
        report: &mut Report,
    ) -> Result<(), EngineError> {
        if !sandbox::is_set_up(&self.paths.pod(new)) {
            return Ok(());
        }
        let begun = Instant::now();
        let served = self.listened(old);
        loop {
            let pod = self.observed_pod(new)?.ok_or(EngineError::Removed)?;
            let not_started = |failure| EngineError::NotStarted {
                pod: name.clone(),
                failure,
            };
            if let Some(failure) = failure(&pod) {
                return Err(not_started(failure));
            }
            let ready = apps(&pod).all(is_ready);
            let missing = missing(&pod.record, &served, &self.listened(new));
            match ready {
                true if missing.is_empty() => return Ok(()),
                true if begun.elapsed() > LISTENS_WITHIN => {
                    let ports: Vec<String> = missing.iter().map(ToString::to_string).collect();
                    report.warnings.push(format!(
                        "pod `{name}`: nothing listens on port {} yet",
                        ports.join(", ")
                    ));
                    return Ok(());
                }
                false if begun.elapsed() > READY_WITHIN => {
                    return Err(not_started(never_ready()));
                }
                _ => sleep(LOOK_AGAIN),
            }
        }
    }

    /// Returns the TCP ports that a pod listens on; none for one without a network of its own.
    fn listened(&self, pod: &PodId) -> BTreeSet<u16> {
        network::listens(&self.paths.pod(pod).namespace("net")).unwrap_or_default()
    }

    /// Waits until nobody is connected to the published ports of pods that are to go.
    fn drain(&self, pods: &[PodRecord]) {
        let until = Instant::now() + DRAINED_WITHIN;
        let connected = |pod: &PodRecord| {
            let netns = self.paths.pod(&pod.id).namespace("net");
            network::connections(&netns, &published(pod)).unwrap_or(0) > 0
        };
        while pods.iter().any(connected) && Instant::now() < until {
            sleep(LOOK_AGAIN);
        }
    }
}

pub(super) fn is_running(pod: &ObservedPod) -> bool {
    pod.containers
        .iter()
        .any(|record| record.state.is_running())
}

/// Returns the containers that make up the service: not those that only prepare it.
fn apps(pod: &ObservedPod) -> impl Iterator<Item = &ContainerRecord> {
    pod.containers.iter().filter(|record| {
        let spec = pod.spec_of(record);
        spec.is_some_and(|spec| matches!(spec.role, Role::App | Role::Sidecar))
    })
}

/// Returns whether a container serves, or has done what it was to do.
fn is_ready(container: &ContainerRecord) -> bool {
    container.ready || matches!(container.state, ContainerState::Exited { .. })
}

/// Finds a container that failed before the pod was ready.
fn failure(pod: &ObservedPod) -> Option<Failure> {
    let failed = |container: &ContainerRecord| {
        let exit = container.exit().filter(|exit| exit.is_failure())?;
        let message = format!(
            "it ended with exit code {} before the pod was ready",
            exit.code()
        );
        (!container.state.is_running()).then(|| Failure {
            container: Some(container.name.clone()),
            message,
            code: 125,
        })
    };
    apps(pod).find_map(failed)
}

fn never_ready() -> Failure {
    Failure {
        container: None,
        message: format!("not ready within {} s", READY_WITHIN.as_secs()),
        code: 125,
    }
}

/// Returns the published TCP ports of a pod, as its containers have them.
fn published(pod: &PodRecord) -> BTreeSet<u16> {
    pod.spec
        .published_ports()
        .filter(|port| port.protocol == Protocol::Tcp)
        .map(|port| port.container_port)
        .collect()
}

/// Returns the published ports that one pod serves and the next does not yet.
fn missing(new: &PodRecord, served: &BTreeSet<u16>, listened: &BTreeSet<u16>) -> BTreeSet<u16> {
    let published = published(new);
    let before = published.intersection(served);
    before
        .filter(|port| !listened.contains(port))
        .copied()
        .collect()
}
