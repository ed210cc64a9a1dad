//! Certificates and keys of Secrets of the type `kubernetes.io/tls`, as far as their PEM tells.
//!
//! The server takes whatever stands there, and warns in the words of Go's `tls.X509KeyPair`. What is inside of the
//! blocks is not read here.

use super::names;

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Says what is wrong with a certificate and its chain.
pub(super) fn wrong_certificate(text: &str) -> Option<String> {
    let blocks = blocks(text);
    if blocks.contains(&CERTIFICATE) {
        return None;
    }
    Some(match blocks.as_slice() {
        [] => "tls: failed to find any PEM data in certificate input".to_owned(),
        [one] if one.ends_with(PRIVATE_KEY) => "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".to_owned(),
        others => format!("tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: [{}]", others.join(" ")),
    })
}

/// Says what is wrong with a private key.
pub(super) fn wrong_key(text: &str) -> Option<String> {
    let blocks = blocks(text);
    let is_key = |kind: &&str| kind.strip_suffix(PRIVATE_KEY).is_some_and(ends_a_word);
    if blocks.iter().any(is_key) {
        return None;
    }
    Some(match blocks.as_slice() {
        [] => "tls: failed to find any PEM data in key input".to_owned(),
        [CERTIFICATE] => {
            "tls: found a certificate rather than a key in the PEM for the private key".to_owned()
        }
        others => format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: [{}]",
            others.join(" ")
        ),
    })
}

fn ends_a_word(before: &str) -> bool {
    before.is_empty() || before.ends_with(' ')
}

/// Returns the types of the PEM blocks of a text (RFC 7468).
fn blocks(text: &str) -> Vec<&str> {
    let mut kinds = Vec::new();
    let mut open: Option<&str> = None;
    for line in text.lines() {
        let line = line.trim_end();
        if let Some(kind) = marked(line, "-----BEGIN ") {
            open = Some(kind);
        } else if let Some(kind) = marked(line, "-----END ") {
            kinds.extend(open.take().filter(|begun| *begun == kind));
        } else if !is_body(line) {
            open = None;
        }
    }
    kinds
}

fn marked<'t>(line: &'t str, mark: &str) -> Option<&'t str> {
    line.strip_prefix(mark)?.strip_suffix("-----")
}

/// Tells whether a line may stand in a block: base64, or a header before it.
fn is_body(line: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let is_header = line.split_once(':').is_some_and(|(name, _)| {
        names::is_made_of(name, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    line.bytes().all(is_base64) || is_header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: &str) -> String {
        format!("-----BEGIN {kind}-----\nMIIB+/==\n-----END {kind}-----\n")
    }

    #[test]
    fn a_certificate_is_told_from_what_is_none() {
        let start = |text: &str| {
            let wrong = wrong_certificate(text).unwrap_or_default();
            wrong.chars().take(39).collect::<String>()
        };
        let (certificate, key) = (block(CERTIFICATE), block("RSA PRIVATE KEY"));
        assert_eq!(start(&certificate), "");
        assert_eq!(start(&format!("text\n\n{key}{certificate}")), "");
        assert_eq!(start("x"), "tls: failed to find any PEM data in cer");
        assert_eq!(start(""), "tls: failed to find any PEM data in cer");
        assert_eq!(start(&key), "tls: failed to find certificate PEM dat");
        assert_eq!(
            start(&key.repeat(2)),
            "tls: failed to find \"CERTIFICATE\" PEM b"
        );
        assert_eq!(start("-----BEGIN CERTIFICATE-----\nMII"), start("x"));
        assert_eq!(
            start("-----BEGIN CERTIFICATE-----\n<here>\n-----END CERTIFICATE-----"),
            start("x")
        );
    }

    #[test]
    fn a_key_is_told_from_what_is_none() {
        for kind in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
            assert_eq!(wrong_key(&block(kind)), None);
        }
        let wrong = |text: &str| wrong_key(text).unwrap_or_default();
        assert!(wrong("x").contains("any PEM data in key input"));
        assert!(wrong(&block(CERTIFICATE)).contains("rather than a key"));
        assert!(wrong(&block("PUBLIC KEY")).ends_with("following types: [PUBLIC KEY]"));
    }
}
