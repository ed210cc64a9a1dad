//! The locks among real processes: this binary starts itself again as the children.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use podwright::names::{ContainerId, PodId};
use podwright::state::{Lease, LockDir, LockError, LockName};

const ROLE: &str = "PODWRIGHT_TEST_LOCK_ROLE";
const DIR: &str = "PODWRIGHT_TEST_LOCK_DIR";

fn pod() -> PodId {
    PodId::parse(&"a".repeat(64)).unwrap()
}

fn container(digit: char) -> ContainerId {
    ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
}

/// A child process that is killed and reaped with the test.
struct Process {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Process {
    fn start(role: &str, dir: &Path) -> Self {
        Self::start_with(Stdio::piped(), role, dir)
    }

    fn start_with(stdin: Stdio, role: &str, dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(ROLE, role)
            .env(DIR, dir)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// Waits for a line that the child says.
    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        while line.trim() != word {
            line.clear();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "no `{word}`");
        }
    }

    /// Lets a child go on that waits for its standard input.
    fn release(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(word: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{word}").unwrap();
    out.flush().unwrap();
}

fn wait_for_release() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Does nothing in a test run of its own; does its role when another test started it.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let locks = LockDir::open(&dir.join("locks")).unwrap();
    let mut caller = locks.caller(&role);
    say("");
    let (role, argument) = role.split_once(' ').unwrap_or((&role, ""));
    match role {
        "hold-pod" => {
            let _guard = caller.pod(&pod()).unwrap();
            say("held");
            wait_for_release();
        }
        "hold-container" => {
            let mut share = caller.share(&pod()).unwrap();
            let id = container(argument.chars().next().unwrap());
            let _guard = share.container(&id).unwrap();
            say("held");
            wait_for_release();
        }
        "expect-gone" => {
            assert!(matches!(
                caller.pod(&pod()),
                Err(LockError::Gone(LockName::Pod(_)))
            ));
            say("gone");
        }
        "new-pod" => {
            let guard = caller.new_pod(&pod()).unwrap();
            guard.remove().unwrap();
            say("removed");
        }
        "count" => count(&dir, argument.parse().unwrap(), &mut caller),
        "storm" => {
            while !dir.join("stop").exists() {
                let _guard = caller.pod(&pod()).unwrap();
                append(&dir, &format!("enter {}\n", std::process::id()));
                std::thread::sleep(Duration::from_micros(100));
                append(&dir, &format!("leave {}\n", std::process::id()));
            }
        }
        "queue" => {
            let guard = caller.pod(&pod()).unwrap();
            append(&dir, &format!("{argument} {}\n", guard.ticket()));
        }
        "lease" => {
            let lease = Lease::try_take(&dir.join("lease")).unwrap();
            say(if lease.is_some() { "taken" } else { "refused" });
            wait_for_release();
        }
        "inherit-lease" => {
            // The lease came as the standard input, the one descriptor that a plain spawn can pass.
            let fd = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
            let _lease = Lease::from_inherited_fd(fd, &dir.join("lease")).unwrap();
            say("inherited");
            std::thread::sleep(Duration::from_secs(60));
        }
        other => panic!("no role `{other}`"),
    }
}

fn append(dir: &Path, line: &str) {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(dir.join("order"))
        .unwrap()
        .write_all(line.as_bytes())
        .unwrap();
}

/// Adds one to a number in a file, in the plainest way that loses counts without exclusion.
fn count(dir: &Path, times: u32, caller: &mut podwright::state::Caller) {
    for _ in 0..times {
        let guard = caller.pod(&pod()).unwrap();
        let path = dir.join("number");
        let number: u64 = std::fs::read_to_string(&path)
            .map(|text| text.parse().unwrap())
            .unwrap_or(0);
        std::fs::write(&path, (number + 1).to_string()).unwrap();
        append(dir, &format!("{} {}\n", std::process::id(), guard.ticket()));
    }
}

fn locks(dir: &Path) -> LockDir {
    LockDir::open(&dir.join("locks")).unwrap()
}

fn queue_length(dir: &Path) -> usize {
    let states = locks(dir).holders().unwrap();
    states.iter().map(|state| state.queue.len()).sum()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn no_count_is_lost_among_eight_processes_and_tickets_enter_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..8)
        .map(|_| Process::start("count 200", dir.path()))
        .collect();
    for child in &mut children {
        assert!(child.child.wait().unwrap().success());
    }
    let number = std::fs::read_to_string(dir.path().join("number")).unwrap();
    assert_eq!(number, "1600");
    let order = std::fs::read_to_string(dir.path().join("order")).unwrap();
    let mut expected = 0;
    for line in order.lines() {
        let ticket: u64 = line.split_once(' ').unwrap().1.parse().unwrap();
        // Nobody died, so within one busy period the tickets have no gap; an idle lock starts again at 0.
        assert!(
            ticket == expected || ticket == 0,
            "{ticket} after {expected}"
        );
        expected = ticket + 1;
    }
}

