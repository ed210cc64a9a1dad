//! What commands ask of pods: written down, rung for, and waited for, all pods at once.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::installation::{Engine, EngineError};
use super::protocol;
use crate::names::{ContainerId, PodId};
use crate::state::{IntentKind, IntentState, Outcome};

/// One thing asked of a container, or of all of a pod.
#[derive(Debug, Clone)]
pub struct Wish {
    pub pod: PodId,
    pub container: Option<ContainerId>,
    pub kind: IntentKind,
}

/// A wish that was written down and is not yet fulfilled.
struct Open {
    place: usize,
    seq: i64,
}

/// The wishes for one pod, and the line to its supervisor.
struct Waiting {
    open: Vec<Open>,
    line: UnixStream,
}

/// How long a silent supervisor is believed before the store is asked again anyway, in milliseconds.
const LOOK_AGAIN: u16 = 1000;

impl Engine {
    /// Asks for everything at once and waits for all of it; the results are in the order of the wishes.
    ///
    /// Nothing is locked while waiting: another command may break in at any time.
    pub fn carry_out(&mut self, wishes: &[Wish]) -> Vec<Result<Outcome, EngineError>> {
        let mut results: Vec<Option<Result<Outcome, EngineError>>> =
            wishes.iter().map(|_| None).collect();
        let mut by_pod: BTreeMap<&PodId, Vec<usize>> = BTreeMap::new();
        for (place, wish) in wishes.iter().enumerate() {
            by_pod.entry(&wish.pod).or_default().push(place);
        }
        let mut waiting = BTreeMap::new();
        for (pod, places) in by_pod {
            match self.write_down(pod, &places, wishes) {
                Ok(lines) => {
                    waiting.insert(pod, lines);
                }
                Err(error) => {
                    let mut error = Some(error);
                    for place in places {
                        results[place] = Some(Err(error.take().unwrap_or(EngineError::Removed)));
                    }
                }
            }
        }
        while !waiting.is_empty() {
            let mut done = Vec::new();
            for (pod, lines) in &mut waiting {
                if let Err(error) = self.look(lines, &mut results) {
                    let mut error = Some(error);
                    for open in lines.open.drain(..) {
                        let error = error.take().unwrap_or(EngineError::Removed);
                        results[open.place] = Some(Err(error));
                    }
                }
                if lines.open.is_empty() {
                    done.push(*pod);
                }
            }
            for pod in done {
                waiting.remove(pod);
            }
            self.listen(&mut waiting, &mut results);
        }
        results
            .into_iter()
            .map(|result| result.unwrap_or(Err(EngineError::Removed)))
            .collect()
    }

    /// Writes the wishes for one pod down under its locks, and rings.
    fn write_down(
        &mut self,
        pod: &PodId,
        places: &[usize],
        wishes: &[Wish],
    ) -> Result<Waiting, EngineError> {
        let mut caller = self.locks.caller(&self.command);
        let intents: Vec<_> = places
            .iter()
            .map(|place| {
                (
                    wishes[*place].container.clone(),
                    wishes[*place].kind.clone(),
                )
            })
            .collect();
        let by = format!("{} (pid {})", self.command, std::process::id());
        let numbers = if intents.iter().any(|(container, _)| container.is_none()) {
            let _guard = caller.pod(pod)?;
            self.store.intend(pod, &intents, &by)?
        } else {
            let mut share = caller.share(pod)?;
            let ids = intents
                .iter()
                .filter_map(|(container, _)| container.clone())
                .collect();
            let _guards = share.containers(&ids)?;
            self.store.intend(pod, &intents, &by)?
        };
        let open = places
            .iter()
            .zip(numbers)
            .map(|(place, seq)| Open { place: *place, seq })
            .collect();
        let line = protocol::summon(&self.paths, &self.locks, pod)?;
        Ok(Waiting { open, line })
    }

    /// Looks which wishes of a pod were fulfilled.
    fn look(
        &mut self,
        waiting: &mut Waiting,
        results: &mut [Option<Result<Outcome, EngineError>>],
    ) -> Result<(), EngineError> {
        let mut told = Vec::new();
        let mut still = Vec::new();
        for open in waiting.open.drain(..) {
            match self.store.intent_state(open.seq)? {
                Some(IntentState::Pending) => still.push(open),
                Some(IntentState::Done(outcome)) => {
                    told.push(open.seq);
                    results[open.place] = Some(verdict(outcome));
                }
                None => results[open.place] = Some(Err(EngineError::Removed)),
            }
        }
        waiting.open = still;
        if !told.is_empty() {
            self.store.forget_intents(&told)?;
        }
        Ok(())
    }

    /// Waits until any supervisor has news; one that is gone is replaced.
    fn listen(
        &self,
        waiting: &mut BTreeMap<&PodId, Waiting>,
        results: &mut [Option<Result<Outcome, EngineError>>],
    ) {
        if waiting.is_empty() {
            return;
        }
        let news: Vec<bool> = {
            let mut fds: Vec<PollFd<'_>> = waiting
                .values()
                .map(|waiting| PollFd::new(waiting.line.as_fd(), PollFlags::POLLIN))
                .collect();
            // An interrupted wait looks again, and so does one that took long.
            let _ = poll(&mut fds, PollTimeout::from(LOOK_AGAIN));
            fds.iter().map(|fd| fd.any().unwrap_or(true)).collect()
        };
        for ((pod, waiting), _) in waiting.iter_mut().zip(news).filter(|(_, news)| *news) {
            if drain(&mut waiting.line) {
                continue;
            }
            match protocol::summon(&self.paths, &self.locks, pod) {
                Ok(line) => waiting.line = line,
                Err(error) => {
                    let mut error = Some(error);
                    for open in waiting.open.drain(..) {
                        let error = error
                            .take()
                            .map_or(EngineError::Removed, EngineError::Summon);
                        results[open.place] = Some(Err(error));
                    }
                }
            }
        }
    }
}

/// Reads what has come; tells whether anybody is still there.
fn drain(line: &mut UnixStream) -> bool {
    let mut buffer = [0u8; 64];
    matches!(line.read(&mut buffer), Ok(read) if read > 0)
}

fn verdict(outcome: Outcome) -> Result<Outcome, EngineError> {
    match outcome {
        Outcome::Failed(failure) => Err(EngineError::Refused(failure)),
        Outcome::Overtaken { by } => Err(EngineError::Overtaken { by }),
        Outcome::Done | Outcome::Already | Outcome::Deferred(_) => Ok(outcome),
    }
}
