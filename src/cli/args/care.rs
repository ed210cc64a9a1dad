//! `system df` and `system prune`.

use clap::Args;

use super::{Filter, Format};

/// Arguments of `system df`.
#[derive(Debug, Args)]
pub struct DiskUsage {
    /// Print as `json`, or through a Go template
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
}

/// Arguments of `system prune`.
#[derive(Debug, Args)]
pub struct PruneAll {
    /// Images with names too, if no container uses them
    #[arg(short, long)]
    pub all: bool,
    /// Ask nothing
    #[arg(short, long)]
    pub force: bool,
    /// Volumes that no pod uses too
    #[arg(long)]
    pub volumes: bool,
    /// Only images that meet KEY=VALUE: label, reference
    #[arg(long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
}
