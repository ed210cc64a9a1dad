//! podman's templates on the same pod, answered by podman and by this program, field by field.
//!
//! The table says which answers are podman's and why the others are not; `docs/podman-formats.md` is this
//! table as text (`UPDATE=1` rewrites it). Where podman is installed both are asked. An answer that is
//! podman's again although the table says otherwise is a fault too.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::host::Host;
use super::run::is_root_with;

/// What a command says on a template of one field.
enum Answer {
    /// podman's.
    Same(&'static [&'static str]),
    /// Another, for a reason.
    Differs(&'static str, &'static [&'static str]),
}
use Answer::{Differs, Same};

const NAMES: &str = "ids, addresses and names of networks are each engine's own";
const PLACES: &str = "the place on disk or in the cgroup tree is each engine's own";
const INFRA: &str =
    "the infra container is a record and pinned namespaces here, in no list and no count";
const ENGINE: &str = "it names the engine";
const NONE: &str = "there is nothing of the kind here; the field is left out rather than made up";
const NEWER: &str = "podman 5 says what this says; only 4.3 says something else";

/// A command, its arguments, and its fields.
const TABLE: &[(&str, &[Answer])] = &[
    (
        "ps --all --filter name=shop-web",
        &[
            Same(&[
                "ID",
                "Image",
                "Names",
                "CreatedHuman",
                "ExitCode",
                "Exited",
                "ExitedAt",
                "ImageID",
                "IsInfra",
                "Ports",
                "RunningFor",
                "Size",
                "Created",
                "CreatedAt",
                "AutoRemove",
                "Pod",
            ]),
            Differs(
                "podman 5 says `Up 2 minutes`, 4.3 `Up 2 minutes ago`",
                &["Status", "State"],
            ),
            Differs(
                "the whole command line, as Docker has it; podman shows the arguments alone",
                &["Command"],
            ),
            Differs(
                "a container has its pod's labels; the image's are in `image inspect`",
                &["Labels"],
            ),
            Differs("podman tells them only with `--pod`", &["PodName"]),
            Differs(
                "podman tells those of the infra container only",
                &["Networks"],
            ),
            Differs(
                "podman has no order for them; here it is the manifest's",
                &["Mounts"],
            ),
            Differs(NEWER, &["Restarts"]),
            Differs("podman shows seven empty fields", &["Namespaces"]),
        ],
    ),
    (
        "pod ps",
        &[
            Same(&[
                "ID",
                "Id",
                "Name",
                "Status",
                "Created",
                "InfraID",
                "Labels",
                "Namespace",
            ]),
            Differs(
                INFRA,
                &[
                    "NumberOfContainers",
                    "ContainerIds",
                    "ContainerNames",
                    "ContainerStatuses",
                ],
            ),
            Differs(NAMES, &["Networks"]),
            Differs(NEWER, &["Restarts"]),
            Differs("`pod inspect` has it", &["Cgroup"]),
        ],
    ),
    (
        "pod inspect shop",
        &[
            Same(&[
                "Id",
                "Name",
                "State",
                "Created",
                "ExitPolicy",
                "Labels",
                "Hostname",
                "CreateCgroup",
                "CreateInfra",
                "InfraContainerID",
                "Namespace",
                "MemoryLimit",
                "CPUSetCPUs",
                "CPUPeriod",
                "CPUQuota",
                "SecurityOpts",
                "InfraConfig.HostNetwork",
                "InfraConfig.HostAdd",
                "InfraConfig.DNSServer",
                "InfraConfig.DNSSearch",
                "InfraConfig.DNSOption",
                "InfraConfig.NoManageHosts",
                "InfraConfig.NoManageResolvConf",
                "InfraConfig.NetworkOptions",
                "InfraConfig.PidNS",
                "InfraConfig.UserNS",
                "InfraConfig.UtsNS",
                "InfraConfig.StaticIP",
                "InfraConfig.StaticMAC",
            ]),
            Differs(INFRA, &["NumContainers"]),
            Differs(PLACES, &["CgroupParent", "CgroupPath"]),
            Differs(NAMES, &["InfraConfig.Networks"]),
            Differs(NEWER, &["InfraConfig.PortBindings", "RestartPolicy"]),
            Differs(NONE, &["Devices", "Mounts", "BlkioWeight"]),
        ],
    ),
    (
        "container inspect shop-web",
        &[
            Same(&[
                "Id",
                "Created",
                "Path",
                "Args",
                "State.Running",
                "State.Status",
                "State.ExitCode",
                "State.Health.Status",
                "State.Pid",
                "State.StartedAt",
                "State.FinishedAt",
                "State.OOMKilled",
                "State.Error",
                "Image",
                "ImageName",
                "Pod",
                "Name",
                "RestartCount",
                "MountLabel",
                "AppArmorProfile",
                "Namespace",
                "ProcessLabel",
                "IsInfra",
                "IsService",
                "Dependencies",
                "Config.Hostname",
                "Config.User",
                "Config.Cmd",
                "Config.WorkingDir",
                "Config.Image",
                "Config.Tty",
                "Config.OpenStdin",
                "Config.Healthcheck",
                "HostConfig.NetworkMode",
                "HostConfig.ReadonlyRootfs",
                "HostConfig.SecurityOpt",
                "HostConfig.LogConfig.Type",
                "HostConfig.LogConfig.Size",
                "HostConfig.LogConfig.Tag",
                "HostConfig.AutoRemove",
                "HostConfig.ContainerIDFile",
                "HostConfig.CpuPeriod",
                "HostConfig.CpuQuota",
                "HostConfig.NanoCpus",
                "HostConfig.Devices",
                "HostConfig.IpcMode",
                "HostConfig.PidMode",
                "HostConfig.UTSMode",
                "HostConfig.UsernsMode",
                "HostConfig.Memory",
                "HostConfig.MemoryReservation",
                "HostConfig.Privileged",
                "HostConfig.PublishAllPorts",
                "HostConfig.RestartPolicy.Name",
                "HostConfig.CapAdd",
                "HostConfig.CapDrop",
                "HostConfig.Dns",
                "HostConfig.ExtraHosts",
                "HostConfig.PidsLimit",
                "HostConfig.Tmpfs",
                "HostConfig.VolumesFrom",
                "HostConfig.GroupAdd",
                "HostConfig.Cgroups",
                "HostConfig.CgroupManager",
                "HostConfig.OomScoreAdj",
                "NetworkSettings.MacAddress",
            ]),
            Differs(ENGINE, &["Driver", "OCIRuntime"]),
            Differs(PLACES, &["State.CgroupPath", "Mounts"]),
            Differs(NAMES, &["NetworkSettings.Networks"]),
            Differs(
                NEWER,
                &[
                    "Config.Entrypoint",
                    "Config.StopSignal",
                    "Config.Umask",
                    "NetworkSettings.Ports",
                ],
            ),
            Differs(
                "containers.conf's defaults of podman 4.4 and later: three fewer",
                &["EffectiveCaps", "BoundingCaps"],
            ),
            Differs(
                "what the manifest and the image say, not what every container gets",
                &["Config.Env"],
            ),
            Differs(
                "a container has its pod's labels; the image's are in `image inspect`",
                &["Config.Labels"],
            ),
            Differs(
                "the manifest's, without podman's own notes",
                &["Config.Annotations"],
            ),
            Differs("Kubernetes' default of 30 seconds", &["Config.StopTimeout"]),
            Differs(
                "a named volume is mounted as any directory",
                &["HostConfig.Binds"],
            ),
            Differs(
                "the pod's, which every container of it shares; podman tells them of the infra container",
                &[
                    "HostConfig.PortBindings",
                    "NetworkSettings.IPAddress",
                    "NetworkSettings.Gateway",
                ],
            ),
            Differs(
                "64 MiB, where podman 4.3 has 65 536 000 bytes",
                &["HostConfig.ShmSize"],
            ),
            Differs(
                "the container has the limits of the engine; none are set",
                &["HostConfig.Ulimits"],
            ),
            Differs(
                NONE,
                &[
                    "State.ConmonPid",
                    "Config.SdNotifyMode",
                    "Config.Volumes",
                    "HostConfig.CpuShares",
                    "HostConfig.MemorySwap",
                ],
            ),
        ],
    ),
    (
        "container inspect shop-done",
        &[Same(&[
            "State.Running",
            "State.Status",
            "State.ExitCode",
            "State.Pid",
            "Path",
            "Args",
            "RestartCount",
        ])],
    ),
    (
        "inspect shop-web",
        &[Same(&[
            "Name",
            "State.Status",
            "ImageName",
            "HostConfig.Memory",
        ])],
    ),
    (
        "volume inspect shop-data",
        &[
            Same(&[
                "Name",
                "Driver",
                "CreatedAt",
                "Labels",
                "Options",
                "Scope",
                "UID",
                "GID",
                "Anonymous",
                "Status",
            ]),
            Differs(PLACES, &["Mountpoint"]),
            Differs(
                "the containers that mount it; podman counts mounts of other drivers",
                &["MountCount"],
            ),
            Differs(
                "an image's files are never copied into a volume, as in Kubernetes",
                &["NeedsCopyUp", "NeedsChown"],
            ),
            Differs(NONE, &["Timeout"]),
        ],
    ),
    (
        "volume ls",
        &[
            Same(&[
                "Name",
                "Driver",
                "CreatedAt",
                "Labels",
                "Options",
                "Scope",
                "UID",
                "GID",
                "Anonymous",
            ]),
            Differs(PLACES, &["Mountpoint"]),
            Differs(
                "the containers that mount it; podman counts mounts of other drivers",
                &["MountCount"],
            ),
        ],
    ),
    (
        "images --filter reference=localhost/box",
        &[
            Same(&[
                "ID",
                "Id",
                "Repository",
                "Tag",
                "Created",
                "CreatedSince",
                "Names",
                "Containers",
                "Labels",
                "RepoTags",
                "Digest",
                "RepoDigests",
                "Dangling",
                "SharedSize",
                "ReadOnly",
                "History",
                "ParentId",
                "Size",
            ]),
            Differs(
                "podman cuts fractions of a second",
                &["CreatedAt", "CreatedTime"],
            ),
            Differs(
                "the archive between the two has another manifest and size",
                &["VirtualSize"],
            ),
        ],
    ),
    (
        "image inspect localhost/box",
        &[
            Same(&[
                "Id",
                "RepoTags",
                "Digest",
                "RepoDigests",
                "Parent",
                "Comment",
                "Created",
                "Config.Env",
                "Config.Cmd",
                "Config.Entrypoint",
                "Config.ExposedPorts",
                "Config.Labels",
                "Config.User",
                "Config.WorkingDir",
                "Version",
                "Author",
                "Architecture",
                "Os",
                "RootFS.Type",
                "RootFS.Layers",
                "Labels",
                "Annotations",
                "User",
                "NamesHistory",
                "HealthCheck",
            ]),
            Differs(ENGINE, &["GraphDriver.Name"]),
            Differs(
                "the archive between the two has another manifest and size",
                &["Size", "VirtualSize", "ManifestType"],
            ),
        ],
    ),
    (
        "info",
        &[
            Same(&[
                "Host.Arch",
                "Host.LogDriver",
                "Host.CgroupManager",
                "Host.CgroupsVersion",
                "Host.CPUs",
                "Host.Hostname",
                "Host.Kernel",
                "Host.OS",
                "Host.MemTotal",
                "Host.SwapTotal",
                "Host.Security.Rootless",
                "Host.Security.SECCOMPEnabled",
                "Host.Security.SELinuxEnabled",
                "Host.Security.AppArmorEnabled",
                "Host.Distribution.Distribution",
                "Host.Distribution.Version",
                "Host.Distribution.Codename",
                "Host.ServiceIsRemote",
                "Store.GraphRootAllocated",
                "Store.GraphOptions",
                "Store.ContainerStore.Stopped",
                "Store.ContainerStore.Paused",
                "Plugins.Volume",
                "Version.OsArch",
                "Version.Os",
            ]),
            Differs(
                ENGINE,
                &[
                    "Host.OCIRuntime.Name",
                    "Host.OCIRuntime.Path",
                    "Host.NetworkBackend",
                    "Store.GraphDriverName",
                    "Version.Version",
                    "Plugins.Network",
                    "Plugins.Log",
                ],
            ),
            Differs(
                PLACES,
                &["Store.GraphRoot", "Store.RunRoot", "Store.VolumePath"],
            ),
            Differs(
                INFRA,
                &[
                    "Store.ContainerStore.Number",
                    "Store.ContainerStore.Running",
                ],
            ),
            Differs(
                "containers.conf's defaults of podman 4.4 and later: three fewer",
                &["Host.Security.DefaultCapabilities"],
            ),
            Differs(
                NONE,
                &[
                    "Host.EventLogger",
                    "Store.ConfigFile",
                    "Registries",
                    "Host.IDMappings",
                    "Host.Linkmode",
                    "Host.Conmon",
                    "Host.BuildahVersion",
                ],
            ),
        ],
    ),
    (
        "version",
        &[
            Same(&["Client.Os", "Client.OsArch", "Server"]),
            Differs(ENGINE, &["Client.Version"]),
            Differs(
                "it is no Go program, and its build is told by the version alone",
                &[
                    "Client.GoVersion",
                    "Client.APIVersion",
                    "Client.GitCommit",
                    "Client.Built",
                    "Client.BuiltTime",
                ],
            ),
        ],
    ),
];

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: shop, labels: {app: shop, tier: front}, annotations: {note: hello}}
spec:
  hostname: front
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: localhost/box
    command: [sleep]
    args: ['1000']
    workingDir: /www
    env: [{name: PORT, value: '8080'}]
    ports: [{containerPort: 80, hostPort: 18081}]
    resources: {limits: {memory: 64Mi}}
    volumeMounts: [{name: data, mountPath: /data}, {name: host, mountPath: /host, readOnly: true}]
  - name: done
    image: localhost/box
    command: [sh, -c, exit 3]
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: shop-data}}
  - {name: host, hostPath: {path: /usr/share}}
