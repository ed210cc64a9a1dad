//! `kube play --wait`: in the foreground until the pods have ended or a signal comes.

use std::os::fd::AsFd as _;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::super::super::error::Error;
use crate::engine::Engine;
use crate::model::container::Role;
use crate::model::observed::{ContainerRecord, ObservedPod};
use crate::model::state::{ContainerState, ExitStatus};
use crate::names::PodName;

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
pub(super) struct Signals(SignalFd);

impl Signals {
    pub(super) fn listen() -> Result<Self, Error> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        let caught = signals
            .thread_block()
            .and_then(|()| SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC));
        caught.map(Self).map_err(|errno| Error::File {
            doing: "listening for signals",
            path: "/proc/self".into(),
            source: errno.into(),
        })
    }

    /// Waits until all of these pods have ended, or a signal comes.
    pub(super) fn wait_for(self, engine: &Engine, pods: &[PodName]) -> Result<Ending, Error> {
        // All have to end, so that it is enough to wait for one after the other.
        for name in pods {
            let observed = engine.observed()?;
            let Some(pod) = observed.pod(name) else {
                continue;
            };
            let mut news = engine.news_of(&pod.record.id);
            while engine
                .observed()?
                .pod(name)
                .is_some_and(|pod| !has_ended(pod))
            {
                if news.wait_or(Some(self.0.as_fd())) {
                    return Ok(Ending::Signal);
                }
            }
        }
        let observed = engine.observed()?;
        let pods: Vec<_> = pods.iter().filter_map(|name| observed.pod(name)).collect();
        Ok(first_failure(&pods).map_or(Ending::Done, Ending::Failed))
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
