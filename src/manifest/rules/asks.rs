//! What an object gives to others, and what it needs of them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, Service, ServicePort as Served};
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::behind::{Chooser, Wanted};
use super::containers::every_container;
use super::facts::{Fact, PieceFacts, Port, Subject};
use super::fault::{items, or_empty, text, text_or};
use super::own_ports::every_host_port;
use super::references::each_reference;
use super::specs::{every_spec, made_volumes, replicas};
use super::told::Told;
use crate::manifest::decode::Object;
use crate::manifest::document::Document;
use crate::manifest::read::Read;
use crate::manifest::source::At;
use crate::manifest::validate::Extent;

/// Notes what an object gives to others, and what it needs of them.
///
/// Where not all manifests are there, what none of them gives is not asked for.
pub(in crate::manifest) fn note(read: &Read, extent: Extent, facts: &mut PieceFacts) {
    let (document, object) = (&read.document, read.object.as_ref());
    let title = document.title();
    let mut asks = Asks {
        document,
        title: title.as_deref(),
        facts,
    };
    if let Some(name) = document.name() {
        let subject = asks.named(document.kind(), name);
        let given = object.map_or(Fact::Name, gives);
        let at = At::ROOT;
        let at = at.field("metadata");
        asks.say(subject, &given, &at.field("name"));
    }
    if let Some(object) = object {
        asks.pods(object);
        asks.needs(object, extent);
    }
    asks.facts.end_object();
}

/// Returns what an object gives beside its pods.
fn gives(object: &Object) -> Fact<'_> {
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
            Fact::Ports(ports.map(|port| (port.port, text(&port.name))).collect())
        }
        Object::PersistentVolumeClaim(claim) => {
            let modes = claim.spec.as_ref().map(|spec| items(&spec.access_modes));
            let mut modes = modes.unwrap_or_default().iter();
            match modes.any(|mode| mode == "ReadWriteOncePod") {
                true => Fact::ClaimForOne,
                false => Fact::Name,
            }
        }
        _ => Fact::Name,
    }
}

fn keys<'k>(keys: impl Iterator<Item = &'k String>) -> Fact<'k> {
    let keys: BTreeSet<&str> = keys.map(String::as_str).collect();
    Fact::Keys(keys.into_iter().collect())
}

/// Returns the labels that pods are chosen by, if there are any.
fn chosen_by(object: &Object) -> Option<&BTreeMap<String, String>> {
    let labels = match object {
        Object::Service(service) => service.spec.as_ref()?.selector.as_ref(),
        Object::NetworkPolicy(policy) => {
            let selector = policy.spec.as_ref()?.pod_selector.as_ref()?;
            selector.match_labels.as_ref()
        }
        _ => None,
    };
    labels.filter(|labels| !labels.is_empty())
}

/// The notes of one object.
struct Asks<'o> {
    document: &'o Document,
    title: Option<&'o str>,
    facts: &'o mut PieceFacts,
}

