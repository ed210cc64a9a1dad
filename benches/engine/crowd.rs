//! Many at once: what commands take, and what others see meanwhile.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use podwright::state::{LockDir, Store};

use super::figures::{Times, millis, ratio};
use super::tool::{Bench, Tool};
use super::{cgroup, say, work};

/// Runs a command so many times and returns what each took.
fn repeat(tool: &Tool, times: usize, arguments: &[&str]) -> Times {
    let mut taken = Times::default();
    for _ in 0..times {
        taken.add(tool.run(arguments).expect());
    }
    taken
}

/// Runs a command again and again for so long, with pauses, and returns what each took.
fn now_and_then(tool: &Tool, time: Duration, arguments: &[&str]) -> Times {
    const PAUSE: Duration = Duration::from_millis(100);
    let began = Instant::now();
    let mut taken = Times::default();
    while began.elapsed() < time {
        taken.add(tool.run(arguments).expect());
        thread::sleep(PAUSE);
    }
    taken
}

/// Runs commands in turn until `work` is done; returns what each of them took, and `work`.
fn meanwhile<'a>(
    tool: &Tool,
    commands: &[&'a [&'a str]],
    work: impl FnOnce() -> Duration,
) -> (Vec<Times>, Duration) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut times = vec![Times::default(); commands.len()];
            while !done.load(Ordering::Relaxed) {
                for (command, times) in commands.iter().zip(&mut times) {
                    // What runs in a container that is restarted ends with it.
                    times.add(tool.run(command).wall);
                }
                thread::sleep(Duration::from_millis(5));
            }
            times
        });
        let taken = work();
        done.store(true, Ordering::Relaxed);
        (watch.join().expect("the watch does not panic"), taken)
    })
}

/// Restarts a hundred containers that stop at once, and lists them meanwhile.
pub(crate) fn restart_all(bench: &Bench) {
    say(
        "\n| `restart --all`, 100 containers that stop at once | wall | CPU | `ps` idle, p99 | `ps` meanwhile, median | p99 |\n|---|---|---|---|---|---|",
    );
    let (mut walls, mut listed) = (Vec::new(), Vec::new());
    for tool in bench.tools() {
        tool.begin();
        tool.write("many.yaml", &work::pods("many", 100, 1, work::QUICK, ""));
        tool.run(&["play", "kube", "many.yaml"]).expect();
        thread::sleep(Duration::from_secs(2));
        let idle = repeat(tool, 30, &["ps"]);
        let before = tool.cpu();
        let mut failures = 0;
        let (times, wall) = meanwhile(tool, &[&["ps"]], || {
            let ran = tool.run(&["restart", "--all"]);
            failures = String::from_utf8_lossy(&ran.output.stderr).lines().count();
            ran.wall
        });
        let cpu = tool.cpu().saturating_sub(before);
        say(&format!(
            "| {} ({failures} failed) | {} | {} | {} | {} | {} ({}×) |",
            tool.name,
            millis(wall),
            millis(cpu),
            millis(idle.p99()),
            millis(times[0].median()),
            millis(times[0].p99()),
            times[0].len()
        ));
        walls.push(wall);
        listed.push(times[0].p99());
        tool.clear();
    }
    if let ([ours, theirs], [ps, their_ps]) = (walls.as_slice(), listed.as_slice()) {
        say(&format!(
            "\npodman takes {} times as long, and its `ps` meanwhile {} times.",
            ratio(*theirs, *ours),
            ratio(*their_ps, *ps)
        ));
    }
}

/// Restarts a hundred containers that ignore SIGTERM, reads meanwhile, and kills one.
pub(crate) fn restart_all_deaf(bench: &Bench) {
    let tool = &bench.ours;
    tool.begin();
    let spec = "terminationGracePeriodSeconds: 10";
    tool.write("deaf.yaml", &work::pods("deaf", 100, 1, work::DEAF, spec));
    tool.run(&["kube", "play", "deaf.yaml"]).expect();
    thread::sleep(Duration::from_secs(2));
    let commands: [&[&str]; 5] = [
        &["ps"],
        &["pod", "ps"],
        &["inspect", "deaf5-c0"],
        &["logs", "deaf5-c0"],
        &["exec", "deaf5-c0", "/bin/true"],
    ];
    // As often, in the same turn and with the same pauses as meanwhile: a p99 depends on all three.
    let (idle, _) = meanwhile(tool, &commands, || {
        let as_long = Duration::from_secs(12);
        thread::sleep(as_long);
        as_long
    });
    let pid = || {
        tool.run(&["inspect", "--format", "{{.State.Pid}}", "deaf7-c0"])
            .output
    };
    let pid = String::from_utf8_lossy(&pid().stdout).trim().to_owned();
    let mut killed = Duration::ZERO;
    let (times, wall) = meanwhile(tool, &commands, || {
        let began = Instant::now();
        let restart = tool.spawn(&["restart", "--all"]);
        thread::sleep(Duration::from_secs(5));
        let asked = Instant::now();
        tool.run(&["kill", "deaf7-c0"]).expect();
        while std::path::Path::new("/proc").join(&pid).exists() {
            thread::sleep(Duration::from_millis(1));
        }
        killed = asked.elapsed();
        finish(restart);
        began.elapsed()
    });
    say(&format!(
        "\n`restart --all`, 100 containers that ignore SIGTERM, 10 s of grace: {}; `kill` of one of them takes effect in {}.\n",
        millis(wall),
        millis(killed)
    ));
    say(
        "| meanwhile | idle, median | p99 | meanwhile, median | p99 | ratio of the p99 |\n|---|---|---|---|---|---|",
    );
    for ((command, idle), times) in commands.iter().zip(&idle).zip(&times) {
        say(&format!(
            "| `{}` | {} | {} | {} | {} ({}×) | {} |",
            command.join(" "),
            millis(idle.median()),
            millis(idle.p99()),
            millis(times.median()),
            millis(times.p99()),
            times.len(),
            ratio(times.p99(), idle.p99())
        ));
    }
    tool.clear();
}

