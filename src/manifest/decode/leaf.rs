//! Leaves whose text has a form of its own: quantities and times.

use serde::de::{self, Visitor};

use crate::manifest::yaml::{Format, Node, Value};

const WRONG_FORMAT: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";
const WRONG_NUMBER: &str = "unable to parse numeric part of quantity";

/// Returns the text that Kubernetes parses a quantity from: a string, or the digits of a number.
pub(in crate::manifest) fn quantity_text(node: Node<'_>) -> Option<String> {
    Some(match node.value() {
        Value::String(text) => text.trim().to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Float(_) if node.format() == Format::Json => node.literal().to_owned(),
        Value::Float(value) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

/// Checks the form of a quantity (`resource.ParseQuantity`).
pub(in crate::manifest) fn check_quantity(text: &str) -> Result<(), &'static str> {
    let number_end = text
        .find(|c: char| !matches!(c, '+' | '-' | '.' | '0'..='9'))
        .unwrap_or(text.len());
    let exponent_at = text.find(['e', 'E']).unwrap_or(text.len());
    let number = &text[..number_end.min(exponent_at)];
    let unsigned = number.strip_prefix(['+', '-']).unwrap_or(number);
    if unsigned.is_empty() || unsigned.contains(['+', '-']) {
        return Err(WRONG_FORMAT);
    }
    let suffix = &text[number.len()..];
    let letters = suffix
        .find(|c: char| !"eEinumkKMGTP".contains(c))
        .unwrap_or(suffix.len());
    let exponent = &suffix[letters..];
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WRONG_FORMAT);
    }
    if unsigned.matches('.').count() > 1 || unsigned == "." {
        return Err(WRONG_NUMBER);
    }
    if is_suffix(&suffix[..letters], exponent) {
        Ok(())
    } else {
        Err(WRONG_SUFFIX)
    }
}

fn is_suffix(letters: &str, exponent: &str) -> bool {
    match letters {
        "e" | "E" if !exponent.is_empty() => exponent.parse::<i32>().is_ok(),
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti"
        | "Pi" | "Ei" => exponent.is_empty(),
        _ => false,
    }
}

/// Checks the form of a time (RFC 3339).
pub(in crate::manifest) fn check_time(text: &str) -> Result<(), String> {
    match text.parse::<jiff::Timestamp>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse it"
        )),
    }
}

/// Hands a checked text to a newtype's visitor.
pub(super) struct Leaf<'t>(pub(super) &'t str);

impl<'de, 't> de::Deserializer<'de> for Leaf<'t> {
    type Error = super::de::Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_str(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_the_form_that_kubernetes_parses() {
        for good in [
            "1", "1.5", ".5", "5.", "+1", "-1", "100m", "128Mi", "1E", "1e3", "1E-3", "1k", "0.1Gi",
        ] {
            assert_eq!(check_quantity(good), Ok(()), "{good}");
        }
        assert_eq!(check_quantity("128MB"), Err(WRONG_FORMAT));
        assert_eq!(check_quantity("1 core"), Err(WRONG_FORMAT));
        assert_eq!(check_quantity(""), Err(WRONG_FORMAT));
        assert_eq!(check_quantity("Mi"), Err(WRONG_FORMAT));
        assert_eq!(check_quantity("1K"), Err(WRONG_SUFFIX));
        assert_eq!(check_quantity("1kk"), Err(WRONG_SUFFIX));
        assert_eq!(check_quantity("1.2.3"), Err(WRONG_NUMBER));
    }
}
