//! `exec`: runs a program in a container that runs, and ends with its exit code.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::super::args::Exec;
use super::super::error::{Error, usage};
use super::find;
use crate::engine::Engine;
use crate::engine::exec::{self, ExecRequest, Input, Streams};
use crate::model::event::{EventAction, EventSubject};
use crate::model::state::ContainerState;

/// Where a process finds its own program, whatever has become of the file.
const PROGRAM: &str = "/proc/self/exe";

/// Runs the program.
pub(super) fn exec(engine: &mut Engine, arguments: &Exec) -> Result<(), Error> {
    if arguments.privileged {
        return Err(usage(
            "--privileged is not supported: a program is confined as its container is",
        ));
    }
    let (request, subject) = request(engine, arguments)?;
    let running = exec::start(Path::new(PROGRAM), &request, streams(arguments))?;
    // The program runs, whether or not that can be written down.
    let _ = engine.note(subject.clone(), EventAction::Exec);
    if arguments.detach {
        return Ok(());
    }
    let mut running = running;
    if let Some(terminal) = running.terminal.take() {
        let input = match arguments.interactive {
            true => Input::Typed,
            false => Input::None,
        };
        // An output that was closed ends the showing; the program's own end still tells.
        let _ = exec::attach(terminal, input);
    }
    let code = running.wait().map_err(|source| Error::File {
        doing: "waiting for",
        path: PathBuf::from(&arguments.command[0]),
        source,
    })?;
    let action = EventAction::ExecDied {
        code: i32::from(code),
    };
    let _ = engine.note(subject, action);
    match code {
        0 => Ok(()),
        code => Err(Error::Code(code)),
    }
}

fn request(engine: &Engine, arguments: &Exec) -> Result<(ExecRequest, EventSubject), Error> {
    let observed = engine.observed()?;
    let found = find::container(&observed, &arguments.container)?;
    let process = found
        .container
        .state
        .process()
        .filter(|_| !matches!(found.container.state, ContainerState::Paused { .. }))
        .ok_or_else(|| Error::Usage {
            message: format!(
                "can only create exec sessions on running containers: `{}` is {}",
                arguments.container,
                found.container.state.word()
            ),
            help: Some("`podwright start` starts it"),
        })?;
    let paths = engine.paths().pod(&found.pod.record.id);
    let mut env = Vec::new();
    for file in &arguments.env_files {
        env.extend(read_env_file(file)?);
    }
    env.extend(arguments.env.iter().filter_map(|text| variable(text)));
    let request = ExecRequest {
        pid: process.pid,
        start_time: process.start_time,
        bundle: paths.bundle(&found.container.name),
        filters: engine.paths().filters(),
        cgroup: paths.container_cgroup(&found.container.name),
        args: arguments.command.clone(),
        env,
        user: arguments.user.clone(),
        cwd: arguments.workdir.clone(),
        terminal: arguments.tty,
    };
    let subject = EventSubject::container(&found.pod.record, found.container);
    Ok((request, subject))
}

fn streams(arguments: &Exec) -> Streams {
    let own = Streams::inherited();
    match (arguments.detach, arguments.interactive) {
        (true, _) => Streams {
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
        },
        (false, true) => own,
        (false, false) => Streams {
            stdin: Stdio::null(),
            ..own
        },
    }
}

/// `NAME=VALUE` is taken as it is, `NAME` with the value it has here, if it has one.
fn variable(text: &str) -> Option<String> {
    if text.contains('=') {
        return Some(text.to_owned());
    }
    let value = std::env::var(text).ok()?;
    Some(format!("{text}={value}"))
}

fn read_env_file(file: &Path) -> Result<Vec<String>, Error> {
    let text = std::fs::read_to_string(file).map_err(|source| Error::File {
        doing: "reading the environment in",
        path: file.to_owned(),
        source,
    })?;
    let lines = text.lines().map(str::trim_start);
    let meant = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(meant.filter_map(variable).collect())
}
