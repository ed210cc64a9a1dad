//! The pods behind Services and network policies, when all are read.
//!
//! As many choosers are taken at a time as there is room for, and all pods go past them. What is asked of the pods is
//! whether there is one, so those who choose alike are one selection.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use super::across::Unmet;
use super::facts::{Order, Port, pack_ports, unpack_ports};
use super::told::Told;
use crate::manifest::packed::{Packer, Unpacker};
use crate::manifest::sorted::{Lost, Sorted};

/// Labels, or what is asked of labels, in order.
type Labels<'l> = Vec<(&'l str, &'l str)>;

/// What is asked of the pods that are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted<'w> {
    /// That there is one.
    Pod,
    Port(Port<'w>),
}

/// Something that chooses pods by their labels.
#[derive(Debug)]
pub(super) struct Chooser {
    packed: Packer,
    told: Packer,
}

impl Chooser {
    pub(super) fn new(namespace: &str, selector: &BTreeMap<String, String>) -> Self {
        let mut packed = Packer::default();
        packed.text(namespace);
        pack_labels(selector, &mut packed);
        Self {
            packed,
            told: Packer::default(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.packed.bytes()
    }

    /// Asks something of its pods.
    pub(super) fn want(&mut self, order: Order, wanted: Wanted<'_>, told: &Told<'_>) {
        self.packed.raw(&order.bytes());
        match wanted {
            Wanted::Pod => self.packed.raw(b"-"),
            Wanted::Port(port) => {
                self.packed.raw(b"p");
                port.pack(&mut self.packed);
            }
        }
        self.told.clear();
        told.pack(&mut self.told);
        self.packed.length(self.told.bytes().len());
        self.packed.raw(self.told.bytes());
    }
}

impl<'w> Wanted<'w> {
    fn unpack(from: &mut Unpacker<'w>) -> Self {
        match from.raw(1) {
            b"p" => Self::Port(Port::unpack(from)),
            _ => Self::Pod,
        }
    }
}

/// Packs a pod as choosers see it, with the ports that its containers declare.
pub(super) fn pack_pod(
    namespace: &str,
    labels: &BTreeMap<String, String>,
    ports: &[(i32, &str)],
    into: &mut Packer,
) {
    into.text(namespace);
    pack_labels(labels, into);
    pack_ports(ports, into);
}

fn pack_labels(labels: &BTreeMap<String, String>, into: &mut Packer) {
    into.length(labels.len());
    for (key, value) in labels {
        into.text(key);
        into.text(value);
    }
}

fn unpack_labels<'l>(from: &mut Unpacker<'l>) -> Labels<'l> {
    let count = from.length();
    (0..count).map(|_| (from.text(), from.text())).collect()
}

/// Says what choosers lack.
///
/// # Errors
/// What was put aside cannot be read.
pub(super) fn of_choosers(
    choosers: &Sorted,
    pods: &Sorted,
    room: usize,
    unmet: &mut Vec<Unmet>,
) -> Result<(), Lost> {
    let mut choosers = choosers.merge()?;
    let mut batch = Batch::default();
    while let Some((_, chooser)) = choosers.next()? {
        batch.add(chooser);
        if batch.size > room {
            mem::take(&mut batch).answer(pods, unmet)?;
        }
    }
    batch.answer(pods, unmet)
}

/// As many choosers as are looked at together.
#[derive(Default)]
struct Batch {
    size: usize,
    /// What is wanted, and by which selection.
    wanted: Vec<(usize, Box<[u8]>)>,
    /// The number of each selection, by its namespace and labels.
    numbers: HashMap<Box<[u8]>, usize>,
    answers: Vec<Answer>,
}

/// What is known of the pods of a selection.
#[derive(Default)]
struct Answer {
    is_any: bool,
    has_ports: bool,
    /// The ports that are asked for, and whether one of the pods has them.
    names: BTreeMap<Box<str>, bool>,
    port_numbers: BTreeMap<i32, bool>,
}

impl Batch {
    fn add(&mut self, chooser: &[u8]) {
        let mut from = Unpacker::new(chooser);
        from.text();
        unpack_labels(&mut from);
        let (selection, wanted) = chooser.split_at(chooser.len() - from.rest().len());
        let number = match self.numbers.get(selection) {
            Some(number) => *number,
            None => {
                self.numbers.insert(selection.into(), self.answers.len());
                self.answers.push(Answer::default());
                self.size += selection.len() + mem::size_of::<Answer>();
                self.answers.len() - 1
            }
        };
        each_wanted(wanted, |_, wanted, _| {
            self.answers[number].ask(wanted);
        });
        self.size += wanted.len();
        self.wanted.push((number, wanted.into()));
    }

