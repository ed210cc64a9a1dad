//! Asking before something is lost.

use std::io::{BufRead as _, Write as _};

use super::super::error::Error;
use super::Context;

/// Asks whether what the warning says is meant; no answer is a no.
pub(super) fn is_meant(context: &mut Context<'_>, warning: &str) -> Result<bool, Error> {
    context.output.line(format_args!("WARNING! {warning}"))?;
    let question = b"Are you sure you want to continue? [y/N] ";
    context.output.bytes(question)?;
    context.output.flush()?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_err() || !answer.ends_with('\n') {
        context.output.writer().write_all(b"\n").ok();
    }
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