#[track_caller]
fn finish(child: Child) {
    let output = child.wait_with_output().expect("waited for");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
}

/// Restarts one container from many shells at once, and compares the order of the ends with that of the tickets.
pub(crate) fn one_container_many_shells(bench: &Bench) {
    let tool = &bench.ours;
    tool.begin();
    let script = "[/bin/sh, -c, \"trap 'end=1' TERM; echo x >> /shared/starts; until [ $end ]; do /bin/sleep 0.01; done\"]";
    let mounts = "    volumeMounts: [{name: shared, mountPath: /shared}]\n";
    let spec = format!(
        "terminationGracePeriodSeconds: 2\nvolumes:\n- {{name: shared, hostPath: {{path: {}}}}}",
        tool.dir().display()
    );
    tool.write("line.yaml", &(work::pod("line", 1, script, &spec) + mounts));
    tool.run(&["kube", "play", "line.yaml"]).expect();
    say(
        "\n| one container restarted from | wall | succeeded | new lines | out of ticket order |\n|---|---|---|---|---|",
    );
    for shells in [8, 64] {
        thread::sleep(Duration::from_secs(1));
        let lines = || tool.read("starts").lines().count();
        let before = lines();
        let began = Instant::now();
        let (succeeded, order) = restart_from(tool, shells);
        let wall = began.elapsed();
        thread::sleep(Duration::from_millis(300));
        say(&format!(
            "| {shells} shells | {} | {succeeded} | {} | {order} |",
            millis(wall),
            lines() - before
        ));
    }
    tool.clear();
}

/// Returns how many restarts succeeded, and how many ended before one that has an earlier ticket.
fn restart_from(tool: &Tool, shells: usize) -> (usize, usize) {
    let children: Vec<Child> = (0..shells)
        .map(|_| tool.spawn(&["restart", "line-c0"]))
        .collect();
    let tickets = Mutex::new(BTreeMap::new());
    let ends = Mutex::new(Vec::new());
    let succeeded = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while ends.lock().expect("no panic").len() < shells {
                note_tickets(tool, &mut tickets.lock().expect("no panic"));
                thread::sleep(Duration::from_millis(2));
            }
        });
        let waits: Vec<_> = children
            .into_iter()
            .map(|child| {
                let ends = &ends;
                scope.spawn(move || {
                    let pid = child.id();
                    let output = child.wait_with_output().expect("waited for");
                    ends.lock().expect("no panic").push(pid);
                    usize::from(output.status.success())
                })
            })
            .collect();
        let succeeded = waits.into_iter().map(|wait| wait.join().expect("no panic"));
        let succeeded = succeeded.sum();
        watch.join().expect("no panic");
        succeeded
    });
    let tickets = tickets.into_inner().expect("no panic");
    let order: Vec<i64> = ends
        .into_inner()
        .expect("no panic")
        .iter()
        .filter_map(|pid| tickets.get(pid).copied())
        .collect();
    let earlier = |place: usize| order[place + 1..].iter().any(|later| *later < order[place]);
    (
        succeeded,
        (0..order.len()).filter(|place| earlier(*place)).count(),
    )
}

/// Notes which process has which number among the intents.
fn note_tickets(tool: &Tool, tickets: &mut BTreeMap<u32, i64>) {
    let base = tool.dir().parent().expect("it has one");
    let locks = LockDir::open(&base.join("ours-run/locks")).expect("locks");
    let store = Store::open(&base.join("ours-root"), locks).expect("store");
    for pod in store.observed().expect("observed").pods {
        for intent in store.pending(&pod.record.id).expect("intents") {
            let pid = intent
                .by
                .rsplit("pid ")
                .next()
                .and_then(|pid| pid.trim_end_matches(')').parse().ok());
            if let Some(pid) = pid {
                tickets.insert(pid, intent.seq);
            }
        }
    }
}

