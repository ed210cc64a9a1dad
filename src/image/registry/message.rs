//! Questions and answers of DNS, as far as addresses need them (RFC 1035 §4, RFC 3596).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::clock::{IdSource as _, RandomIds};

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    A = 1,
    Aaaa = 28,
}

/// A name in the form of the wire, asked for under an id nobody can guess.
#[derive(Debug)]
pub(super) struct Question {
    id: [u8; 2],
    name: Vec<u8>,
    record: Record,
}

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) addresses: Vec<IpAddr>,
    /// There is more, and it did not fit.
    pub(super) truncated: bool,
}

impl Question {
    pub(super) fn new(name: &str, record: Record) -> io::Result<Self> {
        let drawn = RandomIds.draw();
        Ok(Self {
            id: [drawn[0], drawn[1]],
            name: encode(name).ok_or(io::ErrorKind::InvalidInput)?,
            record,
        })
    }

    fn tail(&self) -> Vec<u8> {
        [&self.name[..], &[0, self.record as u8, 0, 1]].concat()
    }
}

fn encode(name: &str) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok()?;
        if !(1..=63).contains(&length) {
            return None;
        }
        wire.push(length);
        wire.extend(label.bytes());
    }
    wire.push(0);
    (wire.len() <= 255).then_some(wire)
}

/// Returns the bytes that ask, recursion desired.
pub(super) fn question(asked: &Question) -> Vec<u8> {
    let head = [asked.id[0], asked.id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [&head[..], &asked.tail()].concat()
}

/// Reads an answer; nothing if it answers another question.
///
/// # Errors
/// The server could not answer, or not in this form.
pub(super) fn answers(bytes: &[u8], asked: &Question) -> io::Result<Option<Answer>> {
    let tail = asked.tail();
    let body = 12 + tail.len();
    if bytes.len() < body || bytes[..2] != asked.id || bytes[2] & 0x80 == 0 {
        return Ok(None);
    }
    if !bytes[12..body].eq_ignore_ascii_case(&tail) {
        return Ok(None);
    }
    let mut answer = Answer {
        addresses: Vec::new(),
        truncated: bytes[2] & 0x02 != 0,
    };
    match bytes[3] & 0x0f {
        0 => {}
        // There is no such name.
        3 => return Ok(Some(answer)),
        code => {
            return Err(io::Error::other(format!(
                "the name server answered with code {code}"
            )));
        }
    }
    let count = u16::from_be_bytes([bytes[6], bytes[7]]);
    let mut rest = &bytes[body..];
    for _ in 0..count {
        let Some((address, after)) = record(rest, asked.record) else {
            break;
        };
        answer.addresses.extend(address);
        rest = after;
    }
    Ok(Some(answer))
}

/// Reads one record: its address if it has one of the kind, and the bytes after it.
fn record(bytes: &[u8], kind: Record) -> Option<(Option<IpAddr>, &[u8])> {
    let fixed = skip_name(bytes)?;
    let (head, rest) = fixed.split_at_checked(10)?;
    let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
    let (data, rest) = rest.split_at_checked(length)?;
    let is_kind = head[..4] == [0, kind as u8, 0, 1];
    let address = match (is_kind, kind) {
        (false, _) => None,
        (true, Record::A) => <[u8; 4]>::try_from(data)
            .ok()
            .map(|a| Ipv4Addr::from(a).into()),
        (true, Record::Aaaa) => <[u8; 16]>::try_from(data)
            .ok()
            .map(|a| Ipv6Addr::from(a).into()),
    };
    Some((address, rest))
}

fn skip_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = bytes.split_first()?;
        match length {
            0 => return Some(rest),
            0xc0.. => return rest.get(1..),
            _ => bytes = rest.get(usize::from(length)..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_for_its_question() {
        let asked = Question::new("a.test", Record::A).unwrap();
        let mut reply = question(&asked);
        reply[2] = 0x81;
        reply[7] = 2;
        reply.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 3, 1, b'b', 0]);
        reply.extend([1, b'b', 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 7]);
        let answer = answers(&reply, &asked).unwrap().unwrap();
        assert_eq!(answer.addresses, [IpAddr::from([10, 0, 0, 7])]);
        let mut other = reply.clone();
        other[0] ^= 1;
        assert_eq!(answers(&other, &asked).unwrap(), None);
        let mut failed = reply.clone();
        failed[3] = 2;
        assert!(answers(&failed, &asked).is_err());
        for length in 0..reply.len() {
            answers(&reply[..length], &asked).unwrap();
        }
    }

    #[test]
    fn no_name_is_sent_that_does_not_fit() {
        for name in ["", "a..b", &"x".repeat(64), &"x.".repeat(200)] {
            assert!(Question::new(name, Record::A).is_err(), "{name}");
        }
    }
}
