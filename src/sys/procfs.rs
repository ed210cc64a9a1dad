//! What `/proc` tells of a process: what it is called, who it is, what it has used.
//!
//! A process may end while it is read; its facts are then none, never an error.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// The most that is read of a command line, as `ps` shows it.
const LONGEST_COMMAND: usize = 4096;

/// One process at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessFacts {
    pub pid: i32,
    pub parent: i32,
    /// Its pid in its own PID namespace.
    pub inner_pid: i32,
    pub group: i32,
    /// Its process group as its own PID namespace numbers it.
    pub inner_group: i32,
    pub name: String,
    /// The command line, the arguments joined by spaces; empty for one that has none.
    pub command: String,
    pub state: char,
    /// The device number of its terminal; 0 is none.
    pub terminal: u32,
    pub nice: i64,
    /// How long it has run.
    pub elapsed: Duration,
    /// The processor time it has used.
    pub used: Duration,
    /// When it began, since boot.
    pub began: Duration,
    /// Resident memory and address space, in kilobytes.
    pub resident: u64,
    pub address_space: u64,
    /// The real and the effective ids, as this process's user namespace numbers them.
    pub uid: u32,
    pub effective_uid: u32,
    pub gid: u32,
    pub effective_gid: u32,
    pub groups: Vec<u32>,
    /// 0 none, 1 strict, 2 filter.
    pub seccomp: u8,
    pub capabilities: CapabilitySets,
    pub label: String,
}

/// The capability sets of a process, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapabilitySets {
    pub inherited: u64,
    pub permitted: u64,
    pub effective: u64,
    pub bounding: u64,
    pub ambient: u64,
}

/// A part of a user namespace's numbering: `inside` begins at `outside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    pub inside: u32,
    pub outside: u32,
    pub length: u32,
}

impl ProcessFacts {
    /// Reads a process; nothing if there is none.
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let (stat, status) = (file("stat").ok()?, file("status").ok()?);
        let mut facts = Self {
            pid,
            command: command_line(&fs::read(format!("/proc/{pid}/cmdline")).ok()?),
            label: file("attr/current").map_or_else(|_| String::new(), |text| label(&text)),
            ..Self::default()
        };
        facts.take_stat(&stat)?;
        facts.take_status(&status);
        facts.elapsed = super::clock::since_boot().saturating_sub(facts.began);
        Some(facts)
    }

    /// The name in field 2 may hold spaces and parentheses: fields are counted from the last `)`.
    fn take_stat(&mut self, text: &str) -> Option<()> {
        let open = text.find('(')?;
        let close = text.rfind(')')?;
        text.get(open + 1..close)?.clone_into(&mut self.name);
        let fields: Vec<&str> = text.get(close + 1..)?.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let signed = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
        self.state = fields.first()?.chars().next()?;
        self.parent = i32::try_from(signed(4)?).ok()?;
        self.group = i32::try_from(signed(5)?).ok()?;
        self.terminal = u32::try_from(signed(7)?.max(0)).unwrap_or(0);
        self.used = ticks(number(14)? + number(15)?);
        self.nice = signed(19)?;
        self.began = ticks(number(22)?);
        self.address_space = number(23)? / 1024;
        Some(())
    }

    fn take_status(&mut self, text: &str) {
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let mut words = value.split_ascii_whitespace();
            let last = || value.split_ascii_whitespace().next_back();
            let bits = || u64::from_str_radix(value.trim(), 16).unwrap_or(0);
            let mut id = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            let capabilities = &mut self.capabilities;
            match key {
                "Uid" => (self.uid, self.effective_uid) = (id(), id()),
                "Gid" => (self.gid, self.effective_gid) = (id(), id()),
                "Groups" => self.groups = words.filter_map(|word| word.parse().ok()).collect(),
                "NSpid" => self.inner_pid = last().and_then(|w| w.parse().ok()).unwrap_or(0),
                "NSpgid" => self.inner_group = last().and_then(|w| w.parse().ok()).unwrap_or(0),
                "VmRSS" => self.resident = words.next().and_then(|w| w.parse().ok()).unwrap_or(0),
                "Seccomp" => self.seccomp = value.trim().parse().unwrap_or(0),
                "CapInh" => capabilities.inherited = bits(),
                "CapPrm" => capabilities.permitted = bits(),
                "CapEff" => capabilities.effective = bits(),
                "CapBnd" => capabilities.bounding = bits(),
                "CapAmb" => capabilities.ambient = bits(),
                _ => {}
            }
        }
    }
}

