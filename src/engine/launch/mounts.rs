//! Everything that is mounted into a container, in the order it is mounted.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{Mount as OciMount, MountBuilder};

use super::env::{Environment, expand};
use super::{
    CgroupDirectory, CgroupLayout, LaunchError, PodFiles, ResolvedVolume, Source, SourceKind,
};
use crate::model::container::ContainerSpec;
use crate::model::volume::{Mount, Propagation, SubPath};
use crate::names::VolumeName;

/// What podman hides, because it tells of the host or reaches it.
pub(super) const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/sys/dev/block",
];

/// What podman makes read-only.
pub(super) const READ_ONLY: [&str; 6] = [
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Where cgroups are looked for in containers.
const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// What the mounts of a container are decided from.
pub(super) struct MountFacts<'a> {
    pub(super) container: &'a ContainerSpec,
    pub(super) bundle: &'a Path,
    pub(super) files: &'a PodFiles,
    pub(super) volumes: &'a BTreeMap<VolumeName, ResolvedVolume>,
    pub(super) cgroups: &'a CgroupLayout,
    pub(super) cgroup: &'a str,
    pub(super) env: &'a Environment,
}

/// The mounts of a container, and what a stage must prepare for them first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mounts {
    pub(super) mounts: Vec<OciMount>,
    pub(super) sources: Vec<Source>,
    pub(super) propagates: bool,
}

/// Decides the mounts of a container: ours, then its volumes from the outermost path inwards.
pub(super) fn mounts(facts: &MountFacts<'_>) -> Result<Mounts, LaunchError> {
    let privileged = facts.container.privileges.privileged == Some(true);
    let mut volumes: Vec<&Mount> = facts.container.mounts.iter().collect();
    volumes.sort_by_key(|mount| depth(&mount.path));
    let taken = |path: &Path| volumes.iter().any(|mount| normal(&mount.path) == path);
    let mut decided = Mounts {
        mounts: system_mounts(facts, privileged),
        ..Mounts::default()
    };
    add_cgroups(&mut decided, facts, privileged);
    decided.mounts.extend(file_mounts(facts));
    decided.mounts.retain(|mount| !taken(mount.destination()));
    for mount in volumes {
        add_volume(&mut decided, facts, mount)?;
    }
    Ok(decided)
}

fn depth(path: &Path) -> usize {
    normal(path).components().count()
}

/// Mount paths in manifests may end in a slash or have a dot; `..` was refused by the rules.
fn normal(path: &Path) -> PathBuf {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_));
    Path::new("/").join(path.components().filter(named).collect::<PathBuf>())
}

