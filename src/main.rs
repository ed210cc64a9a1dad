//! The `podwright` program: a hidden stage, or the command line.

use std::process::ExitCode;

use podwright::{engine, image, supervisor};

/// The whole of a stage: it reads its descriptors and says how it ended.
type Stage = fn() -> ExitCode;

/// The stages of the engine: hidden first arguments, run before clap and tokio exist.
const STAGES: &[(&str, Stage)] = &[
    (image::unpack::STAGE, image::unpack::stage_main),
    (image::hello::STAGE, image::hello::stage_main),
    (engine::stage::CREATE, engine::stage::stage_main),
    (engine::exec::STAGE, engine::exec::stage_main),
    (supervisor::ask::STAGE, supervisor::ask::stage_main),
    (engine::keeper::STAGE, engine::keeper::stage_main),
    (engine::protocol::STAGE, supervisor::run::stage_main),
];

fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    match STAGES
        .iter()
        .find(|(name, _)| first.as_deref() == Some(name.as_ref()))
    {
        Some((_, stage)) => stage(),
        None => podwright::cli::run(std::env::args_os().collect()),
    }
}
