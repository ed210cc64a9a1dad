//! Every order in which a few processes can walk through the protocol, with a death possible at every step.
//!
//! The processes run the very steps of the real code on a model of the kernel's range locks. A blocked call is one that
//! is not enabled yet, which is what the kernel gives: it wakes a waiter when the range is free.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::*;

type Next = fn(Step, Answer, Ticket) -> Option<Step>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Process {
    /// Outside, and will come this many times.
    Outside(u8),
    Walking {
        mode: Mode,
        step: Step,
        /// The waiting read lock of the step was granted and is not yet given back.
        peeking: bool,
        left: u8,
    },
    Inside {
        mode: Mode,
        ticket: Ticket,
        left: u8,
    },
    Dead,
}

/// The whole world: what each process does, what the kernel holds, what the file says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World<const N: usize> {
    processes: [Process; N],
    gate: Option<usize>,
    tickets: [Option<Ticket>; N],
    house: [Option<(Mode, Ticket)>; N],
    counter: Ticket,
    /// Who has drawn and is not in yet, in the order of drawing: what the protocol must respect but never sees.
    drawn: Vec<usize>,
}

impl<const N: usize> World<N> {
    fn new(visits: [u8; N]) -> Self {
        Self {
            processes: visits.map(Process::Outside),
            gate: None,
            tickets: [None; N],
            house: [None; N],
            counter: 0,
            drawn: Vec::new(),
        }
    }

    fn others(&self, who: usize) -> impl Iterator<Item = usize> + use<N> {
        (0..N).filter(move |other| *other != who)
    }

    /// Returns whether another process has a read lock, for a moment, on the ticket or on the place in the house.
    fn peeks(&self, who: usize, ticket: Option<Ticket>) -> bool {
        self.others(who).any(|other| match self.processes[other] {
            Process::Walking {
                step,
                peeking: true,
                ..
            } => match step {
                Step::AwaitTicket { earlier, .. } => ticket == Some(earlier),
                _ => true,
            },
            _ => false,
        })
    }

    fn house_refuses(&self, who: usize, mode: Mode, ticket: Ticket) -> bool {
        let conflict = |other: usize| {
            self.house[other].is_some_and(|(theirs, its)| {
                mode == Mode::Exclusive || theirs == Mode::Exclusive || its == ticket
            })
        };
        self.others(who).any(conflict) || self.peeks(who, None)
    }

    fn ticket_is_held(&self, who: usize, ticket: Ticket) -> bool {
        self.others(who)
            .any(|other| self.tickets[other] == Some(ticket))
    }

    /// Frees what the kernel frees when a process dies or closes the file.
    fn close(&mut self, who: usize) {
        if self.gate == Some(who) {
            self.gate = None;
        }
        self.tickets[who] = None;
        self.house[who] = None;
        self.drawn.retain(|waiter| *waiter != who);
    }

    /// Lets a process into the house, if the rules allow it.
    fn enter(&mut self, who: usize, mode: Mode, ticket: Ticket) -> Result<(), String> {
        if self.drawn.first().is_some_and(|first| *first != who) {
            return Err(format!("{who} overtakes {:?}", self.drawn));
        }
        self.drawn.retain(|waiter| *waiter != who);
        self.house[who] = Some((mode, ticket));
        Ok(())
    }

    /// Returns the worlds that one step of the process leads to; none while it is blocked or has finished.
    fn steps_of(&self, who: usize, limit: Ticket, next: Next) -> Result<Vec<Self>, String> {
        let mut world = self.clone();
        match self.processes[who] {
            Process::Dead | Process::Outside(0) => Ok(Vec::new()),
            Process::Outside(left) => Ok([Mode::Shared, Mode::Exclusive]
                .into_iter()
                .map(|mode| {
                    let mut world = self.clone();
                    world.processes[who] = Process::Walking {
                        mode,
                        step: Step::LockGate,
                        peeking: false,
                        left: left - 1,
                    };
                    world
                })
                .collect()),
            Process::Inside { left, .. } => {
                world.close(who);
                world.processes[who] = Process::Outside(left);
                Ok(vec![world])
            }
            Process::Walking {
                mode,
                step,
                peeking,
                left,
            } => {
                let answers = match step {
                    Step::AwaitTicket { .. } | Step::AwaitEmpty if !peeking => {
                        let free = match step {
                            Step::AwaitTicket { earlier, .. } => !self.ticket_is_held(who, earlier),
                            _ => self.is_empty_but_for(who),
                        };
                        if !free {
                            return Ok(Vec::new());
                        }
                        world.processes[who] = Process::Walking {
                            mode,
                            step,
                            peeking: true,
                            left,
                        };
                        return Ok(vec![world]);
                    }
                    _ => world.call(who, mode, step)?,
                };
                Ok(answers
                    .into_iter()
                    .map(|answer| {
                        let step = next(step, answer, limit).expect("the answer fits");
                        let mut world = world.clone();
                        world.processes[who] = match step {
                            Step::Entered(ticket) => Process::Inside { mode, ticket, left },
                            step => Process::Walking {
                                mode,
                                step,
                                peeking: false,
                                left,
                            },
                        };
                        world
                    })
                    .collect())
            }
        }
    }

