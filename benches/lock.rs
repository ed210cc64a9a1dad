//! The fair lock beside `flock`: cost, and how often somebody who asked later gets in earlier.
//!
//! `cargo bench --bench lock -- [PROCESSES [ACQUISITIONS]]`. The program starts itself again as the processes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::time::{ClockId, clock_gettime};
use podwright::names::PodId;
use podwright::state::{Caller, LockDir};
use podwright::sys::flock::{self, ByteRange, RangeLock};

/// How long a visitor stays in when there are others, so that they queue up.
const HOLD: Duration = Duration::from_micros(100);

const ROLE: &str = "PODWRIGHT_BENCH_LOCK";

/// The locks that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tickets,
    Flock,
    Range,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Tickets, Self::Flock, Self::Range];

    fn name(self) -> &'static str {
        match self {
            Self::Tickets => "tickets (ours)",
            Self::Flock => "flock",
            Self::Range => "OFD range",
        }
    }
}

/// One process's way to the lock; each visit opens its file anew, as a command does.
struct Visitor {
    kind: Kind,
    path: PathBuf,
    caller: Caller,
}

impl Visitor {
    fn new(kind: Kind, dir: &Path) -> Self {
        let locks = LockDir::open(&dir.join("locks")).expect("the directory is ours");
        Self {
            kind,
            path: dir.join("other-lock"),
            caller: locks.caller("bench"),
        }
    }

    /// Runs `inside` under the lock and hands it the ticket, if the lock has any.
    fn visit(&mut self, inside: impl FnOnce(Option<u64>)) {
        let pod = PodId::parse(&"a".repeat(64)).expect("64 digits");
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(&self.path).expect("the directory is ours")
        };
        match self.kind {
            Kind::Tickets => {
                let guard = self.caller.pod(&pod).expect("nobody removes the pod");
                inside(Some(guard.ticket()));
            }
            Kind::Flock => {
                let guard = Flock::lock(open(), FlockArg::LockExclusive).expect("flock works");
                inside(None);
                drop(guard);
            }
            Kind::Range => {
                let file = open();
                flock::lock(file.as_fd(), ByteRange::byte(0), RangeLock::Write)
                    .expect("range locks work");
                inside(None);
            }
        }
    }
}

fn main() -> io::Result<()> {
    if let Ok(role) = std::env::var(ROLE) {
        return visit_often(&role);
    }
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let acquisitions = numbers.get(1).copied().unwrap_or(4_000);
    let mut out = io::stdout();
    writeln!(
        out,
        "uncontended, with open and close\n{:16} {:>10}",
        "lock", "µs each"
    )?;
    for kind in Kind::ALL {
        let cost = uncontended(kind)?;
        writeln!(out, "{:16} {:>10.2}", kind.name(), micros(cost, 20_000))?;
    }
    writeln!(
        out,
        "\n{:16} {:>9} {:>12} {:>8} {:>14} {:>16} {:>12}",
        "contended",
        "processes",
        "acquisitions",
        "µs each",
        "since asking",
        "after the ticket",
        "longest ms"
    )?;
    let processes = numbers.first().map_or(vec![8, 32], |one| vec![*one]);
    for count in processes {
        for kind in Kind::ALL {
            let (wall, visits) = contended(kind, count, acquisitions)?;
            let after_ticket = visits[0]
                .ticket
                .map_or("-".to_owned(), |_| out_of_turn(&visits).to_string());
            writeln!(
                out,
                "{:16} {:>9} {:>12} {:>8.2} {:>14} {:>16} {:>12.1}",
                kind.name(),
                count,
                visits.len(),
                micros(wall, acquisitions),
                overtaken(&visits),
                after_ticket,
                longest(&visits).as_secs_f64() * 1e3,
            )?;
        }
    }
    Ok(())
}

fn micros(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(count)
}

