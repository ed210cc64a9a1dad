//! Where sources come from.

use super::sorted::Lost;
use super::text::Source;

/// A source that is opened when its turn comes, and forgotten when it was read.
///
/// It may be opened again, to look at what others turned out to define.
pub trait Input: Send + Sync {
    /// Why a source cannot be opened, or what was put aside while others were read is lost.
    type Error: From<Lost> + Send;

    /// Opens the source.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn open(&self) -> Result<Source, Self::Error>;
}

impl Input for Source {
    type Error = Lost;

    fn open(&self) -> Result<Source, Lost> {
        Ok(self.clone())
    }
}

impl<I: Input> Input for &I {
    type Error = I::Error;

    fn open(&self) -> Result<Source, I::Error> {
        (*self).open()
    }
}
