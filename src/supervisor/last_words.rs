//! What a container says last: its termination message, by the kubelet's rules and limits.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::log::{LogRecord, current_file};
use crate::engine::start::Context;
use crate::model::container::TerminationMessagePolicy;
use crate::names::ContainerName;

/// As much of the file at `terminationMessagePath` counts, from its end.
const MESSAGE_LIMIT: u64 = 4096;

/// As much of the log stands in for a message, from its end.
const LOG_LIMIT: usize = 2048;
const LOG_LINES: usize = 80;

/// As much of the log file is read for it: each line has its time and its stream, and lines may be short.
const LOG_READ: u64 = 16 << 10;

/// Returns the termination message of a container that ended.
pub(super) fn last_words(context: &Context, name: &ContainerName, failed: bool) -> Option<String> {
    let paths = context.paths();
    let said = end_of(&paths.termination_message(name), MESSAGE_LIMIT).unwrap_or_default();
    let policy = context
        .pod()
        .spec
        .container(name)?
        .termination_message
        .policy;
    let falls_back = failed && policy == TerminationMessagePolicy::FallbackToLogsOnError;
    let words = match said.is_empty() && falls_back {
        true => end_of_log(&end_of(&current_file(&paths.logs(name)), LOG_READ).ok()?),
        false => said,
    };
    (!words.is_empty()).then(|| String::from_utf8_lossy(&words).into_owned())
}

fn end_of(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the last lines of a log; a record that is cut off at its beginning is none.
fn end_of_log(log: &[u8]) -> Vec<u8> {
    let records: Vec<LogRecord<'_>> = log
        .split(|byte| *byte == b'\n')
        .filter_map(LogRecord::parse)
        .collect();
    let mut text = Vec::new();
    for record in &records[records.len().saturating_sub(LOG_LINES)..] {
        text.extend_from_slice(record.content);
        if !record.partial {
            text.push(b'\n');
        }
    }
    text.split_off(text.len().saturating_sub(LOG_LIMIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_at_most_eighty_lines_and_two_kilobytes() {
        let line = |text: &str| format!("2016-10-06T00:17:09.669794202Z stdout F {text}\n");
        let many: String = (0..200).map(|number| line(&number.to_string())).collect();
        let end = String::from_utf8(end_of_log(many.as_bytes())).unwrap();
        assert!(
            end.starts_with("120\n") && end.ends_with("\n199\n"),
            "{end}"
        );
        let long = line(&"x".repeat(1500)) + &line(&"y".repeat(1500));
        let end = end_of_log(long.as_bytes());
        assert_eq!(end.len(), LOG_LIMIT);
        assert!(end.ends_with(b"yy\n"));
        let torn = end_of_log(&long.as_bytes()[100..]);
        assert_eq!(torn.len(), 1501);
    }
}
