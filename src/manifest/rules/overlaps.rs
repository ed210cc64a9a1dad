//! Warnings of what stands in its own way: files of one volume, ports of one pod.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use k8s_openapi::api::core::v1::{ContainerPort, KeyToPath, PodSpec, Volume, VolumeProjection};

use super::containers::every_container;
use super::fault::{items, text, text_or};
use crate::manifest::source::{At, FieldPath, Findings};

/// A port is compared with as many others of its number: more only repeat what was said.
const MOST_COMPARED: usize = 64;

/// Warns of files of one volume that stand in each other's way.
pub(super) fn overlapping_files(volume: &Volume, at: &At<'_>, found: &mut Findings) {
    let name = &volume.name;
    if let Some(map) = &volume.config_map {
        let (paths, at) = (key_paths(&map.items), at.field("configMap"));
        let whose = format!("volume {name:?} (ConfigMap {:?})", map.name);
        overlaps(&paths, &mut BTreeSet::new(), &whose, &at, found);
    }
    if let Some(secret) = &volume.secret {
        let (paths, at) = (key_paths(&secret.items), at.field("secret"));
        let whose = format!("volume {name:?} (Secret {:?})", text(&secret.secret_name));
        overlaps(&paths, &mut BTreeSet::new(), &whose, &at, found);
    }
    if let Some(facts) = &volume.downward_api {
        let paths = items(&facts.items).iter().map(|file| file.path.as_str());
        let (paths, at): (Vec<&str>, _) = (paths.collect(), at.field("downwardAPI"));
        overlaps(
            &paths,
            &mut BTreeSet::new(),
            &format!("volume {name:?} (DownwardAPI)"),
            &at,
            found,
        );
    }
    let sources = volume.projected.as_ref().map(|one| items(&one.sources));
    let (mut taken, at) = (BTreeSet::new(), at.field("projected"));
    let at = at.field("sources");
    for (index, source) in sources.unwrap_or_default().iter().enumerate() {
        let at = at.index(index);
        if *source == VolumeProjection::default() {
            let message = format!("volume {name:?} (Projected) has no sources provided");
            found.warning(&at, message);
        }
        let Some((kind, paths)) = projected_paths(source) else {
            continue;
        };
        let whose = format!("volume {name:?} (Projected {kind})");
        overlaps(&paths, &mut taken, &whose, &at, found);
    }
}

fn projected_paths(source: &VolumeProjection) -> Option<(String, Vec<&str>)> {
    if let Some(map) = &source.config_map {
        return Some((format!("ConfigMap {:?}", map.name), key_paths(&map.items)));
    }
    if let Some(secret) = &source.secret {
        return Some((
            format!("Secret {:?}", secret.name),
            key_paths(&secret.items),
        ));
    }
    if let Some(facts) = &source.downward_api {
        let paths = items(&facts.items).iter().map(|file| file.path.as_str());
        return Some(("DownwardAPI".to_owned(), paths.collect()));
    }
    let token = source.service_account_token.as_ref()?;
    Some(("ServiceAccountToken".to_owned(), vec![&token.path]))
}

fn key_paths(keys: &Option<Vec<KeyToPath>>) -> Vec<&str> {
    items(keys).iter().map(|key| key.path.as_str()).collect()
}

fn overlaps<'a>(
    paths: &[&'a str],
    taken: &mut BTreeSet<&'a str>,
    whose: &str,
    at: &At<'_>,
    found: &mut Findings,
) {
    for path in paths.iter().map(|path| path.trim_end_matches('/')) {
        if path.is_empty() {
            continue;
        }
        if let Some(other) = in_the_way(path, taken) {
            found.warning(
                at,
                format!("{whose}: overlapping paths: {path:?} with {other:?}"),
            );
        }
        taken.insert(path);
    }
}

/// Returns a path that is the same as `path`, holds it, or lies in it.
fn in_the_way<'a>(path: &str, taken: &BTreeSet<&'a str>) -> Option<&'a str> {
    let ends = path.match_indices('/').map(|(end, _)| end);
    let mut holders = ends.chain([path.len()]).map(|end| &path[..end]);
    if let Some(holder) = holders.find_map(|holder| taken.get(holder)) {
        return Some(holder);
    }
    let inside = format!("{path}/");
    let mut after = taken.range::<str, _>((Bound::Included(inside.as_str()), Bound::Unbounded));
    after
        .next()
        .copied()
        .filter(|other| other.starts_with(&inside))
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
