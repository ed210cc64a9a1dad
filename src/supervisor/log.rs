//! A container's log: what it wrote, in the CRI's format, in files of bounded size.
//!
//! ```text
//! 2016-10-06T00:17:09.669794202Z stdout F a whole line, or the end of one
//! 2016-10-06T00:17:09.669794202Z stderr P a part of a line; the next record of the stream goes on
//! ```
//!
//! The current file is `0.log`; a full one becomes `0.log.1`, and the older ones move on. What was read
//! from a container is written at once, also without an end of line: nothing is held back that a
//! `kill -9` of the supervisor could lose.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use memchr::memchr;

use crate::model::observed::{LogDriver, Rotation};

/// The name of the current file; older ones have `.1`, `.2` … behind it.
pub const CURRENT: &str = "0.log";

/// The longest content of one record, as the kubelet's runtimes have it.
const LONGEST: usize = 16 * 1024;

/// The stream a container wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    const fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One record of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// When it was written, as text: RFC 3339 in UTC with nine decimals, so that it sorts as it stands.
    pub time: &'a str,
    pub stream: Stream,
    /// Whether the line goes on in the next record of the stream.
    pub partial: bool,
    /// Without the end of line.
    pub content: &'a [u8],
}

impl<'a> LogRecord<'a> {
    /// Parses one line of a log file, without its end of line; none if it is torn.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (time, rest) = line.split_at_checked(memchr(b' ', line)?)?;
        let (stream, rest) = match rest {
            [b' ', b's', b't', b'd', b'o', b'u', b't', b' ', rest @ ..] => (Stream::Stdout, rest),
            [b' ', b's', b't', b'd', b'e', b'r', b'r', b' ', rest @ ..] => (Stream::Stderr, rest),
            _ => return None,
        };
        let (partial, content) = match rest {
            [b'F', b' ', content @ ..] => (false, content),
            [b'P', b' ', content @ ..] => (true, content),
            _ => return None,
        };
        Some(Self {
            time: std::str::from_utf8(time).ok()?,
            stream,
            partial,
            content,
        })
    }
}

/// Returns the current log file in a container's log directory.
#[must_use]
pub fn current_file(directory: &Path) -> PathBuf {
    directory.join(CURRENT)
}

/// Returns the file that was current `age` rotations ago.
#[must_use]
pub fn rotated_file(directory: &Path, age: u32) -> PathBuf {
    match age {
        0 => current_file(directory),
        _ => directory.join(format!("{CURRENT}.{age}")),
    }
}

/// Writes the log of one container; there is one writer at a time, the holder of the pod's lease.
#[derive(Debug)]
pub struct LogWriter {
    directory: PathBuf,
    file: File,
    size: u64,
    /// The last write failed in its middle: the file ends in part of a record.
    torn: bool,
    /// Whose last record was a part of a line, by stream.
    unfinished: [bool; 2],
    records: Vec<u8>,
    driver: LogDriver,
}

