//! The machine's rules, each played out without a kernel.

use std::time::Duration;

use super::*;
use crate::model::container::{Handler, Role};
use crate::model::pod::RestartPolicy;
use crate::model::quantity::Seconds;
use crate::model::state::{ExitStatus, ProcessRef};
use crate::names::{ContainerId, PodId};
use crate::state::Failure;
use crate::supervisor::member::Layer;

#[path = "crowd_tests.rs"]
mod crowd;
#[path = "hook_tests.rs"]
mod hooks;

/// A pod's machine with a clock that the test moves.
pub(super) struct Bench {
    pub(super) machine: Machine,
    now: Moment,
    pub(super) seq: i64,
    outcomes: Vec<(i64, Outcome)>,
}

fn id(place: usize) -> ContainerId {
    ContainerId::parse(&format!("{place:064x}")).unwrap()
}

/// Builds a pod from `role name` pairs.
fn pod(policy: RestartPolicy, roles: &[(Role, &str)]) -> ObservedPod {
    let container = |(role, name): &(Role, &str)| {
        serde_json::json!({
            "name": name, "role": role, "image": "localhost/x", "pull": "Never",
            "process": {"limits": {}, "security": {}}, "privileges": {}, "probes": {},
            "lifecycle": {}, "terminal": {"tty": false, "stdin": false, "stdinOnce": false},
            "terminationMessage": {"path": "/dev/termination-log", "policy": "File"}
        })
    };
    let (inits, apps): (Vec<_>, Vec<_>) = roles.iter().partition(|(role, _)| *role != Role::App);
    let pod_id = PodId::parse(&"a".repeat(64)).unwrap();
    let spec: PodSpec = serde_json::from_value(serde_json::json!({
        "name": "p",
        "infra": {
            "process": {"limits": {}, "security": {}}, "network": "none",
            "dns": {"policy": "ClusterFirst"}, "hosts": {"pod": {"aliases": []}},
            "etcHostname": "Pod", "shared": {"pid": "Container", "ipc": "Pod"},
            "userNamespace": "Host", "fsGroupChange": "Always"
        },
        "initContainers": inits.iter().map(container).collect::<Vec<_>>(),
        "containers": apps.iter().map(container).collect::<Vec<_>>(),
        "restartPolicy": policy, "terminationGrace": 30, "naming": "PodPrefix"
    }))
    .unwrap();
    let containers = spec
        .all_containers()
        .enumerate()
        .map(|(place, container)| {
            let image = crate::names::ImageId::parse(&"0".repeat(64)).unwrap();
            ContainerRecord::new(
                id(place),
                pod_id.clone(),
                container,
                image,
                Timestamp::UNIX_EPOCH,
            )
        })
        .collect();
    ObservedPod {
        record: crate::model::observed::PodRecord {
            id: pod_id,
            application: crate::names::ObjectName::parse("a").unwrap(),
            created: Timestamp::UNIX_EPOCH,
            infra: id(99),
            addresses: vec![],
            standing: crate::model::observed::Standing::Serving,
            log_driver: crate::model::observed::LogDriver::default(),
            volume_images: Default::default(),
            spec,
        },
        containers,
    }
}

impl Bench {
    pub(super) fn new(policy: RestartPolicy, roles: &[(Role, &str)]) -> Self {
        Self::of(pod(policy, roles))
    }

    fn of(pod: ObservedPod) -> Self {
        let now = Moment {
            boot: BootMillis(0),
            wall: Timestamp::UNIX_EPOCH,
        };
        let machine = Machine::new(pod, BootId("b".to_owned()), &[], now);
        Self {
            machine,
            now,
            seq: 0,
            outcomes: Vec::new(),
        }
    }

    pub(super) fn handle(&mut self, event: Event) -> Vec<Command> {
        let commands = self.machine.handle(event, self.now);
        self.outcomes.extend(self.machine.take_changes().outcomes);
        commands
    }

    pub(super) fn ask(&mut self, place: Option<usize>, kind: IntentKind) -> Vec<Command> {
        self.seq += 1;
        self.handle(Event::Intent(Intent {
            seq: self.seq,
            container: place.map(id),
            kind,
            by: format!("command {}", self.seq),
        }))
    }

    pub(super) fn start(&mut self, place: usize) -> Vec<Command> {
        self.handle(Event::Started(
            place,
            ProcessRef {
                pid: 100,
                start_time: 0,
                boot: BootId("b".to_owned()),
            },
        ))
    }

    fn end(&mut self, place: usize, code: u8) -> Vec<Command> {
        self.handle(Event::Ended(place, ExitStatus::Code(code).into()))
    }

    fn pass(&mut self, seconds: u64) -> Vec<Command> {
        self.now.boot = self.now.boot.after(Duration::from_secs(seconds));
        self.handle(Event::Tick)
    }

    pub(super) fn outcomes(&mut self) -> Vec<(i64, Outcome)> {
        std::mem::take(&mut self.outcomes)
    }
}

const STOP: IntentKind = IntentKind::Stop { grace: None };
const RESTART: IntentKind = IntentKind::Restart { grace: None };

