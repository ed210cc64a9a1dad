//! Finds the program of a container and becomes it.

use std::ffi::{CString, NulError};
use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};
use oci_spec::runtime::{Process, Spec};

use super::error::{CreateError, Step};

/// Returns the command line and the environment of a container's program.
pub(super) fn words(spec: &Spec) -> (Vec<String>, Vec<String>) {
    let process = spec.process().as_ref();
    let of = |list: Option<&Option<Vec<String>>>| list.cloned().flatten().unwrap_or_default();
    (
        of(process.map(Process::args)),
        of(process.map(Process::env)),
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
fn find_program(args: &[String], env: &[String]) -> Result<PathBuf, CreateError> {
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
