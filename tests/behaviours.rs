//! The tables of `docs/podman-behaviours.md` name tests that exist.

use std::path::Path;

#[test]
fn what_is_said_to_hold_is_checked_by_a_test_that_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/podman-behaviours.md")).unwrap();
    let mut sources = String::new();
    for directory in ["tests", "src"] {
        read_all(&root.join(directory), &mut sources);
    }
    let mut held = 0;
    for line in table.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let is_held = cells.contains(&"held");
        if !is_held {
            continue;
        }
        held += 1;
        // Names of tests are sentences.
        let words = line.split('`').skip(1).step_by(2);
        let tests: Vec<&str> = words
            .filter(|word| word.matches('_').count() >= 3 && !word.contains(' '))
            .collect();
        assert!(!tests.is_empty(), "no test is named: {line}");
        for test in tests {
            let there_is = sources.contains(&format!("fn {test}("));
            assert!(there_is, "there is no test {test}: {line}");
        }
    }
    assert!(held >= 30, "only {held} lines hold");
}

fn read_all(directory: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
