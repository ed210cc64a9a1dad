//! What only shows when objects are seen together.
//!
//! The server takes objects one by one, in any order, and so says none of this; a play has them all
//! in hand and runs them on one host. Everything here is a warning: the other half may be there
//! already.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::behind::{self, Pods};
use super::containers::every_container;
use super::fault::{is_on, items, text, text_or};
use super::references;
use crate::manifest::decode::Object;
use crate::manifest::read::{Read, Reading};
use crate::manifest::source::{At, Findings, Located};

/// Checks the objects of a reading against each other.
pub(super) fn check(reading: &Reading) -> Vec<Located> {
    let mut located = Vec::new();
    let keys = references::all_keys(reading);
    let mut seen = BTreeMap::new();
    let pods = Pods::of(reading);
    let mut host_ports = Taken::new();
    for read in &reading.objects {
        let mut found = Findings::default();
        twice(read, &mut seen, &mut found);
        if let Some(object) = &read.object {
            every_spec(object, &mut |_, spec, at| {
                references::check(spec, namespace(read), &keys, at, &mut found);
                probed_ports(spec, at, &mut found);
            });
            shared_host_ports(read, object, &mut host_ports, &mut found);
        }
        if let Some(Object::Service(service)) = &read.object {
            behind::target_ports(service, namespace(read), &pods, &mut found);
        }
        located.extend(read.document.locate(found));
    }
    located
}

/// Returns the namespace of an object, which the server fills in too.
pub(super) fn namespace(read: &Read) -> &str {
    read.document.namespace().unwrap_or("default")
}

type Name = (String, String, String);

/// Warns of an object that stands twice: the later one replaces the earlier one.
fn twice<'r>(read: &'r Read, seen: &mut BTreeMap<Name, &'r Read>, found: &mut Findings) {
    let document = &read.document;
    let Some(name) = document.name() else {
        return;
    };
    let key = (
        document.kind().to_owned(),
        namespace(read).to_owned(),
        name.to_owned(),
    );
    let at = At::ROOT;
    let at = at.field("metadata");
    let at = at.field("name");
    if let Some(first) = seen.insert(key, read) {
        let line = first.document.span_of(&at.to_path()).line;
        let source = first.document.source().name();
        let kind = document.kind();
        let message = format!("{kind} {name:?} stands at {source}:{line} already");
        found.warning(&at, message);
    }
}

/// Visits the pod specs of an object, each with its metadata and its path.
pub(super) fn every_spec<'o>(
    object: &'o Object,
    visit: &mut dyn FnMut(Option<&'o ObjectMeta>, &'o PodSpec, &At<'_>),
) {
    let root = At::ROOT;
    let at = root.field("spec");
    match object {
        Object::Pod(one) => {
            let Pod { metadata, spec, .. } = &**one;
            if let Some(spec) = spec {
                visit(Some(metadata), spec, &at);
            }
        }
        Object::Deployment(one) => of_template(&one.spec.template, &at, visit),
        Object::StatefulSet(one) => of_template(&one.spec.template, &at, visit),
        Object::DaemonSet(one) => of_template(&one.spec.template, &at, visit),
        Object::ReplicaSet(one) => {
            if let Some(template) = &one.spec.template {
                of_template(template, &at, visit);
            }
        }
        Object::Job(one) => {
            if let Some(spec) = &one.spec {
                of_template(&spec.template, &at, visit);
            }
        }
        Object::CronJob(one) => {
            let at = at.field("jobTemplate");
            if let Some(spec) = &one.spec.job_template.spec {
                of_template(&spec.template, &at.field("spec"), visit);
            }
        }
        _ => {}
    }
}

fn of_template<'o>(
    template: &'o PodTemplateSpec,
    at: &At<'_>,
    visit: &mut dyn FnMut(Option<&'o ObjectMeta>, &'o PodSpec, &At<'_>),
) {
    if let Some(spec) = &template.spec {
        let at = at.field("template");
        visit(template.metadata.as_ref(), spec, &at.field("spec"));
    }
}

/// Warns of probes of a port whose name the container does not have: they fail for ever.
fn probed_ports(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    every_container(spec, at, &mut |container, at| {
        let ports = items(&container.ports);
        let names: BTreeSet<&str> = ports.iter().map(|port| text(&port.name)).collect();
        let probes = [
            ("livenessProbe", &container.liveness_probe),
            ("readinessProbe", &container.readiness_probe),
            ("startupProbe", &container.startup_probe),
        ];
        for (field, probe) in probes {
            let Some(probe) = probe else {
                continue;
            };
            let at = at.field(field);
            let http = probe.http_get.as_ref().map(|action| &action.port);
            let tcp = probe.tcp_socket.as_ref().map(|action| &action.port);
            for (field, port) in [("httpGet", http), ("tcpSocket", tcp)] {
                if let Some(IntOrString::String(name)) = port
                    && !names.contains(name.as_str())
                {
                    let message = format!("the container has no port of the name {name:?}");
                    found.warning(&at.field(field).field("port"), message);
                }
            }
        }
    });
}

/// A port is compared with as many holders of its number: more only repeat what was said.
const MOST_COMPARED: usize = 64;

/// Who has a port of the host already, by number and protocol: on which address, and which object.
type Taken = BTreeMap<(i32, String), Vec<(String, String)>>;

fn collide(one: &str, other: &str) -> bool {
    let is_any = |ip: &str| ["", "0.0.0.0", "::"].contains(&ip);
    one == other || is_any(one) || is_any(other)
}

/// Warns of pods that want the same port of the one host.
fn shared_host_ports(read: &Read, object: &Object, taken: &mut Taken, found: &mut Findings) {
    if matches!(object, Object::Job(_) | Object::CronJob(_)) {
        return;
    }
    let title = read.document.title().unwrap_or_default();
    let mut own = Vec::new();
    every_spec(object, &mut |_, spec, at| {
        let on_host = is_on(spec.host_network);
        every_container(spec, at, &mut |container, at| {
            let at = at.field("ports");
            for (index, port) in items(&container.ports).iter().enumerate() {
                let wanted = port.host_port.filter(|port| *port != 0);
                let wanted = wanted.or(on_host.then_some(port.container_port));
                let Some(number) = wanted else {
                    continue;
                };
                let key = (number, text_or(&port.protocol, "TCP").to_owned());
                let ip = text(&port.host_ip);
                let mut holders = taken.get(&key).into_iter().flatten().take(MOST_COMPARED);
                if let Some((_, other)) = holders.find(|(held, _)| collide(held, ip)) {
                    let protocol = &key.1;
                    let message = format!("host port {number}/{protocol} is wanted by {other} too");
                    found.warning(&at.index(index), message);
                }
                own.push((key, ip.to_owned()));
            }
        });
    });
    for (key, ip) in own {
        taken.entry(key).or_default().push((ip, title.to_string()));
    }
}
