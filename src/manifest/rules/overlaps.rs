//! Warnings of what stands in its own way: files of one volume, ports of one pod.

use k8s_openapi::api::core::v1::{ContainerPort, KeyToPath, PodSpec, Volume, VolumeProjection};

use super::containers::every_container;
use super::fault::{items, text, text_or};
use crate::manifest::source::{At, FieldPath, Findings};

/// Warns of files of one volume that stand in each other's way.
pub(super) fn overlapping_files(volume: &Volume, at: &At<'_>, found: &mut Findings) {
    let name = &volume.name;
    if let Some(map) = &volume.config_map {
        let (paths, at) = (key_paths(&map.items), at.field("configMap"));
        let whose = format!("volume {name:?} (ConfigMap {:?})", map.name);
        overlaps(&paths, &[], &whose, &at, found);
    }
    if let Some(secret) = &volume.secret {
        let (paths, at) = (key_paths(&secret.items), at.field("secret"));
        let whose = format!("volume {name:?} (Secret {:?})", text(&secret.secret_name));
        overlaps(&paths, &[], &whose, &at, found);
    }
    if let Some(facts) = &volume.downward_api {
        let paths = items(&facts.items).iter().map(|file| file.path.as_str());
        let (paths, at): (Vec<&str>, _) = (paths.collect(), at.field("downwardAPI"));
        overlaps(
            &paths,
            &[],
            &format!("volume {name:?} (DownwardAPI)"),
            &at,
            found,
        );
    }
    let sources = volume.projected.as_ref().map(|one| items(&one.sources));
    let (mut taken, at) = (Vec::new(), at.field("projected"));
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
        overlaps(&paths, &taken, &whose, &at, found);
        taken.extend(paths);
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

fn overlaps(paths: &[&str], taken: &[&str], whose: &str, at: &At<'_>, found: &mut Findings) {
    let is_in = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut seen: Vec<&str> = taken.to_vec();
    for path in paths.iter().map(|path| path.trim_end_matches('/')) {
        let mut others = seen
            .iter()
            .filter(|other| !other.is_empty() && !path.is_empty());
        if let Some(other) = others.find(|other| is_in(path, other) || is_in(other, path)) {
            found.warning(
                at,
                format!("{whose}: overlapping paths: {path:?} with {other:?}"),
            );
        }
        seen.push(path);
    }
}

pub(super) fn overlapping_ports(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let mut seen: Vec<(ContainerPort, FieldPath)> = Vec::new();
    every_container(spec, at, &mut |container, at| {
        let at = at.field("ports");
        for (index, port) in items(&container.ports).iter().enumerate() {
            let at = at.index(index);
            if !text(&port.host_ip).is_empty() && port.host_port.unwrap_or_default() == 0 {
                let number = port.container_port;
                found.warning(&at, format!("hostIP set without hostPort: {number}"));
            }
            for (other, path) in &seen {
                if let Some(how) = overlap(port, other) {
                    found.warning(&at, format!("{how} port definition with {path}"));
                }
            }
            seen.push((port.clone(), at.to_path()));
        }
    });
}

fn overlap(one: &ContainerPort, other: &ContainerPort) -> Option<&'static str> {
    let protocol = |port: &'_ ContainerPort| text_or(&port.protocol, "TCP").to_owned();
    let number = |port: &ContainerPort| port.host_port.unwrap_or_default();
    if one.container_port != other.container_port || protocol(one) != protocol(other) {
        return None;
    }
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
