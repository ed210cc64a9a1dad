//! What is noted of objects for the checks across them, as records that can be sorted by what they are about.
//!
//! Manifests are read piece by piece, and a piece is forgotten when it is done; the facts of its objects stay. When
//! all are read, what is said of one subject, such as the ConfigMap `web` in `default`, comes together: first what
//! gives it, then what asks for it, each in the order of the manifests. So one subject is looked at at a time,
//! however many there are.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher as _;

use super::behind::{Chooser, pack_pod};
use super::told::Told;
use crate::manifest::packed::{Packer, Unpacker};
use crate::manifest::pieces::Place;
use crate::manifest::sorted::{Records, Sorter};

/// What all objects give and need.
#[derive(Debug)]
pub(in crate::manifest) struct Facts {
    pub(super) subjects: Sorter,
    /// Objects that choose pods, and pods: that their labels meet is no matter of order.
    pub(super) choosers: Sorter,
    pub(super) pods: Sorter,
    pub(super) room: usize,
}

impl Facts {
    /// Keeps as many bytes of each kind of records in memory.
    pub(in crate::manifest) fn new(room: usize) -> Self {
        Self {
            subjects: Sorter::new(room),
            choosers: Sorter::new(room),
            pods: Sorter::new(room),
            room,
        }
    }

    pub(in crate::manifest) fn add(&self, facts: &PieceFacts) {
        self.subjects.add(&facts.subjects);
        self.choosers.add(&facts.choosers);
        self.pods.add(&facts.pods);
    }
}

/// The facts of the objects of one piece.
#[derive(Debug, Default)]
pub(in crate::manifest) struct PieceFacts {
    /// Where the next fact stands.
    next: Order,
    subjects: Records,
    choosers: Records,
    pods: Records,
    key: Packer,
    value: Packer,
}

impl PieceFacts {
    pub(in crate::manifest) fn of(place: Place) -> Self {
        Self {
            next: Order {
                input: narrow(place.input),
                piece: narrow(place.number),
                ..Order::default()
            },
            ..Self::default()
        }
    }

    /// Goes on to the next object.
    pub(super) fn end_object(&mut self) {
        self.next.object += 1;
        self.next.fact = 0;
    }

    /// Returns the place for one more fact.
    pub(super) fn order(&mut self) -> Order {
        let order = self.next;
        self.next.fact += 1;
        order
    }

    /// Notes a fact, and what a warning about it shows.
    pub(super) fn say(&mut self, subject: Subject<'_>, fact: &Fact<'_>, told: &Told<'_>) {
        let order = self.order();
        self.key.clear();
        subject.pack(&mut self.key);
        self.key.raw(&[u8::from(fact.is_asked())]);
        self.key.raw(&order.bytes());
        self.value.clear();
        fact.pack(&mut self.value);
        told.pack(&mut self.value);
        self.subjects.push(self.key.bytes(), self.value.bytes());
    }

    pub(super) fn chooser(&mut self, chooser: &Chooser) {
        self.choosers.push(&self.next.bytes(), chooser.bytes());
    }

    /// Notes a pod, with the ports that its containers declare.
    pub(super) fn pod(
        &mut self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        ports: &[(i32, &str)],
    ) {
        self.value.clear();
        pack_pod(namespace, labels, ports, &mut self.value);
        self.pods.push(&self.next.bytes(), self.value.bytes());
    }
}

/// Where a fact stands among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Order {
    pub(super) input: u32,
    piece: u32,
    object: u32,
    fact: u32,
}

impl Order {
    pub(super) const LENGTH: usize = 16;

    /// Returns bytes that sort as it does.
    pub(super) fn bytes(self) -> [u8; Self::LENGTH] {
        let numbers = [self.input, self.piece, self.object, self.fact];
        let bytes = numbers.iter().flat_map(|number| number.to_be_bytes());
        let mut all = [0; Self::LENGTH];
        all.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        all
    }

    pub(super) fn of(bytes: &[u8]) -> Self {
        let number = |index: usize| {
            let bytes = bytes[4 * index..4 * (index + 1)].try_into();
            u32::from_be_bytes(bytes.expect("four bytes"))
        };
        Self {
            input: number(0),
            piece: number(1),
            object: number(2),
            fact: number(3),
        }
    }

    pub(super) fn place(self) -> Place {
        Place {
            input: self.input as usize,
            number: self.piece as usize,
        }
    }

    /// Returns what is the same for all facts of an object.
    pub(super) fn object(self) -> Self {
        Self { fact: 0, ..self }
    }
}

/// There are fewer of all that is counted than the bytes of a source.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What facts are about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'s> {
    Object {
        kind: &'s str,
        namespace: &'s str,
        name: &'s str,
    },
    HostPort {
        number: i32,
        protocol: &'s str,
    },
}

