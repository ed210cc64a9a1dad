//! One file a noun, one short function a command.

mod engine;
mod find;
mod input;
mod kube;
mod lifecycle;
mod open;
mod validate;

use super::args::{
    Cli, Command, ContainerCommand, ContainerGroup, Global, KubeCommand, PlayCommand, PodCommand,
};
use super::error::Error;
use super::{CalledAs, output::Output};
use crate::state::IntentKind;

/// Carries out the command.
pub(super) fn run(cli: Cli, called_as: CalledAs) -> Result<(), Error> {
    let global = &cli.global;
    match cli.command {
        Command::Version(formatted) => {
            engine::version(formatted.format.as_ref(), &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Play(arguments))
        | Command::Play(PlayCommand::Kube(arguments)) => {
            kube::play(global, &arguments, called_as, &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Down(arguments)) => {
            kube::down(global, &arguments, &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Validate(arguments)) => {
            validate::validate(&arguments, &mut Output::stdout())
        }
        Command::Containers(command) | Command::Container(ContainerGroup::Plain(command)) => {
            container(global, &command)
        }
        Command::Pod(command) => pod(global, &command),
        _ => Err(not_yet()),
    }
}

fn container(global: &Global, command: &ContainerCommand) -> Result<(), Error> {
    let output = &mut Output::stdout();
    match command {
        ContainerCommand::Start(arguments) => {
            lifecycle::start(&mut open::engine(global, "start")?, arguments, output)
        }
        ContainerCommand::Stop(arguments) => {
            lifecycle::stop(&mut open::engine(global, "stop")?, arguments, output)
        }
        ContainerCommand::Restart(arguments) => {
            lifecycle::restart(&mut open::engine(global, "restart")?, arguments, output)
        }
        ContainerCommand::Kill(arguments) => {
            lifecycle::kill(&mut open::engine(global, "kill")?, arguments, output)
        }
        ContainerCommand::Rm(arguments) => {
            lifecycle::remove(&mut open::engine(global, "rm")?, arguments, output)
        }
        ContainerCommand::Wait(arguments) => {
            lifecycle::wait(&mut open::engine(global, "wait")?, arguments, output)
        }
        ContainerCommand::Exists(arguments) => {
            lifecycle::container_exists(&open::engine(global, "exists")?, &arguments.name)
        }
        _ => Err(not_yet()),
    }
}

fn pod(global: &Global, command: &PodCommand) -> Result<(), Error> {
    let output = &mut Output::stdout();
    match command {
        PodCommand::Start(arguments) => {
            let engine = &mut open::engine(global, "pod start")?;
            lifecycle::pods(engine, &arguments.targets, &IntentKind::Start, output)
        }
        PodCommand::Restart(arguments) => {
            let engine = &mut open::engine(global, "pod restart")?;
            let kind = IntentKind::Restart { grace: None };
            lifecycle::pods(engine, &arguments.targets, &kind, output)
        }
        PodCommand::Stop(arguments) => {
            lifecycle::stop_pods(&mut open::engine(global, "pod stop")?, arguments, output)
        }
        PodCommand::Kill(arguments) => {
            lifecycle::kill_pods(&mut open::engine(global, "pod kill")?, arguments, output)
        }
        PodCommand::Rm(arguments) => {
            lifecycle::remove_pods(&mut open::engine(global, "pod rm")?, arguments, output)
        }
        PodCommand::Exists(arguments) => {
            lifecycle::pod_exists(&open::engine(global, "pod exists")?, &arguments.name)
        }
        _ => Err(not_yet()),
    }
}

fn not_yet() -> Error {
    Error::Usage {
        message: "this command is not built yet".into(),
        help: None,
    }
}
