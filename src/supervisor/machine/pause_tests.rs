//! Pauses, played out without a kernel.

use super::super::tests::Bench;
use super::super::*;
use crate::model::container::Role;
use crate::model::pod::RestartPolicy;
use crate::state::IntentKind;

fn app() -> Bench {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a"), (Role::App, "b")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench.start(1);
    bench.outcomes();
    bench
}

/// Asks, and returns the number of the wish as well.
fn wish(bench: &mut Bench, place: Option<Place>, kind: IntentKind) -> (i64, Vec<Command>) {
    let commands = bench.ask(place, kind);
    (bench.seq, commands)
}

/// Returns what has become of a wish by now.
fn outcome(bench: &mut Bench, seq: i64) -> Option<Outcome> {
    let mut outcomes = bench.outcomes().into_iter();
    outcomes
        .find(|(own, _)| *own == seq)
        .map(|(_, outcome)| outcome)
}

fn failed(outcome: Option<Outcome>, words: &str) {
    match outcome {
        Some(Outcome::Failed(failure)) => assert!(failure.message.contains(words), "{failure}"),
        other => panic!("{other:?}"),
    }
}

fn paused(bench: &Bench, place: Place) -> bool {
    matches!(
        bench.machine.record(place).state,
        ContainerState::Paused { .. }
    )
}

#[test]
fn a_container_is_paused_when_the_kernel_says_so() {
    let mut bench = app();
    let (seq, commands) = wish(&mut bench, Some(0), IntentKind::Pause);
    assert_eq!(commands, [Command::Freeze(0)]);
    assert_eq!((outcome(&mut bench, seq), paused(&bench, 0)), (None, false));
    bench.handle(Event::Frozen(0, Ok(())));
    assert_eq!(
        (outcome(&mut bench, seq), paused(&bench, 0)),
        (Some(Outcome::Done), true)
    );
    for (kind, words) in [
        (IntentKind::Pause, "already paused"),
        (IntentKind::Stop { grace: None }, "is in state paused"),
        (IntentKind::Restart { grace: None }, "is in state paused"),
        (IntentKind::Start, "is in state paused"),
    ] {
        let (seq, commands) = wish(&mut bench, Some(0), kind);
        assert_eq!(commands, []);
        failed(outcome(&mut bench, seq), words);
    }
    let (seq, commands) = wish(&mut bench, Some(0), IntentKind::Unpause);
    assert_eq!(commands, [Command::Thaw(0)]);
    bench.handle(Event::Thawed(0, Ok(())));
    assert_eq!(
        (outcome(&mut bench, seq), paused(&bench, 0)),
        (Some(Outcome::Done), false)
    );
    let (seq, _) = wish(&mut bench, Some(0), IntentKind::Unpause);
    failed(outcome(&mut bench, seq), "is not paused, can't unpause");
}

#[test]
fn a_pod_is_paused_when_all_its_containers_are() {
    let mut bench = app();
    let (seq, commands) = wish(&mut bench, None, IntentKind::Pause);
    assert_eq!(commands, [Command::Freeze(0), Command::Freeze(1)]);
    bench.handle(Event::Frozen(1, Ok(())));
    assert_eq!(outcome(&mut bench, seq), None);
    bench.handle(Event::Frozen(0, Err("it waits for a device".to_owned())));
    failed(outcome(&mut bench, seq), "it waits for a device");
    assert_eq!((paused(&bench, 0), paused(&bench, 1)), (false, true));
    let (seq, _) = wish(&mut bench, None, IntentKind::Stop { grace: None });
    failed(
        outcome(&mut bench, seq),
        "can only stop created or running containers",
    );
}

#[test]
fn what_is_removed_or_killed_is_thawed() {
    let mut bench = app();
    wish(&mut bench, Some(0), IntentKind::Pause);
    bench.handle(Event::Frozen(0, Ok(())));
    let (_, commands) = wish(&mut bench, None, IntentKind::Remove { grace: None });
    assert!(commands.contains(&Command::Thaw(0)), "{commands:?}");
    assert!(commands.contains(&Command::Signal(0, StopSignal::TERM)));

    let mut bench = app();
    wish(&mut bench, Some(0), IntentKind::Pause);
    bench.handle(Event::Frozen(0, Ok(())));
    let signal = StopSignal::KILL;
    let (_, commands) = wish(&mut bench, Some(0), IntentKind::Kill { signal });
    assert_eq!(commands, [Command::Kill(0), Command::Thaw(0)]);
}

#[test]
fn a_stop_that_comes_while_it_freezes_thaws_it() {
    let mut bench = app();
    let (seq, _) = wish(&mut bench, Some(0), IntentKind::Pause);
    wish(&mut bench, Some(0), IntentKind::Stop { grace: None });
    let commands = bench.handle(Event::Frozen(0, Ok(())));
    assert_eq!(commands, [Command::Thaw(0)]);
    assert_eq!(outcome(&mut bench, seq), Some(Outcome::Done));
    assert!(!paused(&bench, 0));
}
