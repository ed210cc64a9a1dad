//! The loop's hands: what the machine wants done, on threads and tasks that come back as notes.

use std::time::Duration;

use super::{Note, Supervisor};
use crate::engine::start::{ADOPTED, Context, Run};
use crate::fault;
use crate::model::container::Handler;
use crate::model::infra::PidNamespace;
use crate::state::{Failure, Outcome};
use crate::supervisor::container::Live;
use crate::supervisor::handler::{self, Subject};
use crate::supervisor::machine::{Command, Event, Hook, Place};
use crate::supervisor::member::Layer;
use crate::supervisor::probe::{self, Past, Patient};
use crate::sys::process;

impl Supervisor {
    pub(super) fn carry_out(&mut self, command: Command) {
        let word = command.word();
        fault::point(format_args!("before to {word}"));
        self.do_now(command);
        fault::point(format_args!("after to {word}"));
    }

    fn do_now(&mut self, command: Command) {
        match command {
            Command::Launch(place, layer) => {
                if self.machine.record(place).backoff.has_waited() {
                    self.context.expect_restarts();
                }
                let (context, sender) = (self.context.clone(), self.sender.clone());
                self.launches += 1;
                tokio::task::spawn_blocking(move || {
                    let result = context.start(place, layer == Layer::Fresh);
                    let _ = sender.send(Note::Launched(place, result));
                });
            }
            Command::Signal(place, signal) => {
                if let Some(live) = self.live.get(&place) {
                    live.signal(signal.number());
                }
            }
            Command::Kill(place) => {
                let Some(live) = self.live.get(&place) else {
                    return;
                };
                live.signal(9);
                if !self.ends_as_one(place) {
                    let (context, run) = (self.context.clone(), live.run());
                    tokio::task::spawn_blocking(move || context.kill_cgroup(place, run));
                }
            }
            Command::Run(place, hook, handler) => self.run_hook(place, hook, handler),
            Command::Freeze(place) => {
                self.pauses.begin(place);
                let pauses = self.pauses.clone();
                self.use_freezer(place, Event::Frozen, move |context, run| {
                    context
                        .freeze(place, run)
                        .inspect_err(|_| pauses.end(place))
                });
            }
            Command::Thaw(place) => {
                let pauses = self.pauses.clone();
                self.use_freezer(place, Event::Thawed, move |context, run| {
                    context.thaw(place, run).inspect(|()| pauses.end(place))
                });
            }
            Command::Remove => {
                let outcome = self.context.tear_down();
                self.fail_removal(outcome);
                self.removed = true;
            }
        }
    }

    /// Returns whether the end of a container's first process is that of all: so the kernel has it where it is the first one
    /// of a PID namespace (`pid_namespaces(7)`), but nothing that is frozen ends.
    fn ends_as_one(&self, place: Place) -> bool {
        let is_first = self.machine.spec().infra.shared.pid == PidNamespace::Container;
        is_first && self.pauses.unpaused(place).is_some()
    }

    /// Freezes or thaws a container, which may take a moment, and tells the machine.
    fn use_freezer(
        &self,
        place: Place,
        event: fn(Place, Result<(), String>) -> Event,
        work: impl FnOnce(&Context, Run) -> Result<(), String> + Send + 'static,
    ) {
        let (context, sender) = (self.context.clone(), self.sender.clone());
        // One that does not run had its last run for good.
        let run = self.live.get(&place).map_or(ADOPTED, Live::run);
        tokio::task::spawn_blocking(move || {
            let result = work(&context, run);
            let _ = sender.send(Note::Event(event(place, result)));
        });
    }

    fn run_hook(&mut self, place: Place, hook: Hook, handler: Handler) {
        let Some(subject) = self.subject(place) else {
            return;
        };
        let sender = self.sender.clone();
        self.attendants.entry(place).or_default().spawn(async move {
            let result = handler::run(&subject, &handler).await;
            let _ = sender.send(Note::Event(Event::HookDone(place, hook, result)));
        });
    }

    /// Begins to probe a container, if it has probes.
    pub(super) fn attend(&mut self, place: Place, past: Past) {
        let name = &self.machine.record(place).name;
        let spec = self.machine.spec().container(name);
        let Some(probes) = spec.map(|spec| &spec.probes).filter(|probes| probes.any()) else {
            return;
        };
        let probes = probes.clone();
        let Some(subject) = self.subject(place) else {
            return;
        };
        let pauses = self.pauses.clone();
        let patient = Patient::new(place, subject, self.sender.clone(), past, pauses);
        let attendants = self.attendants.entry(place).or_default();
        attendants.spawn(probe::attend(patient, probes, past));
    }

    /// Returns the present run of a container.
    fn subject(&self, place: Place) -> Option<Subject> {
        let record = self.machine.record(place);
        Some(Subject {
            context: self.context.clone(),
            name: record.name.clone(),
            process: record.state.process()?.clone(),
            helpers: self.helpers.clone(),
        })
    }

    /// Returns what is known of a container that a former supervisor started.
    pub(super) fn past(&self, place: Place) -> Past {
        let record = self.machine.record(place);
        let ran = record.started.map(|started| {
            Duration::try_from(jiff::Timestamp::now().duration_since(started)).unwrap_or_default()
        });
        Past {
            ran: Some(ran.unwrap_or_default()),
            started_up: self.machine.has_started_up(place),
            ready: record.ready,
        }
    }

    /// Turns a removal that left something behind into a failed one, before it is told.
    fn fail_removal(&mut self, result: Result<(), String>) {
        if let Err(message) = result {
            let mut changes = self.machine.take_changes();
            for (_, outcome) in &mut changes.outcomes {
                *outcome = Outcome::Failed(Failure {
                    container: None,
                    message: message.clone(),
                    code: 125,
                });
            }
            self.keep(changes);
        }
    }

    /// Reaps what fell to this process: helpers of the runtime and orphans, never a container.
    ///
    /// While a launch or an exec is under way its child is not known yet, and nothing is reaped.
    pub(super) fn reap_strangers(&mut self) {
        if self.launches > 0 || self.helpers.is_starting() {
            return;
        }
        while let Ok(Some(child)) = process::ended_child() {
            let is_live = self.live.values().any(|live| live.pid() == child.pid);
            if is_live || self.helpers.waits_for(child.pid) {
                return;
            }
            let _ = process::reap(child.pid);
        }
    }
}