impl LogWriter {
    /// Opens the current file in `directory`, which it makes, and goes on at its end.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn open(directory: &Path) -> io::Result<Self> {
        crate::sys::mount::ensure_dir(directory, 0o700)?;
        let file = append_to(&current_file(directory))?;
        let mut writer = Self {
            directory: directory.to_owned(),
            size: file.metadata()?.len(),
            file,
            torn: false,
            unfinished: [false; 2],
            records: Vec::new(),
            driver: LogDriver::default(),
        };
        writer.torn = writer.ends_torn()?;
        Ok(writer)
    }

    /// Returns the writer with another driver.
    #[must_use]
    pub fn driven_by(self, driver: LogDriver) -> Self {
        Self { driver, ..self }
    }

    /// Writes what a container wrote, with the moment it was read.
    ///
    /// # Errors
    /// The file cannot be written; what was given may be lost, what follows will be whole again.
    pub fn write(&mut self, stream: Stream, bytes: &[u8], now: Timestamp) -> io::Result<()> {
        let LogDriver::File(rotation) = self.driver else {
            return Ok(());
        };
        if bytes.is_empty() {
            return Ok(());
        }
        self.records.clear();
        let head = format!("{now:.9} {} ", stream.word());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.add_line(&head, line);
        }
        self.unfinished[stream as usize] = !bytes.ends_with(b"\n");
        self.append(rotation)
    }

    /// Ends the line that a stream left without an end when it closed, lest the next run goes on in it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&mut self, stream: Stream, now: Timestamp) -> io::Result<()> {
        let unfinished = std::mem::take(&mut self.unfinished[stream as usize]);
        let (true, LogDriver::File(rotation)) = (unfinished, self.driver) else {
            return Ok(());
        };
        self.records.clear();
        self.add_line(&format!("{now:.9} {} ", stream.word()), b"\n");
        self.append(rotation)
    }

    fn append(&mut self, rotation: Rotation) -> io::Result<()> {
        let size = self.records.len() as u64;
        if self.size > 0 && self.size + size > rotation.size.0 {
            self.rotate(rotation.files)?;
        }
        if std::mem::take(&mut self.torn) && self.size > 0 {
            self.file.write_all(b"\n")?;
        }
        let result = self.file.write_all(&self.records);
        self.torn = result.is_err();
        self.size += size;
        result
    }

    /// Adds a line, or the part of one that was read, as records.
    fn add_line(&mut self, head: &str, line: &[u8]) {
        let (line, ends) = match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let mut rest = line;
        loop {
            let (part, after) = rest.split_at(rest.len().min(LONGEST));
            let whole = after.is_empty() && ends;
            self.records.extend_from_slice(head.as_bytes());
            self.records
                .extend_from_slice(if whole { b"F " } else { b"P " });
            self.records.extend_from_slice(part);
            self.records.push(b'\n');
            if after.is_empty() {
                break;
            }
            rest = after;
        }
    }

    /// Makes the current file the youngest of the old ones, and forgets the oldest.
    fn rotate(&mut self, files: u32) -> io::Result<()> {
        for age in (1..files).rev() {
            let (young, old) = (
                rotated_file(&self.directory, age - 1),
                rotated_file(&self.directory, age),
            );
            match std::fs::rename(young, old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if files <= 1 {
            std::fs::remove_file(current_file(&self.directory))?;
        }
        self.file = append_to(&current_file(&self.directory))?;
        self.size = 0;
        Ok(())
    }

    fn ends_torn(&self) -> io::Result<bool> {
        if self.size == 0 {
            return Ok(false);
        }
        let mut file = File::open(current_file(&self.directory))?;
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(last != *b"\n")
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::quantity::Bytes;

    const NOW: &str = "2024-05-01T12:00:00.5Z";
    const TIME: &str = "2024-05-01T12:00:00.500000000Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn text(directory: &Path, age: u32) -> String {
        std::fs::read_to_string(rotated_file(directory, age)).unwrap()
    }

    #[test]
    fn whole_and_partial_lines_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::open(directory.path()).unwrap();
        log.write(Stream::Stdout, b"one\n\ntwo", now()).unwrap();
        log.write(Stream::Stderr, b"err\n", now()).unwrap();
        log.write(Stream::Stdout, b" and more\n", now()).unwrap();
        log.write(Stream::Stderr, b"rest", now()).unwrap();
        log.finish(Stream::Stderr, now()).unwrap();
        log.finish(Stream::Stdout, now()).unwrap();
        assert_eq!(
            text(directory.path(), 0),
            format!(
                "{TIME} stdout F one\n{TIME} stdout F \n{TIME} stdout P two\n{TIME} stderr F err\n{TIME} stdout F  and more\n{TIME} stderr P rest\n{TIME} stderr F \n"
            )
        );
    }

    #[test]
    fn a_long_line_is_parted() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::open(directory.path()).unwrap();
        let mut line = vec![b'x'; LONGEST * 2];
        line.push(b'\n');
        log.write(Stream::Stdout, &line, now()).unwrap();
        let text = text(directory.path(), 0);
        let records: Vec<LogRecord<'_>> = text
            .lines()
            .map(|line| LogRecord::parse(line.as_bytes()).unwrap())
            .collect();
        let shape: Vec<(bool, usize)> = records
            .iter()
            .map(|record| (record.partial, record.content.len()))
            .collect();
        assert_eq!(shape, [(true, LONGEST), (false, LONGEST)]);
    }

    #[test]
    fn full_files_move_on_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let rotation = Rotation {
            size: Bytes(100),
            files: 3,
        };
        let mut log = LogWriter::open(directory.path())
            .unwrap()
            .driven_by(LogDriver::File(rotation));
        for number in 0..8 {
            log.write(Stream::Stdout, format!("{number}\n").as_bytes(), now())
                .unwrap();
        }
        let numbers = |age| -> Vec<char> {
            text(directory.path(), age)
                .lines()
                .filter_map(|line| line.chars().last())
                .collect()
        };
        assert_eq!(
            (numbers(2), numbers(1), numbers(0)),
            (vec!['2', '3'], vec!['4', '5'], vec!['6', '7'])
        );
        assert!(!rotated_file(directory.path(), 3).exists());
    }

    #[test]
    fn a_torn_record_does_not_spoil_the_next() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(current_file(directory.path()), "2024-05-01T12:00:0").unwrap();
        let mut log = LogWriter::open(directory.path()).unwrap();
        log.write(Stream::Stdout, b"whole\n", now()).unwrap();
        log.write(Stream::Stdout, b"too\n", now()).unwrap();
        let text = text(directory.path(), 0);
        let whole: Vec<&[u8]> = text
            .lines()
            .filter_map(|line| Some(LogRecord::parse(line.as_bytes())?.content))
            .collect();
        assert_eq!(whole, [b"whole".as_slice(), b"too"]);
    }

    #[test]
    fn another_writer_goes_on_where_the_last_one_stopped() {
        let directory = tempfile::tempdir().unwrap();
        for line in ["a\n", "b\n"] {
            let mut log = LogWriter::open(directory.path()).unwrap();
            log.write(Stream::Stdout, line.as_bytes(), now()).unwrap();
        }
        assert_eq!(text(directory.path(), 0).lines().count(), 2);
    }

    #[test]
    fn records_that_are_none_are_refused() {
        for line in ["", "x", "t stdin F x", "t stdout X x", "t stdout F"] {
            assert_eq!(LogRecord::parse(line.as_bytes()), None, "{line}");
        }
        assert!(LogRecord::parse(b"t stdout F ").is_some());
    }
}
