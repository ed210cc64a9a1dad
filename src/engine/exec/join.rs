//! The stage of an exec: enters the container, forks, and waits for the program.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::prctl;
use oci_spec::runtime::Spec;

use super::{ExecRequest, REPORT_FD, REQUEST_FD};
use crate::engine::confine::{Confinement, Identity, become_member, filter_of, process};
use crate::engine::stage::{CreateError, Step, execute};
use crate::image::user;
use crate::sys::cgroup::Cgroups;
use crate::sys::descriptor;
use crate::sys::namespace::join_process;
use crate::sys::path::open_root;
use crate::sys::process::{
    Ended, Fork, PidFd, SingleThreaded, die_with_parent, leave, restore_signals,
};
use crate::sys::terminal::{PTMX, Pty, open_pty, take_over};

/// What a stage ends with that could not run the program.
const FAILED: u8 = 125;

/// The `main` of the stage.
pub fn stage_main() -> ExitCode {
    restore_signals();
    let (Ok(request), Ok(report)) = (descriptor::take(REQUEST_FD), descriptor::take(REPORT_FD))
    else {
        return ExitCode::from(FAILED);
    };
    let report = UnixStream::from(report);
    match run(request, &report) {
        Ok(child) => {
            // The caller waits for the end of the stream; only the program's copy may be left.
            drop(report);
            ExitCode::from(outcome(&child))
        }
        Err(error) => {
            tell(&report, &error);
            ExitCode::from(FAILED)
        }
    }
}

fn tell(report: &UnixStream, error: &CreateError) {
    if let Ok(text) = serde_json::to_vec(error) {
        // Nobody is left to be told if the caller does not read.
        let _ = descriptor::send(report, &text, None);
    }
}

fn outcome(child: &PidFd) -> u8 {
    match child.wait() {
        Ok(Ended::Code(code)) => code,
        Ok(Ended::Signal(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Err(_) => FAILED,
    }
}

/// Starts the program; in its own process this never returns.
fn run(request: OwnedFd, report: &UnixStream) -> Result<PidFd, CreateError> {
    let request = read_request(request)?;
    let container = find(&request)?;
    let spec = read_spec(&request.bundle)?;
    let confinement = Confinement::of(&spec, filter_of(&spec, &request.filters)?)?;
    // From here on the container's own processes could look at this one (CVE-2016-9962).
    let failed = |error: &dyn std::error::Error| CreateError::caused(Step::Join, error);
    prctl::set_dumpable(false).map_err(|errno| failed(&errno))?;
    Cgroups::detect()
        .and_then(|cgroups| {
            let group = cgroups.group(Path::new(&request.cgroup))?;
            group.add(std::process::id())
        })
        .map_err(|error| failed(&error))?;
    let single = SingleThreaded::prove().map_err(|error| failed(&error))?;
    join_process(&container, request.pid).map_err(|error| failed(&error))?;
    drop(container);
    match single.fork().map_err(|error| failed(&error))? {
        Fork::Parent(child) => Ok(child),
        Fork::Child => {
            let error = become_program(&request, &spec, confinement, report);
            tell(report, &error);
            leave(i32::from(error.code()))
        }
    }
}

fn read_request(request: OwnedFd) -> Result<ExecRequest, CreateError> {
    let mut text = Vec::new();
    fs::File::from(request)
        .read_to_end(&mut text)
        .and_then(|_| Ok(serde_json::from_slice(&text)?))
        .map_err(|error| CreateError::caused(Step::Stage, &error))
}

fn find(request: &ExecRequest) -> Result<PidFd, CreateError> {
    let found = PidFd::open_started_at(request.pid, request.start_time)
        .map_err(|error| CreateError::caused(Step::NotRunning, &error))?;
    found.ok_or_else(|| CreateError::new(Step::NotRunning, "it does not run"))
}

/// Only the supervisor writes in the bundle's directory.
fn read_spec(bundle: &Path) -> Result<Spec, CreateError> {
    let path = bundle.join("config.json");
    fs::read(&path)
        .and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from))
        .map_err(|error| CreateError::io(Step::NotRunning, &path, &error))
}

/// Looks the user up in the container itself, whose root and `/proc` are this process's by now.
fn identity(
    request: &ExecRequest,
    spec: &Spec,
    confinement: &Confinement,
) -> Result<Identity, CreateError> {
    let own = Identity::of_container(process(spec)?, confinement);
    let Some(text) = &request.user else {
        return Ok(own);
    };
    let root = open_root(Path::new("/"))
        .map_err(|error| CreateError::io(Step::User, Path::new("/"), &error))?;
    let user = user::resolve(root.as_fd(), text)
        .map_err(|error| CreateError::caused(Step::User, &error))?;
    Ok(own.with_user(user))
}

/// Confines this process and becomes the program; returns only why it cannot.
fn become_program(
    request: &ExecRequest,
    spec: &Spec,
    confinement: Confinement,
    report: &UnixStream,
) -> CreateError {
    let confined = identity(request, spec, &confinement).and_then(|identity| {
        leave_session(request, &identity, report)?;
        let process = process(spec)?;
        let cwd = request.cwd.as_deref().unwrap_or_else(|| process.cwd());
        become_member(process, cwd, &identity, confinement, end_with_stage)?;
        Ok(identity)
    });
    match confined {
        Ok(identity) => execute(&request.args, &environment(request, spec, &identity)),
        Err(error) => error,
    }
}

/// Begins a session of its own, with a terminal of the container if there is to be one.
fn leave_session(
    request: &ExecRequest,
    identity: &Identity,
    report: &UnixStream,
) -> Result<(), CreateError> {
    let failed = |error: &io::Error| CreateError::io(Step::Streams, Path::new(PTMX), error);
    nix::unistd::setsid().map_err(|errno| failed(&errno.into()))?;
    if !request.terminal {
        return Ok(());
    }
    let Pty { master, slave } = open_root(Path::new("/"))
        .and_then(|root| open_pty(root.as_fd()))
        .map_err(|error| failed(&error))?;
    std::os::unix::fs::fchown(&slave, Some(identity.uid), None).map_err(|error| failed(&error))?;
    take_over(&slave).map_err(|error| failed(&error))?;
    descriptor::send(report, &[0], Some(master.as_fd())).map_err(|error| failed(&error))
}

fn environment(request: &ExecRequest, spec: &Spec, identity: &Identity) -> Vec<String> {
    let process = spec.process().as_ref();
    let mut env = process
        .and_then(|process| process.env().clone())
        .unwrap_or_default();
    let mut set = |line: &str| {
        let name = line.split_once('=').map_or(line, |(name, _)| name);
        env.retain(|known| known.split_once('=').map_or(known.as_str(), |(n, _)| n) != name);
        env.push(line.to_owned());
    };
    if let Some(home) = &identity.home {
        set(&format!("HOME={}", home.display()));
    }
    if request.terminal {
        set("TERM=xterm");
    }
    request.env.iter().for_each(|line| set(line));
    env
}

/// The program must not outlive its stage: whoever kills the stage means the program.
fn end_with_stage() -> Result<(), CreateError> {
    die_with_parent().map_err(|error| CreateError::caused(Step::Confine, &error))
}
