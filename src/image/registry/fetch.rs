//! A file over HTTP or HTTPS, as registries are asked: same certificates, proxies and names.

use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use ureq::Body;
use ureq::http::{Method, Response, Uri, header};

use super::RegistryError;
use super::http::{Ask, Http, join, text_of};
use super::tls::Certificates;

/// How often a server may send us on.
const REDIRECTS: usize = 5;

/// How long the whole file may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("asking for {url}")]
    Connection { url: String, source: RegistryError },
    #[error("{url}: the server answers {status}")]
    Status { url: String, status: u16 },
    #[error(
        "{url}: the server sends on to no URL, from HTTPS to HTTP, or more than {REDIRECTS} times"
    )]
    Redirect { url: String },
    #[error("{url} is larger than {limit} bytes")]
    TooLarge { url: String, limit: u64 },
    #[error("{url} has not come within {} s", PATIENCE.as_secs())]
    TooSlow { url: String },
    #[error("reading {url}")]
    Read { url: String, source: io::Error },
}

/// Gets a file of at most `limit` bytes.
///
/// # Errors
/// The server is not there, answers with another status than 200, or sends too much or too slowly.
pub fn fetch(url: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
    let begun = Instant::now();
    let http = Http::new(Certificates::default(), true);
    let mut at = url.to_owned();
    for _ in 0..=REDIRECTS {
        let connection = |source| FetchError::Connection {
            url: shown(&at),
            source,
        };
        let response = http
            .send_once(&Ask::new(Method::GET, at.clone()))
            .map_err(connection)?;
        match response.status().as_u16() {
            200 => return read(&at, response, limit, begun),
            301 | 302 | 303 | 307 | 308 => at = next(&at, &response)?,
            status => {
                let url = shown(&at);
                return Err(FetchError::Status { url, status });
            }
        }
    }
    Err(FetchError::Redirect { url: shown(url) })
}

fn next(at: &str, response: &Response<Body>) -> Result<String, FetchError> {
    let location = text_of(response, &header::LOCATION);
    let from: Option<Uri> = at.parse().ok();
    let to = from.zip(location).and_then(|(from, to)| join(&from, to));
    let safe = |to: &Uri| !at.starts_with("https:") || to.scheme_str() == Some("https");
    match to.filter(safe) {
        Some(to) => Ok(to.to_string()),
        None => Err(FetchError::Redirect { url: shown(at) }),
    }
}

fn read(
    at: &str,
    response: Response<Body>,
    limit: u64,
    begun: Instant,
) -> Result<Vec<u8>, FetchError> {
    let mut body = response.into_body().into_reader();
    let mut bytes = Vec::new();
    let mut part = [0u8; 16 << 10];
    loop {
        let read = body.read(&mut part).map_err(|source| FetchError::Read {
            url: shown(at),
            source,
        })?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&part[..read]);
        let url = shown(at);
        if bytes.len() as u64 > limit {
            return Err(FetchError::TooLarge { url, limit });
        }
        if begun.elapsed() > PATIENCE {
            return Err(FetchError::TooSlow { url });
        }
    }
}

/// Returns a URL without the name and password it may carry.
fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;

    /// Answers each connection with the next of these texts; `PORT` in them is the server's own.
    fn server(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0u8; 4096];
                let _ = stream.read(&mut request).unwrap();
                let answer = answer.replace("PORT", &port.to_string());
                // A client that has read enough closes first.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        format!("http://127.0.0.1:{port}/a/b.yaml")
    }

    fn answer(head: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    #[test]
    fn a_file_comes_whole_also_by_a_redirect() {
        let moved = answer("302 Found\r\nLocation: c.yaml", "");
        let url = server(vec![moved, answer("200 OK", "kind: Pod\n")]);
        assert_eq!(fetch(&url, 100).unwrap(), b"kind: Pod\n");
    }

    #[test]
    fn another_status_is_told() {
        let url = server(vec![answer("404 Not Found", "kind: Pod\n")]);
        let error = fetch(&url, 100).unwrap_err();
        assert_eq!(error.to_string(), format!("{url}: the server answers 404"));
    }

    #[test]
    fn a_file_that_is_too_large_is_refused() {
        let url = server(vec![answer("200 OK", &"x".repeat(101))]);
        let error = fetch(&url, 100).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn redirects_are_bounded_and_stay_with_http() {
        let moved = answer("302 Found\r\nLocation: /again", "");
        let url = server(vec![moved; REDIRECTS + 1]);
        let error = fetch(&url, 100).unwrap_err();
        assert!(matches!(error, FetchError::Redirect { .. }), "{error}");
        let url = server(vec![answer(
            "302 Found\r\nLocation: file:///etc/passwd",
            "",
        )]);
        let error = fetch(&url, 100).unwrap_err();
        assert!(matches!(error, FetchError::Redirect { .. }), "{error}");
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("https://me:secret@a.test/x?y"), "https://a.test/x?y");
        assert_eq!(shown("https://a.test"), "https://a.test");
    }
}
