//! No manifest, however wrong, makes the rules panic.

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
