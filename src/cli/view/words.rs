//! Times, sizes and states in podman's words.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::network::PublishedPort;
use crate::model::observed::ContainerRecord;
use crate::model::state::{ContainerState, WaitReason};

/// The moment that Go prints for no moment at all.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";
/// The same in seconds since 1970.
pub(super) const NEVER_SECONDS: i64 = -62_135_596_800;

/// Returns a span as podman words it: `3 minutes`, `About an hour`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let minutes = seconds / 60;
    let hours = (seconds + 1800) / 3600;
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// Returns how long ago a moment is; one still to come is now.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{} ago", since(now, then))
}

fn since(now: Timestamp, then: Timestamp) -> String {
    span(Duration::try_from(now.duration_since(then)).unwrap_or_default())
}

/// Returns the status that a list shows: `Up 3 minutes`, `Exited (0) 2 seconds ago`.
pub(super) fn status(container: &ContainerRecord, now: Timestamp) -> String {
    match &container.state {
        ContainerState::Created => "Created".to_owned(),
        ContainerState::Running { since: then, .. } => format!("Up {}", since(now, *then)),
        ContainerState::Paused { .. } => "Paused".to_owned(),
        ContainerState::Stopping { .. } => "Stopping".to_owned(),
        ContainerState::Exited { status, at } => {
            format!("Exited ({}) {}", status.code(), ago(now, *at))
        }
        ContainerState::Waiting {
            reason: WaitReason::CrashLoopBackOff,
            ..
        } => match &container.last_end {
            Some(end) => format!(
                "CrashLoopBackOff ({}) {}",
                end.status.code(),
                ago(now, end.at)
            ),
            None => "CrashLoopBackOff".to_owned(),
        },
        ContainerState::Waiting {
            reason: WaitReason::PodInitializing,
            ..
        } => "PodInitializing".to_owned(),
    }
}

/// Returns when a container ended last, if it does not run.
pub(super) fn ended(container: &ContainerRecord) -> Option<Timestamp> {
    match &container.state {
        ContainerState::Exited { at, .. } => Some(*at),
        ContainerState::Waiting { .. } => container.last_end.as_ref().map(|end| end.at),
        ContainerState::Created
        | ContainerState::Running { .. }
        | ContainerState::Paused { .. }
        | ContainerState::Stopping { .. } => None,
    }
}

/// Returns the code that a container ended with; 0 for one that runs or never ran, as podman has it.
pub(super) fn exit_code(container: &ContainerRecord) -> i32 {
    match &container.state {
        ContainerState::Exited { status, .. } => status.code(),
        ContainerState::Waiting { .. } => container.exit().map_or(0, |status| status.code()),
        ContainerState::Created
        | ContainerState::Running { .. }
        | ContainerState::Paused { .. }
        | ContainerState::Stopping { .. } => 0,
    }
}

/// Returns a published port: `0.0.0.0:8080->80/tcp`.
pub(super) fn port(port: &PublishedPort) -> String {
    let ip = port
        .host_ip
        .map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
    let ip = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip
    };
    format!(
        "{ip}:{}->{}/{}",
        port.host_port, port.container_port, port.protocol
    )
}

/// Returns a size with three digits, in powers of ten: `2 MB`, `1.23 GB`.
pub(in crate::cli) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut scale = 1u64;
    while bytes / scale >= 1000 && unit + 1 < UNITS.len() {
        scale *= 1000;
        unit += 1;
    }
    let whole = bytes / scale;
    let decimals = match whole {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let power = 10u64.pow(decimals);
    let rounded =
        (u128::from(bytes) * u128::from(power) + u128::from(scale / 2)) / u128::from(scale);
    let (whole, fraction) = (rounded / u128::from(power), rounded % u128::from(power));
    let width = usize::try_from(decimals).unwrap_or(0);
    let fraction = format!("{fraction:0width$}");
    match fraction.trim_end_matches('0') {
        "" => format!("{whole} {}", UNITS[unit]),
        fraction => format!("{whole}.{fraction} {}", UNITS[unit]),
    }
}

/// Returns a span as Go prints it: `1h2m3.45s`, `20.5ms`, `0s`.
pub(super) fn go_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    let in_units = |unit: u128, name: &str| {
        let places = usize::try_from(unit.ilog10()).unwrap_or(0);
        let fraction = format!("{:0places$}", nanos % unit);
        match (places, fraction.trim_end_matches('0')) {
            (0, _) | (_, "") => format!("{}{name}", nanos / unit),
            (_, fraction) => format!("{}.{fraction}{name}", nanos / unit),
        }
    };
    match nanos {
        0 => return "0s".to_owned(),
        1..1_000 => return in_units(1, "ns"),
        1_000..1_000_000 => return in_units(1_000, "µs"),
        1_000_000..1_000_000_000 => return in_units(1_000_000, "ms"),
        _ => {}
    }
    let minutes = span.as_secs() / 60;
    let seconds = span - Duration::from_secs(minutes * 60);
    let seconds = match seconds.subsec_nanos() {
        0 => format!("{}s", seconds.as_secs()),
        nanos => {
            let fraction = format!("{nanos:09}");
            format!("{}.{}s", seconds.as_secs(), fraction.trim_end_matches('0'))
        }
    };
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// Returns a size with four digits in powers of ten, as `stats` has it: `1.07kB`, `16.43GB`.
#[expect(clippy::cast_precision_loss, reason = "four digits of it are shown")]
pub(super) fn four_digits(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = match size {
        ..10.0 => 3,
        ..100.0 => 2,
        _ => 1,
    };
    let text = format!("{size:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{}", UNITS[unit])
}

/// Returns the text cut to a length, with `...` at its end.
pub(super) fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length.saturating_sub(3)).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_worded_as_podman_words_them() {
        for (seconds, words) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (180, "3 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (15 * 86400, "2 weeks"),
            (90 * 86400, "3 months"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), words, "{seconds}");
        }
    }

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_997_895, "2 MB"),
            (1_230_000_000, "1.23 GB"),
            (45_600_000, "45.6 MB"),
            (123_456_789, "123 MB"),
        ] {
            assert_eq!(size(bytes), words, "{bytes}");
        }
    }

    #[test]
    fn spans_and_sizes_are_written_as_go_writes_them() {
        for (nanos, words) in [
            (0, "0s"),
            (15, "15ns"),
            (1_500, "1.5µs"),
            (20_500_000, "20.5ms"),
            (1_000_000_000, "1s"),
            (3_723_450_000_000, "1h2m3.45s"),
            (60_000_000_000, "1m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), words, "{nanos}");
        }
        for (bytes, words) in [
            (0, "0B"),
            (1_070, "1.07kB"),
            (999, "999B"),
            (16_430_000_000, "16.43GB"),
            (123_456_789, "123.5MB"),
        ] {
            assert_eq!(four_digits(bytes), words, "{bytes}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(cut("nginx -g daemon off;", 20), "nginx -g daemon off;");
        assert_eq!(cut("nginx -g 'daemon off;'", 20), "nginx -g 'daemon ...");
    }
}
