//! What a set of manifests lacks, if it is all there is.
//!
//! A check of manifests knows only the set; what a play needs may be on the host from an earlier
//! one. So this is asked for apart, and brings warnings.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PodSpec, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};

use super::across::{every_spec, namespace};
use super::behind::Pods;
use super::containers::every_container;
use super::fault::{is_on, items, or_empty, text};
use crate::manifest::decode::Object;
use crate::manifest::read::{Read, Reading};
use crate::manifest::source::{At, Findings, Located};

type Names<'r> = BTreeSet<(&'static str, &'r str, &'r str)>;

/// Warns of what the objects of a reading ask for and nothing in it gives.
///
/// ConfigMaps, Secrets, claims and accounts that pods need, pods behind Services, Services behind
/// Ingresses.
pub fn check_whole(reading: &mut Reading) {
    let known: Names<'_> = reading.objects.iter().filter_map(named).collect();
    let pods = Pods::of(reading);
    let mut located = Vec::new();
    for read in &reading.objects {
        let Some(object) = &read.object else {
            continue;
        };
        let mut found = Findings::default();
        let whole = Whole {
            namespace: namespace(read),
            known: &known,
        };
        let claims = claims_of(object);
        every_spec(object, &mut |_, spec, at| {
            whole.pod(spec, &claims, at, &mut found)
        });
        match object {
            Object::Service(service) => has_pods(service, namespace(read), &pods, &mut found),
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

struct Whole<'k> {
    namespace: &'k str,
    known: &'k Names<'k>,
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
            if let Some(of) = &volume.persistent_volume_claim {
                let at = at.field("persistentVolumeClaim");
                let claim_at = at.field("claimName");
                self.needs("PersistentVolumeClaim", &of.claim_name, &claim_at, found);
            }
        }
    }

    fn ingress(&self, ingress: &Ingress, found: &mut Findings) {
        let at = At::ROOT;
        let at = at.field("spec");
        let spec = or_empty(&ingress.spec);
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
        }
    }
}

fn has_pods(service: &Service, space: &str, pods: &Pods<'_>, found: &mut Findings) {
    let chosen = service
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref());
    let chosen = chosen.filter(|chosen| !chosen.is_empty());
    if chosen.is_some_and(|chosen| pods.chosen(space, chosen).is_empty()) {
        let at = At::ROOT;
        let at = at.field("spec");
        let message = "no pod among these manifests has these labels";
        found.warning(&at.field("selector"), message);
    }
}
