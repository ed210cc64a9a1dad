//! What a pull or push tells while it runs.

use crate::names::{Digest, ImageRef};

/// Is told how far transfers are, from any thread.
pub trait Progress: Send + Sync {
    /// An image is asked for.
    fn begins(&self, image: &ImageRef);

    /// A blob of so many bytes comes or goes.
    fn blob(&self, digest: &Digest, size: u64) -> Box<dyn BlobProgress + '_>;

    /// Something is noteworthy, and in order.
    fn note(&self, text: &str);
}

/// Is told how far one blob is.
pub trait BlobProgress: Send {
    /// So many more bytes were transferred.
    fn advanced(&self, bytes: u64);

    /// Nothing more comes.
    fn ended(&self, end: BlobEnd);
}

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobEnd {
    /// It is there now.
    Done,
    /// It was there already.
    Known,
    /// It is not there.
    Failed,
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _: &ImageRef) {}

    fn blob(&self, _: &Digest, _: u64) -> Box<dyn BlobProgress + '_> {
        Box::new(Self)
    }

    fn note(&self, _: &str) {}
}

impl BlobProgress for Silent {
    fn advanced(&self, _: u64) {}

    fn ended(&self, _: BlobEnd) {}
}
