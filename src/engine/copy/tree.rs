//! A tree by descriptor: walked to be read, and written into.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::fstatfs;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, symlinkat, unlinkat};

use super::{CopyError, Facts, Item, Receiver};
use crate::sys::path::{Resolve, create_file, descriptor_path, make_directories, open_at, reopen};

/// How deep directories may lie in one another.
const DEEPEST: usize = 200;

/// The magic numbers of file systems whose files are the kernel's own (statfs(2)): reading or writing one
/// with the rights of the host is not what the container could do itself.
const PSEUDO: [i64; 11] = [
    0x9fa0,
    0x6265_6572,
    0x6367_7270,
    0x0027_e0eb,
    0x1cd1,
    0x6462_6720,
    0x7363_6673,
    0xcafe_4a11,
    0x7472_6163,
    0x6e73_6673,
    0x4249_4e4d,
];

/// A thing in a tree, open without any effect on it.
#[derive(Debug)]
pub struct Origin {
    pub found: OwnedFd,
    /// What it is called in errors.
    pub path: PathBuf,
}

impl Origin {
    /// Returns whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        super::place::is_directory(&self.found)
    }
}

/// Copies one file over another, which stays the same file.
///
/// # Errors
/// One of them cannot be used.
pub fn copy_file(origin: &Origin, target: &OwnedFd, path: &Path) -> Result<(), CopyError> {
    struct Over<'a>(&'a OwnedFd, &'a Path);
    impl Receiver for Over<'_> {
        fn take(&mut self, _: &Path, _: &Facts, item: Item<'_>) -> Result<(), CopyError> {
            let Item::File { size, content } = item else {
                return Err(CopyError::IsNoDirectory {
                    path: self.1.to_owned(),
                });
            };
            overwritten(self.0.as_fd())
                .and_then(|mut file| io::copy(&mut content.take(size), &mut file))
                .map(drop)
                .map_err(CopyError::io("writing", self.1))
        }

        fn finish(&mut self) -> Result<(), CopyError> {
            Ok(())
        }
    }
    walk(origin, Path::new(""), &mut Over(target, path))
}

/// Reads a thing with all that is below it and hands it over under a name; an empty one is the top itself.
///
/// # Errors
/// Something cannot be read, is no file, directory or link, or cannot be taken.
pub fn walk(origin: &Origin, name: &Path, receiver: &mut dyn Receiver) -> Result<(), CopyError> {
    refuse_pseudo(origin.found.as_fd(), &origin.path)?;
    walk_one(origin.found.as_fd(), &origin.path, name, 0, receiver)
}

fn walk_one(
    found: BorrowedFd<'_>,
    path: &Path,
    name: &Path,
    depth: usize,
    receiver: &mut dyn Receiver,
) -> Result<(), CopyError> {
    if depth > DEEPEST {
        return Err(CopyError::TooDeep(DEEPEST));
    }
    let opened = || found.try_clone_to_owned().map(File::from);
    let metadata = opened().and_then(|file| file.metadata());
    let metadata = metadata.map_err(CopyError::io("looking at", path))?;
    let facts = Facts {
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified: metadata.mtime(),
    };
    let kind = metadata.file_type();
    if kind.is_symlink() {
        let target = readlinkat(found, "");
        let target = target.map_err(|errno| CopyError::io("reading", path)(errno.into()))?;
        return receiver.take(name, &facts, Item::Link(target.into()));
    }
    if kind.is_file() {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let mut file = reopen(found, flags)
            .map(File::from)
            .map_err(CopyError::io("reading", path))?;
        let item = Item::File {
            size: metadata.len(),
            content: &mut file,
        };
        return receiver.take(name, &facts, item);
    }
    if !kind.is_dir() {
        return Err(CopyError::Kind {
            path: path.to_owned(),
            what: special(metadata.mode()),
        });
    }
    receiver.take(name, &facts, Item::Directory)?;
    for entry in names_in(found).map_err(CopyError::io("reading", path))? {
        let path = path.join(&entry);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let child = match open_at(found, Path::new(&entry), Resolve::Beneath, flags) {
            Ok(child) => child,
            // It went away since the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(CopyError::io("opening", path)(error)),
        };
        if is_pseudo(child.as_fd()) || is_special(child.as_fd()) {
            // Within a tree they are passed over, as sockets and mounts of the kernel's are by tar.
            continue;
        }
        walk_one(
            child.as_fd(),
            &path,
            &name.join(&entry),
            depth + 1,
            receiver,
        )?;
    }
    Ok(())
}

