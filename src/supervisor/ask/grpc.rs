//! The health check of gRPC (`grpc.health.v1.Health/Check`) over HTTP/2 without TLS.
//!
//! One request and the verdict are little enough to do without an HTTP/2 library: the headers sent are
//! literals (RFC 7541 §6.2.2), the response's headers are not read at all. A unary call that succeeds has
//! a message, and its first field is the status; a call that fails has none (gRPC over HTTP/2).

use std::io::{self, BufReader, Read, Write as _};

use super::stage::connect;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest frame a peer may send without leave (RFC 9113 §6.5.2).
const FRAME_LIMIT: usize = 16 << 10;

/// The most of all frames together.
const FRAMES: usize = 256;

/// The longest health message that is believed.
const MESSAGE_LIMIT: usize = 4 << 10;

/// The number of the one stream.
const STREAM: u32 = 1;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

/// The types of frames that matter (RFC 9113 §6).
mod frame {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
}

/// Why a service is not known to be healthy.
#[derive(Debug, thiserror::Error)]
pub(super) enum GrpcError {
    #[error("asking {host} port {port}: {source}")]
    Connection {
        host: String,
        port: u16,
        source: io::Error,
    },
    #[error("the server does not speak HTTP/2 without TLS")]
    NotHttp2,
    #[error("the server refused the call: it has no such service, or no health service")]
    Refused,
    #[error("service unhealthy (status {0})")]
    NotServing(u64),
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// Asks whether a service is healthy; an empty name asks about the server.
pub(super) fn check(host: &str, port: u16, service: &str) -> Result<(), GrpcError> {
    let failed = |source| GrpcError::Connection {
        host: host.to_owned(),
        port,
        source,
    };
    let mut stream = connect(host, port).map_err(failed)?;
    let authority = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    stream
        .write_all(&request(&authority, service))
        .map_err(failed)?;
    let mut reader = BufReader::new(stream.try_clone().map_err(failed)?);
    let message = receive(&mut reader, &mut stream).map_err(|error| match error {
        ReceiveError::Io(source) => failed(source),
        ReceiveError::NotHttp2 => GrpcError::NotHttp2,
        ReceiveError::Refused => GrpcError::Refused,
    })?;
    match status(&message).ok_or(GrpcError::Refused)? {
        1 => Ok(()),
        status => Err(GrpcError::NotServing(status)),
    }
}

fn request(authority: &str, service: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "kube-probe/1.37"),
    ] {
        // A literal without indexing with a literal name.
        headers.push(0);
        literal(&mut headers, name);
        literal(&mut headers, value);
    }
    let mut message = Vec::new();
    if !service.is_empty() {
        // Field 1, a text.
        message.push(0x0a);
        varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let mut data = vec![0];
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(&message);

    let mut bytes = PREFACE.to_vec();
    write_frame(&mut bytes, frame::SETTINGS, 0, 0, &[]);
    write_frame(&mut bytes, frame::HEADERS, END_HEADERS, STREAM, &headers);
    write_frame(&mut bytes, frame::DATA, END_STREAM, STREAM, &data);
    bytes
}

/// Writes a text as HPACK has it without Huffman coding: a length with a 7-bit prefix, then the bytes.
fn literal(out: &mut Vec<u8>, text: &str) {
    let length = text.len();
    if length < 127 {
        out.push(u8::try_from(length).unwrap_or(0));
    } else {
        out.push(127);
        varint(out, (length - 127) as u64);
    }
    out.extend_from_slice(text.as_bytes());
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

fn write_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

#[derive(Debug)]
enum ReceiveError {
    Io(io::Error),
    NotHttp2,
    Refused,
}

/// Reads frames to the end of the call, and returns the message.
fn receive(reader: &mut impl Read, writer: &mut impl io::Write) -> Result<Vec<u8>, ReceiveError> {
    let mut message = Vec::new();
    for number in 0..FRAMES {
        let frame = read_frame(reader)?;
        if number == 0 && frame.kind != frame::SETTINGS {
            return Err(ReceiveError::NotHttp2);
        }
        let acknowledged = frame.flags & ACK != 0;
        let mut reply = Vec::new();
        match frame.kind {
            frame::SETTINGS if !acknowledged => {
                write_frame(&mut reply, frame::SETTINGS, ACK, 0, &[]);
            }
            frame::PING if !acknowledged => {
                write_frame(&mut reply, frame::PING, ACK, 0, &frame.payload);
            }
            frame::GOAWAY | frame::RST_STREAM => return Err(ReceiveError::Refused),
            frame::DATA if frame.stream == STREAM => message.extend_from_slice(frame.data()),
            _ => {}
        }
        writer.write_all(&reply).map_err(ReceiveError::Io)?;
        if message.len() > MESSAGE_LIMIT {
            return Err(ReceiveError::Refused);
        }
        let ends = matches!(frame.kind, frame::DATA | frame::HEADERS);
        if ends && frame.stream == STREAM && frame.flags & END_STREAM != 0 {
            return Ok(message);
        }
    }
    Err(ReceiveError::Refused)
}

fn read_frame(reader: &mut impl Read) -> Result<Frame, ReceiveError> {
    let mut head = [0u8; 9];
    reader.read_exact(&mut head).map_err(ReceiveError::Io)?;
    let [a, b, c, kind, flags, s1, s2, s3, s4] = head;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > FRAME_LIMIT {
        return Err(ReceiveError::NotHttp2);
    }
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).map_err(ReceiveError::Io)?;
    Ok(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]),
        payload,
    })
}

