//! What commands ask of pods: written down, rung for, and waited for, all pods at once.
//!
//! ```text
//!  one thread a pod:  locks of what is named ▶ write down ▶ unlock ▶ ring ▶ wait for news ▶ read the outcome
//!                                                 │                   └─ a few pods at once, until they have begun
//!                     all who come meanwhile are written in one transaction ([`Notebook`])
//! ```
//!
//! Nothing is locked while waiting: another command may break in at any time.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::installation::{Engine, EngineError};
use super::notebook::Notebook;
use super::parallel::{self, Gate};
use super::paths::Paths;
use super::protocol;
use crate::model::state::ProcessRef;
use crate::names::{ContainerId, PodId};
use crate::state::{Asked, IntentKind, IntentState, LockDir, Noted, Outcome};
use crate::sys::process::processors;

/// One thing asked of a container, or of all of a pod.
#[derive(Debug, Clone)]
pub struct Wish {
    pub pod: PodId,
    pub container: Option<ContainerId>,
    pub kind: IntentKind,
}

type Verdict = Result<Outcome, EngineError>;

/// How long a silent supervisor is believed before the store is asked again anyway.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long others are not rung for because one that was has not begun: it is a courtesy, as a turn at starting is.
const BEGINNING: Duration = Duration::from_millis(50);

/// How soon after one restart has begun the next one may: the grace periods that begin together end together, and to
/// kill and start a hundred at one moment takes no less time, but all processors.
const PACE: Duration = Duration::from_millis(10);

impl Engine {
    /// Asks for everything at once and waits for all of it; the results are in the order of the wishes.
    ///
    /// A failure of one stops none of the others.
    pub fn carry_out(&mut self, wishes: &[Wish]) -> Vec<Verdict> {
        let mut by_pod: BTreeMap<&PodId, Vec<usize>> = BTreeMap::new();
        for (place, wish) in wishes.iter().enumerate() {
            by_pod.entry(&wish.pod).or_default().push(place);
        }
        let groups: Vec<(&PodId, Vec<usize>)> = by_pod.into_iter().collect();
        let asker = Asker {
            by: self.by(),
            process: &self.process,
            paths: &self.paths,
            locks: &self.locks,
            command: &self.command,
            notebook: Notebook::new(&mut self.store),
            // Half of the processors are left for everybody else, now and when the grace periods end.
            beginning: Gate::new((processors() / 2).max(1)),
        };
        let answers = parallel::each(&groups, self.at_once, |(pod, places)| {
            let wishes: Vec<&Wish> = places.iter().map(|place| &wishes[*place]).collect();
            asker.ask(pod, &wishes)
        });
        let mut results: Vec<Option<Verdict>> = wishes.iter().map(|_| None).collect();
        for ((_, places), verdicts) in groups.iter().zip(answers) {
            for (place, verdict) in places.iter().zip(verdicts) {
                results[*place] = Some(verdict);
            }
        }
        results
            .into_iter()
            .map(|result| result.unwrap_or(Err(EngineError::Removed)))
            .collect()
    }
}

impl Engine {
    /// Does something while nobody else asks anything of these containers.
    ///
    /// # Errors
    /// The locks cannot be used.
    pub fn while_still<T>(
        &self,
        containers: &[(PodId, ContainerId)],
        work: impl FnOnce() -> T,
    ) -> Result<T, EngineError> {
        let Some(((pod, container), rest)) = containers.split_first() else {
            return Ok(work());
        };
        let mut caller = self.locks.caller(&self.command);
        let mut share = caller.share(pod)?;
        let ids = rest
            .iter()
            .filter(|(other, _)| other == pod)
            .map(|(_, id)| id.clone())
            .chain([container.clone()])
            .collect();
        let _guards = share.containers(&ids)?;
        Ok(work())
    }
}

/// What the threads share that ask each for one pod.
struct Asker<'a> {
    paths: &'a Paths,
    locks: &'a LockDir,
    command: &'a str,
    by: String,
    process: &'a ProcessRef,
    notebook: Notebook<'a>,
    /// A hundred supervisors that wake at once are no sooner done, and hold up whoever asks something meanwhile.
    beginning: Gate,
}

/// The wishes for one pod that are not yet fulfilled, by their place and number.
type Open = Vec<(usize, i64)>;

