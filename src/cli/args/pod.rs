//! `pod`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::time::Moment;
use super::watch::{PodStats, PodTop};
use super::{Filter, Format, Listing};

/// Commands about pods.
#[derive(Debug, Subcommand)]
pub enum PodCommand {
    /// List pods
    #[command(visible_alias = "ls", visible_alias = "list")]
    Ps(ListPods),
    /// Show all that is known of pods
    Inspect(InspectPods),
    /// Print what a pod's containers wrote
    Logs(PodLogs),
    /// Start pods
    Start(StartPods),
    /// Stop pods
    Stop(StopPods),
    /// Restart pods
    Restart(RestartPods),
    /// Send a signal to all containers of pods
    Kill(KillPods),
    /// Remove pods
    Rm(RemovePods),
    /// Freeze the processes of pods
    Pause(PausePods),
    /// Let the processes of paused pods go on
    Unpause(PausePods),
    /// Exit with 0 if there is such a pod, with 1 if not
    Exists(PodExists),
    /// Show what the containers of pods use, again and again
    Stats(PodStats),
    /// Show the processes of a pod's containers
    ///
    /// The descriptors are those of `podwright top`.
    Top(PodTop),
}

/// Which pods.
#[derive(Debug, Args)]
pub struct PodTargets {
    /// Pods, by name, id or the beginning of an id
    #[arg(value_name = "POD")]
    pub names: Vec<String>,
    /// All pods
    #[arg(short, long, conflicts_with_all = ["names", "latest"])]
    pub all: bool,
    /// The pod made last
    #[arg(short, long, conflicts_with = "names")]
    pub latest: bool,
    /// Read a pod's id from a file
    #[arg(long = "pod-id-file", value_name = "FILE")]
    pub id_files: Vec<PathBuf>,
}

/// Arguments of `pod ps`.
#[derive(Debug, Args)]
pub struct ListPods {
    #[command(flatten)]
    pub listing: Listing,
    /// Only pods that meet KEY=VALUE: id, name, label, status, network, ctr-names, ctr-ids, ctr-status, ctr-number
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Show the containers' names
    #[arg(long)]
    pub ctr_names: bool,
    /// Show the containers' ids
    #[arg(long)]
    pub ctr_ids: bool,
    /// Show the containers' states
    #[arg(long)]
    pub ctr_status: bool,
    /// Only the pod made last
    #[arg(short, long)]
    pub latest: bool,
    /// Order of the list
    #[arg(long, value_enum, default_value_t = PodSort::Created, value_name = "KEY")]
    pub sort: PodSort,
    #[arg(long, hide = true)]
    ns: bool,
}

/// What a list of pods is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PodSort {
    Created,
    Id,
    Name,
    Number,
    Status,
}

/// Arguments of `pod inspect`.
#[derive(Debug, Args)]
pub struct InspectPods {
    /// Pods, by name or id
    #[arg(value_name = "POD", required_unless_present = "latest")]
    pub names: Vec<String>,
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    /// The pod made last
    #[arg(short, long)]
    pub latest: bool,
}

/// Arguments of `pod logs`.
#[derive(Debug, Args)]
pub struct PodLogs {
    /// The pod, by name or id
    #[arg(value_name = "POD", required_unless_present = "latest")]
    pub pod: Option<String>,
    /// Only this container of the pod
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// The pod made last
    #[arg(short, long, conflicts_with = "pod")]
    pub latest: bool,
    #[command(flatten)]
    pub selection: LogSelection,
}

/// Which lines of a log, and how they are shown.
#[derive(Debug, Clone, Args)]
pub struct LogSelection {
    /// Go on printing what is written
    #[arg(short, long)]
    pub follow: bool,
    /// Print only this many lines from the end; -1 prints all
    #[arg(long, value_name = "LINES", default_value_t = -1, allow_negative_numbers = true)]
    pub tail: i64,
    /// Print only what was written since a time, or in the last `10m`
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub since: Option<Moment>,
    /// Print only what was written until a time
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub until: Option<Moment>,
    /// Print when each line was written
    #[arg(short, long)]
    pub timestamps: bool,
    /// Print the container's name before each line
    #[arg(short, long)]
    pub names: bool,
    /// Print each container in a colour of its own
    #[arg(long)]
    pub color: bool,
}

/// Arguments of `pod start`.
#[derive(Debug, Args)]
pub struct StartPods {
    #[command(flatten)]
    pub targets: PodTargets,
}

/// Arguments of `pod stop`.
#[derive(Debug, Args)]
pub struct StopPods {
    #[command(flatten)]
    pub targets: PodTargets,
    /// Seconds until containers are killed; without it, the pod's own grace period
    #[arg(short, long = "time", value_name = "SECONDS")]
    pub time: Option<u64>,
    /// No error for pods that do not exist
    #[arg(short, long)]
    pub ignore: bool,
}

/// Arguments of `pod restart`.
#[derive(Debug, Args)]
pub struct RestartPods {
    #[command(flatten)]
    pub targets: PodTargets,
}

/// Arguments of `pod kill`.
#[derive(Debug, Args)]
pub struct KillPods {
    #[command(flatten)]
    pub targets: PodTargets,
    /// Signal to send
    #[arg(short, long, default_value = "KILL")]
    pub signal: String,
}

/// Arguments of `pod pause` and `pod unpause`.
#[derive(Debug, Args)]
pub struct PausePods {
    #[command(flatten)]
    pub targets: PodTargets,
}

/// Arguments of `pod rm`.
#[derive(Debug, Args)]
pub struct RemovePods {
    #[command(flatten)]
    pub targets: PodTargets,
    /// Stop running containers first
    #[arg(short, long)]
    pub force: bool,
    /// No error for pods that do not exist
    #[arg(short, long)]
    pub ignore: bool,
    /// Seconds until containers are killed; without it, the pod's own grace period
    #[arg(short, long = "time", value_name = "SECONDS")]
    pub time: Option<u64>,
}

/// Arguments of `pod exists`.
#[derive(Debug, Args)]
pub struct PodExists {
    /// The pod, by name or id
    #[arg(value_name = "POD")]
    pub name: String,
}
