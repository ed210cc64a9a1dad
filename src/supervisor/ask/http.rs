//! A GET with strict limits: of the response only the status and the `Location` are looked at.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::stage::connect;
use super::target::Target;
use super::tls;
use super::{Answer, Asker, HttpQuestion};
use crate::model::container::{HttpHeader, HttpScheme};

/// The most the head of a response may have.
const HEAD_LIMIT: u64 = 64 << 10;

/// The most of a body that is taken off the server's hands, as the kubelet does.
const BODY_LIMIT: u64 = 10 << 10;

/// How long the rest of a body is waited for, so that a server need not see its connection reset.
const BODY_WAIT: Duration = Duration::from_millis(200);

/// How many redirects are followed, as Go's client does.
const REDIRECTS: usize = 10;

/// How many interim responses (`1xx`) may come before the one that counts.
const INTERIM: usize = 5;

#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("asking {authority}: {source}")]
    Connection {
        authority: String,
        source: io::Error,
    },
    #[error("the response is not HTTP")]
    NotHttp,
    #[error("the head of the response has more than {HEAD_LIMIT} bytes")]
    TooLong,
    #[error("stopped after {REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("the redirect to `{0}` leads nowhere")]
    BadRedirect(String),
}

/// Asks, follows redirects as the kubelet does, and judges the status.
pub(super) fn get(question: &HttpQuestion) -> Answer {
    for header in &question.headers {
        if !is_sound(header) {
            return Answer::Unasked(format!("header `{}` cannot be sent", header.name));
        }
    }
    match (follow(question), question.asker) {
        (Ok(200..=399), _) | (Ok(_), Asker::Hook) => Answer::Passed,
        (Ok(status), Asker::Probe) => {
            Answer::Failed(format!("HTTP probe failed with statuscode: {status}"))
        }
        (Err(error), _) => Answer::Failed(error.to_string()),
    }
}

fn is_sound(header: &HttpHeader) -> bool {
    let name_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !header.name.is_empty()
        && header.name.bytes().all(name_letter)
        && !header.value.contains(['\r', '\n', '\0'])
}

/// Returns the status of the last response on the way.
fn follow(question: &HttpQuestion) -> Result<u16, HttpError> {
    let first = Target::new(
        question.scheme,
        &question.host,
        question.port,
        &question.path,
    );
    let mut target = first.clone();
    for _ in 0..REDIRECTS {
        let head = fetch(&target, question)?;
        let Some(location) = head.redirect() else {
            return Ok(head.status);
        };
        let next = target
            .join(location)
            .ok_or_else(|| HttpError::BadRedirect(location.to_owned()))?;
        if question.asker == Asker::Probe && next.host != first.host {
            return Ok(head.status);
        }
        target = next;
    }
    Err(HttpError::TooManyRedirects)
}

/// A connection, with TLS or without.
trait Stream: Read + io::Write {}

impl<S: Read + io::Write> Stream for S {}

fn fetch(target: &Target, question: &HttpQuestion) -> Result<Head, HttpError> {
    let failed = |source| HttpError::Connection {
        authority: target.authority(),
        source,
    };
    let tcp = connect(&target.host, target.port).map_err(failed)?;
    let watched = tcp.try_clone().map_err(failed)?;
    let mut stream: Box<dyn Stream> = match target.scheme {
        HttpScheme::Http => Box::new(tcp),
        HttpScheme::Https => Box::new(tls::wrap(tcp, &target.host).map_err(failed)?),
    };
    stream
        .write_all(request(target, question).as_bytes())
        .and_then(|()| stream.flush())
        .map_err(failed)?;
    let mut reader = BufReader::new(stream);
    let head = final_head(&mut reader).map_err(|error| match error {
        HeadError::Io(source) => failed(source),
        HeadError::NotHttp => HttpError::NotHttp,
        HeadError::TooLong => HttpError::TooLong,
    })?;
    drain(reader, &watched, head.length);
    Ok(head)
}

