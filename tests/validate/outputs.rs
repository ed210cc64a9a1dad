//! The forms of the output, the exit codes, and that the same input gives the same bytes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Manifests;

const GOOD: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: good
";

const BAD: &str = "apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: \"web\"
    image: nginx
    comand: [a]
    env:
    - name: DEBUG
      value: yes
";

/// Two files with faults of every sort: an unknown field, a wrong type, no YAML, a missing value, a warning.
fn faulty() -> Manifests {
    Manifests::of(&[
        ("a.yaml", GOOD),
        ("b <&>,:.yaml", BAD),
        (
            "c.yaml",
            "a: [\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: x}]}\n",
        ),
    ])
}

#[test]
fn the_exit_code_tells_valid_from_invalid_from_wrong_use_from_could_not_run() {
    let files = faulty();
    assert_eq!(files.validate(&["a.yaml"]).code, Some(0));
    assert_eq!(files.validate(&["b <&>,:.yaml"]).code, Some(1));
    assert_eq!(files.validate(&["."]).code, Some(1));
    assert_eq!(files.validate(&[]).code, Some(2));
    assert_eq!(files.validate(&["--no-such-flag", "a.yaml"]).code, Some(2));
    let said = files.validate(&["--kubernetes-version", "1.24", "a.yaml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("1.25 to 1.37"), "{said:?}");
    assert_eq!(files.validate(&["missing.yaml"]).code, Some(125));
    assert_eq!(files.run("validate", &["--help"]).code, Some(0));
}

#[test]
fn every_form_is_the_same_byte_for_byte_each_time() {
    let files = faulty();
    for form in ["text", "json", "sarif", "junit", "github"] {
        let first = files.validate(&["-o", form, "--summary", "."]);
        assert_eq!(first.code, Some(1), "{first:?}");
        for _ in 0..3 {
            assert_eq!(files.validate(&["-o", form, "--summary", "."]), first);
        }
    }
}

#[test]
fn a_json_row_has_every_part_of_its_finding() {
    let files = faulty();
    let rows = files.rows(&["."]);
    let all = [
        "file", "line", "column", "document", "object", "path", "type", "severity", "message",
        "help",
    ];
    for row in &rows {
        let names: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names, all);
    }
    let row = rows
        .iter()
        .find(|row| row["type"] == "UnknownField")
        .unwrap();
    assert_eq!(row["file"], "./b <&>,:.yaml");
    assert_eq!((&row["line"], &row["column"]), (&9.into(), &5.into()));
    assert_eq!(
        (&row["document"], &row["object"]),
        (&0.into(), &"pod `web`".into())
    );
    assert_eq!(row["path"], "spec.containers[0].comand");
    assert_eq!(row["severity"], "error");
    assert_eq!(
        row["message"],
        "unknown field \"spec.containers[0].comand\""
    );
    assert_eq!(row["help"], "did you mean `command`?");
    let row = rows.iter().find(|row| row["type"] == "Required").unwrap();
    assert_eq!(row["path"], "spec.containers[0].image");
    assert_eq!(row["document"], 1);
    let none = Manifests::of(&[("a.yaml", GOOD)]).validate(&["-o", "json", "a.yaml"]);
    assert_eq!((none.stdout.trim(), none.code), ("[]", Some(0)));
}

#[test]
fn text_has_the_line_a_caret_and_no_colour_unless_on_a_terminal() {
    let said = faulty().validate(&["b <&>,:.yaml"]);
    assert!(
        said.stdout.contains(
            "error: pod `web`: spec.containers[0].comand: unknown field \"spec.containers[0].comand\"
  --> b <&>,:.yaml:9:5  (spec.containers[0].comand)
  |
9 |     comand: [a]
  |     ^^^^^^
  help: did you mean `command`?
"
        ),
        "{}",
        said.stdout
    );
    assert!(!said.stdout.contains('\x1b'));
}

#[test]
fn a_summary_follows_a_text_and_stands_beside_the_other_forms() {
    let files = faulty();
    let summary = "summary: 3 objects in 3 files: 3 invalid, 4 errors, 0 warnings\n";
    let said = files.validate(&["--summary", "."]);
    assert!(said.stdout.ends_with(summary), "{said:?}");
    let said = files.validate(&["--summary", "-o", "json", "."]);
    assert_eq!(said.stderr, summary);
    assert!(serde_json::from_str::<Value>(&said.stdout).is_ok());
}

/// The parts that the schema of SARIF 2.1.0 asks for, and the rules for those we use.
#[test]
fn sarif_is_what_its_standard_asks_for() {
    let files = faulty();
    let said = files.validate(&["-o", "sarif", "."]);
    let log: Value = serde_json::from_str(&said.stdout).unwrap();
    only(&log, &["$schema", "version", "runs"]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    only(run, &["tool", "columnKind", "results"]);
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let driver = &run["tool"]["driver"];
    only(driver, &["name", "version", "rules"]);
    assert_eq!(driver["name"], "podwright");
    let rules = driver["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), rules.len(), "each rule stands once");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), files.rows(&["."]).len());
    for result in results {
        only(
            result,
            &["ruleId", "ruleIndex", "level", "message", "locations"],
        );
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note", "none"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        only(place, &["artifactLocation", "region"]);
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.contains([' ', '<', '>', ':']), "{uri} is a reference");
        let region = &place["region"];
        let number = |name: &str| region[name].as_u64().unwrap();
        let start = (number("startLine"), number("startColumn"));
        assert!(start.0 >= 1 && start.1 >= 1);
        assert!((number("endLine"), number("endColumn")) >= start);
    }
    let none = Manifests::of(&[("a.yaml", GOOD)]).validate(&["-o", "sarif", "a.yaml"]);
    let log: Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!(log["runs"][0]["results"], Value::Array(Vec::new()));
}

fn only(value: &Value, names: &[&str]) {
    let found: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, names);
}

#[test]
fn junit_has_a_suite_for_each_file_and_a_case_for_each_object() {
    let said = faulty().validate(&["-o", "junit", "."]);
    let text = &said.stdout;
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "));
    assert!(text.contains(
        "<testsuites name=\"podwright kube validate\" tests=\"4\" failures=\"3\" errors=\"0\">"
    ));
    assert!(text.contains("<testsuite name=\"./a.yaml\" tests=\"1\" failures=\"0\" errors=\"0\">"));
    assert!(text.contains("<testcase classname=\"./a.yaml\" name=\"configmap `good`\"/>"));
    assert!(text.contains(
        "<testsuite name=\"./b &lt;&amp;&gt;,:.yaml\" tests=\"1\" failures=\"1\" errors=\"0\">"
    ));
    assert!(text.contains(
        "<failure type=\"UnknownField\" message=\"spec.containers[0].comand: unknown field \
         &quot;spec.containers[0].comand&quot;\">"
    ));
    balanced(text);
}

/// Follows the tags: each that opens is closed in its turn.
fn balanced(text: &str) {
    let mut open = Vec::new();
    for piece in text.split('<').skip(2) {
        let (tag, rest) = piece.split_once('>').unwrap();
        assert!(!rest.contains('>'), "{rest}");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn github_annotations_are_one_line_each_and_escaped() {
    let said = faulty().validate(&["-o", "github", "."]);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.contains(
        &"::error file=./b <&>%2C%3A.yaml,line=9,endLine=9,col=5,endColumn=11,title=UnknownField::pod `web`: \
          spec.containers[0].comand: unknown field \"spec.containers[0].comand\"%0Ahelp: did you mean `command`?"
    ), "{}", said.stdout);
}
