//! Writes the entries of a layer's tar below `/`, which is the layer's directory by then.
//!
//! Whiteouts take overlay's form: `.wh.NAME` becomes a 0:0 character device, `.wh..wh..opq` the
//! attribute `trusted.overlay.opaque`. Device nodes are left out: a container's come from its
//! runtime. Attributes that mean something to overlay itself are left out too, or a layer could
//! redirect a path to any other.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::sys::time::TimeSpec;
use nix::unistd::{linkat, mkfifo};
use rustix::fs::{XattrFlags, lsetxattr};
use tar::EntryType;

use super::attributes::{Attributes, set_time};
use super::frame::Shared;
use super::wire::{Limits, Meaning, UnpackError, read_error, shown, system};

const OPAQUE: &str = "trusted.overlay.opaque";
/// How many notes are kept; a layer full of devices needs no list of them.
const NOTES: usize = 20;

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Extracted {
    pub(super) entries: u64,
    pub(super) notes: Vec<String>,
}

/// Writes all entries, relative to the working directory.
pub(super) fn extract(
    tar: impl Read,
    limits: &Limits,
    meaning: Meaning,
    frame: &Shared,
) -> Result<Extracted, UnpackError> {
    let mut archive = tar::Archive::new(tar);
    let mut writer = Writer {
        limits,
        frame,
        meaning,
        bytes: 0,
        done: Extracted::default(),
        directories: Vec::new(),
    };
    for entry in archive.entries().map_err(read_error)? {
        writer.entry(entry.map_err(read_error)?)?;
    }
    writer.set_directory_times()?;
    Ok(writer.done)
}

struct Writer<'a> {
    limits: &'a Limits,
    frame: &'a Shared,
    meaning: Meaning,
    bytes: u64,
    done: Extracted,
    directories: Vec<(PathBuf, TimeSpec)>,
}

impl Writer<'_> {
    fn entry<R: Read>(&mut self, mut entry: tar::Entry<'_, R>) -> Result<(), UnpackError> {
        self.done.entries += 1;
        if self.done.entries > self.limits.entries {
            return Err(UnpackError::TooManyEntries {
                limit: self.limits.entries,
            });
        }
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = self.clean(&entry.path_bytes())?;
        let attributes = Attributes::of(&mut entry, &path)?;
        let Some(name) = path.file_name() else {
            // The entry of the layer's root itself.
            self.directories
                .push((PathBuf::from("."), attributes.modified));
            return self.apply(Path::new("."), &attributes, kind);
        };
        self.make_parent(&path)?;
        let hidden = match self.meaning {
            Meaning::Layer => name.as_bytes().strip_prefix(b".wh."),
            Meaning::Files => None,
        };
        match hidden {
            Some(b".wh..opq") => set_opaque(parent_of(&path)),
            Some(hidden) if hidden.starts_with(b".wh.") => Ok(()),
            Some(hidden) => self.whiteout(&path, hidden),
            None => self.place(&mut entry, kind, &path, &attributes),
        }
    }

    /// Returns the path relative to the layer, with nothing in it but names.
    fn clean(&self, raw: &[u8]) -> Result<PathBuf, UnpackError> {
        if raw.len() > self.limits.path {
            return Err(self.too_long(raw));
        }
        let mut path = PathBuf::new();
        let mut depth = 0;
        for component in Path::new(OsStr::from_bytes(raw)).components() {
            match component {
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
                Component::ParentDir => {
                    return Err(UnpackError::Outside { path: shown(raw) });
                }
                Component::Normal(name) => {
                    depth += 1;
                    path.push(name);
                }
            }
        }
        if depth > self.limits.depth {
            return Err(self.too_long(raw));
        }
        Ok(path)
    }

    #[expect(clippy::unused_self, reason = "reads as the limit's own complaint")]
    fn too_long(&self, raw: &[u8]) -> UnpackError {
        UnpackError::PathTooLong {
            path: shown(&raw[..raw.len().min(80)]),
        }
    }

    fn make_parent(&mut self, path: &Path) -> Result<(), UnpackError> {
        let parent = parent_of(path);
        if parent.is_dir() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(system("making", parent))
    }

    fn whiteout(&mut self, path: &Path, hidden: &[u8]) -> Result<(), UnpackError> {
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(UnpackError::Entry {
                path: path.display().to_string(),
                rule: "a whiteout names a file".to_owned(),
            });
        }
        let hidden = parent_of(path).join(OsStr::from_bytes(hidden));
        match fs::symlink_metadata(&hidden) {
            // The layer's own entry hides the lower ones already, a directory if it is opaque.
            Ok(metadata) if metadata.is_dir() => set_opaque(&hidden),
            Ok(_) => Ok(()),
            Err(_) => mknod(&hidden, SFlag::S_IFCHR, Mode::empty(), 0)
                .map_err(|errno| system("hiding", &hidden)(errno.into())),
        }
    }

    fn place<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        kind: EntryType,
        path: &Path,
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        match kind {
            EntryType::Directory => {
                self.directory(path)?;
                self.directories
                    .push((path.to_owned(), attributes.modified));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                clear(path)?;
                self.file(entry, path)?;
            }
            EntryType::Symlink => {
                clear(path)?;
                let target = link_of(entry, path)?;
                std::os::unix::fs::symlink(OsStr::from_bytes(&target), path)
                    .map_err(system("linking", path))?;
            }
            EntryType::Link => {
                let target = self.clean(&link_of(entry, path)?)?;
                return hard_link(&target, path);
            }
            EntryType::Fifo => {
                clear(path)?;
                mkfifo(path, Mode::empty())
                    .map_err(|errno| system("making", path)(errno.into()))?;
            }
            EntryType::Char | EntryType::Block => {
                self.note(format!("device node `{}` left out", path.display()));
                return Ok(());
            }
            other => {
                self.note(format!("`{}` of type {other:?} left out", path.display()));
                return Ok(());
            }
        }
        self.apply(path, attributes, kind)
    }

    fn directory(&mut self, path: &Path) -> Result<(), UnpackError> {
        let found = fs::symlink_metadata(path).ok();
        if found.as_ref().is_some_and(Metadata::is_dir) {
            return Ok(());
        }
        clear(path)?;
        fs::create_dir(path).map_err(system("making", path))?;
        match found {
            // What the whiteout hid must stay hidden behind the directory that replaces it.
            Some(metadata) if is_whiteout(&metadata) => set_opaque(path),
            _ => Ok(()),
        }
    }

    fn file<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        path: &Path,
    ) -> Result<(), UnpackError> {
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.bytes > self.limits.bytes {
            return Err(UnpackError::TooManyBytes {
                limit: self.limits.bytes,
            });
        }
        // A sparse entry's bytes are not the file's: its reader makes the holes.
        let framed = !entry.header().entry_type().is_gnu_sparse();
        let size = entry.size();
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(system("making", path))?;
        if framed {
            let begun = self.frame.borrow_mut().begin_file(path, size);
            begun.map_err(system("noting", path))?;
        }
        let copied = copy_sparse(entry, size, &mut file).map_err(system("writing", path))?;
        self.frame.borrow_mut().end_file();
        if copied != size {
            return Err(read_error(io::ErrorKind::UnexpectedEof.into()));
        }
        file.set_len(size).map_err(system("writing", path))
    }

    /// Sets what the entry says about the file; a directory's time comes last of all.
    fn apply(
        &mut self,
        path: &Path,
        attributes: &Attributes,
        kind: EntryType,
    ) -> Result<(), UnpackError> {
        for name in attributes.apply(path, kind)? {
            self.note(format!("attribute {name} of `{}` left out", path.display()));
        }
        Ok(())
    }

    /// Sets the times of the directories, which every entry in them changed.
    fn set_directory_times(&self) -> Result<(), UnpackError> {
        for (path, modified) in self.directories.iter().rev() {
            match set_time(path, modified) {
                // A later entry may have replaced the directory.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                other => other.map_err(system("setting the time of", path))?,
            }
        }
        Ok(())
    }

    fn note(&mut self, text: String) {
        if self.done.notes.len() < NOTES {
            self.done.notes.push(text.chars().take(300).collect());
        }
    }
}

