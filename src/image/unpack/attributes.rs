//! What a tar entry says about its file besides the content, and how it is set.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat};
use rustix::fs::{XattrFlags, lsetxattr};
use tar::EntryType;

use super::wire::{UnpackError, read_error, system};

/// What an entry says about its file, besides the content.
pub(super) struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
    pub(super) modified: TimeSpec,
    extended: Vec<(String, Vec<u8>)>,
}

impl Attributes {
    pub(super) fn of<R: Read>(
        entry: &mut tar::Entry<'_, R>,
        path: &Path,
    ) -> Result<Self, UnpackError> {
        let header = entry.header();
        let id = |number: u64| {
            u32::try_from(number).map_err(|_| UnpackError::Entry {
                path: path.display().to_string(),
                rule: format!("{number} is no user or group id"),
            })
        };
        let uid = id(header.uid().map_err(read_error)?)?;
        let gid = id(header.gid().map_err(read_error)?)?;
        let mode = header.mode().map_err(read_error)? & 0o7777;
        let seconds = i64::try_from(header.mtime().map_err(read_error)?).unwrap_or(0);
        let mut attributes = Self {
            mode,
            uid,
            gid,
            modified: TimeSpec::new(seconds, 0),
            extended: Vec::new(),
        };
        if let Some(extensions) = entry.pax_extensions().map_err(read_error)? {
            for extension in extensions {
                let extension = extension.map_err(read_error)?;
                attributes.extend(extension.key_bytes(), extension.value_bytes(), path)?;
            }
        }
        Ok(attributes)
    }

    /// Sets owner, then mode, then attributes, then time: each undoes some of those after it.
    ///
    /// Returns the attributes that were left out.
    pub(super) fn apply(&self, path: &Path, kind: EntryType) -> Result<Vec<&str>, UnpackError> {
        let owner = Some(Uid::from_raw(self.uid));
        let group = Some(Gid::from_raw(self.gid));
        fchownat(AT_FDCWD, path, owner, group, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| system("giving away", path)(errno.into()))?;
        if kind != EntryType::Symlink {
            fs::set_permissions(path, Permissions::from_mode(self.mode))
                .map_err(system("setting the mode of", path))?;
        }
        let mut left_out = Vec::new();
        for (name, value) in &self.extended {
            let set = if is_welcome(name) {
                lsetxattr(path, name.as_str(), value, XattrFlags::empty())
            } else {
                Err(rustix::io::Errno::NOTSUP)
            };
            match set {
                Ok(()) => {}
                Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::PERM) => left_out.push(&**name),
                Err(errno) => return Err(system("setting an attribute of", path)(errno.into())),
            }
        }
        if kind != EntryType::Directory {
            set_time(path, &self.modified).map_err(system("setting the time of", path))?;
        }
        Ok(left_out)
    }

    fn extend(&mut self, key: &[u8], value: &[u8], path: &Path) -> Result<(), UnpackError> {
        if key == b"mtime" {
            self.modified = parse_time(value).unwrap_or(self.modified);
        } else if key.starts_with(b"GNU.sparse.") {
            return Err(UnpackError::Entry {
                path: path.display().to_string(),
                rule: "a sparse file in the form of POSIX tar is not supported".to_owned(),
            });
        } else if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            let name = String::from_utf8_lossy(name).into_owned();
            self.extended.push((name, value.to_owned()));
        }
        Ok(())
    }
}

/// Which attributes a layer may set: capabilities, access lists, and users' own but overlay's.
fn is_welcome(name: &str) -> bool {
    match name {
        "security.capability" | "system.posix_acl_access" | "system.posix_acl_default" => true,
        _ => name.starts_with("user.") && !name.starts_with("user.overlay."),
    }
}

pub(super) fn set_time(path: &Path, modified: &TimeSpec) -> io::Result<()> {
    let flag = UtimensatFlags::NoFollowSymlink;
    Ok(utimensat(AT_FDCWD, path, modified, modified, flag)?)
}

/// Reads a PAX time: seconds with a fraction, maybe negative.
fn parse_time(value: &[u8]) -> Option<TimeSpec> {
    let text = std::str::from_utf8(value).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = seconds.parse().ok()?;
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanos: i64 = digits.parse().ok()?;
    Some(if seconds.starts_with('-') && nanos > 0 {
        TimeSpec::new(whole - 1, 1_000_000_000 - nanos)
    } else {
        TimeSpec::new(whole, nanos)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_pax_have_fractions_and_may_be_before_1970() {
        for (text, seconds, nanos) in [
            ("12", 12, 0),
            ("12.5", 12, 500_000_000),
            ("1.0000000019", 1, 1),
            ("-1.25", -2, 750_000_000),
            ("-3", -3, 0),
        ] {
            let time = parse_time(text.as_bytes()).unwrap();
            assert_eq!((time.tv_sec(), time.tv_nsec()), (seconds, nanos), "{text}");
        }
        for text in ["", "x", "1.x"] {
            assert!(parse_time(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn overlays_own_attributes_are_unwelcome() {
        assert!(is_welcome("user.mime") && is_welcome("security.capability"));
        for name in [
            "trusted.overlay.opaque",
            "user.overlay.redirect",
            "security.selinux",
        ] {
            assert!(!is_welcome(name), "{name}");
        }
    }
}