impl Frame {
    /// Returns the content of a DATA frame without its padding.
    fn data(&self) -> &[u8] {
        if self.flags & PADDED == 0 {
            return &self.payload;
        }
        match self.payload.split_first() {
            Some((padding, rest)) => &rest[..rest.len().saturating_sub(usize::from(*padding))],
            None => &[],
        }
    }
}

/// Returns the status in a message of the response; nothing if there is no whole message.
fn status(message: &[u8]) -> Option<u64> {
    let (head, body) = message.split_at_checked(5)?;
    let [compressed, length @ ..] = <[u8; 5]>::try_from(head).ok()?;
    let length = u32::from_be_bytes(length) as usize;
    if compressed != 0 || body.len() != length {
        return None;
    }
    // The default of an enum is not written: status 0, unknown.
    let Some((tag, value)) = body.split_first() else {
        return Some(0);
    };
    // Field 1, a number.
    (*tag == 0x08).then(|| read_varint(value)).flatten()
}

fn read_varint(bytes: &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place).min(63);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a server's frames and returns what is made of them.
    fn answer(frames: &[(u8, u8, u32, &[u8])]) -> Option<u64> {
        let mut bytes = Vec::new();
        for (kind, flags, stream, payload) in frames {
            write_frame(&mut bytes, *kind, *flags, *stream, payload);
        }
        let message = receive(&mut bytes.as_slice(), &mut Vec::new()).ok()?;
        status(&message)
    }

    const SETTINGS: (u8, u8, u32, &[u8]) = (frame::SETTINGS, 0, 0, &[]);
    const HEADERS: (u8, u8, u32, &[u8]) = (frame::HEADERS, END_HEADERS, 1, &[0x88]);
    const TRAILERS: (u8, u8, u32, &[u8]) = (frame::HEADERS, END_HEADERS | END_STREAM, 1, &[]);

    #[test]
    fn the_status_of_a_whole_answer_counts() {
        let data = |message| (frame::DATA, 0, 1, message);
        let serving: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
        let not_serving: &[u8] = &[0, 0, 0, 0, 2, 8, 2];
        let padded: &[u8] = &[2, 0, 0, 0, 0, 2, 8, 1, 0, 0];
        let whole = |frame| answer(&[SETTINGS, HEADERS, frame, TRAILERS]);
        assert_eq!(whole(data(serving)), Some(1));
        assert_eq!(whole(data(not_serving)), Some(2));
        assert_eq!(whole(data(&[0, 0, 0, 0, 0])), Some(0));
        assert_eq!(whole((frame::DATA, PADDED, 1, padded)), Some(1));
        // Cut in two frames, with a ping between them.
        let ping: (u8, u8, u32, &[u8]) = (frame::PING, 0, 0, &[0; 8]);
        let halves = [
            SETTINGS,
            HEADERS,
            data(&serving[..3]),
            ping,
            data(&serving[3..]),
            TRAILERS,
        ];
        assert_eq!(answer(&halves), Some(1));
    }

    #[test]
    fn anything_less_is_no_success() {
        let serving = (frame::DATA, 0, 1, [0u8, 0, 0, 0, 2, 8, 1].as_slice());
        // An error is an answer without a message.
        assert_eq!(answer(&[SETTINGS, TRAILERS]), None);
        // The stream did not end.
        assert_eq!(answer(&[SETTINGS, HEADERS, serving]), None);
        assert_eq!(answer(&[HEADERS, serving, TRAILERS]), None);
        let reset = (frame::RST_STREAM, 0, 1, [0u8; 4].as_slice());
        assert_eq!(answer(&[SETTINGS, HEADERS, serving, reset]), None);
        let compressed = (frame::DATA, 0, 1, [1u8, 0, 0, 0, 2, 8, 1].as_slice());
        assert_eq!(answer(&[SETTINGS, HEADERS, compressed, TRAILERS]), None);
        let other = (frame::DATA, 0, 3, serving.3);
        assert_eq!(answer(&[SETTINGS, HEADERS, other, TRAILERS]), None);
        assert!(receive(&mut b"HTTP/1.1 400 Bad".as_slice(), &mut Vec::new()).is_err());
    }

    #[test]
    fn a_request_names_the_service() {
        let bytes = request("h:1", "a");
        assert!(bytes.starts_with(PREFACE));
        assert!(bytes.ends_with(&[0, 0, 0, 0, 3, 0x0a, 1, b'a']));
        assert!(request("h:1", "").ends_with(&[0, 0, 0, 0, 0]));
    }
}
