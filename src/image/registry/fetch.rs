//! One file from an address, such as a manifest.

use std::io::{self, Read as _};

use ureq::http::Method;

use super::http::{Ask, Http};
use super::tls::Certificates;

/// Fetches what an address answers, up to a number of bytes and one more.
///
/// Proxies and certificates are those of pulls.
///
/// # Errors
/// The address cannot be reached, or answers with an error.
pub fn fetch(url: &str, most: u64) -> io::Result<Vec<u8>> {
    let certificates = Certificates::read(&[]).map_err(io::Error::other)?;
    let ask = Ask::new(Method::GET, url.to_owned());
    let response = Http::new(certificates, true).send(&ask);
    let response = response.map_err(io::Error::other)?;
    let status = response.status();
    if !status.is_success() {
        return Err(io::Error::other(format!("the server answers {status}")));
    }
    let mut bytes = Vec::new();
    let mut body = response.into_body().into_reader().take(most + 1);
    body.read_to_end(&mut bytes)?;
    Ok(bytes)
}