    /// Has all pods go past, and says what they lack.
    fn answer(mut self, pods: &Sorted, unmet: &mut Vec<Unmet>) -> Result<(), Lost> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let selections = Selections::of(&self.numbers);
        let mut pods = pods.merge()?;
        while let Some((_, pod)) = pods.next()? {
            let mut from = Unpacker::new(pod);
            let (namespace, labels) = (from.text(), unpack_labels(&mut from));
            let ports = unpack_ports(&mut from);
            for label in &labels {
                for number in selections.with(namespace, *label) {
                    let answer = &mut self.answers[*number];
                    if !answer.is_whole() && selections.choose(*number, &labels) {
                        answer.see(&ports);
                    }
                }
            }
        }
        for (number, wanted) in &self.wanted {
            let answer = &self.answers[*number];
            each_wanted(wanted, |order, wanted, told| {
                unmet.extend(answer.lacks(wanted).map(|message| Unmet {
                    order,
                    told: told.into(),
                    message,
                }));
            });
        }
        Ok(())
    }
}

/// Visits what a chooser wants, with where it stands.
fn each_wanted(packed: &[u8], mut visit: impl FnMut(Order, Wanted<'_>, &[u8])) {
    let mut from = Unpacker::new(packed);
    while !from.rest().is_empty() {
        let order = Order::of(from.raw(Order::LENGTH));
        let wanted = Wanted::unpack(&mut from);
        let length = from.length();
        visit(order, wanted, from.raw(length));
    }
}

impl Answer {
    fn ask(&mut self, wanted: Wanted<'_>) {
        match wanted {
            Wanted::Pod => {}
            Wanted::Port(Port::Name(name)) => {
                self.names.insert(name.into(), false);
            }
            Wanted::Port(Port::Number(number)) => {
                self.port_numbers.insert(number, false);
            }
        }
    }

    /// Tells whether no further pod changes what is said.
    fn is_whole(&self) -> bool {
        let mut found = self.names.values().chain(self.port_numbers.values());
        self.is_any && found.all(|is_found| *is_found)
    }

    /// Looks at a pod of the selection.
    fn see(&mut self, ports: &[(i32, &str)]) {
        self.is_any = true;
        self.has_ports |= !ports.is_empty();
        for (number, name) in ports {
            if let Some(is_found) = self.port_numbers.get_mut(number) {
                *is_found = true;
            }
            if let Some(is_found) = self.names.get_mut(*name) {
                *is_found = true;
            }
        }
    }

    /// Says what the pods do not have.
    fn lacks(&self, wanted: Wanted<'_>) -> Option<String> {
        match wanted {
            Wanted::Pod => {
                (!self.is_any).then(|| "no pod among these manifests has these labels".to_owned())
            }
            Wanted::Port(Port::Name(name)) => (self.is_any && !self.names[name])
                .then(|| format!("no pod behind this service has a port of the name {name:?}")),
            // many pods declare no port at all
            Wanted::Port(Port::Number(number)) => (self.has_ports && !self.port_numbers[&number])
                .then(|| format!("no pod behind this service declares the port {number}")),
        }
    }
}

/// Selections, found by one of their labels: the one that the fewest others have.
struct Selections<'b> {
    labels: Vec<Labels<'b>>,
    by_label: HashMap<(&'b str, &'b str, &'b str), Vec<usize>>,
}

impl<'b> Selections<'b> {
    fn of(numbers: &'b HashMap<Box<[u8]>, usize>) -> Self {
        let mut all = vec![("", Labels::new()); numbers.len()];
        let mut counts = HashMap::new();
        for (packed, number) in numbers {
            let mut from = Unpacker::new(packed);
            let (namespace, labels) = (from.text(), unpack_labels(&mut from));
            for (key, value) in &labels {
                *counts.entry((namespace, *key, *value)).or_insert(0) += 1;
            }
            all[*number] = (namespace, labels);
        }
        let mut by_label: HashMap<_, Vec<usize>> = HashMap::new();
        for (number, (namespace, labels)) in all.iter().enumerate() {
            let labels = labels.iter().map(|(key, value)| (*namespace, *key, *value));
            if let Some(rarest) = labels.min_by_key(|label| counts[label]) {
                by_label.entry(rarest).or_default().push(number);
            }
        }
        Self {
            labels: all.into_iter().map(|(_, labels)| labels).collect(),
            by_label,
        }
    }

    fn with<'s>(&'s self, namespace: &'s str, label: (&'s str, &'s str)) -> &'s [usize] {
        let list = self.by_label.get(&(namespace, label.0, label.1));
        list.map_or(&[], Vec::as_slice)
    }

    /// Tells whether a selection chooses pods with these labels.
    fn choose(&self, number: usize, labels: &Labels<'_>) -> bool {
        let mut chosen = self.labels[number].iter();
        chosen.all(|label| labels.binary_search(label).is_ok())
    }
}
