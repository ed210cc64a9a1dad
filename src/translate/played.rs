//! What a play makes of a field, found out by asking the translation itself.
//!
//! An object with the field and one without are translated: what the translation says of it and what it makes of it
//! is what a play would. So there is no second table that could say something else.

use serde_json::Value;

use super::options::PlayOptions;
use super::reading::translate_reading;
use crate::manifest::{ReadOptions, Source, read};

/// What becomes of a field in a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// It is acted on.
    Honoured,
    /// It is understood and has no effect yet, which a play warns of.
    NotYet,
    /// It has no meaning on a single host.
    NoEffect,
    /// Objects of the kind are passed over.
    KindPassedOver,
}

/// Finds out by the least object of a kind, and objects that have the field.
#[must_use]
pub fn played(least: &Value, samples: &[Value], options: &PlayOptions) -> Played {
    let before = translated(least, options);
    if before.application == Translated::default().application {
        return Played::KindPassedOver;
    }
    let mut is_not_yet = false;
    for sample in samples {
        let after = translated(sample, options);
        if after.is_warned && !before.is_warned {
            is_not_yet = true;
        } else if after.application != before.application || after.errors > before.errors {
            return Played::Honoured;
        }
    }
    match is_not_yet {
        true => Played::NotYet,
        false => Played::NoEffect,
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Translated {
    application: String,
    is_warned: bool,
    errors: usize,
}

impl Default for Translated {
    fn default() -> Self {
        Self {
            application: format!("{:?}", super::Application::default()),
            is_warned: false,
            errors: 0,
        }
    }
}

fn translated(object: &Value, options: &PlayOptions) -> Translated {
    let source = Source::new("sample.json", object.to_string());
    let mut reading = read(&[source], &ReadOptions::default());
    let outcome = translate_reading(&mut reading, options);
    let findings = reading.findings.iter().map(|located| &located.finding);
    Translated {
        application: format!("{:?}", outcome.application),
        is_warned: findings
            .clone()
            .any(|one| one.message.ends_with("is not honoured yet")),
        errors: findings
            .filter(|one| one.severity == crate::manifest::Severity::Error)
            .count(),
    }
}
