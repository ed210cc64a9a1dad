//! The `podwright` program: a hidden stage, or the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::SUCCESS
}
