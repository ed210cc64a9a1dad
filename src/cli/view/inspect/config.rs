//! What a container runs, and as whom.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Subject;
use super::environment::environment;
use crate::cli::view::container::effective_command;
use crate::model::container::{ContainerSpec, Handler};
use crate::model::quantity::Seconds;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Config {
    hostname: String,
    user: String,
    tty: bool,
    open_stdin: bool,
    stdin_once: bool,
    env: Vec<String>,
    cmd: Vec<String>,
    image: String,
    working_dir: String,
    entrypoint: Vec<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    stop_signal: String,
    stop_timeout: u64,
    umask: &'static str,
    healthcheck: Option<Healthcheck>,
}

/// An exec probe for liveness, the one kind that podman has a field for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    test: Vec<String>,
    start_period: u64,
    interval: u64,
    timeout: u64,
    retries: u32,
}

/// Returns what a container runs, and as whom.
pub(super) fn config(subject: &Subject<'_>) -> Config {
    let spec = subject.spec;
    let pod = &subject.pod.record.spec;
    let image_config = subject.image.map(|image| &image.config);
    let (entrypoint, cmd) = effective_command(spec, subject.image);
    let working_dir = spec
        .working_dir
        .as_ref()
        .map(|directory| directory.display().to_string())
        .or_else(|| image_config.map(|config| config.working_dir.clone()))
        .filter(|directory| !directory.is_empty())
        .unwrap_or_else(|| "/".to_owned());
    let image_signal = image_config.and_then(|config| config.stop_signal.clone());
    Config {
        hostname: pod
            .hostname()
            .map(|name| name.to_string())
            .unwrap_or_default(),
        user: user(subject),
        tty: spec.terminal.tty,
        open_stdin: spec.terminal.stdin,
        stdin_once: spec.terminal.stdin_once,
        env: environment(subject),
        cmd,
        image: spec.image.qualified().to_string(),
        working_dir,
        entrypoint,
        labels: pod.labels.clone(),
        annotations: pod.annotations.clone(),
        stop_signal: spec
            .lifecycle
            .stop_signal
            .map(|signal| signal.to_string())
            .or(image_signal)
            .unwrap_or_else(|| "SIGTERM".to_owned()),
        stop_timeout: pod.termination_grace.0,
        umask: "0022",
        healthcheck: healthcheck(spec),
    }
}

/// Returns who the container's program runs as.
pub(super) fn user(subject: &Subject<'_>) -> String {
    let (pod, spec) = (&subject.pod.record.spec, subject.spec);
    match (pod.effective_user(spec), pod.effective_group(spec)) {
        (Some(user), Some(group)) => format!("{user}:{group}"),
        (Some(user), None) => user.to_string(),
        (None, Some(group)) => format!("0:{group}"),
        (None, None) => subject
            .image
            .map(|image| image.config.user.clone())
            .unwrap_or_default(),
    }
}

fn healthcheck(spec: &ContainerSpec) -> Option<Healthcheck> {
    let probe = spec.probes.liveness.as_ref()?;
    let Handler::Exec { command } = &probe.action else {
        return None;
    };
    let nanoseconds = |seconds: Seconds| seconds.0.saturating_mul(1_000_000_000);
    let words = std::iter::once("CMD".to_owned());
    Some(Healthcheck {
        test: words.chain(command.iter().cloned()).collect(),
        start_period: nanoseconds(probe.initial_delay),
        interval: nanoseconds(probe.period),
        timeout: nanoseconds(probe.timeout),
        retries: probe.failure_threshold,
    })
}