    fn is_empty_but_for(&self, who: usize) -> bool {
        self.others(who)
            .all(|other| self.tickets[other].is_none() && self.house[other].is_none())
    }

    /// Makes the kernel call of a step; no answer while it is blocked, several where the kernel may choose.
    fn call(&mut self, who: usize, mode: Mode, step: Step) -> Result<Vec<Answer>, String> {
        match step {
            Step::LockGate => {
                if self.gate.is_some() {
                    return Ok(Vec::new());
                }
                self.gate = Some(who);
            }
            Step::Look => {
                let empty = self.is_empty_but_for(who);
                return Ok(vec![if empty {
                    Answer::Empty
                } else {
                    Answer::NotEmpty
                }]);
            }
            Step::EnterAtOnce(ticket) => {
                if self.house_refuses(who, mode, ticket) {
                    return Err(format!("{who} has to wait while it keeps the gate"));
                }
                self.enter(who, mode, ticket)?;
            }
            Step::ReadCounter => return Ok(vec![Answer::Counter(self.counter)]),
            Step::LockTicket(ticket) => {
                if self.ticket_is_held(who, ticket) || self.peeks(who, Some(ticket)) {
                    return Err(format!("{who} draws ticket {ticket}, which is not free"));
                }
                self.tickets[who] = Some(ticket);
                self.drawn.push(who);
            }
            Step::WriteCounter { ticket, .. } => self.counter = ticket + 1,
            Step::LeaveGate { .. } => self.gate = None,
            Step::FindEarlier(mine) => {
                let earlier: Vec<_> = self
                    .others(who)
                    .filter_map(|other| self.tickets[other])
                    .filter(|ticket| *ticket < mine)
                    .map(|ticket| Answer::Earlier(Some(ticket)))
                    .collect();
                return Ok(if earlier.is_empty() {
                    vec![Answer::Earlier(None)]
                } else {
                    earlier
                });
            }
            Step::Enter(ticket) => {
                if self.house_refuses(who, mode, ticket) {
                    return Ok(Vec::new());
                }
                self.enter(who, mode, ticket)?;
            }
            Step::DropTicket(_) => self.tickets[who] = None,
            Step::AwaitEmpty | Step::AwaitTicket { .. } | Step::Entered(_) => {}
        }
        Ok(vec![Answer::Done])
    }

    fn death_of(&self, who: usize) -> Option<Self> {
        if matches!(self.processes[who], Process::Dead | Process::Outside(_)) {
            return None;
        }
        let mut world = self.clone();
        world.close(who);
        world.processes[who] = Process::Dead;
        Some(world)
    }

    fn is_over(&self) -> bool {
        self.processes
            .iter()
            .all(|process| matches!(process, Process::Dead | Process::Outside(0)))
    }

    /// Checks what must hold at every moment: an exclusive holder is alone.
    fn check(&self) -> Result<(), String> {
        let inside = self.processes.iter().filter_map(|process| match process {
            Process::Inside { mode, .. } => Some(*mode),
            _ => None,
        });
        let inside: Vec<_> = inside.collect();
        if inside.contains(&Mode::Exclusive) && inside.len() > 1 {
            return Err(format!("not alone: {self:?}"));
        }
        Ok(())
    }
}

/// What a search has seen.
#[derive(Debug, Default)]
struct Seen {
    worlds: usize,
    deaths: usize,
    wraps: usize,
}

