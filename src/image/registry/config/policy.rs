//! `containers-policy.json(5)`: which images are let in.
//!
//! Of all that stands under `docker` (and under `default`) the most exact scope counts, and all of its
//! requirements have to be met. GPG (`signedBy`), Fulcio and Rekor are refused, never passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::places::{read, wrong};
use super::registries::Wanted;
use crate::image::registry::RegistryError;

/// The policy of this host.
#[derive(Debug, Clone)]
pub(in crate::image::registry) struct Policy {
    pub(in crate::image::registry) path: PathBuf,
    default: Vec<Requirement>,
    docker: BTreeMap<String, Vec<Requirement>>,
}

/// What an image has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image::registry) enum Requirement {
    Anything,
    Nothing,
    /// One of the keys has signed it, under this identity.
    Signed {
        keys: Vec<Key>,
        identity: Identity,
    },
    /// It is something that cannot be checked here.
    Unknown(String),
}

/// A public key, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image::registry) enum Key {
    File(PathBuf),
    Pem(Vec<u8>),
}

/// Which name a signature has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image::registry) enum Identity {
    /// The same name and tag; by digest, the same repository.
    RepoDigestOrExact,
    Exact,
    Repository,
    /// This very reference.
    Reference(String),
    /// Anything in this repository.
    InRepository(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Vec<Value>,
    #[serde(default)]
    transports: BTreeMap<String, BTreeMap<String, Vec<Value>>>,
}

impl Policy {
    /// Reads the policy; where there is none, everything is let in.
    pub(in crate::image::registry) fn read(path: &Path) -> Result<Self, RegistryError> {
        let Some(text) = read(path)? else {
            return Ok(Self {
                path: path.to_owned(),
                default: vec![Requirement::Anything],
                docker: BTreeMap::new(),
            });
        };
        Self::parse(path, &text).map_err(|message| wrong(path, &message))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let mut file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let all = |values: Vec<Value>| match values.is_empty() {
            true => Err("a list of requirements is empty".to_owned()),
            false => values
                .iter()
                .map(requirement)
                .collect::<Result<Vec<_>, _>>(),
        };
        let docker = file.transports.remove("docker").unwrap_or_default();
        let docker = docker
            .into_iter()
            .map(|(scope, values)| Ok((scope, all(values)?)));
        Ok(Self {
            path: path.to_owned(),
            docker: docker.collect::<Result<_, String>>()?,
            default: all(file.default)?,
        })
    }

    /// Returns what an image has to be.
    pub(in crate::image::registry) fn requirements(&self, wanted: &Wanted) -> &[Requirement] {
        let scopes = scopes(wanted);
        let found = scopes.iter().find_map(|scope| self.docker.get(scope));
        found.unwrap_or(&self.default)
    }
}

/// Returns the scopes an image is in, the most exact first.
fn scopes(wanted: &Wanted) -> Vec<String> {
    let name = format!("{}/{}", wanted.registry, wanted.repository);
    let joint = if wanted.reference.contains(':') {
        '@'
    } else {
        ':'
    };
    let mut scopes = vec![format!("{name}{joint}{}", wanted.reference)];
    let mut part = name.as_str();
    loop {
        scopes.push(part.to_owned());
        match part.rsplit_once('/') {
            Some((parent, _)) => part = parent,
            None => break,
        }
    }
    let mut domain = wanted.registry.as_str();
    while let Some((_, parent)) = domain.split_once('.') {
        scopes.push(format!("*.{parent}"));
        domain = parent;
    }
    scopes.push(String::new());
    scopes
}

fn requirement(value: &Value) -> Result<Requirement, String> {
    let kind = value["type"].as_str().ok_or("a requirement has no type")?;
    match kind {
        "insecureAcceptAnything" => Ok(Requirement::Anything),
        "reject" => Ok(Requirement::Nothing),
        "sigstoreSigned" => signed(value),
        "signedBy" => Ok(Requirement::Unknown(
            "signatures of GPG (signedBy)".to_owned(),
        )),
        other => Err(format!("unknown type {other:?} of a requirement")),
    }
}

