//! Base64 as Go's `encoding/base64` reads it: the standard alphabet, padded, line breaks skipped.

/// Decodes a text; the error is the offset that Go reports.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, usize> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len() / 4 * 3);
    let mut group = 0u32;
    let mut digits = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        if matches!(byte, b'\n' | b'\r') {
            continue;
        }
        if byte == b'=' {
            decode_padding(bytes, at, digits)?;
            let whole = (group << (6 * (4 - digits))).to_be_bytes();
            decoded.extend_from_slice(&whole[1..digits]);
            return Ok(decoded);
        }
        let Some(digit) = digit(byte) else {
            return Err(at - 1);
        };
        group = group << 6 | digit;
        digits += 1;
        if digits == 4 {
            decoded.extend_from_slice(&group.to_be_bytes()[1..]);
            group = 0;
            digits = 0;
        }
    }
    if digits == 0 {
        Ok(decoded)
    } else {
        Err(at - digits)
    }
}

/// Checks what follows the first `=`, which stands right before `at`.
fn decode_padding(bytes: &[u8], at: usize, digits: usize) -> Result<(), usize> {
    if digits < 2 {
        return Err(at - 1);
    }
    let mut at = skip_breaks(bytes, at);
    if digits == 2 {
        match bytes.get(at) {
            None => return Err(bytes.len()),
            Some(b'=') => at = skip_breaks(bytes, at + 1),
            Some(_) => return Err(at),
        }
    }
    if at < bytes.len() { Err(at) } else { Ok(()) }
}

fn skip_breaks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// Encodes bytes with padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0u8; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for place in 0..4 {
            if place <= chunk.len() {
                let digit = group >> (18 - 6 * place) & 63;
                text.push(char::from(ALPHABET[digit as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_at_the_byte_that_go_names() {
        assert_eq!(decode("aGVsbG8="), Ok(b"hello".to_vec()));
        assert_eq!(decode("aGVs\nbG8=\n"), Ok(b"hello".to_vec()));
        assert_eq!(decode("aGVsbG8"), Err(4));
        assert_eq!(decode("aGVs bG8="), Err(4));
        assert_eq!(decode("_-8="), Err(0));
        assert_eq!(decode("hello"), Err(4));
        assert_eq!(decode("aA="), Err(3));
        assert_eq!(decode("aA==x"), Err(4));
        assert_eq!(decode("=aaa"), Err(0));
        assert_eq!(decode("/w=="), Ok(vec![0xff]));
        assert_eq!(decode("aB=="), Ok(vec![0x68]), "Go allows trailing bits");
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        for length in 0..10 {
            let bytes: Vec<u8> = (200..).take(length).collect();
            assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }
    }
}
