//! Which Kubernetes a manifest is meant for.

use std::fmt;

/// A minor version of Kubernetes 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion(pub(super) u8);

/// A text that names no version of Kubernetes that is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no known version of Kubernetes: {oldest} to {newest} are",
    oldest = KubernetesVersion::OLDEST,
    newest = KubernetesVersion::NEWEST
)]
pub struct UnknownVersion(pub String);

impl KubernetesVersion {
    /// The oldest version whose fields are known.
    pub const OLDEST: Self = KubernetesVersion(25);
    /// The newest version whose fields are known, and the default; objects are decoded into its types.
    pub const NEWEST: Self = KubernetesVersion(37);
    /// The version whose rules are those of [`rules`](crate::manifest::rules), and the default of `kube validate`.
    pub const RULES: Self = KubernetesVersion(34);

    /// Parses `1.34`, `v1.34` or `1.34.1`.
    pub fn parse(text: &str) -> Result<Self, UnknownVersion> {
        let unknown = || UnknownVersion(text.to_owned());
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let (major, minor, patch) = (parts.next(), parts.next(), parts.next());
        let patch_is_number = patch.is_none_or(|patch| patch.parse::<u32>().is_ok());
        if major != Some("1") || !patch_is_number || parts.next().is_some() {
            return Err(unknown());
        }
        let minor = minor.and_then(|minor| minor.parse().ok());
        minor
            .map(KubernetesVersion)
            .filter(|version| (Self::OLDEST..=Self::NEWEST).contains(version))
            .ok_or_else(unknown)
    }

    pub(super) const fn minor(self) -> u8 {
        self.0
    }
}

impl Default for KubernetesVersion {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_with_or_without_v_and_patch() {
        for text in ["1.34", "v1.34", "1.34.1", "v1.34.0"] {
            let version = KubernetesVersion::parse(text).map(|version| version.to_string());
            assert_eq!(version.as_deref(), Ok("1.34"), "{text}");
        }
        for text in [
            "", "1", "1.24", "1.99", "2.34", "1.34.x", "1.34.1.1", "latest",
        ] {
            let error = KubernetesVersion::parse(text).expect_err(text);
            assert!(error.to_string().contains("1.25 to 1.37"), "{error}");
        }
    }
}
