//! What a translation remarks: faults, and settings that are understood but not honoured.

use std::fmt;

use crate::manifest::source::{At, FieldPath, FindingType, Findings, Step};

/// The findings of a document while it is translated.
pub(super) struct Notes<'f> {
    findings: &'f mut Findings,
}

impl<'f> Notes<'f> {
    pub(super) fn new(findings: &'f mut Findings) -> Self {
        Self { findings }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.findings.has_errors()
    }

    /// Warns that the field has no effect.
    pub(super) fn not_yet(&mut self, at: &At<'_>) {
        let message = format!("`{}` is not honoured yet", last_word(&at.to_path()));
        self.warning(at, message);
    }

    /// Warns that the field has no effect, if it is there and not empty.
    pub(super) fn not_yet_if<T>(&mut self, at: &At<'_>, value: Option<&T>) {
        if value.is_some() {
            self.not_yet(at);
        }
    }

    /// Warns of those of an object's fields that are there: they have no effect.
    pub(super) fn not_yet_of(&mut self, at: &At<'_>, fields: &[(&'static str, bool)]) {
        for (field, _) in fields.iter().filter(|(_, is_there)| *is_there) {
            self.not_yet(&at.field(field));
        }
    }

    pub(super) fn warning(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.findings.warning(at, message);
    }

    pub(super) fn required(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.findings.error(FindingType::Required, at, message);
    }

    pub(super) fn invalid(&mut self, at: &At<'_>, value: impl fmt::Debug, why: impl fmt::Display) {
        let message = format!("Invalid value: {value:?}: {why}");
        self.findings.error(FindingType::Invalid, at, message);
    }

    pub(super) fn unsupported(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.findings.error(FindingType::NotSupported, at, message);
    }

    /// Parses a text; none, or an error recorded, where it does not parse.
    pub(super) fn parse<T, E: fmt::Display>(
        &mut self,
        at: &At<'_>,
        text: &str,
        parser: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let error = match parser(text) {
            Ok(parsed) => return Some(parsed),
            Err(error) => error.to_string(),
        };
        if error.contains(&format!("`{text}`")) {
            // The error says the value itself.
            self.findings.error(FindingType::Invalid, at, error);
        } else {
            self.invalid(at, text, error);
        }
        None
    }

    /// Parses a text that may be absent; an empty one is as good as none.
    pub(super) fn parse_some<T, E: fmt::Display>(
        &mut self,
        at: &At<'_>,
        text: Option<&String>,
        parser: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        filled(text).and_then(|text| self.parse(at, text, parser))
    }

    /// Picks the meaning of a word; absent and unknown words mean the default.
    pub(super) fn choose<T: Copy>(
        &mut self,
        at: &At<'_>,
        word: Option<&String>,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        let Some(word) = filled(word) else {
            return default;
        };
        if let Some((_, meaning)) = words.iter().find(|(known, _)| known == word) {
            return *meaning;
        }
        let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let message = format!(
            "Unsupported value: {word:?}: supported values: {}",
            known.join(", ")
        );
        self.unsupported(at, message);
        default
    }

    /// Takes a number into a narrower type; none, or an error recorded, where it does not fit.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, at: &At<'_>, number: i64) -> Option<T> {
        let narrow = T::try_from(number).ok();
        if narrow.is_none() {
            self.invalid(at, number, "must be a number that fits, and not negative");
        }
        narrow
    }
}

/// Returns a text that is there and not empty.
pub(super) fn filled(text: Option<&String>) -> Option<&String> {
    text.filter(|text| !text.is_empty())
}

/// Returns the items of a list that may be absent.
pub(super) fn items<T>(list: Option<&Vec<T>>) -> &[T] {
    list.map_or(&[], Vec::as_slice)
}

fn last_word(path: &FieldPath) -> String {
    match path.0.last() {
        Some(Step::Field(name)) => name.to_string(),
        Some(Step::Key(key) | Step::KeyAlone(key)) => key.to_string(),
        Some(Step::Index(_) | Step::Spelled(_)) | None => path.to_string(),
    }
}
