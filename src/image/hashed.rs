//! Hashes and counts what is written through it.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::names::Digest;

/// A writer whose bytes are known by their digest afterwards.
pub(super) struct Hashed<W> {
    inner: W,
    hash: Sha256,
    count: u64,
}

impl<W> Hashed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            count: 0,
        }
    }

    /// Returns how many bytes were written.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the digest of what was written so far.
    pub(super) fn digest(&self) -> Digest {
        Digest::sha256(&self.hash.clone().finalize().into())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
