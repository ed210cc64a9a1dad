//! One file a noun, one short function a command.

mod engine;
mod kube;
mod open;

use super::args::{Cli, Command, KubeCommand, PlayCommand};
use super::error::Error;
use super::{CalledAs, output::Output};

/// Carries out the command.
pub(super) fn run(cli: Cli, called_as: CalledAs) -> Result<(), Error> {
    match cli.command {
        Command::Version(formatted) => {
            engine::version(formatted.format.as_ref(), &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Play(arguments))
        | Command::Play(PlayCommand::Kube(arguments)) => {
            kube::play(&cli.global, &arguments, called_as, &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Down(arguments)) => {
            kube::down(&cli.global, &arguments, &mut Output::stdout())
        }
        _ => Err(Error::Usage {
            message: "this build has no engine yet".into(),
            help: None,
        }),
    }
}
