//! Whom TLS trusts: the host's certificates, and those of `certs.d` for one registry.
//!
//! `containers-certs.d(5)`: in a directory named `HOST[:PORT]`, each `*.crt` is a certificate
//! authority, and `NAME.cert` with `NAME.key` is who this host is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{
    Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem,
};

use super::RegistryError;

/// Where distributions keep the certificates of the authorities, as one file.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What is known of one registry's certificates.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    authorities: Vec<Certificate<'static>>,
    own: Option<ClientCert>,
}

impl Certificates {
    /// Reads the first of the directories that is there; none is fine.
    pub(super) fn read(directories: &[PathBuf]) -> Result<Self, RegistryError> {
        let mut found = Self::default();
        let Some(directory) = directories.iter().find(|path| path.is_dir()) else {
            return Ok(found);
        };
        let mut paths: Vec<PathBuf> = fs::read_dir(directory)
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect()
            })
            .map_err(|error| unreadable(directory, &error))?;
        paths.sort();
        for path in paths {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => found.authorities.extend(certificates(&path)?),
                Some("cert") => {
                    let key = path.with_extension("key");
                    let chain = certificates(&path)?;
                    let text = fs::read(&key).map_err(|error| unreadable(&key, &error))?;
                    let key =
                        PrivateKey::from_pem(&text).map_err(|error| unreadable(&key, &error))?;
                    found.own = Some(ClientCert::new_with_certs(&chain, key));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Returns the settings of a connection; without `verify` every certificate is taken.
    pub(super) fn config(&self, verify: bool) -> TlsConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = match verify {
            true => system(),
            false => Vec::new(),
        };
        roots.extend(self.authorities.iter().cloned());
        TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::from(roots))
            .client_cert(self.own.clone())
            .disable_verification(!verify)
            .build()
    }
}

/// Returns the authorities this host trusts; `SSL_CERT_FILE` names another file.
fn system() -> Vec<Certificate<'static>> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = BUNDLES.iter().map(PathBuf::from);
    let text = named
        .into_iter()
        .chain(known)
        .find_map(|path| fs::read(path).ok())
        .unwrap_or_default();
    // A certificate that cannot be read vouches for nobody; the others still do.
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    parse_pem(&text).filter_map(certificate).collect()
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let text = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| unreadable(path, &error))? {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(unreadable(path, &"it has no certificate")),
        false => Ok(found),
    }
}

fn unreadable(path: &Path, message: &dyn std::fmt::Display) -> RegistryError {
    RegistryError::Settings {
        path: path.to_owned(),
        message: message.to_string(),
    }
}
