//! Containers made of busybox alone: own directories, namespaces and cgroups, gone whatever happens.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::stat::Mode;
use podwright::engine::exec::{self, ExecRequest, Streams};
use podwright::engine::launch::env::Values;
use podwright::engine::launch::infra::InfraFacts;
use podwright::engine::launch::{
    self, HostFacts, JoinedNamespaces, Launch, LaunchFacts, PodFiles, ResolvedVolume, RootFs, Site,
};
use podwright::engine::stage::{CreateError, Created, create_with};
use podwright::image::ImageConfig;
use podwright::model::container::{ContainerSpec, EnvSource, FieldRef, ResourceRef};
use podwright::model::pod::PodSpec;
use podwright::names::{ContainerId, VolumeName};
use podwright::sys::cgroup::Cgroups;
use podwright::sys::namespace::{NamespaceKind, create_pinned, unpin};
use podwright::sys::process::{Ended, PidFd, start_time};
use serde_json::{Value, json};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_podwright");

const TOOLS: &[&str] = &[
    "cat", "chmod", "echo", "env", "grep", "head", "id", "kill", "ls", "mkdir", "mount", "ps",
    "pwd", "readlink", "sh", "sleep", "stat", "stty", "test", "touch", "true", "tty", "ulimit",
    "umask",
];

/// One container's surroundings.
pub(crate) struct Rig {
    dir: tempfile::TempDir,
    cgroup: String,
    pub(crate) image: ImageConfig,
    pub(crate) volumes: BTreeMap<VolumeName, ResolvedVolume>,
    pub(crate) namespaces: JoinedNamespaces,
    pub(crate) runtime: Option<PathBuf>,
}

