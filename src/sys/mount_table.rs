//! What is mounted where, as `/proc/self/mountinfo` tells it.

use std::io;
use std::path::{Path, PathBuf};

/// The mounts of this process (`proc_pid_mountinfo(5)`).
pub(super) const MOUNTS: &str = "/proc/self/mountinfo";

/// Returns where something is mounted at or below a directory, the deepest first.
///
/// # Errors
/// The mounts cannot be read.
pub fn mounts_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = match std::fs::canonicalize(directory) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let table = std::fs::read(MOUNTS)?;
    let mut points: Vec<PathBuf> = String::from_utf8_lossy(&table)
        .lines()
        .filter_map(mount_point)
        .filter(|point| point.starts_with(&directory))
        .collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.components().count()));
    Ok(points)
}

/// Returns the mount point of a line: its fifth field.
pub(super) fn mount_point(line: &str) -> Option<PathBuf> {
    line.split(' ').nth(4).map(unescape)
}

/// Undoes the octal escapes of space, tab, line feed and backslash.
fn unescape(text: &str) -> PathBuf {
    let plain = text
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n");
    PathBuf::from(plain.replace("\\134", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_read_as_it_was_written() {
        let line = "45 30 0:40 / /run/a\\040b\\134040 rw,relatime - tmpfs tmpfs rw";
        assert_eq!(mount_point(line), Some(PathBuf::from("/run/a b\\040")));
        assert_eq!(mount_point("45 30"), None);
    }
}
