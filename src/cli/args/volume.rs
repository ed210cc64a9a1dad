//! `volume`.

use clap::{Args, Subcommand};

use super::{Filter, Format, Rows};
use crate::names::VolumeName;

/// Commands about named volumes.
#[derive(Debug, Subcommand)]
pub enum VolumeCommand {
    /// Make a named volume
    Create(CreateVolume),
    /// Exit with 0 if there is such a volume, with 1 if not
    Exists(VolumeExists),
    /// Show all that is known of named volumes
    Inspect(InspectVolumes),
    /// List named volumes
    #[command(alias = "list")]
    Ls(ListVolumes),
    /// Remove the named volumes that no pod uses
    Prune(PruneVolumes),
    /// Remove named volumes with their data
    ///
    /// A volume that a pod uses stays, and the exit code is 2; with 1 it was not there.
    #[command(alias = "remove")]
    Rm(RemoveVolumes),
}

/// Arguments of `volume create`.
#[derive(Debug, Args)]
pub struct CreateVolume {
    /// Name of the volume; without one it gets 64 digits
    pub name: Option<VolumeName>,
    /// What makes the volume; there is only `local`
    #[arg(short, long, value_name = "DRIVER", default_value = "local")]
    pub driver: String,
    /// Label of the volume, as KEY=VALUE
    #[arg(short, long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// What is mounted as the volume: type=TYPE, device=DEVICE, o=OPTIONS; without it a directory
    #[arg(short, long = "opt", value_name = "OPTION")]
    pub options: Vec<String>,
    /// Succeed if there is a volume of this name
    #[arg(long)]
    pub ignore: bool,
}

/// Arguments of `volume exists`.
#[derive(Debug, Args)]
pub struct VolumeExists {
    /// Name of the volume
    #[arg(value_name = "VOLUME")]
    pub name: String,
}

/// Arguments of `volume inspect`.
#[derive(Debug, Args)]
pub struct InspectVolumes {
    /// Volumes, by name or the beginning of one
    #[arg(value_name = "VOLUME", required_unless_present = "all")]
    pub names: Vec<String>,
    /// All volumes
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
}

/// Arguments of `volume ls`.
#[derive(Debug, Args)]
pub struct ListVolumes {
    /// Only volumes that meet KEY=VALUE: name, label, opt, driver, scope, dangling, since, until
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    #[command(flatten)]
    pub rows: Rows,
}

/// Arguments of `volume prune`.
#[derive(Debug, Args)]
pub struct PruneVolumes {
    /// Only volumes that meet KEY=VALUE, as for `volume ls`
    #[arg(long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Do not ask
    #[arg(short, long)]
    pub force: bool,
}

/// Arguments of `volume rm`.
#[derive(Debug, Args)]
pub struct RemoveVolumes {
    /// Volumes, by name or the beginning of one
    #[arg(value_name = "VOLUME", required_unless_present = "all")]
    pub names: Vec<String>,
    /// All volumes
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
    /// Remove the pods that use them, too; a volume that is not there is no error
    #[arg(short, long)]
    pub force: bool,
    /// Seconds the pods get for their end, instead of their own grace period
    #[arg(short, long, value_name = "SECONDS", requires = "force")]
    pub time: Option<u64>,
}