/// Plays eight files from each of eight shells, half of them the same.
pub(crate) fn many_files_many_shells(bench: &Bench) {
    let tool = &bench.ours;
    tool.begin();
    let write = |name: &str| {
        tool.write(
            &format!("{name}.yaml"),
            &work::pod(name, 1, work::QUICK, ""),
        )
    };
    (0..4).for_each(|number| write(&format!("shared{number}")));
    let began = Instant::now();
    let results: Vec<(bool, bool)> = thread::scope(|scope| {
        let shells: Vec<_> = (0..8)
            .map(|shell| {
                scope.spawn(move || {
                    let mut results = Vec::new();
                    for number in 0..8 {
                        let name = match number % 2 {
                            0 => format!("shared{}", number / 2),
                            _ => format!("own{shell}n{number}"),
                        };
                        if number % 2 == 1 {
                            write(&name);
                        }
                        let ran = tool.run(&["kube", "play", &format!("{name}.yaml")]);
                        let words = String::from_utf8_lossy(&ran.output.stderr).into_owned();
                        let told = words.contains("already exists, with id");
                        results.push((ran.output.status.success(), told));
                    }
                    results
                })
            })
            .collect();
        let results = shells
            .into_iter()
            .map(|shell| shell.join().expect("no panic"));
        results.flatten().collect()
    });
    let wall = began.elapsed();
    let won = results.iter().filter(|(won, _)| *won).count();
    let told = results.iter().filter(|(won, told)| !*won && *told).count();
    let ps = tool.run(&["pod", "ps", "--format", "{{.Status}}"]).output;
    let running = String::from_utf8_lossy(&ps.stdout)
        .lines()
        .filter(|line| *line == "Running")
        .count();
    say(&format!(
        "\n8 shells play 8 files each, half of them the same: {won} of 36 played, {told} of 28 lost and were told who won, {running} pods run; {}.",
        millis(wall)
    ));
    tool.clear();
}

/// Lists a thousand containers from twenty shells: what it takes beside what its CPU time allows.
pub(crate) fn readers_alone(bench: &Bench) {
    let tool = &bench.ours;
    tool.begin();
    tool.write(
        "thousand.yaml",
        &work::pods("many", 20, 50, work::QUICK, ""),
    );
    tool.run(&["kube", "play", "--start=false", "thousand.yaml"])
        .expect();
    let before = cgroup::cpu("podwright-bench-commands");
    let began = Instant::now();
    let times = Mutex::new(Times::default());
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let own = repeat(tool, 20, &["ps", "--all"]);
                times.lock().expect("no panic").extend(own);
            });
        }
    });
    let wall = began.elapsed();
    let cpu = cgroup::cpu("podwright-bench-commands").saturating_sub(before);
    let cores = u32::try_from(thread::available_parallelism().map_or(1, usize::from)).unwrap_or(1);
    let times = times.into_inner().expect("no panic");
    say(&format!(
        "\n`ps --all` of 1000 containers from 20 shells, {} runs: {} wall, {} CPU on {cores} cores: {} times what the CPU allows; p99 {}.",
        times.len(),
        millis(wall),
        millis(cpu),
        ratio(wall, cpu / cores),
        millis(times.p99())
    ));
    tool.clear();
}

/// Lets a hundred pods fail again and again: what that costs in the second minute, and what a list takes in the third, in
/// which each of them is restarted once more.
pub(crate) fn crash_loops(bench: &Bench) {
    const MINUTE: Duration = Duration::from_secs(60);
    let tool = &bench.ours;
    tool.begin();
    let idle = now_and_then(tool, MINUTE / 3, &["ps", "--all"]);
    tool.write(
        "loops.yaml",
        &work::pods("loop", 100, 1, work::FAILING, "restartPolicy: Always"),
    );
    let began = Instant::now();
    tool.run(&["kube", "play", "loops.yaml"]).expect();
    thread::sleep(MINUTE.saturating_sub(began.elapsed()));
    let used = || ["podwright-bench", "podwright-bench/supervisors"].map(cgroup::cpu);
    let (before, minute) = (used(), Instant::now());
    thread::sleep(MINUTE);
    let (after, minute) = (used(), minute.elapsed());
    let share = |which: usize| {
        let cpu = after[which].saturating_sub(before[which]);
        cpu.as_secs_f64() / minute.as_secs_f64() * 100.0
    };
    let times = now_and_then(tool, MINUTE, &["ps", "--all"]);
    let restarts = tool
        .run(&["ps", "--all", "--format", "{{.Restarts}}"])
        .output;
    let restarts = String::from_utf8_lossy(&restarts.stdout).into_owned();
    let mut counts: Vec<&str> = restarts.lines().collect();
    counts.sort_unstable();
    counts.dedup();
    say(&format!(
        "\n100 pods that exit 1 at once: {:.2} % of a core in the second minute, {:.2} of it supervisors, stages and keeper; {} restarts each after three, in the last of which `ps --all` {} times, p99 {} (with no pods at all {}).",
        share(0),
        share(1),
        counts.join(" or "),
        times.len(),
        millis(times.p99()),
        millis(idle.p99())
    ));
    tool.clear();
}
