//! Probes and lifecycle hooks, and the handlers that both are made of.

use k8s_openapi::api::core::v1::{
    ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction,
    TCPSocketAction,
};

use super::fault::{Faults as _, items, text_or, unsupported_message};
use super::{names, ports};
use crate::manifest::source::{At, Findings};

const SCHEMES: [&str; 2] = ["HTTP", "HTTPS"];
const SECOND_HANDLER: &str = "may not specify more than 1 handler type";
/// Signals by the names of KEP-4960, from which a container may choose how it is stopped.
const SIGNALS: [&str; 32] = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
];
const RARE_SIGNALS: [&str; 4] = ["SIGXCPU", "SIGXFSZ", "SIGRTMIN", "SIGRTMAX"];

/// What a probe finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Liveness,
    Readiness,
    Startup,
}

/// Checks a probe.
pub(super) fn probe(probe: &Probe, role: Role, at: &At<'_>, found: &mut Findings) {
    Handler::from(probe).check(0, at, found);
    found.not_negative(
        &at.field("initialDelaySeconds"),
        probe.initial_delay_seconds,
    );
    found.not_negative(&at.field("timeoutSeconds"), probe.timeout_seconds);
    found.not_negative(&at.field("periodSeconds"), probe.period_seconds);
    found.not_negative(&at.field("successThreshold"), probe.success_threshold);
    found.not_negative(&at.field("failureThreshold"), probe.failure_threshold);
    let grace_at = at.field("terminationGracePeriodSeconds");
    let grace = probe.termination_grace_period_seconds;
    if let Some(grace) = grace.filter(|grace| *grace <= 0) {
        found.invalid(&grace_at, grace, "must be greater than 0");
    }
    if role == Role::Readiness {
        if let Some(grace) = grace {
            found.invalid(&grace_at, grace, "must not be set for readinessProbes");
        }
        return;
    }
    let successes = probe
        .success_threshold
        .filter(|count| ![0, 1].contains(count));
    if let Some(successes) = successes {
        found.invalid(&at.field("successThreshold"), successes, "must be 1");
    }
}

/// Checks the hooks of a container in a pod that has `grace` seconds to end.
pub(super) fn lifecycle(lifecycle: &Lifecycle, grace: i64, at: &At<'_>, found: &mut Findings) {
    if let Some(handler) = &lifecycle.post_start {
        Handler::from(handler).check(grace, &at.field("postStart"), found);
    }
    if let Some(handler) = &lifecycle.pre_stop {
        Handler::from(handler).check(grace, &at.field("preStop"), found);
    }
    if let Some(signal) = &lifecycle.stop_signal
        && !is_signal(signal)
    {
        // Kubernetes 1.34 drops the field unread (gate ContainerStopSignals)
        let message = unsupported_message(signal, &SIGNALS);
        found.warning(&at.field("stopSignal"), message);
    }
}

fn is_signal(name: &str) -> bool {
    let is_real_time = ["SIGRTMIN+", "SIGRTMAX-"].iter().any(|base| {
        let offset = name.strip_prefix(base).and_then(|n| n.parse::<u8>().ok());
        offset.is_some_and(|offset| (1..=15).contains(&offset))
    });
    is_real_time || SIGNALS.contains(&name) || RARE_SIGNALS.contains(&name)
}

/// What a probe or a hook does; exactly one of these.
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> From<&'a Probe> for Handler<'a> {
    fn from(probe: &'a Probe) -> Self {
        Self {
            exec: probe.exec.as_ref(),
            http_get: probe.http_get.as_ref(),
            tcp_socket: probe.tcp_socket.as_ref(),
            grpc: probe.grpc.as_ref(),
            sleep: None,
        }
    }
}

impl<'a> From<&'a LifecycleHandler> for Handler<'a> {
    fn from(handler: &'a LifecycleHandler) -> Self {
        Self {
            exec: handler.exec.as_ref(),
            http_get: handler.http_get.as_ref(),
            tcp_socket: handler.tcp_socket.as_ref(),
            grpc: None,
            sleep: handler.sleep.as_ref(),
        }
    }
}

impl Handler<'_> {
    fn check(&self, grace: i64, at: &At<'_>, found: &mut Findings) {
        let mut first = true;
        if let Some(action) = self.exec {
            let at = at.field("exec");
            if is_first(&mut first, &at, found) && items(&action.command).is_empty() {
                found.required(&at.field("command"), "");
            }
        }
        if let Some(action) = self.http_get {
            let at = at.field("httpGet");
            if is_first(&mut first, &at, found) {
                http_get(action, &at, found);
            }
        }
        if let Some(action) = self.tcp_socket {
            let at = at.field("tcpSocket");
            if is_first(&mut first, &at, found) {
                ports::number_or_name(&action.port, &at.field("port"), found);
            }
        }
        if let Some(action) = self.grpc {
            let at = at.field("grpc");
            if is_first(&mut first, &at, found) {
                ports::number(action.port, &at.field("port"), found);
            }
        }
        if let Some(action) = self.sleep {
            let at = at.field("sleep");
            if is_first(&mut first, &at, found) && !(0..=grace).contains(&action.seconds) {
                let message = format!(
                    "must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                );
                let seconds_at = at.field("seconds");
                found.invalid(&at.shown_as("", &seconds_at), action.seconds, &message);
            }
        }
        if first {
            found.required(at, "must specify a handler type");
        }
    }
}

fn is_first(first: &mut bool, at: &At<'_>, found: &mut Findings) -> bool {
    let is_first = std::mem::take(first);
    if !is_first {
        found.forbidden(at, SECOND_HANDLER);
    }
    is_first
}

fn http_get(action: &HTTPGetAction, at: &At<'_>, found: &mut Findings) {
    ports::number_or_name(&action.port, &at.field("port"), found);
    let scheme = text_or(&action.scheme, "HTTP");
    found.one_of(&at.field("scheme"), scheme, &SCHEMES);
    let at = at.field("httpHeaders");
    for (index, header) in items(&action.http_headers).iter().enumerate() {
        let at = at.index(index);
        let wrong = names::header_name(&header.name);
        found.invalid_each(&at.field("name"), &header.name, wrong);
    }
}
