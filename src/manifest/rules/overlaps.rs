//! Warnings of what stands in its own way: files of one volume, ports of one pod.

use std::collections::BTreeMap;
use std::ops::Bound;

use k8s_openapi::api::core::v1::{
    ContainerPort, DownwardAPIVolumeFile, KeyToPath, PodSpec, Volume, VolumeProjection,
};

use super::containers::every_container;
use super::fault::{items, text, text_or};
use crate::manifest::source::{At, FieldPath, Findings};

/// A path or port is compared with as many others: more only repeat what was said.
const MOST_COMPARED: usize = 64;

/// Warns of files of one volume that stand in each other's way.
pub(super) fn overlapping_files(volume: &Volume, at: &At<'_>, found: &mut Findings) {
    let name = &volume.name;
    if let Some(map) = &volume.config_map {
        let whose = format!("volume {name:?} (ConfigMap {:?})", map.name);
        of_one(
            &key_paths(&map.items),
            &whose,
            &at.field("configMap"),
            found,
        );
    }
    if let Some(secret) = &volume.secret {
        let whose = format!("volume {name:?} (Secret {:?})", text(&secret.secret_name));
        of_one(
            &key_paths(&secret.items),
            &whose,
            &at.field("secret"),
            found,
        );
    }
    if let Some(facts) = &volume.downward_api {
        let whose = format!("volume {name:?} (DownwardAPI)");
        of_one(
            &fact_paths(&facts.items),
            &whose,
            &at.field("downwardAPI"),
            found,
        );
    }
    let sources = volume.projected.as_ref().map(|one| items(&one.sources));
    let (mut taken, at) = (Taken::default(), at.field("projected"));
    let at = at.field("sources");
    let whose = format!("volume {name:?} (Projected)");
    for (index, source) in sources.unwrap_or_default().iter().enumerate() {
        let at = at.index(index);
        if *source == VolumeProjection::default() {
            found.warning(&at, format!("{whose} has no sources provided"));
        }
        let (from, paths) = projected_paths(source);
        for path in paths {
            taken.add(path, &from, &whose, &at, found);
        }
    }
}

/// Returns the paths of a source, and what the server calls it.
fn projected_paths(source: &VolumeProjection) -> (String, Vec<&str>) {
    if let Some(map) = source.config_map.as_ref().filter(|one| one.items.is_some()) {
        let from = format!(" (ConfigMap {:?})", map.name);
        (from, key_paths(&map.items))
    } else if let Some(secret) = source.secret.as_ref().filter(|one| one.items.is_some()) {
        let from = format!(" (Secret {:?})", secret.name);
        (from, key_paths(&secret.items))
    } else if let Some(facts) = source
        .downward_api
        .as_ref()
        .filter(|one| one.items.is_some())
    {
        (" (DownwardAPI)".to_owned(), fact_paths(&facts.items))
    } else if let Some(token) = &source.service_account_token {
        (" (ServiceAccountToken)".to_owned(), vec![&token.path])
    } else {
        (String::new(), Vec::new())
    }
}

fn key_paths(keys: &Option<Vec<KeyToPath>>) -> Vec<&str> {
    items(keys).iter().map(|key| key.path.as_str()).collect()
}

fn fact_paths(files: &Option<Vec<DownwardAPIVolumeFile>>) -> Vec<&str> {
    items(files).iter().map(|file| file.path.as_str()).collect()
}

/// Warns of paths of a volume with one source.
fn of_one(paths: &[&str], whose: &str, at: &At<'_>, found: &mut Findings) {
    let mut taken = Taken::default();
    for path in paths {
        taken.add(path, "", whose, at, found);
    }
}

/// The paths of a volume so far, by which they are found without a look at each.
#[derive(Default)]
struct Taken<'a> {
    /// In their order, each with what it is from.
    all: Vec<(&'a str, String)>,
    by_path: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Taken<'a> {
    /// Adds a path, and warns of each that is the same, holds it, or lies in it.
    fn add(&mut self, path: &'a str, from: &str, whose: &str, at: &At<'_>, found: &mut Findings) {
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return;
        }
        for number in self.in_the_way(path) {
            let (other, other_from) = &self.all[number];
            found.warning(
                at,
                format!("{whose}: overlapping paths: {path:?}{from} with {other:?}{other_from}"),
            );
        }
        self.by_path.entry(path).or_default().push(self.all.len());
        self.all.push((path, from.to_owned()));
    }

    fn in_the_way(&self, path: &str) -> Vec<usize> {
        let ends = path.match_indices('/').map(|(end, _)| end);
        let holders = ends.chain([path.len()]).map(|end| &path[..end]);
        let holders = holders.filter_map(|holder| self.by_path.get(holder));
        let inside = format!("{path}/");
        let after = (Bound::Included(inside.as_str()), Bound::Unbounded);
        let after = self.by_path.range::<str, _>(after);
        let within = after.take_while(|(other, _)| other.starts_with(&inside));
        let all = holders.chain(within.map(|(_, numbers)| numbers)).flatten();
        let mut all: Vec<usize> = all.copied().take(MOST_COMPARED).collect();
        all.sort_unstable();
        all
    }
}

pub(super) fn overlapping_ports(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let mut seen: BTreeMap<(i32, String), Vec<(ContainerPort, FieldPath)>> = BTreeMap::new();
    every_container(spec, at, &mut |container, at| {
        let at = at.field("ports");
        for (index, port) in items(&container.ports).iter().enumerate() {
            let at = at.index(index);
            let number = port.container_port;
            if !text(&port.host_ip).is_empty() && port.host_port.unwrap_or_default() == 0 {
                found.warning(&at, format!("hostIP set without hostPort: {number}"));
            }
            let key = (number, text_or(&port.protocol, "TCP").to_owned());
            let same = seen.entry(key).or_default();
            // one of them is enough to say, and keeps the cost in bounds
            let first = same
                .iter()
                .take(MOST_COMPARED)
                .find_map(|(other, path)| Some((overlap(port, other)?, path)));
            if let Some((how, path)) = first {
                found.warning(&at, format!("{how} port definition with {path}"));
            } else {
                same.push((port.clone(), at.to_path()));
            }
        }
    });
}

fn overlap(one: &ContainerPort, other: &ContainerPort) -> Option<&'static str> {
    let number = |port: &ContainerPort| port.host_port.unwrap_or_default();
    let (a, b) = (text(&one.host_ip), text(&other.host_ip));
    if a == b && number(one) == number(other) {
        Some("duplicate")
    } else if number(one) == 0 || number(other) == 0 {
        Some("overlapping")
    } else if number(one) == number(other) && a.is_empty() != b.is_empty() {
        Some("dangerously ambiguous")
    } else {
        None
    }
}
