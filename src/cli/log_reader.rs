//! Reads the log files of containers, merged by time, also while they grow and rotate.
//!
//! The files alone are read, never a supervisor asked: logs outlive it. A rotated file keeps its inode,
//! so that a reader knows where it is whatever the file is called by now.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use memchr::{memchr, memrchr};

use crate::supervisor::log::{LogRecord, Stream, current_file, rotated_file};

/// How much is read at once: what fits into a processor's cache.
const CHUNK: usize = 256 * 1024;

/// Which records are shown, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct LogShape {
    /// Only this many lines from the end.
    pub(super) tail: Option<usize>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) timestamps: bool,
}

/// The log of one container.
pub(super) struct LogSource {
    directory: PathBuf,
    /// What stands before each line.
    prefix: String,
    /// The files still to be read, oldest first; the last one stays and may grow.
    files: VecDeque<File>,
    buffer: Vec<u8>,
    read: usize,
    /// The record at `read`, if a whole one is in the buffer: it is looked at several times.
    next: Option<Next>,
    /// Whether the next record of a stream begins a line, by stream.
    begins: [bool; 2],
}

/// A record in the buffer.
#[derive(Debug, Clone, Copy)]
struct Next {
    stream: Stream,
    partial: bool,
    /// How long its time is, with which it begins.
    time: usize,
    /// Where its content begins, from its own beginning.
    content: usize,
    /// Its length with the end of line.
    length: usize,
}

/// The logs of several containers as one.
pub(super) struct Logs {
    sources: Vec<LogSource>,
    since: Option<String>,
    until: Option<String>,
    timestamps: bool,
}

/// What there was to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Shown,
    Nothing,
    /// The moment after which nothing is wanted has come.
    Past,
}

impl Logs {
    /// Opens logs, each with what stands before its lines.
    pub(super) fn open(sources: Vec<(PathBuf, String)>, shape: &LogShape) -> io::Result<Self> {
        let sources = sources
            .into_iter()
            .map(|(directory, prefix)| LogSource::open(directory, prefix, shape.tail))
            .collect::<io::Result<Vec<_>>>()?;
        let text = |moment: Timestamp| format!("{moment:.9}");
        Ok(Self {
            sources,
            since: shape.since.map(text),
            until: shape.until.map(text),
            timestamps: shape.timestamps,
        })
    }

    /// Shows every record there is by now, in the order of time.
    pub(super) fn show(
        &mut self,
        stdout: &mut impl Write,
        stderr: &mut impl Write,
    ) -> io::Result<Progress> {
        let mut progress = Progress::Nothing;
        loop {
            for source in &mut self.sources {
                source.fill()?;
            }
            let Some(place) = self.next() else {
                return Ok(progress);
            };
            let Some(next) = self.sources[place].next else {
                return Ok(progress);
            };
            let source = &mut self.sources[place];
            let time = source.time(next);
            let is_past = |until: &str| time > until.as_bytes();
            if self.until.as_deref().is_some_and(is_past) {
                return Ok(Progress::Past);
            }
            let is_before = |since: &str| time < since.as_bytes();
            if self.since.as_deref().is_some_and(is_before) {
                source.pass(next);
            } else {
                match next.stream {
                    Stream::Stdout => source.put(next, self.timestamps, stdout)?,
                    Stream::Stderr => source.put(next, self.timestamps, stderr)?,
                }
            }
            progress = Progress::Shown;
        }
    }

    /// Returns the source whose next record is the oldest.
    fn next(&self) -> Option<usize> {
        if let [_] = self.sources.as_slice() {
            return Some(0);
        }
        let sources = self.sources.iter().enumerate();
        sources
            .filter_map(|(place, source)| Some((source.time(source.next?), place)))
            .min()
            .map(|(_, place)| place)
    }
}

impl LogSource {
    fn open(directory: PathBuf, prefix: String, tail: Option<usize>) -> io::Result<Self> {
        let mut source = Self {
            files: open_after(&directory, None)?,
            directory,
            prefix,
            buffer: Vec::new(),
            read: 0,
            next: None,
            begins: [true; 2],
        };
        if let Some(lines) = tail {
            source.skip_to_last(lines)?;
        }
        Ok(source)
    }