fn launch(place: usize) -> Command {
    Command::Launch(place, Layer::Kept)
}

#[test]
fn app_containers_start_together_and_end_the_start() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a"), (Role::App, "b")]);
    assert_eq!(bench.ask(None, IntentKind::Start), [launch(0), launch(1)]);
    bench.start(0);
    assert!(bench.outcomes().is_empty());
    bench.start(1);
    assert_eq!(bench.outcomes(), [(1, Outcome::Done)]);
}

#[test]
fn init_containers_run_one_after_the_other_before_the_apps() {
    let roles = [(Role::Init, "i"), (Role::Sidecar, "s"), (Role::App, "a")];
    let mut bench = Bench::new(RestartPolicy::Always, &roles);
    assert_eq!(bench.ask(None, IntentKind::Start), [launch(0)]);
    assert_eq!(bench.start(0), []);
    assert_eq!(bench.end(0, 0), [launch(1)]);
    assert_eq!(bench.start(1), [launch(2)]);
    bench.start(2);
    assert_eq!(bench.outcomes(), [(1, Outcome::Done)]);
}

#[test]
fn a_failing_init_container_fails_a_pod_that_never_restarts() {
    let mut bench = Bench::new(RestartPolicy::Never, &[(Role::Init, "i"), (Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    assert_eq!(bench.end(0, 3), []);
    assert!(
        matches!(&bench.outcomes()[..], [(1, Outcome::Failed(failure))] if failure.message.contains('3'))
    );
    assert!(bench.machine.is_idle());
}

#[test]
fn a_failing_init_container_is_tried_again_and_the_start_is_deferred() {
    let mut bench = Bench::new(
        RestartPolicy::Always,
        &[(Role::Init, "i"), (Role::App, "a")],
    );
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    assert_eq!(bench.end(0, 1), [Command::Launch(0, Layer::Fresh)]);
    assert!(matches!(&bench.outcomes()[..], [(1, Outcome::Deferred(_))]));
    bench.start(0);
    assert_eq!(bench.end(0, 0), [launch(1)]);
}

#[test]
fn crash_loops_back_off_as_the_kubelet_does() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    for wait in [0, 10, 20, 40, 80, 160, 300, 300] {
        let commands = bench.end(0, 1);
        if wait > 0 {
            assert_eq!(commands, []);
            assert_eq!(bench.pass(wait - 1), []);
            assert_eq!(bench.pass(1), [Command::Launch(0, Layer::Fresh)], "{wait}");
        } else {
            assert_eq!(commands, [Command::Launch(0, Layer::Fresh)]);
        }
        bench.start(0);
    }
    assert_eq!(bench.machine.record(0).restarts, 8);
}

#[test]
fn a_stop_signals_waits_and_kills() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    assert_eq!(
        bench.ask(Some(0), STOP),
        [Command::Signal(0, StopSignal::TERM)]
    );
    assert_eq!(bench.pass(29), []);
    assert_eq!(bench.pass(1), [Command::Kill(0)]);
    assert_eq!(bench.pass(1), []);
    assert_eq!(bench.end(0, 0), []);
    assert_eq!(bench.outcomes(), [(1, Outcome::Done), (2, Outcome::Done)]);
    assert_eq!(bench.ask(Some(0), STOP), []);
    assert_eq!(bench.outcomes(), [(3, Outcome::Already)]);
}

#[test]
fn a_shorter_stop_breaks_into_a_grace_period() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench.ask(None, STOP);
    let now = IntentKind::Stop {
        grace: Some(Seconds(0)),
    };
    assert_eq!(bench.ask(Some(0), now), [Command::Kill(0)]);
    bench.end(0, 137);
    assert_eq!(bench.outcomes().len(), 3);
}

#[test]
fn stops_that_wait_for_the_same_end_are_answered_together() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    for _ in 0..3 {
        bench.ask(Some(0), IntentKind::Stop { grace: None });
    }
    bench.end(0, 0);
    let outcomes = bench.outcomes();
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
}