";

/// podman with directories of its own, in the host's network.
struct Podman<'h> {
    host: &'h Host,
    dir: PathBuf,
}

impl<'h> Podman<'h> {
    #[expect(clippy::print_stderr, reason = "a skipped test says what it lacks")]
    fn new(host: &'h Host) -> Option<Self> {
        let programs = [
            "/usr/bin/podman",
            "/usr/sbin/runc",
            "/usr/bin/conmon",
            "/usr/sbin/iptables",
        ];
        if !is_root_with(&programs) {
            return None;
        }
        // Others answer otherwise, and what of it is meant the table does not say.
        let version = Command::new("/usr/bin/podman").arg("--version").output();
        let version = String::from_utf8(version.expect("podman runs").stdout).expect("text");
        if !version.starts_with("podman version 4.3.") {
            eprintln!("skipped: lacks podman 4.3, has {}", version.trim_end());
            return None;
        }
        // On cgroup v2 it denies a pod every device, unless systemd makes its cgroups.
        if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            eprintln!("skipped: lacks cgroup v1");
            return None;
        }
        let dir = host.dir().join("podman");
        std::fs::create_dir(&dir).expect("directory");
        // What containers.conf has by default is more than the tests' own limits allow.
        let limits =
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        std::fs::write(dir.join("containers.conf"), limits).expect("file");
        Some(Self { host, dir })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let place = |name: &str| self.dir.join(name);
        let mut command = Command::new("/usr/bin/podman");
        for (flag, name) in [
            ("--root", "root"),
            ("--runroot", "run"),
            ("--tmpdir", "tmp"),
            ("--network-config-dir", "net"),
        ] {
            command.arg(flag).arg(place(name));
        }
        command
            .args(["--runtime", "runc", "--cgroup-manager", "cgroupfs"])
            .args(["--storage-driver", "vfs", "--events-backend", "none"])
            .args(arguments)
            .env("CONTAINERS_CONF", place("containers.conf"))
            .stdin(Stdio::null());
        self.host
            .run_in(move || command.output().expect("podman runs"))
    }

    #[track_caller]
    fn expect(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        self.run(&["pod", "rm", "--force", "--time", "0", "--all"]);
    }
}

