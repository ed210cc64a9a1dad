//! Probes, and what happens around a container's life.

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::manifest::source::At;
use crate::model::container::{
    Handler, HttpHeader, HttpScheme, Lifecycle, PortRef, Probe, StopSignal,
};
use crate::model::quantity::Seconds;

use super::network;
use super::notes::{Notes, filled, items};

/// Kubernetes' default period of a probe.
pub(super) const PERIOD: Seconds = Seconds(10);
/// Kubernetes' default time a probe may take.
pub(super) const TIMEOUT: Seconds = Seconds(1);
/// How many failures in a row count, by default.
pub(super) const FAILURES: u32 = 3;

/// Translates a probe, with Kubernetes' defaults filled in.
pub(super) fn probe(
    probe: Option<&v1::Probe>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<Probe> {
    let v1::Probe {
        exec,
        failure_threshold,
        grpc,
        http_get,
        initial_delay_seconds,
        period_seconds,
        success_threshold,
        tcp_socket,
        termination_grace_period_seconds,
        timeout_seconds,
    } = probe?;
    let actions = Actions {
        exec: exec.as_ref(),
        http_get: http_get.as_ref(),
        tcp_socket: tcp_socket.as_ref(),
    };
    let action = match grpc {
        Some(grpc) => self::grpc(grpc, &at.field("grpc"), notes),
        None => handler(&actions, at, notes),
    };
    let mut seconds = |field, value: Option<i32>, default| {
        // Zero means the default, as the API server has it.
        match value.filter(|value| *value != 0) {
            Some(value) => notes
                .number(&at.field(field), value.into())
                .map_or(default, Seconds),
            None => default,
        }
    };
    let initial_delay = seconds("initialDelaySeconds", *initial_delay_seconds, Seconds(0));
    let period = seconds("periodSeconds", *period_seconds, PERIOD);
    let timeout = seconds("timeoutSeconds", *timeout_seconds, TIMEOUT);
    let mut times = |field, value: Option<i32>, default| {
        let value = value.filter(|value| *value != 0)?;
        notes.number(&at.field(field), value.into()).or(default)
    };
    let success_threshold = times("successThreshold", *success_threshold, None).unwrap_or(1);
    let failure_threshold = times("failureThreshold", *failure_threshold, None).unwrap_or(FAILURES);
    let termination_grace = termination_grace_period_seconds
        .and_then(|grace| notes.number(&at.field("terminationGracePeriodSeconds"), grace))
        .map(Seconds);
    Some(Probe {
        action: action?,
        initial_delay,
        period,
        timeout,
        success_threshold,
        failure_threshold,
        termination_grace,
    })
}

/// What probes and hooks can both do.
struct Actions<'a> {
    exec: Option<&'a v1::ExecAction>,
    http_get: Option<&'a v1::HTTPGetAction>,
    tcp_socket: Option<&'a v1::TCPSocketAction>,
}

fn handler(actions: &Actions<'_>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<Handler> {
    if let Some(v1::ExecAction { command }) = actions.exec {
        return Some(Handler::Exec {
            command: command.clone().unwrap_or_default(),
        });
    }
    if let Some(action) = actions.http_get {
        return http(action, &at.field("httpGet"), notes);
    }
    if let Some(v1::TCPSocketAction { host, port }) = actions.tcp_socket {
        let at = at.field("tcpSocket");
        return Some(Handler::TcpSocket {
            host: filled(host.as_ref()).cloned(),
            port: port_ref(port, &at.field("port"), notes)?,
        });
    }
    notes.required(at, "must specify a handler type");
    None
}

fn grpc(action: &v1::GRPCAction, at: &At<'_>, notes: &mut Notes<'_>) -> Option<Handler> {
    let v1::GRPCAction {
        mode,
        port,
        service,
    } = action;
    notes.not_yet_if(&at.field("mode"), mode.as_ref());
    Some(Handler::Grpc {
        port: network::number(*port, &at.field("port"), notes)?,
        service: service.clone().unwrap_or_default(),
    })
}

fn http(action: &v1::HTTPGetAction, at: &At<'_>, notes: &mut Notes<'_>) -> Option<Handler> {
    let v1::HTTPGetAction {
        host,
        http_headers,
        path,
        port,
        protocol,
        scheme,
    } = action;
    notes.not_yet_if(&at.field("protocol"), protocol.as_ref());
    let words = [("HTTP", HttpScheme::Http), ("HTTPS", HttpScheme::Https)];
    let at_scheme = at.field("scheme");
    let scheme = notes.choose(&at_scheme, scheme.as_ref(), HttpScheme::Http, &words);
    Some(Handler::HttpGet {
        scheme,
        host: filled(host.as_ref()).cloned(),
        port: port_ref(port, &at.field("port"), notes)?,
        path: filled(path.as_ref())
            .cloned()
            .unwrap_or_else(|| "/".to_owned()),
        headers: items(http_headers.as_ref()).iter().map(header).collect(),
    })
}

fn header(header: &v1::HTTPHeader) -> HttpHeader {
    let v1::HTTPHeader { name, value } = header;
    HttpHeader {
        name: name.clone(),
        value: value.clone(),
    }
}

/// A text that is a number is that number, as podman and the kubelet read it.
fn port_ref(port: &IntOrString, at: &At<'_>, notes: &mut Notes<'_>) -> Option<PortRef> {
    let port = match port {
        IntOrString::Int(port) => *port,
        IntOrString::String(text) => match text.parse() {
            Ok(port) => port,
            Err(_) => return Some(PortRef::Name(text.clone())),
        },
    };
    network::number(port, at, notes).map(PortRef::Number)
}

/// Translates hooks and the stop signal.
pub(super) fn lifecycle(
    lifecycle: Option<&v1::Lifecycle>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Lifecycle {
    let Some(lifecycle) = lifecycle else {
        return Lifecycle::default();
    };
    let v1::Lifecycle {
        post_start,
        pre_stop,
        stop_signal,
    } = lifecycle;
    Lifecycle {
        post_start: hook(post_start.as_ref(), &at.field("postStart"), notes),
        pre_stop: hook(pre_stop.as_ref(), &at.field("preStop"), notes),
        stop_signal: notes.parse_some(
            &at.field("stopSignal"),
            stop_signal.as_ref(),
            StopSignal::parse,
        ),
    }
}

fn hook(
    hook: Option<&v1::LifecycleHandler>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<Handler> {
    let v1::LifecycleHandler {
        exec,
        http_get,
        sleep,
        tcp_socket,
    } = hook?;
    if let Some(v1::SleepAction { seconds }) = sleep {
        let seconds = notes.number(&at.field("sleep").field("seconds"), *seconds)?;
        return Some(Handler::Sleep(Seconds(seconds)));
    }
    let actions = Actions {
        exec: exec.as_ref(),
        http_get: http_get.as_ref(),
        tcp_socket: tcp_socket.as_ref(),
    };
    handler(&actions, at, notes)
}
