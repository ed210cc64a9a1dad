//! `events`.

use clap::Args;

use super::super::output::Format;
use super::Filter;
use super::time::Moment;

/// Arguments of `events`.
#[derive(Debug, Args)]
pub struct Events {
    /// Only events that meet KEY=VALUE: container, event, image, label, network, pod, reason, type, volume
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Print as `json`, one object a line, or through a Go template
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    /// Begin with what happened at a time, or in the last `10m`
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub since: Option<Moment>,
    /// End with what happened until a time
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub until: Option<Moment>,
    /// Wait for what happens next; with false, end with the last event there is
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub stream: bool,
    #[arg(long, hide = true)]
    no_trunc: bool,
}
