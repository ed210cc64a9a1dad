//! Many shells play, restart, kill, execute and remove at random while processes of ours are killed at random.
//!
//! `cargo bench --bench soak -- [SECONDS [SHELLS [SEED]]]`, as root. At the end everything is taken down, and nothing may be
//! left: no process, mount, link, rule, cgroup, lock or file; what is recorded equals what there is.
//! Needs `/bin/busybox` (static) and `nft`. All of it happens below a root, runroot and cgroup of its own.

#![expect(clippy::print_stdout, reason = "a harness prints what it measures")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podwright::engine::paths::Paths;
use podwright::sys::netlink::{LinkName, Netlink};

/// How many pods the shells quarrel about.
const PODS: u64 = 6;

/// How long one command may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(120);

/// Draws numbers that are the same again from the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

/// The installation that is worn out.
struct Site {
    dir: PathBuf,
    cgroup: String,
}

impl Site {
    fn command(&self, arguments: &[&str]) -> Command {
        // Another build than the one beside this program can be worn out, too.
        let program = std::env::var_os("PODWRIGHT_SOAK_PROGRAM");
        let mut command =
            Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_podwright").into()));
        command
            .current_dir(&self.dir)
            .env("PODWRIGHT_ROOT", self.dir.join("root"))
            .env("PODWRIGHT_RUNROOT", self.dir.join("run"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("the program is there")
    }

    /// Finds the processes of ours that watch over pods: whatever is in the supervisors' cgroup.
    fn watchers(&self) -> Vec<i32> {
        self.cgroups()
            .into_iter()
            .filter(|cgroup| cgroup.ends_with("supervisors"))
            .flat_map(|cgroup| pids(&cgroup))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        let name = self.cgroup.trim_start_matches('/');
        let entries = std::fs::read_dir("/sys/fs/cgroup").expect("cgroups");
        let roots = entries.flatten().map(|entry| entry.path());
        let mut found = Vec::new();
        for root in roots.chain([PathBuf::from("/sys/fs/cgroup")]) {
            collect(&root.join(name), &mut found);
        }
        found
    }
}

fn collect(cgroup: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(cgroup) else {
        return;
    };
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        collect(&entry.path(), found);
    }
    found.push(cgroup.to_owned());
}

fn pids(cgroup: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// What the shells have seen.
#[derive(Default)]
struct Tally {
    commands: AtomicUsize,
    killed_commands: AtomicUsize,
    killed_watchers: AtomicUsize,
    /// How often each command ended how, and one thing it said.
    ends: Mutex<BTreeMap<String, (usize, String)>>,
    /// The commands that run, to be killed.
    running: Mutex<BTreeSet<u32>>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let mut number = |default| {
        arguments
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(default)
    };
    let (seconds, shells, seed): (u64, u64, u64) = (number(60), number(8), number(1));
    let dir = tempfile::Builder::new()
        .prefix("podwright-soak-")
        .tempdir()
        .expect("temp dir");
    let site = Site {
        dir: dir.path().to_owned(),
        cgroup: Paths::cgroup_parent_of(&dir.path().join("root")),
    };
    leave_network();
    prepare(&site);
    let tally = Tally::default();
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for shell in 0..shells {
            let (site, tally, done) = (&site, &tally, &done);
            scope.spawn(move || work(site, tally, done, Dice(seed * 1000 + shell + 1)));
        }
        scope.spawn(|| harm(&site, &tally, &done, Dice(seed * 1000 + 999)));
        std::thread::sleep(Duration::from_secs(seconds));
        done.store(true, Ordering::Relaxed);
    });
    println!("{shells} shells, seed {seed}, {:?}", begun.elapsed());
    report(&tally);
    let failures = take_down(&site);
    if failures.is_empty() {
        println!("nothing is left");
        return;
    }
    println!("LEFT BEHIND:\n{}", failures.join("\n"));
    let kept = dir.keep();
    println!("kept: {}", kept.display());
    std::process::exit(1);
}

