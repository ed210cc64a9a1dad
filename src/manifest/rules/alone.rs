//! What only one pod may have: a claim that is ReadWriteOncePod, a port of the host.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;

use super::across::{every_spec, namespace};
use super::containers::every_container;
use super::fault::{is_on, items, text};
use crate::manifest::decode::Object;
use crate::manifest::read::Reading;
use crate::manifest::source::{At, Findings, Located};

/// A claim by its namespace and its name.
type Claim<'r> = (&'r str, &'r str);

/// Warns of what several pods of a reading have and only one can.
pub(super) fn check(reading: &Reading) -> Vec<Located> {
    let claims = claims_for_one(reading);
    let mut users = BTreeMap::new();
    let mut located = Vec::new();
    for read in &reading.objects {
        let Some(object) = &read.object else {
            continue;
        };
        let mut found = Findings::default();
        let replicas = replicas(object);
        every_spec(object, &mut |_, spec, at| {
            if replicas > 1 {
                host_ports(spec, replicas, at, &mut found);
            }
            let at = at.field("volumes");
            for (index, volume) in items(&spec.volumes).iter().enumerate() {
                let Some(claim) = &volume.persistent_volume_claim else {
                    continue;
                };
                let name = claim.claim_name.as_str();
                let key = (namespace(read), name);
                if !claims.contains(&key) {
                    continue;
                }
                let at = at.index(index);
                let at = at.field("persistentVolumeClaim");
                let title = read.document.title().unwrap_or_default();
                let holder = match replicas {
                    0 | 1 => users.insert(key, title),
                    _ => Some(format!("{replicas} pods of {title}").into()),
                };
                if let Some(holder) = holder {
                    let message =
                        format!("claim {name:?} is ReadWriteOncePod and used by {holder} too");
                    found.warning(&at.field("claimName"), message);
                }
            }
        });
        located.extend(read.document.locate(found));
    }
    located
}

fn claims_for_one(reading: &Reading) -> BTreeSet<Claim<'_>> {
    let mut claims = BTreeSet::new();
    for read in &reading.objects {
        if let Some(Object::PersistentVolumeClaim(claim)) = &read.object {
            let modes = claim.spec.as_ref().map(|spec| items(&spec.access_modes));
            let mut modes = modes.unwrap_or_default().iter();
            if modes.any(|mode| mode == "ReadWriteOncePod") {
                claims.insert((namespace(read), text(&claim.metadata.name)));
            }
        }
    }
    claims
}

/// Returns how many pods of an object run at the same time.
fn replicas(object: &Object) -> i32 {
    let replicas = match object {
        Object::Deployment(one) => one.spec.replicas,
        Object::ReplicaSet(one) => one.spec.replicas,
        Object::StatefulSet(one) => one.spec.replicas,
        Object::Job(one) => one.spec.as_ref().and_then(|spec| spec.parallelism),
        _ => None,
    };
    replicas.unwrap_or(1)
}

/// Warns of ports of the host that each of several replicas wants.
fn host_ports(spec: &PodSpec, replicas: i32, at: &At<'_>, found: &mut Findings) {
    let on_host = is_on(spec.host_network);
    every_container(spec, at, &mut |container, at| {
        let at = at.field("ports");
        for (index, port) in items(&container.ports).iter().enumerate() {
            let wanted = port.host_port.filter(|port| *port != 0);
            if let Some(number) = wanted.or(on_host.then_some(port.container_port)) {
                let message =
                    format!("host port {number} is wanted by each of {replicas} replicas");
                found.warning(&at.index(index), message);
            }
        }
    });
}