/// Makes the same image for both.
fn load(host: &Host, podman: &Podman<'_>) {
    let root = host.dir().join("box");
    let bin = root.join("bin");
    for directory in ["bin", "etc", "tmp", "www", "data", "host"] {
        std::fs::create_dir_all(root.join(directory)).expect("directory");
    }
    std::fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox");
    for applet in ["sh", "sleep"] {
        std::os::unix::fs::symlink("busybox", bin.join(applet)).expect("link");
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").expect("file");
    let path = |name: &str| host.dir().join(name).display().to_string();
    let (tar, archive) = (path("box.tar"), path("box-image.tar"));
    let packed = Command::new("tar")
        .args(["-C", &path("box"), "-cf", &tar, "."])
        .status()
        .expect("tar runs");
    assert!(packed.success());
    let changes = [
        "--change=CMD [\"sh\"]",
        "--change=ENV PATH=/bin",
        "--change=EXPOSE 80/tcp",
        "--change=LABEL maker=me",
    ];
    let mut import = vec!["import"];
    import.extend(changes);
    import.extend([tar.as_str(), "localhost/box"]);
    podman.expect(&import);
    podman.expect(&["save", "--output", &archive, "localhost/box"]);
    host.run(&["load", "--input", &archive]).expect();
}

/// Puts a word for what is different at every run: ids, moments, ages, process ids.
fn normal(text: &str, field: &str) -> String {
    let text = text.trim_end();
    if field == "State.Pid" {
        return if text == "0" { "none" } else { "some" }.to_owned();
    }
    if text.contains(" ago") && !text.starts_with("Up") && !text.starts_with("Exited") {
        return "some time ago".to_owned();
    }
    if text.ends_with("+0000 UTC") && !text.starts_with("0001-") && !field.starts_with("CreatedT") {
        let fraction = if text.contains('.') {
            "with"
        } else {
            "without"
        };
        return format!("a moment {fraction} a fraction");
    }
    let mut out = String::new();
    let is_hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let end = rest.find(|letter| !is_hex(letter)).unwrap_or(rest.len());
        if end == 12 || end == 64 {
            let _ = write!(out, "<id of {end}>");
            rest = &rest[end..];
        } else {
            let end = end.max(letter.len_utf8());
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    out
}

#[test]
fn podmans_templates_give_podmans_answers_or_differ_for_a_reason() {
    let Some(host) = Host::new() else { return };
    let Some(podman) = Podman::new(&host) else {
        return;
    };
    load(&host, &podman);
    // One after the other has the port.
    let file = host.write("shop", POD);
    let file = host.dir().join("files").join(file).display().to_string();
    let answers = |ask: &dyn Fn(&[&str]) -> String| -> Vec<String> {
        let mut answers = Vec::new();
        for (command, fields) in TABLE {
            for field in fields.iter().flat_map(Answer::fields) {
                let template = format!("{{{{.{field}}}}}");
                let mut arguments: Vec<&str> = command.split(' ').collect();
                arguments.extend(["--format", &template]);
                answers.push(normal(&ask(&arguments), field));
            }
        }
        answers
    };
    podman.expect(&["kube", "play", &file]);
    podman.expect(&["wait", "shop-done"]);
    let theirs =
        answers(&|arguments| String::from_utf8_lossy(&podman.run(arguments).stdout).into_owned());
    podman.expect(&["pod", "rm", "--force", "--time", "0", "shop"]);
    host.run(&["kube", "play", &file]).expect();
    host.run(&["wait", "shop-done"]).expect();
    let ours = answers(&|arguments| match host.run(arguments) {
        ran if ran.code == Some(0) => ran.stdout,
        _ => "there is no such field".to_owned(),
    });

    let mut faults = Vec::new();
    let mut answers = theirs.iter().zip(&ours);
    let (mut same, mut different) = (0, 0);
    for (command, fields) in TABLE {
        for answer in *fields {
            for field in answer.fields() {
                let (theirs, ours) = answers.next().expect("an answer for each");
                let fault = match answer {
                    Same(_) => {
                        same += 1;
                        theirs != ours
                    }
                    Differs(..) => {
                        different += 1;
                        theirs == ours
                    }
                };
                if fault {
                    faults.push(format!(
                        "{command} .{field}: podman {theirs:?}, we {ours:?}"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        same > 200 && different > 80,
        "{same} the same, {different} different"
    );
}

impl Answer {
    fn fields(&self) -> &'static [&'static str] {
        match self {
            Same(fields) | Differs(_, fields) => fields,
        }
    }
}

#[test]
fn the_list_of_answers_that_differ_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/podman-formats.md");
    let text = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("docs")).expect("docs");
        std::fs::write(&path, &text).expect("written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written, text,
        "run `UPDATE=1 cargo test --test play the_list`"
    );
}

fn document() -> String {
    let mut text = String::from(
        "# podman's templates\n\n\
         What `--format '{{.FIELD}}'` answers, compared with podman 4.3.1 on the same pod. The table is that of\n\
         `tests/play/podman.rs`, which asks both programs where podman is installed: an answer that is listed here and is\n\
         podman's again is a failure of the test as well.\n",
    );
    for (command, fields) in TABLE {
        let _ = write!(text, "\n## `{command}`\n\n");
        for answer in *fields {
            if let Same(fields) = answer {
                let _ = writeln!(text, "podman's answers: {}.", listed(fields));
            }
        }
        let differs = |answer: &&Answer| matches!(answer, Differs(..));
        if fields.iter().any(|answer| differs(&answer)) {
            text.push_str("\n| fields | why not podman's answer |\n|---|---|\n");
        }
        for answer in *fields {
            if let Differs(reason, fields) = answer {
                let _ = writeln!(text, "| {} | {reason} |", listed(fields));
            }
        }
    }
    text
}

fn listed(fields: &[&str]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    fields.join(", ")
}
