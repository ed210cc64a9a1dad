//! Finds the program of a container and becomes it, confined as its spec says.
//!
//! The last step is reported over a descriptor that closes with `execve(2)`: nothing and the end of
//! file mean that the program runs; anything else is why it does not. The runtime alone could
//! tell only what it found out before the start.

use std::ffi::{CString, NulError};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};

use super::error::{CreateError, Step};
use super::infra;
use crate::engine::confine::Confinement;
use crate::sys::cgroup::Entrance;

/// What a container's first process becomes.
#[derive(Debug, Clone)]
pub(super) enum Program {
    /// The program its spec names.
    OfSpec,
    /// The init of a shared PID namespace: this program itself, which needs nothing of an image.
    Infra,
}

/// Runs the last step within the container, and reports how it failed.
#[derive(Debug, Clone)]
pub(super) struct Reporting {
    pub(super) program: Program,
    /// The cgroup that it has to enter itself.
    pub(super) entrance: Option<Arc<Entrance>>,
    pub(super) confinement: Arc<Confinement>,
    pub(super) report: Arc<OwnedFd>,
}

impl Reporting {
    fn tell(&self, error: &CreateError) {
        let Ok(report) = self.report.try_clone() else {
            return;
        };
        if let Ok(text) = serde_json::to_vec(error) {
            // Nobody is left to be told if the parent does not read.
            let _ = File::from(report).write_all(&text);
        }
    }
}

impl Reporting {
    fn enter_cgroup(&self) -> Result<(), CreateError> {
        let entered = self
            .entrance
            .as_ref()
            .map_or(Ok(()), |entrance| entrance.enter());
        entered.map_err(|error| CreateError::caused(Step::Cgroup, &error))
    }
}

impl Executor for Reporting {
    /// The runtime has left the process the user, in the container's namespaces, with all capabilities.
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        let confined = self.enter_cgroup().and_then(|()| self.confinement.enter());
        let found = confined.and_then(|()| match self.program {
            Program::Infra => Ok(()),
            Program::OfSpec => {
                let (args, env) = words(spec);
                find_program(&args, &env).map(drop)
            }
        });
        found.map_err(|error| {
            self.tell(&error);
            ExecutorValidationError::ArgValidationError(error.to_string())
        })
    }

    /// The environment goes to `execve(2)` as the spec has it, in its order.
    fn setup_envs(
        &self,
        _: std::collections::HashMap<String, String>,
    ) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        if matches!(self.program, Program::Infra) {
            infra::run();
        }
        let (args, env) = words(spec);
        let error = execute(&args, &env);
        self.tell(&error);
        Err(ExecutorError::Other(error.to_string()))
    }
}

fn words(spec: &Spec) -> (Vec<String>, Vec<String>) {
    let process = spec.process().as_ref();
    let of = |list: Option<&Option<Vec<String>>>| list.cloned().flatten().unwrap_or_default();
    (
        of(process.map(libcontainer::oci_spec::runtime::Process::args)),
        of(process.map(libcontainer::oci_spec::runtime::Process::env)),
    )
}

/// Becomes the program; returns only why it cannot.
pub(in crate::engine) fn execute(args: &[String], env: &[String]) -> CreateError {
    let path = match find_program(args, env) {
        Ok(path) => path,
        Err(error) => return error,
    };
    let errno = match c_strings(&path, args, env) {
        Ok((path, args, env)) => match execve(&path, &args, &env) {
            Err(errno) => errno,
        },
        Err(_) => Errno::EINVAL,
    };
    refused(&path, errno)
}

fn refused(path: &Path, errno: Errno) -> CreateError {
    let (step, message) = match errno {
        // The file was found just now: what is missing is named in its first line or header.
        Errno::ENOENT => (
            Step::CommandNotFound,
            "the interpreter or loader it needs is not there".to_owned(),
        ),
        Errno::ENOEXEC => (
            Step::CommandNotExecutable,
            "it is not a program for this machine, and has no `#!` line".to_owned(),
        ),
        errno => (Step::CommandNotExecutable, errno.desc().to_owned()),
    };
    CreateError {
        step,
        path: Some(path.to_owned()),
        errno: Some(errno as i32),
        message,
    }
}

