//! `kube`, and `play kube` and `generate kube`, podman's older names.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::super::output::Format;
use super::explain::Explain;
use super::registry::Registry;
use super::validate::Validate;

/// Commands about Kubernetes YAML.
#[derive(Debug, Subcommand)]
pub enum KubeCommand {
    /// Create and start what Kubernetes YAML describes
    ///
    /// Everything is read, checked and planned before anything is touched: images, volumes, names and
    /// ports. When a step fails, what this run did is undone, and what ran before still runs.
    Play(Box<Play>),
    /// Stop and remove what Kubernetes YAML describes
    ///
    /// Containers get their stop signal and their grace period. Volumes stay, unless --force is given.
    Down(Down),
    /// Write Kubernetes YAML for pods
    ///
    /// The YAML is written from the pods' own specification; secrets stay references.
    Generate(Generate),
    /// Check Kubernetes YAML without touching anything
    ///
    /// Gives the verdict of the Kubernetes API server, offline, each finding with its file, line and
    /// column. Exits 0 when all is valid, 1 when it is not, 2 when the command line is wrong and 125 when
    /// the manifests could not be read.
    Validate(Box<Validate>),
    /// Tell what a kind or a field is
    ///
    /// Its type, its default, the versions of Kubernetes that have it, and what `kube play` makes of it.
    Explain(Explain),
}

/// `play`, podman's older noun.
#[derive(Debug, Subcommand)]
pub enum PlayCommand {
    /// Create and start what Kubernetes YAML describes
    ///
    /// Everything is read, checked and planned before anything is touched: images, volumes, names and
    /// ports. When a step fails, what this run did is undone, and what ran before still runs.
    Kube(Box<Play>),
}

/// `generate`, podman's older noun.
#[derive(Debug, Subcommand)]
pub enum GenerateCommand {
    /// Write Kubernetes YAML for pods
    ///
    /// The YAML is written from the pods' own specification; secrets stay references.
    Kube(Generate),
}

/// Arguments of `kube play`.
#[derive(Debug, Args)]
pub struct Play {
    /// Files, directories and all below them, patterns, URLs, or `-` for standard input
    ///
    /// In directories, files that git would ignore are passed over, and those that a .podwrightignore names.
    #[arg(required = true, value_name = "KUBEFILE|-")]
    pub files: Vec<PathBuf>,
    /// Start the containers after creating them
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub start: bool,
    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Stop and remove instead, as `kube down` does
    #[arg(long, hide = true)]
    pub down: bool,
    /// With --down, remove the volumes too
    #[arg(long, hide = true, requires = "down")]
    pub force: bool,
    /// Replace pods that are there already
    ///
    /// A pod that is as it is wanted, and whose ConfigMaps and Secrets are unchanged, is left alone. Another
    /// one serves until the new one has started, is ready and listens where the old one does; then the host's
    /// ports lead to the new one, and the old one is removed. When the new one cannot start, the old one stays.
    /// Pods that cannot run at once (host network, the same fixed address, the same volume or host path
    /// mounted for writing) follow one another: the old one is stopped first, and started again on a failure.
    #[arg(long)]
    pub replace: bool,
    /// Wait in the foreground until the pods have ended, and take everything down
    ///
    /// Ctrl-C and SIGTERM take it down at once, in the grace periods. Volumes that this run made go, too.
    /// The exit code is that of the container that failed first.
    #[arg(short, long, conflicts_with_all = ["start", "dry_run"])]
    pub wait: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What to do about fields and kinds that Kubernetes does not know
    #[arg(long, value_enum, value_name = "MODE", num_args = 0..=1, require_equals = true, default_missing_value = "strict")]
    pub validate: Option<Validation>,
    /// Connect the pods to this network: `host`, `none`, `bridge`, or a name with `:ip=…,mac=…,alias=…`
    ///
    /// Several networks are several interfaces, in their order. The default route and published ports are those of
    /// the first one that leads outside.
    #[arg(long, value_name = "NETWORK")]
    pub network: Vec<String>,
    /// Give the pods these addresses, in order
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub ip: Vec<std::net::IpAddr>,
    /// Give the pods these hardware addresses, in order
    #[arg(long, value_name = "MAC", value_delimiter = ',')]
    pub mac_address: Vec<String>,
    /// Publish a port: `[[IP:]HOSTPORT:]PORT[/PROTOCOL]`
    #[arg(long, value_name = "PORT")]
    pub publish: Vec<String>,
    /// Publish every containerPort on the same port of the host
    #[arg(long)]
    pub publish_all: bool,
    /// Add an annotation to the pods, as KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    pub annotation: Vec<String>,
    /// Read more ConfigMaps from a file
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub configmap: Vec<PathBuf>,
    /// Keep the image's /etc/hosts
    #[arg(long)]
    pub no_hosts: bool,
    /// Keep the image's /etc/hostname
    #[arg(long)]
    pub no_hostname: bool,
    /// Do not put the pod's name before the containers' names
    #[arg(long)]
    pub no_pod_prefix: bool,
    /// User namespace of the pods
    #[arg(long, value_name = "MODE")]
    pub userns: Option<String>,
    /// Directory of seccomp profiles
    #[arg(long, value_name = "DIR", default_value = "/var/lib/kubelet/seccomp")]
    pub seccomp_profile_root: PathBuf,
    /// Print as `json`, or through a Go template
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    #[command(flatten)]
    pub registry: Registry,
    /// Where the containers' output goes: `k8s-file`, or `none`
    #[arg(long, value_name = "DRIVER")]
    pub log_driver: Option<String>,
    /// How much is kept of it: `max-size=SIZE` a file, `max-file=NUMBER` of them
    ///
    /// Without it ten mebibytes in each of five files, as the kubelet keeps them.
    #[arg(long, value_name = "OPTION")]
    pub log_opt: Vec<String>,
    #[arg(long, hide = true)]
    no_trunc: bool,
}

/// What to do about fields and kinds that Kubernetes does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Validation {
    /// Say nothing
    Ignore,
    /// Warn, and play the rest
    Warn,
    /// Refuse to play
    Strict,
}

/// Arguments of `kube down`.
#[derive(Debug, Args)]
pub struct Down {
    /// Files, directories and all below them, patterns, URLs, `-` for standard input, or the name that something was played under
    #[arg(required = true, value_name = "KUBEFILE|-|APPLICATION")]
    pub files: Vec<PathBuf>,
    /// Remove the volumes too
    #[arg(long)]
    pub force: bool,
    /// Print as `json`, or through a Go template
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
}

/// Arguments of `kube generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// Pods, by name or id
    #[arg(required = true, value_name = "POD")]
    pub names: Vec<String>,
    /// Write to a new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub filename: Option<PathBuf>,
    /// Write a Service for the published ports too
    #[arg(short, long)]
    pub service: bool,
    /// Kind of the workload
    #[arg(short = 't', long = "type", value_enum, default_value_t = WorkloadKind::Pod, value_name = "KIND")]
    pub kind: WorkloadKind,
    /// Number of replicas of a Deployment
    #[arg(short, long, value_name = "N")]
    pub replicas: Option<u32>,
    #[arg(long, hide = true)]
    podman_only: bool,
    #[arg(long, hide = true)]
    no_trunc: bool,
}

/// The kind of object that is written for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WorkloadKind {
    Pod,
    Deployment,
    Daemonset,
    Job,
}
