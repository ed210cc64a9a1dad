//! `secret`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Filter, Format, Rows};
use crate::names::ObjectName;

/// Commands about Secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a value as a Secret
    ///
    /// What is written as a Secret of Kubernetes is kept with the keys it has; anything else is kept under the
    /// Secret's own name as its one key. The value is never shown again, nor is it in any database or log.
    Create(CreateSecret),
    /// Exit with 0 if there is such a Secret, with 1 if not
    Exists(SecretExists),
    /// Show all of Secrets but their values
    Inspect(InspectSecrets),
    /// List Secrets
    #[command(alias = "list")]
    Ls(ListSecrets),
    /// Remove Secrets
    #[command(alias = "remove")]
    Rm(RemoveSecrets),
}

/// Arguments of `secret create`.
#[derive(Debug, Args)]
pub struct CreateSecret {
    /// What keeps the value; there is only `file`
    #[arg(short, long, value_name = "DRIVER", default_value = "file")]
    pub driver: String,
    /// Take the value of an environment variable instead of a file's content
    #[arg(long)]
    pub env: bool,
    /// Take the place of a Secret of this name
    #[arg(long)]
    pub replace: bool,
    /// Name of the Secret
    #[arg(value_name = "NAME")]
    pub name: ObjectName,
    /// File with the value, or `-` for standard input
    #[arg(value_name = "FILE|-")]
    pub source: PathBuf,
}

/// Arguments of `secret exists`.
#[derive(Debug, Args)]
pub struct SecretExists {
    /// The Secret, by name or id
    #[arg(value_name = "SECRET")]
    pub name: String,
}

/// Arguments of `secret inspect`.
#[derive(Debug, Args)]
pub struct InspectSecrets {
    /// Secrets, by name or id
    #[arg(value_name = "SECRET", required = true)]
    pub names: Vec<String>,
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
}

/// Arguments of `secret ls`.
#[derive(Debug, Args)]
#[command(mut_arg("quiet", |arg| arg.help("Print the ids alone")))]
pub struct ListSecrets {
    /// Only Secrets that meet KEY=VALUE: id, name
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    #[command(flatten)]
    pub rows: Rows,
}

/// Arguments of `secret rm`.
#[derive(Debug, Args)]
pub struct RemoveSecrets {
    /// All Secrets
    #[arg(short, long, conflicts_with = "names")]
    pub all: bool,
    /// No error for Secrets that do not exist
    #[arg(short, long)]
    pub ignore: bool,
    /// Secrets, by name or id
    #[arg(value_name = "SECRET", required_unless_present = "all")]
    pub names: Vec<String>,
}
