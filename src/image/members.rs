//! The files of an archive: of a tar, of a compressed tar, or of a directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::OFlag;

use super::ImageError;
use super::store::Workspace;
use crate::sys::path::{Resolve, open_file, open_root, read_file, reopen};

/// How many files an archive may have: a file a layer, and a few documents an image.
const MEMBERS: usize = 100_000;
/// How far a compressed archive is spooled.
const SPOOL_LIMIT: u64 = 512 << 30;

/// Where an archive or a root file system comes from.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A file or a directory.
    Path(&'a Path),
    /// Standard input, written `-`.
    Stdin,
}

impl Input<'_> {
    pub(super) fn name(&self) -> PathBuf {
        match self {
            Self::Path(path) => path.to_path_buf(),
            Self::Stdin => PathBuf::from("-"),
        }
    }

    pub(super) fn open(&self) -> Result<File, ImageError> {
        match self {
            Self::Path(path) => File::open(path),
            Self::Stdin => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        }
        .map_err(ImageError::file("opening", self.name()))
    }
}

/// The files of one archive by name.
#[derive(Debug)]
pub(super) enum Members {
    Tar {
        file: File,
        index: HashMap<PathBuf, Place>,
    },
    Directory(OwnedFd),
}

/// Where in the tar a file is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Bytes { offset: u64, length: u64 },
    Link(PathBuf),
}

impl Members {
    pub(super) fn open(input: Input<'_>, workspace: &Workspace) -> Result<Self, ImageError> {
        if let Input::Path(path) = input
            && path.is_dir()
        {
            return open_root(path)
                .map(Self::Directory)
                .map_err(ImageError::file("opening", path));
        }
        let file = seekable(input.open()?, workspace)
            .map_err(ImageError::file("reading", input.name()))?;
        let index = index(&file).map_err(|error| match error.kind() {
            // What the tar reader says of bytes that are no tar.
            io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                ImageError::NotAnImage(input.name().display().to_string())
            }
            _ => ImageError::file("reading", input.name())(error),
        })?;
        Ok(Self::Tar { file, index })
    }

    /// Reads a document whole, or returns none if there is no such file.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ImageError> {
        let wrong = |error| ImageError::file("reading", name)(error);
        if let Self::Directory(root) = self {
            return match read_file(root, Path::new(name), Resolve::InRoot, limit) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(wrong(error)),
            };
        }
        let Some((file, length)) = self.find(name)? else {
            return Ok(None);
        };
        if length > limit {
            return Err(wrong(io::ErrorKind::FileTooLarge.into()));
        }
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(wrong)?;
        Ok(Some(bytes))
    }

    /// Opens a file at its first byte, with an offset nobody shares.
    pub(super) fn find(&self, name: &str) -> Result<Option<(File, u64)>, ImageError> {
        let opened = match self {
            Self::Directory(root) => open_file(root, Path::new(name), Resolve::InRoot)
                .and_then(|file| file.metadata().map(|data| (file, data.len()))),
            Self::Tar { file, index } => {
                let Some((offset, length)) = resolve(index, Path::new(name)) else {
                    return Ok(None);
                };
                reopen(file.as_fd(), OFlag::O_RDONLY)
                    .map(File::from)
                    .and_then(|mut file| file.seek(SeekFrom::Start(offset)).map(|_| (file, length)))
            }
        };
        match opened {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ImageError::file("opening", name)(error)),
        }
    }
}

/// Follows the links of old docker-archives (`ID/layer.tar -> ../HEX.tar`), a few steps far.
fn resolve(index: &HashMap<PathBuf, Place>, name: &Path) -> Option<(u64, u64)> {
    let mut name = lexical(name);
    for _ in 0..8 {
        match index.get(&name)? {
            Place::Bytes { offset, length } => return Some((*offset, *length)),
            Place::Link(target) => name = target.clone(),
        }
    }
    None
}

/// Returns a path without `.`, `..` and a leading slash; it is only a key of the index.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::Normal(name) => clean.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    clean
}

fn index(file: &File) -> io::Result<HashMap<PathBuf, Place>> {
    let mut index = HashMap::new();
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = lexical(&entry.path()?);
        let kind = entry.header().entry_type();
        let place = match entry.link_name()? {
            Some(target) if kind.is_symlink() => Place::Link(lexical(
                &name.parent().unwrap_or(Path::new("")).join(target),
            )),
            Some(target) if kind.is_hard_link() => Place::Link(lexical(&target)),
            _ if kind.is_file() => Place::Bytes {
                offset: entry.raw_file_position(),
                length: entry.size(),
            },
            _ => continue,
        };
        index.insert(name, place);
        if index.len() > MEMBERS {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    Ok(index)
}

/// Returns the archive itself if one can seek in it, else a decompressed copy.
fn seekable(mut file: File, workspace: &Workspace) -> io::Result<File> {
    let mut start = [0; 4];
    let regular = file.metadata()?.is_file();
    let read = read_start(&mut file, &mut start)?;
    let rest = io::Cursor::new(start[..read].to_vec()).chain(&file);
    let decoded: Box<dyn Read> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(rest)))
    } else if start == [0x28, 0xb5, 0x2f, 0xfd] {
        Box::new(zstd::Decoder::new(rest)?)
    } else if regular {
        drop(rest);
        file.rewind()?;
        return Ok(file);
    } else {
        Box::new(rest)
    };
    let mut copy = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(workspace.path().join("archive"))?;
    let copied = io::copy(&mut decoded.take(SPOOL_LIMIT), &mut copy)?;
    if copied == SPOOL_LIMIT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    copy.rewind()?;
    Ok(copy)
}

fn read_start(file: &mut File, start: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < start.len() {
        match file.read(&mut start[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}
