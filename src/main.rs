//! The `podwright` program: a hidden stage, or the command line.

use std::process::ExitCode;

use podwright::fault::{self, Victim};
use podwright::sys::descriptor;
use podwright::{engine, image, supervisor};

/// A hidden first argument, run before clap and tokio exist.
struct Stage {
    name: &'static str,
    victim: Victim,
    /// How many descriptors it is handed; whoever started the command may have left more open.
    handed: u32,
    /// The whole of it: it reads its descriptors and says how it ended.
    main: fn() -> ExitCode,
}

/// The three standard streams.
const STREAMS: u32 = 3;

const STAGES: &[Stage] = &[
    Stage {
        name: image::unpack::STAGE,
        victim: Victim::Stage,
        handed: STREAMS,
        main: image::unpack::stage_main,
    },
    Stage {
        name: image::hello::STAGE,
        victim: Victim::Stage,
        handed: STREAMS,
        main: image::hello::stage_main,
    },
    Stage {
        name: engine::stage::CREATE,
        victim: Victim::Stage,
        handed: STREAMS,
        main: engine::stage::stage_main,
    },
    Stage {
        name: engine::stage::SERVE,
        victim: Victim::Stage,
        handed: STREAMS,
        main: engine::stage::serve_main,
    },
    Stage {
        name: engine::exec::STAGE,
        victim: Victim::Stage,
        handed: engine::exec::HANDED,
        main: engine::exec::stage_main,
    },
    Stage {
        name: supervisor::ask::STAGE,
        victim: Victim::Stage,
        handed: STREAMS,
        main: supervisor::ask::stage_main,
    },
    Stage {
        name: engine::keeper::STAGE,
        victim: Victim::Keeper,
        handed: STREAMS,
        main: engine::keeper::stage_main,
    },
    Stage {
        name: engine::recover::STAGE,
        victim: Victim::Stage,
        handed: STREAMS,
        main: engine::recover::stage_main,
    },
    Stage {
        name: engine::protocol::STAGE,
        victim: Victim::Supervisor,
        handed: STREAMS,
        main: supervisor::run::stage_main,
    },
];

fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    match STAGES
        .iter()
        .find(|stage| first.as_deref() == Some(stage.name.as_ref()))
    {
        Some(stage) => {
            // Nothing of this process has one of these yet.
            descriptor::close_from(stage.handed);
            fault::arm(stage.victim);
            (stage.main)()
        }
        None => {
            fault::arm(Victim::Command);
            podwright::cli::run(std::env::args_os().collect())
        }
    }
}
