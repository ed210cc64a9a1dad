//! Who a container runs as: `USER[:GROUP]` looked up in the image's own files.
//!
//! A name means nothing without the image: `/etc/passwd` and `/etc/group` are read beneath the
//! root descriptor, so that a link in the image cannot make the host's files count.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::sys::path::{Resolve, read_file};

/// The largest passwd or group file that is read.
const FILE_LIMIT: u64 = 4 << 20;
/// The kernel's limit on supplementary groups, `NGROUPS_MAX`.
const GROUPS: usize = 65536;

/// The ids a process runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The group id: the one given, else the user's own, else 0.
    pub gid: u32,
    /// The groups that list the user; none where a group was given.
    pub groups: Vec<u32>,
    /// The user's home directory, if the image has an entry for the user.
    pub home: Option<PathBuf>,
}

/// A user or group the image does not have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// No such user.
    #[error("the image's /etc/passwd has no user `{0}`")]
    NoUser(String),
    /// No such group.
    #[error("the image's /etc/group has no group `{0}`")]
    NoGroup(String),
    /// A number that is no id.
    #[error("`{0}` is no user or group id: they go from 0 to 2147483647")]
    OutOfRange(String),
    /// One of the files cannot be read.
    #[error("reading the image's {path}")]
    File {
        /// Which.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
}

struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Resolves `USER[:GROUP]`, each a name or a number, in the image mounted at `root`.
///
/// An empty text is root. A number needs no entry; it has one's group and home if there is one.
///
/// # Errors
/// A name has no entry, or a number is out of range.
pub fn resolve(root: BorrowedFd<'_>, text: &str) -> Result<User, UserError> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let user = if user.is_empty() { "0" } else { user };
    let accounts = accounts(root)?;
    let account = match id(user)? {
        Some(uid) => accounts.into_iter().find(|account| account.uid == uid),
        None => accounts.into_iter().find(|account| account.name == user),
    };
    let (uid, own_gid) = match (&account, id(user)?) {
        (Some(account), _) => (account.uid, account.gid),
        (None, Some(uid)) => (uid, 0),
        (None, None) => return Err(UserError::NoUser(user.to_owned())),
    };
    let (gid, groups) = match (group, &account) {
        ("", Some(account)) => (own_gid, memberships(root, &account.name, own_gid)?),
        ("", None) => (own_gid, Vec::new()),
        (group, _) => (find_group(root, group)?, Vec::new()),
    };
    let home = account
        .map(|account| PathBuf::from(account.home))
        .filter(|home| home.is_absolute());
    Ok(User {
        uid,
        gid,
        groups,
        home,
    })
}

fn memberships(root: BorrowedFd<'_>, name: &str, own: u32) -> Result<Vec<u32>, UserError> {
    let mut gids: Vec<u32> = groups(root)?
        .into_iter()
        .filter(|group| group.members.iter().any(|member| member == name))
        .map(|group| group.gid)
        .filter(|gid| *gid != own)
        .collect();
    gids.sort_unstable();
    gids.dedup();
    gids.truncate(GROUPS);
    Ok(gids)
}

/// Returns the id of a group given by name or number.
///
/// # Errors
/// A name has no entry, or a number is out of range.
pub fn find_group(root: BorrowedFd<'_>, text: &str) -> Result<u32, UserError> {
    if let Some(gid) = id(text)? {
        return Ok(gid);
    }
    groups(root)?
        .into_iter()
        .find(|group| group.name == text)
        .map(|group| group.gid)
        .ok_or_else(|| UserError::NoGroup(text.to_owned()))
}

/// The names that a container's own files give to ids.
#[derive(Debug, Clone, Default)]
pub struct IdNames {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl IdNames {
    /// Reads the names of the container whose root this is; files that are missing or wild name nobody.
    #[must_use]
    pub fn read(root: BorrowedFd<'_>) -> Self {
        let mut names = Self::default();
        // The first entry of an id is the one that counts, as for getpwuid(3).
        for account in accounts(root).unwrap_or_default() {
            names.users.entry(account.uid).or_insert(account.name);
        }
        for group in groups(root).unwrap_or_default() {
            names.groups.entry(group.gid).or_insert(group.name);
        }
        names
    }

