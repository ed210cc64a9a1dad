//! The names of network links.

use std::fmt;

/// The name of a network link: up to 15 letters, digits, `-`, `_` and `.`.
///
/// Stricter than the kernel, so that a name can stand unquoted in a packet filter rule and in a
/// path below `/proc/sys`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName(String);

/// A text that cannot name a network link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a network link")]
pub struct LinkNameError(String);

impl LinkName {
    /// Parses a name.
    ///
    /// # Errors
    /// The text is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, LinkNameError> {
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if starts && text.len() <= 15 && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LinkNameError(text.to_owned()))
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
