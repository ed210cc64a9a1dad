//! One file a noun, one short function a command.

mod care;
mod completion;
mod consent;
mod copy;
mod engine;
mod events;
mod exec;
mod explain;
mod find;
mod generate;
mod grants;
mod image;
mod info;
mod input;
mod inputs;
mod inspect;
mod kube;
mod lifecycle;
mod login;
mod logs;
pub(super) mod names;
mod network;
mod open;
mod pod_ps;
mod port;
mod ps;
mod pull;
mod push;
mod secret;
mod stats;
mod system;
mod targets;
mod top;
mod unmet;
mod validate;
mod volume;

use super::args::{
    Cli, Command, ContainerCommand, ContainerGroup, GenerateCommand, Global, ImageCommand,
    ImageGroup, KubeCommand, LogLevel, PlayCommand, PodCommand, StartContainers, SystemCommand,
};
use super::error::{Error, usage};
use super::{
    CalledAs,
    output::{self, Output},
};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::Engine;
use crate::state::IntentKind;

type Stdout = Output<std::io::BufWriter<std::io::StdoutLock<'static>>>;

/// What a command that reads gets: the global flags, and where its results go.
struct Context<'g> {
    global: &'g Global,
    output: Stdout,
}

impl Context<'_> {
    /// Opens the installation; `command` is what others read who wait for this command.
    fn engine(&self, command: &str) -> Result<Engine, Error> {
        open::engine(self.global, command)
    }
}

fn context(global: &Global) -> Context<'_> {
    Context {
        global,
        output: Output::stdout(),
    }
}

