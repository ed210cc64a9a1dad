//! Completion in a shell: the scripts, and the answer to what may stand where the cursor is.
//!
//! A script hands the words of the line so far to `podwright __complete` and shows what comes back, one
//! candidate a line, a tab before what it means. What may stand there follows from the command line's own
//! definition; names of pods, containers, images and volumes are those there are.

mod scripts;
mod walk;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use super::args::Cli;
use super::commands::names;
use super::output::Output;
pub(super) use scripts::script;
use walk::Kind;

/// The hidden first argument that a script gives.
pub(super) const COMPLETE: &str = "__complete";

/// What a script takes for a wish to complete file names itself.
const FILES: &str = ":files";

/// Prints what may stand at the last of the words.
///
/// Nothing that goes wrong here is worth a word in the middle of somebody's line.
pub(super) fn answer(words: &[OsString]) -> ExitCode {
    let words: Vec<String> = words
        .iter()
        .skip_while(|word| *word == "--")
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut command = Cli::command();
    command.build();
    let asked = walk::walk(&command, &words);
    let mut output = Output::stdout();
    let mut print = |word: &str, about: &str| match about {
        "" => output.line(word),
        about => output.line(format_args!("{word}\t{about}")),
    };
    let mut printed = Ok(());
    for candidate in &asked.candidates {
        printed = printed.and_then(|()| print(&candidate.word, &candidate.about));
    }
    if let Kind::Names(kinds) = asked.kind {
        // Without an installation there are no names, and none is made for them.
        for name in live(&asked.root, &asked.runroot, kinds) {
            if name.starts_with(&asked.typed) {
                printed = printed.and_then(|()| print(&format!("{}{name}", asked.before), ""));
            }
        }
    } else if asked.kind == Kind::Files {
        printed = printed.and_then(|()| print(FILES, ""));
    }
    match printed.and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn live(root: &Option<String>, runroot: &Option<String>, kinds: &[walk::Names]) -> Vec<String> {
    let Ok(cli) = Cli::try_parse_from(["podwright", "version"]) else {
        return Vec::new();
    };
    let mut global = cli.global;
    if let Some(root) = root {
        global.root = Some(root.into());
    }
    if let Some(runroot) = runroot {
        global.runroot = Some(runroot.into());
    }
    names::live(&global, kinds)
}

pub(super) use walk::Names;
