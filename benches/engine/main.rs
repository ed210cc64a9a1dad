//! The same work through podwright and through podman, one after the other in turn: wall time, CPU of all
//! processes involved, and memory of those that stay.
//!
//! `cargo bench --bench engine -- [CASE…]` as root; without cases, all of them. `PODWRIGHT=PATH` takes a
//! binary that is built already, `ROUNDS=N` repeats the short cases N times, `PODMAN=` (empty) leaves podman
//! out. The program has a network namespace and cgroups of its own, and directories below `/tmp`.

mod cases;
mod cgroup;
mod crowd;
mod figures;
mod memory;
mod tool;
mod work;

use std::io::{self, Write as _};

use tool::Bench;

/// One thing that is measured, by the name it is chosen by.
type Case = fn(&Bench);

const CASES: &[(&str, Case)] = &[
    ("one", cases::one_pod),
    ("exec", cases::exec),
    ("memory", memory::of_what_stays),
    ("hundred", cases::hundred_pods),
    ("ps", cases::list_a_thousand),
    ("restart", crowd::restart_all),
    ("deaf", crowd::restart_all_deaf),
    ("shells", crowd::one_container_many_shells),
    ("files", crowd::many_files_many_shells),
    ("readers", crowd::readers_alone),
    ("loops", crowd::crash_loops),
];

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if !nix::unistd::geteuid().is_root() {
        say("skipped: lacks root");
        return;
    }
    let bench = Bench::new();
    say(&bench.host());
    for (name, case) in CASES {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            case(&bench);
        }
    }
}

/// Prints a line at once: a run takes long and is watched.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
