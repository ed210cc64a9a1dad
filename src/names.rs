//! The names things go by: parsed once at the door, then trusted.
//!
//! Every type here can only hold a valid value. Serde goes through the same parser,
//! so that a stored record cannot hold a name which the command line would refuse.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::IdSource;

/// A name that its type does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct NameError {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl NameError {
    fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self {
            what,
            text: text.chars().take(80).collect(),
            rule,
        }
    }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the text.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError::new($what, text, $rule))
                }
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        text_type!($(#[$doc])* $name, $what, is_id, "an id has 64 lower-case hexadecimal digits");

        impl $name {
            /// Draws a fresh id.
            #[must_use]
            pub fn draw(source: &mut dyn IdSource) -> Self {
                Self(hex(&source.draw()))
            }

            /// Returns the first 12 digits, the form tables show.
            #[must_use]
            pub fn short(&self) -> &str {
                &self.0[..12]
            }
        }
    };
}

const OBJECT_RULE: &str = "it starts with a letter or a digit, goes on with letters, digits, `_`, `.` and `-`, and has at most 253 characters";

id_type!(
    /// The id of a pod.
    PodId, "pod id"
);
id_type!(
    /// The id of a container, the infra container's included.
    ContainerId, "container id"
);
id_type!(
    /// The id of an image: the SHA-256 of its configuration.
    ImageId, "image id"
);
text_type!(
    /// The name of a pod, as podman allows them: Kubernetes' own are a subset.
    PodName, "pod name", is_object_name, OBJECT_RULE
);
text_type!(
    /// The name of a container within its pod.
    ContainerName, "container name", is_object_name, OBJECT_RULE
);
text_type!(
    /// The name of a volume: of one in a pod, or of a named volume of the host.
    VolumeName, "volume name", is_object_name, OBJECT_RULE
);
text_type!(
    /// The name of a network.
    NetworkName, "network name", is_object_name, OBJECT_RULE
);

impl NetworkName {
    /// Returns the name of the network that pods join by default.
    ///
    /// # Panics
    /// Never: the constant is a name.
    #[must_use]
    pub fn default_network() -> Self {
        Self::parse("podwright").expect("the constant is a network name")
    }

    /// Returns whether this is the network that every installation has.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default_network()
    }
}

text_type!(
    /// The name of a ConfigMap or a Secret.
    ObjectName, "object name", is_object_name, OBJECT_RULE
);
text_type!(
    /// A host name: an RFC 1123 subdomain or label, upper case allowed as the kernel does.
    Hostname, "host name", is_hostname, "it has labels of letters, digits and `-`, joined by `.`, and at most 64 characters"
);
text_type!(
    /// A name of a host as resolvers know it: longer than the kernel's own may be (RFC 1123).
    DnsName, "host name", is_dns_name, "it has labels of letters, digits and `-`, joined by `.`, and at most 253 characters"
);
text_type!(
    /// The digest of a blob: `sha256:` and 64 hexadecimal digits.
    Digest, "digest", is_digest, "only `sha256:` with 64 hexadecimal digits is known"
);

/// The name of what was played together: every pod, volume and object has one as its owner.
pub type ApplicationName = ObjectName;

impl ImageId {
    /// Returns the digest of the image's configuration.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(format!("sha256:{}", self.0))
    }
}

impl Digest {
    /// Returns the digest of 32 bytes of SHA-256.
    #[must_use]
    pub fn sha256(bytes: &[u8; 32]) -> Self {
        Self(format!("sha256:{}", hex(bytes)))
    }

    /// Returns the hexadecimal digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// Returns the id of the image whose configuration has this digest.
    #[must_use]
    pub fn image_id(&self) -> ImageId {
        ImageId(self.hex().to_owned())
    }
}