fn names_in(directory: BorrowedFd<'_>) -> io::Result<Vec<std::ffi::OsString>> {
    let entries = fs::read_dir(descriptor_path(directory))?;
    let mut names: Vec<_> = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

fn special(mode: u32) -> &'static str {
    match mode & nix::libc::S_IFMT {
        nix::libc::S_IFIFO => "named pipe",
        nix::libc::S_IFSOCK => "socket",
        _ => "device",
    }
}

fn is_special(found: BorrowedFd<'_>) -> bool {
    let metadata = found
        .try_clone_to_owned()
        .and_then(|fd| File::from(fd).metadata());
    metadata.is_ok_and(|metadata| {
        let kind = metadata.file_type();
        !(kind.is_dir() || kind.is_file() || kind.is_symlink())
    })
}

fn is_pseudo(found: BorrowedFd<'_>) -> bool {
    fstatfs(found).is_ok_and(|facts| PSEUDO.contains(&facts.filesystem_type().0))
}

/// Refuses what is on a file system of the kernel's.
pub(super) fn refuse_pseudo(found: BorrowedFd<'_>, path: &Path) -> Result<(), CopyError> {
    match is_pseudo(found) {
        true => Err(CopyError::Pseudo {
            path: path.to_owned(),
        }),
        false => Ok(()),
    }
}

/// Writes into a directory.
#[derive(Debug)]
pub struct TreeTarget {
    base: OwnedFd,
    /// What the directory is called in errors.
    path: PathBuf,
    /// Whose everything is to be; without it, whose it was.
    owner: Option<(u32, u32)>,
    /// Whether a directory may take the place of something else, and the other way round.
    overwrite: bool,
    /// Directories get their permissions when nothing more is put in them.
    directories: Vec<(PathBuf, Facts)>,
}

impl TreeTarget {
    #[must_use]
    pub fn new(base: OwnedFd, path: PathBuf, owner: Option<(u32, u32)>, overwrite: bool) -> Self {
        Self {
            base,
            path,
            owner,
            overwrite,
            directories: Vec::new(),
        }
    }

    /// Opens the directory that something is put in; one that nobody named is made.
    fn parent(&self, path: &Path) -> io::Result<OwnedFd> {
        match path.parent() {
            None => self.base.try_clone(),
            Some(parent) if parent.as_os_str().is_empty() => self.base.try_clone(),
            Some(parent) => {
                let mode = Mode::from_bits_truncate(0o755);
                make_directories(&self.base, parent, Resolve::Beneath, mode)
            }
        }
    }

    fn owner(&self, facts: &Facts) -> (Option<Uid>, Option<Gid>) {
        let (uid, gid) = self.owner.unwrap_or((facts.uid, facts.gid));
        (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
    }

    fn make_directory(&mut self, path: &Path, facts: &Facts) -> Result<(), CopyError> {
        let shown = self.path.join(path);
        self.directories.push((path.to_owned(), *facts));
        let Some(name) = path.file_name() else {
            return Ok(());
        };
        let parent = self
            .parent(path)
            .map_err(CopyError::io("opening", &shown))?;
        match mkdirat(&parent, name, Mode::S_IRWXU) {
            Ok(()) => return Ok(()),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(CopyError::io("making", &shown)(errno.into())),
        }
        // What is there already keeps its permissions.
        self.directories.pop();
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        match open_at(&parent, Path::new(name), Resolve::Beneath, flags) {
            Ok(_) => Ok(()),
            Err(_) if self.overwrite => {
                unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir)
                    .and_then(|()| mkdirat(&parent, name, Mode::S_IRWXU))
                    .map_err(|errno| CopyError::io("making", &shown)(errno.into()))?;
                self.directories.push((path.to_owned(), *facts));
                Ok(())
            }
            Err(_) => Err(CopyError::IsNoDirectory { path: shown }),
        }
    }