fn hard_link(target: &Path, path: &Path) -> Result<(), UnpackError> {
    if target == path {
        return Ok(());
    }
    clear(path)?;
    linkat(AT_FDCWD, target, AT_FDCWD, path, AtFlags::empty())
        .map_err(|errno| system("linking", path)(errno.into()))
}

fn link_of<R: Read>(entry: &tar::Entry<'_, R>, path: &Path) -> Result<Vec<u8>, UnpackError> {
    match entry.link_name_bytes() {
        Some(target) if !target.is_empty() => Ok(target.into_owned()),
        _ => Err(UnpackError::Entry {
            path: path.display().to_string(),
            rule: "the link has no target".to_owned(),
        }),
    }
}

/// Removes what is at `path`; it never follows a link.
fn clear(path: &Path) -> Result<(), UnpackError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
    .map_err(system("replacing", path))
}

fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

fn set_opaque(directory: &Path) -> Result<(), UnpackError> {
    lsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())
        .map_err(|errno| system("emptying", directory)(errno.into()))
}

/// Copies and leaves holes where there are only zeros, so that a bomb of zeros costs no disk.
fn copy_sparse(source: &mut impl Read, size: u64, file: &mut File) -> io::Result<u64> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    // Most files are small: each has what it needs, and a byte to see its end.
    let length = usize::try_from(size).map_or(ZEROS.len(), |size| ZEROS.len().min(size + 1));
    let mut buffer = vec![0; length];
    let mut copied = 0;
    loop {
        let read = fill(source, &mut buffer)?;
        if read == 0 {
            return Ok(copied);
        }
        // A short file of zeros is not worth a hole.
        if buffer[..read] == ZEROS {
            file.seek(SeekFrom::Current(i64::try_from(read).unwrap_or(0)))?;
        } else {
            file.write_all(&buffer[..read])?;
        }
        copied += read as u64;
    }
}

/// Reads until the buffer is full or the source ends.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
