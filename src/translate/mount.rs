//! Where containers see the volumes of their pod.

use std::path::PathBuf;

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::volume::{Mount, Propagation, SubPath};
use crate::names::VolumeName;

use super::notes::{Notes, filled};

/// Translates where a container sees its volumes.
pub(super) fn mounts(list: &[v1::VolumeMount], at: &At<'_>, notes: &mut Notes<'_>) -> Vec<Mount> {
    list.iter()
        .enumerate()
        .filter_map(|(index, item)| mount(item, &at.index(index), notes))
        .collect()
}

fn mount(item: &v1::VolumeMount, at: &At<'_>, notes: &mut Notes<'_>) -> Option<Mount> {
    let v1::VolumeMount {
        bind_mount_options,
        mount_path,
        mount_propagation,
        name,
        read_only,
        recursive_read_only,
        sub_path,
        sub_path_expr,
    } = item;
    notes.not_yet_if(&at.field("bindMountOptions"), bind_mount_options.as_ref());
    if filled(recursive_read_only.as_ref()).is_some_and(|word| word != "Disabled") {
        notes.not_yet(&at.field("recursiveReadOnly"));
    }
    let (path, options) = mount_path.split_once(':').unwrap_or((mount_path, ""));
    let mut options: Vec<String> = options
        .split(',')
        .filter(|option| !option.is_empty())
        .map(str::to_owned)
        .collect();
    let asks_read_only = options.iter().any(|option| option == "ro");
    options.retain(|option| option != "ro" && option != "rw");
    for option in options.iter().filter(|option| !is_honoured(option)) {
        let message = format!("the option `{option}` of a mount is not honoured yet");
        notes.warning(&at.field("mountPath"), message);
    }
    let propagation_at = at.field("mountPropagation");
    let propagation = notes.choose(
        &propagation_at,
        mount_propagation.as_ref(),
        Propagation::None,
        &[
            ("None", Propagation::None),
            ("HostToContainer", Propagation::HostToContainer),
            ("Bidirectional", Propagation::Bidirectional),
        ],
    );
    Some(Mount {
        volume: notes.parse(&at.field("name"), name, VolumeName::parse)?,
        path: PathBuf::from(path),
        sub_path: part(sub_path.as_ref(), sub_path_expr.as_ref()),
        read_only: read_only.unwrap_or(false) || asks_read_only,
        propagation,
        options,
    })
}

/// Labels of SELinux (`z`, `Z`) mean nothing to a host that does not enforce them.
fn is_honoured(option: &str) -> bool {
    [
        "z", "Z", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "rbind", "bind",
    ]
    .contains(&option)
}

fn part(literal: Option<&String>, expression: Option<&String>) -> Option<SubPath> {
    let literal = filled(literal).cloned().map(SubPath::Literal);
    literal.or_else(|| filled(expression).cloned().map(SubPath::Expression))
}
