//! What an object gives to others, and what it needs of them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, Service, ServicePort as Served};
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, NetworkPolicy};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::containers::every_container;
use super::fault::{items, or_empty, text, text_or};
use super::outline::{Gives, Labels, Need, Outline, ServicePort, What};
use super::own_ports::every_host_port;
use super::references::each_reference;
use super::specs::{every_spec, made_volumes};
use crate::manifest::decode::Object;
use crate::manifest::document::Document;
use crate::manifest::source::At;
use crate::manifest::validate::Extent;

fn labels(map: Option<&BTreeMap<String, String>>) -> Labels {
    let entries = map.into_iter().flatten();
    let entries = entries.map(|(key, value)| (key.as_str().into(), value.as_str().into()));
    entries.collect()
}

/// Returns what an object gives.
pub(super) fn gives(object: &Object) -> Gives {
    match object {
        Object::ConfigMap(map) => {
            let texts = map.data.iter().flatten().map(|(key, _)| key);
            let bytes = map.binary_data.iter().flatten().map(|(key, _)| key);
            keys(texts.chain(bytes))
        }
        Object::Secret(secret) => {
            let texts = secret.string_data.iter().flatten().map(|(key, _)| key);
            let bytes = secret.data.iter().flatten().map(|(key, _)| key);
            keys(texts.chain(bytes))
        }
        Object::Service(service) => {
            let ports = service.spec.as_ref().map(|spec| items(&spec.ports));
            let ports = ports.unwrap_or_default().iter();
            Gives::Ports(
                ports
                    .map(|port| (port.port, text(&port.name).into()))
                    .collect(),
            )
        }
        Object::PersistentVolumeClaim(claim) => {
            let modes = claim.spec.as_ref().map(|spec| items(&spec.access_modes));
            let mut modes = modes.unwrap_or_default().iter();
            match modes.any(|mode| mode == "ReadWriteOncePod") {
                true => Gives::ClaimForOne,
                false => Gives::Nothing,
            }
        }
        _ => pods(object),
    }
}

fn keys<'k>(keys: impl Iterator<Item = &'k String>) -> Gives {
    let keys: BTreeSet<&str> = keys.map(String::as_str).collect();
    Gives::Keys(keys.into_iter().map(Into::into).collect())
}

fn pods(object: &Object) -> Gives {
    let mut gives = Gives::Nothing;
    every_spec(object, &mut |meta, spec, _| {
        let Some(meta) = meta.filter(|meta| meta.labels.is_some()) else {
            return;
        };
        let mut ports = Vec::new();
        every_container(spec, &At::ROOT, &mut |container, _| {
            let declared = items(&container.ports).iter();
            ports.extend(declared.map(|port| (port.container_port, text(&port.name).into())));
        });
        gives = Gives::Pods {
            labels: labels(meta.labels.as_ref()),
            ports: ports.into(),
        };
    });
    gives
}

/// Adds what an object needs to its outline, and which pods it chooses.
///
/// Where not all manifests are there, what none of them gives is not asked for.
pub(super) fn needs(object: &Object, document: &Document, extent: Extent, outline: &mut Outline) {
    let mut asks = Asks {
        document,
        needs: &mut outline.needs,
    };
    let (at, is_whole) = (At::ROOT, extent == Extent::Whole);
    let at = at.field("spec");
    match object {
        Object::Service(service) => {
            let spec = service.spec.as_ref();
            outline.selector = labels(spec.and_then(|spec| spec.selector.as_ref()));
            if !outline.selector.is_empty() {
                asks.service(service, is_whole, &at);
            }
        }
        Object::NetworkPolicy(policy) if is_whole => {
            outline.selector = chosen_by(policy);
            if !outline.selector.is_empty() {
                asks.add(What::Pods, &at.field("podSelector"));
            }
        }
        Object::Ingress(ingress) if is_whole => asks.ingress(ingress, &at),
        _ => every_spec(object, &mut |_, spec, at| {
            let made = made_volumes(object);
            asks.keys(spec, &made, at);
            if !matches!(object, Object::Job(_) | Object::CronJob(_)) {
                asks.host_ports(spec, at);
            }
            if is_whole {
                asks.objects(spec, &made, at);
            }
        }),
    }
}

fn chosen_by(policy: &NetworkPolicy) -> Labels {
    let spec = policy.spec.as_ref();
    let selector = spec.and_then(|spec| spec.pod_selector.as_ref());
    labels(selector.and_then(|selector| selector.match_labels.as_ref()))
}

struct Asks<'o> {
    document: &'o Document,
    needs: &'o mut Vec<Need>,
}

