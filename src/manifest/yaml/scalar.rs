//! What a scalar means: YAML 1.1 as go-yaml resolves it, which is what kubectl and the API server read.

use super::tree::Stored;

/// The value of a scalar before its text is kept in a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// The scalar's own text.
    Text,
}

impl Scalar {
    /// Returns the stored form; none for text, which has to be kept first.
    pub(super) fn stored(self) -> Option<Stored> {
        Some(match self {
            Scalar::Null => Stored::Null,
            Scalar::Bool(value) => Stored::Bool(value),
            Scalar::Int(value) => Stored::Int(value),
            Scalar::Uint(value) => Stored::Uint(value),
            Scalar::Float(value) => Stored::Float(value),
            Scalar::Text => return None,
        })
    }

    fn tag(self) -> &'static str {
        match self {
            Scalar::Null => "!!null",
            Scalar::Bool(_) => "!!bool",
            Scalar::Int(_) | Scalar::Uint(_) => "!!int",
            Scalar::Float(_) => "!!float",
            Scalar::Text => "!!str",
        }
    }
}

/// The long form of the tags that YAML defines.
const CORE: &str = "tag:yaml.org,2002:";

/// Resolves a scalar that carries a tag; an unknown tag makes a string of it.
pub(super) fn resolve_tagged(tag: &str, text: &str) -> Result<Scalar, String> {
    let Some(name) = tag.strip_prefix(CORE) else {
        return Ok(Scalar::Text);
    };
    let scalar = resolve_plain(text);
    let fits = match name {
        "bool" => matches!(scalar, Scalar::Bool(_)),
        "int" if is_spelled_as_float(text) => {
            return Err(format!("cannot decode !!float `{text}` as a !!int"));
        }
        "int" => matches!(scalar, Scalar::Int(_) | Scalar::Uint(_)),
        "float" => matches!(scalar, Scalar::Float(_) | Scalar::Int(_) | Scalar::Uint(_)),
        "null" => matches!(scalar, Scalar::Null),
        "timestamp" if looks_like_date(text) => return Ok(Scalar::Text),
        "timestamp" => false,
        _ => return Ok(Scalar::Text),
    };
    if fits {
        Ok(scalar)
    } else {
        let found = scalar.tag();
        Err(format!("cannot decode {found} `{text}` as a !!{name}"))
    }
}

/// Resolves a plain scalar without a tag.
pub(super) fn resolve_plain(text: &str) -> Scalar {
    let Some(&first) = text.as_bytes().first() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            resolve_word(text)
        }
        b'.' => resolve_point(text),
        b'0'..=b'9' | b'+' | b'-' => resolve_number(text),
        _ => Scalar::Text,
    }
}

fn resolve_word(text: &str) -> Scalar {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => Scalar::Text,
    }
}

fn resolve_point(text: &str) -> Scalar {
    match text {
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
        _ if is_float(text) => finite(text),
        _ => Scalar::Text,
    }
}

fn resolve_number(text: &str) -> Scalar {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let without;
    let plain = if text.contains('_') {
        without = text.replace('_', "");
        without.as_str()
    } else {
        text
    };
    if let Some(whole) = integer(plain) {
        whole
    } else if is_float(plain) {
        finite(plain)
    } else {
        Scalar::Text
    }
}

/// Reads an integer as Go's `strconv.ParseInt(text, 0, 64)` does, then as `ParseUint`.
fn integer(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let signed = digits.len() != text.len();
    let magnitude = unsigned(digits)?;
    if negative {
        return 0i64.checked_sub_unsigned(magnitude).map(Scalar::Int);
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Scalar::Int(value)),
        Err(_) if !signed => Some(Scalar::Uint(magnitude)),
        Err(_) => None,
    }
}

fn unsigned(digits: &str) -> Option<u64> {
    let bytes = digits.as_bytes();
    let (radix, digits) = match bytes {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// Tells whether a text matches `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = digits(rest);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => (0, rest),
    };
    if whole + fraction == 0 {
        return false;
    }
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else {
        return rest.is_empty();
    };
    let (length, rest) = digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    length > 0 && rest.is_empty()
}

fn digits(text: &str) -> (usize, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (end, &text[end..])
}

/// Reads a float; what overflows is a string, as Go's parser refuses it.
fn finite(text: &str) -> Scalar {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => whole_or_float(value),
        _ => Scalar::Text,
    }
}

/// Turns a float that is a whole number into an integer: Go writes `80.0` into JSON as `80`.
///
/// From 1e21 on Go writes an exponent, which is no integer any more.
fn whole_or_float(value: f64) -> Scalar {
    if value.fract() != 0.0 || value.abs() >= 1e21 {
        return Scalar::Float(value);
    }
    // The text of a whole float is exact, so parsing it tells the range without a lossy cast.
    let text = format!("{value:.0}");
    integer(&text).unwrap_or(Scalar::Float(value))
}

