//! YAML that readers of YAML 1.1 and of YAML 1.2 read alike.
//!
//! `serde_yaml` writes for YAML 1.2: it leaves `yes` and `on` without quotes, which Kubernetes' reader
//! (go-yaml, YAML 1.1) takes for booleans. Here a text stands without quotes only where no reader can
//! take it for anything but a text; what its type is, the JSON form of the object says.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

/// Writes one document.
pub(super) fn document<T: Serialize>(object: &T) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    block(&serde_json::to_value(object)?, 0, &mut text);
    Ok(text)
}

/// Writes a value whose first line begins where the text stands, and ends the line.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (position, (key, item)) in fields.iter().enumerate() {
                margin(position, indent, text);
                scalar(key, text);
                text.push(':');
                below(item, indent, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (position, item) in items.iter().enumerate() {
                margin(position, indent, text);
                text.push_str("- ");
                match item {
                    Value::String(item) => lines(item, indent + 2, text),
                    item => block(item, indent + 2, text),
                }
            }
        }
        leaf => {
            flow(leaf, text);
            text.push('\n');
        }
    }
}

/// Writes the value of a key: a leaf on its line, everything else on the lines below.
fn below(item: &Value, indent: usize, text: &mut String) {
    match item {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent + 2));
            block(item, indent + 2, text);
        }
        // As kubectl has it, the items of a list stand under their key.
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            block(item, indent, text);
        }
        Value::String(item) => {
            text.push(' ');
            lines(item, indent + 2, text);
        }
        leaf => {
            text.push(' ');
            flow(leaf, text);
            text.push('\n');
        }
    }
}

/// The first line of a value stands behind what holds it; the others begin at the margin.
fn margin(position: usize, indent: usize, text: &mut String) {
    if position > 0 {
        text.extend(std::iter::repeat_n(' ', indent));
    }
}

fn flow(leaf: &Value, text: &mut String) {
    match leaf {
        Value::String(string) => scalar(string, text),
        // JSON's words and numbers, `{}` and `[]` are YAML's too.
        other => text.push_str(&other.to_string()),
    }
}

/// Writes a text and ends the line: line by line where its lines are plain ones.
fn lines(string: &str, indent: usize, text: &mut String) {
    let body = string.strip_suffix('\n').unwrap_or(string);
    let is_plain =
        |line: &str| line.is_empty() || (!line.trim().is_empty() && line.chars().all(is_printable));
    let starts_at_margin = !body.starts_with([' ', '\t', '\n']) && !body.ends_with('\n');
    if !body.contains('\n') || !starts_at_margin || !body.split('\n').all(is_plain) {
        scalar(string, text);
        text.push('\n');
        return;
    }
    text.push_str(if body.len() == string.len() {
        "|-"
    } else {
        "|"
    });
    text.push('\n');
    for line in body.split('\n') {
        if !line.is_empty() {
            text.extend(std::iter::repeat_n(' ', indent));
            text.push_str(line);
        }
        text.push('\n');
    }
}

fn scalar(string: &str, text: &mut String) {
    if is_plain(string) {
        text.push_str(string);
    } else {
        quote(string, text);
    }
}

/// Tells whether every reader takes the bare text for a text.
///
/// It begins with a letter or `/`, so that it is no number, date or sign; what the rest may hold
/// has no meaning within a bare text; and it is none of the words of YAML 1.1.
fn is_plain(string: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "_-./+@%=,()$[]'".contains(c);
    let of_words = |c: char| is_inner(c) || c == ' ' || c == ':';
    let begins_well = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_text = begins_well
        && string.chars().all(of_words)
        && !string.contains(": ")
        && !string.ends_with([' ', ':'])
        && !WORDS.iter().any(|word| string.eq_ignore_ascii_case(word));
    is_text || is_amount(string)
}

/// Tells whether the text is an amount such as `64Mi`, which no reader takes for a number.
fn is_amount(string: &str) -> bool {
    let number = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "m", "k", "M", "G"]
        .iter()
        .find_map(|suffix| string.strip_suffix(suffix));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Tells whether a character may stand as it is: YAML's printable ones, without line breaks and marks.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => true,
        _ => false,
    }
}

fn quote(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if is_printable(c) => text.push(c),
            c => escape(c, text),
        }
    }
    text.push('"');
}

fn escape(c: char, text: &mut String) {
    let code = u32::from(c);
    let written = match code {
        0..=0xff => write!(text, "\\x{code:02x}"),
        0x100..=0xffff => write!(text, "\\u{code:04x}"),
        _ => write!(text, "\\U{code:08x}"),
    };
    written.expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_look_as_kubectl_writes_them() {
        let value = json!({
            "kind": "Pod",
            "empty": {},
            "list": [{"name": "a", "value": "yes"}, {"nested": ["x", ["y"], {}]}],
            "number": 5, "flag": true, "size": "64Mi", "octal": "0644",
            "script": "set -e\n\necho $(A)\n", "ends": "a\nb",
        });
        let expected = "kind: Pod\nempty: {}\nlist:\n- name: a\n  value: \"yes\"\n- nested:\n  - x\n  - - \"y\"\n  - {}\n\
             number: 5\nflag: true\nsize: 64Mi\noctal: \"0644\"\nscript: |\n  set -e\n\n  echo $(A)\nends: |-\n  a\n  b\n";
        assert_eq!(document(&value).unwrap(), expected);
    }
}