/// Returns which PID namespace a process is in: the inode of the namespace.
///
/// # Errors
/// There is no such process, or it may not be looked at.
pub fn pid_namespace(pid: i32) -> io::Result<u64> {
    Ok(fs::metadata(format!("/proc/{pid}/ns/pid"))?.ino())
}

/// Returns the bytes that came in and went out over the interfaces of a process's network, but for loopback.
#[must_use]
pub fn network_bytes(pid: i32) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(name, _)| name.trim() != "lo")
        .fold((0, 0), |(received, sent), (_, counts)| {
            let mut counts = counts.split_ascii_whitespace();
            let mut count = |skip| counts.nth(skip)?.parse::<u64>().ok();
            let (more_in, more_out) = (count(0).unwrap_or(0), count(7).unwrap_or(0));
            (received + more_in, sent + more_out)
        })
}

/// Returns the memory of the machine in bytes.
#[must_use]
pub fn total_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Returns where the root directory of a process is reached.
#[must_use]
pub fn root_of(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/root"))
}

/// Returns how the user namespace of a process numbers users (`uid_map`) or groups (`gid_map`).
#[must_use]
pub fn id_ranges(pid: i32, file: &str) -> Vec<IdRange> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    text.lines().filter_map(id_range).collect()
}

fn id_range(line: &str) -> Option<IdRange> {
    let mut numbers = line.split_ascii_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(IdRange {
        inside: next()?,
        outside: next()?,
        length: next()?,
    })
}

/// Returns a process's processor time in clock ticks as a span.
fn ticks(count: u64) -> Duration {
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    let per_second = per_second.ok().flatten().unwrap_or(100).unsigned_abs();
    Duration::from_millis(count.saturating_mul(1000) / per_second.max(1))
}

fn command_line(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(LONGEST_COMMAND)];
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.trim_end_matches('\0').split('\0').collect();
    // What a container calls itself must not move the reader's cursor.
    let joined = words.join(" ");
    joined
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn label(text: &str) -> String {
    text.trim_end_matches(['\0', '\n']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_finds_itself() {
        let own = std::process::id().cast_signed();
        let facts = ProcessFacts::read(own).unwrap();
        assert_eq!(facts.effective_uid, nix::unistd::geteuid().as_raw());
        assert_eq!(facts.parent, nix::unistd::getppid().as_raw());
        assert!(facts.command.contains("podwright"), "{}", facts.command);
        assert!(facts.elapsed < Duration::from_secs(3600));
        assert!(ProcessFacts::read(i32::MAX).is_none());
        assert!(pid_namespace(own).unwrap() > 0);
        assert!(id_ranges(own, "uid_map")[0].length > 0);
    }

    #[test]
    fn names_and_command_lines_may_hold_anything() {
        let mut facts = ProcessFacts::default();
        let fields = "S 1 7 7 0 -1 0 0 0 0 0 150 50 0 0 20 5 1 0 300 2048 9";
        facts.take_stat(&format!("12 (a) b) {fields}")).unwrap();
        assert_eq!((facts.name.as_str(), facts.state), ("a) b", 'S'));
        assert_eq!(facts.used, Duration::from_secs(2));
        assert_eq!((facts.nice, facts.address_space), (5, 2));
        assert_eq!(command_line(b"sh\0-c\0a\x1bb\0"), "sh -c a?b");
        assert_eq!(command_line(b""), "");
    }
}
