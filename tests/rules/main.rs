//! The API server's validation, by one-fault manifests: each row is a fragment that is laid into
//! a right manifest, and the errors that the server has for it.

mod across;
mod config;
mod container;
mod network;
mod pod;
mod robust;
mod storage;
mod warning;
mod workload;

use podwright::manifest::rules;
use podwright::manifest::source::{Findings, Severity};
use serde_json::Value;

/// A fragment, and its errors as `Type path`, in order.
type Row = (&'static str, &'static [&'static str]);

/// Checks a manifest by its kind.
fn check(manifest: &Value) -> Result<Findings, serde_json::Error> {
    let mut found = Findings::default();
    macro_rules! by_kind {
        ($($kind:literal => $rule:ident),* $(,)?) => {
            match manifest["kind"].as_str().unwrap_or_default() {
                $($kind => rules::$rule(&serde_json::from_value(manifest.clone())?, &mut found),)*
                other => panic!("no rules for kind {other:?}"),
            }
        };
    }
    by_kind! {
        "ConfigMap" => config_map,
        "CronJob" => cron_job,
        "DaemonSet" => daemon_set,
        "Deployment" => deployment,
        "Ingress" => ingress,
        "Job" => job,
        "Namespace" => namespace,
        "NetworkPolicy" => network_policy,
        "PersistentVolume" => persistent_volume,
        "PersistentVolumeClaim" => persistent_volume_claim,
        "Pod" => pod,
        "ReplicaSet" => replica_set,
        "ReplicationController" => replication_controller,
        "Secret" => secret,
        "Service" => service,
        "ServiceAccount" => service_account,
        "StatefulSet" => stateful_set,
    }
    Ok(found)
}

/// Lays `patch` over `target`: objects by their keys, lists item by item, all else replaced.
fn lay(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                lay(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

/// Returns `base` with `fragment` laid into it at `pointer`.
fn built(base: &str, pointer: &str, fragment: &str) -> Value {
    let mut manifest: Value = serde_json::from_str(base).expect("the base is JSON");
    let patch = serde_json::from_str(fragment).unwrap_or_else(|e| panic!("{fragment}: {e}"));
    let place = manifest.pointer_mut(pointer).expect("the place exists");
    lay(place, patch);
    manifest
}

/// Returns the findings of one severity as `Type path`.
fn listed(found: &Findings, severity: Severity) -> Vec<String> {
    let of_it = found.0.iter().filter(|one| one.severity == severity);
    of_it
        .map(|one| format!("{:?} {}", one.kind, one.path))
        .collect()
}

/// Checks each row of a table.
fn rows(base: &str, pointer: &str, rows: &[Row]) {
    for (fragment, expected) in rows {
        let manifest = built(base, pointer, fragment);
        let found = check(&manifest).unwrap_or_else(|error| panic!("{fragment}: {error}"));
        let errors = listed(&found, Severity::Error);
        assert_eq!(errors, *expected, "for {fragment}: {:#?}", found.0);
    }
}

/// Returns the texts of the errors that a fragment brings.
fn messages(base: &str, pointer: &str, fragment: &str) -> Vec<String> {
    let found = check(&built(base, pointer, fragment)).expect("the manifest can be read");
    found.0.into_iter().map(|one| one.message).collect()
}

const POD: &str = r#"{"kind":"Pod","metadata":{"name":"p"},
    "spec":{"containers":[{"name":"c","image":"nginx"}]}}"#;
