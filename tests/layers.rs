//! The layers point down only, `unsafe` stays in `sys`, and only `cli::output` prints.

use std::path::{Path, PathBuf};

struct Source {
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(Source {
                    text: std::fs::read_to_string(&path).unwrap(),
                    path: path.strip_prefix(&root).unwrap().to_owned(),
                });
            }
        }
    }
    found
}

/// The modules in the order of `lib.rs`.
fn layers() -> Vec<String> {
    let lib = sources()
        .into_iter()
        .find(|source| source.path == Path::new("lib.rs"));
    lib.unwrap()
        .text
        .lines()
        .filter_map(|line| {
            Some(
                line.strip_prefix("pub mod ")?
                    .trim_end_matches(';')
                    .to_owned(),
            )
        })
        .collect()
}

fn layer_of(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str();
    first.to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Code lines with their numbers: no comments, and no string literals.
fn code(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().map(|(number, line)| {
        let mut kept = String::new();
        let (mut quoted, mut escaped, mut before) = (false, false, '\0');
        for letter in line.chars() {
            match letter {
                '"' if !escaped && before != '\'' => quoted = !quoted,
                '/' if !quoted && before == '/' => {
                    kept.pop();
                    break;
                }
                _ if !quoted => kept.push(letter),
                _ => {}
            }
            escaped = letter == '\\' && !escaped;
            before = letter;
        }
        (number + 1, kept)
    })
}

/// The crate's own modules that a line names: `crate::x`, or each of `crate::{x, y::z}`.
fn named_modules(line: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim()
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect()
    };
    line.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            match rest.strip_prefix('{') {
                Some(list) => list.split(',').map(word).collect::<Vec<_>>(),
                None => vec![word(rest)],
            }
        })
        .collect()
}

#[test]
fn a_module_names_only_those_before_it() {
    let layers = layers();
    let rank = |name: &str| layers.iter().position(|layer| layer == name);
    let mut upward = Vec::new();
    for source in sources() {
        let Some(own) = rank(&layer_of(&source.path)) else {
            continue;
        };
        for (number, line) in code(&source.text) {
            for module in named_modules(&line) {
                if rank(&module).is_some_and(|other| other > own) {
                    upward.push(format!("src/{}:{number}: {module}", source.path.display()));
                }
            }
        }
    }
    assert!(
        upward.is_empty(),
        "these point upward:\n{}",
        upward.join("\n")
    );
}

#[test]
fn sys_knows_none_of_our_words() {
    let ours = ["model", "manifest", "translate", "plan"];
    let mut named = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| layer_of(&source.path) == "sys")
    {
        for (number, line) in code(&source.text) {
            for module in named_modules(&line) {
                if ours.contains(&module.as_str()) {
                    named.push(format!("src/{}:{number}: {module}", source.path.display()));
                }
            }
        }
    }
    assert!(named.is_empty(), "{}", named.join("\n"));
}

#[test]
fn unsafe_code_is_in_sys_only_and_forbidden_elsewhere() {
    let mut found = Vec::new();
    for source in sources() {
        let layer = layer_of(&source.path);
        if layer == "sys" {
            continue;
        }
        for (number, line) in code(&source.text) {
            if line
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .any(|word| word == "unsafe")
            {
                found.push(format!("src/{}:{number}", source.path.display()));
            }
        }
        let heads_layer = source.path.ends_with("mod.rs") && source.path.components().count() == 2;
        if heads_layer
            && !source.text.contains("#![forbid(unsafe_code)]")
            && source.text.lines().count() > 1
        {
            found.push(format!(
                "src/{}: lacks #![forbid(unsafe_code)]",
                source.path.display()
            ));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn only_the_output_prints() {
    let mut found = Vec::new();
    for source in sources() {
        let is_test = source
            .path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .is_some_and(|stem| stem.ends_with("tests"));
        if is_test || source.path == Path::new("cli/output.rs") {
            continue;
        }
        // What follows the tests' line may print that it was skipped.
        let code_part = source.text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code(code_part) {
            if ["println!", "print!", "eprintln!", "eprint!", "dbg!"]
                .iter()
                .any(|word| line.contains(word))
            {
                found.push(format!("src/{}:{number}", source.path.display()));
            }
        }
    }
    assert!(found.is_empty(), "these print:\n{}", found.join("\n"));
}

#[test]
fn the_checks_see_what_they_look_for() {
    assert_eq!(
        named_modules("use crate::{model::pod, cli};"),
        ["model", "cli"]
    );
    assert_eq!(
        named_modules("let x = crate::engine::run(crate::state::y);"),
        ["engine", "state"]
    );
    let lines: Vec<String> = code("a // unsafe\n\"unsafe\" b")
        .map(|(_, line)| line)
        .collect();
    assert_eq!(lines, ["a ", " b"]);
}