/// Makes an image and the manifests.
fn prepare(site: &Site) {
    let rootfs = site.dir.join("rootfs");
    std::fs::create_dir_all(rootfs.join("bin")).expect("made");
    std::fs::copy("/bin/busybox", rootfs.join("bin/busybox")).expect("busybox");
    for applet in ["sh", "sleep", "true", "echo", "cat"] {
        std::os::unix::fs::symlink("busybox", rootfs.join("bin").join(applet)).expect("linked");
    }
    let tar = Command::new("tar")
        .arg("-C")
        .arg(&rootfs)
        .args(["-cf", "image.tar", "."])
        .current_dir(&site.dir)
        .status();
    assert!(tar.expect("tar").success());
    let imported = site.run(&["import", "image.tar", "localhost/busybox"]);
    assert!(imported.status.success(), "{imported:?}");
    for pod in 0..PODS {
        let crashes = if pod == 5 {
            "sleep 1; exit 1"
        } else {
            "sleep 1000"
        };
        let port = 18080 + pod;
        let yaml = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: keys-{pod}}}\nstringData: {{key: value}}\n---\n\
             apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{pod}}}\nspec:\n  terminationGracePeriodSeconds: 1\n  \
             volumes:\n  - {{name: keys, secret: {{secretName: keys-{pod}}}}}\n  - {{name: scratch, emptyDir: {{medium: Memory}}}}\n  \
             containers:\n  - name: main\n    image: localhost/busybox\n    command: [sh, -c, '{crashes}']\n    \
             ports: [{{containerPort: 80, hostPort: {port}}}]\n    \
             volumeMounts: [{{name: keys, mountPath: /keys}}, {{name: scratch, mountPath: /scratch}}]\n  \
             - name: side\n    image: localhost/busybox\n    command: [sleep, '1000']\n"
        );
        std::fs::write(site.dir.join(format!("pod-{pod}.yaml")), yaml).expect("written");
    }
}

/// One shell: any command on any pod, one after the other.
fn work(site: &Site, tally: &Tally, done: &AtomicBool, mut dice: Dice) {
    while !done.load(Ordering::Relaxed) {
        let pod = dice.roll(PODS);
        let (file, pod) = (format!("pod-{pod}.yaml"), format!("pod-{pod}"));
        let (main, side) = (format!("{pod}-main"), format!("{pod}-side"));
        let arguments: Vec<&str> = match dice.roll(16) {
            0..3 => vec!["kube", "play", &file],
            3 => vec!["kube", "play", "--replace", &file],
            4..6 => vec!["kube", "down", &file],
            6 => vec!["restart", "--time", "0", &main],
            7 => vec!["pod", "restart", &pod],
            8 => vec!["kill", &main],
            9 => vec!["exec", &side, "true"],
            10 => vec!["rm", "--force", "--time", "0", &side],
            11 => vec!["pod", "rm", "--force", "--time", "0", &pod],
            12 => vec!["stop", "--time", "0", &side],
            13 => vec!["start", &side],
            14 => vec!["ps", "--all"],
            _ => vec!["pod", "ps"],
        };
        let child = site
            .command(&arguments)
            .spawn()
            .expect("the program is there");
        let pid = child.id();
        tally.running.lock().expect("no panic").insert(pid);
        let begun = Instant::now();
        let output = child.wait_with_output().expect("waited for");
        tally.running.lock().expect("no panic").remove(&pid);
        note(tally, &arguments, &output, begun.elapsed());
    }
}

fn note(tally: &Tally, arguments: &[&str], output: &Output, took: Duration) {
    tally.commands.fetch_add(1, Ordering::Relaxed);
    let verb: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|word| !word.contains("pod-"))
        .collect();
    let how = match output.status.code() {
        Some(code) => format!("exit {code}"),
        None => "killed".to_owned(),
    };
    let slow = if took > STUCK { " STUCK" } else { "" };
    let words = String::from_utf8_lossy(&output.stderr);
    let locked = if words.contains("locked") {
        " LOCKED"
    } else {
        ""
    };
    let mut ends = tally.ends.lock().expect("no panic");
    let entry = ends
        .entry(format!("{} {how}{slow}{locked}", verb.join(" ")))
        .or_default();
    entry.0 += 1;
    entry.1 = words.lines().next().unwrap_or_default().to_owned();
}

