//! Copies files between containers, the host and tar streams.
//!
//! ```text
//!   Origin (a tree by descriptor, or a tar stream) ──▶ Item, Item, … ──▶ Target (a tree, or a tar stream)
//! ```
//!
//! What lies in a container was put there by somebody nobody trusts: every path is walked beneath a root
//! descriptor, no link is followed while a tree is walked, and what is no ordinary file is never opened.

mod archive;
mod error;
mod place;
mod root;
mod tree;

use std::io::Read;
use std::path::{Path, PathBuf};

pub use archive::{TarOrigin, TarTarget};
pub use error::CopyError;
pub use place::{Place, Target, find_target};
pub use root::ContainerRoot;
pub use tree::{Origin, TreeTarget, copy_file, walk};

/// What is known of a file beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// In seconds since 1970.
    pub modified: i64,
}

/// One thing on its way.
pub enum Item<'a> {
    Directory,
    File {
        size: u64,
        content: &'a mut dyn Read,
    },
    /// A symbolic link and where it leads.
    Link(PathBuf),
    /// A hard link to a file of the same copy.
    Same(PathBuf),
}

/// Where things go, each under its path below the place that was named.
pub trait Receiver {
    /// Takes one thing; directories come before what is in them.
    ///
    /// # Errors
    /// It cannot be put there.
    fn take(&mut self, path: &Path, facts: &Facts, item: Item<'_>) -> Result<(), CopyError>;

    /// Is told when nothing more comes.
    ///
    /// # Errors
    /// What was taken cannot be finished.
    fn finish(&mut self) -> Result<(), CopyError>;
}
