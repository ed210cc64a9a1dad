//! Our reader and kubectl's read the same values, document by document.
//!
//! It is the `kubectl` of `tests/setup`, since its versions differ in what they read. No cluster is asked:
//! `kubectl patch --local` with an empty patch prints what it read.

#[path = "support/kubectl.rs"]
mod program;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use podwright::manifest::yaml::{Node, Value};
use podwright::manifest::{FindingType, ReadOptions, Severity, Source, read};
use program::kubectl;
use serde_json::{Value as Json, json};

/// Returns what kubectl reads, or nothing if it refuses the text.
fn theirs(kubectl: &Path, text: &[u8]) -> Option<Vec<Json>> {
    let mut child = Command::new(kubectl)
        .args([
            "patch",
            "--local",
            "-f",
            "-",
            "--type=merge",
            "-p",
            "{}",
            "-o",
            "json",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kubectl can be started");
    let mut input = child.stdin.take().expect("it has an input");
    let text = text.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&text));
    let answer = child.wait_with_output().expect("it ends");
    // it may end before it has read all
    let _ = writer.join().expect("the writer ends");
    let values = serde_json::Deserializer::from_slice(&answer.stdout).into_iter();
    let values: Vec<Json> = values.collect::<Result<_, _>>().expect("it prints JSON");
    let versioned = values
        .into_iter()
        .filter(|value| value["apiVersion"] != Json::Null);
    answer.status.success().then(|| versioned.collect())
}

fn value(node: Node<'_>) -> Json {
    match node.value() {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Uint(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::String(text) => json!(text),
        Value::List(list) => list.iter().map(value).collect(),
        Value::Map(map) => {
            let entries = map.iter();
            entries
                .map(|entry| (entry.key.to_owned(), value(entry.value)))
                .collect()
        }
    }
}

/// Returns what we read, or nothing if we refuse the text.
fn ours(text: &[u8]) -> Option<Vec<Json>> {
    let reading = read(
        &[Source::from_bytes("in.yaml", text.to_vec())],
        &ReadOptions::default(),
    );
    // to the server an object has a version too, to kubectl not always
    let is_refused = reading.findings.iter().any(|located| {
        let finding = &located.finding;
        let is_unread = finding.kind == FindingType::Syntax
            || (finding.kind == FindingType::Required && finding.path.to_string() == "kind");
        finding.severity == Severity::Error && is_unread
    });
    let documents = reading.objects.iter().map(|read| {
        let document = &read.document;
        let mut json = value(document.node());
        // what the list around it says of an object
        json["apiVersion"] = document.api_version().into();
        json["kind"] = document.kind().into();
        json
    });
    (!is_refused).then(|| documents.collect())
}

/// Makes numbers of one value one spelling, as `1` and `1.0` are.
fn plain(value: &Json) -> Json {
    match value {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(list) => list.iter().map(plain).collect(),
        Json::Object(map) => map
            .iter()
            .map(|(key, one)| (key.clone(), plain(one)))
            .collect(),
        other => other.clone(),
    }
}

/// Tells whether both read the same; to kubectl, no object at all is a fault too.
fn same(ours: &Option<Vec<Json>>, theirs: &Option<Vec<Json>>) -> bool {
    let plain =
        |list: &Option<Vec<Json>>| -> Vec<Json> { list.iter().flatten().map(plain).collect() };
    plain(ours) == plain(theirs)
}

fn manifests(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            manifests(&path, all);
        } else if path
            .extension()
            .is_some_and(|one| ["yaml", "yml", "json"].iter().any(|known| one == *known))
        {
            all.push(path);
        }
    }
}

#[test]
#[ignore = "reads the directory that PODWRIGHT_MANIFESTS names"]
fn given_manifests_have_the_same_values() {
    let directory = std::env::var_os("PODWRIGHT_MANIFESTS").expect("it names a directory");
    let kubectl = kubectl().expect("kubectl is installed");
    let mut files = Vec::new();
    manifests(Path::new(&directory), &mut files);
    let (mut documents, mut wrong) = (0, String::new());
    for file in files {
        let text = std::fs::read(&file).expect("readable");
        let (ours, theirs) = (ours(&text), theirs(&kubectl, &text));
        documents += theirs.as_ref().map_or(0, Vec::len);
        if !same(&ours, &theirs) {
            let file = file.display();
            writeln!(wrong, "{file}: ours {ours:?} theirs {theirs:?}").expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("{documents} documents are the same");
}

/// Values as they stand behind `v:`, one a line of the file or several under a key.
const SPELLINGS: &str = include_str!("../testdata/spellings.txt");

#[test]
fn values_of_every_spelling_are_the_same() {
    let Some(kubectl) = kubectl() else {
        println!("skipped: lacks kubectl");
        return;
    };
    let mut wrong = String::new();
    for spelling in SPELLINGS.lines().filter(|line| !line.is_empty()) {
        let spelling = spelling
            .replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace("\\r", "\r")
            .replace("\\0", "\0")
            .replace("\\B", "\u{feff}")
            .replace("\\N", "\u{85}")
            .replace("\\L", "\u{2028}");
        let text = match spelling.strip_prefix('=') {
            Some(whole) => whole.to_owned(),
            None => format!("apiVersion: v1\nkind: A\nmetadata: {{name: a}}\nv: {spelling}\n"),
        };
        let (ours, theirs) = (ours(text.as_bytes()), theirs(&kubectl, text.as_bytes()));
        if !same(&ours, &theirs) {
            writeln!(wrong, "{text:?}: ours {ours:?} theirs {theirs:?}").expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
