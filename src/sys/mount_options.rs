//! Mount options as `mount(8)` takes them, sorted into what the kernel takes as flags and as data.

use super::mount::{Depth, MsFlags};

/// Options of one mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    pub flags: MsFlags,
    /// What the file system itself reads.
    pub data: String,
    /// `bind` or `rbind`: the device is a directory.
    pub bind: Option<Depth>,
}

impl MountOptions {
    /// Sorts options joined by commas; the last of two that contradict each other wins.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut options = Self {
            flags: MsFlags::empty(),
            data: String::new(),
            bind: None,
        };
        for word in text.split(',').filter(|word| !word.is_empty()) {
            options.add(word);
        }
        options
    }

    fn add(&mut self, word: &str) {
        match word {
            "bind" => self.bind = Some(Depth::One),
            "rbind" => self.bind = Some(Depth::Tree),
            "defaults" | "rw" | "suid" | "dev" | "exec" | "async" | "atime" | "nofail" => {
                self.flags -= opposite(word);
            }
            _ => match flag(word) {
                Some(flag) => self.flags |= flag,
                None => {
                    if !self.data.is_empty() {
                        self.data.push(',');
                    }
                    self.data.push_str(word);
                }
            },
        }
    }
}

fn flag(word: &str) -> Option<MsFlags> {
    Some(match word {
        "ro" => MsFlags::MS_RDONLY,
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        "sync" => MsFlags::MS_SYNCHRONOUS,
        "dirsync" => MsFlags::MS_DIRSYNC,
        "noatime" => MsFlags::MS_NOATIME,
        "nodiratime" => MsFlags::MS_NODIRATIME,
        "relatime" => MsFlags::MS_RELATIME,
        "strictatime" => MsFlags::MS_STRICTATIME,
        _ => return None,
    })
}

fn opposite(word: &str) -> MsFlags {
    let opposites = [
        ("rw", "ro"),
        ("suid", "nosuid"),
        ("dev", "nodev"),
        ("exec", "noexec"),
        ("async", "sync"),
        ("atime", "noatime"),
    ];
    let found = opposites.iter().find(|(own, _)| *own == word);
    found
        .and_then(|(_, other)| flag(other))
        .unwrap_or(MsFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_from_what_the_file_system_reads() {
        let options = MountOptions::parse("size=2M,nodev,ro,noexec,rw,mode=0700");
        assert_eq!(options.flags, MsFlags::MS_NODEV | MsFlags::MS_NOEXEC);
        assert_eq!(
            (options.data.as_str(), options.bind),
            ("size=2M,mode=0700", None)
        );
        assert_eq!(MountOptions::parse("rbind,ro").bind, Some(Depth::Tree));
        assert_eq!(MountOptions::parse(""), MountOptions::parse("defaults"));
    }
}
