//! The API of one registry (OCI distribution specification 1.1), for one user.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ureq::http::{Method, Response, header};
use ureq::{Body, BodyReader};

use super::RegistryError;
use super::auth::{Credentials, Scope, grant, message_of};
use super::error::is_certificate;
use super::http::{Ask, Content, Http, host_of, join, text_of};
use crate::image::format::{MANIFESTS, digest_of};
use crate::image::store::DOCUMENT_LIMIT;
use crate::names::Digest;

/// How often a request is tried again.
const RETRIES: u32 = 3;
/// How long before the first time; each further wait is twice as long.
const BACK_OFF: Duration = Duration::from_secs(1);
/// The longest wait a registry may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// A host that speaks the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Host and port.
    pub(super) host: String,
    /// Whether certificates may be anybody's, and HTTP plain.
    pub(super) insecure: bool,
}

/// A registry, its connections and what it has granted.
#[derive(Debug)]
pub(super) struct Client {
    endpoint: Endpoint,
    http: Http,
    credentials: Option<Credentials>,
    base: OnceLock<String>,
    grants: Mutex<HashMap<Scope, String>>,
}

/// A manifest as the registry has it.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    pub(super) media_type: String,
    pub(super) digest: Digest,
}

/// The bytes of a blob, from somewhere on.
pub(super) struct Stream {
    pub(super) from: u64,
    pub(super) reader: BodyReader<'static>,
}

