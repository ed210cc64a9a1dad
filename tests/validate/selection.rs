//! `--strict`, `--skip`, `--reject` and `--partial`.

use crate::support::Manifests;

const TWO: &str = "apiVersion: v1
kind: Secret
metadata: {name: s}
nonsense: 1
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
";

#[test]
fn a_skipped_kind_is_not_told_of_but_counted() {
    let files = Manifests::of(&[("in.yaml", TWO)]);
    let titles = |arguments: &[&str]| {
        let rows = files.rows(&[arguments, &["in.yaml"]].concat());
        let mut titles: Vec<String> = rows
            .iter()
            .map(|row| row["object"].as_str().unwrap().to_owned())
            .collect();
        titles.dedup();
        titles
    };
    assert_eq!(titles(&[]), ["secret `s`", "deployment `d`"]);
    assert_eq!(titles(&["--skip", "secret"]), ["deployment `d`"]);
    assert_eq!(titles(&["--skip", "apps/v1/Deployment"]), ["secret `s`"]);
    assert_eq!(titles(&["--skip", "apps/v2/Deployment"]).len(), 2);
    let said = files.validate(&["--skip", "Secret,Deployment", "--summary", "in.yaml"]);
    assert_eq!(said.code, Some(0));
    assert_eq!(
        said.stdout,
        "summary: 0 objects in 1 file: 0 invalid, 0 errors, 0 warnings, 2 skipped\n"
    );
    assert_eq!(files.validate(&["--skip", "v1/", "in.yaml"]).code, Some(2));
}

#[test]
fn a_rejected_kind_is_an_error_at_its_kind() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
    let files = Manifests::of(&[("in.yaml", text)]);
    assert_eq!(files.validate(&["in.yaml"]).code, Some(0));
    let rows = files.rows(&["--reject", "Secret", "in.yaml"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["message"], "kind `Secret` is rejected");
    assert_eq!(
        (&rows[0]["path"], &rows[0]["line"], &rows[0]["column"]),
        (&"kind".into(), &2.into(), &7.into())
    );
}

#[test]
fn strict_makes_a_warning_count_and_partial_asks_for_nothing_that_is_elsewhere() {
    let text = "apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";
    let files = Manifests::of(&[("in.yaml", text)]);
    assert_eq!(
        files.findings(&["in.yaml"]),
        ["warning Warning spec.selector: no pod among these manifests has these labels"]
    );
    assert_eq!(files.validate(&["in.yaml"]).code, Some(0));
    assert_eq!(files.validate(&["--strict", "in.yaml"]).code, Some(1));
    assert_eq!(
        files.validate(&["--strict", "--partial", "in.yaml"]).code,
        Some(0)
    );
}
