//! Which kinds there are, and what to write instead of one that is not.

use std::cmp::Reverse;

use super::{Kind, KubernetesVersion, Schemas, Versions, schemas};
use crate::manifest::suggest::closest;

/// What the schemas know of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::manifest) enum Lookup {
    /// It is served; the number of its type.
    Served(usize),
    /// It is built in, but this version does not serve it; what to do.
    NotServed(String),
    /// It is none that Kubernetes has built in.
    Unknown,
}

/// Looks a kind up.
pub(in crate::manifest) fn lookup(
    api_version: &str,
    kind: &str,
    version: KubernetesVersion,
) -> Lookup {
    let schemas = schemas();
    let same = |entry: &&Kind| entry.api_version == api_version && entry.name == kind;
    let serves = |entry: &&Kind| entry.versions.contains(version);
    let mut entries = schemas.kinds.iter().filter(same);
    if let Some(served) = entries.clone().find(serves) {
        return Lookup::Served(served.root);
    }
    let elsewhere = schemas
        .kinds
        .iter()
        .filter(|entry| entry.name == kind)
        .filter(serves)
        .min_by_key(|entry| {
            let is_other_group = group(entry.api_version) != group(api_version);
            (
                is_other_group,
                rank(entry.api_version),
                Reverse(entry.api_version),
            )
        });
    match (entries.next(), elsewhere) {
        (_, Some(right)) if is_builtin_group(api_version) => {
            Lookup::NotServed(format!("write `apiVersion: {}`", right.api_version))
        }
        (Some(entry), _) => {
            let Versions { from, to } = entry.versions;
            Lookup::NotServed(format!("Kubernetes 1.{from} to 1.{to} serve it"))
        }
        (None, _) if is_builtin_group(api_version) => {
            near(schemas, api_version, kind, version).map_or(Lookup::Unknown, Lookup::NotServed)
        }
        (None, _) => Lookup::Unknown,
    }
}

/// Stable versions before beta before alpha.
pub(super) fn rank(api_version: &str) -> usize {
    match api_version {
        text if text.contains("alpha") => 2,
        text if text.contains("beta") => 1,
        _ => 0,
    }
}

/// Says which kind may be meant: one of the same API before those of others.
fn near(
    schemas: &Schemas,
    api_version: &str,
    kind: &str,
    version: KubernetesVersion,
) -> Option<String> {
    let served = || {
        let kinds = schemas.kinds.iter();
        kinds.filter(|entry| entry.versions.contains(version))
    };
    let same_api = served().filter(|entry| entry.api_version == api_version);
    if let Some(right) = closest(kind, same_api.map(|entry| entry.name)) {
        return Some(format!("did you mean `{right}`?"));
    }
    let right = closest(kind, served().map(|entry| entry.name))?;
    let entry = served().find(|entry| entry.name == right)?;
    Some(format!(
        "did you mean `{right}` with `apiVersion: {}`?",
        entry.api_version
    ))
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Tells whether a group is one of Kubernetes' own: those of others are named by a domain of theirs.
fn is_builtin_group(api_version: &str) -> bool {
    match api_version.split_once('/') {
        None => true,
        Some((group, _)) => !group.contains('.') || group.ends_with(".k8s.io"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: &str) -> KubernetesVersion {
        KubernetesVersion::parse(version).expect("known")
    }

    #[test]
    fn a_removed_api_names_its_replacement() {
        let look = |api_version, kind, version| lookup(api_version, kind, at(version));
        assert!(matches!(
            look("batch/v1beta1", "CronJob", "1.25"),
            Lookup::NotServed(help) if help == "write `apiVersion: batch/v1`"
        ));
        assert!(matches!(
            look("extensions/v1beta1", "Ingress", "1.34"),
            Lookup::NotServed(help) if help == "write `apiVersion: networking.k8s.io/v1`"
        ));
        assert!(matches!(
            look("v1", "configmap", "1.34"),
            Lookup::NotServed(help) if help == "did you mean `ConfigMap`?"
        ));
        assert_eq!(
            look("serving.knative.dev/v1", "Service", "1.34"),
            Lookup::Unknown
        );
        assert!(matches!(look("v1", "Node", "1.25"), Lookup::Served(_)));
    }
}
