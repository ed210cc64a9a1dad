//! The stage that creates a container: a mount namespace, the root file system, then its first process.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::stat::Mode;
use oci_spec::runtime::Spec;

use super::cgroup::make_cgroup;
use super::error::{CreateError, Step};
use super::init::become_init;
use super::mounts::{enter_namespace, prepare_mounts};
use super::report::{Report, Word};
use super::{external, streams};
use crate::engine::confine::filter_of;
use crate::engine::filter::Filter;
use crate::engine::launch::Launch;
use crate::fault;
use crate::image::user;
use crate::sys::path::{Resolve, make_directories, open_root};
use crate::sys::process::{die_with_parent, restore_signals};

/// The `main` of the stage.
pub fn stage_main() -> ExitCode {
    restore_signals();
    make(None)
}

/// A launch with all that can be known of it beforehand.
pub(super) struct Ready {
    launch: Launch,
    /// Another runtime compiles its own.
    filter: Option<Filter>,
}

impl Ready {
    /// Reads a launch.
    ///
    /// # Errors
    /// It makes no sense, or asks for a filter that cannot be made.
    pub(super) fn read(text: &[u8]) -> Result<Self, CreateError> {
        let launch: Launch = serde_json::from_slice(text)
            .map_err(|error| CreateError::caused(Step::Stage, &error))?;
        let launch = launch.written_out();
        let filter = match launch.runtime {
            Some(_) => None,
            None => filter_of(&launch.spec, &launch.site.filters)?,
        };
        Ok(Self { launch, filter })
    }
}

/// Makes the container of the launch that is this process's input, which may be known already.
pub(super) fn make(known: Option<Ready>) -> ExitCode {
    let Ok(socket) = io::stdout().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let mut report = Report::new(socket);
    // The mark of working for somebody, which the container's streams are about to replace.
    let Ok(_work) = io::stderr().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let is_ready = die_with_parent().is_ok() && std::env::set_current_dir("/").is_ok();
    if !is_ready || report.has_hung_up() {
        return ExitCode::FAILURE;
    }
    let ready = known.map_or_else(read_input, Ok);
    let created = ready.and_then(|ready| {
        forget_groups()?;
        create(ready, &mut report)
    });
    match created {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report.fail(error);
            ExitCode::FAILURE
        }
    }
}

fn read_input() -> Result<Ready, CreateError> {
    let mut text = Vec::new();
    let read = io::stdin().read_to_end(&mut text);
    read.map_err(|error| CreateError::caused(Step::Stage, &error))?;
    Ready::read(&text)
}

/// Gives up the supplementary groups of whoever started the engine.
fn forget_groups() -> Result<(), CreateError> {
    nix::unistd::setgroups(&[]).map_err(|errno| CreateError::caused(Step::Confine, &errno))
}

fn create(ready: Ready, report: &mut Report) -> Result<(), CreateError> {
    let Ready { launch, filter } = ready;
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
    let Some(runtime) = &launch.runtime else {
        return become_init(&launch, filter, report);
    };
    report.await_start()?;
    let created = external::run(runtime, &launch)?;
    fault::point("after the runtime");
    report.say(&Word::Successor { pid: created.pid }, None)?;
    let terminal = created.terminal.as_ref().map(|fd| fd.as_fd());
    report.say(&Word::Started, terminal)
}

pub(super) fn open_rootfs(launch: &Launch) -> Result<OwnedFd, CreateError> {
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
