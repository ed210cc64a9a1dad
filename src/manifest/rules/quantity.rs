//! Kubernetes quantities: their grammar, their exact value, and their canonical spelling.
//!
//! The value is kept in billionths, the finest the server keeps; it rounds up there and caps at
//! 2^63-1, as `resource.Quantity` does.

use std::cmp::Ordering;
use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::fault::Faults as _;
use crate::manifest::source::{At, FieldPath, FindingType, Findings};

const ONE: i128 = 1_000_000_000;
const CAP: i128 = (i64::MAX as i128) * ONE;
const WRONG_FORM: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    Exponent,
    Binary,
}

/// The value of a quantity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amount {
    billionths: i128,
    form: Form,
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.billionths == other.billionths
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.billionths.cmp(&other.billionths)
    }
}

impl Amount {
    /// Nothing.
    pub(super) const ZERO: Amount = Amount {
        billionths: 0,
        form: Form::Decimal,
    };

    /// Reads a quantity as it is written.
    pub(super) fn parse(text: &str) -> Result<Amount, &'static str> {
        if text.is_empty() {
            return Err(WRONG_FORM);
        }
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, rest) = digits(unsigned);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest),
            None => ("", rest),
        };
        check_suffix_form(suffix)?;
        let (form, scale, power) = read_suffix(suffix).ok_or(WRONG_SUFFIX)?;
        let size = size(whole, fraction, scale, power);
        let billionths = if text.starts_with('-') { -size } else { size };
        Ok(Amount { billionths, form })
    }

    /// Tells whether the value is whole; like the server's, blind below a thousandth.
    pub(super) fn is_whole(self) -> bool {
        let thousandths = ceil_div(self.billionths, ONE / 1000);
        thousandths % 1000 == 0
    }

    /// Tells whether the value is a multiple of `unit`.
    pub(super) fn is_multiple_of(self, unit: Amount) -> bool {
        unit.billionths != 0 && self.billionths % unit.billionths == 0
    }

    /// Adds two values, up to the cap.
    pub(super) fn plus(self, other: Amount) -> Amount {
        let billionths = self.billionths.saturating_add(other.billionths).min(CAP);
        Amount {
            billionths,
            form: self.form,
        }
    }

    fn decimal(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut step) = (self.billionths, 0);
        while step + 1 < DECIMAL.len() && number % 1000 == 0 {
            number /= 1000;
            step += 1;
        }
        let (suffix, exponent) = DECIMAL[step];
        match self.form {
            Form::Exponent if exponent != 0 => write!(f, "{number}e{exponent}"),
            Form::Exponent => write!(f, "{number}"),
            Form::Decimal | Form::Binary => write!(f, "{number}{suffix}"),
        }
    }
}

/// Writes the canonical spelling: no fraction, the largest suffix that loses nothing.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.billionths == 0 {
            return f.write_str("0");
        }
        let is_small = self.billionths.abs() < 1024 * ONE;
        if self.form != Form::Binary || is_small || self.billionths % ONE != 0 {
            return self.decimal(f);
        }
        let (mut number, mut step) = (self.billionths / ONE, 0);
        while step + 1 < BINARY.len() && number % 1024 == 0 {
            number /= 1024;
            step += 1;
        }
        write!(f, "{number}{}", BINARY[step])
    }
}

/// Reads a quantity of an object, recording what is wrong with its spelling.
pub(super) fn read(quantity: &Quantity, at: &At<'_>, found: &mut Findings) -> Option<Amount> {
    match Amount::parse(quantity.0.trim()) {
        Ok(amount) => Some(amount),
        Err(message) => {
            found.error(FindingType::Decode, at, message);
            if let Some(last) = found.0.last_mut() {
                // the server has no path here, so none that it would spell in its own way
                last.path = FieldPath(last.path.place().into_iter().cloned().collect());
            }
            found.help("the suffixes are n u m k M G T P E and Ki Mi Gi Ti Pi Ei".to_owned());
            None
        }
    }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn check_suffix_form(suffix: &str) -> Result<(), &'static str> {
    let letters = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
    let number = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(WRONG_FORM)
    }
}

/// Returns the form, the power of ten and the power of 1024 of a suffix.
fn read_suffix(suffix: &str) -> Option<(Form, i32, u32)> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Form::Decimal, *exponent, 0));
    }
    if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
        return Some((Form::Binary, 0, u32::try_from(power).ok()?));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((Form::Exponent, exponent.parse().ok()?, 0))
}

/// Computes `whole.fraction * 10^scale * 1024^power` in billionths, rounded up and capped.
fn size(whole: &str, fraction: &str, scale: i32, power: u32) -> i128 {
    let whole = whole.trim_start_matches('0');
    let (kept, dropped) = fraction.split_at(fraction.len().min(18));
    let is_rounded = dropped.bytes().any(|byte| byte != b'0');
    let mut number: i128 = 0;
    for byte in whole.bytes().chain(kept.bytes()) {
        let digit = i128::from(byte - b'0');
        match number
            .checked_mul(10)
            .and_then(|number| number.checked_add(digit))
        {
            Some(next) => number = next,
            None => return CAP,
        }
    }
    if number == 0 {
        return i128::from(is_rounded);
    }
    let places = i32::try_from(kept.len()).unwrap_or(18);
    let Some(number) = number.checked_mul(1024_i128.pow(power)) else {
        return CAP;
    };
    let shift = scale.saturating_add(9 - places);
    let factor = 10_i128.checked_pow(shift.unsigned_abs());
    match (shift >= 0, factor) {
        (true, Some(factor)) => number.checked_mul(factor).unwrap_or(CAP).min(CAP),
        (true, None) => CAP,
        (false, Some(factor)) => ceil_div(number, factor).min(CAP),
        (false, None) => 1,
    }
}

fn ceil_div(number: i128, by: i128) -> i128 {
    number.div_euclid(by) + i128::from(number.rem_euclid(by) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_print_as_the_server_prints_them() {
        let canonical = [
            ("0", "0"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1.5Gi", "1536Mi"),
            ("1024Ki", "1Mi"),
            ("1023Ki", "1023Ki"),
            ("512", "512"),
            ("0.5Ki", "512"),
            ("1500", "1500"),
            ("2000", "2k"),
            ("1e3", "1e3"),
            ("12E2", "1200"),
            ("100000000000000000000", "9223372036854775807"),
            ("9Ei", "9223372036854775807"),
            ("0.1n", "1n"),
            (".5", "500m"),
            ("1.", "1"),
            ("+1", "1"),
            ("-1.5", "-1500m"),
            ("007", "7"),
        ];
        for (written, printed) in canonical {
            let amount = Amount::parse(written).map(|amount| amount.to_string());
            assert_eq!(amount, Ok(printed.to_owned()), "for {written}");
        }
    }

    #[test]
    fn other_words_are_no_quantities() {
        for word in [
            "", "MB", "64MB", "1kb", "1 Gi", "ten", "1.2.3", "1,5", "0x10",
        ] {
            assert_eq!(Amount::parse(word).err(), Some(WRONG_FORM), "for {word}");
        }
        for word in ["1Mii", "1K", "1e", "1eM", "1ek"] {
            assert_eq!(Amount::parse(word).err(), Some(WRONG_SUFFIX), "for {word}");
        }
    }
}
