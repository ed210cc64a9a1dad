//! What a set of manifests lacks, if it is all there is.
//!
//! A check of manifests knows only the set; what a play needs may be on the host from an earlier
//! one. So this is asked for apart, and brings warnings.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, Service, VolumeProjection};
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, NetworkPolicy};

use super::across::{every_spec, namespace};
use super::behind::Pods;
use super::containers::every_container;
use super::fault::{is_on, items, or_empty, text};
use super::undeclared;
use crate::manifest::decode::Object;
use crate::manifest::read::{Read, Reading};
use crate::manifest::source::{At, Findings, Located};

/// The ports of Services, by namespace and name.
type Served<'r> = BTreeMap<(&'r str, &'r str), Vec<(i32, &'r str)>>;
type Names<'r> = BTreeSet<(&'static str, &'r str, &'r str)>;

/// Warns of what the objects of a reading ask for and nothing in it gives.
///
/// ConfigMaps, Secrets, claims and accounts that pods need, pods behind Services, Services behind
/// Ingresses.
pub fn check_whole(reading: &mut Reading) {
    let known: Names<'_> = reading.objects.iter().filter_map(named).collect();
    let pods = Pods::of(reading);
    let served = served_ports(reading);
    let mut located = super::alone::check(reading);
    for read in &reading.objects {
        let Some(object) = &read.object else {
            continue;
        };
        let mut found = Findings::default();
        let whole = Whole {
            namespace: namespace(read),
            known: &known,
            served: &served,
        };
        let claims = claims_of(object);
        every_spec(object, &mut |_, spec, at| {
            whole.pod(spec, &claims, at, &mut found);
            undeclared::probes(spec, at, &mut found);
        });
        match object {
            Object::Service(service) => {
                has_pods(service, namespace(read), &pods, &mut found);
                undeclared::target_ports(service, namespace(read), &pods, &mut found);
            }
            Object::NetworkPolicy(policy) => whole.policy(policy, &pods, &mut found),
            Object::Ingress(ingress) => whole.ingress(ingress, &mut found),
            _ => {}
        }
        located.extend(read.document.locate(found));
    }
    reading.findings.extend(located);
    Located::sort(&mut reading.findings);
}

fn named(read: &Read) -> Option<(&'static str, &str, &str)> {
    let kind = match read.document.kind() {
        "ConfigMap" => "ConfigMap",
        "Secret" => "Secret",
        "PersistentVolumeClaim" => "PersistentVolumeClaim",
        "ServiceAccount" => "ServiceAccount",
        "Service" => "Service",
        _ => return None,
    };
    Some((kind, namespace(read), read.document.name()?))
}

/// Returns the names of the volumes that a StatefulSet makes for its pods.
fn claims_of(object: &Object) -> BTreeSet<&str> {
    let Object::StatefulSet(set) = object else {
        return BTreeSet::new();
    };
    let claims = items(&set.spec.volume_claim_templates).iter();
    claims.map(|claim| text(&claim.metadata.name)).collect()
}

/// Returns the ports of each Service, by number and by name.
fn served_ports(reading: &Reading) -> Served<'_> {
    let mut served = Served::new();
    for read in &reading.objects {
        if let Some(Object::Service(service)) = &read.object {
            let name = text(&service.metadata.name);
            let ports = service.spec.as_ref().map(|spec| items(&spec.ports));
            let ports = ports.unwrap_or_default().iter();
            let ports = ports.map(|port| (port.port, text(&port.name)));
            served.insert((namespace(read), name), ports.collect());
        }
    }
    served
}

struct Whole<'k> {
    namespace: &'k str,
    known: &'k Names<'k>,
    served: &'k Served<'k>,
}

