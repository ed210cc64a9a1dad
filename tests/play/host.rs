//! A host of its own for one test: root, runroot, cgroup and network namespace, cleared whatever happens.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollTimeout;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    self, AddressFamily, SockFlag, SockType, SockaddrIn, setsockopt, socket, sockopt,
};
use nix::unistd::Pid;
use podwright::engine::Engine;
use podwright::engine::paths::Paths;
use podwright::model::observed::{ContainerRecord, Observed, ObservedPod};
use podwright::supervisor::log::{LogRecord, current_file};
use podwright::sys::process::PidFd;

use super::image;
use super::network::Netns;
use super::run::is_root_with;
use super::traces::{self, Traces};

pub(crate) use super::network::HOST as ADDRESS;
pub(crate) use super::run::Ran;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A host.
pub(crate) struct Host {
    /// Stands first, so that it is unpinned before its directory goes.
    netns: Netns,
    dir: tempfile::TempDir,
    paths: Paths,
    before: Traces,
}

impl Host {
    /// Makes a host with a busybox image, or says what is lacking.
    pub(crate) fn new() -> Option<Self> {
        if !is_root_with(&["/usr/sbin/nft", "/bin/busybox"]) {
            return None;
        }
        let dir = tempfile::Builder::new()
            .prefix("podwright-test-")
            .tempdir()
            .expect("temp dir");
        let name = dir
            .path()
            .file_name()
            .expect("name")
            .to_string_lossy()
            .into_owned();
        let paths = Paths {
            root: dir.path().join("root"),
            runroot: dir.path().join("run"),
            cgroup_parent: format!("/{name}"),
            runtime: None,
        };
        let netns = Netns::new(dir.path(), "net");
        netns.add_uplink();
        let mut host = Self {
            netns,
            dir,
            paths,
            before: Traces::new(),
        };
        for directory in [&host.paths.root, &host.paths.runroot] {
            podwright::sys::mount::ensure_dir(directory, 0o700).expect("directory");
        }
        image::make(&host.paths.root, &host.paths.runroot);
        // What the first pod leaves on purpose is there from now on.
        std::fs::create_dir(host.dir.path().join("files")).expect("directory");
        let yaml = pod(
            "first",
            "command: [sleep, '1000']",
            "terminationGracePeriodSeconds: 0",
        );
        host.play("first", &yaml).expect();
        host.down("first").expect();
        host.before = host.traces();
        Some(host)
    }

