//! The names of time zones that a CronJob may follow.
//!
//! The list is that of the IANA database, taken into the binary so that a verdict does not hang on
//! what the host has installed.

use super::fault::Faults as _;
use crate::manifest::source::{At, Findings};

const ZONES: &str = include_str!("timezones.txt");

/// Checks the name of a time zone.
pub(super) fn check(zone: &str, at: &At<'_>, found: &mut Findings) {
    if zone.is_empty() {
        found.invalid(at, zone, "timeZone must be nil or non-empty string");
    } else if zone.eq_ignore_ascii_case("local") {
        let message =
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        found.invalid(at, zone, message);
    } else if !ZONES.lines().any(|known| known == zone) {
        found.invalid(at, zone, &format!("unknown time zone {zone}"));
    }
}
