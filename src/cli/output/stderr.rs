//! What is no result goes to standard error, coloured where that is wanted.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Returns whether standard output may be coloured: a terminal, and no `NO_COLOR`.
#[must_use]
pub fn stdout_has_colour() -> bool {
    io::stdout().is_terminal() && colour_wanted()
}

/// Returns whether standard error may be coloured.
#[must_use]
pub fn stderr_has_colour() -> bool {
    io::stderr().is_terminal() && colour_wanted()
}

/// Colour is unwanted when `NO_COLOR` is set to anything (<https://no-color.org>), or on a dumb terminal.
fn colour_wanted() -> bool {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    unset("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether warnings are wanted; `--log-level error` wants none.
static WARNINGS: AtomicBool = AtomicBool::new(true);

/// Says no more than errors from now on.
pub fn tell_errors_only() {
    WARNINGS.store(false, Ordering::Relaxed);
}

/// Returns whether warnings are wanted.
#[must_use]
pub fn warnings_wanted() -> bool {
    WARNINGS.load(Ordering::Relaxed)
}

/// Writes a warning to standard error, if warnings are wanted.
pub fn warn(message: impl std::fmt::Display) {
    if warnings_wanted() {
        tell(&format!("warning: {message}\n"));
    }
}

/// Writes a message to standard error; when that is gone too, nobody is left to be told.
pub fn tell(message: &str) {
    if message.is_empty() {
        return;
    }
    let mut stderr = io::stderr().lock();
    if stderr.write_all(message.as_bytes()).is_ok() && !message.ends_with('\n') {
        stderr.write_all(b"\n").ok();
    }
}
