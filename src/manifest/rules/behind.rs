//! The pods behind Services, when both are read together.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::across::{every_spec, namespace};
use super::containers::every_container;
use super::fault::{items, text};
use crate::manifest::read::Reading;
use crate::manifest::source::{At, Findings};

type Map = BTreeMap<String, String>;

/// Warns of ports of a service that lead to a name which no pod behind it has.
pub(super) fn target_ports(service: &Service, space: &str, pods: &Pods<'_>, found: &mut Findings) {
    let Some(spec) = &service.spec else {
        return;
    };
    let is_name = |port: &&ServicePort| matches!(port.target_port, Some(IntOrString::String(_)));
    let ports = items(&spec.ports);
    let chosen = spec.selector.as_ref().filter(|chosen| !chosen.is_empty());
    let Some(chosen) = chosen.filter(|_| ports.iter().any(|port| is_name(&port))) else {
        return;
    };
    let behind = pods.chosen(space, chosen);
    let mut names = BTreeSet::new();
    for spec in &behind {
        every_container(spec, &At::ROOT, &mut |container, _| {
            let ports = items(&container.ports).iter();
            names.extend(ports.map(|port| text(&port.name).to_owned()));
        });
    }
    let at = At::ROOT;
    let at = at.field("spec");
    let at = at.field("ports");
    for (index, port) in ports.iter().enumerate() {
        if let Some(IntOrString::String(name)) = &port.target_port
            && !behind.is_empty()
            && !names.contains(name)
        {
            let message = format!("no pod behind this service has a port of the name {name:?}");
            found.warning(&at.index(index).field("targetPort"), message);
        }
    }
}

/// The pods of a reading, found by their labels without a look at each.
pub(super) struct Pods<'r> {
    all: Vec<(&'r Map, &'r PodSpec)>,
    by_label: BTreeMap<(&'r str, &'r str, &'r str), Vec<usize>>,
}

impl<'r> Pods<'r> {
    pub(super) fn of(reading: &'r Reading) -> Self {
        let mut pods = Self {
            all: Vec::new(),
            by_label: BTreeMap::new(),
        };
        for read in &reading.objects {
            let Some(object) = &read.object else {
                continue;
            };
            every_spec(object, &mut |meta, spec, _| {
                if let Some(labels) = meta.and_then(|meta| meta.labels.as_ref()) {
                    pods.add(namespace(read), labels, spec);
                }
            });
        }
        pods
    }

    fn add(&mut self, space: &'r str, labels: &'r Map, spec: &'r PodSpec) {
        for (key, value) in labels {
            let of_label = self.by_label.entry((space, key, value)).or_default();
            of_label.push(self.all.len());
        }
        self.all.push((labels, spec));
    }

    fn with_label<'a>(&'a self, space: &'a str, key: &'a str, value: &'a str) -> &'a [usize] {
        let list = self.by_label.get(&(space, key, value));
        list.map_or(&[][..], Vec::as_slice)
    }

    /// Returns the pods of a namespace that have all of these labels.
    pub(super) fn chosen(&self, space: &str, chosen: &Map) -> Vec<&'r PodSpec> {
        let lists = chosen.iter();
        let lists = lists.map(|(key, value)| self.with_label(space, key, value));
        let fewest = lists.min_by_key(|list| list.len()).unwrap_or_default();
        let candidates = fewest.iter().map(|index| self.all[*index]);
        candidates
            .filter(|(labels, _)| {
                chosen
                    .iter()
                    .all(|(key, value)| labels.get(key) == Some(value))
            })
            .map(|(_, spec)| spec)
            .collect()
    }
}
