//! The stage: gives up everything it does not need, asks, and says what came of it.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

use super::{Answer, Question, grpc, http};

/// The user that owns nothing (`nobody`).
const NOBODY: u32 = 65534;

/// The memory the stage may have, its program included.
const MEMORY: u64 = 1 << 30;

/// Runs the stage: descriptor 0 holds the question, 1 takes the answer.
#[must_use]
pub fn stage_main() -> ExitCode {
    let Ok(socket) = io::stdout().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let mut socket = UnixStream::from(socket);
    let Ok(question) = serde_json::from_reader::<_, Question>(io::stdin().lock()) else {
        return ExitCode::FAILURE;
    };
    let answer = match confine() {
        Ok(()) => put(&question),
        Err(error) => Answer::Unasked(format!("confining the stage: {error}")),
    };
    match serde_json::to_writer(&mut socket, &answer).map(|()| socket.flush()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn confine() -> io::Result<()> {
    if geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setgroups(&[])?;
        setresgid(gid, gid, gid)?;
        // With the last uid 0 all capabilities go (`capabilities(7)`).
        setresuid(uid, uid, uid)?;
    }
    // After the change of user, which clears it.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    nix::sys::prctl::set_no_new_privs()?;
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    Ok(())
}

fn put(question: &Question) -> Answer {
    match question {
        Question::Http(question) => http::get(question),
        Question::Tcp { host, port } => match connect(host, *port) {
            Ok(_) => Answer::Passed,
            Err(error) => Answer::Failed(format!("connecting to {host} port {port}: {error}")),
        },
        Question::Grpc {
            host,
            port,
            service,
        } => match grpc::check(host, *port, service) {
            Ok(()) => Answer::Passed,
            Err(error) => Answer::Failed(error.to_string()),
        },
    }
}

/// Connects to the first address of a host that takes the connection; the parent watches the time.
pub(super) fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let host = host.trim_matches(['[', ']']);
    if let Ok(address) = host.parse::<IpAddr>() {
        return TcpStream::connect(SocketAddr::new(address, port));
    }
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    TcpStream::connect(addresses.as_slice())
}
