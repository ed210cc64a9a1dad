//! Each directory of `testdata/manifests` is a manifest and all that becomes of it.
//!
//! `UPDATE=1` writes what is now, to be looked at before it is committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use podwright::manifest::{Extent, ReadOptions, Report, Source, read, rules};
use podwright::translate::{
    GenerateOptions, PlayOptions, SecretData, documents, translate_reading,
};

/// What becomes of a manifest.
#[derive(Default)]
struct Outcome {
    /// The specs as JSON.
    spec: String,
    findings: String,
    /// The pods and volumes as YAML.
    generated: String,
}

fn outcome(text: &str) -> Outcome {
    let mut reading = read(&[Source::new("in.yaml", text)], &ReadOptions::default());
    rules::check_all(&mut reading, Extent::Part);
    let options = PlayOptions::new(PathBuf::from("/work"));
    let application = translate_reading(&mut reading, &options).application;
    let mut outcome = Outcome::default();
    if !reading.has_errors() {
        let spec = &mut outcome.spec;
        for pod in &application.pods {
            writeln!(spec, "{}", serde_json::to_string_pretty(pod).unwrap()).unwrap();
        }
        for volume in &application.volumes {
            writeln!(spec, "{}", serde_json::to_string_pretty(volume).unwrap()).unwrap();
        }
        for map in &application.config_maps {
            writeln!(spec, "{map:?}").unwrap();
        }
        application
            .secrets
            .iter()
            .for_each(|secret| secret_line(secret, spec));
        if !(application.pods.is_empty() && application.volumes.is_empty()) {
            let options = GenerateOptions::default();
            outcome.generated =
                documents(&application.pods, &application.volumes, &options).unwrap();
        }
    }
    outcome.findings = Report(&reading.findings).to_string();
    outcome
}

fn secret_line(secret: &SecretData, text: &mut String) {
    writeln!(text, "{secret:?}").unwrap();
}

/// Compares with the file, or writes it.
fn hold(file: &Path, text: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE").is_some() {
        if text.is_empty() {
            let _ = std::fs::remove_file(file);
        } else {
            std::fs::write(file, text).unwrap();
        }
        return;
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    if expected != text {
        wrong.push(format!("{}: now\n{text}", file.display()));
    }
}

#[test]
fn manifests_become_what_their_directories_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/manifests");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 15, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let text = std::fs::read_to_string(case.join("in.yaml")).unwrap();
        let Outcome {
            spec,
            findings,
            generated,
        } = outcome(&text);
        hold(&case.join("spec.json"), &spec, &mut wrong);
        hold(&case.join("findings.txt"), &findings, &mut wrong);
        hold(&case.join("generated.yaml"), &generated, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
