//! The stage that creates a container: a mount namespace, the root file system, then the runtime.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::cgroup::{limit, make_cgroup, take_entrance};
use super::error::{CreateError, Step};
use super::mounts::{enter_namespace, prepare_mounts};
use super::premount::premount;
use super::program::{Program, Reporting};
use super::streams::{self, ConsoleSocket};
use super::{Created, GO, Reply, external};
use crate::engine::confine::Confinement;
use crate::engine::launch::{Launch, LaunchProgram};
use crate::fault;
use crate::image::user;
use crate::sys::descriptor;
use crate::sys::path::{Resolve, make_directories, open_root};
use crate::sys::process::{die_with_parent, restore_signals};

/// The `main` of the stage.
pub fn stage_main() -> ExitCode {
    restore_signals();
    let Ok(report) = io::stdout().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let report = UnixStream::from(report);
    // The mark of working for somebody, which the container's streams are about to replace.
    let Ok(_work) = io::stderr().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let is_ready = die_with_parent().is_ok() && std::env::set_current_dir("/").is_ok();
    if !is_ready || has_hung_up(&report) {
        return ExitCode::FAILURE;
    }
    let mut gate = Gate {
        report: &report,
        is_open: false,
    };
    let (reply, terminal) = match read_launch().and_then(|launch| {
        forget_groups()?;
        create(launch, &mut gate)
    }) {
        Ok(created) => (Reply::Created { pid: created.pid }, created.terminal),
        Err(error) => {
            // A word that nobody has read when the stage ends would take its report along (`unix(7)`).
            let _ = gate.pass();
            (Reply::Failed(error), None)
        }
    };
    let Ok(text) = serde_json::to_vec(&reply) else {
        return ExitCode::FAILURE;
    };
    let terminal = terminal.as_ref().map(|fd| fd.as_fd());
    match descriptor::send(&report, &text, terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Returns whether nobody waits for the report any more.
fn has_hung_up(report: &UnixStream) -> bool {
    let mut fds = [PollFd::new(report.as_fd(), PollFlags::empty())];
    // A closed peer is told whether one asks for it or not.
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

fn read_launch() -> Result<Launch, CreateError> {
    let mut text = Vec::new();
    io::stdin()
        .read_to_end(&mut text)
        .and_then(|_| Ok(serde_json::from_slice(&text)?))
        .map_err(|error| CreateError::caused(Step::Stage, &error))
}

/// Gives up the supplementary groups of whoever started the engine.
///
/// The runtime sets a container's groups only if it has some: without any it would have ours.
fn forget_groups() -> Result<(), CreateError> {
    nix::unistd::setgroups(&[]).map_err(|errno| CreateError::caused(Step::Confine, &errno))
}

fn create(launch: Launch, gate: &mut Gate<'_>) -> Result<Created, CreateError> {
    fault::point("before the mounts");
    let shared = enter_namespace(&launch)?;
    make_cgroup(&launch)?;
    fault::point("with the container's cgroup made");
    prepare_mounts(&launch, shared)?;
    fault::point("with the mounts made");
    let root = open_rootfs(&launch)?;
    let user = user::resolve(root.as_fd(), &launch.user.user)
        .map_err(|error| CreateError::caused(Step::User, &error))?;
    let launch = launch
        .with_user(&user)
        .map_err(|error| CreateError::caused(Step::User, &error))?;
    make_working_directory(root.as_fd(), &launch)?;
    drop(root);
    streams::take(&launch, user.uid)?;
    write_config(&launch.site.bundle, &launch.spec)?;
    fault::point("before the runtime");
    let created = match &launch.runtime {
        Some(runtime) => gate.pass().and_then(|()| external::run(runtime, &launch)),
        None => run_embedded(&launch, gate),
    };
    fault::point("after the runtime");
    created
}

/// Where the stage waits until the pod around the container is complete.
struct Gate<'a> {
    report: &'a UnixStream,
    is_open: bool,
}

impl Gate<'_> {
    fn pass(&mut self) -> Result<(), CreateError> {
        if self.is_open {
            return Ok(());
        }
        let mut go = [0; GO.len()];
        let mut report = self.report;
        report
            .read_exact(&mut go)
            .map_err(|error| CreateError::caused(Step::Stage, &error))?;
        self.is_open = true;
        Ok(())
    }
}

fn open_rootfs(launch: &Launch) -> Result<OwnedFd, CreateError> {
    open_root(&launch.site.bundle.join("rootfs"))
        .map_err(|error| CreateError::io(Step::RootFs, &launch.site.bundle, &error))
}

/// A working directory that the image lacks is made, as podman does.
fn make_working_directory(root: BorrowedFd<'_>, launch: &Launch) -> Result<(), CreateError> {
    let Some(process) = launch.spec.process() else {
        return Ok(());
    };
    let path = process.cwd();
    let mode = Mode::from_bits_truncate(0o755);
    match make_directories(root, path, Resolve::InRoot, mode) {
        Ok(_) => Ok(()),
        Err(error) => Err(CreateError::io(Step::WorkingDirectory, path, &error)),
    }
}

/// A bundle's `config.json` is for its owner only: it has the values of secrets.
fn write_config(bundle: &Path, spec: &Spec) -> Result<(), CreateError> {
    let path = bundle.join("config.json");
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(&serde_json::to_vec(spec)?))
        .map_err(|error| CreateError::io(Step::Runtime, &path, &error))
}

