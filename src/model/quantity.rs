//! Amounts with their unit in the type, and Kubernetes' way of writing them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Thousandths of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MilliCpu(pub u64);

/// A whole number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl Seconds {
    /// Returns the same span as the standard library has it.
    #[must_use]
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0)
    }
}

/// A text that is no Kubernetes quantity, or one that its use has no room for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// `resource.ErrFormatWrong`.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// A negative amount where only a positive one has a meaning.
    #[error("must not be negative")]
    Negative,
    /// More than 64 bits hold.
    #[error("is too large")]
    TooLarge,
}

/// A Kubernetes quantity: a decimal number times a power of ten or two.
///
/// Held as `digits * 10^exponent * 2^binary`, so that no input loses anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    negative: bool,
    digits: u128,
    exponent: i32,
    binary: u32,
}

impl Quantity {
    /// Parses a quantity as the API server does (`resource.ParseQuantity`).
    ///
    /// # Errors
    /// [`QuantityError::Format`] for a wrong text, [`QuantityError::TooLarge`] for more than 36 digits.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(QuantityError::Format);
        }
        let (scale, binary) = suffix_scale(suffix).ok_or(QuantityError::Format)?;
        let mut digits = 0u128;
        for digit in whole.bytes().chain(fraction.bytes()) {
            digits = digits
                .checked_mul(10)
                .and_then(|digits| digits.checked_add(u128::from(digit - b'0')))
                .ok_or(QuantityError::TooLarge)?;
        }
        let fraction_digits = i32::try_from(fraction.len()).map_err(|_| QuantityError::TooLarge)?;
        Ok(Self {
            negative: negative && digits != 0,
            digits,
            exponent: scale
                .checked_sub(fraction_digits)
                .ok_or(QuantityError::TooLarge)?,
            binary,
        })
    }

    /// Returns whether the amount is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Returns the amount in units of `10^-thousandths`, rounded up as Kubernetes rounds.
    ///
    /// # Errors
    /// A negative amount, or more than 64 bits hold.
    fn scaled(&self, power: i32) -> Result<u64, QuantityError> {
        if self.negative {
            return Err(QuantityError::Negative);
        }
        let mut value = 1u128
            .checked_shl(self.binary)
            .and_then(|factor| self.digits.checked_mul(factor))
            .ok_or(QuantityError::TooLarge)?;
        let exponent = self.exponent.saturating_add(power);
        for _ in 0..exponent.max(0) {
            if value == 0 {
                break;
            }
            value = value.checked_mul(10).ok_or(QuantityError::TooLarge)?;
        }
        let mut inexact = false;
        for _ in exponent.min(0)..0 {
            inexact |= value % 10 != 0;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        u64::try_from(value + u128::from(inexact)).map_err(|_| QuantityError::TooLarge)
    }

    /// Returns the amount as bytes, a fraction rounded up.
    ///
    /// # Errors
    /// A negative amount, or more than 64 bits hold.
    pub fn bytes(&self) -> Result<Bytes, QuantityError> {
        self.scaled(0).map(Bytes)
    }

    /// Returns the amount as thousandths of a processor, a fraction rounded up.
    ///
    /// # Errors
    /// A negative amount, or more than 64 bits hold.
    pub fn milli_cpu(&self) -> Result<MilliCpu, QuantityError> {
        self.scaled(3).map(MilliCpu)
    }
}

/// Returns the powers of ten and of two that a suffix stands for.
fn suffix_scale(suffix: &str) -> Option<(i32, u32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 10),
        "Mi" => (0, 20),
        "Gi" => (0, 30),
        "Ti" => (0, 40),
        "Pi" => (0, 50),
        "Ei" => (0, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit())
            {
                return None;
            }
            (exponent.parse().ok()?, 0)
        }
    })
}

impl fmt::Display for Bytes {
    /// Writes the canonical form: the largest suffix that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BINARY: [(&str, u64); 6] = [
            ("Ei", 1 << 60),
            ("Pi", 1 << 50),
            ("Ti", 1 << 40),
            ("Gi", 1 << 30),
            ("Mi", 1 << 20),
            ("Ki", 1 << 10),
        ];
        const DECIMAL: [(&str, u64); 6] = [
            ("E", 1_000_000_000_000_000_000),
            ("P", 1_000_000_000_000_000),
            ("T", 1_000_000_000_000),
            ("G", 1_000_000_000),
            ("M", 1_000_000),
            ("k", 1_000),
        ];
        let fits = |&&(_, unit): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(unit);
        let shortest = BINARY
            .iter()
            .find(fits)
            .into_iter()
            .chain(DECIMAL.iter().find(fits))
            .min_by_key(|(_, unit)| self.0 / unit);
        match shortest {
            Some((suffix, unit)) => write!(f, "{}{suffix}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for MilliCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(f, "{}", self.0 / 1000)
        } else {
            write!(f, "{}m", self.0)
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Result<u64, QuantityError> {
        Quantity::parse(text)?.bytes().map(|bytes| bytes.0)
    }

    #[test]
    fn quantities_read_as_kubernetes_reads_them() {
        for (text, value) in [
            ("0", 0),
            ("1", 1),
            ("64Mi", 64 << 20),
            ("0.5Gi", 512 << 20),
            (".5Gi", 512 << 20),
            ("1.Ki", 1024),
            ("128M", 128_000_000),
            ("1e3", 1000),
            ("1E3", 1000),
            ("5e-1", 1),
            ("100m", 1),
            ("+7", 7),
            ("0e9999", 0),
        ] {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn wrong_quantities_are_refused() {
        for text in [
            "", "a", "1.2.3", "1Kib", "1 Gi", "1mm", "--1", "1e", ".", "1KI",
        ] {
            assert_eq!(bytes(text), Err(QuantityError::Format), "{text}");
        }
        assert_eq!(bytes("-1"), Err(QuantityError::Negative));
        assert_eq!(bytes("99Ei"), Err(QuantityError::TooLarge));
        assert_eq!(bytes("1e9999"), Err(QuantityError::TooLarge));
    }

    #[test]
    fn processors_round_up_to_thousandths() {
        for (text, value) in [
            ("1", 1000),
            ("0.1", 100),
            ("100m", 100),
            ("1u", 1),
            ("2.5", 2500),
        ] {
            assert_eq!(
                Quantity::parse(text).unwrap().milli_cpu(),
                Ok(MilliCpu(value)),
                "{text}"
            );
        }
    }

    #[test]
    fn amounts_print_in_canonical_form() {
        for text in ["0", "1", "64Mi", "1Gi", "128M", "1500", "3k", "1000Ki"] {
            assert_eq!(Bytes(bytes(text).unwrap()).to_string(), text);
        }
        assert_eq!(MilliCpu(1500).to_string(), "1500m");
        assert_eq!(MilliCpu(2000).to_string(), "2");
    }
}
