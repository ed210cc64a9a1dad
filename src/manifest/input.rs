//! Where sources come from.

use std::convert::Infallible;

use super::text::Source;

/// A source that is opened when its turn comes, and forgotten when it was read.
///
/// It may be opened again, to look at what others turned out to define.
pub trait Input: Sync {
    /// Why a source cannot be opened.
    type Error: Send;

    /// Opens the source.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn open(&self) -> Result<Source, Self::Error>;
}

impl Input for Source {
    type Error = Infallible;

    fn open(&self) -> Result<Source, Infallible> {
        Ok(self.clone())
    }
}

impl<I: Input> Input for &I {
    type Error = I::Error;

    fn open(&self) -> Result<Source, I::Error> {
        (*self).open()
    }
}
