//! The probes of one run of a container, with the kubelet's rules of when and how often.
//!
//! ```text
//! startup ──passed──▶ StartedUp, then liveness and readiness side by side
//!    └─failed──▶ Unhealthy         liveness ──failed──▶ Unhealthy
//!                                  readiness ──changed──▶ Ready
//! ```

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::ask::Answer;
use super::handler::{self, Subject};
use super::machine::{Event, Place};
use super::pauses::Pauses;
use super::run::Note;
use crate::model::container::{Probe, Probes};

/// What has happened in a run before this supervisor came to it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Past {
    /// How long it has run; none for a run that begins now.
    pub(super) ran: Option<Duration>,
    /// It was known to have started up.
    pub(super) started_up: bool,
    pub(super) ready: bool,
}

/// One container to be probed.
#[derive(Debug, Clone)]
pub(super) struct Patient {
    place: Place,
    subject: Subject,
    sender: UnboundedSender<Note>,
    began: Instant,
    pauses: Pauses,
    /// Spreads the probes of a supervisor that has just taken over a pod, as a restarted kubelet does.
    spread: bool,
}

impl Patient {
    pub(super) fn new(
        place: Place,
        subject: Subject,
        sender: UnboundedSender<Note>,
        past: Past,
        pauses: Pauses,
    ) -> Self {
        let now = Instant::now();
        let ran = past.ran.unwrap_or_default();
        Self {
            place,
            subject,
            sender,
            began: now.checked_sub(ran).unwrap_or(now),
            pauses,
            spread: past.ran.is_some(),
        }
    }

    fn tell(&self, event: Event) {
        // The loop that listens outlives the tasks it started, but for its own end.
        let _ = self.sender.send(Note::Event(event));
    }

