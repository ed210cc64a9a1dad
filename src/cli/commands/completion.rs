//! `completion`.

use std::io::Write;

use super::super::args::Completion;
use super::super::complete;
use super::super::error::Error;
use super::super::output::Output;

/// Prints a shell's script, or writes it to a file.
pub(super) fn completion<W: Write>(
    arguments: &Completion,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let script = complete::script(arguments.shell);
    match &arguments.file {
        Some(path) => std::fs::write(path, script).map_err(|source| Error::File {
            doing: "writing",
            path: path.clone(),
            source,
        }),
        None => {
            output.bytes(script.as_bytes())?;
            Ok(output.flush()?)
        }
    }
}
