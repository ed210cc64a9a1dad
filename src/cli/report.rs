//! From an error to what is shown and the exit code: one exhaustive match.
//!
//! ```text
//! error: no such container: `web`
//!   help: `podwright ps -a` lists all of them
//! ```

use std::fmt::Write as _;

use super::error::Error;
use super::output::{OutputError, stderr_has_colour, tell};
use crate::causes::chain;
use crate::image::ImageError;
use crate::image::registry::RegistryError;

/// podman's exit code for every error of its own.
const OURS: u8 = 125;

/// What an error comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// The lines for standard error; none for an error that is an answer.
    pub lines: Vec<Line>,
    pub code: u8,
}

/// One line of a report.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Error(String),
    Help(String),
    /// Text that comes with its own marks.
    Plain(String),
}

impl Report {
    fn error(message: impl Into<String>) -> Self {
        Self {
            lines: vec![Line::Error(message.into())],
            code: OURS,
        }
    }

    fn silent(code: u8) -> Self {
        Self {
            lines: Vec::new(),
            code,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.lines.push(Line::Help(help.into()));
        self
    }

    /// Writes the report to standard error.
    pub fn show(&self) {
        if !self.lines.is_empty() {
            tell(&self.text(stderr_has_colour()));
        }
    }

    /// Returns the report as text; colour repeats what the words say.
    #[must_use]
    pub fn text(&self, colour: bool) -> String {
        let mark = |code: &str, word: &str| match colour {
            true => format!("\x1b[{code}m{word}\x1b[0m"),
            false => word.to_owned(),
        };
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Error(message) => writeln!(text, "{} {message}", mark("1;31", "error:")),
                Line::Help(message) => writeln!(text, "  {} {message}", mark("1;36", "help:")),
                Line::Plain(message) => writeln!(text, "{}", message.trim_end()),
            }
            .expect("writing to a string cannot fail");
        }
        text
    }
}

/// Returns what an error comes to.
#[must_use]
pub fn report(error: &Error) -> Report {
    match error {
        Error::Arguments(error) => arguments(error),
        Error::Usage { message, help } => {
            let report = Report::error(message);
            match help {
                Some(help) => report.help(*help),
                None => report,
            }
        }
        Error::NoSuch { what, .. } => {
            let report = Report::error(error.to_string());
            match list_command(what) {
                Some(command) => report.help(format!("`podwright {command}` lists what there is")),
                None => report,
            }
        }
        Error::NoVolume { .. } => Report {
            code: 1,
            ..Report::error(error.to_string())
        },
        Error::VolumeInUse { .. } => Report {
            code: 2,
            ..Report::error(error.to_string())
        }
        .help("`podwright volume rm --force` removes these pods, too"),
        Error::NoNetwork { .. } => Report {
            code: 1,
            ..Report::error(error.to_string())
        },
        Error::NetworkInUse { pods, .. } => Report {
            code: 2,
            ..Report::error(error.to_string())
        }
        .help(format!("on it: pod `{}`", pods.join("`, `"))),
        Error::Ambiguous { .. } => Report::error(error.to_string()).help("write more of the id"),
        Error::Output(OutputError::Closed) => Report::silent(0),
        Error::Output(OutputError::Template(_)) => {
            Report::error(chain(error)).help("`--format json` shows the fields there are")
        }
        Error::Output(OutputError::Write(_) | OutputError::Json(_)) | Error::File { .. } => {
            Report::error(chain(error))
        }
        Error::Manifest(report) => Report {
            lines: vec![Line::Plain(report.clone())],
            code: OURS,
        },
        Error::Exec(cause) => Report {
            code: cause.code(),
            ..Report::error(chain(error))
        },
        Error::About { .. }
        | Error::Plan(_)
        | Error::Engine(_)
        | Error::Networks(_)
        | Error::Unmet(_)
        | Error::Lost(_)
        | Error::Fetch(_)
        | Error::Catalog(_)
        | Error::Copy(_)
        | Error::Generate(_) => Report::error(chain(error)),
        Error::Pull { source, .. } | Error::Push { source, .. } => match &**source {
            ImageError::Registry(cause) => registry(error, cause),
            _ => Report::error(chain(error)),
        },
        Error::Registry(cause) => registry(error, cause),
        Error::Several(errors) => several(errors),
        Error::Code(code) => Report::silent(*code),
    }
}

/// Returns what an error about a registry comes to, and what can be done about it.
fn registry(error: &Error, cause: &RegistryError) -> Report {
    let report = Report::error(chain(error));
    match cause {
        RegistryError::Denied { host, .. } => {
            report.help(format!("`podwright login {host}` keeps who you are"))
        }
        RegistryError::PlainHttp { .. } => {
            report.help("`--tls-verify=false` allows plain HTTP and any certificate")
        }
        RegistryError::ShortName { .. } => report.help("write the whole name"),
        _ => report,
    }
}

fn list_command(what: &str) -> Option<&'static str> {
    match what {
        "container" => Some("ps -a"),
        "pod" => Some("pod ps"),
        "image" => Some("images"),
        "secret" => Some("secret ls"),
        "network" => Some("network ls"),
        "volume" => Some("volume ls"),
        _ => None,
    }
}

/// Help and version are answers; anything else that clap says is an error of ours.
fn arguments(error: &clap::Error) -> Report {
    let text = error.render().to_string();
    Report {
        lines: vec![Line::Plain(text)],
        code: if error.use_stderr() { OURS } else { 0 },
    }
}

/// Shows each error once; the code is the worst of them.
fn several(errors: &[Error]) -> Report {
    let reports: Vec<Report> = errors.iter().map(report).collect();
    Report {
        code: reports
            .iter()
            .map(|report| report.code)
            .max()
            .unwrap_or(OURS),
        lines: reports
            .into_iter()
            .flat_map(|report| report.lines)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_such(name: &str) -> Error {
        Error::NoSuch {
            what: "container",
            name: name.to_owned(),
        }
    }

    #[test]
    fn an_error_is_followed_by_its_help() {
        assert_eq!(
            report(&no_such("web")).text(false),
            "error: no such container: `web`\n  help: `podwright ps -a` lists what there is\n"
        );
        assert_eq!(report(&no_such("web")).code, 125);
    }

    #[test]
    fn causes_come_last() {
        let error = Error::File {
            doing: "reading",
            path: "/x.yaml".into(),
            source: std::io::Error::other("no such file"),
        };
        assert_eq!(
            report(&error).text(false),
            "error: reading /x.yaml: no such file\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_success_and_an_answer_is_silent() {
        assert_eq!(
            report(&Error::Output(OutputError::Closed)),
            Report::silent(0)
        );
        assert_eq!(report(&Error::Code(1)), Report::silent(1));
    }

    #[test]
    fn of_several_errors_each_is_shown() {
        let report = report(&Error::Several(vec![
            no_such("a"),
            Error::Code(1),
            no_such("b"),
        ]));
        assert_eq!((report.code, report.lines.len()), (125, 4));
    }
}