    /// Asks at the times the probe wants, until `news` has heard enough.
    async fn ask(&self, probe: &Probe, mut tally: Tally, mut news: impl FnMut(bool) -> Flow) {
        let jitter = self.spread.then(|| random_part(probe.period.duration()));
        let first = first_after(probe, self.began.elapsed(), jitter);
        // A probe that is slow misses its turns, but for one, as with Go's ticker.
        let period = probe.period.duration().max(Duration::from_secs(1));
        let mut turns = interval_at(Instant::now() + first, period);
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let limit = probe.timeout.duration();
        loop {
            turns.tick().await;
            let Some(unpaused) = self.pauses.unpaused(self.place) else {
                continue;
            };
            let answer = handler::probe(&self.subject, &probe.action, limit).await;
            if self.pauses.unpaused(self.place) != Some(unpaused) {
                // A container that was paused meanwhile could not answer.
                continue;
            }
            if let Some(passed) = tally.count(&answer)
                && news(passed) == Flow::Stop
            {
                return;
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

/// Asks all probes of a container for as long as it is polled; ends when there is nothing left to ask.
pub(super) async fn attend(patient: Patient, probes: Probes, past: Past) {
    let Probes {
        startup,
        liveness,
        readiness,
    } = probes;
    if let Some(startup) = startup
        && !past.started_up
        && !starts_up(&patient, &startup).await
    {
        return;
    }
    let live = async {
        if let Some(probe) = liveness {
            stays_alive(&patient, &probe).await;
        }
    };
    let ready = async {
        if let Some(probe) = readiness {
            tell_readiness(&patient, &probe, past.ready).await;
        }
    };
    tokio::join!(live, ready);
}

/// Waits for the startup probe's verdict and tells it.
async fn starts_up(patient: &Patient, probe: &Probe) -> bool {
    let mut passed = false;
    let verdict = |verdict| {
        passed = verdict;
        Flow::Stop
    };
    patient.ask(probe, Tally::new(probe), verdict).await;
    patient.tell(match passed {
        true => Event::StartedUp(patient.place),
        false => Event::Unhealthy(patient.place, probe.termination_grace),
    });
    passed
}

/// Asks the liveness probe until it gives the container up: it is asked again in the next run.
async fn stays_alive(patient: &Patient, probe: &Probe) {
    let verdict = |passed| match passed {
        true => Flow::GoOn,
        false => Flow::Stop,
    };
    patient.ask(probe, Tally::new(probe), verdict).await;
    patient.tell(Event::Unhealthy(patient.place, probe.termination_grace));
}

async fn tell_readiness(patient: &Patient, probe: &Probe, mut ready: bool) {
    let verdict = |passed| {
        if passed != ready {
            ready = passed;
            patient.tell(Event::Ready(patient.place, passed));
        }
        Flow::GoOn
    };
    patient.ask(probe, Tally::new(probe), verdict).await;
}

/// Returns how long the first turn is away for a container that has run this long.
fn first_after(probe: &Probe, ran: Duration, jitter: Option<Duration>) -> Duration {
    let delay = probe.initial_delay.duration().saturating_sub(ran);
    delay.max(jitter.unwrap_or_default())
}

/// Returns a random part of a span.
fn random_part(span: Duration) -> Duration {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(RandomState::new().build_hasher().finish() % millis)
}

/// Counts answers in a row (`successThreshold`, `failureThreshold`).
#[derive(Debug)]
struct Tally {
    successes: u32,
    failures: u32,
    last: Option<bool>,
    in_a_row: u32,
}

impl Tally {
    fn new(probe: &Probe) -> Self {
        Self {
            successes: probe.success_threshold,
            failures: probe.failure_threshold,
            last: None,
            in_a_row: 0,
        }
    }

    /// Counts an answer and returns what is known by now; nothing below the thresholds.
    ///
    /// A question that could not be put counts neither way.
    fn count(&mut self, answer: &Answer) -> Option<bool> {
        let passed = match answer {
            Answer::Passed => true,
            Answer::Failed(_) => false,
            Answer::Unasked(_) => return None,
        };
        if self.last != Some(passed) {
            self.last = Some(passed);
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let needed = match passed {
            true => self.successes,
            false => self.failures,
        };
        (self.in_a_row >= needed).then_some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::Handler;
    use crate::model::quantity::Seconds;

    fn probe(successes: u32, failures: u32) -> Probe {
        Probe {
            action: Handler::Sleep(Seconds(0)),
            initial_delay: Seconds(5),
            period: Seconds(10),
            timeout: Seconds(1),
            success_threshold: successes,
            failure_threshold: failures,
            termination_grace: None,
        }
    }

    /// Counts one answer a letter: `+`, `-`, and `?` for a question that could not be put.
    fn verdicts(probe: &Probe, answers: &str) -> String {
        let mut tally = Tally::new(probe);
        let count = |letter| {
            let answer = match letter {
                '+' => Answer::Passed,
                '-' => Answer::Failed(String::new()),
                _ => Answer::Unasked(String::new()),
            };
            match tally.count(&answer) {
                Some(true) => '+',
                Some(false) => '-',
                None => '.',
            }
        };
        answers.chars().map(count).collect()
    }

    #[test]
    fn only_answers_in_a_row_reach_a_threshold() {
        assert_eq!(verdicts(&probe(1, 3), "+--+---+"), "+..+..-+");
        assert_eq!(verdicts(&probe(2, 1), "+-++-"), ".-.+-");
        assert_eq!(verdicts(&probe(1, 2), "-?-"), "..-");
        assert_eq!(verdicts(&probe(1, 1), "-----"), "-----");
    }

    #[test]
    fn the_initial_delay_counts_from_the_start_of_the_container() {
        let seconds = Duration::from_secs;
        let probe = probe(1, 1);
        let after =
            |ran, jitter: Option<u64>| first_after(&probe, seconds(ran), jitter.map(seconds));
        assert_eq!(after(0, None), seconds(5));
        assert_eq!(after(3, Some(1)), seconds(2));
        assert_eq!(after(3, Some(7)), seconds(7));
        assert_eq!(after(60, None), seconds(0));
        assert!(random_part(seconds(10)) < seconds(10));
    }
}