impl Rig {
    /// Makes the surroundings; nothing where this machine cannot run containers.
    #[expect(clippy::print_stderr, reason = "a skipped test says what it lacks")]
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: lacks root");
            return None;
        }
        if !Path::new("/bin/busybox").exists() {
            eprintln!("skipped: lacks /bin/busybox");
            return None;
        }
        let dir = tempfile::tempdir().expect("temp dir");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let rig = Self {
            cgroup: format!("/podwright-test-{}-{number}", std::process::id()),
            image: ImageConfig {
                env: vec!["PATH=/bin".to_owned()],
                ..ImageConfig::default()
            },
            volumes: BTreeMap::new(),
            namespaces: JoinedNamespaces {
                net: Some(dir.path().join("net")),
                ipc: Some(dir.path().join("ipc")),
                uts: Some(dir.path().join("uts")),
                ..JoinedNamespaces::default()
            },
            runtime: None,
            dir,
        };
        rig.make_layer();
        rig.make_bundle();
        let at = |name: &str| rig.path().join(name);
        create_pinned(&[
            (NamespaceKind::Net, &at("net")),
            (NamespaceKind::Ipc, &at("ipc")),
            (NamespaceKind::Uts, &at("uts")),
        ])
        .expect("namespaces");
        Some(rig)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The read-only layer of the image.
    pub(crate) fn layer(&self) -> PathBuf {
        self.path().join("layer")
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.path().join("bundle")
    }

    pub(crate) fn filters(&self) -> PathBuf {
        self.path().join("filters")
    }

    pub(crate) fn cgroup(&self) -> String {
        format!("{}/app", self.cgroup)
    }

    fn make_layer(&self) {
        let layer = self.layer();
        for directory in ["bin", "etc", "proc", "sys", "dev", "tmp", "root"] {
            fs::create_dir_all(layer.join(directory)).expect("layer");
        }
        let modes = [("tmp", 0o1777), ("root", 0o700)];
        for (directory, mode) in modes {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(layer.join(directory), permissions).expect("mode");
        }
        fs::copy("/bin/busybox", layer.join("bin/busybox")).expect("busybox");
        for tool in TOOLS {
            symlink("busybox", layer.join("bin").join(tool)).expect("link");
        }
        let passwd = "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n";
        fs::write(layer.join("etc/passwd"), passwd).expect("passwd");
        let group = "root:x:0:\nweb:x:1000:\nextra:x:2000:web\n";
        fs::write(layer.join("etc/group"), group).expect("group");
    }

    fn make_bundle(&self) {
        let bundle = self.bundle();
        let directories = ["bundle/rootfs", "upper", "work", "shm"];
        for directory in directories {
            fs::create_dir_all(self.path().join(directory)).expect("bundle");
        }
        for fifo in ["stdout", "stderr"] {
            nix::unistd::mkfifo(&bundle.join(fifo), Mode::S_IRUSR | Mode::S_IWUSR).expect("fifo");
        }
    }

    fn site(&self, digit: &str, lower: PathBuf) -> Site {
        Site {
            id: ContainerId::parse(&digit.repeat(64)).expect("id"),
            pod: self.path().to_owned(),
            bare_namespace: None,
            bundle: self.bundle(),
            rootfs: RootFs {
                lower: vec![lower],
                upper: self.path().join("upper"),
                work: self.path().join("work"),
            },
            cgroup: self.cgroup(),
            filters: self.filters(),
        }
    }

    /// A directory on the host as a volume.
    pub(crate) fn volume(&mut self, name: &str) -> PathBuf {
        let path = self.path().join("volumes").join(name);
        fs::create_dir_all(&path).expect("volume");
        self.host_path(name, &path);
        path
    }

    /// Gives the containers to come a directory of the host as a volume.
    pub(crate) fn host_path(&mut self, name: &str, path: &Path) {
        let resolved = ResolvedVolume {
            path: path.to_owned(),
            read_only: false,
        };
        let name = VolumeName::parse(name).expect("name");
        self.volumes.insert(name, resolved);
    }

    /// Decides the container whose spec differs by these fields from the plainest.
    pub(crate) fn decide(&self, fields: Value) -> Launch {
        let pod = pod(json!({}));
        self.decide_in(&pod, &container(fields))
    }

    pub(crate) fn decide_in(&self, pod: &PodSpec, container: &ContainerSpec) -> Launch {
        let facts = LaunchFacts {
            site: self.site("c", self.layer()),
            runtime: self.runtime.clone(),
            image: &self.image,
            hostname: "web",
            namespaces: &self.namespaces,
            files: &PodFiles {
                shm: self.path().join("shm"),
                hosts: None,
                hostname: None,
                resolv_conf: None,
                termination_message: None,
            },
            volumes: &self.volumes,
            devices: &[],
            mounted_devices: &[],
            values: &NoValues,
            seccomp_profile: None,
            host: &HostFacts::read().expect("host"),
        };
        launch::decide(pod, container, facts).expect("decided")
    }

    /// Decides the init of a shared PID namespace.
    pub(crate) fn decide_infra(&self) -> Launch {
        launch::infra::decide(InfraFacts {
            site: self.site("d", self.path().join("shm")),
            namespaces: &self.namespaces,
            host: &HostFacts::read().expect("host"),
        })
    }

    /// Runs a container to its end.
    pub(crate) fn run(&self, fields: Value) -> Ran {
        let launch = self.decide(fields);
        self.start(&launch).expect("started").finish()
    }

    /// Runs a shell script to its end.
    pub(crate) fn script(&self, script: &str, fields: Value) -> Ran {
        let mut all = fields;
        all["command"] = json!(["sh", "-c", script]);
        self.run(all)
    }

    pub(crate) fn start(&self, launch: &Launch) -> Result<Running, CreateError> {
        self.watch(|| create_with(Path::new(PROGRAM), launch))
    }

    /// Takes hold of a container that is created meanwhile.
    pub(crate) fn watch(
        &self,
        create: impl FnOnce() -> Result<Created, CreateError>,
    ) -> Result<Running, CreateError> {
        let open = |name: &str| {
            File::options()
                .read(true)
                .custom_flags(nix::libc::O_NONBLOCK)
                .open(self.bundle().join(name))
                .expect("fifo")
        };
        let streams = [open("stdout"), open("stderr")];
        let created = create()?;
        let process = PidFd::open(created.pid).expect("pidfd").expect("a child");
        Ok(Running {
            pid: created.pid,
            process,
            streams,
            terminal: created.terminal,
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Ok(cgroups) = Cgroups::detect() {
            for path in [&self.cgroup(), &self.cgroup] {
                if let Ok(group) = cgroups.group(Path::new(path)) {
                    let _ = group.kill(Duration::from_secs(5));
                    let _ = group.remove(Duration::from_secs(5));
                }
            }
        }
        for name in ["net", "ipc", "uts"] {
            let _ = unpin(&self.path().join(name));
        }
    }
}

/// A container that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) pid: i32,
    pub(crate) process: PidFd,
    streams: [File; 2],
    pub(crate) terminal: Option<std::os::fd::OwnedFd>,
}