    /// Returns the name of a user, or the number where there is none.
    #[must_use]
    pub fn user(&self, uid: u32) -> String {
        let name = self.users.get(&uid).cloned();
        name.unwrap_or_else(|| uid.to_string())
    }

    /// Returns the name of a group, or the number where there is none.
    #[must_use]
    pub fn group(&self, gid: u32) -> String {
        let name = self.groups.get(&gid).cloned();
        name.unwrap_or_else(|| gid.to_string())
    }
}

/// Returns a number, or none for a name.
fn id(text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= i32::MAX.unsigned_abs() => Ok(Some(id)),
        _ => Err(UserError::OutOfRange(text.to_owned())),
    }
}

fn accounts(root: BorrowedFd<'_>) -> Result<Vec<Account>, UserError> {
    let text = read(root, "/etc/passwd")?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            Some(Account {
                name: name.to_owned(),
                uid: fields.next()?.parse().ok()?,
                gid: fields.next()?.parse().ok()?,
                home: fields.nth(1).unwrap_or_default().to_owned(),
            })
        })
        .collect())
}

fn groups(root: BorrowedFd<'_>) -> Result<Vec<Group>, UserError> {
    let text = read(root, "/etc/group")?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            Some(Group {
                name: name.to_owned(),
                gid: fields.next()?.parse().ok()?,
                members: fields
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .map(str::to_owned)
                    .collect(),
            })
        })
        .collect())
}

/// Reads one of the files; an image without it has no names.
fn read(root: BorrowedFd<'_>, path: &'static str) -> Result<String, UserError> {
    match read_file(root, Path::new(path), Resolve::InRoot, FILE_LIMIT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(String::new())
        }
        Err(source) => Err(UserError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    fn image() -> (tempfile::TempDir, std::os::fd::OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\nbroken\n";
        std::fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
        let group = "root:x:0:\nwww:x:34:\nlog:x:44:web,root\ntape:x:26:a,web\n";
        std::fs::write(dir.path().join("etc/group"), group).unwrap();
        let root = crate::sys::path::open_root(dir.path()).unwrap();
        (dir, root)
    }

    #[test]
    fn users_are_the_images_own() {
        let (_dir, root) = image();
        for (text, uid, gid, groups, home) in [
            ("", 0, 0, vec![44], Some("/root")),
            ("web", 33, 34, vec![26, 44], Some("/srv")),
            ("33", 33, 34, vec![26, 44], Some("/srv")),
            ("web:log", 33, 44, vec![], Some("/srv")),
            ("1000", 1000, 0, vec![], None),
            ("1000:tape", 1000, 26, vec![], None),
            (":5", 0, 5, vec![], Some("/root")),
        ] {
            let user = resolve(root.as_fd(), text).unwrap();
            let home = home.map(PathBuf::from);
            assert_eq!(
                user,
                User {
                    uid,
                    gid,
                    groups,
                    home
                },
                "{text}"
            );
        }
    }

    #[test]
    fn unknown_names_and_wild_numbers_are_refused() {
        let (_dir, root) = image();
        for text in ["nobody", "web:nogroup", "4294967296", "0:4294967295", "-1"] {
            assert!(resolve(root.as_fd(), text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_link_to_the_hosts_passwd_does_not_count() {
        let (dir, root) = image();
        let passwd = dir.path().join("etc/passwd");
        std::fs::write(dir.path().join("outside"), "evil:x:1:1::/:\n").unwrap();
        std::fs::remove_file(&passwd).unwrap();
        std::os::unix::fs::symlink("../../../../../../proc/1/root/etc/passwd", &passwd).unwrap();
        assert!(resolve(root.as_fd(), "root").is_err());
        assert_eq!(resolve(root.as_fd(), "").unwrap().uid, 0);
    }
}
