//! What one command takes, with nothing else going on.

use std::time::Duration;

use super::figures::{Times, millis, ratio};
use super::say;
use super::tool::{Bench, Tool};
use super::work;

/// What a tool's repeated work came to.
#[derive(Debug, Default)]
struct Measured {
    wall: Times,
    cpu: Times,
}

impl Measured {
    /// Measures one piece of work.
    fn add(&mut self, tool: &Tool, work: impl FnOnce(&Tool) -> Duration) {
        let before = tool.cpu();
        self.wall.add(work(tool));
        self.cpu.add(tool.cpu().saturating_sub(before));
    }
}

fn table(what: &str) {
    say(&format!(
        "\n| {what} | podwright | podman | ratio | CPU of ours | of podman | ratio |\n|---|---|---|---|---|---|---|"
    ));
}

fn row(what: &str, measured: &[Measured]) {
    let none = Measured::default();
    let (ours, theirs) = (&measured[0], measured.get(1).unwrap_or(&none));
    let cell = |times: &Times| format!("{} (p99 {})", millis(times.median()), millis(times.p99()));
    say(&format!(
        "| {what} ({}×) | {} | {} | **{}** | {} | {} | {} |",
        ours.wall.len(),
        cell(&ours.wall),
        cell(&theirs.wall),
        ratio(theirs.wall.median(), ours.wall.median()),
        millis(ours.cpu.median()),
        millis(theirs.cpu.median()),
        ratio(theirs.cpu.median(), ours.cpu.median()),
    ));
}

/// Measures the same steps, by one tool after the other in turn.
fn in_turn<const STEPS: usize>(
    bench: &Bench,
    rounds: usize,
    steps: [fn(&Tool) -> Duration; STEPS],
) -> [Vec<Measured>; STEPS] {
    let tools = bench.tools().count();
    let mut measured =
        [(); STEPS].map(|()| (0..tools).map(|_| Measured::default()).collect::<Vec<_>>());
    for _ in 0..rounds {
        for (place, tool) in bench.tools().enumerate() {
            tool.begin();
            for (step, measured) in steps.iter().zip(&mut measured) {
                measured[place].add(tool, step);
            }
        }
    }
    measured
}

fn play(tool: &Tool, file: &str) -> Duration {
    tool.run(&["play", "kube", file]).expect()
}

fn down(tool: &Tool, file: &str) -> Duration {
    tool.run(&["play", "kube", "--down", file]).expect()
}

fn write(bench: &Bench, name: &str, text: &str) {
    for tool in bench.tools() {
        tool.write(name, text);
    }
}

/// Plays one pod and takes it down.
pub(crate) fn one_pod(bench: &Bench) {
    write(bench, "one.yaml", &work::pod("one", 1, work::QUICK, ""));
    // What only the first play does (bridges, tables) is not what is asked.
    in_turn(
        bench,
        1,
        [|tool| play(tool, "one.yaml"), |tool| down(tool, "one.yaml")],
    );
    let [played, downed] = in_turn(
        bench,
        bench.rounds,
        [
            |tool| play(tool, "one.yaml"),
            |tool| {
                // The shell has its trap by then: what is measured is a process that ends when asked.
                std::thread::sleep(Duration::from_millis(300));
                down(tool, "one.yaml")
            },
        ],
    );
    table("one pod of one container");
    row("`kube play`", &played);
    row("`kube down`, ends on SIGTERM", &downed);
}

/// Runs a program that does nothing in a container.
pub(crate) fn exec(bench: &Bench) {
    write(bench, "one.yaml", &work::pod("one", 1, work::QUICK, ""));
    in_turn(bench, 1, [|tool| play(tool, "one.yaml")]);
    let [execs] = in_turn(
        bench,
        3 * bench.rounds,
        [|tool| tool.run(&["exec", "one-c0", "/bin/true"]).expect()],
    );
    table("exec");
    row("`exec one-c0 true`", &execs);
    in_turn(bench, 1, [|tool| down(tool, "one.yaml")]);
}

/// Plays one file with a hundred pods and takes them down.
pub(crate) fn hundred_pods(bench: &Bench) {
    let text = work::pods("many", 100, 1, work::QUICK, "");
    write(bench, "hundred.yaml", &text);
    let rounds = bench.rounds.div_ceil(5);
    let [played, downed] = in_turn(
        bench,
        rounds,
        [
            |tool| play(tool, "hundred.yaml"),
            |tool| {
                std::thread::sleep(Duration::from_secs(1));
                down(tool, "hundred.yaml")
            },
        ],
    );
    table("one file with 100 pods");
    row("`kube play`", &played);
    row("`kube down`", &downed);
}

/// Lists a thousand containers that were created and never started.
pub(crate) fn list_a_thousand(bench: &Bench) {
    let text = work::pods("many", 20, 50, work::QUICK, "");
    write(bench, "thousand.yaml", &text);
    let [created] = in_turn(
        bench,
        1,
        [|tool| {
            tool.run(&["play", "kube", "--start=false", "thousand.yaml"])
                .expect()
        }],
    );
    let [listed] = in_turn(
        bench,
        3 * bench.rounds,
        [|tool| tool.run(&["ps", "--all"]).expect()],
    );
    table("1000 created containers in 20 pods");
    row("`kube play --start=false`", &created);
    row("`ps --all`", &listed);
    for tool in bench.tools() {
        tool.clear();
    }
}