type Words = (CString, Vec<CString>, Vec<CString>);

fn c_strings(path: &Path, args: &[String], env: &[String]) -> Result<Words, NulError> {
    use std::os::unix::ffi::OsStrExt as _;
    let all = |words: &[String]| {
        let words = words.iter().map(|word| CString::new(word.as_bytes()));
        words.collect::<Result<Vec<_>, _>>()
    };
    Ok((
        CString::new(path.as_os_str().as_bytes())?,
        all(args)?,
        all(env)?,
    ))
}

/// Finds what the first word names: a path as it is, a bare name along `PATH`.
///
/// Asked as the user who will run it, in the root file system it will run in.
pub(super) fn find_program(args: &[String], env: &[String]) -> Result<PathBuf, CreateError> {
    let name = args.first().map_or("", String::as_str);
    if name.contains('/') {
        let path = PathBuf::from(name);
        return match executable(&path) {
            Found::Yes => Ok(path),
            found => Err(not_runnable(path, found)),
        };
    }
    let search = env.iter().find_map(|line| line.strip_prefix("PATH="));
    let mut refused = None;
    for directory in search.unwrap_or_default().split(':') {
        // An empty entry is the working directory (`environ(7)`).
        let directory = if directory.is_empty() { "." } else { directory };
        let path = Path::new(directory).join(name);
        match executable(&path) {
            Found::Yes if !name.is_empty() => return Ok(path),
            Found::No(errno) => refused = refused.or(Some((path, errno))),
            Found::Yes | Found::Nothing => {}
        }
    }
    Err(match refused {
        Some((path, errno)) if !name.is_empty() => not_runnable(path, Found::No(errno)),
        _ => CreateError {
            step: Step::CommandNotFound,
            path: Some(PathBuf::from(name)),
            errno: Some(Errno::ENOENT as i32),
            message: "there is no such program in $PATH of the container".to_owned(),
        },
    })
}

#[derive(Debug, Clone, Copy)]
enum Found {
    Yes,
    No(Errno),
    Nothing,
}

fn executable(path: &Path) -> Found {
    match fs::metadata(path) {
        Err(error) if error.raw_os_error() == Some(Errno::EACCES as i32) => {
            Found::No(Errno::EACCES)
        }
        Err(_) => Found::Nothing,
        Ok(metadata) if metadata.is_dir() => Found::No(Errno::EISDIR),
        Ok(_) => match access(path, AccessFlags::X_OK) {
            Ok(()) => Found::Yes,
            Err(errno) => Found::No(errno),
        },
    }
}

fn not_runnable(path: PathBuf, found: Found) -> CreateError {
    let (step, errno) = match found {
        Found::No(errno) => (Step::CommandNotExecutable, errno),
        Found::Yes | Found::Nothing => (Step::CommandNotFound, Errno::ENOENT),
    };
    CreateError {
        step,
        path: Some(path),
        errno: Some(errno as i32),
        message: match errno {
            Errno::ENOENT => "there is no such file in the container".to_owned(),
            Errno::EISDIR => "it is a directory".to_owned(),
            errno => errno.desc().to_lowercase(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_program_is_found_by_path_or_along_the_search_path() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, mode) in [("run", 0o755), ("data", 0o644)] {
            fs::write(at(name), "").unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(at("dir")).unwrap();
        let env = [format!("PATH=/nowhere:{}", dir.path().display())];
        let find =
            |name: &str| find_program(&[name.to_owned()], &env).map_err(|error| error.code());
        assert_eq!(find("run"), Ok(at("run")));
        assert_eq!(find("data"), Err(126));
        assert_eq!(find("dir"), Err(126));
        assert_eq!(find("none"), Err(127));
        assert_eq!(find(""), Err(127));
        let full = |name: &str| find(at(name).to_str().unwrap());
        assert_eq!(full("run"), Ok(at("run")));
        assert_eq!(full("data"), Err(126));
        assert_eq!(full("none"), Err(127));
    }
}
