//! The dependencies keep the rules of `deny.toml`: licences, sources, bans.

use std::process::Command;

use serde_json::Value;

/// A package by its name, its licence and where it comes from.
struct Package {
    name: String,
    licence: Option<String>,
    source: Option<String>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        // What other systems would need was not downloaded.
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| Package {
            name: text(&package["name"]).unwrap(),
            licence: text(&package["license"]),
            source: text(&package["source"]),
        })
        .collect()
}

fn rules() -> &'static str {
    include_str!("../deny.toml")
}

/// The quoted words of a list in `deny.toml`.
fn list(key: &str) -> Vec<&'static str> {
    let start = rules().find(&format!("\n{key} = [")).unwrap();
    let rest = &rules()[start..];
    let end = rest.find(']').unwrap();
    rest[..end].split('"').skip(1).step_by(2).collect()
}

fn clarified(name: &str) -> Option<&'static str> {
    let (_, rest) = rules().split_once(&format!("crate = \"{name}\"\nexpression = \""))?;
    rest.split('"').next()
}

fn exception(name: &str) -> Option<&'static str> {
    let (_, rest) = rules().split_once(&format!("crate = \"{name}\", allow = [\""))?;
    rest.split('"').next()
}

/// Whether an SPDX expression can be met with licences that `allowed` accepts.
fn met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let expression = expression.trim();
    if let Some(parts) = parted(expression, " OR ") {
        return parts.iter().any(|part| met(part, allowed));
    }
    if let Some(parts) = parted(expression, " AND ") {
        return parts.iter().all(|part| met(part, allowed));
    }
    match expression
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(inner) => met(inner, allowed),
        None => allowed(expression),
    }
}

/// Splits at the operators that stand in no parentheses; none if there are none.
fn parted<'a>(expression: &'a str, operator: &str) -> Option<Vec<&'a str>> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in expression.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[at..].starts_with(operator) => {
                parts.push(&expression[start..at]);
                start = at + operator.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    (parts.len() > 1).then_some(parts)
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let allowed = list("allow");
    let mut refused = Vec::new();
    for package in packages() {
        let licence = package
            .licence
            .or_else(|| clarified(&package.name).map(str::to_owned))
            .unwrap_or_default()
            .replace(" / ", " OR ")
            .replace('/', " OR ");
        let excepted = exception(&package.name);
        if !met(&licence, &|one| {
            allowed.contains(&one) || excepted == Some(one)
        }) {
            refused.push(format!("{}: {licence:?}", package.name));
        }
    }
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn every_dependency_is_released_and_none_is_banned() {
    let banned = list("deny");
    for package in packages() {
        assert!(!banned.contains(&package.name.as_str()), "{}", package.name);
        if package.name != env!("CARGO_PKG_NAME") {
            assert_eq!(
                package.source.as_deref(),
                Some("registry+https://github.com/rust-lang/crates.io-index"),
                "{}",
                package.name
            );
        }
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = |one: &str| one == "MIT" || one == "Zlib";
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Zlib", true),
        ("(GPL-3.0 AND MIT) OR GPL-2.0", false),
    ] {
        assert_eq!(met(expression, &allowed), expected, "{expression}");
    }
}
