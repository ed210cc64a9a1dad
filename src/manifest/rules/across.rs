//! What only shows when objects are seen together.
//!
//! The server takes objects one by one, in any order, and so says none of this; a play has them all
//! in hand and runs them on one host. Everything here is a warning: the other half may be there
//! already.

use super::behind;
use super::facts::{Fact, Facts, Order, Port, Subject, split};
use super::told::Told;
use crate::manifest::packed::Unpacker;
use crate::manifest::pieces::Before;
use crate::manifest::sorted::{Lost, Sorted};
use crate::manifest::source::Located;

/// Checks what objects need against what all of them give.
///
/// # Errors
/// What was put aside cannot be read.
pub(in crate::manifest) fn check_across(
    facts: Facts,
    before: &Before,
) -> Result<Vec<Located>, Lost> {
    let mut unmet = Vec::new();
    of_subjects(&facts.subjects.sorted(), &mut unmet)?;
    let (choosers, pods) = (facts.choosers.sorted(), facts.pods.sorted());
    behind::of_choosers(&choosers, &pods, facts.room, &mut unmet)?;
    unmet.sort_unstable_by_key(|one| one.order);
    let mut found: Vec<Located> = Vec::with_capacity(unmet.len());
    for Unmet {
        order,
        told,
        message,
    } in unmet
    {
        let told = Told::unpack(&told);
        let mut warning = told.warning(order.input as usize, message, found.last());
        warning.renumber(before.of(order.place()));
        found.push(warning);
    }
    Ok(found)
}

/// Something that nothing gives, or that another has.
#[derive(Debug)]
pub(super) struct Unmet {
    pub(super) order: Order,
    /// Where it is asked for.
    pub(super) told: Box<[u8]>,
    pub(super) message: String,
}

fn of_subjects(facts: &Sorted, unmet: &mut Vec<Unmet>) -> Result<(), Lost> {
    let mut facts = facts.merge()?;
    let (mut subject, mut known) = (Vec::new(), Known::default());
    while let Some((key, value)) = facts.next()? {
        let (about, order) = split(key);
        if *about != *subject {
            known = Known::default();
            subject.clear();
            subject.extend_from_slice(about);
        }
        let mut value = Unpacker::new(value);
        let fact = Fact::unpack(&mut value);
        let told = value.rest();
        let message = match Subject::unpack(about) {
            Subject::Object { kind, name, .. } => known.object(kind, name, fact, told),
            Subject::HostPort { number, protocol } => {
                let other = known.host_port(order, fact, told);
                other.map(|other| format!("host port {number}/{protocol} is wanted by {other} too"))
            }
        };
        unmet.extend(message.map(|message| Unmet {
            order,
            told: told.into(),
            message,
        }));
    }
    Ok(())
}

/// A port is compared with as many holders of its number: more only repeat what was said.
const MOST_COMPARED: usize = 64;

/// What is known so far of one subject.
#[derive(Default)]
struct Known {
    /// The last object of the name: its file, and the line that its name stands in.
    last: Option<(Box<str>, u32)>,
    /// What the last such object has.
    keys: Option<Vec<Box<str>>>,
    ports: Option<Vec<(i32, Box<str>)>>,
    is_for_one: bool,
    /// Who used the claim last.
    user: Option<Box<str>>,
    host_ports: Vec<Holder>,
}

/// Who wants a port of the host.
struct Holder {
    object: Order,
    ip: Box<str>,
    title: Box<str>,
}

impl Known {
    /// Takes a fact of an object; says what is wrong about it.
    fn object(&mut self, kind: &str, name: &str, fact: Fact<'_>, told: &[u8]) -> Option<String> {
        match fact {
            Fact::Name => {}
            Fact::Keys(keys) => self.keys = Some(keys.into_iter().map(Into::into).collect()),
            Fact::Ports(ports) => {
                let owned = |(number, name): (i32, &str)| (number, name.into());
                self.ports = Some(ports.into_iter().map(owned).collect());
            }
            Fact::ClaimForOne => self.is_for_one = true,
            Fact::IsNeeded => {
                let is_there = self.last.is_some();
                return (!is_there)
                    .then(|| format!("{kind} {name:?} is not among these manifests"));
            }
            Fact::Key(key) => {
                let keys = self.keys.as_ref()?;
                let is_there = keys.binary_search_by(|known| (**known).cmp(key)).is_ok();
                return (!is_there).then(|| format!("{kind} {name:?} has no key {key:?}"));
            }
            Fact::Port(port) => {
                let mut ports = self.ports.as_ref()?.iter();
                let is_there = ports.any(|(number, name)| port.is((*number, name)));
                let port = match port {
                    Port::Name(name) => format!("{name:?}"),
                    Port::Number(number) => number.to_string(),
                };
                return (!is_there).then(|| format!("Service {name:?} has no port {port}"));
            }
            Fact::Claim(replicas) => {
                let user = self.user_before(replicas, told)?;
                return Some(format!(
                    "claim {name:?} is ReadWriteOncePod and used by {user} too"
                ));
            }
            Fact::HostPort(_) => return None,
        }
        let told = Told::unpack(told);
        let last = self.last.replace((told.file.into(), told.span.line));
        last.map(|(file, line)| format!("{kind} {name:?} stands at {file}:{line} already"))
    }

    /// Takes a claim that is for one pod, and says who else uses it.
    fn user_before(&mut self, replicas: i32, told: &[u8]) -> Option<String> {
        if !self.is_for_one {
            return None;
        }
        let told = Told::unpack(told);
        match replicas {
            0 | 1 => self.user.replace(told.title().into()).map(Into::into),
            many => Some(format!("{many} pods of {}", told.title())),
        }
    }

    /// Takes a port of the host, and says which object before has it.
    fn host_port(&mut self, order: Order, fact: Fact<'_>, told: &[u8]) -> Option<String> {
        let Fact::HostPort(ip) = fact else {
            return None;
        };
        let object = order.object();
        let others = self.host_ports.iter();
        // The API server itself compares the ports of one object.
        let mut others = others.take_while(|holder| holder.object != object);
        let other = others.find(|holder| collide(&holder.ip, ip));
        let other = other.map(|holder| holder.title.to_string());
        if self.host_ports.len() < MOST_COMPARED {
            self.host_ports.push(Holder {
                object,
                ip: ip.into(),
                title: Told::unpack(told).title().into(),
            });
        }
        other
    }
}

fn collide(one: &str, other: &str) -> bool {
    let is_any = |ip: &str| ["", "0.0.0.0", "::"].contains(&ip);
    one == other || is_any(one) || is_any(other)
}
