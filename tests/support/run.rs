//! What a command came to, and what this machine must have for a test.

use std::path::Path;
use std::process::Output;

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns the standard output of a command that must have succeeded without a word of complaint.
    #[track_caller]
    pub(crate) fn expect(self) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(0), ""),
            "{}",
            self.stdout
        );
        self.stdout
    }

    /// Returns the standard output of a command that must have succeeded, whatever it had to tell besides.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Returns the complaint of a command that must have failed.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_ne!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// Tells whether this is root with these programs, or says what is lacking.
#[expect(clippy::print_stderr, reason = "a skipped test says what it lacks")]
pub(crate) fn is_root_with(programs: &[&str]) -> bool {
    let lacking = match nix::unistd::geteuid().is_root() {
        true => programs.iter().find(|program| !Path::new(program).exists()),
        false => Some(&"root"),
    };
    if let Some(lacking) = lacking {
        eprintln!("skipped: lacks {lacking}");
    }
    lacking.is_none()
}
