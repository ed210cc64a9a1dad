//! Cron schedules, as the parser reads them that the server uses (robfig/cron).
//!
//! Five fields, or a word that stands for them. A day of the week is 0 to 6: Sunday is not 7 too.

/// One field of a schedule: its bounds and the names of its values.
struct Field {
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        low: 0,
        high: 59,
        names: &[],
    },
    Field {
        low: 0,
        high: 23,
        names: &[],
    },
    Field {
        low: 1,
        high: 31,
        names: &[],
    },
    Field {
        low: 1,
        high: 12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    },
    Field {
        low: 0,
        high: 6,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];
const WORDS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// Checks a schedule, which is not empty, and says what is wrong with it.
pub(super) fn check(schedule: &str) -> Result<(), String> {
    let schedule = without_zone(schedule)?;
    if schedule.starts_with('@') {
        return descriptor(schedule);
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let (count, fields) = (fields.len(), fields.join(" "));
        return Err(format!(
            "expected exactly 5 fields, found {count}: [{fields}]"
        ));
    }
    for (text, field) in fields.iter().zip(&FIELDS) {
        for range in text.split(',').filter(|range| !range.is_empty()) {
            check_range(range, field)?;
        }
    }
    Ok(())
}

/// Takes off the zone that may stand in front; whether it may is another's question.
fn without_zone(schedule: &str) -> Result<&str, String> {
    let zone = ["TZ=", "CRON_TZ="]
        .iter()
        .find_map(|name| schedule.strip_prefix(name));
    let Some(zone) = zone else {
        return Ok(schedule);
    };
    match zone.split_once(' ') {
        Some((_, rest)) => Ok(rest.trim()),
        None => Err(format!(
            "provided bad location {zone}: unknown time zone {zone}"
        )),
    }
}

fn descriptor(schedule: &str) -> Result<(), String> {
    if WORDS.contains(&schedule) {
        return Ok(());
    }
    let Some(duration) = schedule.strip_prefix("@every ") else {
        return Err(format!("unrecognized descriptor: {schedule}"));
    };
    if is_duration(duration) {
        Ok(())
    } else {
        Err(format!(
            "failed to parse duration {schedule}: time: invalid duration {duration:?}"
        ))
    }
}

/// Tells whether a word is a duration as Go writes it: `1h30m`, `1.5s`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - unit.len()];
        let is_number =
            number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let found = units.iter().find_map(|name| unit.strip_prefix(name));
        match found {
            Some(after) if is_number => rest = after,
            _ => return false,
        }
    }
    !text.is_empty()
}

fn check_range(expression: &str, field: &Field) -> Result<(), String> {
    let mut parts = expression.split('/');
    let range = parts.next().unwrap_or_default();
    let (step, is_over) = (parts.next(), parts.next().is_some());
    let mut ends = range.split('-');
    let low = ends.next().unwrap_or_default();
    let (high, is_long) = (ends.next(), ends.next().is_some());
    let (start, mut end) = if low == "*" || low == "?" {
        (field.low, field.high)
    } else {
        let start = value(low, field)?;
        let end = high.map_or(Ok(start), |high| value(high, field))?;
        if is_long {
            return Err(format!("too many hyphens: {expression}"));
        }
        (start, end)
    };
    let mut width = 1;
    if let Some(step) = step {
        if is_over {
            return Err(format!("too many slashes: {expression}"));
        }
        width = number(step)?;
        if high.is_none() {
            end = field.high;
        }
    }
    let (least, most) = (field.low, field.high);
    if start < least {
        return Err(format!(
            "beginning of range ({start}) below minimum ({least}): {expression}"
        ));
    }
    if end > most {
        return Err(format!(
            "end of range ({end}) above maximum ({most}): {expression}"
        ));
    }
    if start > end {
        return Err(format!(
            "beginning of range ({start}) beyond end of range ({end}): {expression}"
        ));
    }
    if width == 0 {
        return Err(format!(
            "step of range should be a positive number: {expression}"
        ));
    }
    Ok(())
}

fn value(text: &str, field: &Field) -> Result<u32, String> {
    let name = text.to_lowercase();
    match field.names.iter().position(|one| *one == name) {
        Some(position) => Ok(field.low + u32::try_from(position).unwrap_or_default()),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
        )),
    }
}
