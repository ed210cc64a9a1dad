//! Findings as SARIF 2.1.0, which code scanning reads.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use super::row::Row;
use crate::manifest::source::{FindingType, Located};

/// Returns findings as a SARIF log.
#[must_use]
pub fn sarif(findings: &[Located]) -> impl Serialize + '_ {
    let mut types: Vec<FindingType> = findings.iter().map(|one| one.finding.kind).collect();
    types.sort_unstable();
    types.dedup();
    Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "podwright",
                    version: env!("CARGO_PKG_VERSION"),
                    rules: types.iter().copied().map(rule).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results: Results { findings, types },
        }],
    }
}

#[derive(Serialize)]
struct Log<'f> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'f>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'f> {
    tool: Tool,
    column_kind: &'static str,
    results: Results<'f>,
}

/// Findings, and the types that they have, in order.
struct Results<'f> {
    findings: &'f [Located],
    types: Vec<FindingType>,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let results = self.findings.iter();
        serializer.collect_seq(results.map(|one| result(one, &self.types)))
    }
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'f> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location<'f>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'f> {
    physical_location: PhysicalLocation<'f>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation<'f>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation<'f> {
    artifact_location: Artifact,
    region: Region<'f>,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region<'f> {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
    snippet: Snippet<'f>,
}

#[derive(Serialize)]
struct Snippet<'f> {
    text: &'f str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation<'f> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'f str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    fully_qualified_name: String,
}

fn rule(kind: FindingType) -> Rule {
    Rule {
        id: kind.name(),
        short_description: Message {
            text: kind.meaning().to_owned(),
        },
    }
}

fn result<'f>(located: &'f Located, types: &[FindingType]) -> Outcome<'f> {
    let row = Row::of(located);
    let mut text = String::new();
    for part in [row.object.unwrap_or_default(), &row.path] {
        if !part.is_empty() {
            text.push_str(part);
            text.push_str(": ");
        }
    }
    text.push_str(row.message);
    if let Some(help) = row.help {
        text.push_str("; ");
        text.push_str(help);
    }
    let span = located.span;
    let logical = LogicalLocation {
        name: row.object,
        fully_qualified_name: row.path,
    };
    let is_named = logical.name.is_some() || !logical.fully_qualified_name.is_empty();
    Outcome {
        rule_id: row.r#type,
        rule_index: types
            .binary_search(&located.finding.kind)
            .unwrap_or_default(),
        level: row.severity,
        message: Message { text },
        locations: [Location {
            physical_location: PhysicalLocation {
                artifact_location: Artifact { uri: uri(row.file) },
                region: Region {
                    start_line: span.line,
                    start_column: span.column,
                    end_line: located.excerpt.end_line,
                    end_column: located.excerpt.end_column,
                    snippet: Snippet {
                        text: located.excerpt.text(),
                    },
                },
            },
            logical_locations: is_named.then_some(logical).into_iter().collect(),
        }],
    }
}

/// Returns a file's name as a reference (RFC 3986): a path keeps its slashes, an address its colon.
fn uri(name: &str) -> String {
    if name.starts_with("http://") || name.starts_with("https://") {
        return escaped(name, "/:?#[]@!$&'()*+,;=%");
    }
    escaped(name, "/")
}

fn escaped(name: &str, kept: &str) -> String {
    let mut uri = String::with_capacity(name.len());
    for byte in name.bytes() {
        let character = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(character) || kept.contains(character) {
            uri.push(character);
        } else {
            write!(uri, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    uri
}
