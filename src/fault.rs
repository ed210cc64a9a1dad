//! Ends this process at a chosen point, so that tests can prove what a death there leaves behind.
//!
//! `PODWRIGHT_FAULT=VICTIM:N:FUSE` kills the first process of the kind VICTIM that passes its N-th point, as
//! `kill -9` would. The file FUSE burns: it becomes `FUSE.blown` and names the point, and whoever passes
//! later lives. Without the variable a point costs one look at an empty cell.
#![forbid(unsafe_code)]

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The hidden variable.
pub const VARIABLE: &str = "PODWRIGHT_FAULT";

/// What a process is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    Command,
    Supervisor,
    Stage,
    Keeper,
}

impl Victim {
    const fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Supervisor => "supervisor",
            Self::Stage => "stage",
            Self::Keeper => "keeper",
        }
    }
}

/// What the variable says.
#[derive(Debug)]
struct Charge {
    text: String,
    victim: String,
    number: u32,
    fuse: PathBuf,
}

impl Charge {
    fn parse(text: String) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let victim = parts.next()?.to_owned();
        let number = parts.next()?.parse().ok()?;
        let fuse = PathBuf::from(parts.next()?);
        Some(Self {
            text,
            victim,
            number,
            fuse,
        })
    }
}

static CHARGE: OnceLock<Option<Charge>> = OnceLock::new();
static VICTIM: OnceLock<Victim> = OnceLock::new();
static PASSED: AtomicU32 = AtomicU32::new(0);

/// Says what this process is; one that never says so passes all points.
pub fn arm(victim: Victim) {
    // The first word counts: a process does not change what it is.
    let _ = VICTIM.set(victim);
    let _ = CHARGE.set(std::env::var(VARIABLE).ok().and_then(Charge::parse));
}

fn charge() -> Option<&'static Charge> {
    CHARGE.get().and_then(Option::as_ref)
}

/// Returns what the environment of a child must have, which is cleared otherwise.
pub fn inherited() -> impl Iterator<Item = (&'static str, &'static str)> {
    charge()
        .into_iter()
        .map(|charge| (VARIABLE, charge.text.as_str()))
}

/// A place where a process may end.
pub fn point(name: impl fmt::Display) {
    let (Some(charge), Some(victim)) = (charge(), VICTIM.get()) else {
        return;
    };
    if charge.victim != victim.word() || PASSED.fetch_add(1, Ordering::Relaxed) + 1 != charge.number
    {
        return;
    }
    let blown = charge.fuse.with_extension("blown");
    if std::fs::rename(&charge.fuse, &blown).is_ok() {
        // Whoever waits for the death finds the name or no name; either way the point was hit.
        let _ = std::fs::write(&blown, name.to_string());
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}
