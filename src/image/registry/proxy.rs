//! Which proxy stands between: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, as curl and Go read them.
//!
//! The lower-case names count too, and first. Loopback is never asked through a proxy. What goes
//! through one goes through a tunnel (`CONNECT`), plain HTTP as well.

use std::net::IpAddr;

use ureq::http::Uri;

/// The proxies of this process's environment.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    https: Option<String>,
    http: Option<String>,
    exempt: Vec<String>,
}

impl Proxies {
    pub(super) fn of_environment() -> Self {
        let get = |name: &str| {
            [name.to_ascii_lowercase(), name.to_owned()]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        Self::new(
            get("HTTPS_PROXY"),
            get("HTTP_PROXY"),
            &get("NO_PROXY").unwrap_or_default(),
        )
    }

    fn new(https: Option<String>, http: Option<String>, exempt: &str) -> Self {
        let whole = |proxy: String| match proxy.contains("://") {
            true => proxy,
            false => format!("http://{proxy}"),
        };
        let words = exempt
            .split([',', ' '])
            .map(|word| word.trim().to_ascii_lowercase());
        Self {
            https: https.map(whole),
            http: http.map(whole),
            exempt: words.filter(|word| !word.is_empty()).collect(),
        }
    }

    /// Returns the proxy through which a URL is asked.
    pub(super) fn of(&self, url: &Uri) -> Option<String> {
        let proxy = match url.scheme_str() {
            Some("https") => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let host = url.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let port = url.port_u16().map(|port| port.to_string());
        (!self.is_exempt(&host, port.as_deref())).then(|| proxy.clone())
    }

    fn is_exempt(&self, host: &str, port: Option<&str>) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        self.exempt.iter().any(|rule| {
            if rule == "*" {
                return true;
            }
            if let (Some(address), Some((network, bits))) = (address, rule.split_once('/')) {
                return is_within(address, network, bits);
            }
            let (rule, of_port) = match rule.split_once(':') {
                Some((name, port)) if !port.contains(':') => (name, Some(port)),
                _ => (rule.as_str(), None),
            };
            if of_port.is_some() && of_port != port {
                return false;
            }
            let name = rule.trim_start_matches("*.").trim_start_matches('.');
            let below = host
                .strip_suffix(name)
                .is_some_and(|front| front.ends_with('.'));
            below || (host == name && !rule.starts_with(['.', '*']))
        })
    }
}

fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let same = |one: u128, other: u128, width: u32| {
        bits <= width && (bits == 0 || (one ^ other) >> (width - bits) == 0)
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => same(u32::from(a).into(), u32::from(n).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => same(a.into(), n.into(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exempt_as_curl_and_go_have_it() {
        let proxies = Proxies::new(
            Some("proxy:3128".to_owned()),
            None,
            "one.test, .two.test,10.0.0.0/8,three.test:8443,*.four.test",
        );
        for (url, through) in [
            ("https://zero.test/", true),
            ("https://one.test/", false),
            ("https://sub.one.test/", false),
            ("https://bone.test/", true),
            ("https://two.test/", true),
            ("https://sub.two.test/", false),
            ("https://10.1.2.3:5000/", false),
            ("https://11.1.2.3/", true),
            ("https://three.test/", true),
            ("https://three.test:8443/", false),
            ("https://x.four.test/", false),
            ("https://localhost/", false),
            ("https://127.0.0.1:5/", false),
            ("http://zero.test/", false),
        ] {
            let proxy = proxies.of(&url.parse().unwrap());
            assert_eq!(proxy.is_some(), through, "{url}");
        }
        let proxy = proxies.of(&"https://zero.test".parse().unwrap());
        assert_eq!(proxy.as_deref(), Some("http://proxy:3128"));
    }
}
