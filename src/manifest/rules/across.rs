//! What only shows when objects are seen together.
//!
//! The server takes objects one by one, in any order, and so says none of this; a play has them all
//! in hand and runs them on one host. Everything here is a warning: the other half may be there
//! already.

use std::collections::{HashMap, HashSet};

use super::behind::Pods;
use super::outline::{Gives, Need, Outline, ServicePort, What};
use crate::manifest::source::Located;

/// Checks the needs of objects against what all of them give.
pub(in crate::manifest) fn check_across(outlines: &[Outline]) -> Vec<Located> {
    let known = Known::of(outlines);
    let mut taken = Taken::default();
    let mut found = Vec::new();
    for outline in outlines {
        for need in &outline.needs {
            let message = taken
                .unmet(&known, outline, need)
                .or_else(|| known.unmet(outline, need));
            found.extend(message.map(|message| outline.warning(need, message)));
        }
        taken.add_host_ports(outline);
    }
    found
}

const CLAIM: &str = "PersistentVolumeClaim";

/// An object's kind, namespace and name.
type Name<'o> = (&'o str, &'o str, &'o str);

/// Returns the name of an object in the namespace of another.
fn of_namespace<'o>(outline: &'o Outline, kind: &'o str, name: &'o str) -> Name<'o> {
    (kind, outline.namespace(), name)
}

/// All that objects give.
struct Known<'o> {
    names: HashSet<Name<'o>>,
    keys: HashMap<Name<'o>, &'o [Box<str>]>,
    served: HashMap<Name<'o>, &'o [(i32, Box<str>)]>,
    claims_for_one: HashSet<Name<'o>>,
    pods: Pods<'o>,
}

impl<'o> Known<'o> {
    fn of(outlines: &'o [Outline]) -> Self {
        let mut known = Self {
            names: HashSet::new(),
            keys: HashMap::new(),
            served: HashMap::new(),
            claims_for_one: HashSet::new(),
            pods: Pods::of(outlines),
        };
        for outline in outlines {
            let Some(name) = &outline.name else {
                continue;
            };
            let name = of_namespace(outline, &outline.kind, name);
            known.names.insert(name);
            match &outline.gives {
                Gives::Keys(keys) => {
                    known.keys.insert(name, keys);
                }
                Gives::Ports(ports) => {
                    known.served.insert(name, ports);
                }
                Gives::ClaimForOne => {
                    known.claims_for_one.insert(name);
                }
                Gives::Nothing | Gives::Pods { .. } => {}
            }
        }
        known
    }

    /// Says what is wrong about a need that only one of the objects has to meet.
    fn unmet(&self, outline: &Outline, need: &Need) -> Option<String> {
        match &need.what {
            What::OwnName | What::HostPort { .. } | What::Claim(_) => None,
            What::Object { kind, name } => {
                let is_there = self.names.contains(&of_namespace(outline, kind, name));
                (!is_there).then(|| format!("{kind} {name:?} is not among these manifests"))
            }
            What::Key { kind, name, key } => {
                let keys = self.keys.get(&of_namespace(outline, kind, name))?;
                let is_there = keys.binary_search(key).is_ok();
                (!is_there).then(|| format!("{kind} {name:?} has no key {key:?}"))
            }
            What::Pods => {
                let is_none = self.pods.chosen(outline).next().is_none();
                is_none.then(|| "no pod among these manifests has these labels".to_owned())
            }
            What::PortOfName(wanted) => {
                let mut pods = self.pods.chosen(outline).peekable();
                pods.peek()?;
                let is_there = pods.any(|pod| pod.ports.iter().any(|(_, name)| name == wanted));
                (!is_there).then(|| {
                    format!("no pod behind this service has a port of the name {wanted:?}")
                })
            }
            What::PortOfNumber(wanted) => {
                // many pods declare no port at all
                let ports = self.pods.chosen(outline).flat_map(|pod| pod.ports);
                let mut ports = ports.peekable();
                ports.peek()?;
                let is_there = ports.any(|(number, _)| number == wanted);
                (!is_there)
                    .then(|| format!("no pod behind this service declares the port {wanted}"))
            }
            What::ServicePort { service, port } => {
                let name = of_namespace(outline, "Service", service);
                let mut ports = self.served.get(&name)?.iter();
                let (is_there, port) = match port {
                    ServicePort::Name(wanted) => {
                        (ports.any(|(_, name)| name == wanted), format!("{wanted:?}"))
                    }
                    ServicePort::Number(wanted) => (
                        ports.any(|(number, _)| number == wanted),
                        wanted.to_string(),
                    ),
                };
                (!is_there).then(|| format!("Service {service:?} has no port {port}"))
            }
        }
    }
}

/// A port is compared with as many holders of its number: more only repeat what was said.
const MOST_COMPARED: usize = 64;

/// What only one object can have, and which one has it already.
#[derive(Default)]
struct Taken<'o> {
    /// Each with the line that its name stands in.
    names: HashMap<Name<'o>, (&'o Outline, u32)>,
    /// By number and protocol: on which address, and whose.
    host_ports: HashMap<(i32, &'o str), Vec<(&'o str, &'o Outline)>>,
    claims: HashMap<Name<'o>, &'o Outline>,
}

impl<'o> Taken<'o> {
    /// Takes what a need asks to have alone; says who has it already.
    fn unmet(&mut self, known: &Known<'_>, outline: &'o Outline, need: &'o Need) -> Option<String> {
        match &need.what {
            What::OwnName => {
                let (kind, name) = (&outline.kind, outline.name.as_ref()?);
                let own = of_namespace(outline, kind, name);
                let (first, line) = self.names.insert(own, (outline, need.line()))?;
                let file = &first.file;
                Some(format!("{kind} {name:?} stands at {file}:{line} already"))
            }
            What::HostPort {
                number,
                protocol,
                ip,
            } => {
                let holders = self.host_ports.get(&(*number, &**protocol))?;
                let mut holders = holders.iter().take(MOST_COMPARED);
                let (_, other) = holders.find(|(held, _)| collide(held, ip))?;
                let other = title(other);
                Some(format!(
                    "host port {number}/{protocol} is wanted by {other} too"
                ))
            }
            What::Claim(name) => {
                let claim = of_namespace(outline, CLAIM, name);
                if !known.claims_for_one.contains(&claim) {
                    return None;
                }
                let holder = match outline.replicas {
                    0 | 1 => title(self.claims.insert(claim, outline)?).to_owned(),
                    many => format!("{many} pods of {}", title(outline)),
                };
                Some(format!(
                    "claim {name:?} is ReadWriteOncePod and used by {holder} too"
                ))
            }
            _ => None,
        }
    }

    /// Takes the host ports of an object, which are compared with those of others only.
    fn add_host_ports(&mut self, outline: &'o Outline) {
        for need in &outline.needs {
            if let What::HostPort {
                number,
                protocol,
                ip,
            } = &need.what
            {
                let holders = self.host_ports.entry((*number, protocol)).or_default();
                holders.push((ip, outline));
            }
        }
    }
}

fn title(outline: &Outline) -> &str {
    outline.object.title.as_deref().unwrap_or_default()
}

fn collide(one: &str, other: &str) -> bool {
    let is_any = |ip: &str| ["", "0.0.0.0", "::"].contains(&ip);
    one == other || is_any(one) || is_any(other)
}
