//! Hooks, what probes tell, and the time a pod may have.

use super::*;
use crate::model::container::{ContainerSpec, Probe};

const HOOK: Handler = Handler::Sleep(Seconds(1));

fn failed() -> Result<(), String> {
    Err("it failed".to_owned())
}

/// A pod that always restarts, with its containers changed.
fn bench(roles: &[(Role, &str)], change: impl Fn(&mut ContainerSpec)) -> Bench {
    let mut pod = pod(RestartPolicy::Always, roles);
    let spec = &mut pod.record.spec;
    let all = spec.init_containers.iter_mut().chain(&mut spec.containers);
    all.for_each(change);
    Bench::of(pod)
}

fn probe() -> Option<Probe> {
    Some(Probe {
        action: HOOK,
        initial_delay: Seconds(0),
        period: Seconds(1),
        timeout: Seconds(1),
        success_threshold: 1,
        failure_threshold: 1,
        termination_grace: None,
    })
}

fn done(place: usize, hook: Hook, result: Result<(), String>) -> Event {
    Event::HookDone(place, hook, result)
}

fn pre_stop(place: usize) -> Command {
    Command::Run(place, Hook::PreStop, HOOK)
}

const TERM: Command = Command::Signal(0, StopSignal::TERM);

fn with_pre_stop() -> Bench {
    let mut bench = bench(&[(Role::App, "a")], |spec| {
        spec.lifecycle.pre_stop = Some(HOOK);
    });
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench
}

#[test]
fn a_pre_stop_hook_counts_inside_the_grace_period() {
    let mut bench = with_pre_stop();
    assert_eq!(bench.ask(Some(0), STOP), [pre_stop(0)]);
    assert_eq!(bench.pass(20), []);
    assert_eq!(bench.handle(done(0, Hook::PreStop, failed())), [TERM]);
    assert_eq!(bench.pass(9), []);
    assert_eq!(bench.pass(1), [Command::Kill(0)]);
}

#[test]
fn a_hook_that_uses_the_grace_period_up_leaves_two_seconds() {
    let mut bench = with_pre_stop();
    bench.ask(Some(0), STOP);
    assert_eq!(bench.pass(30), [TERM]);
    assert_eq!(bench.pass(1), []);
    assert_eq!(bench.handle(done(0, Hook::PreStop, Ok(()))), []);
    assert_eq!(bench.pass(1), [Command::Kill(0)]);

    let mut bench = with_pre_stop();
    bench.ask(Some(0), STOP);
    bench.pass(29);
    assert_eq!(bench.handle(done(0, Hook::PreStop, Ok(()))), [TERM]);
    assert_eq!(bench.pass(1), []);
    assert_eq!(bench.pass(1), [Command::Kill(0)]);
}

#[test]
fn a_stop_without_time_breaks_into_the_hook() {
    let mut bench = with_pre_stop();
    bench.ask(Some(0), STOP);
    let at_once = IntentKind::Stop {
        grace: Some(Seconds(0)),
    };
    assert_eq!(bench.ask(Some(0), at_once), [Command::Kill(0)]);
}

#[test]
fn a_supervisor_that_takes_over_in_the_middle_of_a_stop_asks_again() {
    let mut pod = pod(RestartPolicy::Always, &[(Role::App, "a")]);
    pod.containers[0].state = ContainerState::Stopping {
        process: ProcessRef {
            pid: 100,
            start_time: 0,
            boot: BootId("b".to_owned()),
        },
        since: Timestamp::UNIX_EPOCH,
        deadline: BootMillis(20_000),
    };
    let mut bench = Bench::of(pod);
    assert_eq!(bench.handle(Event::Tick), [TERM]);
    assert_eq!(bench.pass(19), []);
    assert_eq!(bench.pass(1), [Command::Kill(0)]);
}

