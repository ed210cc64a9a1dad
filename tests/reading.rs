//! The cases of `testdata/reading`: each a manifest, and all that reading it says.
//!
//! `PODWRIGHT_BLESS=1 cargo test --test reading` writes what is said now.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use podwright::manifest::{ReadOptions, Report, Source, UnknownFields, read};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/reading");
    let entries = fs::read_dir(root).expect("the cases are there");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    cases.sort();
    cases
}

/// Returns the objects, one a line, and the report.
fn said(case: &Path) -> String {
    let name = ["in.yaml", "in.json"]
        .into_iter()
        .find(|name| case.join(name).exists())
        .expect("a case has an input");
    let bytes = fs::read(case.join(name)).expect("readable");
    let options = ReadOptions {
        unknown_fields: UnknownFields::Refuse,
    };
    let reading = read(&[Source::from_bytes(name, bytes)], &options);
    let mut said = String::new();
    for read in &reading.objects {
        let title = read.document.title().unwrap_or_default();
        let faulty = if read.object.is_some() {
            ""
        } else {
            ", not decoded"
        };
        let index = read.document.index();
        writeln!(said, "document {index}: {}{faulty}", title.escape_debug()).expect("a string");
    }
    said + &Report(&reading.findings).to_string()
}

#[test]
fn every_case_says_what_it_said() {
    let mut wrong = String::new();
    for case in cases() {
        let now = said(&case);
        let path = case.join("said.txt");
        if std::env::var_os("PODWRIGHT_BLESS").is_some() {
            fs::write(&path, &now).expect("writable");
        } else if fs::read_to_string(&path).ok().as_deref() != Some(now.as_str()) {
            write!(wrong, "{} now says:\n{now}\n", case.display()).expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_report_has_a_control_character() {
    for case in cases() {
        let said = said(&case);
        let bad = said.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(bad, None, "{}", case.display());
    }
}
