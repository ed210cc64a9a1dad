//! Who holds or waits for a lock, written beside the ticket for people to read.
//!
//! A record is believed only while its byte is held; nothing is ever decided by it.

use std::fmt;
use std::sync::OnceLock;

use jiff::Timestamp;

/// How many bytes a record takes in the lock file.
pub(super) const RECORD_LEN: usize = 256;

/// Who holds a lock, or waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    /// When the process started, in clock ticks since boot: together with the pid it names one process.
    pub start_time: u64,
    /// The command, as its process wrote it.
    pub command: String,
    /// Since when it holds the lock or waits for it.
    pub since: Timestamp,
}

impl Holder {
    /// Describes this process.
    pub(super) fn this_process(command: &str, since: Timestamp) -> Self {
        Self {
            pid: std::process::id(),
            start_time: own_start_time(),
            command: command.to_owned(),
            since,
        }
    }

    /// Returns the record: one line of text, filled up with zeros.
    pub(super) fn encode(&self, ticket: u64) -> [u8; RECORD_LEN] {
        let mut line = format!(
            "{ticket} {} {} {} {}",
            self.pid,
            self.start_time,
            self.since.as_millisecond(),
            self.command.replace(['\n', '\0'], " ")
        );
        let end = (0..RECORD_LEN)
            .rev()
            .find(|&end| line.is_char_boundary(end.min(line.len())))
            .unwrap_or(0);
        line.truncate(end.min(line.len()));
        let mut bytes = [0; RECORD_LEN];
        bytes[..line.len()].copy_from_slice(line.as_bytes());
        bytes[line.len()] = b'\n';
        bytes
    }

    /// Reads the record of `ticket`; nothing if these bytes are another's, or not whole.
    pub(super) fn decode(bytes: &[u8], ticket: u64) -> Option<Self> {
        let line = bytes.split(|&byte| byte == b'\n').next()?;
        let mut fields = std::str::from_utf8(line).ok()?.splitn(5, ' ');
        if fields.next()?.parse::<u64>().ok()? != ticket {
            return None;
        }
        Some(Self {
            pid: fields.next()?.parse().ok()?,
            start_time: fields.next()?.parse().ok()?,
            since: Timestamp::from_millisecond(fields.next()?.parse().ok()?).ok()?,
            command: fields.next()?.to_owned(),
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` (pid {}) since {}",
            self.command,
            self.pid,
            self.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    }
}

/// Returns the 22nd field of `/proc/self/stat` (proc_pid_stat(5)), or 0 where `/proc` is not mounted.
fn own_start_time() -> u64 {
    // Remembered with the pid, for a fork has a time of its own.
    static KNOWN: OnceLock<(u32, u64)> = OnceLock::new();
    let pid = std::process::id();
    match KNOWN.get() {
        Some((known, time)) if *known == pid => *time,
        _ => {
            let time = read_start_time().unwrap_or(0);
            KNOWN.get_or_init(|| (pid, time));
            time
        }
    }
}

fn read_start_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name in parentheses, may hold blanks and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(command: &str) -> Holder {
        Holder {
            pid: 7,
            start_time: 99,
            command: command.to_owned(),
            since: Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
        }
    }

    #[test]
    fn a_record_reads_back_for_its_own_ticket_only() {
        let written = holder("podwright rm -f web");
        let bytes = written.encode(5);
        assert_eq!(Holder::decode(&bytes, 5), Some(written));
        assert_eq!(Holder::decode(&bytes, 6), None);
        assert_eq!(Holder::decode(&[0; RECORD_LEN], 0), None);
    }

    #[test]
    fn a_long_or_broken_command_is_cut_between_characters() {
        for command in ["ä".repeat(300), "a\nb\0c".to_owned(), String::new()] {
            let read = Holder::decode(&holder(&command).encode(1), 1).unwrap();
            assert!(
                command
                    .replace(['\n', '\0'], " ")
                    .starts_with(&read.command)
            );
            assert!(read.command.len() + 80 > command.len().min(RECORD_LEN));
        }
    }

    #[test]
    fn the_own_start_time_is_known() {
        assert_ne!(own_start_time(), 0);
    }
}