impl<'s> Subject<'s> {
    /// The bytes of a hash, which comes first and mostly decides the order.
    const HASH: usize = 8;

    fn pack(&self, into: &mut Packer) {
        into.raw(&[0; Self::HASH]);
        match self {
            Self::Object {
                kind,
                namespace,
                name,
            } => {
                into.raw(b"o");
                into.text(kind);
                into.text(namespace);
                into.text(name);
            }
            Self::HostPort { number, protocol } => {
                into.raw(b"h");
                into.signed(*number);
                into.text(protocol);
            }
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(&into.bytes()[Self::HASH..]);
        into.overwrite(&hasher.finish().to_be_bytes());
    }

    pub(super) fn unpack(bytes: &'s [u8]) -> Self {
        let mut from = Unpacker::new(&bytes[Self::HASH..]);
        match from.raw(1) {
            b"o" => Self::Object {
                kind: from.text(),
                namespace: from.text(),
                name: from.text(),
            },
            _ => Self::HostPort {
                number: from.signed(),
                protocol: from.text(),
            },
        }
    }
}

/// Splits the key of a fact into its subject and its place.
pub(super) fn split(key: &[u8]) -> (&[u8], Order) {
    let (subject, rest) = key.split_at(key.len() - Order::LENGTH - 1);
    (subject, Order::of(&rest[1..]))
}

/// What is said of a subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fact<'f> {
    /// An object has the name.
    Name,
    /// And these keys, in order, as ConfigMaps and Secrets do.
    Keys(Vec<&'f str>),
    /// And these ports, as Services do.
    Ports(Vec<(i32, &'f str)>),
    /// And is a claim that only one pod may use.
    ClaimForOne,
    /// The object has to be there.
    IsNeeded,
    /// If it is there, it has to have the key.
    Key(&'f str),
    /// If it is there, it has to have the port.
    Port(Port<'f>),
    /// It is a claim that an object with so many pods uses.
    Claim(i32),
    /// It is wanted on this address.
    HostPort(&'f str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port<'f> {
    Name(&'f str),
    Number(i32),
}

impl<'f> Fact<'f> {
    /// Tells whether it asks for what others give.
    fn is_asked(&self) -> bool {
        !matches!(
            self,
            Self::Name | Self::Keys(_) | Self::Ports(_) | Self::ClaimForOne
        )
    }

    fn pack(&self, into: &mut Packer) {
        match self {
            Self::Name => into.raw(b"n"),
            Self::Keys(keys) => {
                into.raw(b"k");
                into.length(keys.len());
                keys.iter().for_each(|key| into.text(key));
            }
            Self::Ports(ports) => {
                into.raw(b"s");
                pack_ports(ports, into);
            }
            Self::ClaimForOne => into.raw(b"1"),
            Self::IsNeeded => into.raw(b"o"),
            Self::Key(key) => {
                into.raw(b"K");
                into.text(key);
            }
            Self::Port(port) => {
                into.raw(b"P");
                port.pack(into);
            }
            Self::Claim(replicas) => {
                into.raw(b"C");
                into.signed(*replicas);
            }
            Self::HostPort(ip) => {
                into.raw(b"H");
                into.text(ip);
            }
        }
    }

    pub(super) fn unpack(from: &mut Unpacker<'f>) -> Self {
        match from.raw(1) {
            b"k" => Self::Keys((0..from.length()).map(|_| from.text()).collect()),
            b"s" => Self::Ports(unpack_ports(from)),
            b"1" => Self::ClaimForOne,
            b"o" => Self::IsNeeded,
            b"K" => Self::Key(from.text()),
            b"P" => Self::Port(Port::unpack(from)),
            b"C" => Self::Claim(from.signed()),
            b"H" => Self::HostPort(from.text()),
            _ => Self::Name,
        }
    }
}

impl<'f> Port<'f> {
    pub(super) fn pack(self, into: &mut Packer) {
        match self {
            Self::Name(name) => {
                into.raw(b"n");
                into.text(name);
            }
            Self::Number(number) => {
                into.raw(b"#");
                into.signed(number);
            }
        }
    }

    pub(super) fn unpack(from: &mut Unpacker<'f>) -> Self {
        match from.raw(1) {
            b"n" => Self::Name(from.text()),
            _ => Self::Number(from.signed()),
        }
    }

    /// Tells whether a port of this number and name is meant.
    pub(super) fn is(self, (number, name): (i32, &str)) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::Number(wanted) => wanted == number,
        }
    }
}

pub(super) fn pack_ports(ports: &[(i32, &str)], into: &mut Packer) {
    into.length(ports.len());
    for (number, name) in ports {
        into.signed(*number);
        into.text(name);
    }
}

pub(super) fn unpack_ports<'f>(from: &mut Unpacker<'f>) -> Vec<(i32, &'f str)> {
    let count = from.length();
    (0..count).map(|_| (from.signed(), from.text())).collect()
}
