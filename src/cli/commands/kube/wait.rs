//! `kube play --wait`: in the foreground until the pods have ended or a signal comes.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::super::error::Error;
use crate::engine::Engine;
use crate::model::container::Role;
use crate::model::observed::{ContainerRecord, ObservedPod};
use crate::model::state::{ContainerState, ExitStatus};
use crate::names::PodName;

const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Signal,
    /// Every container did what it was to do, or the pods were removed.
    Done,
    /// The exit code of the container that failed first.
    Failed(u8),
}

/// The signals that end the wait, caught from the moment this value is made.
pub(super) struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Error> {
        let failed = |source| Error::File {
            doing: "listening for signals",
            path: "/proc/self".into(),
            source,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let guard = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        drop(guard);
        Ok(Self {
            runtime,
            interrupt,
            terminate,
        })
    }

    /// Waits until all of these pods have ended, or a signal comes.
    pub(super) fn wait_for(&mut self, engine: &Engine, pods: &[PodName]) -> Result<Ending, Error> {
        loop {
            let observed = engine.observed()?;
            let pods: Vec<_> = pods.iter().filter_map(|name| observed.pod(name)).collect();
            if pods.iter().all(|pod| has_ended(pod)) {
                return Ok(first_failure(&pods).map_or(Ending::Done, Ending::Failed));
            }
            if self.comes_within(LOOK_AGAIN) {
                return Ok(Ending::Signal);
            }
        }
    }

    fn comes_within(&mut self, time: Duration) -> bool {
        let (interrupt, terminate) = (&mut self.interrupt, &mut self.terminate);
        self.runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
                () = tokio::time::sleep(time) => false,
            }
        })
    }
}

fn role(pod: &ObservedPod, container: &ContainerRecord) -> Option<Role> {
    pod.spec_of(container).map(|spec| spec.role)
}

/// Returns whether nothing more will happen in a pod: a sidecar ends with the others.
fn has_ended(pod: &ObservedPod) -> bool {
    let exit = |container: &ContainerRecord| match &container.state {
        ContainerState::Exited { status, .. } => Some(status.clone()),
        _ => None,
    };
    let mut apps = pod
        .containers
        .iter()
        .filter(|container| role(pod, container) == Some(Role::App));
    let not_prepared = pod.containers.iter().any(|container| {
        let failed = exit(container).is_some_and(|status| status.is_failure());
        role(pod, container) == Some(Role::Init) && failed
    });
    not_prepared || apps.all(|container| exit(container).is_some())
}

/// Returns the exit code of the container that was the first to fail.
fn first_failure(pods: &[&ObservedPod]) -> Option<u8> {
    let failures = pods.iter().flat_map(|pod| {
        let containers = pod.containers.iter();
        containers.filter_map(|container| match &container.state {
            ContainerState::Exited { status, at } if status.is_failure() => Some((*at, status)),
            _ => None,
        })
    });
    let (_, status): (_, &ExitStatus) = failures.min_by_key(|(at, _)| *at)?;
    Some(u8::try_from(status.code()).unwrap_or(u8::MAX))
}
