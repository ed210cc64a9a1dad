//! A server on a socket, and what is made of its responses.

use super::*;
use std::net::TcpListener;
use std::thread::JoinHandle;

/// Serves one response a connection, in order, and returns the requests.
fn serve(responses: Vec<String>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for response in responses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            requests.push(String::from_utf8(request).unwrap());
            // One that was told enough goes.
            let _ = stream.write_all(response.as_bytes());
        }
        requests
    });
    (port, server)
}

fn question(port: u16) -> HttpQuestion {
    HttpQuestion {
        scheme: HttpScheme::Http,
        host: "127.0.0.1".to_owned(),
        port,
        path: "/healthz".to_owned(),
        headers: vec![],
        asker: Asker::Probe,
    }
}

fn answer(responses: &[&str]) -> Answer {
    let (port, server) = serve(responses.iter().map(ToString::to_string).collect());
    let answer = get(&question(port));
    server.join().unwrap();
    answer
}

#[test]
fn a_status_below_400_is_a_success() {
    for status in ["200 OK", "204 No Content", "304 Not Modified", "399"] {
        let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer(&[&response]), Answer::Passed, "{status}");
    }
    for status in ["400 Bad Request", "503 Service Unavailable"] {
        let response = format!("HTTP/1.1 {status}\r\n\r\nno\n");
        assert!(matches!(answer(&[&response]), Answer::Failed(_)));
    }
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 OK\r\n\r\n";
    assert_eq!(answer(&[interim]), Answer::Passed);
}

#[test]
fn what_is_not_http_is_a_failure() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    for response in [
        "",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 20\r\n\r\n",
        &long,
    ] {
        assert!(matches!(answer(&[response]), Answer::Failed(_)));
    }
    let mut closed = question(1);
    closed.port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert!(matches!(get(&closed), Answer::Failed(_)));
}

#[test]
fn redirects_are_followed_on_the_same_host_only() {
    let to = |location: &str| format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
    let bad = "HTTP/1.1 500 Oops\r\n\r\n";
    assert!(matches!(answer(&[&to("/other"), bad]), Answer::Failed(_)));
    assert_eq!(answer(&[&to("http://example.invalid/")]), Answer::Passed);
    let circle = to("/healthz");
    assert!(matches!(
        answer(&[circle.as_str(); REDIRECTS]),
        Answer::Failed(_)
    ));
}

#[test]
fn the_manifests_headers_stand_in_for_the_usual_ones() {
    let (port, server) = serve(vec!["HTTP/1.1 200 OK\r\n\r\n".to_owned()]);
    let mut question = question(port);
    let header = |name: &str, value: &str| HttpHeader {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    question.headers = vec![
        header("host", "example.com"),
        header("User-Agent", ""),
        header("X-Key", "a b"),
    ];
    assert_eq!(get(&question), Answer::Passed);
    assert_eq!(
        server.join().unwrap(),
        [
            "GET /healthz HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nX-Key: a b\r\nConnection: close\r\n\r\n"
        ]
    );
    question.headers = vec![header("X", "a\r\nY: b")];
    assert!(matches!(get(&question), Answer::Unasked(_)));
}

#[test]
fn a_hook_takes_any_response() {
    let (port, server) = serve(vec!["HTTP/1.1 500 Oops\r\n\r\n".to_owned()]);
    let mut question = question(port);
    question.asker = Asker::Hook;
    assert_eq!(get(&question), Answer::Passed);
    server.join().unwrap();
}

/// A server of another kind, with a certificate that nobody signed; killed at the end.
struct TlsServer {
    process: std::process::Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl TlsServer {
    fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let made = openssl(dir.path())
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other"])
            .args(["-keyout", "key", "-out", "cert"])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return None;
        }
        let mut process = openssl(dir.path())
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-cert", "cert", "-key", "key"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            line.unwrap()
                .strip_prefix("ACCEPT ")?
                .rsplit(':')
                .next()?
                .parse()
                .ok()
        });
        Some(Self {
            process,
            port: port.unwrap(),
            _dir: dir,
        })
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn openssl(dir: &std::path::Path) -> std::process::Command {
    let mut command = std::process::Command::new("openssl");
    command.current_dir(dir);
    command.stdin(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    command
}

#[test]
fn https_is_asked_without_a_look_at_the_certificate() {
    let Some(server) = TlsServer::start() else {
        eprintln!("skipped: lacks openssl");
        return;
    };
    let mut question = question(server.port);
    question.scheme = HttpScheme::Https;
    assert_eq!(get(&question), Answer::Passed);
    let (port, plain) = serve(vec![]);
    plain.join().unwrap();
    question.port = port;
    assert!(matches!(get(&question), Answer::Failed(_)));
}
