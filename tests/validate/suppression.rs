//! Findings that a manifest gives a reason for.

use crate::support::Manifests;

fn found(text: &str) -> Vec<String> {
    Manifests::of(&[("in.yaml", text)]).findings(&["in.yaml"])
}

const UNKNOWN: &str = "error UnknownField data2: unknown field \"data2\"";

fn map(rest: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n{rest}")
}

#[test]
fn a_comment_with_a_reason_suppresses_what_is_found_on_its_line() {
    assert_eq!(found(&map("data2: {}\n")), [UNKNOWN]);
    assert_eq!(
        found(&map(
            "data2: {} # podwright:ignore UnknownField: read by us\n"
        )),
        [""; 0]
    );
    assert_eq!(
        found(&map("data2: {} # podwright:ignore: all of it\n")),
        [""; 0]
    );
    assert_eq!(
        found(&map(
            "# podwright:ignore UnknownField data2: ours\ndata2: {}\n"
        )),
        [""; 0]
    );
}

#[test]
fn an_annotation_with_a_reason_suppresses_for_its_object_alone() {
    let text = map(
        "  annotations:\n    podwright.io/ignore: 'UnknownField data2: read by us'\ndata2: {}\n",
    );
    assert_eq!(found(&text), [""; 0]);
    let other = map("data2: {}\n").replace("name: a", "name: b");
    assert_eq!(found(&format!("{text}---\n{other}")), [UNKNOWN]);
}

#[test]
fn one_without_a_reason_has_no_effect_and_is_told() {
    let told = "warning Warning : a suppression without a reason has no effect";
    assert_eq!(
        found(&map("data2: {} # podwright:ignore UnknownField\n")),
        [UNKNOWN, told]
    );
    let text = map("  annotations:\n    podwright.io/ignore: UnknownField\ndata2: {}\n");
    let told = "warning Warning metadata.annotations[podwright.io/ignore]: a suppression without a reason has no effect";
    assert_eq!(found(&text), [told, UNKNOWN]);
}

#[test]
fn one_that_nothing_needs_is_told() {
    let told = "warning Warning : there is nothing here to suppress";
    assert_eq!(
        found(&map("data: {} # podwright:ignore Invalid: old\n")),
        [told]
    );
    assert_eq!(
        found(&map("data2: {} # podwright:ignore Invalid: other\n")),
        [UNKNOWN, told]
    );
    assert_eq!(
        found(&map("data2: {} # podwright:ignore data: other path\n")),
        [UNKNOWN, told]
    );
    let told = "warning Warning metadata.annotations[podwright.io/ignore]: there is nothing here to suppress";
    assert_eq!(
        found(&map(
            "  annotations: {podwright.io/ignore: 'Invalid: old'}\n"
        )),
        [told]
    );
}

#[test]
fn a_text_that_only_looks_like_a_comment_suppresses_nothing_and_is_not_told() {
    let text = map(
        "data:\n  a: |\n    x: 1 # podwright:ignore : inside a text\n  b: 'a # podwright:ignore : b'\n",
    );
    assert_eq!(found(&text), [""; 0]);
}

#[test]
fn what_is_no_yaml_cannot_be_suppressed() {
    let found = found("a: [ # podwright:ignore Syntax: no\n");
    assert!(found[1].starts_with("error Syntax"), "{found:?}");
}

#[test]
fn strict_counts_an_unused_suppression_and_the_summary_counts_the_used_ones() {
    let files = Manifests::of(&[
        ("used.yaml", &map("data2: {} # podwright:ignore : x\n")),
        ("unused.yaml", &map("data: {} # podwright:ignore : x\n")),
    ]);
    assert_eq!(files.validate(&["unused.yaml"]).code, Some(0));
    assert_eq!(files.validate(&["--strict", "unused.yaml"]).code, Some(1));
    let said = files.validate(&["--strict", "--summary", "used.yaml"]);
    assert_eq!(
        (said.stdout.as_str(), said.code),
        (
            "summary: 1 object in 1 file: 0 invalid, 0 errors, 0 warnings, 1 suppressed\n",
            Some(0)
        )
    );
}

#[test]
fn thousands_of_suppressions_cost_no_more_than_their_number() {
    let lines: String = (0..20_000)
        .map(|number| format!("x{number}: 1 # podwright:ignore UnknownField: ours\n"))
        .collect();
    let files = Manifests::of(&[("in.yaml", &map(&lines))]);
    let started = std::time::Instant::now();
    let said = files.validate(&["--summary", "in.yaml"]);
    assert!(said.stdout.contains("suppressed"), "{said:?}");
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
