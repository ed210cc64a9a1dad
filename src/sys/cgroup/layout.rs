//! Where the hierarchies are mounted.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use super::group::Cgroup;
use super::{CgroupError, refused};
use crate::sys::mount_table;

/// A cgroup hierarchy of version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    controllers: Vec<String>,
    pub(super) mount: PathBuf,
}

impl Hierarchy {
    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// That of version 2 has no controllers where it stands beside version 1.
    fn version(&self) -> CgroupVersion {
        match self.controllers.is_empty() {
            true => CgroupVersion::V2,
            false => CgroupVersion::V1,
        }
    }
}

/// The cgroup hierarchies of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups {
    pub(super) layout: Layout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    V1(Vec<Hierarchy>),
    V2(PathBuf),
}

impl Layout {
    /// Returns where each hierarchy is mounted, and which version it is of.
    pub(super) fn mounts(&self) -> impl Iterator<Item = (&Path, CgroupVersion)> {
        let (one, many) = match self {
            Self::V1(hierarchies) => (None, hierarchies.as_slice()),
            Self::V2(mount) => (Some((mount.as_path(), CgroupVersion::V2)), [].as_slice()),
        };
        let many = many.iter().map(|h| (h.mount.as_path(), h.version()));
        one.into_iter().chain(many)
    }
}

/// The version of the cgroup interface that has the controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// One hierarchy a controller.
    V1,
    /// One hierarchy for all.
    V2,
}

impl Cgroups {
    /// Finds the hierarchies among the mounts of this process, once: they stay where they are as long as it lives.
    ///
    /// # Errors
    /// There are none.
    pub fn detect() -> Result<&'static Self, CgroupError> {
        static FOUND: OnceLock<Cgroups> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let path = Path::new(mount_table::MOUNTS);
        let mounts = File::open(path).map_err(refused("opening", path))?;
        // A process is in one cgroup of each hierarchy (cgroups(7)).
        let all = fs::read_to_string("/proc/self/cgroup").map_or(usize::MAX, |l| l.lines().count());
        let found = Self::from_mountinfo(BufReader::new(mounts), all)
            .map_err(refused("reading", path))?
            .ok_or(CgroupError::NotMounted)?;
        Ok(FOUND.get_or_init(|| found))
    }

    /// Finds the hierarchies in a table of mounts, which is read no further than `all` of them are found: a host with a
    /// thousand pods has six thousand mounts, and the kernel writes each line anew for whoever reads it.
    pub(super) fn from_mountinfo(table: impl BufRead, all: usize) -> io::Result<Option<Self>> {
        let mut unified = None;
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for line in table.split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            let Some((front, back)) = line.split_once(" - ") else {
                continue;
            };
            let mut back = back.split(' ');
            let (kind, options) = (back.next(), back.nth(1).unwrap_or_default());
            match kind {
                Some("cgroup2") => unified = unified.or_else(|| mount_table::mount_point(front)),
                Some("cgroup") => {
                    let controllers: Vec<String> = options
                        .split(',')
                        .filter(|option| !FLAGS.contains(option))
                        .map(str::to_owned)
                        .collect();
                    // The same hierarchy mounted a second time adds nothing.
                    if !hierarchies.iter().any(|h| h.controllers == controllers) {
                        let mount = mount_table::mount_point(front);
                        hierarchies.extend(mount.map(|mount| Hierarchy { controllers, mount }));
                    }
                }
                _ => continue,
            }
            if hierarchies.len() + usize::from(unified.is_some()) >= all {
                break;
            }
        }
        const FLAGS: [&str; 6] = ["rw", "ro", "xattr", "clone_children", "noprefix", "none"];
        let layout = match unified {
            Some(mount) if !hierarchies.iter().any(|h| h.has("memory")) => Layout::V2(mount),
            _ if hierarchies.is_empty() => return Ok(None),
            unified => {
                // Beside version 1 it has no controllers, but systemd follows processes by it.
                hierarchies.extend(unified.map(|mount| Hierarchy {
                    controllers: Vec::new(),
                    mount,
                }));
                Layout::V1(hierarchies)
            }
        };
        Ok(Some(Self { layout }))
    }

    /// Returns the version.
    #[must_use]
    pub fn version(&self) -> CgroupVersion {
        match self.layout {
            Layout::V1(_) => CgroupVersion::V1,
            Layout::V2(_) => CgroupVersion::V2,
        }
    }

    /// Returns where the hierarchy of version 2 is mounted, with the controllers or beside those of version 1.
    #[must_use]
    pub fn unified(&self) -> Option<&Path> {
        let mut mounts = self.layout.mounts();
        mounts.find_map(|(mount, version)| (version == CgroupVersion::V2).then_some(mount))
    }

    /// Returns where the hierarchies that have controllers are mounted.
    pub fn controller_mounts(&self) -> impl Iterator<Item = &Path> {
        let with = self.version();
        let mounts = self.layout.mounts();
        mounts.filter_map(move |(mount, version)| (version == with).then_some(mount))
    }

    /// Names a cgroup, which need not exist.
    ///
    /// # Errors
    /// The path is not absolute, is the root, or has `.` or `..` in it.
    pub fn group(&self, path: &Path) -> Result<Cgroup<'_>, CgroupError> {
        let relative = path.strip_prefix("/").ok().filter(|relative| {
            let mut parts = relative.components();
            relative.components().next().is_some()
                && parts.all(|part| matches!(part, Component::Normal(_)))
        });
        match relative {
            Some(relative) => Ok(Cgroup {
                cgroups: self,
                path: relative.to_owned(),
            }),
            None => Err(CgroupError::Path {
                path: path.to_owned(),
            }),
        }
    }

    pub(super) fn mounts(&self) -> impl Iterator<Item = &Path> {
        self.layout.mounts().map(|(mount, _)| mount)
    }

    pub(super) fn hierarchy(&self, controller: &str) -> Option<&Path> {
        match &self.layout {
            Layout::V1(hierarchies) => hierarchies
                .iter()
                .find(|h| h.has(controller))
                .map(|h| h.mount.as_path()),
            Layout::V2(mount) => Some(mount),
        }
    }
}
