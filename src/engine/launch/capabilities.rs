//! Which capabilities a container has: podman's defaults, and what the manifest adds and drops.

use std::collections::BTreeSet;

use oci_spec::runtime::{Capabilities, LinuxCapabilities, LinuxCapabilitiesBuilder};

use super::LaunchError;
use crate::model::container::{Capability, Privileges};

/// What a container has unless it says otherwise (containers.conf(5), `default_capabilities`).
const DEFAULT: [&str; 11] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn named(name: &str) -> Capability {
    Capability::parse(name).expect("the names of this module are capabilities of Linux")
}

/// Returns the bounding set of a container.
///
/// # Errors
/// A capability is asked for that this host itself lacks.
pub fn bounding(
    privileges: &Privileges,
    host: &BTreeSet<Capability>,
) -> Result<BTreeSet<Capability>, LaunchError> {
    if privileges.privileged == Some(true) {
        return Ok(host.clone());
    }
    let (add, drop) = (&privileges.add_capabilities, &privileges.drop_capabilities);
    let mut set: BTreeSet<Capability> = if add.iter().any(Capability::is_all) {
        host.clone()
    } else {
        let defaults = DEFAULT.into_iter().map(named);
        defaults.filter(|name| host.contains(name)).collect()
    };
    if drop.iter().any(Capability::is_all) {
        set.clear();
    }
    for name in add.iter().filter(|name| !name.is_all()) {
        if !host.contains(name) {
            return Err(LaunchError::HostLacksCapability(name.clone()));
        }
        set.insert(name.clone());
    }
    set.retain(|name| !drop.contains(name));
    Ok(set)
}

/// Returns all the sets of a process with this user id.
///
/// Root has the bounding set. Others have only what was added by name, as ambient capabilities
/// so that it is still there after `execve(2)`; that is podman's way. Sets are empty rather
/// than absent, because a runtime leaves an absent set as it finds it.
#[must_use]
pub fn sets(
    bounding: &BTreeSet<Capability>,
    privileges: &Privileges,
    uid: u32,
) -> LinuxCapabilities {
    let add = &privileges.add_capabilities;
    let all = add.iter().any(Capability::is_all);
    let added = bounding.iter().filter(|name| all || add.contains(name));
    let (effective, ambient) = if uid == 0 {
        (oci(bounding), Capabilities::new())
    } else {
        (oci(added.clone()), oci(added))
    };
    LinuxCapabilitiesBuilder::default()
        .bounding(oci(bounding))
        .effective(effective.clone())
        .permitted(effective)
        .inheritable(ambient.clone())
        .ambient(ambient)
        .build()
        .expect("all sets are given")
}

fn oci<'a>(names: impl IntoIterator<Item = &'a Capability>) -> Capabilities {
    names
        .into_iter()
        .filter_map(|name| name.as_str().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::CAPABILITIES;

    fn set(names: &[&str]) -> BTreeSet<Capability> {
        names.iter().map(|name| named(name)).collect()
    }

    fn asks(add: &[&str], drop: &[&str]) -> Privileges {
        Privileges {
            add_capabilities: set(add),
            drop_capabilities: set(drop),
            ..Privileges::default()
        }
    }

    #[test]
    fn capabilities_are_added_and_dropped_as_podman_does() {
        let host = set(&CAPABILITIES);
        let of = |add: &[&str], drop: &[&str]| bounding(&asks(add, drop), &host).unwrap();
        assert_eq!(of(&[], &[]), set(&DEFAULT));
        assert_eq!(of(&[], &["ALL"]), set(&[]));
        assert_eq!(of(&["NET_RAW"], &["ALL"]), set(&["NET_RAW"]));
        assert_eq!(of(&["ALL"], &["NET_RAW"]).len(), 40);
        assert_eq!(of(&["NET_RAW"], &["CHOWN"]).len(), 11);
        let lacking = bounding(&asks(&["BPF"], &[]), &set(&["CHOWN"]));
        assert!(matches!(lacking, Err(LaunchError::HostLacksCapability(_))));
    }

    #[test]
    fn a_user_who_is_not_root_has_only_what_was_added() {
        let host = set(&CAPABILITIES);
        let privileges = asks(&["NET_RAW"], &[]);
        let bounding = bounding(&privileges, &host).unwrap();
        let sets_of = |uid| sets(&bounding, &privileges, uid);
        let count = |set: &Option<Capabilities>| set.as_ref().unwrap().len();
        let (root, user) = (sets_of(0), sets_of(1000));
        assert_eq!((count(root.effective()), count(root.ambient())), (12, 0));
        assert_eq!((count(user.effective()), count(user.ambient())), (1, 1));
        assert_eq!((count(user.bounding()), count(user.inheritable())), (12, 1));
    }

    #[test]
    fn every_capability_has_a_name_in_the_runtime_spec() {
        assert_eq!(oci(&set(&CAPABILITIES)).len(), CAPABILITIES.len());
    }
}