/// Carries out the command.
pub(super) fn run(cli: Cli, called_as: CalledAs) -> Result<(), Error> {
    let global = &cli.global;
    if global.log_level == LogLevel::Error {
        output::tell_errors_only();
    }
    match cli.command {
        Command::Version(formatted) => {
            engine::version(formatted.format.as_ref(), &mut Output::stdout())
        }
        Command::Completion(arguments) => completion::completion(&arguments, &mut Output::stdout()),
        Command::Kube(KubeCommand::Play(arguments))
        | Command::Play(PlayCommand::Kube(arguments)) => {
            kube::play(global, &arguments, called_as, &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Down(arguments)) => {
            kube::down(global, &arguments, &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Explain(arguments)) => {
            explain::explain(&arguments, &mut Output::stdout())
        }
        Command::Kube(KubeCommand::Validate(arguments)) => {
            validate::validate(global, &arguments, &mut Output::stdout())
        }
        Command::Containers(command) | Command::Container(ContainerGroup::Plain(command)) => {
            container(global, &command)
        }
        Command::Pod(command) => pod(global, &command),
        other => read(&mut context(global), &other),
    }
}

/// Carries out a command that changes no pod.
fn read(context: &mut Context<'_>, command: &Command) -> Result<(), Error> {
    match command {
        Command::Kube(KubeCommand::Generate(arguments))
        | Command::Generate(GenerateCommand::Kube(arguments)) => {
            generate::generate(context, arguments)
        }
        Command::Container(ContainerGroup::Inspect(arguments)) => {
            inspect::containers(context, arguments)
        }
        Command::Events(arguments) => events::list(context, arguments),
        Command::Inspect(arguments) => inspect::any(context, arguments),
        Command::Image(group) => run_image(context, group),
        Command::Images(arguments) => image::list(context, arguments),
        Command::ImageFiles(command) => run_image_file(context, command),
        Command::Rmi(arguments) => image::remove(context, arguments),
        Command::Login(arguments) => login::login(context, arguments),
        Command::Logout(arguments) => login::logout(context, arguments),
        Command::Secret(command) => secret::run(context, command),
        Command::Network(command) => network::run(context, command),
        Command::Volume(command) => volume::run(context, command),
        Command::System(SystemCommand::Locks(form)) => engine::locks(context, form.format.as_ref()),
        Command::System(SystemCommand::Check(arguments)) => system::check(context, arguments),
        Command::System(SystemCommand::Boot) => system::boot(context),
        Command::System(SystemCommand::Info(form)) | Command::Info(form) => {
            info::info(context, form.format.as_ref())
        }
        Command::System(SystemCommand::Df(arguments)) => care::disk_usage(context, arguments),
        Command::System(SystemCommand::Prune(arguments)) => care::prune_all(context, arguments),
        _ => Err(not_yet()),
    }
}

fn run_image(context: &mut Context<'_>, group: &ImageGroup) -> Result<(), Error> {
    match group {
        ImageGroup::Ls(arguments) => image::list(context, arguments),
        ImageGroup::Inspect(arguments) => image::inspect(context, arguments),
        ImageGroup::Rm(arguments) => image::remove(context, arguments),
        ImageGroup::Exists(arguments) => image::exists(context, arguments),
        ImageGroup::Prune(arguments) => care::prune_images(context, arguments),
        ImageGroup::Plain(command) => run_image_file(context, command),
    }
}

fn run_image_file(context: &mut Context<'_>, command: &ImageCommand) -> Result<(), Error> {
    match command {
        ImageCommand::Load(arguments) => image::load(context, arguments),
        ImageCommand::Import(arguments) => image::import(context, arguments),
        ImageCommand::Tag(arguments) => image::tag(context, arguments),
        ImageCommand::Pull(arguments) => pull::pull(context, arguments),
        ImageCommand::Push(arguments) => push::push(context, arguments),
        ImageCommand::Save(arguments) => push::save(context, arguments),
        ImageCommand::History(arguments) => image::history(context, arguments),
    }
}

fn container(global: &Global, command: &ContainerCommand) -> Result<(), Error> {
    let output = &mut Output::stdout();
    match command {
        ContainerCommand::Exec(arguments) => {
            exec::exec(&mut open::engine(global, "exec")?, arguments)
        }
        ContainerCommand::Start(arguments) if arguments.attach => {
            attach(&mut context(global), arguments)
        }
        ContainerCommand::Start(arguments) => {
            lifecycle::start(&mut open::settled(global, "start")?, arguments, output)
        }
        ContainerCommand::Stop(arguments) => {
            lifecycle::stop(&mut open::settled(global, "stop")?, arguments, output)
        }
        ContainerCommand::Restart(arguments) => {
            lifecycle::restart(&mut open::settled(global, "restart")?, arguments, output)
        }
        ContainerCommand::Kill(arguments) => {
            lifecycle::kill(&mut open::settled(global, "kill")?, arguments, output)
        }
        ContainerCommand::Rm(arguments) => {
            lifecycle::remove(&mut open::settled(global, "rm")?, arguments, output)
        }
        ContainerCommand::Wait(arguments) => {
            lifecycle::wait(&mut open::engine(global, "wait")?, arguments, output)
        }
        ContainerCommand::Ps(arguments) => ps::list(&mut context(global), arguments),
        ContainerCommand::Logs(arguments) => logs::of_containers(&mut context(global), arguments),
        ContainerCommand::Exists(arguments) => {
            lifecycle::container_exists(&open::engine(global, "exists")?, &arguments.name)
        }
        ContainerCommand::Cp(arguments) => copy::copy(&mut open::engine(global, "cp")?, arguments),
        ContainerCommand::Pause(arguments) => {
            let engine = &mut open::settled(global, "pause")?;
            lifecycle::pause(engine, arguments, &IntentKind::Pause, output)
        }
        ContainerCommand::Unpause(arguments) => {
            let engine = &mut open::settled(global, "unpause")?;
            lifecycle::pause(engine, arguments, &IntentKind::Unpause, output)
        }
        ContainerCommand::Stats(arguments) => stats::of_containers(&mut context(global), arguments),
        ContainerCommand::Top(arguments) => top::of_container(&mut context(global), arguments),
        ContainerCommand::Port(arguments) => port::list(&mut context(global), arguments),
    }
}

fn pod(global: &Global, command: &PodCommand) -> Result<(), Error> {
    let output = &mut Output::stdout();
    match command {
        PodCommand::Start(arguments) => {
            let engine = &mut open::settled(global, "pod start")?;
            lifecycle::pods(engine, &arguments.targets, &IntentKind::Start, output)
        }
        PodCommand::Restart(arguments) => {
            let engine = &mut open::settled(global, "pod restart")?;
            let kind = IntentKind::Restart { grace: None };
            lifecycle::pods(engine, &arguments.targets, &kind, output)
        }
        PodCommand::Stop(arguments) => {
            lifecycle::stop_pods(&mut open::settled(global, "pod stop")?, arguments, output)
        }
        PodCommand::Kill(arguments) => {
            lifecycle::kill_pods(&mut open::settled(global, "pod kill")?, arguments, output)
        }
        PodCommand::Rm(arguments) => {
            lifecycle::remove_pods(&mut open::settled(global, "pod rm")?, arguments, output)
        }
        PodCommand::Ps(arguments) => pod_ps::list(&mut context(global), arguments),
        PodCommand::Inspect(arguments) => inspect::pods(&mut context(global), arguments),
        PodCommand::Logs(arguments) => logs::of_pod(&mut context(global), arguments),
        PodCommand::Exists(arguments) => {
            lifecycle::pod_exists(&open::engine(global, "pod exists")?, &arguments.name)
        }
        PodCommand::Pause(arguments) => {
            let engine = &mut open::settled(global, "pod pause")?;
            lifecycle::pods(engine, &arguments.targets, &IntentKind::Pause, output)
        }
        PodCommand::Unpause(arguments) => {
            let engine = &mut open::settled(global, "pod unpause")?;
            lifecycle::pods(engine, &arguments.targets, &IntentKind::Unpause, output)
        }
        PodCommand::Stats(arguments) => stats::of_pods(&mut context(global), arguments),
        PodCommand::Top(arguments) => top::of_pod(&mut context(global), arguments),
    }
}

/// `start --attach`: prints what the container writes, and ends with its exit code.
fn attach(context: &mut Context<'_>, arguments: &StartContainers) -> Result<(), Error> {
    let since = SystemClock.now();
    let mut engine = context.engine("start")?;
    let id = lifecycle::start_one(&mut engine, arguments)?;
    match logs::attach(context, &engine, &id, since)? {
        0 => Ok(()),
        code => Err(Error::Code(u8::try_from(code).unwrap_or(u8::MAX))),
    }
}

fn not_yet() -> Error {
    usage("this command is not built yet")
}