fn uncontended(kind: Kind) -> io::Result<Duration> {
    let dir = tempfile::tempdir()?;
    let mut visitor = Visitor::new(kind, dir.path());
    let start = Instant::now();
    for _ in 0..20_000 {
        visitor.visit(|_| {});
    }
    Ok(start.elapsed())
}

/// One acquisition: when it was asked for, when it was had, and with which ticket.
struct Visit {
    asked: u128,
    entered: u128,
    ticket: Option<u64>,
}

/// Lets many processes visit at once; returns their visits in the order in which they were in.
fn contended(kind: Kind, count: u32, acquisitions: u32) -> io::Result<(Duration, Vec<Visit>)> {
    let dir = tempfile::tempdir()?;
    let index = Kind::ALL.iter().position(|one| *one == kind).unwrap_or(0);
    let role = format!("{index} {} {}", acquisitions / count, dir.path().display());
    let mut children: Vec<Child> = (0..count)
        .map(|_| {
            Command::new(std::env::current_exe()?)
                .env(ROLE, &role)
                .stdin(Stdio::piped())
                .spawn()
        })
        .collect::<io::Result<_>>()?;
    // All have been started and wait for the end of their input.
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    for child in &mut children {
        drop(child.stdin.take());
    }
    for child in &mut children {
        assert!(child.wait()?.success(), "a process failed");
    }
    let wall = start.elapsed();
    let order = std::fs::read_to_string(dir.path().join("order"))?;
    Ok((wall, order.lines().filter_map(read_visit).collect()))
}

fn read_visit(line: &str) -> Option<Visit> {
    let mut fields = line.split(' ');
    Some(Visit {
        asked: fields.next()?.parse().ok()?,
        entered: fields.next()?.parse().ok()?,
        ticket: fields.next()?.parse().ok(),
    })
}

/// The role of a child: visits the lock and writes down each visit while it is in.
fn visit_often(role: &str) -> io::Result<()> {
    let mut fields = role.splitn(3, ' ');
    let mut field = || fields.next().ok_or(io::ErrorKind::InvalidInput);
    let kind = Kind::ALL[field()?.parse::<usize>().map_err(io::Error::other)?];
    let visits: u32 = field()?.parse().map_err(io::Error::other)?;
    let dir = PathBuf::from(field()?);
    let mut order: File = OpenOptions::new()
        .append(true)
        .create(true)
        .open(dir.join("order"))?;
    let mut visitor = Visitor::new(kind, &dir);
    io::stdin().read_line(&mut String::new())?;
    for _ in 0..visits {
        let asked = now();
        let mut written = Ok(());
        visitor.visit(|ticket| {
            let ticket = ticket.map_or("-".to_owned(), |ticket| ticket.to_string());
            written = order.write_all(format!("{asked} {} {ticket}\n", now()).as_bytes());
            std::thread::sleep(HOLD);
        });
        written?;
    }
    Ok(())
}

/// Nanoseconds of the monotonic clock, which all processes share.
fn now() -> u128 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    Duration::from(time).as_nanos()
}

/// Counts the visits that somebody who asked later was in before.
fn overtaken(visits: &[Visit]) -> usize {
    let mut latest = 0;
    visits
        .iter()
        .filter(|visit| {
            latest = latest.max(visit.asked);
            visit.asked < latest
        })
        .count()
}

/// Counts the visits out of the order of their tickets: without deaths they count up by one, or start again at 0.
fn out_of_turn(visits: &[Visit]) -> usize {
    let mut expected = 0;
    visits
        .iter()
        .filter_map(|visit| visit.ticket)
        .filter(|ticket| {
            let wrong = *ticket != expected && *ticket != 0;
            expected = ticket + 1;
            wrong
        })
        .count()
}

fn longest(visits: &[Visit]) -> Duration {
    let nanos = visits.iter().map(|visit| visit.entered - visit.asked).max();
    Duration::from_nanos(
        nanos
            .and_then(|nanos| u64::try_from(nanos).ok())
            .unwrap_or(0),
    )
}