/// The number of kills can be raised with `PODWRIGHT_TEST_KILLS`.
#[test]
fn a_storm_of_kills_breaks_neither_exclusion_nor_progress() {
    let kills = std::env::var("PODWRIGHT_TEST_KILLS").map_or(150, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..10)
        .map(|_| Process::start("storm", dir.path()))
        .collect();
    let mut chance: u32 = 1;
    for _ in 0..kills {
        // Any sequence will do that hits holders and waiters alike.
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_micros(u64::from(chance >> 20)));
        let victim = usize::try_from(chance >> 8).unwrap() % children.len();
        children[victim].kill();
        children[victim] = Process::start("storm", dir.path());
    }
    std::fs::write(dir.path().join("stop"), "").unwrap();
    wait_until("all have left", || {
        children
            .iter_mut()
            .all(|child| child.child.try_wait().unwrap().is_some())
    });
    for child in &mut children {
        assert!(child.child.wait().unwrap().success());
    }
    assert!(locks(dir.path()).holders().unwrap().is_empty());
    let order = std::fs::read_to_string(dir.path().join("order")).unwrap();
    let lines: Vec<_> = order.lines().collect();
    assert!(lines.len() > 100, "{} lines", lines.len());
    let mut died_inside = 0;
    for (before, line) in lines.iter().zip(&lines[1..]) {
        if let Some(pid) = line.strip_prefix("leave ") {
            assert_eq!(*before, format!("enter {pid}"), "somebody else was in");
        } else if before.starts_with("enter ") {
            died_inside += 1;
        }
    }
    assert!(died_inside > 0, "no holder was hit");
}

#[test]
fn waiters_enter_in_the_order_of_their_tickets_though_some_are_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut holder = Process::start("hold-pod", dir.path());
    holder.hear("held");
    let mut waiters = Vec::new();
    for number in 0..12 {
        waiters.push(Process::start(&format!("queue {number}"), dir.path()));
        wait_until("the waiter has its ticket", || {
            queue_length(dir.path()) == waiters.len()
        });
    }
    for victim in [0, 4, 5, 11] {
        waiters[victim].kill();
    }
    assert_eq!(queue_length(dir.path()), 8);
    holder.kill();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        let survives = ![0, 4, 5, 11].contains(&number);
        assert_eq!(waiter.child.wait().unwrap().success(), survives);
    }
    let order = std::fs::read_to_string(dir.path().join("order")).unwrap();
    let order: Vec<_> = order
        .lines()
        .map(|line| line.split_once(' ').unwrap().0)
        .collect();
    assert_eq!(order, ["1", "2", "3", "6", "7", "8", "9", "10"]);
    assert!(locks(dir.path()).holders().unwrap().is_empty());
}

#[test]
fn commands_on_two_containers_pass_each_other_and_exclude_one_on_the_pod() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = Process::start("hold-container 1", dir.path());
    one.hear("held");
    let mut two = Process::start("hold-container 2", dir.path());
    two.hear("held");
    let mut whole = Process::start("hold-pod", dir.path());
    wait_until("the pod's command queues", || queue_length(dir.path()) == 1);
    let mut late = Process::start("hold-container 3", dir.path());
    wait_until("it stands behind", || queue_length(dir.path()) == 2);

    let states = locks(dir.path()).holders().unwrap();
    let state = &states[0];
    assert_eq!(
        (&state.lock, state.exclusive),
        (&LockName::Pod(pod()), false)
    );
    let names = |holders: &[Option<podwright::state::Holder>]| -> Vec<String> {
        holders
            .iter()
            .map(|holder| holder.as_ref().unwrap().command.clone())
            .collect()
    };
    assert_eq!(
        names(&state.holders),
        ["hold-container 1", "hold-container 2"]
    );
    assert_eq!(names(&state.queue), ["hold-pod", "hold-container 3"]);
    assert_eq!(states.len(), 3);

    one.release();
    two.release();
    whole.hear("held");
    whole.release();
    late.hear("held");
    late.release();
}

