//! `container`, and the same commands without the noun.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::copy::Copy;
use super::pod::LogSelection;
use super::watch::{Port, Stats, Top};
use super::{Filter, Format, Listing};

/// Commands about containers that need no noun.
#[derive(Debug, Subcommand)]
pub enum ContainerCommand {
    /// List containers
    #[command(alias = "ls", alias = "list")]
    Ps(ListContainers),
    /// Print what containers wrote
    Logs(Logs),
    /// Run a command in a running container
    ///
    /// Exits with the command's own code, with 126 if it cannot be run, with 127 if it is not found, and
    /// with 125 if podwright itself fails.
    Exec(Exec),
    /// Start containers
    Start(StartContainers),
    /// Stop containers
    Stop(StopContainers),
    /// Restart containers
    Restart(RestartContainers),
    /// Send a signal to containers
    Kill(KillContainers),
    /// Remove containers
    Rm(RemoveContainers),
    /// Wait until containers stop, and print their exit codes
    Wait(WaitContainers),
    /// Copy files between containers and the host
    ///
    /// Paths in a container are resolved in it: no link leads out. It may run or not; one that does not run
    /// shows its volumes but for those in memory.
    Cp(Copy),
    /// Freeze the processes of containers
    ///
    /// A paused container is stopped or started only after `unpause`, and its probes are not asked.
    Pause(PauseContainers),
    /// Let the processes of paused containers go on
    Unpause(PauseContainers),
    /// Exit with 0 if there is such a container, with 1 if not
    Exists(ContainerExists),
    /// Show the processes of a container
    ///
    /// Descriptors: args, capamb, capbnd, capeff, capinh, capprm, comm, etime, group, groups, hgroup, hgroups,
    /// hpid, huser, label, nice, pcpu, pgid, pid, ppid, rgroup, rss, ruser, seccomp, state, stime, time, tty,
    /// user, vsz, and the codes of ps(1) for AIX such as %C.
    Top(Top),
    /// Show what containers use, again and again
    ///
    /// MEM is the memory without the page cache that has not been used lately, which the kubelet calls the
    /// working set. The first measurement of the processor is the share since the start.
    Stats(Stats),
    /// List where the ports of containers are published
    Port(Port),
}

/// Commands about containers.
#[derive(Debug, Subcommand)]
pub enum ContainerGroup {
    /// Show all that is known of containers
    Inspect(InspectContainers),
    #[command(flatten)]
    Plain(ContainerCommand),
}

/// Which containers.
#[derive(Debug, Args)]
pub struct Targets {
    /// Containers, by name, id or the beginning of an id
    #[arg(value_name = "CONTAINER")]
    pub names: Vec<String>,
    /// The container made last
    #[arg(short, long, conflicts_with_all = ["names", "all"])]
    pub latest: bool,
    /// Containers that meet KEY=VALUE
    #[arg(long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Read a container's id from a file
    #[arg(long = "cidfile", value_name = "FILE")]
    pub id_files: Vec<PathBuf>,
}

/// Arguments of `ps`.
#[derive(Debug, Args)]
pub struct ListContainers {
    /// Show those that do not run, too
    #[arg(short, long)]
    pub all: bool,
    #[command(flatten)]
    pub listing: Listing,
    /// Only containers that meet KEY=VALUE: id, name, label, status, exited, ancestor, pod, network, volume
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Show the pods' ids and names
    #[arg(short, long)]
    pub pod: bool,
    /// Only the last N containers, in any state
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    pub last: Option<i64>,
    /// Only the container made last
    #[arg(short, long)]
    pub latest: bool,
    /// Order of the list
    #[arg(long, value_enum, default_value_t = PsSort::Created, value_name = "KEY")]
    pub sort: PsSort,
    #[arg(long, hide = true)]
    external: bool,
    #[arg(long, hide = true)]
    sync: bool,
}

/// What a list of containers is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PsSort {
    Command,
    Created,
    Id,
    Image,
    Names,
    Runningfor,
    Status,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Containers, pods or images, by name or id
    #[arg(value_name = "NAME", required_unless_present = "latest")]
    pub names: Vec<String>,
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    /// Kind of object to look for
    #[arg(short = 't', long = "type", value_enum, default_value_t = ObjectKind::All, value_name = "KIND")]
    pub kind: ObjectKind,
    /// The container made last
    #[arg(short, long)]
    pub latest: bool,
    #[arg(short, long, hide = true)]
    size: bool,
}

