//! Another OCI runtime in the place of the embedded one (`--runtime PATH`).

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Created;
use super::error::{CreateError, Step};
use super::streams::ConsoleSocket;
use crate::engine::launch::{Launch, LaunchProgram};

/// Where a runtime is looked up by its name alone.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Creates and starts the container with the command line that runc, crun and youki share.
///
/// The container's init is an orphan when the runtime ends, and so a child of the supervisor, which is a
/// subreaper.
pub(super) fn run(runtime: &Path, launch: &Launch) -> Result<Created, CreateError> {
    if launch.program == LaunchProgram::Infra {
        let message = "only the embedded runtime can run the init of a shared PID namespace";
        return Err(CreateError::new(Step::Runtime, message));
    }
    let pid_file = launch.site.bundle.join("pid");
    let id = launch.site.id.to_string();
    let has_terminal = launch.has_terminal();
    let console = has_terminal
        .then(|| ConsoleSocket::bind(&launch.site.bundle))
        .transpose()?;
    let call = Call { runtime, launch };
    // A run before this one leaves its state, as an OCI runtime forgets nothing by itself.
    let _ = call.run(&["delete".as_ref(), "--force".as_ref(), id.as_ref()]);
    let mut create = vec!["create".as_ref(), "--bundle".as_ref()];
    create.extend([launch.site.bundle.as_os_str(), "--pid-file".as_ref()]);
    create.push(pid_file.as_os_str());
    let socket = launch.site.bundle.join(ConsoleSocket::NAME);
    if has_terminal {
        create.extend(["--console-socket".as_ref(), socket.as_os_str()]);
    }
    create.push(id.as_ref());
    call.run(&create)?;
    let terminal = console.map(ConsoleSocket::receive).transpose()?;
    let started = call.run(&["start".as_ref(), id.as_ref()]);
    if let Err(error) = started {
        let _ = call.run(&["delete".as_ref(), "--force".as_ref(), id.as_ref()]);
        return Err(error);
    }
    let pid = fs::read_to_string(&pid_file)
        .and_then(|text| text.trim().parse().map_err(io::Error::other))
        .map_err(|error| CreateError::io(Step::Runtime, &pid_file, &error))?;
    Ok(Created { pid, terminal })
}

struct Call<'a> {
    runtime: &'a Path,
    launch: &'a Launch,
}

impl Call<'_> {
    /// The runtime has the container's streams, which its own words must not reach: they go to a log.
    fn run(&self, args: &[&std::ffi::OsStr]) -> Result<(), CreateError> {
        let failed = |error: &io::Error| CreateError::io(Step::RuntimeProgram, self.runtime, error);
        let log = self.launch.site.bundle.join("runtime.log");
        File::create(&log).map_err(|error| failed(&error))?;
        let status = Command::new(self.runtime)
            .env_clear()
            .env("PATH", PATH)
            .arg("--root")
            .arg(self.launch.site.bundle.join("state"))
            .arg("--log")
            .arg(&log)
            .args(["--log-format", "json"])
            .args(args)
            .stdin(Stdio::null())
            .status()
            .map_err(|error| failed(&error))?;
        if status.success() {
            return Ok(());
        }
        let text = fs::read_to_string(&log).unwrap_or_default();
        Err(told(&text).unwrap_or_else(|| {
            CreateError::new(Step::Runtime, format!("the runtime ended with {status}"))
        }))
    }
}

#[derive(Deserialize)]
struct LogLine {
    level: String,
    msg: String,
}

/// Reads the last error of a runtime's log; a command that is missing is told only by these words.
fn told(log: &str) -> Option<CreateError> {
    let message = log
        .lines()
        .filter_map(|line| serde_json::from_str::<LogLine>(line).ok())
        .rfind(|line| line.level == "error")?
        .msg;
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let step = if says(&["executable file not found", "executable file `"])
        || says(&["exec: "]) && says(&["no such file or directory"])
    {
        Step::CommandNotFound
    } else if says(&["exec: ", "exec "]) && says(&["permission denied", "is a directory"]) {
        Step::CommandNotExecutable
    } else {
        Step::Runtime
    };
    Some(CreateError::new(step, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_of_a_runtime_is_told() {
        let line = |msg: &str| format!("{{\"level\":\"error\",\"msg\":\"{msg}\",\"time\":\"\"}}\n");
        let code = |msg: &str| told(&(line("first") + &line(msg))).unwrap().code();
        assert_eq!(
            code("exec: \\\"x\\\": executable file not found in $PATH"),
            127
        );
        assert_eq!(code("exec: \\\"/x\\\": permission denied"), 126);
        assert_eq!(code("something else"), 125);
        assert!(told("not json\n").is_none());
    }
}