fn signed(value: &Value) -> Result<Requirement, String> {
    let known = [
        "type",
        "keyPath",
        "keyPaths",
        "keyData",
        "keyDatas",
        "signedIdentity",
    ];
    let fields = value.as_object().into_iter().flatten();
    if let Some((other, _)) = fields
        .into_iter()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        return Ok(Requirement::Unknown(format!("`{other}` of sigstoreSigned")));
    }
    let texts = |one: &str, many: &str| {
        let list = value[many].as_array().into_iter().flatten();
        let all = std::iter::once(&value[one]).chain(list);
        all.filter_map(|text| text.as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let mut keys: Vec<Key> = texts("keyPath", "keyPaths")
        .into_iter()
        .map(|path| Key::File(path.into()))
        .collect();
    for data in texts("keyData", "keyDatas") {
        let pem = crate::manifest::base64::decode(&data).map_err(|_| "`keyData` is no base64")?;
        keys.push(Key::Pem(pem));
    }
    if keys.is_empty() {
        return Err("sigstoreSigned has no key".to_owned());
    }
    Ok(Requirement::Signed {
        keys,
        identity: identity(&value["signedIdentity"])?,
    })
}

fn identity(value: &Value) -> Result<Identity, String> {
    let text = |name: &str| {
        let text = value[name].as_str().map(str::to_owned);
        text.ok_or_else(|| format!("signedIdentity has no `{name}`"))
    };
    match value["type"].as_str() {
        None | Some("matchRepoDigestOrExact") => Ok(Identity::RepoDigestOrExact),
        Some("matchExact") => Ok(Identity::Exact),
        Some("matchRepository") => Ok(Identity::Repository),
        Some("exactReference") => Ok(Identity::Reference(text("dockerReference")?)),
        Some("exactRepository") => Ok(Identity::InRepository(text("dockerRepository")?)),
        Some(other) => Err(format!("unknown type {other:?} of signedIdentity")),
    }
}

impl Identity {
    /// Returns whether a signature under this name is one for the image.
    pub(in crate::image::registry) fn allows(&self, signed: &str, wanted: &Wanted) -> bool {
        let name = format!("{}/{}", wanted.registry, wanted.repository);
        let repository = repository_of(signed);
        let by_digest = wanted.reference.contains(':');
        let exact = signed == format!("{name}:{}", wanted.reference);
        match self {
            Self::RepoDigestOrExact if by_digest => repository == name,
            Self::RepoDigestOrExact => exact,
            Self::Exact => exact && !by_digest,
            Self::Repository => repository == name,
            Self::Reference(reference) => signed == reference,
            Self::InRepository(wanted) => repository == wanted,
        }
    }
}

/// Returns a reference without its tag or digest.
fn repository_of(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ImageRef;

    fn wanted(name: &str) -> Wanted {
        Wanted::of(&ImageRef::parse(name).unwrap().qualified()).unwrap()
    }

    #[test]
    fn the_most_exact_scope_counts() {
        let policy = Policy::parse(
            Path::new("p"),
            r#"{"default": [{"type": "reject"}], "transports": {
                "docker": {
                    "a.test": [{"type": "insecureAcceptAnything"}],
                    "a.test/bad": [{"type": "reject"}],
                    "a.test/bad/x:1": [{"type": "insecureAcceptAnything"}],
                    "*.b.test": [{"type": "insecureAcceptAnything"}]
                },
                "atomic": {"": [{"type": "insecureAcceptAnything"}]}
            }}"#,
        )
        .unwrap();
        for (name, accepted) in [
            ("a.test/x", true),
            ("a.test/bad/y", false),
            ("a.test/badly", true),
            ("a.test/bad/x:1", true),
            ("a.test/bad/x:2", false),
            ("c.b.test/x", true),
            ("b.test/x", false),
        ] {
            let found = policy.requirements(&wanted(name));
            assert_eq!(found == [Requirement::Anything], accepted, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_checked_is_never_passed_over() {
        let parse = |text: &str| requirement(&serde_json::from_str(text).unwrap());
        let unknown = |text: &str| matches!(parse(text), Ok(Requirement::Unknown(_)));
        assert!(unknown(
            r#"{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}"#
        ));
        assert!(unknown(
            r#"{"type": "sigstoreSigned", "keyPath": "/k", "rekorPublicKeyPath": "/r"}"#
        ));
        assert!(parse(r#"{"type": "sigstoreSigned"}"#).is_err());
        assert!(parse(r#"{"type": "signed"}"#).is_err());
    }

    #[test]
    fn a_signature_counts_for_its_name() {
        let digest = format!("a.test/x@sha256:{}", "0".repeat(64));
        for (identity, signed, image, allowed) in [
            (
                Identity::RepoDigestOrExact,
                "a.test/x:1",
                "a.test/x:1",
                true,
            ),
            (
                Identity::RepoDigestOrExact,
                "a.test/x:1",
                "a.test/x:2",
                false,
            ),
            (
                Identity::RepoDigestOrExact,
                "a.test/x:1",
                digest.as_str(),
                true,
            ),
            (Identity::Exact, "a.test/x", "a.test/x:1", false),
            (Identity::Repository, "a.test/x", "a.test/x:1", true),
            (Identity::Repository, "a.test/y", "a.test/x:1", false),
            (
                Identity::InRepository("b.test:5/z".into()),
                "b.test:5/z:9",
                "a.test/x",
                true,
            ),
            (
                Identity::Reference("b.test/z:9".into()),
                "b.test/z:9",
                "a.test/x",
                true,
            ),
        ] {
            assert_eq!(
                identity.allows(signed, &wanted(image)),
                allowed,
                "{identity:?} {signed} {image}"
            );
        }
    }
}
