//! The command line: what was typed, what is shown, what it comes to.
//!
//! A command gathers, plans, prints or carries out, and reports; what is decided is decided in the
//! layers below. [`run`] is the only entry.
#![forbid(unsafe_code)]

pub mod args;
mod booleans;
mod commands;
mod complete;
mod error;
mod filter;
mod log_reader;
pub mod output;
mod progress;
pub mod report;
mod view;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

pub use error::Error;

/// The name the program was called by: what a script expects depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalledAs {
    Podwright,
    /// A link called `podman`: unknown fields are passed over in silence, as podman does.
    Podman,
}

impl CalledAs {
    fn of(program: Option<&OsStr>) -> Self {
        match program.and_then(|program| Path::new(program).file_name()) {
            Some(name) if name == "podman" => Self::Podman,
            _ => Self::Podwright,
        }
    }
}

/// Runs the command that was typed.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    if arguments
        .get(1)
        .is_some_and(|word| word == complete::COMPLETE)
    {
        return complete::answer(&arguments[2..]);
    }
    let called_as = CalledAs::of(arguments.first().map(OsString::as_os_str));
    let wrong_use = wrong_use_code(&arguments);
    let result = args::Cli::try_parse_from(booleans::without_values(arguments))
        .map_err(Error::from)
        .and_then(|cli| commands::run(cli, called_as));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Arguments(error)) if !error.use_stderr() => answer(&error),
        Err(error) => {
            let mut report = report::report(&error);
            if let (Some(code), Error::Arguments(_) | Error::Usage { .. }) = (wrong_use, &error) {
                report.code = code;
            }
            report.show();
            ExitCode::from(report.code)
        }
    }
}

/// Returns the exit code of a wrong command line where it is not podman's: `kube validate` is no command of
/// podman's, and a checker's 2 says "used wrongly", so that 125 is left for "could not run".
fn wrong_use_code(arguments: &[OsString]) -> Option<u8> {
    let mut pairs = arguments.windows(2);
    let is_validate = pairs.any(|pair| pair[0] == "kube" && pair[1] == "validate");
    is_validate.then_some(2)
}

/// Prints what `--help` and `--version` ask for.
fn answer(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let mut output = output::Output::stdout();
    match output.bytes(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) | Err(output::OutputError::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            let report = report::report(&error.into());
            report.show();
            ExitCode::from(report.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_called_podman_is_noticed() {
        for (program, called_as) in [
            ("podman", CalledAs::Podman),
            ("/usr/local/bin/podman", CalledAs::Podman),
            ("podwright", CalledAs::Podwright),
            ("/opt/podman/podwright", CalledAs::Podwright),
        ] {
            assert_eq!(
                CalledAs::of(Some(OsStr::new(program))),
                called_as,
                "{program}"
            );
        }
    }
}
