//! No manifest, however wrong, makes the rules panic.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::check;

const SEED: &str = include_str!("seed.json");

/// Returns values of every type, the odd ones among them.
fn odd_values() -> Vec<Value> {
    vec![
        json!(""),
        json!("'][é\u{0}\u{7f}"),
        json!("-9223372036854775809e99999999999"),
        json!("9".repeat(400)),
        json!(".000000000000000000000000000000000000000000001Ei"),
        json!("1e-2147483648"),
        json!("%/..-,:*@[']"),
        json!("localhost/../"),
        json!(i32::MIN),
        json!(i32::MAX),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(-1),
        json!(0),
        json!(true),
        json!([]),
        json!({}),
        Value::Null,
    ]
}

fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| pointers(value, &format!("{at}/{}", escape(key)), all)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), all)),
        _ => {}
    }
}

#[test]
fn odd_values_anywhere_are_findings_or_nothing() {
    let seeds: Vec<Value> = serde_json::from_str(SEED).expect("the seed is JSON");
    let mut readable = 0;
    for seed in &seeds {
        let before = check(seed).expect("the seed can be read");
        assert!(!before.has_errors(), "{:?}", before.0);
        let mut places = Vec::new();
        pointers(seed, "", &mut places);
        for place in places
            .iter()
            .filter(|place| !["", "/kind"].contains(&place.as_str()))
        {
            for odd in odd_values() {
                let mut manifest = seed.clone();
                *manifest.pointer_mut(place).expect("the place exists") = odd;
                readable += usize::from(check(&manifest).is_ok());
            }
        }
    }
    assert!(readable > 1000, "only {readable} manifests could be read");
}

#[test]
fn long_lists_cost_no_more_than_their_length() {
    const LONG: usize = 20_000;
    let all = |make: &dyn Fn(usize) -> Value| (0..LONG).map(make).collect::<Vec<_>>();
    let container = json!({
        "name": "c",
        "image": "i",
        "env": all(&|n| json!({"name": format!("A{}", n / 2)})),
        "ports": all(&|n| json!({"containerPort": 80, "hostPort": n % 60_000 + 1})),
        "volumeMounts": all(&|n| json!({"name": format!("w{n}"), "mountPath": format!("/{n}")})),
        "volumeDevices": all(&|n| json!({"name": format!("v{n}"), "devicePath": format!("/d{n}")})),
        "resources": {"claims": all(&|n| json!({"name": format!("r{n}")}))},
    });
    let pod = json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "containers": [container],
        "hostAliases": all(&|n| json!({"ip": format!("10.0.{}.{}", n / 250, n % 250)})),
        "imagePullSecrets": all(&|n| json!({"name": n.to_string()})),
        "schedulingGates": all(&|n| json!({"name": n.to_string()})),
        "topologySpreadConstraints": all(&|n| json!({"maxSkew": 1, "topologyKey": n.to_string(), "whenUnsatisfiable": "DoNotSchedule"})),
        "volumes": all(&|n| json!({"name": format!("v{n}"), "configMap": {"name": "m"}})),
    }});
    let files = json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "secret": {"secretName": "s", "items": all(&|n| json!({"key": "k", "path": format!("a/{n}")}))}}],
    }});
    for manifest in [pod, files] {
        let start = Instant::now();
        check(&manifest).expect("the manifest can be read");
        let spent = start.elapsed();
        assert!(spent < Duration::from_secs(120), "it took {spent:?}");
    }
}