    /// Returns whether somebody holds a TCP port, so that nobody else can listen on it.
    ///
    /// To bind is enough to see that; to listen as well would be in the way of who is about to hold it.
    pub(crate) fn is_held(&self, port: u16) -> bool {
        let bind = move || {
            let socket = socket(
                AddressFamily::Inet,
                SockType::Stream,
                SockFlag::SOCK_CLOEXEC,
                None,
            )
            .expect("socket");
            setsockopt(&socket, sockopt::ReuseAddr, &true).expect("option");
            socket::bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port))
        };
        match self.run_in(bind) {
            Ok(()) => false,
            Err(Errno::EADDRINUSE) => true,
            Err(error) => panic!("port {port}: {error}"),
        }
    }

    /// Waits until the supervisor of a pod, which was rung, holds a port.
    #[track_caller]
    pub(crate) fn wait_until_held(&self, port: u16) {
        let until = Instant::now() + PATIENCE;
        while !self.is_held(port) {
            assert!(Instant::now() < until, "port {port} is free");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a closure in the host's network.
    pub(crate) fn run_in<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.netns.run(work)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    pub(crate) fn cgroup_parent(&self) -> &str {
        &self.paths.cgroup_parent
    }

    pub(crate) fn links(&self) -> Vec<String> {
        self.netns.links()
    }

    /// Prepares a command of the program on this host.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podwright"));
        command
            .current_dir(self.dir.path().join("files"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("PODWRIGHT_ROOT", &self.paths.root)
            .env("PODWRIGHT_RUNROOT", &self.paths.runroot)
            .arg("--cgroup-parent")
            .arg(self.cgroup_parent())
            .args(arguments);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(&self.run_in(move || command.output().expect("the program runs")))
    }

    /// Starts the program.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        self.run_in(move || command.spawn().expect("the program runs"))
    }

    /// Waits for a program that was started.
    pub(crate) fn finish(child: Child) -> Ran {
        Ran::of(&child.wait_with_output().expect("waited for"))
    }

    /// Writes a manifest and returns its name.
    pub(crate) fn write(&self, name: &str, yaml: &str) -> String {
        let file = format!("{name}.yaml");
        std::fs::write(self.dir.path().join("files").join(&file), yaml).expect("manifest");
        file
    }

    /// Plays a manifest.
    pub(crate) fn play(&self, name: &str, yaml: &str) -> Ran {
        let file = self.write(name, yaml);
        self.run(&["kube", "play", &file])
    }

    /// Takes the pods of a manifest down.
    pub(crate) fn down(&self, name: &str) -> Ran {
        self.run(&["kube", "down", &format!("{name}.yaml")])
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::open(self.paths.clone(), "a test", Arc::new(|_| {})).expect("engine")
    }

    pub(crate) fn observed(&self) -> Observed {
        self.engine().observed().expect("observed")
    }

    /// Returns the names of all pods, sorted: those of one play were made at one time.
    pub(crate) fn pod_names(&self) -> Vec<String> {
        let pods = self.observed().pods.into_iter();
        let mut names: Vec<_> = pods.map(|pod| pod.record.spec.name.to_string()).collect();
        names.sort();
        names
    }

    #[track_caller]
    pub(crate) fn pod(&self, name: &str) -> ObservedPod {
        let pods = self.observed().pods;
        let pod = pods
            .into_iter()
            .find(|pod| pod.record.spec.name.as_str() == name);
        pod.unwrap_or_else(|| panic!("no pod {name}"))
    }

    #[track_caller]
    pub(crate) fn container(&self, pod: &str, name: &str) -> ContainerRecord {
        let containers = self.pod(pod).containers;
        let found = containers
            .into_iter()
            .find(|container| container.name.as_str() == name);
        found.unwrap_or_else(|| panic!("no container {name}"))
    }

    /// Waits until a container is as it should be.
    #[track_caller]
    pub(crate) fn wait_for(
        &self,
        pod: &str,
        name: &str,
        is: impl Fn(&ContainerRecord) -> bool,
    ) -> ContainerRecord {
        let until = Instant::now() + PATIENCE;
        loop {
            let container = self.container(pod, name);
            if is(&container) {
                return container;
            }
            assert!(
                Instant::now() < until,
                "{container:#?}\n{}",
                self.log(pod, name)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns what a container wrote, both streams, in the order it was read.
    #[track_caller]
    pub(crate) fn log(&self, pod: &str, name: &str) -> String {
        let pod = self.pod(pod);
        let container = pod
            .containers
            .iter()
            .find(|container| container.name.as_str() == name);
        let logs = self
            .paths
            .pod(&pod.record.id)
            .logs(&container.expect("container").name);
        let bytes = std::fs::read(current_file(&logs)).unwrap_or_default();
        let mut text = String::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Some(record) = LogRecord::parse(line) {
                let end = if record.partial { "" } else { "\n" };
                let _ = write!(text, "{}{end}", String::from_utf8_lossy(record.content));
            }
        }
        text
    }

    /// Waits until a container has written something.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, pod: &str, name: &str, word: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let log = self.log(pod, name);
            if log.contains(word) {
                return log;
            }
            assert!(Instant::now() < until, "{word:?} is not in {log:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks an HTTP server from the host.
    pub(crate) fn get(&self, address: Ipv4Addr, port: u16, path: &str) -> std::io::Result<String> {
        self.run_in(|| {
            let address = SocketAddrV4::new(address, port).into();
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })
    }

    /// Asks an HTTP server that may just be starting.
    #[track_caller]
    pub(crate) fn get_soon(&self, address: Ipv4Addr, port: u16, path: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.get(address, port, path) {
                Ok(answer) if answer.contains(" 200 ") => return answer,
                answer => assert!(Instant::now() < until, "{answer:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Finds the supervisors of the host's pods.
    pub(crate) fn supervisors(&self) -> Vec<i32> {
        let is_supervisor = |pid: &i32| traces::command_line(*pid).contains("stage-supervise");
        traces::processes(self)
            .into_iter()
            .filter(is_supervisor)
            .collect()
    }

    /// Kills the supervisors as the kernel would for want of memory.
    pub(crate) fn kill_supervisors(&self) {
        Self::kill(Self::supervisors, self);
    }

    /// Kills the supervisors and the keeper, so that none is there until a command needs one.
    pub(crate) fn kill_watchers(&self) {
        Self::kill(
            |host| {
                let is_watcher = |pid: &i32| {
                    let command = traces::command_line(*pid);
                    command.contains("stage-supervise") || command.contains("stage-keep")
                };
                traces::processes(host)
                    .into_iter()
                    .filter(is_watcher)
                    .collect()
            },
            self,
        );
    }

    fn kill(which: impl Fn(&Self) -> Vec<i32>, host: &Self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let pids = which(host);
            if pids.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "a supervisor does not die");
            let open = |pid| PidFd::open(pid).ok().flatten();
            let processes: Vec<PidFd> = pids.into_iter().filter_map(open).collect();
            for process in &processes {
                let _ = process.send_signal(Signal::SIGKILL as i32);
            }
            // A process is found no more before its files are closed; at its end they are.
            for process in &processes {
                let left = until.saturating_duration_since(Instant::now());
                let left = PollTimeout::try_from(left).expect("short");
                assert!(
                    process.ends_within(left).expect("watched"),
                    "a supervisor does not die"
                );
            }
        }
    }

    pub(crate) fn traces(&self) -> Traces {
        traces::of(self)
    }

    /// Waits until everything is as it was at the beginning.
    #[track_caller]
    pub(crate) fn expect_clean(&self) {
        self.expect_clean_after("");
    }

    /// As [`Host::expect_clean`], and tells what came before if it is not.
    #[track_caller]
    pub(crate) fn expect_clean_after(&self, what: &str) {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let changes = changes(&self.before, &self.traces());
            if changes.is_empty() {
                return;
            }
            assert!(
                Instant::now() < until,
                "{what}\nleft behind:\n{}",
                changes.join("\n")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn clear(&self) {
        for _ in 0..100 {
            let processes = traces::processes(self);
            for pid in &processes {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            if processes.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let pods = std::fs::read_dir(self.paths.runroot.join("pods"));
        for pod in pods.into_iter().flatten().flatten() {
            while podwright::sys::mount::unmount(&pod.path()).unwrap_or(false) {}
        }
        for cgroup in traces::cgroups(self.cgroup_parent()) {
            let _ = std::fs::remove_dir(cgroup);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let removed = self.run(&["pod", "rm", "--force", "--time", "0", "--all"]);
        self.clear();
        if !std::thread::panicking() {
            assert_eq!(removed.code, Some(0), "{}", removed.stderr);
        }
    }
}

/// Returns what came and what went.
pub(crate) fn changes(before: &Traces, after: &Traces) -> Vec<String> {
    let came = after.difference(before).map(|line| format!("+ {line}"));
    let went = before.difference(after).map(|line| format!("- {line}"));
    came.chain(went).collect()
}

/// Writes a pod of one busybox container `main`: its fields, and further fields of the pod.
pub(crate) fn pod(name: &str, container: &str, spec: &str) -> String {
    let indent = |text: &str, by: &str| {
        let lines: Vec<String> = text.lines().map(|line| format!("{by}{line}\n")).collect();
        lines.concat()
    };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n{}  containers:\n  - name: main\n    image: localhost/busybox\n{}",
        indent(spec, "  "),
        indent(container, "    "),
    )
}