impl Whole<'_> {
    fn needs(&self, kind: &'static str, name: &str, at: &At<'_>, found: &mut Findings) {
        if !name.is_empty() && !self.known.contains(&(kind, self.namespace, name)) {
            found.warning(at, format!("{kind} {name:?} is not among these manifests"));
        }
    }

    fn pod(&self, spec: &PodSpec, made: &BTreeSet<&str>, at: &At<'_>, found: &mut Findings) {
        let account = text(&spec.service_account_name);
        if account != "default" {
            self.needs(
                "ServiceAccount",
                account,
                &at.field("serviceAccountName"),
                found,
            );
        }
        every_container(spec, at, &mut |container, at| {
            let env_at = at.field("env");
            for (index, variable) in items(&container.env).iter().enumerate() {
                let source = or_empty(&variable.value_from);
                let at = env_at.index(index);
                let at = at.field("valueFrom");
                if let Some(of) = source
                    .config_map_key_ref
                    .as_ref()
                    .filter(|of| !is_on(of.optional))
                {
                    let at = at.field("configMapKeyRef");
                    self.needs("ConfigMap", &of.name, &at.field("name"), found);
                }
                if let Some(of) = source
                    .secret_key_ref
                    .as_ref()
                    .filter(|of| !is_on(of.optional))
                {
                    let at = at.field("secretKeyRef");
                    self.needs("Secret", &of.name, &at.field("name"), found);
                }
            }
            let at = at.field("envFrom");
            for (index, source) in items(&container.env_from).iter().enumerate() {
                let at = at.index(index);
                let map = source.config_map_ref.as_ref();
                if let Some(of) = map.filter(|of| !is_on(of.optional)) {
                    let at = at.field("configMapRef");
                    self.needs("ConfigMap", &of.name, &at.field("name"), found);
                }
                let secret = source.secret_ref.as_ref();
                if let Some(of) = secret.filter(|of| !is_on(of.optional)) {
                    let at = at.field("secretRef");
                    self.needs("Secret", &of.name, &at.field("name"), found);
                }
            }
        });
        self.volumes(spec, made, &at.field("volumes"), found);
    }

    fn volumes(&self, spec: &PodSpec, made: &BTreeSet<&str>, at: &At<'_>, found: &mut Findings) {
        let volumes = items(&spec.volumes).iter().enumerate();
        for (index, volume) in volumes.filter(|(_, one)| !made.contains(one.name.as_str())) {
            let at = at.index(index);
            if let Some(of) = volume.config_map.as_ref().filter(|of| !is_on(of.optional)) {
                let at = at.field("configMap");
                self.needs("ConfigMap", &of.name, &at.field("name"), found);
            }
            if let Some(of) = volume.secret.as_ref().filter(|of| !is_on(of.optional)) {
                let at = at.field("secret");
                self.needs(
                    "Secret",
                    text(&of.secret_name),
                    &at.field("secretName"),
                    found,
                );
            }
            let sources = volume.projected.as_ref().map(|one| items(&one.sources));
            self.projections(sources.unwrap_or_default(), &at, found);
            if let Some(of) = &volume.persistent_volume_claim {
                let at = at.field("persistentVolumeClaim");
                let claim_at = at.field("claimName");
                self.needs("PersistentVolumeClaim", &of.claim_name, &claim_at, found);
            }
        }
    }

    fn projections(&self, sources: &[VolumeProjection], at: &At<'_>, found: &mut Findings) {
        let at = at.field("projected");
        let at = at.field("sources");
        for (index, source) in sources.iter().enumerate() {
            let at = at.index(index);
            if let Some(of) = source.config_map.as_ref().filter(|of| !is_on(of.optional)) {
                let at = at.field("configMap");
                self.needs("ConfigMap", &of.name, &at.field("name"), found);
            }
            if let Some(of) = source.secret.as_ref().filter(|of| !is_on(of.optional)) {
                let at = at.field("secret");
                self.needs("Secret", &of.name, &at.field("name"), found);
            }
        }
    }

    /// Warns of a policy whose selector no pod answers to.
    fn policy(&self, policy: &NetworkPolicy, pods: &Pods<'_>, found: &mut Findings) {
        let spec = policy.spec.as_ref();
        let selector = spec.and_then(|spec| spec.pod_selector.as_ref());
        let chosen = selector.and_then(|selector| selector.match_labels.as_ref());
        let chosen = chosen.filter(|chosen| !chosen.is_empty());
        if chosen.is_some_and(|chosen| pods.chosen(self.namespace, chosen).is_empty()) {
            let at = At::ROOT;
            let at = at.field("spec");
            found.warning(&at.field("podSelector"), NO_POD);
        }
    }

    fn ingress(&self, ingress: &Ingress, found: &mut Findings) {
        let at = At::ROOT;
        let at = at.field("spec");
        let spec = or_empty(&ingress.spec);
        for (index, tls) in items(&spec.tls).iter().enumerate() {
            let at = at.field("tls");
            let at = at.index(index);
            self.needs(
                "Secret",
                text(&tls.secret_name),
                &at.field("secretName"),
                found,
            );
        }
        if let Some(backend) = &spec.default_backend {
            self.backend(backend, &at.field("defaultBackend"), found);
        }
        for (index, rule) in items(&spec.rules).iter().enumerate() {
            let at = at.field("rules");
            let at = at.index(index);
            let at = at.field("http");
            let at = at.field("paths");
            let paths = rule.http.iter().flat_map(|http| &http.paths);
            for (index, path) in paths.enumerate() {
                self.backend(&path.backend, &at.index(index).field("backend"), found);
            }
        }
    }

    fn backend(&self, backend: &IngressBackend, at: &At<'_>, found: &mut Findings) {
        if let Some(service) = &backend.service {
            let at = at.field("service");
            self.needs("Service", &service.name, &at.field("name"), found);
            let key = (self.namespace, service.name.as_str());
            let (Some(ports), Some(wanted)) = (self.served.get(&key), &service.port) else {
                return;
            };
            let (name, number) = (text(&wanted.name), wanted.number.unwrap_or_default());
            let is_it = |port: &(i32, &str)| match name {
                "" => port.0 == number,
                name => port.1 == name,
            };
            if !ports.iter().any(is_it) {
                let (field, wanted) = match name {
                    "" => ("number", number.to_string()),
                    name => ("name", format!("{name:?}")),
                };
                let message = format!("Service {:?} has no port {wanted}", service.name);
                found.warning(&at.field("port").field(field), message);
            }
        }
    }
}

const NO_POD: &str = "no pod among these manifests has these labels";

fn has_pods(service: &Service, space: &str, pods: &Pods<'_>, found: &mut Findings) {
    let chosen = service
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref());
    let chosen = chosen.filter(|chosen| !chosen.is_empty());
    if chosen.is_some_and(|chosen| pods.chosen(space, chosen).is_empty()) {
        let at = At::ROOT;
        let at = at.field("spec");
        found.warning(&at.field("selector"), NO_POD);
    }
}
