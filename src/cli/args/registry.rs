//! How registries are met, and `login` and `logout`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

/// Arguments of `push`.
#[derive(Debug, Args)]
pub struct Push {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// Its name in a registry; without it, the one it has
    #[arg(value_name = "NAME")]
    pub destination: Option<String>,
    /// How its layers are compressed; without it, as the registry has them, or gzip
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub compression_format: Option<CompressionFormat>,
    /// Write the digest of the manifest into a file
    #[arg(long, value_name = "FILE")]
    pub digestfile: Option<PathBuf>,
    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub registry: Registry,
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    #[arg(long, hide = true)]
    remove_signatures: bool,
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompressionFormat {
    Gzip,
    Zstd,
}

/// Arguments of `login`.
#[derive(Debug, Args)]
pub struct Login {
    /// Host of the registry, with its port
    #[arg(value_name = "REGISTRY", default_value = "docker.io")]
    pub registry: String,
    /// Name of the user; without it, it is asked for
    #[arg(short, long, value_name = "NAME")]
    pub username: Option<String>,
    /// Password of the user; others see it in the list of processes
    #[arg(
        short,
        long,
        value_name = "PASSWORD",
        conflicts_with = "password_stdin"
    )]
    pub password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Print who is known, and ask nobody
    #[arg(long)]
    pub get_login: bool,
    /// File that keeps who asks which registry
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE", hide_env = true)]
    pub authfile: Option<PathBuf>,
    /// Directory with certificates for the registry
    #[arg(long, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,
    /// Check the registry's certificate, and speak HTTPS only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub tls_verify: Option<bool>,
    #[arg(short, long, hide = true)]
    verbose: bool,
}

/// Arguments of `logout`.
#[derive(Debug, Args)]
pub struct Logout {
    /// Host of the registry, with its port
    #[arg(value_name = "REGISTRY", default_value = "docker.io")]
    pub registry: String,
    /// All registries
    #[arg(short, long)]
    pub all: bool,
    /// File that keeps who asks which registry
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE", hide_env = true)]
    pub authfile: Option<PathBuf>,
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
