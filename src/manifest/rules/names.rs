//! The forms of names and other short words, with the server's messages for what breaks them.
//!
//! Each check returns everything that is wrong with the word, nothing if it is right.
//! The forms are regular expressions upstream (`apimachinery/pkg/util/validation`); here they are
//! read by hand, byte by byte, so that no input costs more than its length.

use super::fault::Message;

/// A check of a name.
pub(super) type NameRule = fn(&str) -> Vec<Message>;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const UNDERSCORE_SUBDOMAIN: &str =
    r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const NAME_PART: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const NAME_PART_MUST: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/// A DNS label of RFC 1123: at most 63 of `[-a-z0-9]`.
pub(super) fn dns_label(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 63);
    if !is_label(value) {
        wrong.push(if is_subdomain(value) {
            "must not contain dots".into()
        } else {
            pattern(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                LABEL,
                &["my-name", "123-abc"],
            )
        });
    }
    wrong
}

/// A DNS subdomain of RFC 1123: labels with dots between them, at most 253 bytes.
pub(super) fn dns_subdomain(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 253);
    if !is_subdomain(value) {
        wrong.push(pattern(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            SUBDOMAIN,
            &["example.com"],
        ));
    }
    wrong
}

/// A DNS subdomain whose labels may hold underscores, as search paths do.
pub(super) fn dns_search_path(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 253);
    let fits = value.split('.').all(|label| {
        let label = label.strip_prefix('_').unwrap_or(label);
        is_made_of(label, |byte| is_lower_alnum(byte) || b"-_".contains(&byte))
    });
    if !fits {
        wrong.push(pattern(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
            UNDERSCORE_SUBDOMAIN,
            &["example.com"],
        ));
    }
    wrong
}

/// A DNS label of RFC 1035: as of RFC 1123, but a letter comes first.
pub(super) fn dns_1035_label(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 63);
    if !(is_label(value) && value.starts_with(|c: char| c.is_ascii_lowercase())) {
        wrong.push(pattern(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
            "[a-z]([-a-z0-9]*[a-z0-9])?",
            &["my-name", "abc-123"],
        ));
    }
    wrong
}

/// A DNS subdomain under a wildcard: `*.example.com`.
pub(super) fn wildcard_subdomain(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 253);
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        let form = format!(r"\*\.{SUBDOMAIN}");
        wrong.push(pattern(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &form,
            &["*.example.com"],
        ));
    }
    wrong
}

/// A key of a label or annotation: `[prefix/]name`.
pub(super) fn qualified_name(value: &str) -> Vec<Message> {
    const EXAMPLES: [&str; 3] = ["MyName", "my.name", "123-abc"];
    let mut wrong = Vec::new();
    let mut parts = value.split('/');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => name,
        (Some(prefix), Some(name), None) => {
            wrong.extend(prefix_part(prefix));
            name
        }
        _ => {
            let must = pattern(NAME_PART_MUST, NAME_PART, &EXAMPLES);
            return vec![format!("a qualified name {must} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')").into()];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 characters".into());
    }
    if !is_name_part(name) {
        let must = pattern(NAME_PART_MUST, NAME_PART, &EXAMPLES);
        wrong.push(format!("name part {must}").into());
    }
    wrong
}

fn prefix_part(prefix: &str) -> Vec<Message> {
    if prefix.is_empty() {
        return vec!["prefix part must be non-empty".into()];
    }
    let wrong = dns_subdomain(prefix).into_iter();
    wrong
        .map(|message| format!("prefix part {message}").into())
        .collect()
}

/// The value of a label: empty, or at most 63 bytes.
pub(super) fn label_value(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 63);
    if !(value.is_empty() || is_name_part(value)) {
        wrong.push(pattern(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
            &["MyValue", "my_value", "12345"],
        ));
    }
    wrong
}

