//! Whatever the bytes, reading answers: no panic, no overflow of the stack, no long wait.

use std::time::{Duration, Instant};

use podwright::manifest::{FindingType, ReadOptions, Reading, Report, Source, read};
use proptest::prelude::*;

/// Far above what any of these takes, also unoptimised on a machine busy with ten other things; quadratic work takes
/// hours.
const LONG: Duration = Duration::from_secs(120);

fn read_bytes(name: &str, bytes: Vec<u8>) -> Reading {
    let started = Instant::now();
    let reading = read(&[Source::from_bytes(name, bytes)], &ReadOptions::default());
    let report = Report(&reading.findings).to_string();
    assert!(started.elapsed() < LONG, "took {:?}", started.elapsed());
    assert!(!report.contains('\u{1b}'));
    reading
}

fn syntax_error(name: &str, text: String) -> String {
    let reading = read_bytes(name, text.into_bytes());
    let mut findings = reading.findings.into_iter();
    let found = findings.find(|located| located.finding.kind == FindingType::Syntax);
    found.expect("a syntax error").finding.message
}

/// The words that a YAML scanner decides by, and a few that Kubernetes does.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "apiVersion: v1\n",
        "kind: Pod\n",
        "metadata:\n",
        "  name: a\n",
        "spec: ",
        "containers:\n",
        "items",
        "data",
        ": ",
        ":",
        "- ",
        "-",
        "---\n",
        "--- ",
        "...\n",
        "\n",
        "\r\n",
        "\r",
        " ",
        "  ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        ",",
        "? ",
        "?",
        "&a ",
        "*a",
        "*a ",
        "<<: *a\n",
        "<<",
        "!",
        "!!str ",
        "!!int ",
        "!!binary ",
        "!x",
        "!<",
        "!x,",
        "%41",
        "%",
        "%YAML 1.1\n",
        "%TAG ! x\n",
        "|",
        ">",
        "|+2\n",
        ">-\n",
        "\"",
        "'",
        "\\",
        "\\x4",
        "\\u",
        "\\ud83d",
        "#",
        " # c\n",
        "yes",
        "0x1f",
        "1e3",
        ".inf",
        "~",
        "a",
        "ü",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\u{7}",
        "@",
        "`",
        "null",
        "true",
        "1",
        "1.5",
        "\"a\":",
        "{{ .x }}",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_bytes("a.yaml", bytes.clone());
        read_bytes("a.json", bytes);
    }

    #[test]
    fn any_words_are_answered(words in prop::collection::vec(word(), 0..60)) {
        let text = words.concat();
        read_bytes("a.yaml", text.clone().into_bytes());
        read_bytes("a.json", format!("{{{text}").into_bytes());
    }

    #[test]
    fn any_change_of_a_pod_is_answered(at in 0usize..400, words in prop::collection::vec(word(), 0..4)) {
        let pod = include_str!("../testdata/reading/types-of-scalars/in.yaml");
        let at = at.min(pod.len());
        let text = format!("{}{}{}", &pod[..at], words.concat(), &pod[at..]);
        read_bytes("a.yaml", text.into_bytes());
    }

    #[test]
    fn a_string_written_as_json_is_read_back(text in any::<String>()) {
        let json = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": text.clone()}});
        let reading = read_bytes("a.json", json.to_string().into_bytes());
        let value = reading.objects[0].document.node().get("data").and_then(|data| data.get("k"));
        prop_assert_eq!(value.and_then(|value| value.as_str()), Some(text.as_str()));
    }
}

#[test]
fn deep_nesting_is_an_error_in_any_style() {
    let deep = 100_000;
    let said = syntax_error("a.yaml", format!("x: {}", "[".repeat(deep)));
    assert!(said.contains("max depth"), "{said}");
    let said = syntax_error("a.yaml", format!("x: {}", "{a: ".repeat(deep)));
    assert!(said.contains("max depth"), "{said}");
    let said = syntax_error("a.yaml", format!("{}x\n", "- ".repeat(deep)));
    assert!(said.contains("max depth"), "{said}");
    let said = syntax_error("a.json", format!("{{\"x\":{}", "[".repeat(deep)));
    assert!(said.contains("max depth"), "{said}");
}

