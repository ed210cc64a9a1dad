//! Where a GET goes, and where a redirect sends it (RFC 3986, RFC 9110 §10.2.2).

use std::fmt::Write as _;

use crate::model::container::HttpScheme;

/// The place a GET asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: HttpScheme,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query, as they go into the request line.
    pub(super) path: String,
}

impl Target {
    pub(super) fn new(scheme: HttpScheme, host: &str, port: u16, path: &str) -> Self {
        Self {
            scheme,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path: request_path(path),
        }
    }

    /// Returns the value of the header `Host`.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns where a `Location` leads from here; nothing if it leads nowhere a GET can go.
    pub(super) fn join(&self, location: &str) -> Option<Self> {
        let lower = location.to_ascii_lowercase();
        if lower.starts_with("http://") {
            return Self::absolute(HttpScheme::Http, &location["http://".len()..]);
        }
        if lower.starts_with("https://") {
            return Self::absolute(HttpScheme::Https, &location["https://".len()..]);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::absolute(self.scheme, rest);
        }
        let before_slash = location.split(['/', '?', '#']).next().unwrap_or_default();
        if before_slash.contains(':') {
            return None;
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let own = self.path.split('?').next().unwrap_or_default();
            match location.chars().next() {
                Some('?') => format!("{own}{location}"),
                _ => format!("{}{location}", &own[..=own.rfind('/').unwrap_or(0)]),
            }
        };
        Some(Self::new(self.scheme, &self.host, self.port, &path))
    }

    fn absolute(scheme: HttpScheme, rest: &str) -> Option<Self> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']')?;
                (host, after.strip_prefix(':').unwrap_or(after))
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let default = match scheme {
            HttpScheme::Http => 80,
            HttpScheme::Https => 443,
        };
        let port = match port {
            "" => default,
            port => port.parse().ok()?,
        };
        (!host.is_empty()).then(|| Self::new(scheme, host, port, path))
    }
}

/// Makes a path fit for a request line: no fragment, a slash in front, and only visible ASCII.
fn request_path(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let mut text = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        text.push('/');
    }
    for byte in path.bytes() {
        if matches!(byte, b'!'..=b'~') && !br#""<>\^`{|}"#.contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_leads_where_a_browser_would_go() {
        let here = Target::new(HttpScheme::Http, "10.0.0.1", 8080, "/a/b?c=d");
        let joined = |location: &str| {
            here.join(location)
                .map(|target| format!("{:?} {}{}", target.scheme, target.authority(), target.path))
        };
        for (location, expected) in [
            ("/x", Some("Http 10.0.0.1:8080/x")),
            ("x?y", Some("Http 10.0.0.1:8080/a/x?y")),
            ("?z", Some("Http 10.0.0.1:8080/a/b?z")),
            ("http://10.0.0.1/x", Some("Http 10.0.0.1:80/x")),
            ("HTTPS://u:p@h:1#f", Some("Https h:1/")),
            ("//h/x", Some("Http h:80/x")),
            ("http://[::1]:9/x", Some("Http [::1]:9/x")),
            ("mailto:a@b", None),
            ("http://:80/", None),
            ("http://h:999999/", None),
        ] {
            assert_eq!(joined(location).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn no_path_can_break_out_of_the_request_line() {
        for (path, expected) in [
            ("", "/"),
            ("healthz", "/healthz"),
            ("/a b\r\nX: y", "/a%20b%0D%0AX:%20y"),
            ("/ü?q=%20#part", "/%C3%BC?q=%20"),
        ] {
            assert_eq!(request_path(path), expected);
        }
    }
}
