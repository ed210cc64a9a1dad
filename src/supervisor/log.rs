//! A container's log: the CRI format, one file a container, rotated.
//!
//! Each line is `TIME STREAM TAG TEXT`: the time as RFC 3339 with nanoseconds, `stdout` or `stderr`, and `F` for a
//! full line or `P` for a part of one that was longer than the buffer (KEP-2371's kubelet format).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The size at which a file is put aside.
const ROTATE_AT: u64 = 10 << 20;

/// How many files there are at most, the current one included.
const FILES: usize = 5;

/// A line longer than this is written in parts, as containerd does.
const LONGEST_PART: usize = 16 << 10;

/// The name of the current file; older ones have `.1`, `.2` … behind it.
pub const CURRENT: &str = "0.log";

/// One of a container's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Writes the log of one container.
#[derive(Debug)]
pub struct LogWriter {
    directory: PathBuf,
    file: File,
    size: u64,
    /// What was read of a line that has not ended, one a stream.
    pending: [Vec<u8>; 2],
}

impl LogWriter {
    /// Opens the log below `directory` to write on behind what is there.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn open(directory: &Path) -> io::Result<Self> {
        crate::sys::mount::ensure_dir(directory, 0o700)?;
        let file = open_append(&directory.join(CURRENT))?;
        Ok(Self {
            size: file.metadata()?.len(),
            directory: directory.to_owned(),
            file,
            pending: [Vec::new(), Vec::new()],
        })
    }

    /// Writes what a stream gave; a line that has not ended waits for its rest.
    ///
    /// # Errors
    /// The disk is full; the lines are lost, later ones are tried again.
    pub fn write(&mut self, stream: Stream, bytes: &[u8], now: Timestamp) -> io::Result<()> {
        let mut pending = std::mem::take(&mut self.pending[stream as usize]);
        let mut text = Vec::with_capacity(bytes.len() + 64);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    pending.extend_from_slice(end);
                    append_line(&mut text, stream, &mut pending, "F", now);
                }
                None => pending.extend_from_slice(piece),
            }
        }
        self.pending[stream as usize] = pending;
        self.append(&text)
    }

    /// Writes what is left of a line after its stream has ended.
    ///
    /// # Errors
    /// The disk is full.
    pub fn finish(&mut self, stream: Stream, now: Timestamp) -> io::Result<()> {
        let mut pending = std::mem::take(&mut self.pending[stream as usize]);
        if pending.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        append_line(&mut text, stream, &mut pending, "P", now);
        self.append(&text)
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if self.size >= ROTATE_AT {
            self.rotate()?;
        }
        self.file.write_all(text)?;
        self.size += text.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let name = |number: usize| match number {
            0 => self.directory.join(CURRENT),
            _ => self.directory.join(format!("{CURRENT}.{number}")),
        };
        for number in (0..FILES - 1).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open_append(&name(0))?;
        self.size = 0;
        Ok(())
    }
}

/// Appends one line, in parts if it is long, and empties it.
fn append_line(text: &mut Vec<u8>, stream: Stream, line: &mut Vec<u8>, tag: &str, now: Timestamp) {
    let mut rest = line.as_slice();
    loop {
        let (part, tag) = if rest.len() > LONGEST_PART {
            (&rest[..LONGEST_PART], "P")
        } else {
            (rest, tag)
        };
        rest = &rest[part.len()..];
        text.extend_from_slice(format!("{now:.9} {} {tag} ", stream.word()).as_bytes());
        text.extend_from_slice(part);
        text.push(b'\n');
        if rest.is_empty() {
            break;
        }
    }
    line.clear();
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(directory: &Path) -> String {
        fs::read_to_string(directory.join(CURRENT)).unwrap()
    }

    #[test]
    fn lines_are_written_whole_however_they_arrive() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        writer.write(Stream::Stdout, b"one\ntw", now).unwrap();
        writer.write(Stream::Stderr, b"err\n", now).unwrap();
        writer.write(Stream::Stdout, b"o\nrest", now).unwrap();
        writer.finish(Stream::Stdout, now).unwrap();
        let time = "1970-01-01T00:00:00.000000000Z";
        assert_eq!(
            log(directory.path()),
            format!(
                "{time} stdout F one\n{time} stderr F err\n{time} stdout F two\n{time} stdout P rest\n"
            )
        );
    }

    #[test]
    fn long_lines_are_parted() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        let mut line = vec![b'x'; LONGEST_PART * 2 + 1];
        line.push(b'\n');
        writer
            .write(Stream::Stdout, &line, Timestamp::UNIX_EPOCH)
            .unwrap();
        let tags: Vec<String> = log(directory.path())
            .lines()
            .map(|line| line.split(' ').nth(2).unwrap().to_owned())
            .collect();
        assert_eq!(tags, ["P", "P", "F"]);
    }

    #[test]
    fn files_are_rotated_and_the_oldest_go() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        for _ in 0..FILES + 2 {
            writer
                .write(Stream::Stdout, b"x\n", Timestamp::UNIX_EPOCH)
                .unwrap();
            writer.rotate().unwrap();
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), FILES);
    }
}