/// Visits every reachable world, with tickets below `limit`; says what is wrong with the first one that breaks a rule.
fn search<const N: usize>(visits: [u8; N], limit: Ticket, next: Next) -> Result<Seen, String> {
    let mut numbers = HashMap::from([(World::new(visits), 0)]);
    let mut open = vec![World::new(visits)];
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    let mut ends = Vec::new();
    let mut seen = Seen::default();
    while let Some(world) = open.pop() {
        let number = numbers[&world];
        world.check()?;
        if world.is_over() {
            ends.push(number);
        }
        seen.wraps += usize::from(world.processes.iter().any(|process| {
            matches!(
                process,
                Process::Walking {
                    step: Step::AwaitEmpty,
                    ..
                }
            )
        }));
        let mut reach = |world: World<N>| {
            let fresh = numbers.len();
            match numbers.entry(world) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    open.push(entry.key().clone());
                    before.push(Vec::new());
                    *entry.insert(fresh)
                }
            }
        };
        let mut followers = Vec::new();
        for who in 0..N {
            for follower in world.steps_of(who, limit, next)? {
                followers.push(reach(follower));
            }
            if let Some(follower) = world.death_of(who) {
                seen.deaths += 1;
                reach(follower);
            }
        }
        for follower in followers {
            before[follower].push(number);
        }
    }
    seen.worlds = numbers.len();
    let stuck = numbers.len() - count_leading_to(&ends, &before);
    if stuck > 0 {
        return Err(format!("from {stuck} worlds nobody can finish any more"));
    }
    Ok(seen)
}

/// Returns from how many worlds an end can be reached, without any further death.
fn count_leading_to(ends: &[usize], before: &[Vec<usize>]) -> usize {
    let mut reached = vec![false; before.len()];
    let mut open = ends.to_vec();
    let mut count = 0;
    while let Some(number) = open.pop() {
        if !std::mem::replace(&mut reached[number], true) {
            count += 1;
            open.extend(&before[number]);
        }
    }
    count
}

fn real(step: Step, answer: Answer, limit: Ticket) -> Option<Step> {
    step.after(answer, limit)
}

/// More tickets than any search here draws.
const MANY: Ticket = 100;

#[test]
fn three_processes_never_collide_overtake_or_hang_whoever_dies() {
    for (visits, limit) in [([2, 2, 2], 2), ([2, 2, 2], 3), ([2, 2, 1], MANY)] {
        let seen = search(visits, limit, real).unwrap();
        assert!(
            seen.worlds > 10_000 && seen.deaths > seen.worlds,
            "{seen:?}"
        );
        assert_eq!(seen.wraps > 0, limit < MANY, "limit {limit}: {seen:?}");
    }
}

#[test]
fn four_processes_never_collide_overtake_or_hang_whoever_dies() {
    search([1, 1, 1, 1], MANY, real).unwrap();
}

#[test]
fn two_processes_never_collide_overtake_or_hang_over_many_visits() {
    for limit in [2, 3, MANY] {
        search([5, 5], limit, real).unwrap();
    }
}

/// A search that finds nothing proves little unless it finds the faults that are there.
#[test]
fn the_search_finds_a_waiter_that_does_not_wait_for_earlier_tickets() {
    let broken: Next = |step, answer, limit| match (step, answer) {
        (Step::FindEarlier(mine), _) => Some(Step::Enter(mine)),
        _ => step.after(answer, limit),
    };
    let fault = search([1, 1, 1], MANY, broken).unwrap_err();
    assert!(fault.contains("overtakes"), "{fault}");
}

#[test]
fn the_search_finds_a_drawer_that_leaves_the_counter_behind() {
    let broken: Next = |step, answer, limit| match (step, answer) {
        (Step::LockTicket(ticket), Answer::Done) => Some(Step::LeaveGate {
            ticket,
            entered: false,
        }),
        _ => step.after(answer, limit),
    };
    let fault = search([1, 1, 1], MANY, broken).unwrap_err();
    assert!(fault.contains("not free"), "{fault}");
}

#[test]
fn the_search_finds_a_waiter_that_drops_its_ticket_too_early() {
    let broken: Next = |step, answer, limit| match (step, answer) {
        (Step::FindEarlier(mine), Answer::Earlier(None)) => Some(Step::DropTicket(mine)),
        (Step::DropTicket(ticket), _) => Some(Step::Enter(ticket)),
        (Step::Enter(ticket), _) => Some(Step::Entered(ticket)),
        _ => step.after(answer, limit),
    };
    let fault = search([1, 1, 1], MANY, broken).unwrap_err();
    assert!(fault.contains("overtakes"), "{fault}");
}

#[test]
fn the_search_finds_a_waiter_that_waits_for_itself() {
    let broken: Next = |step, answer, limit| match (step, answer) {
        (Step::FindEarlier(mine), Answer::Earlier(None)) => Some(Step::FindEarlier(mine)),
        _ => step.after(answer, limit),
    };
    let fault = search([1, 1], MANY, broken).unwrap_err();
    assert!(fault.contains("nobody can finish"), "{fault}");
}
