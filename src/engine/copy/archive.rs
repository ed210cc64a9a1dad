//! Tar streams at either end of a copy.

use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Builder, EntryType, Header};

use super::{CopyError, Facts, Item, Receiver};

/// A tar stream that is written.
pub struct TarTarget<W: Write>(Builder<W>);

impl<W: Write> TarTarget<W> {
    pub fn new(writer: W) -> Self {
        Self(Builder::new(writer))
    }
}

impl<W: Write> Receiver for TarTarget<W> {
    fn take(&mut self, path: &Path, facts: &Facts, item: Item<'_>) -> Result<(), CopyError> {
        let mut header = Header::new_gnu();
        header.set_mode(facts.mode);
        header.set_uid(u64::from(facts.uid));
        header.set_gid(u64::from(facts.gid));
        header.set_mtime(u64::try_from(facts.modified).unwrap_or(0));
        header.set_size(0);
        let written = match item {
            Item::Directory if path.as_os_str().is_empty() => Ok(()),
            Item::Directory => {
                header.set_entry_type(EntryType::Directory);
                self.0.append_data(&mut header, path.join(""), io::empty())
            }
            Item::File { size, content } => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(size);
                // The header has told the size: a file that shrinks meanwhile is filled up.
                let content = content.chain(io::repeat(0)).take(size);
                self.0.append_data(&mut header, path, content)
            }
            Item::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                self.0.append_link(&mut header, path, target)
            }
            Item::Same(target) => {
                header.set_entry_type(EntryType::Link);
                self.0.append_link(&mut header, path, target)
            }
        };
        written.map_err(CopyError::io("writing the archive's", path))
    }

    fn finish(&mut self) -> Result<(), CopyError> {
        self.0
            .finish()
            .and_then(|()| self.0.get_mut().flush())
            .map_err(CopyError::io("writing", "the archive"))
    }
}

/// A tar stream that is read.
pub struct TarOrigin<R: Read>(Archive<R>);

impl<R: Read> TarOrigin<R> {
    pub fn new(reader: R) -> Self {
        Self(Archive::new(reader))
    }

    /// Hands every member over.
    ///
    /// # Errors
    /// The stream is no archive, has a member that is no file, directory or link or lies outside of its
    /// top, or a member cannot be taken.
    pub fn send(&mut self, receiver: &mut dyn Receiver) -> Result<(), CopyError> {
        let failed = || CopyError::io("reading", "the archive");
        for member in self.0.entries().map_err(failed())? {
            let mut member = member.map_err(failed())?;
            let path = inside(&member.path().map_err(failed())?)?;
            let header = member.header();
            let number = |number: io::Result<u64>| {
                number
                    .ok()
                    .and_then(|number| u32::try_from(number).ok())
                    .unwrap_or(0)
            };
            let facts = Facts {
                mode: header.mode().unwrap_or(0o644) & 0o7777,
                uid: number(header.uid()),
                gid: number(header.gid()),
                modified: header
                    .mtime()
                    .ok()
                    .and_then(|at| i64::try_from(at).ok())
                    .unwrap_or(0),
            };
            let link = member
                .link_name()
                .map_err(failed())?
                .map(|link| link.into_owned());
            let item = match (header.entry_type(), link) {
                (EntryType::Directory, _) => Item::Directory,
                (EntryType::Symlink, Some(target)) => Item::Link(target),
                (EntryType::Link, Some(target)) => Item::Same(inside(&target)?),
                (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse, _) => {
                    Item::File {
                        size: member.size(),
                        content: &mut member,
                    }
                }
                (EntryType::XGlobalHeader, _) => continue,
                _ => {
                    return Err(CopyError::Kind {
                        path,
                        what: "device or pipe",
                    });
                }
            };
            if path.as_os_str().is_empty() && !matches!(item, Item::Directory) {
                return Err(CopyError::Outside { path });
            }
            receiver.take(&path, &facts, item)?;
        }
        Ok(())
    }
}

/// Returns a member's path without what stands for the top; one that leads out of it is refused.
fn inside(path: &Path) -> Result<PathBuf, CopyError> {
    let mut kept = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => kept.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(CopyError::Outside {
                    path: path.to_owned(),
                });
            }
        }
    }
    Ok(kept)
}