#[test]
fn nesting_up_to_the_limit_is_read() {
    let deep = 9_000;
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nx: {}{}\n",
        "[".repeat(deep),
        "]".repeat(deep)
    );
    let reading = read_bytes("a.yaml", text.into_bytes());
    assert!(!reading.has_errors());
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{managedFields: [{{fieldsV1: {}{}}}]}}\n",
        "{a: ".repeat(deep),
        "}".repeat(deep)
    );
    let reading = read_bytes("a.yaml", text.into_bytes());
    assert!(
        reading.findings[0].finding.message.contains("max depth"),
        "{:?}",
        reading.findings
    );
}

#[test]
fn aliases_cannot_blow_a_document_up() {
    let mut text = "apiVersion: v1\nkind: ConfigMap\nx0: &x0 [lol, lol]\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        text.push_str(&format!("x{level}: &x{level} [*x{below}, *x{below}]\n"));
    }
    assert!(syntax_error("a.yaml", text).contains("excessive aliasing"));

    let mut text = "x0: &x0 {a: 1}\n".to_owned();
    for level in 1..20_000 {
        let below = level - 1;
        text.push_str(&format!("x{level}: &x{level} {{a: *x{below}}}\n"));
    }
    let said = syntax_error("a.yaml", text);
    assert!(
        said.contains("max depth") || said.contains("excessive aliasing"),
        "{said}"
    );
}

#[test]
fn large_scalars_are_answered() {
    let said = syntax_error("a.yaml", format!("x: \"{}\"\n", "a".repeat(100 << 20)));
    assert!(said.contains("larger than"), "{said}");
    let said = syntax_error(
        "a.json",
        format!("{{\"x\": \"{}\"}}", "a".repeat(100 << 20)),
    );
    assert!(said.contains("larger than"), "{said}");
}

#[test]
fn many_keys_take_no_quadratic_time() {
    let mut text = "apiVersion: v1\nkind: ConfigMap\ndata:\n".to_owned();
    for key in 0..100_000 {
        text.push_str(&format!("  key{key}: \"\"\n"));
    }
    assert!(!read_bytes("a.yaml", text.into_bytes()).has_errors());
}

#[test]
fn many_faults_take_no_memory_each() {
    let keys = "z1: [0], ".repeat(100_000);
    let deep = 100;
    let text = format!(
        "apiVersion: v1\nkind: Pod\nspec: {{{keys}}}\nx: {}{{{keys}}}{}\n",
        "[".repeat(deep),
        "]".repeat(deep)
    );
    let findings = read_bytes("a.yaml", text.into_bytes()).findings;
    assert!(findings.len() < 1000, "{}", findings.len());

    let item = "{apiVersion: v1, kind: ConfigMap, a: 1, a: 2}, ";
    let text = format!(
        "kind: List\napiVersion: v1\nitems: [{}]\n",
        item.repeat(50_000)
    );
    read_bytes("a.yaml", text.into_bytes());
}

#[test]
fn many_values_deep_in_brackets_are_an_error_in_time() {
    let text = format!("x: {}{}\n", "[".repeat(9_000), "a, ".repeat(1_000_000));
    let said = syntax_error("a.yaml", text);
    assert!(said.contains("nested too deeply"), "{said}");
}

#[test]
fn a_json_stream_may_be_longer_than_a_document() {
    let object = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
    let text = format!("{object}\n").repeat(200_000);
    let reading = read_bytes("a.json", text.into_bytes());
    assert!(!reading.has_errors());
    assert_eq!(reading.objects.len(), 200_000);
}
