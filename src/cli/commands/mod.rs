//! One file a noun, one short function a command.

mod engine;

use super::args::{Cli, Command};
use super::error::Error;
use super::{CalledAs, output::Output};

/// Carries out the command.
pub(super) fn run(cli: Cli, _called_as: CalledAs) -> Result<(), Error> {
    match cli.command {
        Command::Version(formatted) => {
            engine::version(formatted.format.as_ref(), &mut Output::stdout())
        }
        _ => Err(Error::Usage {
            message: "this build has no engine yet".into(),
            help: None,
        }),
    }
}
