//! What a launch looks like as a whole, and the specs the tests of this module begin with.

use super::*;
use crate::model::container::CAPABILITIES;
use crate::model::container::{FieldRef, ResourceRef};
use crate::model::for_tests;

pub(super) fn pod() -> PodSpec {
    let mut spec = for_tests::pod("web");
    spec.infra.supplemental_groups = vec![7, 8];
    spec.infra.fs_group = Some(8);
    spec
}

pub(super) fn container() -> ContainerSpec {
    serde_json::from_value(serde_json::json!({
        "name": "app",
        "role": "App",
        "image": "localhost/app:1",
        "pull": "Never",
        "process": {"limits": {}, "security": {}},
        "privileges": {},
        "probes": {},
        "lifecycle": {},
        "terminal": {"tty": false, "stdin": false, "stdinOnce": false},
        "terminationMessage": {"path": "/dev/termination-log", "policy": "File"},
    }))
    .expect("the form of a container")
}

pub(super) fn host() -> HostFacts {
    HostFacts {
        cgroups: CgroupLayout::V2,
        swap_limits: true,
        capabilities: CAPABILITIES
            .iter()
            .map(|name| Capability::parse(name).unwrap())
            .collect(),
        open_files: 4096,
        processes: 100,
        kernel: (6, 1),
    }
}

struct Nothing;

impl Values for Nothing {
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

fn launch(pod: &PodSpec, container: &ContainerSpec) -> Result<Launch, LaunchError> {
    let image = ImageConfig {
        entrypoint: vec!["/run".to_owned()],
        user: "web:web".to_owned(),
        working_dir: "srv".to_owned(),
        ..ImageConfig::default()
    };
    let facts = LaunchFacts {
        site: Site {
            id: ContainerId::parse(&"a".repeat(64)).unwrap(),
            pod: PathBuf::from("/p"),
            bare_namespace: None,
            bundle: PathBuf::from("/b"),
            rootfs: RootFs {
                lower: vec![PathBuf::from("/l")],
                upper: PathBuf::from("/u"),
                work: PathBuf::from("/w"),
            },
            cgroup: "/podwright/p/app".to_owned(),
            filters: PathBuf::from("/f"),
        },
        runtime: None,
        image: &image,
        hostname: "web",
        namespaces: &JoinedNamespaces {
            net: Some(PathBuf::from("/ns/net")),
            ..JoinedNamespaces::default()
        },
        files: &PodFiles {
            shm: PathBuf::from("/shm"),
            hosts: None,
            hostname: None,
            resolv_conf: None,
            termination_message: None,
        },
        volumes: &BTreeMap::new(),
        devices: &[],
        mounted_devices: &[],
        values: &Nothing,
        seccomp_profile: None,
        host: &host(),
    };
    decide(pod, container, facts).map(Launch::written_out)
}

fn user(uid: u32) -> User {
    User {
        uid,
        gid: 100,
        groups: vec![5, 7],
        home: None,
    }
}

#[test]
fn a_launch_survives_the_way_to_its_stage() {
    let launch = launch(&pod(), &container()).unwrap();
    let text = serde_json::to_string(&launch).unwrap();
    assert_eq!(serde_json::from_str::<Launch>(&text).unwrap(), launch);
    let process = launch.spec.process().as_ref().unwrap();
    assert_eq!(process.cwd(), Path::new("/srv"));
    assert_eq!(process.no_new_privileges(), None);
    let limits: Vec<u64> = process
        .rlimits()
        .iter()
        .flatten()
        .map(PosixRlimit::hard)
        .collect();
    assert_eq!(limits, [4096, 100]);
}

#[test]
fn the_user_decides_ids_groups_capabilities_and_home() {
    let decided = launch(&pod(), &container()).unwrap();
    assert_eq!(decided.user.user, "web:web");
    for (uid, capabilities, home) in [(0, 11, "HOME=/root"), (1000, 0, "HOME=/")] {
        let launch = decided.clone().with_user(&user(uid)).unwrap();
        let process = launch.spec.process().as_ref().unwrap();
        let ids = process.user();
        assert_eq!((ids.uid(), ids.gid(), ids.umask()), (uid, 100, Some(0o022)));
        assert_eq!(ids.additional_gids().as_ref().unwrap(), &[100, 5, 7, 8]);
        let sets = process.capabilities().as_ref().unwrap();
        assert_eq!(sets.effective().as_ref().unwrap().len(), capabilities);
        assert_eq!(sets.bounding().as_ref().unwrap().len(), 11);
        assert!(process.env().as_ref().unwrap().contains(&home.to_owned()));
    }
}

#[test]
fn what_the_pod_says_holds_unless_the_container_says_otherwise() {
    let (mut pod, mut container) = (pod(), container());
    pod.infra.process.security.run_as_user = Some(0);
    pod.infra.process.security.run_as_group = Some(42);
    pod.infra.process.security.run_as_non_root = Some(true);
    pod.infra.process.security.seccomp = Some(SeccompProfile::Unconfined);
    let decided = launch(&pod, &container).unwrap();
    assert!(decided.spec.linux().as_ref().unwrap().seccomp().is_none());
    assert_eq!(
        (decided.user.user.as_str(), decided.user.group),
        ("0", Some(42))
    );
    assert!(matches!(
        decided.with_user(&user(0)),
        Err(LaunchError::RunsAsRoot)
    ));
    container.process.security.run_as_user = Some(9);
    container.process.security.seccomp = Some(SeccompProfile::RuntimeDefault);
    let decided = launch(&pod, &container).unwrap();
    assert!(decided.spec.linux().as_ref().unwrap().seccomp().is_some());
    let decided = decided.with_user(&user(9)).unwrap();
    let process = decided.spec.process().as_ref().unwrap();
    assert_eq!((process.user().uid(), process.user().gid()), (9, 42));
}

#[test]
fn a_privileged_container_is_neither_filtered_nor_masked() {
    let mut spec = container();
    let masks = |container: &ContainerSpec| {
        let launch = launch(&pod(), container).unwrap();
        let linux = launch.spec.linux().clone().unwrap();
        let count = |paths: &Option<Vec<String>>| paths.as_ref().map_or(0, Vec::len);
        (
            count(linux.masked_paths()),
            count(linux.readonly_paths()),
            linux.seccomp().is_some(),
        )
    };
    assert_eq!(masks(&spec), (11, 6, true));
    spec.privileges.proc_mount = Some(ProcMount::Unmasked);
    assert_eq!(masks(&spec), (0, 0, true));
    spec.privileges = Privileges {
        privileged: Some(true),
        allow_escalation: Some(true),
        ..Privileges::default()
    };
    assert_eq!(masks(&spec), (0, 0, false));
}

#[test]
fn namespaces_are_joined_made_or_left_as_decided() {
    let joined = JoinedNamespaces {
        net: Some(PathBuf::from("/n")),
        pid: PidChoice::Joined(PathBuf::from("/p")),
        ..JoinedNamespaces::default()
    };
    let kinds = |joined: &JoinedNamespaces, cgroups: &CgroupLayout| -> Vec<String> {
        namespaces(joined, cgroups)
            .iter()
            .map(|n| format!("{}{}", n.typ(), n.path().as_ref().map_or("", |_| "=")))
            .collect()
    };
    let v1 = CgroupLayout::V1(vec![]);
    assert_eq!(kinds(&joined, &v1), ["mnt", "net=", "pid="]);
    let host = JoinedNamespaces {
        pid: PidChoice::Host,
        ..JoinedNamespaces::default()
    };
    assert_eq!(kinds(&host, &CgroupLayout::V2), ["mnt", "cgroup"]);
}