    /// Opens a file to be written: the one that is there, else a new one.
    fn open_file(&self, path: &Path, facts: &Facts) -> Result<File, CopyError> {
        let shown = self.path.join(path);
        let failed = |error| CopyError::io("writing", &shown)(error);
        let parent = self.parent(path).map_err(failed)?;
        refuse_pseudo(parent.as_fd(), &shown)?;
        let name = Path::new(path.file_name().unwrap_or_default());
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        match open_at(&parent, name, Resolve::Beneath, flags) {
            Ok(there) => {
                let metadata = there.try_clone().map(File::from);
                let metadata = metadata.and_then(|file| file.metadata()).map_err(failed)?;
                if metadata.is_file() {
                    refuse_pseudo(there.as_fd(), &shown)?;
                    return overwritten(there.as_fd()).map_err(failed);
                }
                self.make_room(&parent, path)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // Owner first: a change of owner takes special bits away again.
        let file = create_file(
            &parent,
            name,
            Resolve::Beneath,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )
        .map_err(failed)?;
        let (uid, gid) = self.owner(facts);
        nix::unistd::fchown(&file, uid, gid).map_err(|errno| failed(errno.into()))?;
        file.set_permissions(fs::Permissions::from_mode(facts.mode))
            .map_err(failed)?;
        Ok(file)
    }

    /// Takes away what is no file where something else is to be.
    fn make_room(&self, parent: &OwnedFd, path: &Path) -> Result<(), CopyError> {
        let shown = self.path.join(path);
        let name = path.file_name().unwrap_or_default();
        match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR) if self.overwrite => remove_tree(parent.as_fd(), Path::new(name), 0)
                .map_err(CopyError::io("removing", &shown)),
            Err(Errno::EISDIR) => Err(CopyError::IsDirectory { path: shown }),
            Err(errno) => Err(CopyError::io("removing", &shown)(errno.into())),
        }
    }

    fn make_link(&self, path: &Path, facts: &Facts, target: &Path) -> Result<(), CopyError> {
        let shown = self.path.join(path);
        let failed = |error| CopyError::io("making the link", &shown)(error);
        let parent = self.parent(path).map_err(failed)?;
        self.make_room(&parent, path)?;
        let name = path.file_name().unwrap_or_default();
        symlinkat(target, &parent, name).map_err(|errno| failed(errno.into()))?;
        let (uid, gid) = self.owner(facts);
        fchownat(&parent, name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| failed(errno.into()))
    }

    /// A hard link of an archive becomes a copy of the file that was put here before.
    fn make_same(&self, path: &Path, facts: &Facts, same: &Path) -> Result<(), CopyError> {
        let shown = self.path.join(same);
        let mut from = crate::sys::path::open_file(&self.base, same, Resolve::Beneath)
            .map_err(CopyError::io("reading", &shown))?;
        let mut to = self.open_file(path, facts)?;
        io::copy(&mut from, &mut to)
            .map(drop)
            .map_err(CopyError::io("writing", self.path.join(path)))
    }
}

impl Receiver for TreeTarget {
    fn take(&mut self, path: &Path, facts: &Facts, item: Item<'_>) -> Result<(), CopyError> {
        match item {
            Item::Directory => self.make_directory(path, facts),
            Item::Link(target) => self.make_link(path, facts, &target),
            Item::Same(same) => self.make_same(path, facts, &same),
            Item::File { size, content } => {
                let mut file = self.open_file(path, facts)?;
                // A file that grows meanwhile is copied as long as it was.
                io::copy(&mut content.take(size), &mut file)
                    .map(drop)
                    .map_err(CopyError::io("writing", self.path.join(path)))
            }
        }
    }

    fn finish(&mut self) -> Result<(), CopyError> {
        for (path, facts) in std::mem::take(&mut self.directories).into_iter().rev() {
            if path.as_os_str().is_empty() {
                continue;
            }
            let shown = self.path.join(&path);
            let failed = |error| CopyError::io("finishing", &shown)(error);
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
            let found = open_at(&self.base, &path, Resolve::Beneath, flags).map_err(failed)?;
            let (uid, gid) = self.owner(&facts);
            fchownat(&found, "", uid, gid, AtFlags::AT_EMPTY_PATH)
                .map_err(|errno| failed(errno.into()))?;
            let mode = fs::Permissions::from_mode(facts.mode);
            fs::set_permissions(descriptor_path(found.as_fd()), mode).map_err(failed)?;
        }
        Ok(())
    }
}

/// Opens a file that is there to be written anew; it stays the same file for whoever has it open.
pub(super) fn overwritten(there: BorrowedFd<'_>) -> io::Result<File> {
    reopen(there, OFlag::O_WRONLY | OFlag::O_TRUNC | OFlag::O_NOCTTY).map(File::from)
}

fn remove_tree(parent: BorrowedFd<'_>, name: &Path, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other("directories lie too deep"));
    }
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EISDIR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let directory = open_at(parent, name, Resolve::Beneath, flags)?;
    for entry in names_in(directory.as_fd())? {
        remove_tree(directory.as_fd(), Path::new(&entry), depth + 1)?;
    }
    Ok(unlinkat(parent, name, UnlinkatFlags::RemoveDir)?)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
