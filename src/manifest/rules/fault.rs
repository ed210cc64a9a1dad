//! The API server's error messages, put together the way its `field.Error` does.
//!
//! Users look these texts up, so they are the server's own, word for word.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::manifest::source::{At, Finding, FindingType, Findings, Severity};

/// What is wrong with a value, in the server's words.
pub(super) type Message = Cow<'static, str>;

/// A refused value, as the message shows it.
pub(super) enum Shown<'a> {
    Text(&'a str),
    Number(i64),
    Json(String),
}

impl Shown<'_> {
    /// Shows a composed value as JSON.
    pub(super) fn json<T: Serialize>(value: &T) -> Self {
        Self::Json(serde_json::to_string(value).unwrap_or_default())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Json(json) => f.write_str(json),
        }
    }
}

impl<'a> From<&'a str> for Shown<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Shown<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Shown<'_> {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Shown<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Shown<'_> {
    fn from(value: bool) -> Self {
        Self::Json(value.to_string())
    }
}

/// One method for each of the server's error types.
pub(super) trait Faults {
    fn required(&mut self, at: &At<'_>, detail: &str);
    fn invalid<'v>(&mut self, at: &At<'_>, value: impl Into<Shown<'v>>, detail: &str);
    fn duplicate<'v>(&mut self, at: &At<'_>, value: impl Into<Shown<'v>>);
    fn forbidden(&mut self, at: &At<'_>, detail: &str);
    fn unsupported(&mut self, at: &At<'_>, value: &str, supported: &[&str]);
    /// The same of a value that the server shows within the whole that it stands in.
    fn unsupported_in(&mut self, at: &At<'_>, value: (&str, Shown<'_>), supported: &[&str]);
    fn not_found(&mut self, at: &At<'_>, value: &str);
    fn too_long(&mut self, at: &At<'_>, bytes: usize);
    fn too_many(&mut self, at: &At<'_>, actual: usize, most: usize);

    /// Adds what another server, or the same one later, would find, as warnings.
    fn soften(&mut self, later: Findings, who: &str);

    /// Says what to do about the last finding.
    fn help(&mut self, help: String);

    /// Records one invalid value for each of `messages`.
    fn invalid_each(&mut self, at: &At<'_>, value: &str, messages: Vec<Message>) {
        for message in messages {
            self.invalid(at, value, &message);
        }
    }

    /// Records a value outside of `supported`.
    fn one_of(&mut self, at: &At<'_>, value: &str, supported: &[&str]) {
        if !supported.contains(&value) {
            self.unsupported(at, value, supported);
        }
    }

    /// Records an empty value, where only an empty string means "not set".
    fn not_empty(&mut self, at: &At<'_>, value: &str) {
        if value.is_empty() {
            self.required(at, "");
        }
    }

    /// Records a number below zero.
    fn not_negative(&mut self, at: &At<'_>, value: Option<impl Into<i64>>) {
        if let Some(value) = value.map(Into::into)
            && value < 0
        {
            self.invalid(at, value, NEGATIVE);
        }
    }
}

/// What the server says of a negative number.
pub(super) const NEGATIVE: &str = "must be greater than or equal to 0";

fn detailed(head: &str, detail: &str) -> String {
    if detail.is_empty() {
        head.to_owned()
    } else {
        format!("{head}: {detail}")
    }
}

impl Faults for Findings {
    fn required(&mut self, at: &At<'_>, detail: &str) {
        self.error(
            FindingType::Required,
            at,
            detailed("Required value", detail),
        );
    }

    fn invalid<'v>(&mut self, at: &At<'_>, value: impl Into<Shown<'v>>, detail: &str) {
        let head = format!("Invalid value: {}", value.into());
        self.error(FindingType::Invalid, at, detailed(&head, detail));
    }

    fn duplicate<'v>(&mut self, at: &At<'_>, value: impl Into<Shown<'v>>) {
        let message = format!("Duplicate value: {}", value.into());
        self.error(FindingType::Duplicate, at, message);
    }

    fn forbidden(&mut self, at: &At<'_>, detail: &str) {
        self.error(FindingType::Forbidden, at, detailed("Forbidden", detail));
    }

    fn unsupported(&mut self, at: &At<'_>, value: &str, supported: &[&str]) {
        self.unsupported_in(at, (value, value.into()), supported);
    }

    fn unsupported_in(
        &mut self,
        at: &At<'_>,
        (value, whole): (&str, Shown<'_>),
        supported: &[&str],
    ) {
        let message = unsupported_message(whole, supported);
        self.error(FindingType::NotSupported, at, message);
        let same = |known: &&&str| known.eq_ignore_ascii_case(value);
        if let Some(known) = supported.iter().find(same) {
            self.help(format!("write `{known}`: case matters"));
        }
    }

    fn soften(&mut self, later: Findings, who: &str) {
        self.0.extend(later.0.into_iter().map(|finding| Finding {
            severity: Severity::Warning,
            kind: FindingType::Warning,
            message: format!("{who}: {}", finding.message),
            ..finding
        }));
    }

    fn help(&mut self, help: String) {
        if let Some(last) = self.0.last_mut() {
            last.help = Some(help);
        }
    }

    fn not_found(&mut self, at: &At<'_>, value: &str) {
        self.error(FindingType::NotFound, at, format!("Not found: {value:?}"));
    }

    fn too_long(&mut self, at: &At<'_>, bytes: usize) {
        let message = format!("Too long: may not be more than {bytes} bytes");
        self.error(FindingType::TooLong, at, message);
    }

    fn too_many(&mut self, at: &At<'_>, actual: usize, most: usize) {
        let message = format!("Too many: {actual}: must have at most {most} items");
        self.error(FindingType::TooMany, at, message);
    }
}

/// Says that `value` is none of `supported`.
pub(super) fn unsupported_message<'v>(value: impl Into<Shown<'v>>, supported: &[&str]) -> String {
    let list: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
    format!(
        "Unsupported value: {}: supported values: {}",
        value.into(),
        list.join(", ")
    )
}

/// Returns the text of a field whose empty string means "not set".
pub(super) fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

/// Returns the text of a field, or what the server fills in for it.
pub(super) fn text_or<'a>(value: &'a Option<String>, default: &'a str) -> &'a str {
    match value.as_deref() {
        None | Some("") => default,
        Some(value) => value,
    }
}

/// Returns the items of a list that may be absent.
pub(super) fn items<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

/// Returns a part that may be absent, or an empty one in its place.
pub(super) fn or_empty<T: Clone + Default>(part: &Option<T>) -> Cow<'_, T> {
    match part {
        Some(part) => Cow::Borrowed(part),
        None => Cow::Owned(T::default()),
    }
}

/// Tells whether an optional switch is on.
pub(super) fn is_on(switch: Option<bool>) -> bool {
    switch.unwrap_or_default()
}
