//! What was typed, and nothing that is looked up: the doc comments are the help and the man pages.
//!
//! Names and flags are podman's. Flags that podman has and that mean nothing here (there is one
//! storage driver, and no conmon) are accepted and hidden, so that scripts go on working.

mod care;
mod container;
mod copy;
mod events;
mod explain;
mod image;
mod kube;
mod network;
mod pod;
mod registry;
mod secret;
mod time;
mod validate;
mod volume;
mod watch;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub use care::{DiskUsage, PruneAll};
pub use container::{
    ContainerCommand, ContainerExists, ContainerGroup, Exec, Inspect, InspectContainers,
    KillContainers, ListContainers, Logs, ObjectKind, PauseContainers, PsSort, RemoveContainers,
    RestartContainers, StartContainers, StopContainers, Targets, WaitCondition, WaitContainers,
};
pub use copy::Copy;
pub use events::Events;
pub use explain::{Explain, ExplainForm};
pub use image::{
    History, ImageCommand, ImageExists, ImageGroup, ImageSort, Import, InspectImages, ListImages,
    Load, PruneImages, RemoveImages, Save, SaveFormat, Tag,
};
pub use kube::{
    Down, Generate, GenerateCommand, KubeCommand, Play, PlayCommand, Validation, WorkloadKind,
};
pub use network::{
    CreateNetwork, InspectNetworks, ListNetworks, NetworkCommand, NetworkExists, PruneNetworks,
    RemoveNetworks,
};
pub use pod::{
    InspectPods, KillPods, ListPods, LogSelection, PausePods, PodCommand, PodExists, PodLogs,
    PodSort, PodTargets, RemovePods, RestartPods, StartPods, StopPods,
};
pub use registry::{CompressionFormat, Login, Logout, Pull, Push, Registry};
pub use secret::{
    CreateSecret, InspectSecrets, ListSecrets, RemoveSecrets, SecretCommand, SecretExists,
};
pub use time::{Moment, go_duration};
pub use validate::{ReportForm, Target, Validate};
pub use volume::{
    CreateVolume, InspectVolumes, ListVolumes, PruneVolumes, RemoveVolumes, VolumeCommand,
    VolumeExists,
};
pub use watch::{Measuring, PodStats, PodTop, Port, Stats, Top};

use super::output::Format;

/// Plays Kubernetes YAML on this host, without a cluster or a daemon
///
/// podwright reads the YAML people write for Kubernetes, runs its pods on one Linux host with a
/// container engine of its own, and writes YAML back. Commands, flags and exit codes are podman's.
#[derive(Debug, Parser)]
#[command(
    name = "podwright",
    bin_name = "podwright",
    version,
    disable_version_flag = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Directory for images, volumes and the database
    ///
    /// Without it: /var/lib/podwright, for an ordinary user $XDG_DATA_HOME/podwright.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "PODWRIGHT_ROOT",
        hide_env_values = true
    )]
    pub root: Option<PathBuf>,
    /// Directory for what does not outlive a reboot
    ///
    /// Without it: /run/podwright, for an ordinary user $XDG_RUNTIME_DIR/podwright.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "PODWRIGHT_RUNROOT",
        hide_env_values = true
    )]
    pub runroot: Option<PathBuf>,
    /// OCI runtime to create containers with, instead of the built-in one
    #[arg(long, global = true, value_name = "PATH")]
    pub runtime: Option<PathBuf>,
    /// How many pods a command acts on at once
    ///
    /// A command that stops or restarts many containers mostly waits for them, so there may be many more
    /// than there are cores.
    #[arg(long, global = true, value_name = "N", default_value_t = crate::engine::AT_ONCE)]
    pub parallel: std::num::NonZeroUsize,
    /// Least severe messages to print: with `error`, `fatal` or `panic` no warnings
    ///
    /// Levels below `warn` print what `warn` prints: there is nothing more to tell.
    #[arg(long, global = true, value_name = "LEVEL", value_enum, default_value_t = LogLevel::Warn, hide_possible_values = true)]
    pub log_level: LogLevel,
    /// Cgroup below which the pods' cgroups are made: this root's alone.
    #[arg(long, global = true, value_name = "PATH", hide = true)]
    pub cgroup_parent: Option<PathBuf>,
    #[command(flatten)]
    pub ignored: Ignored,
}