#[test]
fn who_waited_for_a_removed_pod_is_told_that_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let locks = locks(dir.path());
    let mut caller = locks.caller("test");
    let guard = caller.pod(&pod()).unwrap();
    let mut waiters = [
        Process::start("expect-gone", dir.path()),
        Process::start("expect-gone", dir.path()),
    ];
    wait_until("both wait", || queue_length(dir.path()) == 2);
    guard.remove().unwrap();
    for waiter in &mut waiters {
        waiter.hear("gone");
    }
    assert_eq!(
        std::fs::read_dir(dir.path().join("locks")).unwrap().count(),
        0
    );
}

#[test]
fn who_makes_a_pod_has_its_lock_though_somebody_took_it_for_a_leftover() {
    let dir = tempfile::tempdir().unwrap();
    let locks = locks(dir.path());
    let mut caller = locks.caller("test");
    let guard = caller.pod(&pod()).unwrap();
    let mut maker = Process::start("new-pod", dir.path());
    wait_until("it waits", || queue_length(dir.path()) == 1);
    guard.remove().unwrap();
    maker.hear("removed");
}

#[test]
fn a_pods_guard_gives_its_containers_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let locks = locks(dir.path());
    let mut caller = locks.caller("test");
    let guards = caller.pods(&BTreeSet::from([pod()])).unwrap();
    let container = guards[0].container(&container('1'));
    assert_eq!(container.ticket(), None);
    container.remove().unwrap();
    let states = locks.holders().unwrap();
    assert_eq!(states.len(), 1);
    assert!(states[0].exclusive);
}

#[test]
fn a_long_wait_is_told_with_its_holder() {
    let dir = tempfile::tempdir().unwrap();
    let mut holder = Process::start("hold-pod", dir.path());
    holder.hear("held");
    let (tell, told) = std::sync::mpsc::channel();
    let reporter = std::sync::Arc::new(move |blocked: &podwright::state::Blocked| {
        tell.send(blocked.to_string()).unwrap();
    });
    let locks = locks(dir.path()).reporting(reporter);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(locks.caller("test").pod(&pod()).unwrap()));
        let message = told.recv_timeout(Duration::from_secs(10)).unwrap();
        let expected = format!(
            "waiting for the lock of pod aaaaaaaaaaaa, held by `hold-pod` (pid {}) since ",
            holder.child.id()
        );
        assert!(message.starts_with(&expected), "{message}");
        holder.release();
    });
}

#[test]
fn a_lease_ends_with_its_process_and_is_seen_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lease");
    assert!(!Lease::is_taken(&path).unwrap());
    let mut first = Process::start("lease", dir.path());
    first.hear("taken");
    let mut second = Process::start("lease", dir.path());
    second.hear("refused");
    assert!(Lease::is_taken(&path).unwrap());
    assert!(Lease::try_take(&path).unwrap().is_none());
    first.kill();
    assert!(!Lease::is_taken(&path).unwrap());
    Lease::try_take(&path).unwrap().unwrap().remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_lease_travels_with_its_descriptor() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lease");
    let lease = Lease::try_take(&path).unwrap().unwrap();
    let fd = lease.into_fd();
    assert!(Lease::is_taken(&path).unwrap());
    let lease = Lease::from_inherited_fd(fd, &path).unwrap();
    let stranger = std::fs::File::open("/dev/null").unwrap();
    assert!(Lease::from_inherited_fd(stranger.into(), &path).is_err());
    drop(lease);
    assert!(!Lease::is_taken(&path).unwrap());
}

#[test]
fn a_spawned_supervisor_has_the_lease_from_its_first_moment_to_its_last() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lease");
    let lease = Lease::try_take(&path).unwrap().unwrap();
    let mut supervisor = Process::start_with(lease.into_fd().into(), "inherit-lease", dir.path());
    // Before it has run a line of its own, and with no copy of the descriptor left here.
    assert!(Lease::is_taken(&path).unwrap());
    supervisor.hear("inherited");
    assert!(Lease::try_take(&path).unwrap().is_none());
    supervisor.kill();
    assert!(!Lease::is_taken(&path).unwrap());
}
