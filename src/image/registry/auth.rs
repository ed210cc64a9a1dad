//! How a registry learns who asks: Basic, or a token of its authorization server.
//!
//! A registry that wants either answers 401 with a challenge (RFC 7235). A token is for one
//! repository and what may be done with it, and is used until the registry takes it no more.

use serde::Deserialize;
use ureq::Body;
use ureq::http::{Method, Response, header};

use super::RegistryError;
use super::http::{Ask, Content, Http, host_of};
use crate::manifest::base64;

/// The most a token server may answer.
const ANSWER: u64 = 1 << 20;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// A token that is exchanged for others.
    IdentityToken(String),
}

impl Credentials {
    /// Reads `NAME[:PASSWORD]`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (username, password) = text.split_once(':').unwrap_or((text, ""));
        Self::Password {
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }

    /// Returns the value of `Authorization` for Basic.
    fn basic(&self) -> Option<String> {
        match self {
            Self::Password { username, password } => {
                let text = base64::encode(format!("{username}:{password}").as_bytes());
                Some(format!("Basic {text}"))
            }
            Self::IdentityToken(_) => None,
        }
    }
}

/// What is to be done with which repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Pull(String),
    Push(String),
    /// Nothing but to be known.
    Login,
}

impl Scope {
    fn text(&self) -> Option<String> {
        match self {
            Self::Pull(repository) => Some(format!("repository:{repository}:pull")),
            Self::Push(repository) => Some(format!("repository:{repository}:pull,push")),
            Self::Login => None,
        }
    }
}

/// What a registry wants.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

/// Answers a challenge: returns the value of `Authorization`, or none if there is no answer.
pub(super) fn grant(
    http: &Http,
    refused: &Response<Body>,
    scope: &Scope,
    credentials: Option<&Credentials>,
) -> Result<Option<String>, RegistryError> {
    let headers = refused.headers().get_all(header::WWW_AUTHENTICATE);
    let challenges = headers
        .iter()
        .filter_map(|value| challenge(value.to_str().ok()?));
    for challenge in challenges {
        match challenge {
            Challenge::Basic => {
                if let Some(basic) = credentials.and_then(Credentials::basic) {
                    return Ok(Some(basic));
                }
            }
            Challenge::Bearer { realm, service } => {
                return token(http, &realm, service.as_deref(), scope, credentials).map(Some);
            }
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

fn token(
    http: &Http,
    realm: &str,
    service: Option<&str>,
    scope: &Scope,
    credentials: Option<&Credentials>,
) -> Result<String, RegistryError> {
    let mut fields = Vec::new();
    fields.extend(service.map(|service| ("service", service.to_owned())));
    fields.extend(scope.text().map(|scope| ("scope", scope)));
    let mut response = match credentials {
        Some(Credentials::IdentityToken(token)) => {
            fields.push(("grant_type", "refresh_token".to_owned()));
            fields.push(("client_id", "podwright".to_owned()));
            fields.push(("refresh_token", token.clone()));
            let form = query(&fields);
            let mut ask = Ask::new(Method::POST, realm.to_owned())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            ask.content = Content::Bytes(form.as_bytes());
            http.send(&ask)?
        }
        _ => {
            if let Some(Credentials::Password { username, .. }) = credentials {
                fields.push(("account", username.clone()));
            }
            let joint = if realm.contains('?') { '&' } else { '?' };
            let url = format!("{realm}{joint}{}", query(&fields));
            let mut ask = Ask::new(Method::GET, url);
            if let Some(basic) = credentials.and_then(Credentials::basic) {
                ask = ask.header(header::AUTHORIZATION, basic);
            }
            http.send(&ask)?
        }
    };
    let host = host_of(realm);
    let status = response.status();
    let body = response
        .body_mut()
        .with_config()
        .limit(ANSWER)
        .read_to_vec();
    if !status.is_success() {
        let message = message_of(&body.unwrap_or_default());
        let what = "a token".to_owned();
        return Err(match status.as_u16() {
            401 | 403 => RegistryError::Denied {
                host,
                what,
                message,
            },
            status => RegistryError::Answer {
                host,
                status,
                what,
                message,
            },
        });
    }
    let token: Option<Token> = body
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    let text = token.map(|token| match token.token.is_empty() {
        true => token.access_token,
        false => token.token,
    });
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Ok(format!("Bearer {text}")),
        None => Err(RegistryError::Protocol {
            host,
            what: "token".to_owned(),
        }),
    }
}

/// Returns the words of an error of the registry's API.
pub(super) fn message_of(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let found = json.and_then(|json| {
        let error = &json["errors"][0];
        let words = [
            &error["message"],
            &error["code"],
            &json["details"],
            &json["message"],
        ];
        words
            .iter()
            .find_map(|word| word.as_str().map(str::to_owned))
    });
    let plain = || String::from_utf8_lossy(body).trim().to_owned();
    let text: String = found.unwrap_or_else(plain).chars().take(200).collect();
    match text.is_empty() {
        true => "it does not say why".to_owned(),
        false => text,
    }
}

fn query(fields: &[(&str, String)]) -> String {
    let pair = |(name, value): &(&str, String)| format!("{name}={}", escape(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Writes a value as it stands in a query (RFC 3986 §2.3).
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                escaped.push(char::from(byte));
            }
            _ => write!(escaped, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    escaped
}

/// Reads one challenge: `Bearer realm="URL",service="NAME"`.
fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    let mut rest = rest.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value.to_owned()),
            "service" => service = Some(value.to_owned()),
            _ => {}
        }
        rest = after.trim_start_matches([',', ' ']);
    }
    let realm =
        realm.filter(|realm| realm.starts_with("http://") || realm.starts_with("https://"))?;
    Some(Challenge::Bearer { realm, service })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
            })
        };
        for (text, expected) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a/t\",service=\"a, b\",scope=\"repository:x:pull,push\"",
                bearer("https://a/t", Some("a, b")),
            ),
            ("bearer realm=https://a/t", bearer("https://a/t", None)),
            ("Bearer realm=\"file:///etc\"", None),
            ("Negotiate", None),
        ] {
            assert_eq!(challenge(text), expected, "{text}");
        }
    }

    #[test]
    fn the_words_of_an_error_are_found() {
        let text = br#"{"errors":[{"code":"DENIED","message":"no"}]}"#;
        assert_eq!(message_of(text), "no");
        assert_eq!(message_of(b"nothing here\n"), "nothing here");
        assert_eq!(message_of(b""), "it does not say why");
    }

    #[test]
    fn a_query_holds_any_value() {
        assert_eq!(
            query(&[("a", "x y&z".to_owned()), ("b", "1:2".to_owned())]),
            "a=x%20y%26z&b=1:2"
        );
    }
}
