//! The APIs that still answer, with the server's warning that they will not for ever.

use super::KubernetesVersion;

/// An API version of kinds, since when it is deprecated, from when on it is gone, and what to use instead.
struct Deprecation {
    api_version: &'static str,
    kinds: &'static [&'static str],
    since: u8,
    gone: Option<u8>,
    instead: Option<&'static str>,
}

const FLOW_KINDS: &[&str] = &["FlowSchema", "PriorityLevelConfiguration"];

/// From the lifecycle markers of the API types (KEP-1693).
const DEPRECATIONS: &[Deprecation] = &[
    Deprecation {
        api_version: "v1",
        kinds: &["ComponentStatus"],
        since: 19,
        gone: None,
        instead: None,
    },
    Deprecation {
        api_version: "v1",
        kinds: &["Endpoints"],
        since: 33,
        gone: None,
        instead: Some("discovery.k8s.io/v1 EndpointSlice"),
    },
    Deprecation {
        api_version: "autoscaling/v2beta2",
        kinds: &["HorizontalPodAutoscaler"],
        since: 23,
        gone: Some(26),
        instead: Some("autoscaling/v2"),
    },
    Deprecation {
        api_version: "storage.k8s.io/v1beta1",
        kinds: &["CSIStorageCapacity"],
        since: 24,
        gone: Some(27),
        instead: Some("storage.k8s.io/v1"),
    },
    Deprecation {
        api_version: "flowcontrol.apiserver.k8s.io/v1beta2",
        kinds: FLOW_KINDS,
        since: 26,
        gone: Some(29),
        instead: Some("flowcontrol.apiserver.k8s.io/v1beta3"),
    },
    Deprecation {
        api_version: "flowcontrol.apiserver.k8s.io/v1beta3",
        kinds: FLOW_KINDS,
        since: 29,
        gone: Some(32),
        instead: Some("flowcontrol.apiserver.k8s.io/v1"),
    },
];

/// Returns the server's warning about an API that it still serves, if there is one.
pub(in crate::manifest) fn deprecation(
    api_version: &str,
    kind: &str,
    version: KubernetesVersion,
) -> Option<String> {
    let entry = DEPRECATIONS.iter().find(|entry| {
        entry.api_version == api_version
            && entry.kinds.contains(&kind)
            && entry.since <= version.minor()
    })?;
    let mut warning = format!("{api_version} {kind} is deprecated in v1.{}+", entry.since);
    if let Some(gone) = entry.gone {
        warning.push_str(&format!(", unavailable in v1.{gone}+"));
    }
    if let Some(instead) = entry.instead {
        warning.push_str(&format!("; use {instead}"));
        if !instead.contains(' ') {
            warning.push_str(&format!(" {kind}"));
        }
    }
    Some(warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deprecated_api_is_told_from_its_version_on() {
        let at = |version| KubernetesVersion::parse(version).expect("known");
        assert_eq!(
            deprecation("autoscaling/v2beta2", "HorizontalPodAutoscaler", at("1.25")).as_deref(),
            Some(
                "autoscaling/v2beta2 HorizontalPodAutoscaler is deprecated in v1.23+, unavailable in v1.26+; \
                 use autoscaling/v2 HorizontalPodAutoscaler"
            )
        );
        assert_eq!(deprecation("v1", "Endpoints", at("1.32")), None);
        assert_eq!(
            deprecation("v1", "Endpoints", at("1.33")).as_deref(),
            Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        );
    }
}
