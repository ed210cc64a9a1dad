//! What looks at running containers: `top`, `port`, `stats`.

use clap::Args;

use super::super::output::Format;

/// Arguments of `top`.
#[derive(Debug, Args)]
pub struct Top {
    /// The container made last
    #[arg(short, long)]
    pub latest: bool,
    /// The container, by name or id
    #[arg(value_name = "CONTAINER", required_unless_present = "latest")]
    pub container: Option<String>,
    /// What to show, such as `pid` or `%C`; what begins with `-` is passed to the container's own `ps`
    #[arg(
        value_name = "DESCRIPTOR",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub descriptors: Vec<String>,
}

/// Arguments of `pod top`.
#[derive(Debug, Args)]
pub struct PodTop {
    /// The pod made last
    #[arg(short, long)]
    pub latest: bool,
    /// The pod, by name or id
    #[arg(value_name = "POD", required_unless_present = "latest")]
    pub pod: Option<String>,
    /// What to show, such as `pid` or `%C`
    #[arg(value_name = "DESCRIPTOR", trailing_var_arg = true)]
    pub descriptors: Vec<String>,
}

/// Arguments of `port`.
#[derive(Debug, Args)]
pub struct Port {
    /// The ports of all containers
    #[arg(short, long, conflicts_with_all = ["latest", "container"])]
    pub all: bool,
    /// The container made last
    #[arg(short, long)]
    pub latest: bool,
    /// The container, by name or id
    #[arg(value_name = "CONTAINER", required_unless_present_any = ["all", "latest"])]
    pub container: Option<String>,
    /// Only where this port of the container is published: `PORT[/PROTOCOL]`
    #[arg(value_name = "PORT")]
    pub port: Option<String>,
}

/// How measurements are shown.
#[derive(Debug, Clone, Args)]
pub struct Measuring {
    /// Print as `json`, or through a Go template, `table TEMPLATE` for one with headings
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    /// Do not clear the screen between two measurements
    #[arg(long)]
    pub no_reset: bool,
    /// Measure once
    #[arg(long)]
    pub no_stream: bool,
}

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Show those that do not run, too
    #[arg(short, long, conflicts_with_all = ["latest", "containers"])]
    pub all: bool,
    /// The container made last
    #[arg(short, long, conflicts_with = "containers")]
    pub latest: bool,
    #[command(flatten)]
    pub measuring: Measuring,
    /// Seconds between two measurements
    #[arg(short, long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,
    /// Print ids in full
    #[arg(long)]
    pub no_trunc: bool,
    /// Containers, by name or id; without any, all that run
    #[arg(value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

/// Arguments of `pod stats`.
#[derive(Debug, Args)]
pub struct PodStats {
    /// All pods
    #[arg(short, long, conflicts_with_all = ["latest", "pods"])]
    pub all: bool,
    /// The pod made last
    #[arg(short, long, conflicts_with = "pods")]
    pub latest: bool,
    #[command(flatten)]
    pub measuring: Measuring,
    /// Pods, by name or id; without any, all that run
    #[arg(value_name = "POD")]
    pub pods: Vec<String>,
}
