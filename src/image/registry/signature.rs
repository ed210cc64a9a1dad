//! Signatures of sigstore by a key: a payload that names an image, signed, and kept in the registry.
//!
//! cosign, podman and skopeo put them beside the image under the tag `sha256-HEX.sig`, each as a layer:
//! the blob is the payload, an annotation has the signature. The crate `sigstore` knows much more
//! (Fulcio, Rekor, OpenID) and brings a second HTTP client for it; the verification itself is one
//! call of ring, which TLS needs anyway.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::RegistryError;
use super::client::Client;
use super::config::{Identity, Key, Policy, Requirement, Wanted, wrong};
use crate::image::format::Manifest;
use crate::manifest::base64;
use crate::names::Digest;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const PAYLOAD_TYPE: &str = "cosign container image signature";
/// How many signatures of one image are looked at.
const SIGNATURES: usize = 100;

/// A signature as the registry has it.
struct Signature {
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    #[serde(rename = "type")]
    kind: String,
    identity: Named,
    image: Pinned,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize)]
struct Pinned {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

/// Lets an image in, or says why not; `digests` are those of its manifest and of the index it is in.
pub(super) fn check(
    policy: &Policy,
    wanted: &Wanted,
    (client, repository): (&Client, &str),
    digests: &[&Digest],
) -> Result<(), RegistryError> {
    let refused = |message: String| RegistryError::Policy {
        image: format!("{}/{}", wanted.registry, wanted.repository),
        policy: policy.path.clone(),
        message,
    };
    for requirement in policy.requirements(wanted) {
        match requirement {
            Requirement::Anything => {}
            Requirement::Nothing => {
                return Err(refused("no image from there is let in".to_owned()));
            }
            Requirement::Unknown(what) => {
                return Err(refused(format!("{what} cannot be checked here")));
            }
            Requirement::Signed { keys, identity } => {
                let keys = keys
                    .iter()
                    .map(PublicKey::read)
                    .collect::<Result<Vec<_>, _>>()?;
                let found = signatures(client, repository, digests)?;
                if found.is_empty() {
                    return Err(refused("it is not signed".to_owned()));
                }
                let why_not = |signature| why_not(signature, &keys, (identity, wanted), digests);
                let reasons: Option<Vec<String>> = found.iter().map(why_not).collect();
                if let Some(reasons) = reasons {
                    return Err(refused(reasons.join("; ")));
                }
            }
        }
    }
    Ok(())
}

fn signatures(
    client: &Client,
    repository: &str,
    digests: &[&Digest],
) -> Result<Vec<Signature>, RegistryError> {
    let mut found = Vec::new();
    for digest in digests {
        let tag = format!("sha256-{}.sig", digest.hex());
        let manifest = match client.manifest(repository, &tag) {
            Ok(fetched) => fetched,
            Err(RegistryError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        let Ok(manifest) = serde_json::from_slice::<Manifest>(&manifest.bytes) else {
            continue;
        };
        for layer in manifest.layers.iter().take(SIGNATURES) {
            let Some(Ok(signature)) = layer
                .annotations
                .get(SIGNATURE)
                .map(|text| base64::decode(text))
            else {
                continue;
            };
            found.push(Signature {
                payload: client.document_blob(repository, &layer.digest)?,
                signature,
            });
        }
    }
    Ok(found)
}

/// Returns why a signature does not let the image in, or none if it does.
fn why_not(
    signature: &Signature,
    keys: &[PublicKey],
    (identity, wanted): (&Identity, &Wanted),
    digests: &[&Digest],
) -> Option<String> {
    if !keys.iter().any(|key| key.has_signed(signature)) {
        return Some("a signature is by another key".to_owned());
    }
    let Ok(Payload { critical }) = serde_json::from_slice(&signature.payload) else {
        return Some("a signature is of something else than an image".to_owned());
    };
    if critical.kind != PAYLOAD_TYPE || !digests.contains(&&critical.image.digest) {
        return Some("a signature is of another image".to_owned());
    }
    let reference = critical.identity.reference;
    match identity.allows(&reference, wanted) {
        true => None,
        false => Some(format!("a signature is for `{reference}`")),
    }
}

/// A key that may have signed.
struct PublicKey(UnparsedPublicKey<Vec<u8>>);

impl PublicKey {
    fn read(key: &Key) -> Result<Self, RegistryError> {
        let (path, pem) = match key {
            Key::File(path) => {
                let pem = std::fs::read(path).map_err(|error| wrong(path, &error))?;
                (path.as_path(), pem)
            }
            Key::Pem(pem) => (std::path::Path::new("keyData"), pem.clone()),
        };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem)
            .map_err(|_| wrong(path, &"it is no public key in PEM"))?;
        let parsed = parse(&der).ok_or_else(|| wrong(path, &"a key of this kind is not known"))?;
        Ok(Self(parsed))
    }

    fn has_signed(&self, signature: &Signature) -> bool {
        self.0
            .verify(&signature.payload, &signature.signature)
            .is_ok()
    }
}

/// Reads a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7): `{ {algorithm, parameters} bits }`.
fn parse(der: &[u8]) -> Option<UnparsedPublicKey<Vec<u8>>> {
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const ED: &[u8] = &[0x2b, 0x65, 0x70];
    let (whole, _) = element(der, 0x30)?;
    let (algorithm, rest) = element(whole, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    let key = bits.strip_prefix(&[0])?.to_vec();
    let (name, parameters) = element(algorithm, 0x06)?;
    let curve = || element(parameters, 0x06).map(|(curve, _)| curve);
    let kind: &'static dyn VerificationAlgorithm = match name {
        EC if curve() == Some(P256) => &ECDSA_P256_SHA256_ASN1,
        EC if curve() == Some(P384) => &ECDSA_P384_SHA256_ASN1,
        RSA => &RSA_PKCS1_2048_8192_SHA256,
        ED => &ED25519,
        _ => return None,
    };
    Some(UnparsedPublicKey::new(kind, key))
}

/// Takes one element of DER with this tag: its content, and what follows.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (bytes, rest) = rest.split_at_checked(2)?;
            (usize::from(u16::from_be_bytes([bytes[0], bytes[1]])), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (found == tag).then_some((content, rest))
}
