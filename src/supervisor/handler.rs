//! Carries out what a probe or a hook asks for, as the kubelet does.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use super::ask::{self, Answer, Asker, HttpQuestion, Question};
use super::helpers::Helpers;
use crate::engine::exec::{self, ExecRequest, Streams};
use crate::engine::stage::OWN_PROGRAM;
use crate::engine::start::Context;
use crate::model::container::{ContainerSpec, Handler, PortRef};
use crate::model::network::NetworkSpec;
use crate::model::observed::PodRecord;
use crate::model::state::ProcessRef;
use crate::names::ContainerName;
use crate::sys::process::Ended;

/// One run of a container, as probes and hooks see it.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) context: Arc<Context>,
    pub(super) name: ContainerName,
    pub(super) process: ProcessRef,
    pub(super) helpers: Helpers,
}

/// Runs a hook to its end; an error says how it failed.
///
/// Only the container's end or the end of the grace period ends a hook that hangs.
pub(super) async fn run(subject: &Subject, handler: &Handler) -> Result<(), String> {
    if matches!(handler, Handler::TcpSocket { .. }) {
        // Accepted by the API for old manifests, and always an error when it is run.
        return Err("tcpSocket is not supported as a hook".to_owned());
    }
    match perform(subject, handler, Asker::Hook).await {
        Answer::Passed => Ok(()),
        Answer::Failed(message) | Answer::Unasked(message) => Err(message),
    }
}

/// Probes once; what takes longer than the limit has failed.
pub(super) async fn probe(subject: &Subject, handler: &Handler, limit: Duration) -> Answer {
    let performed = perform(subject, handler, Asker::Probe);
    match tokio::time::timeout(limit, performed).await {
        Ok(answer) => answer,
        Err(_) => Answer::Failed(format!("no answer within {} s", limit.as_secs())),
    }
}

async fn perform(subject: &Subject, handler: &Handler, asker: Asker) -> Answer {
    match handler {
        Handler::Sleep(span) => {
            tokio::time::sleep(span.duration()).await;
            Answer::Passed
        }
        Handler::Exec { command } => execute(subject, command).await,
        Handler::HttpGet { .. } | Handler::TcpSocket { .. } | Handler::Grpc { .. } => {
            match question(subject.context.pod(), &subject.name, handler, asker) {
                Ok(question) => ask::ask(&question).await,
                Err(error) => Answer::Unasked(error.to_string()),
            }
        }
    }
}

/// Runs a program in the container; dropped before its end, it is killed.
///
/// A program that cannot be run at all says nothing about the container: the kubelet passes over it.
async fn execute(subject: &Subject, command: &[String]) -> Answer {
    let paths = subject.context.paths();
    let request = ExecRequest {
        pid: subject.process.pid,
        start_time: subject.process.start_time,
        bundle: paths.bundle(&subject.name),
        filters: subject.context.filters(),
        cgroup: paths.container_cgroup(&subject.name),
        args: command.to_vec(),
        env: Vec::new(),
        user: None,
        cwd: None,
        terminal: false,
    };
    let starting = subject.helpers.start();
    // The start is waited for, and the answer of the stage with it.
    let started = tokio::task::spawn_blocking(move || {
        let streams = Streams {
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
        };
        let exec = exec::start(Path::new(OWN_PROGRAM), &request, streams)
            .map_err(|error| error.to_string())?;
        starting.hold(exec.stage).map_err(|error| error.to_string())
    });
    let helper = match started.await {
        Ok(Ok(helper)) => helper,
        Ok(Err(message)) => return Answer::Unasked(message),
        Err(error) => return Answer::Unasked(error.to_string()),
    };
    match helper.wait().await {
        Ok(Some(Ended::Code(0))) => Answer::Passed,
        Ok(Some(Ended::Code(code))) => Answer::Failed(format!("it ended with exit code {code}")),
        Ok(_) => Answer::Failed("it was killed".to_owned()),
        Err(error) => Answer::Unasked(error.to_string()),
    }
}

/// Why nobody can be asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum QuestionError {
    #[error("the pod has no address")]
    NoAddress,
    #[error("the container has no port named `{0}`")]
    NoPort(String),
    #[error("the container is not in its pod")]
    NoContainer,
    #[error("this asks no server")]
    NotANetwork,
}

/// Returns what a handler asks over the network, with every name in it resolved.
fn question(
    pod: &PodRecord,
    name: &ContainerName,
    handler: &Handler,
    asker: Asker,
) -> Result<Question, QuestionError> {
    let container = pod.spec.container(name).ok_or(QuestionError::NoContainer)?;
    match handler {
        Handler::HttpGet {
            scheme,
            host,
            port,
            path,
            headers,
        } => Ok(Question::Http(HttpQuestion {
            scheme: *scheme,
            host: host_or_pod(host.as_deref(), pod)?,
            port: resolve(port, container)?,
            path: path.clone(),
            headers: headers.clone(),
            asker,
        })),
        Handler::TcpSocket { host, port } => Ok(Question::Tcp {
            host: host_or_pod(host.as_deref(), pod)?,
            port: resolve(port, container)?,
        }),
        Handler::Grpc { port, service } => Ok(Question::Grpc {
            host: host_or_pod(None, pod)?,
            port: *port,
            service: service.clone(),
        }),
        Handler::Exec { .. } | Handler::Sleep(_) => Err(QuestionError::NotANetwork),
    }
}

/// Returns the host a handler names, else the pod's address.
///
/// A pod in the host's network is asked over the loopback device: its servers may listen there only.
fn host_or_pod(host: Option<&str>, pod: &PodRecord) -> Result<String, QuestionError> {
    match (host, &pod.spec.infra.network, pod.addresses.first()) {
        (Some(host), _, _) => Ok(host.to_owned()),
        (None, NetworkSpec::Host, _) => Ok("127.0.0.1".to_owned()),
        (None, _, Some(assigned)) => Ok(assigned.address.to_string()),
        (None, _, None) => Err(QuestionError::NoAddress),
    }
}

fn resolve(port: &PortRef, container: &ContainerSpec) -> Result<u16, QuestionError> {
    match port {
        PortRef::Number(port) => Ok(*port),
        PortRef::Name(name) => container
            .ports
            .iter()
            .find(|port| port.name.as_ref() == Some(name))
            .map(|port| port.port)
            .ok_or_else(|| QuestionError::NoPort(name.clone())),
    }
}
