//! Findings as a JUnit report: a suite for each file, a case for each object.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::row::Row;
use super::text::Report;
use crate::manifest::source::{Located, Severity};
use crate::manifest::verdict::Verdict;

/// A verdict in JUnit's form; an object with an error is a failed case.
///
/// It has the objects that were to be named.
#[derive(Debug, Clone, Copy)]
pub struct JUnit<'v>(pub &'v Verdict);

/// The findings of one object, or of a document or file that holds none.
type Case<'v> = ((Option<usize>, Option<&'v str>), Vec<&'v Located>);

impl fmt::Display for JUnit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suites = suites(self.0);
        let cases = || suites.iter().flatten();
        writeln!(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            f,
            "<testsuites name=\"podwright kube validate\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
            cases().count(),
            cases().filter(|case| has_failed(case)).count()
        )?;
        for (name, cases) in self.0.names.files.iter().zip(&suites) {
            suite(f, name, cases)?;
        }
        writeln!(f, "</testsuites>")
    }
}

fn suites(verdict: &Verdict) -> Vec<Vec<Case<'_>>> {
    let mut suites = vec![BTreeMap::<_, Vec<_>>::new(); verdict.names.files.len()];
    for object in &verdict.names.objects {
        if let Some(suite) = suites.get_mut(object.input) {
            suite
                .entry((Some(object.document), object.title.as_deref()))
                .or_default();
        }
    }
    for located in &verdict.findings {
        if let Some(suite) = suites.get_mut(located.input) {
            let key = (located.document, located.object.as_deref());
            suite.entry(key).or_default().push(located);
        }
    }
    suites
        .into_iter()
        .map(|suite| suite.into_iter().collect())
        .collect()
}

fn has_failed(case: &Case<'_>) -> bool {
    let mut findings = case.1.iter();
    findings.any(|located| located.finding.severity == Severity::Error)
}

fn suite(f: &mut fmt::Formatter<'_>, file: &str, cases: &[Case<'_>]) -> fmt::Result {
    writeln!(
        f,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
        Escaped(file),
        cases.len(),
        cases.iter().filter(|case| has_failed(case)).count()
    )?;
    for case in cases {
        self::case(f, file, case)?;
    }
    writeln!(f, "  </testsuite>")
}

fn case(f: &mut fmt::Formatter<'_>, file: &str, case: &Case<'_>) -> fmt::Result {
    let ((document, object), findings) = case;
    let name = match (document, object) {
        (_, Some(object)) => (*object).to_owned(),
        (Some(document), None) => format!("document {document}"),
        (None, None) => file.to_owned(),
    };
    write!(
        f,
        "    <testcase classname=\"{}\" name=\"{}\"",
        Escaped(file),
        Escaped(&name)
    )?;
    if findings.is_empty() {
        return writeln!(f, "/>");
    }
    writeln!(f, ">")?;
    let mut warnings = String::new();
    for located in findings {
        let text = Report(std::slice::from_ref(located)).to_string();
        match located.finding.severity {
            Severity::Warning | Severity::Note => warnings.push_str(&text),
            Severity::Error => {
                let row = Row::of(located);
                writeln!(
                    f,
                    "      <failure type=\"{}\" message=\"{}: {}\">{}</failure>",
                    row.r#type,
                    Escaped(&row.path),
                    Escaped(row.message),
                    Escaped(&text)
                )?;
            }
        }
    }
    if !warnings.is_empty() {
        writeln!(f, "      <system-out>{}</system-out>", Escaped(&warnings))?;
    }
    writeln!(f, "    </testcase>")
}

/// A text in XML; what no XML document may hold becomes U+FFFD.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' => f.write_char(character)?,
                '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                character if character.is_ascii_control() => f.write_char('\u{fffd}')?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}
