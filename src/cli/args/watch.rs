//! What looks at running containers: `top`, `port`.

use clap::Args;

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
