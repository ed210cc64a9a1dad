//! Moments and spans as podman takes them: Go durations, RFC 3339, seconds since 1970.

use std::str::FromStr as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment, absolute or counted back from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    /// Parses a Go duration (`1h30m`), a date and time, or seconds since 1970.
    ///
    /// # Errors
    /// The text is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(span) = go_duration(text) {
            return Ok(Self::Ago(span));
        }
        if let Ok(seconds) = text.parse::<f64>() {
            return seconds_since_1970(seconds)
                .map(Self::At)
                .ok_or_else(|| format!("`{text}` is no moment this program can count"));
        }
        if let Ok(moment) = Timestamp::from_str(text) {
            return Ok(Self::At(moment));
        }
        jiff::civil::DateTime::from_str(text)
            .ok()
            .and_then(|local| local.to_zoned(TimeZone::system()).ok())
            .map(|zoned| Self::At(zoned.timestamp()))
            .ok_or_else(|| {
                format!("`{text}` is neither a time (2006-01-02T15:04:05Z) nor a duration (1h30m)")
            })
    }

    /// Returns the moment itself.
    #[must_use]
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Ago(span) => now.saturating_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

fn seconds_since_1970(seconds: f64) -> Option<Timestamp> {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(span).ok()
}

/// Parses a Go duration such as `300ms`, `1.5h` or `2h45m`; a bare `0` is one too.
#[must_use]
pub fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let amount: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(amount * seconds).ok()?)?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (text, milliseconds) in [
            ("300ms", 300),
            ("1.5h", 5_400_000),
            ("2h45m", 9_900_000),
            ("10s", 10_000),
            ("0", 0),
        ] {
            assert_eq!(
                go_duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "5", "h", "5x", "-1s", "1h30"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }

    #[test]
    fn moments_are_read_in_all_of_podmans_forms() {
        let now: Timestamp = "2024-05-01T12:00:00Z".parse().unwrap();
        for (text, moment) in [
            ("10m", "2024-05-01T11:50:00Z"),
            ("2024-04-30T00:00:00Z", "2024-04-30T00:00:00Z"),
            ("2024-04-30T02:00:00+02:00", "2024-04-30T00:00:00Z"),
            ("1714435200", "2024-04-30T00:00:00Z"),
        ] {
            assert_eq!(
                Moment::parse(text).unwrap().resolve(now).to_string(),
                moment,
                "{text}"
            );
        }
        assert!(Moment::parse("2024-04-30").is_ok());
        assert!(Moment::parse("yesterday").is_err());
    }
}
