//! Requests to one registry and to the hosts it sends one to.
//!
//! Connections are pooled and shared by the threads of a pull. Redirects are followed here: what
//! tells who asks goes to the registry alone, never to the storage that it points to.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{Method, Request, Response, Uri, header};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use super::RegistryError;
use super::proxy::Proxies;
use super::resolve::Names;
use super::tls::Certificates;

/// How far redirects lead.
const REDIRECTS: u8 = 5;
/// How long a host may take to take a connection.
const CONNECT: Duration = Duration::from_secs(30);
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(60);

/// One request, which can be sent again.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(header::HeaderName, String)>,
    pub(super) content: Content<'a>,
}

/// The body of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    Nothing,
    Bytes(&'a [u8]),
    File(&'a File),
}

impl Ask<'_> {
    pub(super) fn new(method: Method, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            content: Content::Nothing,
        }
    }

    pub(super) fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The connections of one registry.
#[derive(Debug)]
pub(super) struct Http {
    certificates: Certificates,
    verify: bool,
    proxies: Proxies,
    agents: Mutex<HashMap<Route, Agent>>,
}

/// What connections cannot share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Route {
    https: bool,
    proxy: Option<String>,
}

impl Http {
    pub(super) fn new(certificates: Certificates, verify: bool) -> Self {
        Self {
            certificates,
            verify,
            proxies: Proxies::of_environment(),
            agents: Mutex::default(),
        }
    }

    /// Sends a request and follows where it leads.
    pub(super) fn send(&self, ask: &Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let mut ask = ask.clone();
        for _ in 0..REDIRECTS {
            let response = self.send_once(&ask)?;
            let from = ask.url.parse::<Uri>().ok();
            let followed = matches!(ask.method, Method::GET | Method::HEAD);
            if !followed || !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = text_of(&response, &header::LOCATION).unwrap_or_default();
            let to = from.as_ref().and_then(|from| join(from, location));
            let Some(to) = to else {
                return Err(RegistryError::Protocol {
                    host: host_of(&ask.url),
                    what: "redirect".to_owned(),
                });
            };
            let stays = from.as_ref().and_then(Uri::authority) == to.authority();
            if !stays {
                ask.headers
                    .retain(|(name, _)| *name != header::AUTHORIZATION);
            }
            ask.url = to.to_string();
        }
        Err(RegistryError::Protocol {
            host: host_of(&ask.url),
            what: "redirect that ends".to_owned(),
        })
    }

    pub(super) fn send_once(&self, ask: &Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let failed = |error| RegistryError::Connection {
            host: host_of(&ask.url),
            source: Box::new(error),
        };
        let agent = self.agent(&ask.url);
        let mut builder = Request::builder().method(&ask.method).uri(&ask.url);
        for (name, value) in &ask.headers {
            builder = builder.header(name, value);
        }
        let sent = match ask.content {
            Content::Nothing => builder.body(()).map(|request| agent.run(request)),
            Content::Bytes(bytes) => builder.body(bytes).map(|request| agent.run(request)),
            Content::File(file) => builder.body(file).map(|request| agent.run(request)),
        };
        sent.map_err(|error| failed(error.into()))?.map_err(failed)
    }

    fn agent(&self, url: &str) -> Agent {
        let route = Route {
            https: url.starts_with("https:"),
            proxy: url.parse().ok().and_then(|url| self.proxies.of(&url)),
        };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let made = agents
            .entry(route.clone())
            .or_insert_with(|| self.connect(&route));
        made.clone()
    }

    fn connect(&self, route: &Route) -> Agent {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("podwright/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .input_buffer_size(256 << 10)
            .max_idle_connections_per_host(16)
            .proxy(
                route
                    .proxy
                    .as_ref()
                    .and_then(|proxy| ureq::Proxy::new(proxy).ok()),
            );
        // Reading a few hundred certificates takes a while: not for nothing.
        if route.https {
            config = config.tls_config(self.certificates.config(self.verify));
        }
        Agent::with_parts(config.build(), DefaultConnector::new(), Names::default())
    }
}

/// Returns the text of a header.
pub(super) fn text_of<'r>(
    response: &'r Response<Body>,
    name: &header::HeaderName,
) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// Returns where a `Location` leads from a URL (RFC 3986): whole, without scheme, or a path.
pub(super) fn join(from: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    let whole = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let path = from.path();
        let parent = &path[..=path.rfind('/').unwrap_or(0)];
        format!("{scheme}://{authority}{parent}{location}")
    };
    let joined: Uri = whole.parse().ok()?;
    matches!(joined.scheme_str(), Some("http" | "https")).then_some(joined)
}

/// Returns the host and port of a URL, for messages.
pub(super) fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_may_be_whole_or_a_path() {
        let from: Uri = "https://a.test:5/v2/x/blobs/uploads/".parse().unwrap();
        for (location, expected) in [
            ("http://b.test/x?y", Some("http://b.test/x?y")),
            ("//b.test/x", Some("https://b.test/x")),
            ("/y", Some("https://a.test:5/y")),
            (
                "id?state=1",
                Some("https://a.test:5/v2/x/blobs/uploads/id?state=1"),
            ),
            ("ftp://b.test/", None),
        ] {
            let joined = join(&from, location).map(|uri| uri.to_string());
            assert_eq!(joined.as_deref(), expected, "{location}");
        }
    }
}
