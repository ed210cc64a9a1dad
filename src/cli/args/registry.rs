//! How registries are met, and `login` and `logout`.

use std::path::PathBuf;

use clap::Args;

/// How registries are met; nothing here matters to images that are on this host.
#[derive(Debug, Args)]
pub struct Registry {
    /// File that knows who asks which registry
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE", hide_env = true)]
    pub authfile: Option<PathBuf>,
    /// Ask registries as this user
    #[arg(long, value_name = "USER:PASSWORD")]
    pub creds: Option<String>,
    /// Directory with certificates for registries
    #[arg(long, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,
    /// Check the certificates of registries, and speak HTTPS only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub tls_verify: Option<bool>,
    #[arg(long, hide = true)]
    pub signature_policy: Option<PathBuf>,
}

/// Arguments of `pull`.
#[derive(Debug, Args)]
pub struct Pull {
    /// Images, by name
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Print the ids alone, and no progress
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub registry: Registry,
    #[arg(long, hide = true)]
    disable_content_trust: bool,
}
