//! The wire form of a pod: every fact once, and the same form for good.

mod support {
    pub(crate) mod draw;
    pub(crate) mod drawn;
    pub(crate) mod filled;
}

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use podwright::model::pod::{PodSpec, Wire};
use podwright::model::volume::NamedVolumeSpec;
use proptest::prelude::*;
use serde_json::Value;
use support::draw::Draw;
use support::drawn;
use support::filled::{self, Sentinels};

/// Counts every key and every leaf of a document.
fn count(value: &Value, counts: &mut BTreeMap<String, usize>) {
    let mut add = |text: String| *counts.entry(text).or_default() += 1;
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => add(number.to_string()),
        Value::String(text) => add(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| count(item, counts)),
        Value::Object(fields) => {
            for (key, item) in fields {
                *counts.entry(key.clone()).or_default() += 1;
                count(item, counts);
            }
        }
    }
}

#[test]
fn each_fact_of_a_pod_stands_in_its_wire_form_exactly_once() {
    let mut sentinels = Sentinels::default();
    let pod = filled::pod(&mut sentinels);
    let wire = serde_json::to_value(Wire::new(pod)).unwrap();
    let mut counts = BTreeMap::new();
    count(&wire, &mut counts);
    for sentinel in &sentinels.given {
        assert_eq!(counts.get(sentinel), Some(&1), "{sentinel} in {wire:#}");
    }
}

/// Returns every leaf of a document by its JSON pointer (RFC 6901).
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, at: String, leaves: &mut BTreeMap<String, Value>) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, format!("{at}/{index}"), leaves);
                }
            }
            Value::Object(fields) => {
                for (key, item) in fields {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    walk(item, format!("{at}/{key}"), leaves);
                }
            }
            leaf => {
                leaves.insert(at, leaf.clone());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(value, String::new(), &mut all);
    all
}

/// Returns the values that could stand in the place of an enum's, as serde's own error lists them.
fn other_variants(wire: &Value, pointer: &str) -> Vec<Value> {
    let mut wrong = wire.clone();
    *wrong.pointer_mut(pointer).unwrap() = "no-such-variant".into();
    let Err(error) = serde_json::from_value::<Wire>(wrong) else {
        return Vec::new();
    };
    let error = error.to_string();
    let known = error.split_once("expected").map_or("", |(_, known)| known);
    known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(Value::from)
        .filter(|variant| wire.pointer(pointer) != Some(variant))
        .collect()
}

#[test]
fn each_switch_and_each_choice_of_a_pod_is_one_leaf_of_its_wire_form() {
    let mut sentinels = Sentinels::default();
    let wire = serde_json::to_value(Wire::new(filled::pod(&mut sentinels))).unwrap();
    let before = leaves(&wire);
    let (mut switches, mut choices) = (0, 0);
    for (pointer, leaf) in before.iter().filter(|(pointer, _)| *pointer != "/version") {
        let others = match leaf {
            Value::Bool(on) => vec![Value::Bool(!on)],
            Value::String(text) if !sentinels.given.contains(text) => {
                other_variants(&wire, pointer)
            }
            _ => Vec::new(),
        };
        if others.is_empty() {
            // A sentinel, or a text of its own such as a signal's name: told apart by its value.
            let same = before.values().filter(|other| *other == leaf).count();
            assert_eq!(same, 1, "{pointer} {leaf}");
        }
        for other in others {
            let mut changed = wire.clone();
            *changed.pointer_mut(pointer).unwrap() = other.clone();
            // A variant that carries data has another form; a text leaf cannot become one.
            let Ok(read) = serde_json::from_value::<Wire>(changed) else {
                continue;
            };
            let after = leaves(&serde_json::to_value(&read).unwrap());
            let names = before.keys().chain(after.keys());
            let differ: BTreeSet<_> = names
                .filter(|name| before.get(*name) != after.get(*name))
                .collect();
            assert_eq!(differ, BTreeSet::from([pointer]), "{other}");
            match leaf {
                Value::Bool(_) => switches += 1,
                _ => choices += 1,
            }
        }
    }
    println!("{switches} switches and {choices} choices, one leaf each");
    assert!(switches > 20 && choices > 20, "{switches} and {choices}");
}

#[test]
fn equal_settings_of_pod_and_container_stand_once_each() {
    let mut pod = filled::pod(&mut Sentinels::default());
    pod.infra.process.security.run_as_user = Some(77_777);
    pod.containers[0].process.security = pod.infra.process.security.clone();
    let wire = serde_json::to_value(&pod).unwrap();
    let mut counts = BTreeMap::new();
    count(&wire, &mut counts);
    assert_eq!(counts["77777"], 2);
}

#[test]
fn wire_form_is_frozen() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/wire/v1/pod.json");
    let pod = filled::pod(&mut Sentinels::default());
    let text = serde_json::to_string_pretty(&Wire::new(pod.clone())).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    let frozen = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, frozen, "the wire form changed: that is version 2");
    let read: Wire = serde_json::from_str(&frozen).unwrap();
    assert_eq!(read.pod, pod);
}

#[test]
fn other_versions_and_unknown_fields_are_refused() {
    let pod = filled::pod(&mut Sentinels::default());
    let wire = serde_json::to_value(Wire::new(pod)).unwrap();
    let read = |wire: &Value| {
        serde_json::from_value::<Wire>(wire.clone()).map_err(|error| error.to_string())
    };
    assert!(read(&wire).is_ok());
    let mut other = wire.clone();
    other["version"] = 2.into();
    assert!(
        read(&other)
            .unwrap_err()
            .contains("version 2 of the wire form is not known")
    );
    for pointer in [
        "",
        "/pod",
        "/pod/infra",
        "/pod/infra/process/limits",
        "/pod/containers/0",
    ] {
        let mut other = wire.clone();
        other.pointer_mut(pointer).unwrap()["surprise"] = 1.into();
        assert!(
            read(&other)
                .unwrap_err()
                .contains("unknown field `surprise`"),
            "{pointer}"
        );
    }
    let without = serde_json::to_value(PodSpec::clone(&read(&wire).unwrap().pod)).unwrap();
    assert!(read(&without).is_err());
}

proptest! {
    #[test]
    fn every_pod_comes_back_from_its_wire_form(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        let mut draw = Draw(&bytes);
        let wire = Wire::new(drawn::pod(&mut draw));
        let text = serde_json::to_string(&wire).unwrap();
        prop_assert_eq!(serde_json::from_str::<Wire>(&text).unwrap(), wire);
        let volume = drawn::named_volume(&mut draw);
        let text = serde_json::to_string(&volume).unwrap();
        prop_assert_eq!(serde_json::from_str::<NamedVolumeSpec>(&text).unwrap(), volume);
    }
}