fn run_embedded(launch: &Launch, gate: &mut Gate<'_>) -> Result<Created, CreateError> {
    let failed = |error: &dyn std::error::Error| CreateError::caused(Step::Runtime, error);
    let (mut outcome, told_by) = io::pipe().map_err(|error| failed(&error))?;
    let program = match launch.program {
        LaunchProgram::OfSpec => Program::OfSpec,
        LaunchProgram::Infra => Program::Infra,
    };
    let mut spec = told(launch);
    let root = open_rootfs(launch)?;
    premount(&mut spec, root.as_fd())?;
    drop(root);
    limit(launch)?;
    let executor = Reporting {
        program,
        entrance: take_entrance(launch, &spec)?.map(Arc::new),
        confinement: Arc::new(Confinement::of(&launch.spec, &launch.site.filters)?),
        report: Arc::new(told_by.into()),
    };
    let state = launch.site.bundle.join("state");
    // A run before this one that was killed leaves its directory, and the runtime refuses it.
    let _ = fs::remove_dir_all(&state);
    fs::create_dir(&state).map_err(|error| CreateError::io(Step::Runtime, &state, &error))?;
    write_config(&state, &spec)?;
    let has_terminal = launch.has_terminal();
    let console = has_terminal
        .then(|| ConsoleSocket::bind(&launch.site.bundle))
        .transpose()?;
    let result = build(launch, &state, executor, (gate, has_terminal));
    let started = result.and_then(|(pid, terminal)| {
        let terminal = terminal.then_some(console).flatten();
        Ok((pid, terminal.map(ConsoleSocket::receive).transpose()?))
    });
    // Whoever held the other end has become the program, or ended.
    let mut text = Vec::new();
    let told = outcome.read_to_end(&mut text);
    let _ = fs::remove_dir_all(&state);
    match (started, told) {
        (_, Ok(1..)) => Err(serde_json::from_slice(&text)
            .unwrap_or_else(|_| CreateError::new(Step::Runtime, String::from_utf8_lossy(&text)))),
        (Ok((pid, terminal)), _) => Ok(Created { pid, terminal }),
        (Err(error), _) => Err(error),
    }
}

/// Returns what the runtime is told at most: all but the limits of the cgroup and the last step, which we see to.
fn told(launch: &Launch) -> Spec {
    let mut spec = launch.spec.clone();
    if let Some(root) = spec.root_mut() {
        root.set_path(launch.site.bundle.join("rootfs"));
    }
    if let Some(process) = spec.process_mut() {
        process.set_capabilities(None);
    }
    if let Some(linux) = spec.linux_mut() {
        linux.set_seccomp(None);
        linux.set_resources(None);
    }
    spec
}

fn build(
    launch: &Launch,
    state: &Path,
    executor: Reporting,
    (gate, has_terminal): (&mut Gate<'_>, bool),
) -> Result<(i32, bool), CreateError> {
    let failed = |error: &dyn std::error::Error| CreateError::caused(Step::Runtime, error);
    let console = has_terminal.then(|| launch.site.bundle.join(ConsoleSocket::NAME));
    let mut container = ContainerBuilder::new(launch.site.id.to_string(), SyscallType::default())
        .with_executor(executor)
        .with_console_socket(console)
        .with_root_path(state)
        .map_err(|error| failed(&error))?
        .as_init(state)
        .with_systemd(false)
        .with_detach(true)
        .as_sibling(true)
        .build()
        .map_err(|error| failed(&error))?;
    let pid = container
        .pid()
        .ok_or_else(|| CreateError::new(Step::Runtime, "the container has no process"))?;
    fault::point("with a container that waits for its start");
    gate.pass()
        .and_then(|()| container.start().map_err(|error| failed(&error)))
        .inspect_err(|_| {
            // It waits to be started and would wait for ever.
            let _ = kill(Pid::from_raw(pid.as_raw()), Signal::SIGKILL);
        })?;
    Ok((pid.as_raw(), has_terminal))
}