/// Tells whether a text begins as `YYYY-M-D` does; go-yaml keeps timestamps as strings.
fn looks_like_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is_number = |part: Option<&str>, most: usize| {
        part.is_some_and(|part| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    is_number(parts.next(), 4)
        && is_number(parts.next(), 2)
        && parts
            .next()
            .is_some_and(|day| day.starts_with(|first: char| first.is_ascii_digit()))
}

/// Tells whether a plain number has a point or an exponent.
fn is_spelled_as_float(text: &str) -> bool {
    let plain = text.replace('_', "");
    integer(&plain).is_none() && is_float(&plain)
}

/// Returns the text of a mapping key that is no string, as sigs.k8s.io/yaml spells it; none if it can be no key.
///
/// To it `80.0` is a float here, although as a value it is the integer 80.
pub(super) fn key_text(value: Stored, text: &str) -> Option<String> {
    match value {
        Stored::Int(_) if is_spelled_as_float(text) => {
            let value = text.replace('_', "").parse().ok()?;
            Some(float_key(value))
        }
        Stored::Bool(value) => Some(value.to_string()),
        Stored::Int(value) => Some(value.to_string()),
        Stored::Float(value) => Some(float_key(value)),
        Stored::Null | Stored::Uint(_) | Stored::Text(_) | Stored::List(..) | Stored::Map(..) => {
            None
        }
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`.
fn float_key(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Go formats the key as a 32-bit float"
    )]
    let value = value as f32;
    if !value.is_finite() {
        let sign = if value < 0.0 { "-" } else { "" };
        let word = if value.is_nan() { "nan" } else { "inf" };
        return format!("{sign}.{word}");
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_go_yaml_resolves_them() {
        let table = [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("NULL", Scalar::Null),
            ("nUll", Scalar::Text),
            ("yes", Scalar::Bool(true)),
            ("yES", Scalar::Text),
            ("n", Scalar::Bool(false)),
            ("Off", Scalar::Bool(false)),
            ("tRUE", Scalar::Text),
            ("1_000", Scalar::Int(1000)),
            ("0x_1", Scalar::Int(1)),
            ("1_0.5", Scalar::Float(10.5)),
            ("0b1_1", Scalar::Int(3)),
            ("0_7", Scalar::Int(7)),
            ("-0b11", Scalar::Int(-3)),
            ("-0x1f", Scalar::Int(-31)),
            ("-017", Scalar::Int(-15)),
            ("08", Scalar::Int(8)),
            ("0888", Scalar::Int(888)),
            ("09.5", Scalar::Float(9.5)),
            ("1E3", Scalar::Int(1000)),
            (".5", Scalar::Float(0.5)),
            ("5.", Scalar::Int(5)),
            ("+.5", Scalar::Float(0.5)),
            ("0o7", Scalar::Int(7)),
            ("-0o7", Scalar::Int(-7)),
            ("+0x10", Scalar::Int(16)),
            ("0b12", Scalar::Text),
            ("0o8", Scalar::Text),
            ("1e", Scalar::Text),
            ("e3", Scalar::Text),
            ("1.5e-3", Scalar::Float(0.0015)),
            ("+", Scalar::Text),
            ("-", Scalar::Text),
            (".", Scalar::Text),
            ("1_", Scalar::Int(1)),
            ("_1", Scalar::Text),
            ("0x", Scalar::Text),
            ("0x-1", Scalar::Text),
            ("00", Scalar::Int(0)),
            ("-0", Scalar::Int(0)),
            ("-0.0", Scalar::Int(0)),
            ("1.0e21", Scalar::Float(1e21)),
            ("1e18", Scalar::Int(1_000_000_000_000_000_000)),
            ("1e400", Scalar::Text),
            ("1:30", Scalar::Text),
            ("2001-01-01", Scalar::Text),
            ("18446744073709551615", Scalar::Uint(u64::MAX)),
            ("-9223372036854775808", Scalar::Int(i64::MIN)),
            ("0x1ffffffffffffffff", Scalar::Text),
            ("++1", Scalar::Text),
            ("0x+1", Scalar::Text),
        ];
        for (text, wanted) in table {
            assert_eq!(resolve_plain(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_tag_must_fit_the_scalar() {
        let core = |name: &str| format!("{CORE}{name}");
        assert_eq!(resolve_tagged(&core("int"), "0644"), Ok(Scalar::Int(420)));
        assert_eq!(resolve_tagged(&core("str"), "yes"), Ok(Scalar::Text));
        assert_eq!(resolve_tagged("!foo", "12"), Ok(Scalar::Text));
        assert_eq!(resolve_tagged(&core("bool"), "yes"), Ok(Scalar::Bool(true)));
        assert_eq!(
            resolve_tagged(&core("int"), "3.5"),
            Err("cannot decode !!float `3.5` as a !!int".to_owned())
        );
        assert_eq!(
            resolve_tagged(&core("timestamp"), "2001-01-01"),
            Ok(Scalar::Text)
        );
        assert!(resolve_tagged(&core("timestamp"), "abc").is_err());
    }

    #[test]
    fn keys_that_are_no_strings_are_spelled_as_go_spells_them() {
        assert_eq!(key_text(Stored::Float(1.5), "1.5").as_deref(), Some("1.5"));
        assert_eq!(
            key_text(Stored::Float(1e30), "1e30").as_deref(),
            Some("1e+30")
        );
        assert_eq!(key_text(Stored::Bool(true), "yes").as_deref(), Some("true"));
        assert_eq!(key_text(Stored::Null, ""), None);
    }
}
