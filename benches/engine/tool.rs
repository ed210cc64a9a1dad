//! The two tools, each with directories and cgroups of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use super::{cgroup, work};

/// A tool that plays YAML.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where its commands run; what else it uses CPU time in.
    commands: &'static str,
    others: &'static [&'static str],
    dir: PathBuf,
}

/// What a command took.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) wall: Duration,
    pub(crate) output: Output,
}

impl Ran {
    /// Returns the time of a command that succeeded.
    #[track_caller]
    pub(crate) fn expect(self) -> Duration {
        let words = String::from_utf8_lossy(&self.output.stderr);
        assert!(self.output.status.success(), "{words}");
        self.wall
    }
}

impl Tool {
    /// Prepares a command.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .args(arguments)
            .current_dir(&self.dir)
            .env("CONTAINERS_CONF", self.dir.join("containers.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let began = Instant::now();
        let output = self.command(arguments).output().expect("the tool is there");
        Ran {
            wall: began.elapsed(),
            output,
        }
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the tool is there")
    }

    /// Counts what this tool's commands use from now on as its own.
    pub(crate) fn begin(&self) {
        cgroup::enter(self.commands);
    }

    /// Returns the CPU time of all its processes, those of its containers included.
    pub(crate) fn cpu(&self) -> Duration {
        let others = self.others.iter().map(|name| cgroup::cpu(name));
        others.fold(cgroup::cpu(self.commands), |sum, cpu| sum + cpu)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).expect("the directory is ours");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes everything down.
    pub(crate) fn clear(&self) {
        for arguments in [
            ["pod", "rm", "--all", "--force", "--time", "0"],
            ["rm", "--all", "--force", "--time", "0", "--ignore"],
        ] {
            self.run(&arguments);
        }
    }
}

/// Both tools, and what they share.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) ours: Tool,
    pub(crate) theirs: Option<Tool>,
    pub(crate) rounds: usize,
    _dir: tempfile::TempDir,
}

impl Bench {
    /// Makes both installations, with one image each.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("podwright-bench-")
            .tempdir()
            .expect("temp dir");
        unshare(CloneFlags::CLONE_NEWNET).expect("the bench runs as root");
        set_up_loopback();
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let ours = std::env::var_os("PODWRIGHT")
            .map_or_else(|| env!("CARGO_BIN_EXE_podwright").into(), PathBuf::from);
        let ours = Tool {
            name: "podwright",
            program: ours,
            arguments: vec![
                format!("--root={}", at("ours-root")),
                format!("--runroot={}", at("ours-run")),
                "--cgroup-parent=/podwright-bench".to_owned(),
            ],
            commands: "podwright-bench-commands",
            others: &["podwright-bench"],
            dir: dir.path().join("ours"),
        };
        let theirs = Tool {
            name: "podman",
            program: std::env::var_os("PODMAN").map_or_else(|| "podman".into(), PathBuf::from),
            arguments: vec![
                format!("--root={}", at("theirs-root")),
                format!("--runroot={}", at("theirs-run")),
                format!("--tmpdir={}", at("theirs-tmp")),
                "--runtime=runc".to_owned(),
                "--cgroup-manager=cgroupfs".to_owned(),
            ],
            commands: "podman-bench-commands",
            others: &["libpod_parent"],
            dir: dir.path().join("theirs"),
        };
        let theirs = (!theirs.program.as_os_str().is_empty()).then_some(theirs);
        let rounds = std::env::var("ROUNDS")
            .ok()
            .and_then(|text| text.parse().ok());
        let bench = Self {
            ours,
            theirs,
            rounds: rounds.unwrap_or(10),
            _dir: dir,
        };
        bench.import();
        bench
    }

    fn import(&self) {
        for tool in self.tools() {
            fs::create_dir(&tool.dir).expect("directory");
            fs::set_permissions(&tool.dir, fs::Permissions::from_mode(0o755)).expect("mode");
            // A machine may forbid to raise what podman raises by default.
            tool.write(
                "containers.conf",
                "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=20000:20000\"]\n",
            );
            fs::write(tool.dir.join("image.tar"), work::root_file_system()).expect("image");
            tool.run(&["import", "image.tar", work::IMAGE]).expect();
        }
    }

    /// Returns the tools in turn.
    pub(crate) fn tools(&self) -> impl Iterator<Item = &Tool> {
        std::iter::once(&self.ours).chain(&self.theirs)
    }

    /// Describes the machine.
    pub(crate) fn host(&self) -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let versions: Vec<String> = self
            .tools()
            .map(|tool| {
                String::from_utf8_lossy(&tool.run(&["--version"]).output.stdout)
                    .trim()
                    .to_owned()
            })
            .collect();
        format!(
            "{} cores, Linux {}, load {}; {}\n",
            cpus,
            read("/proc/sys/kernel/osrelease").trim(),
            read("/proc/loadavg").split(' ').next().unwrap_or_default(),
            versions.join(", ")
        )
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for tool in self.tools() {
            tool.clear();
        }
        cgroup::enter("");
    }
}

fn set_up_loopback() {
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(
        up.is_ok_and(|status| status.success()),
        "iproute2 is needed"
    );
}