/// A container that ran.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// A request for a shell script in this container.
    pub(crate) fn request(&self, rig: &Rig, script: &str) -> ExecRequest {
        ExecRequest {
            pid: self.pid,
            start_time: start_time(self.pid).expect("proc").expect("alive"),
            bundle: rig.bundle(),
            filters: rig.filters(),
            cgroup: rig.cgroup(),
            args: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![],
            user: None,
            cwd: None,
            terminal: false,
        }
    }

    pub(crate) fn kill(self) -> Ran {
        self.process.send_signal(9).expect("signal");
        self.finish()
    }

    pub(crate) fn finish(self) -> Ran {
        let ended = self.process.wait().expect("a child");
        let [stdout, stderr] = self.streams.map(|mut stream| {
            let mut text = Vec::new();
            // All writers are gone, so that the end of file comes at once.
            let _ = stream.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ran {
            ended,
            stdout,
            stderr,
        }
    }
}

/// Runs a program in a container to its end: its code and what it wrote.
pub(crate) fn execute(request: &ExecRequest) -> Result<(u8, String), CreateError> {
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::piped(),
        stderr: Stdio::inherit(),
    };
    let mut exec = exec::start(Path::new(PROGRAM), request, streams)?;
    let mut text = String::new();
    let mut stdout = exec.stage.stdout.take().expect("piped");
    stdout.read_to_string(&mut text).expect("output");
    Ok((exec.wait().expect("a child"), text))
}

/// Reads the masks of signals from lines of `/proc/PID/status`, without the two that belong to the
/// C library and stay as this machine has them.
pub(crate) fn signal_masks(status: &str) -> Vec<u64> {
    let masks = status
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    masks
        .map(|mask| u64::from_str_radix(mask, 16).expect("a mask") & !(0b11 << 31))
        .collect()
}

struct NoValues;

impl Values for NoValues {
    fn object(&self, _: &EnvSource) -> Option<BTreeMap<String, String>> {
        None
    }
    fn field(&self, _: &FieldRef) -> Option<String> {
        None
    }
    fn resource(&self, _: &ContainerSpec, _: &ResourceRef) -> String {
        String::new()
    }
}

/// The plainest pod, changed in these fields.
pub(crate) fn pod(fields: Value) -> PodSpec {
    let mut spec = json!({
        "name": "web",
        "infra": {
            "process": {"limits": {}, "security": {}},
            "network": {"bridge": {"networks": []}},
            "dns": {"policy": "ClusterFirst"},
            "hosts": {"pod": {"aliases": []}},
            "etcHostname": "Pod",
            "shared": {"pid": "Container", "ipc": "Pod"},
            "userNamespace": "Host",
            "fsGroupChange": "Always",
        },
        "containers": [],
        "restartPolicy": "Never",
        "terminationGrace": 30,
        "naming": "PodPrefix",
    });
    merge(&mut spec, fields);
    serde_json::from_value(spec).expect("a pod")
}

/// The plainest container, changed in these fields.
pub(crate) fn container(fields: Value) -> ContainerSpec {
    let mut spec = json!({
        "name": "app",
        "role": "App",
        "image": "localhost/busybox:1",
        "pull": "Never",
        "process": {"limits": {}, "security": {}},
        "privileges": {},
        "probes": {},
        "lifecycle": {},
        "terminal": {"tty": false, "stdin": false, "stdinOnce": false},
        "terminationMessage": {"path": "/dev/termination-log", "policy": "File"},
    });
    merge(&mut spec, fields);
    serde_json::from_value(spec).expect("a container")
}

fn merge(into: &mut Value, fields: Value) {
    match (into, fields) {
        (Value::Object(into), Value::Object(fields)) => {
            for (key, value) in fields {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, fields) => *into = fields,
    }
}