/// An image reference, normalised: `REGISTRY/REPOSITORY[:TAG][@DIGEST]`.
///
/// A reference without a registry keeps an empty one until a short name is resolved;
/// one without tag and digest means `latest`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    registry: Option<String>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl ImageRef {
    /// Parses a reference as `docker` and `podman` spell them.
    ///
    /// # Errors
    /// Says that the reference has an invalid format.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let invalid = |rule| NameError::new("image reference", text, rule);
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(
                    Digest::parse(digest)
                        .map_err(|_| invalid("invalid reference format: bad digest"))?,
                ),
            ),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].rsplit_once(':') {
            Some((name, tag)) => (&rest[..last + name.len()], Some(tag)),
            None => (rest, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(invalid("invalid reference format: bad tag"));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, others))
                if first == "localhost" || first.contains('.') || first.contains(':') =>
            {
                (Some(first), others)
            }
            _ => (None, name),
        };
        if registry.is_some_and(|registry| !is_registry(registry)) {
            return Err(invalid("invalid reference format: bad registry"));
        }
        if repository.is_empty()
            || repository.len() > 255
            || !repository.split('/').all(is_path_component)
        {
            return Err(invalid(
                "invalid reference format: repository name must be lowercase",
            ));
        }
        Ok(Self {
            registry: registry.map(str::to_owned),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// Returns the registry host, if the reference names one.
    #[must_use]
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// Returns the repository without its registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag: `latest` where the reference has neither tag nor digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, Some(_)) => None,
            (None, None) => Some("latest"),
        }
    }

    /// Returns the digest, if the reference is pinned to one.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns the registry and repository, without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// Returns the same image in `registry`; one that already names a registry stays as it is.
    #[must_use]
    pub fn in_registry(&self, registry: &str) -> Self {
        Self {
            registry: self.registry.clone().or_else(|| Some(registry.to_owned())),
            ..self.clone()
        }
    }

    /// Returns the same tag and digest under the registry and repository of another reference.
    #[must_use]
    pub fn renamed(&self, name: &Self) -> Self {
        Self {
            registry: name.registry.clone(),
            repository: name.repository.clone(),
            ..self.clone()
        }
    }

    /// Returns the reference as an image is recorded under it: a digest makes its tag void.
    #[must_use]
    pub fn pinned(&self) -> Self {
        match &self.digest {
            Some(_) => Self {
                tag: None,
                ..self.clone()
            },
            None => self.qualified(),
        }
    }

    /// Returns the reference with its implied tag written out.
    #[must_use]
    pub fn qualified(&self) -> Self {
        Self {
            tag: self.tag().map(str::to_owned),
            ..self.clone()
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.name();
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest.as_str());
        }
        f.pad(&text)
    }
}

impl fmt::Debug for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl FromStr for ImageRef {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ImageRef {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<ImageRef> for String {
    fn from(reference: ImageRef) -> String {
        reference.to_string()
    }
}

/// Returns the bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(is_id)
}

fn is_object_name(text: &str) -> bool {
    text.len() <= 253
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 64 && is_dns_name(text)
}

fn is_dns_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

fn is_tag(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with(['.', '-'])
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    is_dns_name(host) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_path_component(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_references_are_normalised() {
        let pinned = "quay.io:5000/a/b:1@sha256:".to_owned() + &"0".repeat(64);
        for (text, registry, repository, tag) in [
            ("nginx", None, "nginx", Some("latest")),
            ("nginx:1.25", None, "nginx", Some("1.25")),
            ("library/nginx", None, "library/nginx", Some("latest")),
            ("localhost/a:b", Some("localhost"), "a", Some("b")),
            (
                "localhost:5000/a",
                Some("localhost:5000"),
                "a",
                Some("latest"),
            ),
            (pinned.as_str(), Some("quay.io:5000"), "a/b", Some("1")),
        ] {
            let reference = ImageRef::parse(text).unwrap();
            assert_eq!(reference.registry(), registry, "{text}");
            assert_eq!(reference.repository(), repository, "{text}");
            assert_eq!(reference.tag(), tag, "{text}");
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn bad_image_references_are_refused() {
        for text in [
            "./myimage",
            "",
            "Nginx",
            "a:",
            "a b",
            "a@sha256:12",
            "/a",
            "a//b",
            "-x/a.b:c:d",
        ] {
            assert!(ImageRef::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_no_paths() {
        for text in ["", ".", "..", "a/b", "-a", "_a", "a\0"] {
            assert!(PodName::parse(text).is_err(), "{text:?}");
        }
        assert!(PodName::parse("a_b.c-1").is_ok());
    }
}
