//! The formats of texts that the server checks; others mean nothing to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::manifest::base64;
use crate::manifest::decode::leaf;

/// Tells whether a text has a format; one that the server does not know every text has.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => leaf::check_time(text).is_ok(),
        "date" => leaf::check_time(&format!("{text}T00:00:00Z")).is_ok(),
        "duration" => is_duration(text),
        "byte" => base64::decode(text).is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "uri" => is_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "mac" => is_mac(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(text, format.strip_prefix("uuid")),
        "hexcolor" => {
            let digits = text.strip_prefix('#').unwrap_or(text);
            matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        "k8s-short-name" => is_label(text),
        "k8s-long-name" => !text.is_empty() && text.len() <= 253 && text.split('.').all(is_label),
        _ => true,
    }
}

/// Go's durations, and the words that go-openapi takes beside them.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 30] = [
        "ns",
        "nano",
        "nanos",
        "nanosecond",
        "nanoseconds",
        "us",
        "µs",
        "micro",
        "micros",
        "microseconds",
        "ms",
        "milli",
        "millis",
        "millisecond",
        "milliseconds",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "h",
        "hr",
        "hour",
        "hours",
        "d",
    ];
    const LONG: [&str; 5] = ["day", "days", "w", "week", "weeks"];
    let mut rest = text.trim().strip_prefix(['-', '+']).unwrap_or(text.trim());
    if rest == "0" {
        return true;
    }
    let mut is_any = false;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let number = &rest[..digits];
        let tail = rest[digits..].trim_start();
        let end = tail
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(tail.len());
        let unit = &tail[..end];
        if number.parse::<f64>().is_err() || !(UNITS.contains(&unit) || LONG.contains(&unit)) {
            return false;
        }
        rest = tail[end..].trim_start();
        is_any = true;
    }
    is_any
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_number && length.parse::<u8>().is_ok_and(|length| length <= most)
}

/// A reference that can stand in a request: absolute, or a path from the root.
fn is_uri(text: &str) -> bool {
    let is_plain = !text.contains(|c: char| c.is_ascii_control() || c == ' ');
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let has_scheme = text
        .split_once(':')
        .is_some_and(|(scheme, _)| is_scheme(scheme));
    is_plain && (text.starts_with('/') || has_scheme)
}

fn is_email(text: &str) -> bool {
    let address = match text.rsplit_once('<') {
        Some((_, address)) => address.strip_suffix('>').unwrap_or(""),
        None => text,
    };
    address.rsplit_once('@').is_some_and(|(local, domain)| {
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;".contains(c);
        !local.is_empty() && !domain.is_empty() && address.chars().all(is_plain)
    })
}

fn is_hostname(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_part = |part: &str| {
        let is_inner = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&part.len())
            && part.chars().all(is_inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    name.len() <= 255 && name.split('.').all(is_part)
}

fn is_mac(text: &str) -> bool {
    let is_of = |separator: char, digits: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        let is_part =
            |part: &&str| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
        counts.contains(&parts.len()) && parts.iter().all(is_part)
    };
    is_of(':', 2, &[6, 8, 20]) || is_of('-', 2, &[6, 8, 20]) || is_of('.', 4, &[3, 4, 10])
}

fn is_uuid(text: &str, version: Option<&str>) -> bool {
    let digits: String = text.chars().filter(|&c| c != '-').collect();
    let is_placed = text
        .match_indices('-')
        .all(|(at, _)| [8, 12, 13, 16, 17, 18, 20, 21, 22, 23].contains(&at));
    let is_version = match version {
        None | Some("") => true,
        Some(version) => digits.get(12..13) == Some(version),
    };
    digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) && is_placed && is_version
}

fn is_label(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.chars().all(|c| is_end(c) || c == '-')
        && text.starts_with(is_end)
        && text.ends_with(is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_held_to_their_formats() {
        for (format, good, bad) in [
            ("date-time", "2024-01-02T03:04:05Z", "2024-01-02"),
            ("date", "2024-01-02", "2024-13-02"),
            ("duration", "1h30m", "1x"),
            ("duration", "3 days", "days"),
            ("byte", "YQ==", "Y"),
            ("ipv4", "10.0.0.1", "10.0.0.256"),
            ("ipv6", "fe80::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("uri", "https://a.b/c?d", "a b"),
            ("email", "a@b.c", "a.b.c"),
            ("hostname", "a.b-c", "a..b"),
            ("mac", "01:02:03:04:05:06", "01:02:03"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
            (
                "uuid4",
                "123e4567-e89b-42d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-426614174000",
            ),
            ("hexcolor", "#fff", "#ffff"),
            ("k8s-short-name", "a-b", "a.b"),
        ] {
            assert!(fits(format, good), "{format} {good}");
            assert!(!fits(format, bad), "{format} {bad}");
        }
        assert!(fits("of-our-own", "anything"));
    }
}
