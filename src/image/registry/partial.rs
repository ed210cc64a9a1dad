//! The blob of a layer while it comes in: `images/downloads/HEX`.
//!
//! Its lock is held from before the first byte until the layer counts. Whoever waits for it does
//! not fetch the layer a second time, so it does not matter in which order they get it.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nix::fcntl::{Flock, FlockArg};

use crate::image::ImageError;
use crate::image::store::ContentStore;
use crate::names::Digest;

/// A blob that nobody else fetches.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    file: Flock<File>,
}

impl Partial {
    /// Waits until nobody else fetches the blob.
    pub(super) fn lock(store: &ContentStore, digest: &Digest) -> Result<Self, ImageError> {
        let path = store.download_path(digest);
        let locked = || -> io::Result<Flock<File>> {
            loop {
                let file = File::options()
                    .read(true)
                    .append(true)
                    .create(true)
                    .open(&path)?;
                let lock = Flock::lock(file, FlockArg::LockExclusive)
                    .map_err(|(_, errno)| io::Error::from(errno))?;
                // Who had it before may have removed the file: then it is nobody's lock any more.
                match fs::metadata(&path) {
                    Ok(now) if now.ino() == lock.metadata()?.ino() => return Ok(lock),
                    _ => {}
                }
            }
        };
        let file = locked().map_err(ImageError::file("locking", &path))?;
        Ok(Self { path, file })
    }

    /// Returns how many bytes are here.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Returns the bytes that are here, from the first.
    pub(super) fn stored(&self) -> io::Result<impl Read> {
        File::open(&self.path)
    }

    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(bytes)
    }

    /// Forgets all bytes: they are not what they should be.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.file.set_len(0)
    }

    /// Removes the file, then frees the lock.
    pub(super) fn remove(self) -> Result<(), ImageError> {
        fs::remove_file(&self.path).map_err(ImageError::file("removing", &self.path))
    }
}
