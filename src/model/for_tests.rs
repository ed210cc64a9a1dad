//! The specs that unit tests begin with.

use super::PodSpec;

/// Returns the plainest pod, still without a container.
pub(crate) fn pod(name: &str) -> PodSpec {
    serde_json::from_value(serde_json::json!({
        "name": name,
        "infra": {
            "process": {"limits": {}, "security": {}},
            "network": {"bridge": {"networks": []}},
            "dns": {"policy": "ClusterFirst"},
            "hosts": {"pod": {"aliases": []}},
            "etcHostname": "Pod",
            "shared": {"pid": "Container", "ipc": "Pod"},
            "userNamespace": "Host",
            "fsGroupChange": "Always",
        },
        "containers": [],
        "restartPolicy": "Always",
        "terminationGrace": 30,
        "naming": "PodPrefix",
    }))
    .expect("the form of a pod")
}
