//! `cp`.

use clap::Args;

/// Arguments of `cp`.
#[derive(Debug, Args)]
pub struct Copy {
    /// Give what is copied into a container to the user it runs as; with false, everything stays whose it was
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub archive: bool,
    /// Let a directory take the place of something else, and the other way round
    #[arg(long)]
    pub overwrite: bool,
    /// What to copy: a path, CONTAINER:PATH, or `-` for a tar stream on standard input
    #[arg(value_name = "[CONTAINER:]SOURCE", allow_hyphen_values = true)]
    pub source: String,
    /// Where to: a path, CONTAINER:PATH, or `-` for a tar stream on standard output
    #[arg(value_name = "[CONTAINER:]TARGET", allow_hyphen_values = true)]
    pub target: String,
}
