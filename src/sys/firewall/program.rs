//! Programs of the host, found where only root can put them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::FirewallError;
use crate::sys::process::end_with_caller;

/// Where programs run by us are looked for; never in `$PATH`, which the caller controls.
const PROGRAM_DIRS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    PROGRAM_DIRS
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

pub(super) fn run_program(
    program: &Path,
    arguments: &[&str],
    input: &str,
) -> Result<Output, FirewallError> {
    let failed = |source| FirewallError::Run {
        program: program.to_owned(),
        source,
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Whoever dies had the right to change the rules: what works for it must not go on without.
    end_with_caller(&mut command);
    let mut child = command.spawn().map_err(failed)?;
    // The input is read to its end before anything is printed, and dropping the pipe ends it. A
    // program that ended early says why on its standard error.
    if let Some(mut pipe) = child.stdin.take() {
        match pipe.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(error)),
            _ => {}
        }
    }
    child.wait_with_output().map_err(failed)
}

/// Returns the first line of what the program said on its standard error, without its prefix.
pub(super) fn message_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("Error:"));
    let line = line.or_else(|| text.lines().next()).unwrap_or_default();
    match line.split_once("Error: ") {
        Some((_, message)) => message.trim().to_owned(),
        None => line.trim().to_owned(),
    }
}