impl Asker<'_> {
    /// Has the wishes for one pod fulfilled.
    fn ask(&self, pod: &PodId, wishes: &[&Wish]) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = wishes.iter().map(|_| None).collect();
        let failed = self.try_ask(pod, wishes, &mut verdicts).err();
        let mut failed = failed.into_iter();
        let mut verdict = |verdict: Option<Verdict>| {
            verdict.unwrap_or_else(|| Err(failed.next().unwrap_or(EngineError::Removed)))
        };
        verdicts.into_iter().map(&mut verdict).collect()
    }

    /// As [`Asker::ask`]; an error is about all that have no verdict then.
    fn try_ask(
        &self,
        pod: &PodId,
        wishes: &[&Wish],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), EngineError> {
        let mut open = Open::new();
        for (place, noted) in self.write_down(pod, wishes)?.into_iter().enumerate() {
            match noted {
                Noted::As(seq) => open.push((place, seq)),
                Noted::Gone { by } => verdicts[place] = Some(Err(gone(by))),
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let mut line = self.ring(pod, wishes)?;
        loop {
            self.look(&mut open, verdicts)?;
            if open.is_empty() {
                return Ok(());
            }
            if !protocol::has_news(&mut line, LOOK_AGAIN) {
                // One that is gone is replaced.
                line = protocol::summon(self.paths, self.locks, pod)?;
            }
        }
    }

    /// Rings for a pod's supervisor when others have begun, and returns the line to it.
    fn ring(&self, pod: &PodId, wishes: &[&Wish]) -> Result<UnixStream, EngineError> {
        let _beginning = self.beginning.pass();
        let rung = Instant::now();
        let mut line = protocol::summon(self.paths, self.locks, pod)?;
        // Whatever it says, or does not, is looked up.
        let _ = protocol::has_news(&mut line, BEGINNING);
        let is_restart = |wish: &&Wish| matches!(wish.kind, IntentKind::Restart { .. });
        if wishes.iter().any(is_restart) {
            thread::sleep(PACE.saturating_sub(rung.elapsed()));
        }
        Ok(line)
    }

    /// Writes the wishes for one pod down under its locks.
    fn write_down(&self, pod: &PodId, wishes: &[&Wish]) -> Result<Vec<Noted>, EngineError> {
        let asked = wishes
            .iter()
            .map(|wish| Asked {
                pod: pod.clone(),
                container: wish.container.clone(),
                kind: wish.kind.clone(),
                by: self.by.clone(),
                asker: self.process.clone(),
            })
            .collect();
        let mut caller = self.locks.caller(self.command);
        if wishes.iter().any(|wish| wish.container.is_none()) {
            let guard = caller.pod(pod)?;
            let noted = self.notebook.write(asked)?;
            if noted.iter().all(Noted::is_gone) {
                guard.remove()?;
            }
            return Ok(noted);
        }
        let mut share = caller.share(pod)?;
        let ids = wishes
            .iter()
            .filter_map(|wish| wish.container.clone())
            .collect();
        let guards = share.containers(&ids)?;
        let noted = self.notebook.write(asked)?;
        let is_gone = |id: &ContainerId| {
            wishes
                .iter()
                .zip(&noted)
                .any(|(wish, noted)| wish.container.as_ref() == Some(id) && noted.is_gone())
        };
        for guard in guards {
            if is_gone(guard.id()) {
                guard.remove()?;
            }
        }
        drop(share);
        if noted.iter().all(Noted::is_gone) {
            // The lock file of a pod that is gone was made anew for nothing.
            let guard = caller.pod(pod)?;
            if !self.notebook.knows(pod)? {
                guard.remove()?;
            }
        }
        Ok(noted)
    }

    /// Looks which wishes were fulfilled.
    fn look(&self, open: &mut Open, verdicts: &mut [Option<Verdict>]) -> Result<(), EngineError> {
        let numbers: Vec<i64> = open.iter().map(|(_, seq)| *seq).collect();
        let states = self.notebook.states(&numbers)?;
        let mut told = Vec::new();
        let mut still = Open::new();
        for ((place, seq), state) in open.drain(..).zip(states) {
            match state {
                Some(IntentState::Pending) => still.push((place, seq)),
                Some(IntentState::Done(outcome)) => {
                    told.push(seq);
                    verdicts[place] = Some(verdict(outcome));
                }
                None => verdicts[place] = Some(Err(EngineError::Removed)),
            }
        }
        *open = still;
        if told.is_empty() {
            return Ok(());
        }
        self.notebook.forget(&told)
    }
}

fn gone(by: Option<String>) -> EngineError {
    match by {
        Some(by) => EngineError::RemovedBy { by },
        None => EngineError::Removed,
    }
}

fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Failed(failure) => Err(EngineError::Refused(failure)),
        Outcome::Overtaken { by } => Err(EngineError::Overtaken { by }),
        Outcome::Done | Outcome::Already | Outcome::Deferred(_) => Ok(outcome),
    }
}