/// podman's global flags that have nothing to choose here.
#[derive(Debug, Clone, Args)]
pub struct Ignored {
    #[arg(long, global = true, hide = true)]
    storage_driver: Option<String>,
    #[arg(long, global = true, hide = true)]
    storage_opt: Vec<String>,
    #[arg(long, global = true, hide = true)]
    events_backend: Option<String>,
    #[arg(long, global = true, hide = true)]
    cgroup_manager: Option<String>,
    #[arg(long, global = true, hide = true)]
    network_config_dir: Option<PathBuf>,
    #[arg(long, global = true, hide = true)]
    network_backend: Option<String>,
    #[arg(long, global = true, hide = true)]
    network_cmd_path: Option<PathBuf>,
    #[arg(long, global = true, hide = true)]
    tmpdir: Option<PathBuf>,
    #[arg(long, global = true, hide = true)]
    conmon: Option<PathBuf>,
    #[arg(long, global = true, hide = true)]
    runtime_flag: Vec<String>,
    #[arg(long, global = true, hide = true)]
    hooks_dir: Vec<PathBuf>,
    #[arg(long, global = true, hide = true)]
    imagestore: Option<PathBuf>,
    #[arg(long, global = true, hide = true)]
    db_backend: Option<String>,
    #[arg(long, global = true, hide = true)]
    volumepath: Option<PathBuf>,
    #[arg(long, global = true, hide = true)]
    syslog: bool,
}

/// How severe a message must be to be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    #[value(alias = "warning")]
    Warn,
    #[value(alias = "fatal", alias = "panic")]
    Error,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play, take down, validate and generate Kubernetes YAML
    #[command(subcommand)]
    Kube(KubeCommand),
    /// Play Kubernetes YAML: another name for `kube play`
    #[command(subcommand)]
    Play(PlayCommand),
    /// Generate Kubernetes YAML: another name for `kube generate`
    #[command(subcommand)]
    Generate(GenerateCommand),
    /// Manage pods
    #[command(subcommand)]
    Pod(PodCommand),
    /// Manage containers
    #[command(subcommand)]
    Container(ContainerGroup),
    #[command(flatten)]
    Containers(ContainerCommand),
    /// Show all that is known of containers, pods and images
    Inspect(Inspect),
    /// Manage images
    #[command(subcommand)]
    Image(ImageGroup),
    /// List images
    Images(ListImages),
    #[command(flatten)]
    ImageFiles(ImageCommand),
    /// Remove images
    Rmi(RemoveImages),
    /// Keep who asks a registry, once the registry knows them
    Login(Login),
    /// Forget who asks a registry
    Logout(Logout),
    /// Manage named volumes
    #[command(subcommand)]
    Volume(VolumeCommand),
    /// Manage networks
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Look after the engine itself
    #[command(subcommand)]
    System(SystemCommand),
    /// Manage Secrets
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Show what has happened and what happens
    ///
    /// The words are podman's; what the kubelet has a reason for has that too: Unhealthy, BackOff,
    /// DeadlineExceeded, OOMKilled, FailedPostStartHook. The last 10000 events are kept.
    Events(Events),
    /// Show what the engine found on this host
    Info(Formatted),
    /// Show the version
    Version(Formatted),
    /// Print the script that lets a shell complete commands, flags and names
    ///
    /// bash: `source <(podwright completion bash)`. zsh: write it to `_podwright` in a directory of
    /// `$fpath`. fish: write it to `~/.config/fish/completions/podwright.fish`.
    Completion(Completion),
}

/// Commands about the engine itself.
#[derive(Debug, Subcommand)]
pub enum SystemCommand {
    /// Show which command holds which lock, since when, and who waits
    Locks(Formatted),
    /// Show what the engine found on this host
    Info(Formatted),
    /// Show what images, containers and volumes take on the disk
    Df(DiskUsage),
    /// Remove pods in which nothing runs, and networks and images that nothing uses
    Prune(PruneAll),
    /// Compare what is recorded with what there is: processes, mounts, links, rules, locks and files
    Check(Check),
    /// Start the pods again that ran when the host went down, as their restart policies say
    Boot,
}

/// `system check`.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// Remove what is left over and bring back what is missing; a damaged database is put aside and rebuilt
    #[arg(long)]
    pub repair: bool,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[arg(long, hide = true)]
    no_desc: bool,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// A choice of the output's form.
