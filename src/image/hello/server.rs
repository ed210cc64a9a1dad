//! The server: HTTP/1.1, one request a connection, for any client that connects.
//!
//! A client gets 8 KiB for its request and 5 s for each direction, and there are at most 512 at
//! once; the others wait in the kernel's queue.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::page::{Page, html};

const REQUEST_LIMIT: usize = 8 << 10;
const CLIENTS: usize = 512;
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the server on `PORT`, 8080 by default, until SIGTERM or SIGINT.
#[must_use]
pub fn stage_main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.and_then(|runtime| runtime.block_on(serve())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone too.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> io::Result<()> {
    // Before the first connection: as init of a pid namespace no signal has a default action.
    let mut stop = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ];
    let listener = bind(port()?).await?;
    log(&format!("listening on {}", listener.local_addr()?));
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => return Ok(()),
            accepted = accept(&listener, &places) => accepted,
        };
        let Ok((stream, client, place)) = accepted else {
            // Out of descriptors, or a client that was gone at once: others will come.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(async move {
            // A client that fails is its own business.
            let _ = answer(stream, client).await;
            drop(place);
        });
    }
}

async fn stopped(stop: &mut [Signal; 2]) {
    let [terminate, interrupt] = stop;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, Place)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    Ok((stream, client, place))
}

fn port() -> io::Result<u16> {
    match std::env::var("PORT") {
        Err(_) => Ok(8080),
        Ok(text) => text.parse().map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("PORT=`{text}` is no port number"),
            )
        }),
    }
}

/// Listens on all addresses of both families, or of IPv4 where there is no IPv6.
async fn bind(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

async fn answer(mut stream: TcpStream, client: SocketAddr) -> io::Result<()> {
    let request = match timeout(PATIENCE, read_request(&mut stream)).await {
        Ok(Ok(text)) => Request::parse(&text),
        Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => Err(Status::TOO_LARGE),
        Ok(Err(error)) => return Err(error),
        Err(_) => Err(Status::TIMEOUT),
    };
    let (line, reply) = match request {
        Ok(request) => (
            format!("{} {}", request.method, request.path),
            request.reply(),
        ),
        Err(status) => ("-".to_owned(), Reply::text(status, status.1)),
    };
    log(&format!(
        "{} \"{line}\" {}",
        client.ip().to_canonical(),
        reply.status.0
    ));
    timeout(PATIENCE, async {
        stream.write_all(&reply.bytes()).await?;
        stream.shutdown().await
    })
    .await?
}

async fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(1024);
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        if bytes.len() >= REQUEST_LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Status(u16, &'static str);

impl Status {
    const OK: Self = Self(200, "OK");
    const BAD: Self = Self(400, "Bad Request");
    const NOT_FOUND: Self = Self(404, "Not Found");
    const METHOD: Self = Self(405, "Method Not Allowed");
    const TIMEOUT: Self = Self(408, "Request Timeout");
    const TOO_LARGE: Self = Self(431, "Request Header Fields Too Large");
}

struct Request {
    method: String,
    path: String,
    accept: String,
}

impl Request {
    fn parse(text: &str) -> Result<Self, Status> {
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let [method, target, version] = first.split(' ').collect::<Vec<_>>()[..] else {
            return Err(Status::BAD);
        };
        if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
            return Err(Status::BAD);
        }
        let accept = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("accept"))
            .map(|(_, value)| value.trim().to_owned());
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let printable = |text: &str| text.chars().filter(|c| !c.is_control()).collect();
        Ok(Self {
            method: printable(method),
            path: printable(path),
            accept: accept.unwrap_or_default(),
        })
    }

    fn reply(&self) -> Reply {
        let mut reply = match self.method.as_str() {
            "GET" | "HEAD" => self.content(),
            _ => Reply::text(Status::METHOD, Status::METHOD.1),
        };
        reply.body_wanted = self.method != "HEAD";
        reply
    }

    fn content(&self) -> Reply {
        match self.path.as_str() {
            "/healthz" | "/readyz" => Reply::text(Status::OK, "ok"),
            "/" => self.in_wanted_form(&Page::look()),
            "/json" => Reply::json(&Page::look()),
            "/env" if self.accept.contains("application/json") => {
                Reply::json(&Page::look().environment)
            }
            "/env" => Reply::text(Status::OK, Page::look().environment_text().trim_end()),
            _ => Reply::text(Status::NOT_FOUND, Status::NOT_FOUND.1),
        }
    }

    fn in_wanted_form(&self, page: &Page) -> Reply {
        if self.accept.contains("text/html") {
            Reply::new(Status::OK, "text/html; charset=utf-8", html(&page.text()))
        } else if self.accept.contains("application/json") {
            Reply::json(page)
        } else {
            Reply::text(Status::OK, page.text().trim_end())
        }
    }
}

struct Reply {
    status: Status,
    kind: &'static str,
    body: String,
    body_wanted: bool,
}

impl Reply {
    fn new(status: Status, kind: &'static str, body: String) -> Self {
        Self {
            status,
            kind,
            body,
            body_wanted: true,
        }
    }

    fn text(status: Status, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{text}\n"))
    }

    fn json(value: &impl serde::Serialize) -> Self {
        let mut text = serde_json::to_string_pretty(value).expect("strings and numbers are JSON");
        text.push('\n');
        Self::new(Status::OK, "application/json", text)
    }

    fn bytes(&self) -> Vec<u8> {
        let Status(code, reason) = self.status;
        let head = format!(
            "HTTP/1.1 {code} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            self.kind,
            self.body.len(),
        );
        let body = if self.body_wanted { &*self.body } else { "" };
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

/// Writes one line to standard output, at once.
fn log(line: &str) {
    // A closed log is no reason to stop serving.
    let _ = writeln!(io::stdout().lock(), "{line}").and_then(|()| io::stdout().flush());
}