impl<'o> Asks<'o> {
    fn namespace(&self) -> &'o str {
        // The server fills in the same one.
        self.document.namespace().unwrap_or("default")
    }

    /// Returns an object in the namespace of this one.
    fn named<'s>(&self, kind: &'s str, name: &'s str) -> Subject<'s>
    where
        'o: 's,
    {
        let namespace = self.namespace();
        Subject::Object {
            kind,
            namespace,
            name,
        }
    }

    fn say(&mut self, subject: Subject<'_>, fact: &Fact<'_>, at: &At<'_>) {
        let told = Told::at(self.document, self.title, at);
        self.facts.say(subject, fact, &told);
    }

    fn pods(&mut self, object: &Object) {
        every_spec(object, &mut |meta, spec, _| {
            let Some(labels) = meta.and_then(|meta| meta.labels.as_ref()) else {
                return;
            };
            let mut ports = Vec::new();
            every_container(spec, &At::ROOT, &mut |container, _| {
                let declared = items(&container.ports).iter();
                ports.extend(declared.map(|port| (port.container_port, text(&port.name))));
            });
            self.facts.pod(self.namespace(), labels, &ports);
        });
    }

    fn needs(&mut self, object: &Object, extent: Extent) {
        let (at, is_whole) = (At::ROOT, extent == Extent::Whole);
        let at = at.field("spec");
        match object {
            Object::Service(service) => {
                if let Some(labels) = chosen_by(object) {
                    self.service(service, labels, is_whole, &at);
                }
            }
            Object::NetworkPolicy(_) if is_whole => {
                if let Some(labels) = chosen_by(object) {
                    let mut chooser = Chooser::new(self.namespace(), labels);
                    self.want(&mut chooser, Wanted::Pod, &at.field("podSelector"));
                    self.facts.chooser(&chooser);
                }
            }
            Object::Ingress(ingress) if is_whole => self.ingress(ingress, &at),
            _ => every_spec(object, &mut |_, spec, at| {
                let made = made_volumes(object);
                self.keys(spec, &made, at);
                if !matches!(object, Object::Job(_) | Object::CronJob(_)) {
                    self.host_ports(spec, at);
                }
                if is_whole {
                    self.objects(spec, &made, replicas(object), at);
                }
            }),
        }
    }

    fn want(&mut self, chooser: &mut Chooser, wanted: Wanted<'_>, at: &At<'_>) {
        let told = Told::at(self.document, self.title, at);
        chooser.want(self.facts.order(), wanted, &told);
    }

    fn object(&mut self, kind: &'static str, name: &str, at: &At<'_>) {
        if !name.is_empty() {
            self.say(self.named(kind, name), &Fact::IsNeeded, at);
        }
    }

    fn keys(&mut self, spec: &PodSpec, made: &BTreeSet<&str>, at: &At<'_>) {
        each_reference(spec, made, at, &mut |reference, at| {
            reference.each_key(at, &mut |key, at| {
                let subject = self.named(reference.kind, reference.name);
                self.say(subject, &Fact::Key(key), at);
            });
        });
    }

    fn host_ports(&mut self, spec: &PodSpec, at: &At<'_>) {
        every_host_port(spec, at, &mut |number, port, at| {
            let protocol = text_or(&port.protocol, "TCP");
            let subject = Subject::HostPort { number, protocol };
            self.say(subject, &Fact::HostPort(text(&port.host_ip)), at);
        });
    }

    /// Asks for the objects that a pod needs.
    fn objects(&mut self, spec: &PodSpec, made: &BTreeSet<&str>, replicas: i32, at: &At<'_>) {
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
                self.object(CLAIM, &of.claim_name, &at);
            }
            let subject = self.named(CLAIM, &of.claim_name);
            self.say(subject, &Fact::Claim(replicas), &at);
        }
    }

    fn service(
        &mut self,
        service: &Service,
        labels: &BTreeMap<String, String>,
        is_whole: bool,
        at: &At<'_>,
    ) {
        let mut chooser = Chooser::new(self.namespace(), labels);
        if is_whole {
            self.want(&mut chooser, Wanted::Pod, &at.field("selector"));
        }
        let ports = service.spec.as_ref().map(|spec| items(&spec.ports));
        let at = at.field("ports");
        for (index, port) in ports.unwrap_or_default().iter().enumerate() {
            let at = at.index(index);
            let (field, target) = target(port);
            let port = match &target {
                IntOrString::String(name) => Port::Name(name),
                IntOrString::Int(number) if is_whole => Port::Number(*number),
                IntOrString::Int(_) => continue,
            };
            self.want(&mut chooser, Wanted::Port(port), &at.field(field));
        }
        self.facts.chooser(&chooser);
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
            "" => ("number", Port::Number(port.number.unwrap_or_default())),
            name => ("name", Port::Name(name)),
        };
        let subject = self.named("Service", &service.name);
        self.say(subject, &Fact::Port(port), &at.field("port").field(field));
    }
}

const CLAIM: &str = "PersistentVolumeClaim";

/// Returns where the port of a pod that a Service leads to stands, and what it is.
fn target(port: &Served) -> (&'static str, IntOrString) {
    match &port.target_port {
        Some(IntOrString::Int(0)) | None => ("port", IntOrString::Int(port.port)),
        Some(target) => ("targetPort", target.clone()),
    }
}