#[test]
fn containers_wait_for_the_post_start_hooks_before_them() {
    for role in [Role::Sidecar, Role::App] {
        let mut bench = bench(&[(role, "first"), (Role::App, "second")], |spec| {
            spec.lifecycle.post_start = (spec.name.as_str() == "first").then_some(HOOK);
        });
        assert_eq!(bench.ask(None, IntentKind::Start), [launch(0)]);
        let hook = Command::Run(0, Hook::PostStart, HOOK);
        assert_eq!(bench.start(0), [hook]);
        assert!(bench.outcomes().is_empty());
        let done = done(0, Hook::PostStart, Ok(()));
        assert_eq!(bench.handle(done), [launch(1)], "{role:?}");
        bench.start(1);
        assert_eq!(bench.outcomes(), [(1, Outcome::Done)]);
    }
}

#[test]
fn a_failed_post_start_hook_ends_the_container() {
    let mut bench = bench(&[(Role::App, "a")], |spec| {
        spec.lifecycle.post_start = Some(HOOK);
    });
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    assert_eq!(bench.handle(done(0, Hook::PostStart, failed())), [TERM]);
    assert_eq!(bench.end(0, 143), [Command::Launch(0, Layer::Fresh)]);
}

#[test]
fn a_probes_own_grace_period_counts_when_it_gives_a_container_up() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    let unhealthy = Event::Unhealthy(0, Some(Seconds(5)));
    assert_eq!(bench.handle(unhealthy), [TERM]);
    assert_eq!(bench.pass(5), [Command::Kill(0)]);
    assert_eq!(bench.end(0, 0), [Command::Launch(0, Layer::Fresh)]);
    bench.start(0);
    assert_eq!(bench.machine.record(0).restarts, 1);
}

#[test]
fn a_container_is_ready_when_it_has_started_up_and_no_probe_says_otherwise() {
    let mut bench = bench(&[(Role::Sidecar, "s"), (Role::App, "a")], |spec| {
        spec.probes.startup = probe();
        spec.probes.readiness = probe().filter(|_| spec.role == Role::App);
    });
    let ready = |bench: &Bench, place| bench.machine.record(place).ready;
    bench.ask(None, IntentKind::Start);
    assert_eq!(bench.start(0), []);
    assert!(!ready(&bench, 0));
    assert_eq!(bench.handle(Event::StartedUp(0)), [launch(1)]);
    assert!(ready(&bench, 0));
    bench.start(1);
    bench.handle(Event::StartedUp(1));
    assert!(!ready(&bench, 1));
    bench.handle(Event::Ready(1, true));
    assert!(ready(&bench, 1));
    bench.ask(Some(1), STOP);
    bench.handle(Event::Ready(1, true));
    assert!(!ready(&bench, 1), "what is being ended is not ready");
    bench.end(1, 0);
    bench.handle(Event::StartedUp(1));
    assert!(!bench.machine.has_started_up(1));
}

#[test]
fn a_pod_that_outlives_its_deadline_is_stopped_and_stays_down() {
    let mut pod = pod(RestartPolicy::Always, &[(Role::App, "a")]);
    pod.record.spec.active_deadline = Some(Seconds(60));
    let mut bench = Bench::of(pod);
    for _ in 0..2 {
        bench.ask(None, IntentKind::Start);
        bench.pass(50);
        bench.start(0);
        assert_eq!(bench.pass(9), []);
        assert_eq!(bench.pass(1), [TERM]);
        assert_eq!(bench.pass(30), [Command::Kill(0)]);
        assert_eq!(bench.end(0, 137), []);
        assert_eq!(bench.pass(1000), []);
        assert!(bench.machine.is_idle());
        assert_eq!(bench.outcomes().len(), 1, "only the start was asked for");
    }
}

#[test]
fn a_deadline_ends_a_start_that_is_still_under_way() {
    let mut pod = pod(
        RestartPolicy::Always,
        &[(Role::Init, "i"), (Role::App, "a")],
    );
    pod.record.spec.active_deadline = Some(Seconds(5));
    let mut bench = Bench::of(pod);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    assert_eq!(bench.pass(5), [TERM]);
    assert!(
        matches!(&bench.outcomes()[..], [(1, Outcome::Overtaken { by })] if by == "activeDeadlineSeconds")
    );
    assert_eq!(bench.end(0, 0), []);
}
