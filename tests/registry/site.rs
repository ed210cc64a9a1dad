//! A place of its own for one test: a network namespace, a root, and registries on its loopback.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::network::Netns;
pub(crate) use crate::run::Ran;
use crate::run::is_root_with;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the registry of a test listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:5000";

/// The place of one test.
pub(crate) struct Site {
    /// Stands first, so that it is unpinned before its directory goes.
    netns: Netns,
    dir: tempfile::TempDir,
}

impl Site {
    /// Makes the place, or says what is lacking.
    pub(crate) fn new() -> Option<Self> {
        if !is_root_with(&["/usr/bin/docker-registry", "/usr/bin/skopeo"]) {
            return None;
        }
        let dir = tempfile::Builder::new()
            .prefix("podwright-registry-")
            .tempdir()
            .unwrap();
        let netns = Netns::new(dir.path(), "net");
        Some(Self { netns, dir })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns a command of the program, on the root of this name.
    pub(crate) fn command(&self, root: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podwright"));
        command
            .arg("--root")
            .arg(self.path(root))
            .arg("--runroot")
            .arg(self.path(&format!("{root}-run")))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("home/run"))
            .env("CONTAINERS_REGISTRIES_CONF", self.path("registries.conf"));
        command
    }

    /// Runs the program on the first root.
    pub(crate) fn podwright<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        self.run(self.command("root").args(arguments))
    }

    /// Runs a command in the namespace, to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Ran {
        self.run_with(command, Stdio::null())
    }

    /// Runs a command that reads this.
    pub(crate) fn run_with(&self, command: &mut Command, input: Stdio) -> Ran {
        Ran::of(&self.netns.run(|| command.stdin(input).output()).unwrap())
    }

    /// Starts a command in the namespace.
    pub(crate) fn spawn(&self, command: &mut Command) -> Child {
        let quiet = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.netns.run(|| quiet.spawn()).unwrap()
    }

    /// Runs code in the namespace.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.netns.run(work)
    }

    /// Copies an OCI layout into the registry.
    pub(crate) fn publish(&self, layout: &Path, name: &str) {
        self.publish_as(layout, name, &[]);
    }

    /// Copies an OCI layout into the registry with more flags for skopeo.
    pub(crate) fn publish_as(&self, layout: &Path, name: &str, flags: &[&str]) {
        let mut command = Command::new("/usr/bin/skopeo");
        command
            .args([
                "--insecure-policy",
                "copy",
                "--quiet",
                "--dest-tls-verify=false",
                "--preserve-digests",
            ])
            .args(flags)
            .arg(format!("oci:{}:latest", layout.display()))
            .arg(format!("docker://{ADDRESS}/{name}"))
            .env("TMPDIR", self.dir.path());
        self.run(&mut command).succeeded();
    }

    /// Returns what is left in the store that is no content.
    pub(crate) fn leftovers(&self, root: &str) -> Vec<String> {
        let images = self.path(root).join("images");
        ["tmp", "downloads"]
            .iter()
            .flat_map(|part| fs::read_dir(images.join(part)).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Plays a manifest without starting what it describes.
    pub(crate) fn play(&self, name: &str, yaml: &str) -> Ran {
        let file = self.path(&format!("{name}.yaml"));
        fs::write(&file, yaml).unwrap();
        let file = file.to_str().unwrap();
        self.podwright(&[
            "kube",
            "play",
            "--tls-verify=false",
            "-q",
            "--start=false",
            file,
        ])
    }

    /// Returns the names of what is in one part of a store: `layers`, `downloads`.
    pub(crate) fn content(&self, root: &str, part: &str) -> Vec<String> {
        // A command that was killed early has not made it yet.
        let entries = fs::read_dir(self.path(root).join("images").join(part));
        let entries = entries.into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

/// A registry, ended with the value.
pub(crate) struct Registry {
    child: Child,
    config: PathBuf,
    log: PathBuf,
    data: PathBuf,
}

impl Registry {
    /// Starts a registry over plain HTTP, open to everybody.
    pub(crate) fn start(site: &Site) -> Self {
        Self::configured(site, "", "")
    }

    /// Starts a registry with more lines in its configuration: below `http`, and beside it.
    pub(crate) fn configured(site: &Site, http: &str, more: &str) -> Self {
        let (config, log) = (site.path("registry.yml"), site.path("registry.log"));
        let data = site.path("registry");
        let root = data.display();
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}}}}}\n{more}\nhttp:\n  addr: {ADDRESS}\n{http}\n",
        );
        fs::write(&config, text).unwrap();
        let child = serve(site, &config, &log);
        Self {
            child,
            config,
            log,
            data,
        }
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it send nothing more, until it may go on.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Has it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Starts it again after a kill.
    pub(crate) fn restart(&mut self, site: &Site) {
        self.child = serve(site, &self.config, &self.log);
    }

    /// Returns the answers to a request whose line holds both words: the bytes of each.
    pub(crate) fn answers(&self, method: &str, path: &str) -> Vec<u64> {
        // 127.0.0.1 - - [time] "GET /v2/x/blobs/sha256:… HTTP/1.1" 200 123 "" "agent"
        let log = fs::read_to_string(&self.log).unwrap();
        let answer = |line: &str| {
            let mut parts = line.split('"');
            let (_, request, after) = (parts.next()?, parts.next()?, parts.next()?);
            let asked = request.starts_with(method) && request.contains(path);
            let mut numbers = after.split_whitespace();
            let status: u16 = numbers.next()?.parse().ok()?;
            let bytes = numbers.next()?.parse().ok()?;
            (asked && status < 300).then_some(bytes)
        };
        log.lines().filter_map(answer).collect()
    }

    /// Returns the file of a blob in the registry's own storage.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let blobs = self.data.join("docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Without effect on one that was killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(site: &Site, config: &Path, log: &Path) -> Child {
    let file = fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .unwrap();
    let mut command = Command::new("/usr/bin/docker-registry");
    command
        .arg("serve")
        .arg(config)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file);
    let mut child = site.inside(|| command.spawn()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while site
        .inside(|| std::net::TcpStream::connect(ADDRESS))
        .is_err()
    {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "{}",
            fs::read_to_string(log).unwrap()
        );
        assert!(Instant::now() < deadline, "no registry");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
