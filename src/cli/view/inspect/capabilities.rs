//! The capabilities of a container, by podman's names.

use std::collections::BTreeSet;

use super::Subject;
use super::config::user;
use crate::engine::launch::capabilities;
use crate::model::container::Capability;

/// Returns what any process of the container may come to do.
pub(super) fn bounding(subject: &Subject<'_>) -> Vec<String> {
    names(&bounding_set(subject))
}

/// Returns what the process itself may do: root all of it, others only what was added by name.
pub(super) fn effective(subject: &Subject<'_>) -> Vec<String> {
    let user = user(subject);
    let name = user.split(':').next().unwrap_or_default();
    let is_root = ["", "0", "root"].contains(&name);
    let mut set = bounding_set(subject);
    let added = &subject.spec.privileges.add_capabilities;
    if !is_root && !added.iter().any(Capability::is_all) {
        set.retain(|one| added.contains(one));
    }
    names(&set)
}

fn bounding_set(subject: &Subject<'_>) -> BTreeSet<Capability> {
    let host = &subject.host.capabilities;
    // A set that this host cannot give is told when the container starts.
    capabilities::bounding(&subject.spec.privileges, host).unwrap_or_default()
}

/// Returns capabilities by podman's names.
pub(super) fn names(set: &BTreeSet<Capability>) -> Vec<String> {
    let names = set.iter().map(|one| one.as_str());
    names
        .map(|name| match name {
            "ALL" => name.to_owned(),
            _ => format!("CAP_{name}"),
        })
        .collect()
}
