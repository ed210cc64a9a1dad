//! A pod in the kernel: set up before its first container, its ports taken in hand, taken down at the end.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Context, StartError};
use crate::engine::installation::EngineError;
use crate::engine::network::{PortHold, hold_ports};
use crate::engine::sandbox::SandboxError;
use crate::engine::{cgroups, remove, sandbox};
use crate::fault;
use crate::model::network::PublishedPort;
use crate::model::observed::{PodRecord, Standing};
use crate::state::Store;

impl Context {
    /// Sets the pod up in the kernel if it is not, one thread at a time.
    ///
    /// What is returned is still under way; others wait until it has been finished.
    pub(super) fn set_up_pod(&self) -> Result<Option<Connecting<'_>>, StartError> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = self.paths();
        if sandbox::is_set_up(&paths) {
            return self.ensure_init(&paths).map(|()| None);
        }
        let (pod, own_ports) = self.standing()?;
        *ports = None;
        let held = hold_ports(&own_ports).map_err(EngineError::from)?;
        cgroups::create(&paths.cgroup, &pod.spec.infra.process.limits)?;
        fault::point("with the pod's cgroup made");
        sandbox::set_up(&self.installation, &pod).map_err(EngineError::from)?;
        self.write_etc(&paths)?;
        let installation = self.installation.clone();
        let mut connecting = Connecting {
            network: Some(thread::spawn(move || sandbox::connect(&installation, &pod))),
            ports,
            held: Some(held),
        };
        if !self.pod.spec.shares_pid_namespace() {
            return Ok(Some(connecting));
        }
        // The init joins the network, and only one thread may make it: the right is kept until then.
        connecting.complete()?;
        self.ensure_init(&paths).map(|()| None)
    }

    /// Returns the pod as it is recorded now, and those of its ports that no pod has whose place it is to take.
    fn standing(&self) -> Result<(PodRecord, Vec<PublishedPort>), EngineError> {
        let (pod, before) = self.ledger.read(|store| {
            let pod = store.pod(&self.pod.id)?;
            let before = match pod.as_ref().map(|pod| &pod.record.standing) {
                Some(Standing::Candidate { of }) => store.pod(of)?,
                Some(Standing::Serving | Standing::Retired { .. }) | None => None,
            };
            Ok((pod, before))
        })?;
        let pod = pod.ok_or(EngineError::Removed)?.record;
        let mut ports: Vec<_> = pod.spec.published_ports().collect();
        if let Some(before) = before {
            let taken: Vec<_> = before.record.spec.published_ports().collect();
            ports.retain(|port| !taken.iter().any(|taken| taken.collides(port)));
        }
        Ok((pod, ports))
    }

    /// Returns whether the pod has its ports in hand.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// Takes the ports in hand that came to the pod when it took another's place, if it was to take one, and those
    /// that a former supervisor had.
    ///
    /// Whoever led them here may have been killed before, so they are led here again. That they cannot be
    /// held yet is no error: the pod before holds them until it has ended, and then rings again.
    pub fn settle(&self) {
        if self.is_settled() {
            return;
        }
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if !sandbox::is_set_up(&self.paths()) {
            return;
        }
        let Ok((pod, own)) = self.standing() else {
            return;
        };
        let held = ports.get_or_insert_default().hold_more(&own).is_ok();
        let led = pod.standing.is_serving()
            && sandbox::lead_ports(&self.installation, None, &pod).is_ok();
        self.settled.store(held && led, Ordering::Relaxed);
    }

    /// Takes the pod out of the kernel.
    ///
    /// # Errors
    /// What could not be removed, in words.
    pub fn tear_down(&self) -> Result<(), String> {
        // Whoever is settling the pod's ports ends first, and nobody begins.
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        *ports = None;
        let observed = self.ledger.read(Store::observed);
        let observed = observed.map_err(|error| error.to_string())?;
        remove::take_down(&self.installation, &self.pod, &observed)
    }
}

/// A pod that is being given its network while its first container is being made.
pub(super) struct Connecting<'a> {
    network: Option<JoinHandle<Result<(), SandboxError>>>,
    ports: MutexGuard<'a, Option<PortHold>>,
    held: Option<PortHold>,
}

impl Connecting<'_> {
    pub(super) fn finish(mut self) -> Result<(), StartError> {
        self.complete()
    }

    /// Waits for the network; the right to set the pod up stays with this value.
    fn complete(&mut self) -> Result<(), StartError> {
        let Some(network) = self.network.take() else {
            return Ok(());
        };
        let made: Result<(), SandboxError> =
            network.join().expect("setting up a network does not panic");
        made.map_err(EngineError::from)?;
        *self.ports = self.held.take();
        Ok(())
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        // Whoever sets the pod up next must not meet this one, and a pod that stands has its ports in hand,
        // whatever its first container failed at; the error that led here is the one to tell.
        let _ = self.complete();
    }
}