fn system_mounts(facts: &MountFacts<'_>, privileged: bool) -> Vec<OciMount> {
    let access = if privileged { "rw" } else { "ro" };
    vec![
        filesystem("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        filesystem(
            "/dev",
            "tmpfs",
            &["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
        ),
        filesystem("/sys", "sysfs", &["nosuid", "noexec", "nodev", access]),
        filesystem(
            "/dev/pts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        filesystem("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        bind(
            &facts.files.shm,
            "/dev/shm",
            &["rprivate", "nosuid", "noexec", "nodev"],
        ),
    ]
}

/// On version 1 the stage puts the controllers' directories together: a runtime that mounts them reads
/// `/proc/PID/cgroup`, which is another process's in a PID namespace that was joined, and one that binds them one by
/// one looks for the place of each.
fn add_cgroups(decided: &mut Mounts, facts: &MountFacts<'_>, writable: bool) {
    let mount = match facts.cgroups {
        CgroupLayout::V1(hierarchies) => {
            let kind = SourceKind::Cgroups {
                directories: directories(hierarchies, facts.cgroup),
                read_only: !writable,
            };
            let source = prepared(decided, facts, kind);
            bind(&source, CGROUP_ROOT, &["rprivate"])
        }
        CgroupLayout::V2 => {
            let access = if writable { "rw" } else { "ro" };
            let options = ["nosuid", "noexec", "nodev", "relatime", access];
            filesystem(CGROUP_ROOT, "cgroup", &options)
        }
    };
    decided.mounts.push(mount);
}

fn directories(hierarchies: &[PathBuf], cgroup: &str) -> Vec<CgroupDirectory> {
    let mut directories = Vec::new();
    for hierarchy in hierarchies {
        let Some(name) = hierarchy.file_name().map(|name| name.to_string_lossy()) else {
            continue;
        };
        // `cpu,cpuacct` is one hierarchy of two controllers, each also found by its own name.
        let parts = name.split(',').filter(|_| name.contains(','));
        directories.extend(std::iter::once(name.as_ref()).chain(parts).map(|name| {
            CgroupDirectory {
                name: name.to_owned(),
                path: hierarchy.join(cgroup.trim_start_matches('/')),
            }
        }));
    }
    directories
}

fn file_mounts(facts: &MountFacts<'_>) -> Vec<OciMount> {
    let message = &facts.container.termination_message.path;
    let files = facts.files;
    [
        (&files.hosts, Path::new("/etc/hosts")),
        (&files.hostname, Path::new("/etc/hostname")),
        (&files.resolv_conf, Path::new("/etc/resolv.conf")),
        (&files.termination_message, message),
    ]
    .into_iter()
    .filter_map(|(source, target)| Some(bind(source.as_ref()?, normal(target), &["rprivate"])))
    .collect()
}

fn add_volume(
    decided: &mut Mounts,
    facts: &MountFacts<'_>,
    mount: &Mount,
) -> Result<(), LaunchError> {
    let volume = facts
        .volumes
        .get(&mount.volume)
        .ok_or_else(|| LaunchError::MissingVolume(mount.volume.clone()))?;
    let source = match (&mount.sub_path, mount.propagation) {
        (None, Propagation::Bidirectional) => {
            decided.propagates = true;
            let volume = volume.path.clone();
            prepared(decided, facts, SourceKind::Shared { volume })
        }
        (None, _) => volume.path.clone(),
        (Some(sub_path), _) => {
            let path = match sub_path {
                SubPath::Literal(path) => path.clone(),
                SubPath::Expression(text) => expand(text, facts.env),
            };
            let kind = SourceKind::Beneath {
                volume: volume.path.clone(),
                path: sub_path_in(&path)?,
            };
            prepared(decided, facts, kind)
        }
    };
    let propagation = match mount.propagation {
        Propagation::None => "rprivate",
        Propagation::HostToContainer => "rslave",
        Propagation::Bidirectional => "rshared",
    };
    let read_only = mount.read_only || volume.read_only;
    let mut options = vec![propagation, if read_only { "ro" } else { "rw" }];
    let known =
        |option: &&str| ["noexec", "exec", "nosuid", "suid", "nodev", "dev", "ro"].contains(option);
    let suffix = mount.options.iter().map(String::as_str).filter(known);
    options.extend(suffix);
    options.retain(|option| *option != "rw" || !mount.options.iter().any(|o| o == "ro"));
    decided
        .mounts
        .push(bind(&source, normal(&mount.path), &options));
    Ok(())
}

/// A sub path is checked again here, because `subPathExpr` is known only now.
fn sub_path_in(path: &str) -> Result<PathBuf, LaunchError> {
    let path = Path::new(path);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.components().all(plain) {
        Ok(path.to_owned())
    } else {
        Err(LaunchError::SubPath(path.to_owned()))
    }
}

fn prepared(decided: &mut Mounts, facts: &MountFacts<'_>, kind: SourceKind) -> PathBuf {
    let number = decided.sources.len().to_string();
    let at = facts.bundle.join("sources").join(number);
    decided.sources.push(Source {
        kind,
        at: at.clone(),
    });
    at
}

pub(super) fn filesystem(target: &str, kind: &str, options: &[&str]) -> OciMount {
    MountBuilder::default()
        .destination(target)
        .typ(kind)
        .source(kind)
        .options(owned(options))
        .build()
        .expect("all that is required is given")
}

fn bind(source: &Path, target: impl Into<PathBuf>, options: &[&str]) -> OciMount {
    let mut all = vec!["rbind"];
    all.extend(options);
    MountBuilder::default()
        .destination(target)
        .typ("bind")
        .source(source)
        .options(owned(&all))
        .build()
        .expect("all that is required is given")
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::container;
    use super::*;

    fn volume_mount(volume: &str, path: &str) -> Mount {
        Mount {
            volume: VolumeName::parse(volume).unwrap(),
            path: PathBuf::from(path),
            sub_path: None,
            read_only: false,
            propagation: Propagation::None,
            options: vec![],
        }
    }

    fn decide(mounts_of: Vec<Mount>, cgroups: &CgroupLayout) -> Result<Mounts, LaunchError> {
        let mut spec = container();
        spec.mounts = mounts_of;
        let mut env = Environment::default();
        env.set("A", "a".to_owned());
        env.set("UP", "../..".to_owned());
        let volumes = ["one", "two"].map(|name| {
            let resolved = ResolvedVolume {
                path: Path::new("/v").join(name),
                read_only: name == "two",
            };
            (VolumeName::parse(name).unwrap(), resolved)
        });
        mounts(&MountFacts {
            container: &spec,
            bundle: Path::new("/b"),
            files: &PodFiles {
                shm: PathBuf::from("/shm"),
                hosts: Some(PathBuf::from("/h")),
                hostname: None,
                resolv_conf: None,
                termination_message: Some(PathBuf::from("/t")),
            },
            volumes: &BTreeMap::from(volumes),
            cgroups,
            cgroup: "/p/c",
            env: &env,
        })
    }

    fn at<'a>(decided: &'a Mounts, target: &str) -> Vec<&'a OciMount> {
        let is = |mount: &&OciMount| mount.destination() == Path::new(target);
        decided.mounts.iter().filter(is).collect()
    }

    #[test]
    fn volumes_come_from_the_outermost_inwards_and_take_the_place_of_ours() {
        let mounts = vec![
            volume_mount("one", "/a/b/"),
            volume_mount("two", "/a"),
            volume_mount("one", "/dev/shm"),
            volume_mount("one", "/etc/hosts"),
        ];
        let decided = decide(mounts, &CgroupLayout::V2).unwrap();
        assert_eq!(at(&decided, "/dev/shm").len(), 1);
        assert_eq!(at(&decided, "/etc/hosts").len(), 1);
        let position = |target| {
            decided
                .mounts
                .iter()
                .position(|m| m.destination() == Path::new(target))
        };
        assert!(position("/a") < position("/a/b"));
        let options = |target| at(&decided, target)[0].options().clone().unwrap();
        assert_eq!(options("/a"), ["rbind", "rprivate", "ro"]);
        assert_eq!(options("/a/b"), ["rbind", "rprivate", "rw"]);
        assert_eq!(at(&decided, "/dev/termination-log").len(), 1);
        assert_eq!(at(&decided, "/etc/hostname").len(), 0);
        assert_eq!(
            at(&decided, "/sys/fs/cgroup")[0].typ().as_deref(),
            Some("cgroup")
        );
    }

    #[test]
    fn the_controllers_of_version_1_are_put_together_by_the_stage() {
        let hierarchies = ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory"];
        let layout = CgroupLayout::V1(hierarchies.map(PathBuf::from).to_vec());
        let decided = decide(vec![], &layout).unwrap();
        let directory = |name: &str, path: &str| CgroupDirectory {
            name: name.to_owned(),
            path: PathBuf::from(path),
        };
        let directories = vec![
            directory("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/p/c"),
            directory("cpu", "/sys/fs/cgroup/cpu,cpuacct/p/c"),
            directory("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/p/c"),
            directory("memory", "/sys/fs/cgroup/memory/p/c"),
        ];
        let kind = SourceKind::Cgroups {
            directories,
            read_only: true,
        };
        let at_source = PathBuf::from("/b/sources/0");
        let source = Source {
            kind,
            at: at_source.clone(),
        };
        assert_eq!(decided.sources, [source]);
        assert_eq!(at(&decided, "/sys/fs/cgroup")[0].source(), &Some(at_source));
    }

    #[test]
    fn a_part_of_a_volume_and_a_shared_one_are_prepared_by_the_stage() {
        let mut part = volume_mount("one", "/part");
        part.sub_path = Some(SubPath::Expression("x/$(A)".to_owned()));
        let mut shared = volume_mount("one", "/shared");
        shared.propagation = Propagation::Bidirectional;
        let decided = decide(vec![part.clone(), shared], &CgroupLayout::V2).unwrap();
        assert!(decided.propagates);
        let kinds: Vec<_> = decided.sources.iter().map(|s| s.kind.clone()).collect();
        let volume = PathBuf::from("/v/one");
        let beneath = SourceKind::Beneath {
            volume: volume.clone(),
            path: PathBuf::from("x/a"),
        };
        assert_eq!(kinds, [beneath, SourceKind::Shared { volume }]);
        let source = Some(PathBuf::from("/b/sources/0"));
        assert_eq!(at(&decided, "/part")[0].source(), &source);
        part.sub_path = Some(SubPath::Expression("$(UP)".to_owned()));
        let outside = decide(vec![part], &CgroupLayout::V2);
        assert!(matches!(outside, Err(LaunchError::SubPath(_))));
    }

    #[test]
    fn a_volume_that_was_not_resolved_is_named() {
        let missing = decide(vec![volume_mount("three", "/x")], &CgroupLayout::V2);
        assert!(matches!(missing, Err(LaunchError::MissingVolume(_))));
    }
}