#[test]
fn every_restart_asked_for_is_performed_in_order() {
    let mut bench = Bench::new(RestartPolicy::Never, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    assert_eq!(
        bench.ask(Some(0), RESTART),
        [Command::Signal(0, StopSignal::TERM)]
    );
    assert_eq!(bench.ask(Some(0), RESTART), []);
    assert_eq!(bench.end(0, 0), [launch(0)]);
    assert_eq!(bench.start(0), [Command::Signal(0, StopSignal::TERM)]);
    assert_eq!(bench.end(0, 0), [launch(0)]);
    bench.start(0);
    let done: Vec<_> = bench.outcomes();
    assert_eq!(
        done,
        [(1, Outcome::Done), (2, Outcome::Done), (3, Outcome::Done)]
    );
    assert_eq!(bench.machine.record(0).restarts, 0);
}

#[test]
fn a_stop_overtakes_the_restarts_that_wait() {
    let mut bench = Bench::new(RestartPolicy::Never, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench.ask(Some(0), RESTART);
    bench.ask(Some(0), RESTART);
    bench.ask(Some(0), STOP);
    assert_eq!(bench.end(0, 0), []);
    let by = "command 4".to_owned();
    assert_eq!(
        bench.outcomes(),
        [
            (1, Outcome::Done),
            (2, Outcome::Overtaken { by: by.clone() }),
            (3, Outcome::Overtaken { by }),
            (4, Outcome::Done)
        ]
    );
}

#[test]
fn sidecars_stop_last_and_in_reverse() {
    let roles = [(Role::Sidecar, "s"), (Role::Sidecar, "t"), (Role::App, "a")];
    let mut bench = Bench::new(RestartPolicy::Always, &roles);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench.start(1);
    bench.start(2);
    let signal = |place| Command::Signal(place, StopSignal::TERM);
    assert_eq!(
        bench.ask(None, IntentKind::Remove { grace: None }),
        [signal(2)]
    );
    assert_eq!(bench.end(2, 0), [signal(1)]);
    assert_eq!(bench.end(1, 0), [signal(0)]);
    assert_eq!(bench.end(0, 0), [Command::Remove]);
}

#[test]
fn sidecars_have_what_the_others_left_of_the_grace_period() {
    let roles = [(Role::Sidecar, "s"), (Role::Sidecar, "t"), (Role::App, "a")];
    let mut bench = Bench::new(RestartPolicy::Always, &roles);
    bench.ask(None, IntentKind::Start);
    for place in [0, 1, 2] {
        bench.start(place);
    }
    let stop = IntentKind::Stop {
        grace: Some(Seconds(20)),
    };
    bench.ask(None, stop);
    bench.pass(15);
    bench.end(2, 0);
    assert_eq!(bench.pass(4), []);
    assert_eq!(bench.pass(1), [Command::Kill(1)]);
    bench.end(1, 137);
    assert_eq!(bench.pass(1), []);
    assert_eq!(
        bench.pass(1),
        [Command::Kill(0)],
        "but two seconds at least"
    );
}

#[test]
fn restarting_a_pod_runs_its_init_containers_again() {
    let mut bench = Bench::new(
        RestartPolicy::Always,
        &[(Role::Init, "i"), (Role::App, "a")],
    );
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench.end(0, 0);
    bench.start(1);
    bench.ask(None, RESTART);
    assert_eq!(bench.end(1, 0), [launch(0)]);
    bench.start(0);
    assert_eq!(bench.end(0, 0), [launch(1)]);
    bench.start(1);
    assert_eq!(bench.outcomes(), [(1, Outcome::Done), (2, Outcome::Done)]);
}

#[test]
fn a_start_that_fails_is_told_with_its_reason() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    let status = ExitStatus::StartFailed {
        message: "no such file".to_owned(),
        code: 127,
    };
    bench.handle(Event::StartFailed(0, status));
    assert!(matches!(
        &bench.outcomes()[..],
        [(1, Outcome::Failed(Failure { code: 127, .. }))]
    ));
}

#[test]
fn a_kill_acts_at_once_and_keeps_the_container_down() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    let kill = IntentKind::Kill {
        signal: StopSignal::KILL,
    };
    assert_eq!(bench.ask(Some(0), kill.clone()), [Command::Kill(0)]);
    let status = ExitStatus::Signal {
        signal: 9,
        oom: false,
    };
    assert_eq!(bench.handle(Event::Ended(0, status.into())), []);
    assert!(bench.machine.is_idle());
    bench.outcomes();
    bench.ask(Some(0), kill);
    assert!(matches!(&bench.outcomes()[..], [(3, Outcome::Failed(_))]));
}

#[test]
fn a_removed_container_is_not_started_with_its_pod() {
    let mut bench = Bench::new(RestartPolicy::Never, &[(Role::App, "a"), (Role::App, "b")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench.start(1);
    bench.end(0, 0);
    bench.ask(Some(0), IntentKind::Remove { grace: None });
    bench.ask(None, STOP);
    bench.end(1, 0);
    assert_eq!(bench.ask(None, IntentKind::Start), [launch(1)]);
    bench.start(1);
    assert_eq!(bench.outcomes().last(), Some(&(4, Outcome::Done)));
}

#[test]
fn a_start_that_waits_behind_a_removal_is_for_the_next_supervisor() {
    let mut bench = Bench::new(RestartPolicy::Always, &[(Role::App, "a")]);
    bench.ask(None, IntentKind::Start);
    bench.start(0);
    bench.outcomes();
    bench.ask(None, IntentKind::Remove { grace: None });
    for kind in [IntentKind::Start, IntentKind::Restart { grace: None }] {
        bench.ask(None, kind);
    }
    bench.ask(Some(0), IntentKind::Start);
    assert_eq!(bench.end(0, 0), [Command::Remove]);
    assert_eq!(bench.pass(1000), []);
    assert_eq!(bench.ask(None, IntentKind::Start), []);
    // Nobody has said anything of the starts: they are still to be done.
    let told: Vec<i64> = bench.outcomes().iter().map(|(seq, _)| *seq).collect();
    assert_eq!(told, [2]);
}
