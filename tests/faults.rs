//! Each document of `testdata/faults` has one fault, and its findings stand beside the lines they point to.
//!
//! `#! Type path: text` at the end of a line says that an error of this type and path, as the API server spells
//! them, points to this text of the line. `UPDATE=1` writes what is now, to be looked at before it is committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use podwright::manifest::source::Step;
use podwright::manifest::{
    Extent, Kinds, Located, ReadOptions, Severity, Source, UnknownFields, read, rules,
};

const MARK: &str = "  #! ";

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/faults");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn errors(name: &str, text: &str) -> Vec<Located> {
    let options = ReadOptions {
        unknown_fields: UnknownFields::Refuse,
        kinds: Kinds::BuiltIn,
        ..ReadOptions::default()
    };
    let mut reading = read(&[Source::new(name, text)], &options);
    rules::check_all(&mut reading, Extent::Part);
    rules::check_unplayed(&mut reading);
    let is_error = |located: &Located| located.finding.severity == Severity::Error;
    reading.findings.into_iter().filter(is_error).collect()
}

/// Writes each line of a text with what points to it.
fn annotated(name: &str, text: &str) -> String {
    let mut notes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for located in errors(name, text) {
        let (finding, span) = (&located.finding, located.span);
        let pointed = &text[span.start..span.end];
        let line = usize::try_from(span.line).unwrap();
        let note = format!("{:?} {}: {pointed}", finding.kind, finding.path);
        notes.entry(line).or_default().push(note);
    }
    let mut lines = String::new();
    for (number, line) in text.lines().enumerate() {
        lines.push_str(line);
        for note in notes.get(&(number + 1)).into_iter().flatten() {
            write!(lines, "{MARK}{note}").unwrap();
        }
        lines.push('\n');
    }
    lines
}

fn bare(text: &str) -> String {
    let lines = text.lines();
    let lines = lines.map(|line| line.split(MARK).next().unwrap_or_default());
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn every_fault_is_told_in_the_servers_words_at_its_key_or_value() {
    for file in files() {
        let expected = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let now = annotated(name, &bare(&expected));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &now).unwrap();
            continue;
        }
        for (line, (now, expected)) in now.lines().zip(expected.lines()).enumerate() {
            assert_eq!(now, expected, "{}:{}", file.display(), line + 1);
        }
    }
}

#[test]
fn every_document_of_the_faults_has_one() {
    for file in files() {
        let text = bare(&std::fs::read_to_string(&file).unwrap());
        for part in text.split("---\n") {
            assert!(!errors("part.yaml", part).is_empty(), "no error in\n{part}");
        }
    }
}

/// Returns what a finding in a JSON text must point to, by the text alone.
fn pointed_in_json(value: &serde_json::Value, steps: &[&Step]) -> Vec<String> {
    let (mut value, mut key) = (value, None);
    let is_name = matches!(steps.last(), Some(Step::KeyAlone(_)));
    for step in steps {
        let (name, next) = match step {
            Step::Index(index) => (None, value.get(*index)),
            Step::Field(name) => (Some(name.to_string()), value.get(name.as_ref())),
            Step::Key(name) | Step::KeyAlone(name) => {
                (Some(name.to_string()), value.get(name.as_ref()))
            }
            Step::Spelled(_) => (None, None),
        };
        let Some(next) = next else {
            break;
        };
        (value, key) = (next, name.map(|name| format!("{name:?}")));
    }
    let first = value.as_object().and_then(|map| map.keys().next());
    match value {
        serde_json::Value::Object(_) | serde_json::Value::Array(_) => {
            let opening = first.map(|first| format!("{first:?}"));
            let brackets = ["{".to_owned(), "[".to_owned()];
            key.map_or_else(
                || brackets.into_iter().chain(opening).collect(),
                |key| vec![key],
            )
        }
        _ if is_name => key.into_iter().collect(),
        scalar => vec![scalar.to_string()],
    }
}

/// Checks a directory of one-fault manifests in JSON, such as another set of cases than the project's own.
#[test]
#[ignore = "reads the directory that PODWRIGHT_CASES names"]
fn given_cases_are_told_at_their_key_or_value() {
    let cases = std::env::var_os("PODWRIGHT_CASES").expect("PODWRIGHT_CASES names a directory");
    for case in std::fs::read_dir(cases).expect("readable") {
        let case = case.unwrap().path();
        let text = std::fs::read_to_string(&case).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for located in errors("case.json", &text) {
            let pointed = &text[located.span.start..located.span.end];
            let wanted = pointed_in_json(&value, &located.finding.path.place());
            let is_right = wanted.iter().any(|one| one == pointed);
            assert!(is_right, "{}: {wanted:?}: {located:?}", case.display());
        }
    }
}