    /// Reads on until a whole record is in the buffer, or nothing more is there.
    fn fill(&mut self) -> io::Result<()> {
        while self.next.is_none() {
            let rest = &self.buffer[self.read..];
            if let Some(length) = memchr(b'\n', rest) {
                let line = &rest[..length];
                match LogRecord::parse(line) {
                    Some(record) => {
                        self.next = Some(Next {
                            stream: record.stream,
                            partial: record.partial,
                            time: record.time.len(),
                            content: line.len() - record.content.len(),
                            length: length + 1,
                        });
                    }
                    // One that was torn.
                    None => self.read += length + 1,
                }
                continue;
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            if self.read_chunk()? == 0 && !self.next_file()? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn time(&self, next: Next) -> &[u8] {
        &self.buffer[self.read..self.read + next.time]
    }

    /// Goes past a record.
    fn pass(&mut self, next: Next) {
        self.begins[next.stream as usize] = !next.partial;
        self.read += next.length;
        self.next = None;
    }

    /// Shows a record and goes past it.
    fn put(&mut self, next: Next, timestamps: bool, writer: &mut impl Write) -> io::Result<()> {
        if self.begins[next.stream as usize] {
            writer.write_all(self.prefix.as_bytes())?;
            if timestamps {
                writer.write_all(self.time(next))?;
                writer.write_all(b" ")?;
            }
        }
        // The end of line is that of the record, which a part of a line has, too.
        let end = self.read + next.length - usize::from(next.partial);
        writer.write_all(&self.buffer[self.read + next.content..end])?;
        self.pass(next);
        Ok(())
    }

    fn read_chunk(&mut self) -> io::Result<usize> {
        let Some(file) = self.files.front_mut() else {
            return Ok(0);
        };
        let chunk = u64::try_from(CHUNK).unwrap_or(u64::MAX);
        io::Read::take(file, chunk).read_to_end(&mut self.buffer)
    }

    /// Goes on to the next file; tells whether there may be more to read.
    fn next_file(&mut self) -> io::Result<bool> {
        if self.files.len() > 1 {
            self.files.pop_front();
            return Ok(true);
        }
        let last = self.files.front().map(inode).transpose()?;
        if current_inode(&self.directory)? == last {
            return Ok(false);
        }
        // What was written before the rotation comes first.
        if self.read_chunk()? > 0 {
            return Ok(true);
        }
        let younger = open_after(&self.directory, last)?;
        if younger.is_empty() {
            return Ok(false);
        }
        self.files = younger;
        Ok(true)
    }

    /// Moves to the last lines: the files before them are dropped, the rest is kept in the buffer.
    fn skip_to_last(&mut self, lines: usize) -> io::Result<()> {
        let mut wanted = lines;
        let mut kept: Vec<Vec<u8>> = Vec::new();
        let last = self.files.pop_back();
        let older = std::mem::take(&mut self.files);
        for (position, mut file) in last.iter().chain(older.iter().rev()).enumerate() {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let start = start_of_last(&bytes, &mut wanted);
            // The file that grows may end in part of a record, which stays.
            kept.push(bytes.split_off(start));
            if wanted == 0 && (start > 0 || position > 0) {
                break;
            }
        }
        self.files.extend(last);
        self.buffer = kept.into_iter().rev().flatten().collect();
        Ok(())
    }
}

/// Returns where the last `wanted` lines begin, and takes off how many there are.
fn start_of_last(bytes: &[u8], wanted: &mut usize) -> usize {
    let mut end = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    if *wanted == 0 {
        return end;
    }
    while end > 0 {
        let start = memrchr(b'\n', &bytes[..end - 1]).map_or(0, |at| at + 1);
        let ends_line =
            LogRecord::parse(&bytes[start..end - 1]).is_some_and(|record| !record.partial);
        if ends_line {
            if *wanted == 0 {
                return end;
            }
            *wanted -= 1;
        }
        end = start;
    }
    0
}

/// Opens the files younger than the one with this inode, oldest first; all if it is none of them.
///
/// The youngest is opened first: a rotation meanwhile shows a file a second time, and never hides one.
fn open_after(directory: &Path, last: Option<u64>) -> io::Result<VecDeque<File>> {
    let mut files: VecDeque<File> = VecDeque::new();
    let mut inodes: Vec<u64> = Vec::new();
    for age in 0.. {
        let file = match File::open(rotated_file(directory, age)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        let inode = inode(&file)?;
        if last == Some(inode) {
            break;
        }
        if !inodes.contains(&inode) {
            inodes.push(inode);
            files.push_front(file);
        }
    }
    Ok(files)
}

fn inode(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.ino())
}

fn current_inode(directory: &Path) -> io::Result<Option<u64>> {
    match std::fs::metadata(current_file(directory)) {
        Ok(metadata) => Ok(Some(metadata.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observed::{LogDriver, Rotation};
    use crate::model::quantity::Bytes;
    use crate::supervisor::log::LogWriter;

    fn at(second: u8) -> Timestamp {
        format!("2024-05-01T12:00:{second:02}Z").parse().unwrap()
    }

    fn writer(directory: &Path, size: u64) -> LogWriter {
        let rotation = Rotation {
            size: Bytes(size),
            files: 5,
        };
        LogWriter::open(directory)
            .unwrap()
            .driven_by(LogDriver::File(rotation))
    }

    fn logs(directories: &[(&Path, &str)], shape: &LogShape) -> Logs {
        let sources = directories
            .iter()
            .map(|(path, prefix)| ((*path).to_owned(), (*prefix).to_owned()))
            .collect();
        Logs::open(sources, shape).unwrap()
    }

    fn shown(logs: &mut Logs) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        logs.show(&mut out, &mut err).unwrap();
        (
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[test]
    fn streams_and_partial_lines_come_out_as_they_went_in() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), 1000);
        log.write(Stream::Stdout, b"one\ntw", at(0)).unwrap();
        log.write(Stream::Stderr, b"err\n", at(1)).unwrap();
        log.write(Stream::Stdout, b"o\nprompt> ", at(2)).unwrap();
        let (out, err) = shown(&mut logs(&[(directory.path(), "")], &LogShape::default()));
        assert_eq!(
            (out.as_str(), err.as_str()),
            ("one\ntwo\nprompt> ", "err\n")
        );
    }

    #[test]
    fn rotated_files_are_read_in_order_and_the_tail_crosses_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), 100);
        for number in 0..7 {
            log.write(Stream::Stdout, format!("{number}\n").as_bytes(), at(number))
                .unwrap();
        }
        let read = |shape: LogShape| {
            shown(&mut logs(&[(directory.path(), "")], &shape))
                .0
                .replace('\n', "")
        };
        assert_eq!(read(LogShape::default()), "0123456");
        for (lines, expected) in [
            (0, ""),
            (1, "6"),
            (2, "56"),
            (3, "456"),
            (5, "23456"),
            (9, "0123456"),
        ] {
            let tail = Some(lines);
            assert_eq!(
                read(LogShape {
                    tail,
                    ..LogShape::default()
                }),
                expected,
                "{lines}"
            );
        }
        let shape = LogShape {
            since: Some(at(2)),
            until: Some(at(4)),
            ..LogShape::default()
        };
        assert_eq!(read(shape), "234");
    }

    #[test]
    fn the_tail_counts_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), 1000);
        for part in ["a", "b\n", "c", "d\n"] {
            log.write(Stream::Stdout, part.as_bytes(), at(0)).unwrap();
        }
        let shape = LogShape {
            tail: Some(1),
            ..LogShape::default()
        };
        assert_eq!(
            shown(&mut logs(&[(directory.path(), "")], &shape)).0,
            "cd\n"
        );
    }

    #[test]
    fn a_follower_loses_nothing_when_files_rotate() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), 100);
        let mut reader = logs(&[(directory.path(), "")], &LogShape::default());
        let mut seen = String::new();
        for number in 0..40u8 {
            log.write(Stream::Stdout, format!("{number}\n").as_bytes(), at(number))
                .unwrap();
            if number % 5 == 4 {
                seen.push_str(&shown(&mut reader).0);
            }
        }
        let all: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        assert_eq!(seen.lines().collect::<Vec<_>>(), all);
        assert_eq!(shown(&mut reader).0, "");
    }

    #[test]
    fn a_follower_waits_for_a_log_that_is_not_there_yet() {
        let directory = tempfile::tempdir().unwrap();
        let mut reader = logs(&[(directory.path(), "")], &LogShape::default());
        assert_eq!(shown(&mut reader).0, "");
        writer(directory.path(), 100)
            .write(Stream::Stdout, b"late\n", at(0))
            .unwrap();
        assert_eq!(shown(&mut reader).0, "late\n");
    }

    #[test]
    fn several_logs_are_merged_by_time_and_named() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut first, mut second) = (writer(one.path(), 1000), writer(two.path(), 1000));
        for second_of in 0..4 {
            let log = if second_of % 2 == 0 {
                &mut first
            } else {
                &mut second
            };
            log.write(
                Stream::Stdout,
                format!("{second_of}\n").as_bytes(),
                at(second_of),
            )
            .unwrap();
        }
        let shape = LogShape {
            timestamps: true,
            ..LogShape::default()
        };
        let (out, _) = shown(&mut logs(&[(one.path(), "a "), (two.path(), "b ")], &shape));
        assert_eq!(
            out,
            "a 2024-05-01T12:00:00.000000000Z 0\nb 2024-05-01T12:00:01.000000000Z 1\n\
             a 2024-05-01T12:00:02.000000000Z 2\nb 2024-05-01T12:00:03.000000000Z 3\n"
        );
    }
}