impl Client {
    pub(super) fn new(endpoint: Endpoint, http: Http, credentials: Option<Credentials>) -> Self {
        Self {
            endpoint,
            http,
            credentials,
            base: OnceLock::new(),
            grants: Mutex::default(),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// Asks for nothing: it goes well if the user is known.
    pub(super) fn greet(&self) -> Result<(), RegistryError> {
        let ask = Ask::new(Method::GET, self.url("")?);
        self.ask(&Scope::Login, &ask, "a login").map(drop)
    }

    /// Fetches a manifest by tag or digest; one by digest is checked.
    pub(super) fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Fetched, RegistryError> {
        let what = format!("image `{repository}:{reference}`");
        self.again(|| {
            let url = self.url(&format!("{repository}/manifests/{reference}"))?;
            let ask = Ask::new(Method::GET, url).header(header::ACCEPT, MANIFESTS.join(", "));
            let response = self.ask(&Scope::Pull(repository.to_owned()), &ask, &what)?;
            let media_type = text_of(&response, &header::CONTENT_TYPE).unwrap_or_default();
            let media_type = media_type.split(';').next().unwrap_or_default().to_owned();
            let bytes = self.document(response, &what)?;
            let digest = digest_of(&bytes);
            match Digest::parse(reference) {
                Ok(wanted) if wanted != digest => Err(RegistryError::Protocol {
                    host: self.host().to_owned(),
                    what: format!("{what}: its digest is {digest}"),
                }),
                _ => Ok(Fetched {
                    bytes,
                    media_type,
                    digest,
                }),
            }
        })
    }

    /// Fetches a small blob whole, and checks it.
    pub(super) fn document_blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Vec<u8>, RegistryError> {
        let what = format!("blob `{digest}`");
        self.again(|| {
            let response = self.ask_blob(repository, digest, 0, &what)?;
            let bytes = self.document(response, &what)?;
            match digest_of(&bytes) == *digest {
                true => Ok(bytes),
                false => Err(RegistryError::Protocol {
                    host: self.host().to_owned(),
                    what: format!("{what}: its digest is {}", digest_of(&bytes)),
                }),
            }
        })
    }

    /// Begins to fetch a blob, behind the bytes that are here if the registry can do that.
    pub(super) fn blob(
        &self,
        repository: &str,
        digest: &Digest,
        from: u64,
    ) -> Result<Stream, RegistryError> {
        let what = format!("blob `{digest}`");
        let response = self.ask_blob(repository, digest, from, &what)?;
        let starts_there = || {
            let range = text_of(&response, &header::CONTENT_RANGE)?;
            let start = range.strip_prefix("bytes ")?.split('-').next()?;
            (start.parse::<u64>().ok()? == from).then_some(from)
        };
        let from = match response.status().as_u16() {
            206 => starts_there().ok_or_else(|| RegistryError::Protocol {
                host: self.host().to_owned(),
                what: format!("part of {what}"),
            })?,
            _ => 0,
        };
        let reader = response
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        Ok(Stream { from, reader })
    }

    /// Returns whether the registry has a blob, for somebody who pushes.
    pub(super) fn has_blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        let what = format!("blob `{digest}`");
        let asked = self.again(|| {
            let url = self.url(&format!("{repository}/blobs/{digest}"))?;
            let scope = Scope::Push(repository.to_owned());
            self.ask(&scope, &Ask::new(Method::HEAD, url), &what)
        });
        match asked {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a blob: where to, the registry says.
    pub(super) fn upload(
        &self,
        repository: &str,
        digest: &Digest,
        content: Content<'_>,
    ) -> Result<(), RegistryError> {
        let what = format!("a push of blob `{digest}`");
        let scope = Scope::Push(repository.to_owned());
        let start = self.url(&format!("{repository}/blobs/uploads/"))?;
        let opened = self.ask(&scope, &Ask::new(Method::POST, start.clone()), &what)?;
        let location = text_of(&opened, &header::LOCATION).unwrap_or_default();
        let start = start.parse().ok();
        let Some(to) = start.and_then(|start| join(&start, location)) else {
            return Err(RegistryError::Protocol {
                host: self.host().to_owned(),
                what: "place for an upload".to_owned(),
            });
        };
        let to = to.to_string();
        let joint = if to.contains('?') { '&' } else { '?' };
        let mut ask = Ask::new(Method::PUT, format!("{to}{joint}digest={digest}"))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        ask.content = content;
        self.ask(&scope, &ask, &what).map(drop)
    }

    /// Gives the manifest its name.
    pub(super) fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        (media_type, bytes): (&str, &[u8]),
    ) -> Result<(), RegistryError> {
        let what = format!("a push of image `{repository}:{reference}`");
        self.again(|| {
            let url = self.url(&format!("{repository}/manifests/{reference}"))?;
            let mut ask = Ask::new(Method::PUT, url).header(header::CONTENT_TYPE, media_type);
            ask.content = Content::Bytes(bytes);
            self.ask(&Scope::Push(repository.to_owned()), &ask, &what)
                .map(drop)
        })
    }

    fn ask_blob(
        &self,
        repository: &str,
        digest: &Digest,
        from: u64,
        what: &str,
    ) -> Result<Response<Body>, RegistryError> {
        let mut ask = Ask::new(
            Method::GET,
            self.url(&format!("{repository}/blobs/{digest}"))?,
        );
        if from > 0 {
            ask = ask.header(header::RANGE, format!("bytes={from}-"));
        }
        self.ask(&Scope::Pull(repository.to_owned()), &ask, what)
    }

    fn document(&self, response: Response<Body>, what: &str) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        let body = response
            .into_body()
            .into_with_config()
            .limit(DOCUMENT_LIMIT);
        let read = body.reader().read_to_end(&mut bytes);
        read.map_err(|source| RegistryError::Transfer {
            host: self.host().to_owned(),
            what: what.to_owned(),
            source,
        })?;
        Ok(bytes)
    }

    /// Returns the URL of something below `/v2/`.
    pub(super) fn url(&self, path: &str) -> Result<String, RegistryError> {
        Ok(format!("{}/v2/{path}", self.base()?))
    }

    /// Returns the scheme and host: an insecure registry may have HTTPS, or may not.
    fn base(&self) -> Result<&str, RegistryError> {
        if let Some(base) = self.base.get() {
            return Ok(base);
        }
        let https = format!("https://{}", self.endpoint.host);
        let base = match self.endpoint.insecure {
            false => https,
            true => {
                let ping = |base: &str| {
                    self.http
                        .send(&Ask::new(Method::GET, format!("{base}/v2/")))
                };
                let http = format!("http://{}", self.endpoint.host);
                match ping(&https) {
                    Ok(_) => https,
                    Err(first) => match ping(&http) {
                        Ok(_) => http,
                        Err(RegistryError::Connection { .. }) => return Err(first),
                        Err(other) => return Err(other),
                    },
                }
            }
        };
        Ok(self.base.get_or_init(|| base))
    }

    /// Sends a request as the user, and returns the answer if it is a success.
    pub(super) fn ask(
        &self,
        scope: &Scope,
        ask: &Ask<'_>,
        what: &str,
    ) -> Result<Response<Body>, RegistryError> {
        let grant_now = || {
            let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
            grants.get(scope).cloned()
        };
        let mut response = self.send_as(ask, grant_now())?;
        if response.status().as_u16() == 401 {
            let granted = grant(&self.http, &response, scope, self.credentials.as_ref())?;
            if let Some(authorization) = granted {
                let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
                grants.insert(scope.clone(), authorization.clone());
                drop(grants);
                response = self.send_as(ask, Some(authorization))?;
            }
        }
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response, what))
    }

    fn send_as(
        &self,
        ask: &Ask<'_>,
        authorization: Option<String>,
    ) -> Result<Response<Body>, RegistryError> {
        // An upload goes where the registry says; who asks is told to the registry alone.
        let own = host_of(&ask.url) == self.endpoint.host;
        let sent = match authorization.filter(|_| own) {
            Some(value) => self
                .http
                .send(&ask.clone().header(header::AUTHORIZATION, value)),
            None => self.http.send(ask),
        };
        sent.map_err(|error| match error {
            RegistryError::Connection { host, source }
                if host == self.endpoint.host && speaks_plain_http(&source) =>
            {
                RegistryError::PlainHttp { host }
            }
            other => other,
        })
    }

    fn refusal(&self, response: Response<Body>, what: &str) -> RegistryError {
        let status = response.status().as_u16();
        if let Some(wait) =
            text_of(&response, &header::RETRY_AFTER).and_then(|text| text.parse().ok())
        {
            std::thread::sleep(Duration::from_secs(wait).min(LONGEST));
        }
        let mut body = Vec::new();
        // The words of an error are a courtesy; the status is what counts.
        let _ = response
            .into_body()
            .into_with_config()
            .limit(1 << 16)
            .reader()
            .read_to_end(&mut body);
        let (host, what, message) = (self.host().to_owned(), what.to_owned(), message_of(&body));
        match status {
            401 | 403 => RegistryError::Denied {
                host,
                what,
                message,
            },
            404 => RegistryError::NotFound { host, what },
            status => RegistryError::Answer {
                host,
                status,
                what,
                message,
            },
        }
    }

    /// Tries again what may pass, each time after a longer wait.
    pub(super) fn again<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut tried = 0;
        loop {
            match attempt() {
                Err(error) if error.is_passing() && tried < RETRIES => {
                    std::thread::sleep(back_off(tried));
                    tried += 1;
                }
                other => return other,
            }
        }
    }
}

/// Returns how long to wait after so many failures.
pub(super) fn back_off(tried: u32) -> Duration {
    BACK_OFF.saturating_mul(1 << tried.min(5)).min(LONGEST)
}

/// Whether more attempts are made after so many failures.
pub(super) fn gives_up(tried: u32) -> bool {
    tried >= RETRIES
}

/// Returns whether a TLS handshake failed on bytes that are no TLS.
fn speaks_plain_http(error: &ureq::Error) -> bool {
    let text = error.to_string();
    is_certificate(error)
        && (text.contains("InvalidContentType") || text.contains("corrupt message"))
}
