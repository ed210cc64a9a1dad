//! `top` and `pod top`: the processes of containers, read from the host's `/proc`.

use std::path::Path;

use super::super::args::{PodTop, Top};
use super::super::error::{Error, usage};
use super::super::view::top;
use super::Context;
use super::find::{self, Found};
use crate::engine::Engine;
use crate::engine::exec::{self, ExecRequest, Streams};
use crate::engine::processes::ContainerProcesses;
use crate::image::user::IdNames;
use crate::model::state::ProcessRef;
use crate::sys::path::open_root;

/// Where a process finds its own program, whatever has become of the file.
const PROGRAM: &str = "/proc/self/exe";

pub(super) fn of_container(context: &mut Context<'_>, arguments: &Top) -> Result<(), Error> {
    let engine = context.engine("top")?;
    let observed = engine.observed()?;
    let mut words = arguments.descriptors.clone();
    let found = match (&arguments.container, arguments.latest) {
        (Some(name), false) => find::container(&observed, name)?,
        (word, _) => {
            words.splice(0..0, word.clone());
            find::latest_container(&observed)?
        }
    };
    let process = running(&found)?;
    if words.iter().any(|word| word.starts_with('-')) {
        return run_ps(&engine, &found, process, words);
    }
    let columns = columns(&words)?;
    let processes = vec![read(&engine, &found, process)?];
    show(context, &columns, &processes)
}

pub(super) fn of_pod(context: &mut Context<'_>, arguments: &PodTop) -> Result<(), Error> {
    let engine = context.engine("pod top")?;
    let observed = engine.observed()?;
    let mut words = arguments.descriptors.clone();
    let pod = match (&arguments.pod, arguments.latest) {
        (Some(name), false) => find::pod(&observed, name)?,
        (word, _) => {
            words.splice(0..0, word.clone());
            find::latest_pod(&observed)?
        }
    };
    let columns = columns(&words)?;
    let mut all = Vec::new();
    for container in &pod.containers {
        let found = Found { pod, container };
        if let Ok(process) = running(&found) {
            all.push(read(&engine, &found, process)?);
        }
    }
    if all.is_empty() {
        return Err(usage(format!(
            "pod top can only be used on pods with at least one running container: `{}` has none",
            pod.record.spec.name
        )));
    }
    show(context, &columns, &all)
}

fn running<'a>(found: &Found<'a>) -> Result<&'a ProcessRef, Error> {
    let process = found.container.state.process();
    process.ok_or_else(|| Error::Usage {
        message: format!(
            "top can only be used on running containers: `{}` is {}",
            found.name(),
            found.container.state.word()
        ),
        help: Some("`podwright start` starts it"),
    })
}

fn columns(words: &[String]) -> Result<Vec<&'static top::Descriptor>, Error> {
    top::descriptors(words).map_err(|word| {
        usage(format!(
            "`{word}` is no descriptor: there are {}",
            top::known()
        ))
    })
}

fn read(
    engine: &Engine,
    found: &Found<'_>,
    process: &ProcessRef,
) -> Result<ContainerProcesses, Error> {
    let paths = engine.paths().pod(&found.pod.record.id);
    let cgroup = paths.container_cgroup(&found.container.name);
    ContainerProcesses::read(process, &cgroup)
        .map_err(|error| Error::Engine(Box::new(error.into())))
}

fn show(
    context: &mut Context<'_>,
    columns: &[&top::Descriptor],
    processes: &[ContainerProcesses],
) -> Result<(), Error> {
    use std::os::fd::AsFd as _;
    let host = open_root(Path::new("/"));
    let host = host.map_or_else(|_| IdNames::default(), |root| IdNames::read(root.as_fd()));
    Ok(context
        .output
        .table(&top::table(columns, processes, &host))?)
}

/// Runs the container's own `ps`, for those who write its flags.
fn run_ps(
    engine: &Engine,
    found: &Found<'_>,
    process: &ProcessRef,
    flags: Vec<String>,
) -> Result<(), Error> {
    let paths = engine.paths().pod(&found.pod.record.id);
    let request = ExecRequest {
        pid: process.pid,
        start_time: process.start_time,
        bundle: paths.bundle(&found.container.name),
        filters: engine.paths().filters(),
        cgroup: paths.container_cgroup(&found.container.name),
        args: std::iter::once("ps".to_owned()).chain(flags).collect(),
        env: Vec::new(),
        user: None,
        cwd: None,
        terminal: false,
    };
    let running = exec::start(Path::new(PROGRAM), &request, Streams::inherited())?;
    let code = running.wait().map_err(|source| Error::File {
        doing: "waiting for",
        path: "ps".into(),
        source,
    })?;
    match code {
        0 => Ok(()),
        code => Err(Error::Code(code)),
    }
}