/// Writes a request with the headers Go's client sends; those of the manifest stand in for them.
fn request(target: &Target, question: &HttpQuestion) -> String {
    let agent = match question.asker {
        Asker::Probe => "kube-probe/1.37",
        Asker::Hook => "kube-lifecycle/1.37",
    };
    let own = |name: &str| {
        let named = |header: &&HttpHeader| header.name.eq_ignore_ascii_case(name);
        question.headers.iter().rfind(named)
    };
    let mut text = format!("GET {} HTTP/1.1\r\n", target.path);
    let authority = target.authority();
    for (name, value) in [
        ("Host", authority.as_str()),
        ("User-Agent", agent),
        ("Accept", "*/*"),
    ] {
        match own(name) {
            // An empty value takes the header away.
            Some(header) if header.value.is_empty() && name != "Host" => {}
            Some(header) if !header.value.is_empty() => {
                text.push_str(&format!("{name}: {}\r\n", header.value));
            }
            _ => text.push_str(&format!("{name}: {value}\r\n")),
        }
    }
    let written = ["host", "user-agent", "accept", "connection"];
    for header in &question.headers {
        if !written.contains(&header.name.to_ascii_lowercase().as_str()) {
            text.push_str(&format!("{}: {}\r\n", header.name, header.value));
        }
    }
    text.push_str("Connection: close\r\n\r\n");
    text
}

/// What matters of a response's head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    location: Option<String>,
    length: Option<u64>,
}

impl Head {
    fn redirect(&self) -> Option<&str> {
        let location = self.location.as_deref()?;
        matches!(self.status, 301 | 302 | 303 | 307 | 308).then_some(location)
    }
}

#[derive(Debug)]
enum HeadError {
    Io(io::Error),
    NotHttp,
    TooLong,
}

fn final_head(reader: &mut BufReader<impl Read>) -> Result<Head, HeadError> {
    for _ in 0..INTERIM {
        let head = read_head(reader)?;
        if head.status >= 200 {
            return Ok(head);
        }
    }
    Err(HeadError::NotHttp)
}

fn read_head(reader: &mut BufReader<impl Read>) -> Result<Head, HeadError> {
    let mut limited = reader.take(HEAD_LIMIT);
    let status = status(&read_line(&mut limited)?).ok_or(HeadError::NotHttp)?;
    let mut head = Head {
        status,
        location: None,
        length: None,
    };
    loop {
        let line = read_line(&mut limited)?;
        if line.is_empty() {
            return Ok(head);
        }
        let (name, value) = line.split_once(':').ok_or(HeadError::NotHttp)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("location") && !value.is_empty() {
            head.location = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("content-length") {
            head.length = value.parse().ok();
        }
    }
}

/// Reads a line without its end; the head has to have an end within its limit.
fn read_line(reader: &mut io::Take<&mut BufReader<impl Read>>) -> Result<String, HeadError> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(HeadError::Io)?;
    if line.pop() != Some(b'\n') {
        return Err(match reader.limit() {
            0 => HeadError::TooLong,
            _ => HeadError::Io(io::ErrorKind::UnexpectedEof.into()),
        });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn status(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    let version = words.next()?;
    let code = words.next()?;
    let sound = version.starts_with("HTTP/1.") && code.len() == 3;
    let code = code.parse().ok().filter(|_| sound)?;
    (100..1000).contains(&code).then_some(code)
}

/// Takes a little of the body: a server whose response is not read may count that as an error.
fn drain(reader: impl Read, socket: &TcpStream, length: Option<u64>) {
    let limit = length.unwrap_or(BODY_LIMIT).min(BODY_LIMIT);
    if socket.set_read_timeout(Some(BODY_WAIT)).is_ok() {
        // The status has come; whatever the body is, it changes nothing.
        let _ = io::copy(&mut reader.take(limit), &mut io::sink());
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
