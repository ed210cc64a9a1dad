//! The ticket protocol, pure: which kernel call comes next, given what the last one answered.
//!
//! [`super::file`] makes the calls on a real file; the test below makes them on a model of the kernel, in every order
//! and with a death at every step. A lock file has three places, each a range of lockable bytes:
//!
//! ```text
//!   gate ──────▶ tickets ──────────────────▶ house
//!   one byte:    byte t is held by who       shared: byte t; exclusive: all of it, and the length of the
//!   one draws    waits with ticket t         range tells t. The kernel alone decides who is in.
//!
//!   LockGate ▶ Look ─ empty ─▶ EnterAtOnce(0) ▶ WriteCounter(1) ▶ LeaveGate ──────────────────────────▶ Entered
//!               └ not ▶ ReadCounter ▶ LockTicket(t) ▶ WriteCounter(t+1) ▶ LeaveGate ▶ FindEarlier(t)
//!                                                            ┌─ some ──────────────────┘   │ none
//!                                                      AwaitTicket ▶ FindEarlier(t) …      ▼
//!                                                                              Enter(t) ▶ DropTicket(t) ▶ Entered
//! ```
//!
//! * Exclusion rests on the house's bytes alone, never on the counter.
//! * Order: a ticket is kept until its owner is in, and only the earliest ticket tries the house. So a later ticket can
//!   neither enter before an earlier one nor hold anything that an earlier one waits for.
//! * Death frees bytes and changes nothing else. The counter is written after the ticket is held, so a drawer that dies
//!   in between leaves a ticket that the next drawer takes.
//! * An empty house without tickets starts again at ticket 0, so the numbers stay small. At [`LIMIT`] the drawer keeps
//!   the gate until everybody has left.

/// Whether the holder is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// Together with other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// The place in the queue.
pub(super) type Ticket = u64;

/// Tickets are below this number.
pub(super) const LIMIT: Ticket = (1 << 60) - 1;

/// The next kernel call of a process that wants the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Locks the gate, waiting.
    LockGate,
    /// Asks whether anybody is in the house or holds a ticket; [`Answer::Empty`] or [`Answer::NotEmpty`].
    Look,
    /// Enters the house; it is empty and the gate is held, so this cannot wait.
    EnterAtOnce(Ticket),
    /// Reads the counter; [`Answer::Counter`].
    ReadCounter,
    /// Waits until the house is empty and no ticket is held.
    AwaitEmpty,
    /// Locks the ticket; the gate is held, so this cannot wait.
    LockTicket(Ticket),
    /// Writes the counter.
    WriteCounter { ticket: Ticket, entered: bool },
    /// Unlocks the gate.
    LeaveGate { ticket: Ticket, entered: bool },
    /// Asks for any held ticket that is earlier; [`Answer::Earlier`].
    FindEarlier(Ticket),
    /// Waits until `earlier` is free.
    AwaitTicket { mine: Ticket, earlier: Ticket },
    /// Enters the house, waiting.
    Enter(Ticket),
    /// Unlocks the ticket.
    DropTicket(Ticket),
    /// The lock is held.
    Entered(Ticket),
}

/// What a kernel call said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Empty,
    NotEmpty,
    Counter(Ticket),
    Earlier(Option<Ticket>),
}

impl Step {
    /// Returns the step after this one, or nothing if the answer does not belong to the step.
    pub(super) fn after(self, answer: Answer, limit: Ticket) -> Option<Self> {
        Some(match (self, answer) {
            (Self::LockGate | Self::AwaitEmpty, Answer::Done) => Self::Look,
            (Self::Look, Answer::Empty) => Self::EnterAtOnce(0),
            (Self::Look, Answer::NotEmpty) => Self::ReadCounter,
            (Self::ReadCounter, Answer::Counter(next)) if next < limit => Self::LockTicket(next),
            (Self::ReadCounter, Answer::Counter(_)) => Self::AwaitEmpty,
            (Self::EnterAtOnce(ticket), Answer::Done) => Self::WriteCounter {
                ticket,
                entered: true,
            },
            (Self::LockTicket(ticket), Answer::Done) => Self::WriteCounter {
                ticket,
                entered: false,
            },
            (Self::WriteCounter { ticket, entered }, Answer::Done) => {
                Self::LeaveGate { ticket, entered }
            }
            (
                Self::LeaveGate {
                    ticket,
                    entered: true,
                }
                | Self::DropTicket(ticket),
                Answer::Done,
            ) => Self::Entered(ticket),
            (
                Self::LeaveGate {
                    ticket,
                    entered: false,
                }
                | Self::AwaitTicket { mine: ticket, .. },
                Answer::Done,
            ) => Self::FindEarlier(ticket),
            (Self::FindEarlier(mine), Answer::Earlier(Some(earlier))) => {
                Self::AwaitTicket { mine, earlier }
            }
            (Self::FindEarlier(mine), Answer::Earlier(None)) => Self::Enter(mine),
            (Self::Enter(ticket), Answer::Done) => Self::DropTicket(ticket),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
