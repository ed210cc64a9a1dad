//! Whether a container runs, how it ended, and what its probes say.

use serde::Serialize;

use super::Subject;
use crate::cli::view::words::{self, NEVER};
use crate::model::container::ContainerSpec;
use crate::model::observed::ContainerRecord;
use crate::model::state::{ContainerState, ExitStatus};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    status: &'static str,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    dead: bool,
    pid: i32,
    exit_code: i32,
    error: String,
    started_at: String,
    finished_at: String,
    /// The kubelet's word for why it is not running, or for its end.
    reason: String,
    ready: bool,
    last_message: String,
    cgroup_path: String,
    health: Health,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    /// Empty for a container that nobody probes.
    status: &'static str,
}

/// Returns podman's word for what the probes say of a container.
fn health(spec: &ContainerSpec, container: &ContainerRecord) -> &'static str {
    match (
        spec.probes.any(),
        container.state.is_running(),
        container.ready,
    ) {
        (false, _, _) | (true, false, _) => "",
        (true, true, true) => "healthy",
        (true, true, false) if spec.probes.readiness.is_some() => "unhealthy",
        (true, true, false) => "starting",
    }
}

/// Returns the state of a container.
pub(super) fn state(subject: &Subject<'_>) -> State {
    let container = subject.record;
    let moment =
        |at: Option<jiff::Timestamp>| at.map_or_else(|| NEVER.to_owned(), |at| at.to_string());
    let status = match &container.state {
        ContainerState::Exited { status, .. } => Some(status),
        ContainerState::Waiting { .. } => container.last_end.as_ref().map(|end| &end.status),
        ContainerState::Created
        | ContainerState::Running { .. }
        | ContainerState::Paused { .. }
        | ContainerState::Stopping { .. } => None,
    };
    let reason = match &container.state {
        ContainerState::Waiting { reason, .. } => reason.to_string(),
        _ => status
            .map(|status| status.reason().to_owned())
            .unwrap_or_default(),
    };
    State {
        status: container.state.word(),
        running: container.state.is_running()
            && !matches!(container.state, ContainerState::Paused { .. }),
        paused: matches!(container.state, ContainerState::Paused { .. }),
        restarting: matches!(container.state, ContainerState::Waiting { .. }),
        oom_killed: matches!(status, Some(ExitStatus::Signal { oom: true, .. })),
        dead: false,
        pid: container.state.process().map_or(0, |process| process.pid),
        exit_code: words::exit_code(container),
        error: match status {
            Some(ExitStatus::StartFailed { message, .. }) => message.clone(),
            _ => String::new(),
        },
        started_at: moment(container.started),
        finished_at: moment(
            container
                .last_end
                .as_ref()
                .map(|end| end.at)
                .or(words::ended(container)),
        ),
        reason,
        ready: container.ready,
        last_message: container.message.clone().unwrap_or_default(),
        cgroup_path: subject.own().container_cgroup(&container.name),
        health: Health {
            status: health(subject.spec, container),
        },
    }
}
