//! A path as somebody typed it, in the tree it is meant in; and what is to be put there under which name.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::CopyError;
use super::tree::{Origin, refuse_pseudo};
use crate::sys::path::{Resolve, open_at};

/// A path in a tree.
#[derive(Debug)]
pub struct Place {
    pub root: OwnedFd,
    /// Absolute in the tree.
    pub path: PathBuf,
    /// It was written with a `/` at its end: it has to be a directory.
    pub is_directory: bool,
    /// It was written with `/.` at its end: what is in the directory is meant, not the directory.
    pub is_content: bool,
}

impl Place {
    /// Takes a path apart that was typed; a relative one begins at `base`.
    #[must_use]
    pub fn new(root: OwnedFd, base: &Path, typed: &str) -> Self {
        Self {
            root,
            path: base.join(typed),
            is_directory: typed.ends_with('/') || typed.ends_with("/.") || typed == ".",
            is_content: typed.ends_with("/.") || typed == ".",
        }
    }

    /// Opens what is there, links followed within the tree.
    ///
    /// # Errors
    /// There is nothing, or what the path says is a directory is none.
    pub fn origin(&self) -> Result<Origin, CopyError> {
        let found = self
            .open(&self.path)
            .map_err(CopyError::io("opening", &self.path))?;
        if self.is_directory && !is_directory(&found) {
            return Err(CopyError::IsNoDirectory {
                path: self.path.clone(),
            });
        }
        Ok(Origin {
            found,
            path: self.path.clone(),
        })
    }

    /// Returns the name under which what is here is put somewhere; nothing for the content of a directory.
    #[must_use]
    pub fn name(&self) -> PathBuf {
        match (self.is_content, self.path.file_name()) {
            (false, Some(name)) => PathBuf::from(name),
            _ => PathBuf::new(),
        }
    }

    fn open(&self, path: &Path) -> io::Result<OwnedFd> {
        open_at(&self.root, path, Resolve::InRoot, OFlag::O_PATH)
    }
}

/// Where a copy goes.
#[derive(Debug)]
pub enum Target {
    /// Into this directory, under this name; with an empty one, its content.
    Directory { base: OwnedFd, name: PathBuf },
    /// Over this file.
    File(OwnedFd),
}

pub(super) fn is_directory(found: &OwnedFd) -> bool {
    let metadata = found.try_clone().and_then(|fd| File::from(fd).metadata());
    metadata.is_ok_and(|metadata| metadata.is_dir())
}

/// Finds where something called `name` goes, as `cp` does.
///
/// # Errors
/// The place is no directory where it has to be one, or there is no directory to put it in.
pub fn find_target(
    place: &Place,
    name: &Path,
    source_is_directory: bool,
    overwrite: bool,
) -> Result<Target, CopyError> {
    let path = &place.path;
    match place.open(path) {
        Ok(found) if is_directory(&found) => {
            refuse_pseudo(found.as_fd(), path)?;
            Ok(Target::Directory {
                base: found,
                name: name.to_owned(),
            })
        }
        Ok(found) => {
            refuse_pseudo(found.as_fd(), path)?;
            match (source_is_directory, place.is_directory) {
                (true, _) if overwrite => beside(place),
                (true, _) | (_, true) => Err(CopyError::IsNoDirectory { path: path.clone() }),
                (false, false)
                    if File::from(found.try_clone().map_err(CopyError::io("opening", path))?)
                        .metadata()
                        .is_ok_and(|metadata| metadata.is_file()) =>
                {
                    Ok(Target::File(found))
                }
                (false, false) => Err(CopyError::Kind {
                    path: path.clone(),
                    what: "device, pipe or socket",
                }),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match place.is_directory && !source_is_directory {
                true => Err(CopyError::Missing { path: path.clone() }),
                false => beside(place),
            }
        }
        Err(error) => Err(CopyError::io("opening", path)(error)),
    }
}

/// The place itself is to be made, in the directory that holds it.
fn beside(place: &Place) -> Result<Target, CopyError> {
    let missing = || CopyError::Missing {
        path: place.path.clone(),
    };
    let parent = place.path.parent().ok_or_else(missing)?;
    let name = place.path.file_name().ok_or_else(missing)?;
    let base = place
        .open(parent)
        .map_err(CopyError::io("opening", parent))?;
    if !is_directory(&base) {
        return Err(CopyError::IsNoDirectory {
            path: parent.to_owned(),
        });
    }
    Ok(Target::Directory {
        base,
        name: name.into(),
    })
}