impl Asks<'_> {
    fn add(&mut self, what: What, at: &At<'_>) {
        self.needs.push(Need::at(self.document, what, at));
    }

    fn object(&mut self, kind: &'static str, name: &str, at: &At<'_>) {
        if !name.is_empty() {
            let name = name.into();
            self.add(What::Object { kind, name }, at);
        }
    }

    fn keys(&mut self, spec: &PodSpec, made: &BTreeSet<&str>, at: &At<'_>) {
        each_reference(spec, made, at, &mut |reference, at| {
            reference.each_key(at, &mut |key, at| {
                let what = What::Key {
                    kind: reference.kind,
                    name: reference.name.into(),
                    key: key.into(),
                };
                self.add(what, at);
            });
        });
    }

    fn host_ports(&mut self, spec: &PodSpec, at: &At<'_>) {
        every_host_port(spec, at, &mut |number, port, at| {
            let what = What::HostPort {
                number,
                protocol: text_or(&port.protocol, "TCP").into(),
                ip: text(&port.host_ip).into(),
            };
            self.add(what, at);
        });
    }

    /// Asks for the objects that a pod needs.
    fn objects(&mut self, spec: &PodSpec, made: &BTreeSet<&str>, at: &At<'_>) {
        let account = text(&spec.service_account_name);
        if account != "default" {
            self.object("ServiceAccount", account, &at.field("serviceAccountName"));
        }
        each_reference(spec, made, at, &mut |reference, at| {
            self.object(reference.kind, reference.name, &reference.name_at(at));
        });
        let at = at.field("volumes");
        for (index, volume) in items(&spec.volumes).iter().enumerate() {
            let Some(of) = &volume.persistent_volume_claim else {
                continue;
            };
            let at = at.index(index);
            let at = at.field("persistentVolumeClaim");
            let at = at.field("claimName");
            if !made.contains(volume.name.as_str()) {
                self.object("PersistentVolumeClaim", &of.claim_name, &at);
            }
            self.add(What::Claim(of.claim_name.as_str().into()), &at);
        }
    }

    fn service(&mut self, service: &Service, is_whole: bool, at: &At<'_>) {
        if is_whole {
            self.add(What::Pods, &at.field("selector"));
        }
        let ports = service.spec.as_ref().map(|spec| items(&spec.ports));
        let at = at.field("ports");
        for (index, port) in ports.unwrap_or_default().iter().enumerate() {
            let at = at.index(index);
            match target(port) {
                (field, IntOrString::String(name)) => {
                    self.add(What::PortOfName(name.into()), &at.field(field));
                }
                (field, IntOrString::Int(number)) if is_whole => {
                    self.add(What::PortOfNumber(number), &at.field(field));
                }
                (_, IntOrString::Int(_)) => {}
            }
        }
    }

    fn ingress(&mut self, ingress: &Ingress, at: &At<'_>) {
        let spec = or_empty(&ingress.spec);
        for (index, tls) in items(&spec.tls).iter().enumerate() {
            let at = at.field("tls");
            let at = at.index(index);
            self.object("Secret", text(&tls.secret_name), &at.field("secretName"));
        }
        if let Some(backend) = &spec.default_backend {
            self.backend(backend, &at.field("defaultBackend"));
        }
        for (index, rule) in items(&spec.rules).iter().enumerate() {
            let at = at.field("rules");
            let at = at.index(index);
            let at = at.field("http");
            let at = at.field("paths");
            let paths = rule.http.iter().flat_map(|http| &http.paths);
            for (index, path) in paths.enumerate() {
                self.backend(&path.backend, &at.index(index).field("backend"));
            }
        }
    }

    fn backend(&mut self, backend: &IngressBackend, at: &At<'_>) {
        let Some(service) = &backend.service else {
            return;
        };
        let at = at.field("service");
        self.object("Service", &service.name, &at.field("name"));
        let Some(port) = &service.port else {
            return;
        };
        let (field, port) = match text(&port.name) {
            "" => (
                "number",
                ServicePort::Number(port.number.unwrap_or_default()),
            ),
            name => ("name", ServicePort::Name(name.into())),
        };
        let service = service.name.as_str().into();
        let what = What::ServicePort { service, port };
        self.add(what, &at.field("port").field(field));
    }
}

/// Returns where the port of a pod that a Service leads to stands, and what it is.
fn target(port: &Served) -> (&'static str, IntOrString) {
    match &port.target_port {
        Some(IntOrString::Int(0)) | None => ("port", IntOrString::Int(port.port)),
        Some(target) => ("targetPort", target.clone()),
    }
}