/// Kills a process of ours now and then: a command, a supervisor, a stage or the keeper.
fn harm(site: &Site, tally: &Tally, done: &AtomicBool, mut dice: Dice) {
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(200 + dice.roll(1800)));
        let running = tally.running.lock().expect("no panic");
        let commands: Vec<i32> = running
            .iter()
            .filter_map(|pid| i32::try_from(*pid).ok())
            .collect();
        let (victims, count) = match dice.roll(2) {
            0 => (commands, &tally.killed_commands),
            _ => (site.watchers(), &tally.killed_watchers),
        };
        let Some(victim) =
            victims.get(usize::try_from(dice.roll(1000)).unwrap_or(0) % victims.len().max(1))
        else {
            continue;
        };
        // No child is reaped while `running` is locked before it is taken off: the pid is still the victim's.
        if kill(Pid::from_raw(*victim), Signal::SIGKILL).is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn report(tally: &Tally) {
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "{} commands; killed: {} commands, {} supervisors, stages and keepers",
        count(&tally.commands),
        count(&tally.killed_commands),
        count(&tally.killed_watchers)
    );
    for (end, (times, words)) in tally.ends.lock().expect("no panic").iter() {
        println!("{times:6}  {end}: {words}");
    }
}

/// Takes everything down and lists what is left.
fn take_down(site: &Site) -> Vec<String> {
    let mut failures = Vec::new();
    // What is unfinished is ended by the first command that changes something; a check after it finds nothing.
    site.run(&["pod", "start", "pod-0"]);
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let check = site.run(&["system", "check"]);
        if check.status.success() {
            break;
        }
        if Instant::now() > until {
            failures.push(format!(
                "check: {}{}",
                String::from_utf8_lossy(&check.stdout),
                String::from_utf8_lossy(&check.stderr)
            ));
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    for pod in 0..PODS {
        let down = site.run(&["kube", "down", "--force", &format!("pod-{pod}.yaml")]);
        if !down.status.success() {
            failures.push(format!("down: {}", String::from_utf8_lossy(&down.stderr)));
        }
    }
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let left = left_over(site);
        if left.is_empty() || Instant::now() > until {
            failures.extend(left);
            return failures;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn left_over(site: &Site) -> Vec<String> {
    let mut left = Vec::new();
    let check = site.run(&["system", "check"]);
    left.extend(
        String::from_utf8_lossy(&check.stdout)
            .lines()
            .map(str::to_owned),
    );
    for cgroup in site.cgroups() {
        left.extend(
            pids(&cgroup)
                .into_iter()
                .map(|pid| format!("process {pid} in {}", cgroup.display())),
        );
        left.push(format!("cgroup {}", cgroup.display()));
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let dir = site.dir.to_string_lossy().into_owned();
    left.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&dir))
            .map(|line| format!("mount {line}")),
    );
    let mut netlink = Netlink::open().expect("netlink");
    let links = netlink.links().expect("links").into_iter();
    left.extend(
        links
            .filter(|link| link.name != "lo")
            .map(|link| format!("link {}", link.name)),
    );
    let rules = Command::new("/usr/sbin/nft")
        .args(["list", "ruleset"])
        .output()
        .expect("nft");
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    left.extend(rules.lines().map(|line| format!("rule {line}")));
    for place in [
        "run/pods",
        "run/sockets",
        "run/locks",
        "root/pods",
        "root/secrets",
    ] {
        let entries = std::fs::read_dir(site.dir.join(place));
        let names = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        let stays = |name: &String| {
            ["store", "keeper", "lease-keeper", "lock", ".lock", "turns"].contains(&name.as_str())
                || name.starts_with("image-")
        };
        left.extend(
            names
                .filter(|name| !stays(name))
                .map(|name| format!("file {place}/{name}")),
        );
    }
    left
}

/// Moves to a network of its own, whose links and rules are all ours.
fn leave_network() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
    let mut netlink = Netlink::open().expect("netlink");
    let lo = LinkName::parse("lo").expect("a name");
    let lo = netlink.expect_link(&lo).expect("lo");
    netlink.set_up(lo.index).expect("up");
}