#[derive(Debug, Clone, Args)]
pub struct Formatted {
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
}

/// How rows are shown, whichever flags a command has for it.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub format: Option<&'a Format>,
    pub quiet: bool,
    pub noheading: bool,
}

/// How rows of one name each are shown.
#[derive(Debug, Clone, Args)]
pub struct Rows {
    /// Print as `json`, or through a Go template, `table TEMPLATE` for one with headings
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    format: Option<Format>,
    /// Print no headings
    #[arg(short, long)]
    noheading: bool,
    /// Print the names alone
    #[arg(short, long)]
    pub quiet: bool,
}

impl Rows {
    /// Returns how rows are shown.
    #[must_use]
    pub fn look(&self) -> Look<'_> {
        Look {
            format: self.format.as_ref(),
            quiet: self.quiet,
            noheading: self.noheading,
        }
    }
}

/// How a list of containers or pods is shown.
#[derive(Debug, Clone, Args)]
pub struct Listing {
    /// Print as `json`, or through a Go template, `table TEMPLATE` for one with headings
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    /// Print the ids alone
    #[arg(short, long)]
    pub quiet: bool,
    /// Print ids and commands in full
    #[arg(long)]
    pub no_trunc: bool,
    /// Print no headings
    #[arg(long)]
    pub noheading: bool,
}

impl Listing {
    /// Returns how rows are shown.
    #[must_use]
    pub fn look(&self) -> Look<'_> {
        Look {
            format: self.format.as_ref(),
            quiet: self.quiet,
            noheading: self.noheading,
        }
    }
}

/// A condition that objects must meet, as `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub key: String,
    pub value: String,
    /// `KEY!=VALUE`: those that do not meet it.
    pub negated: bool,
}

impl Filter {
    /// Parses `KEY=VALUE` or `KEY!=VALUE`.
    ///
    /// # Errors
    /// There is no `=`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| format!("invalid filter `{text}`: it is written KEY=VALUE"))?;
        let (key, negated) = match key.strip_suffix('!') {
            Some(key) => (key, true),
            None => (key, false),
        };
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
            negated,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_scripts_type_for_podman_is_understood() {
        for line in [
            "podman --root /r --runroot /rr --runtime crun --storage-driver vfs --events-backend file ps -aq --no-trunc",
            "podman play kube --start=false --replace a.yaml b.yaml",
            "podman kube play --annotation a=b --network host -",
            "podman kube down --force a.yaml",
            "podman generate kube -s -f out.yaml web",
            "podman pod ls --noheading --format {{.ID}}",
            "podman container ls --filter status=running --filter=label=a=b",
            "podman exec -it -e A=b -u 1:2 -w / web ls -la --root /x",
            "podman logs -f --tail 5 --since 10m -t web",
            "podman rm -f -t 0 -a",
            "podman rm -fa -t 0",
            "podman stop --all -t 0",
            "podman pod rm -t 0 --all --force --ignore",
            "podman wait --condition=running web db",
            "podman inspect --format {{.State.Status}} --type container web",
            "podman image rm --ignore a b",
            "podman load -qi image.tar",
            "podman start --all",
            "podman -v",
        ] {
            match Cli::try_parse_from(line.split(' ')) {
                Ok(_) => {}
                Err(error) if error.kind() == clap::error::ErrorKind::DisplayVersion => {}
                Err(error) => panic!("{line}: {error}"),
            }
        }
    }

    #[test]
    fn what_follows_the_container_of_exec_is_its_own() {
        let cli =
            Cli::try_parse_from(["podwright", "exec", "web", "ls", "--root", "/x", "-t"]).unwrap();
        let Command::Containers(ContainerCommand::Exec(exec)) = cli.command else {
            panic!("not an exec");
        };
        assert_eq!(exec.command, ["ls", "--root", "/x", "-t"]);
        assert!(!exec.tty && cli.global.root.is_none());
    }

    #[test]
    fn filters_split_at_the_first_equals_sign() {
        let filter = Filter::parse("label!=a=b").unwrap();
        assert_eq!(
            (filter.key.as_str(), filter.value.as_str(), filter.negated),
            ("label", "a=b", true)
        );
        assert!(Filter::parse("running").is_err());
    }
}
