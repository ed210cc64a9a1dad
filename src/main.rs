//! The `podwright` program: a hidden stage, or the command line.

use std::process::ExitCode;

use podwright::fault::{self, Victim};
use podwright::{engine, image, supervisor};

/// The whole of a stage: it reads its descriptors and says how it ended.
type Stage = fn() -> ExitCode;

/// The stages of the engine: hidden first arguments, run before clap and tokio exist.
const STAGES: &[(&str, Victim, Stage)] = &[
    (
        image::unpack::STAGE,
        Victim::Stage,
        image::unpack::stage_main,
    ),
    (image::hello::STAGE, Victim::Stage, image::hello::stage_main),
    (
        engine::stage::CREATE,
        Victim::Stage,
        engine::stage::stage_main,
    ),
    (engine::exec::STAGE, Victim::Stage, engine::exec::stage_main),
    (
        supervisor::ask::STAGE,
        Victim::Stage,
        supervisor::ask::stage_main,
    ),
    (
        engine::keeper::STAGE,
        Victim::Keeper,
        engine::keeper::stage_main,
    ),
    (
        engine::recover::STAGE,
        Victim::Stage,
        engine::recover::stage_main,
    ),
    (
        engine::protocol::STAGE,
        Victim::Supervisor,
        supervisor::run::stage_main,
    ),
];

fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    match STAGES
        .iter()
        .find(|(name, ..)| first.as_deref() == Some(name.as_ref()))
    {
        Some((_, victim, stage)) => {
            fault::arm(*victim);
            stage()
        }
        None => {
            fault::arm(Victim::Command);
            podwright::cli::run(std::env::args_os().collect())
        }
    }
}