/// The name of a port: an IANA service name (RFC 6335) in lower case.
pub(super) fn port_name(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 15);
    let fits = |byte| is_lower_alnum(byte) || byte == b'-';
    if value.is_empty() || !value.bytes().all(fits) {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".into());
    }
    if value.contains("--") {
        wrong.push("must not contain consecutive hyphens".into());
    }
    if value.starts_with('-') || value.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".into());
    }
    wrong
}

/// The name of an environment variable: printable ASCII without `=` (KEP-4369).
pub(super) fn variable_name(value: &str) -> Vec<Message> {
    if value.is_empty() {
        return vec!["environment variable name must be non-empty".into()];
    }
    if value
        .bytes()
        .any(|byte| !(b' '..=b'~').contains(&byte) || byte == b'=')
    {
        return vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".into()];
    }
    Vec::new()
}

/// A key of a ConfigMap or Secret: a file name of at most 253 bytes.
pub(super) fn config_key(value: &str) -> Vec<Message> {
    let mut wrong = longer_than(value, 253);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if value.is_empty() || !value.bytes().all(fits) {
        wrong.push(pattern(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match value {
        "." => wrong.push("must not be '.'".into()),
        ".." => wrong.push("must not be '..'".into()),
        _ if value.starts_with("..") => wrong.push("must not start with '..'".into()),
        _ => {}
    }
    wrong
}

/// The name of an HTTP header.
pub(super) fn header_name(value: &str) -> Vec<Message> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !value.is_empty() && value.bytes().all(fits) {
        return Vec::new();
    }
    vec![pattern(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// A percentage: `25%`.
pub(super) fn percent(value: &str) -> Vec<Message> {
    if value.strip_suffix('%').is_some_and(is_digits) {
        return Vec::new();
    }
    vec![pattern(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

/// A name that stands as one segment of a URL path.
pub(super) fn path_segment(value: &str) -> Vec<Message> {
    if value == "." || value == ".." {
        return vec![format!("may not be '{value}'").into()];
    }
    let bad = ["/", "%"].into_iter().filter(|part| value.contains(part));
    bad.map(|part| format!("may not contain '{part}'").into())
        .collect()
}

/// A port number, 1 to 65535.
pub(super) fn port_number(value: i32) -> Option<Message> {
    (!(1..=65535).contains(&value)).then(|| between(1, 65535))
}

/// Says between which numbers a value must lie.
pub(super) fn between(low: i64, high: i64) -> Message {
    format!("must be between {low} and {high}, inclusive").into()
}

/// Checks a prefix to which the server adds a random word: a dash may end it.
pub(super) fn as_prefix(rule: NameRule, prefix: &str) -> Vec<Message> {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let mut name = rest.to_owned();
            name.pop();
            name.push('a');
            rule(&name)
        }
        _ => rule(prefix),
    }
}

/// Tells whether a word is made of digits alone.
pub(super) fn is_digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Tells whether a word is not empty, made of `inner` bytes, with letters or digits at its ends.
pub(super) fn is_made_of(value: &str, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = value.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            let ends = |byte: &u8| byte.is_ascii_alphanumeric() && inner(*byte);
            ends(first) && ends(last) && bytes.iter().all(|byte| inner(*byte))
        }
        _ => false,
    }
}

fn is_lower_alnum(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_label(value: &str) -> bool {
    is_made_of(value, |byte| is_lower_alnum(byte) || byte == b'-')
}

fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_label)
}

fn is_name_part(value: &str) -> bool {
    is_made_of(value, |byte| {
        byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
    })
}

fn longer_than(value: &str, most: usize) -> Vec<Message> {
    if value.len() > most {
        vec![format!("must be no more than {most} characters").into()]
    } else {
        Vec::new()
    }
}

fn pattern(must: &str, form: &str, examples: &[&str]) -> Message {
    let examples: Vec<String> = examples.iter().map(|one| format!("'{one}', ")).collect();
    format!(
        "{must} (e.g. {}regex used for validation is '{form}')",
        examples.join(" or ")
    )
    .into()
}
