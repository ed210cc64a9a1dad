//! Probes, hooks and the stop signal.

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::model::container::{Handler, HttpHeader, HttpScheme, Lifecycle, PortRef, Probe};
use crate::model::quantity::Seconds;

use super::super::probe::{FAILURES, PERIOD, TIMEOUT};
use super::{narrow, signed, some, unless};

pub(super) fn probe(probe: &Probe) -> v1::Probe {
    let Probe {
        action,
        initial_delay,
        period,
        timeout,
        success_threshold,
        failure_threshold,
        termination_grace,
    } = probe;
    let seconds = |value: Seconds, default| unless(value, &default).map(|value| narrow(value.0));
    let times = |value: u32, default| unless(value, &default).map(|value| narrow(value.into()));
    let mut probe = v1::Probe {
        initial_delay_seconds: seconds(*initial_delay, Seconds(0)),
        period_seconds: seconds(*period, PERIOD),
        timeout_seconds: seconds(*timeout, TIMEOUT),
        success_threshold: times(*success_threshold, 1),
        failure_threshold: times(*failure_threshold, FAILURES),
        termination_grace_period_seconds: termination_grace.map(|grace| signed(grace.0)),
        ..v1::Probe::default()
    };
    if let Handler::Grpc { port, service } = action {
        probe.grpc = Some(v1::GRPCAction {
            mode: None,
            port: i32::from(*port),
            service: (!service.is_empty()).then(|| service.clone()),
        });
    } else {
        let v1::LifecycleHandler {
            exec,
            http_get,
            tcp_socket,
            // A probe never sleeps.
            sleep: _,
        } = handler(action);
        probe.exec = exec;
        probe.http_get = http_get;
        probe.tcp_socket = tcp_socket;
    }
    probe
}

pub(super) fn lifecycle(lifecycle: &Lifecycle) -> Option<v1::Lifecycle> {
    let Lifecycle {
        post_start,
        pre_stop,
        stop_signal,
    } = lifecycle;
    let lifecycle = v1::Lifecycle {
        post_start: post_start.as_ref().map(handler),
        pre_stop: pre_stop.as_ref().map(handler),
        stop_signal: stop_signal.map(|signal| signal.to_string()),
    };
    unless(lifecycle, &v1::Lifecycle::default())
}

fn handler(action: &Handler) -> v1::LifecycleHandler {
    let mut handler = v1::LifecycleHandler::default();
    match action {
        Handler::Exec { command } => {
            handler.exec = Some(v1::ExecAction {
                command: some(command.clone()),
            });
        }
        Handler::HttpGet {
            scheme,
            host,
            port,
            path,
            headers,
        } => {
            handler.http_get = Some(v1::HTTPGetAction {
                scheme: match scheme {
                    HttpScheme::Http => None,
                    HttpScheme::Https => Some("HTTPS".to_owned()),
                },
                host: host.clone(),
                port: port_of(port),
                path: Some(path.clone()),
                http_headers: some(headers.iter().map(header).collect()),
                protocol: None,
            });
        }
        Handler::TcpSocket { host, port } => {
            handler.tcp_socket = Some(v1::TCPSocketAction {
                host: host.clone(),
                port: port_of(port),
            });
        }
        // No hook speaks gRPC; a probe's is written by the probe.
        Handler::Grpc { .. } => {}
        Handler::Sleep(Seconds(seconds)) => {
            handler.sleep = Some(v1::SleepAction {
                seconds: signed(*seconds),
            });
        }
    }
    handler
}

fn port_of(port: &PortRef) -> IntOrString {
    match port {
        PortRef::Number(number) => IntOrString::Int(i32::from(*number)),
        PortRef::Name(name) => IntOrString::String(name.clone()),
    }
}

fn header(header: &HttpHeader) -> v1::HTTPHeader {
    let HttpHeader { name, value } = header;
    v1::HTTPHeader {
        name: name.clone(),
        value: value.clone(),
    }
}