/// A kind of object that `inspect` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ObjectKind {
    All,
    Container,
    Image,
    Pod,
}

/// Arguments of `container inspect`.
#[derive(Debug, Args)]
pub struct InspectContainers {
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER", required_unless_present = "latest")]
    pub names: Vec<String>,
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    /// The container made last
    #[arg(short, long)]
    pub latest: bool,
    #[arg(short, long, hide = true)]
    size: bool,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER", required_unless_present = "latest")]
    pub containers: Vec<String>,
    /// The container made last
    #[arg(short, long, conflicts_with = "containers")]
    pub latest: bool,
    #[command(flatten)]
    pub selection: LogSelection,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// Pass standard input on
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Do not wait for the command
    #[arg(short, long)]
    pub detach: bool,
    /// Set a variable: NAME=VALUE, or NAME to pass it on
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Read variables from a file
    #[arg(long = "env-file", value_name = "FILE")]
    pub env_files: Vec<PathBuf>,
    /// Run as this user: `USER[:GROUP]`, by name or number
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Run in this directory
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,
    /// Give the command all capabilities
    #[arg(long)]
    pub privileged: bool,
    #[arg(long, hide = true)]
    detach_keys: Option<String>,
    /// The container, by name or id
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<String>,
}

/// Arguments of `start`.
#[derive(Debug, Args)]
pub struct StartContainers {
    #[command(flatten)]
    pub targets: Targets,
    /// All containers
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Print what the container writes until it ends
    #[arg(short, long)]
    pub attach: bool,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub struct StopContainers {
    #[command(flatten)]
    pub targets: Targets,
    /// All running containers
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
    /// Seconds until containers are killed; without it, the pod's own grace period
    #[arg(short, long = "time", value_name = "SECONDS")]
    pub time: Option<u64>,
    /// No error for containers that do not exist
    #[arg(short, long)]
    pub ignore: bool,
}

/// Arguments of `restart`.
#[derive(Debug, Args)]
pub struct RestartContainers {
    #[command(flatten)]
    pub targets: Targets,
    /// All containers
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
    /// All running containers
    #[arg(long, conflicts_with = "names")]
    pub running: bool,
    /// Seconds until containers are killed; without it, the pod's own grace period
    #[arg(short, long = "time", value_name = "SECONDS")]
    pub time: Option<u64>,
}

/// Arguments of `kill`.
#[derive(Debug, Args)]
pub struct KillContainers {
    #[command(flatten)]
    pub targets: Targets,
    /// All running containers
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
    /// Signal to send
    #[arg(short, long, default_value = "KILL")]
    pub signal: String,
}

/// Arguments of `pause` and `unpause`.
#[derive(Debug, Args)]
pub struct PauseContainers {
    #[command(flatten)]
    pub targets: Targets,
    /// All containers that can be: those that run, or those that are paused
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
}

/// Arguments of `rm`.
#[derive(Debug, Args)]
pub struct RemoveContainers {
    #[command(flatten)]
    pub targets: Targets,
    /// All containers
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
    /// Stop running containers first
    #[arg(short, long)]
    pub force: bool,
    /// No error for containers that do not exist
    #[arg(short, long)]
    pub ignore: bool,
    /// Seconds until containers are killed; without it, the pod's own grace period
    #[arg(short, long = "time", value_name = "SECONDS")]
    pub time: Option<u64>,
    #[arg(long, hide = true)]
    depend: bool,
    #[arg(short, long, hide = true)]
    volumes: bool,
}

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub struct WaitContainers {
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER", required_unless_present = "latest")]
    pub names: Vec<String>,
    /// State to wait for; -1 is printed for those that are no end
    #[arg(
        long = "condition",
        value_enum,
        value_delimiter = ',',
        default_value = "stopped",
        value_name = "STATE"
    )]
    pub conditions: Vec<WaitCondition>,
    /// No error for containers that do not exist
    #[arg(long)]
    pub ignore: bool,
    /// The container made last
    #[arg(short, long)]
    pub latest: bool,
    #[arg(short, long, hide = true)]
    interval: Option<String>,
}

/// A state that `wait` can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WaitCondition {
    #[value(alias = "created")]
    Configured,
    Running,
    Exited,
    Stopped,
    Removing,
}

/// Arguments of `exists`.
#[derive(Debug, Args)]
pub struct ContainerExists {
    /// The container, by name or id
    #[arg(value_name = "CONTAINER")]
    pub name: String,
    #[arg(long, hide = true)]
    external: bool,
}
