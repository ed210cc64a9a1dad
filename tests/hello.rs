//! The web server of the built-in image, as a process and as the init of a pid namespace.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

struct Server {
    child: Child,
    port: u16,
    log: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_podwright"))
            .arg("stage-hello")
            .env_clear()
            .env("PORT", "0")
            .env("POD_NAME", "web")
            .env("MARKUP", "<b>")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Self { child, port, log }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    fn get(&self, path: &str, accept: &str) -> String {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n"
        ))
    }

    fn stop(&mut self) -> Duration {
        let before = Instant::now();
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        before.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_shows_what_the_pod_sees_in_the_form_asked_for() {
    let mut server = Server::start();
    let text = server.get("/", "*/*");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    for wanted in ["pod         web\n", "MARKUP=<b>\n", "(lo)\n", "\nmounts\n"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let html = server.get("/", "text/html,*/*");
    assert!(
        html.contains("MARKUP=&lt;b&gt;") && !html.contains("<b>"),
        "{html}"
    );
    let json = server.get("/", "application/json");
    let body: serde_json::Value =
        serde_json::from_str(json.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["pod"], "web");
    assert_eq!(body["environment"]["PORT"], "0");
    assert!(
        server
            .get("/env", "*/*")
            .ends_with("\r\n\r\nMARKUP=<b>\nPOD_NAME=web\nPORT=0\n")
    );
    assert!(server.get("/healthz?x", "*/*").ends_with("ok\n"));
    assert!(server.get("/readyz", "*/*").starts_with("HTTP/1.1 200 "));
    assert!(server.get("/no", "*/*").starts_with("HTTP/1.1 404 "));
    server.stop();
    let mut log = String::new();
    server.log.read_to_string(&mut log).unwrap();
    assert_eq!(log.lines().count(), 7, "{log}");
    assert!(log.starts_with("127.0.0.1 \"GET /\" 200\n"), "{log}");
}

#[test]
fn hostile_clients_get_an_answer_or_nothing_and_others_are_served() {
    let server = Server::start();
    let idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    for (request, status) in [
        ("nonsense\r\n\r\n", "400"),
        ("GET x HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/2\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\n\r\n", "405"),
    ] {
        let reply = server.ask(request);
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
    }
    let mut flood = server.connect();
    let _ = flood.write_all(&[b'a'; 9000]);
    let mut reply = [0; 12];
    assert!(flood.read(&mut reply).is_err() || reply.ends_with(b"431"));
    assert!(server.get("/healthz", "*/*").ends_with("ok\n"));
    let mut reply = String::new();
    (&idle[0]).read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
}

#[test]
fn as_init_of_a_pid_namespace_it_ends_within_milliseconds_of_sigterm() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: lacks CAP_SYS_ADMIN");
        return;
    }
    std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID).unwrap();
        let mut server = Server::start();
        assert!(server.get("/json", "*/*").contains("\"process\": 1,"));
        let took = server.stop();
        assert!(took < Duration::from_millis(500), "{took:?}");
    })
    .join()
    .unwrap();
}
