//! One pod with everything that lists show, at fixed times.

use jiff::Timestamp;

use crate::image::{ImageConfig, ImageRecord};
use crate::manifest::{ReadOptions, Source, read};
use crate::model::observed::{ContainerRecord, LastEnd, Observed, ObservedPod, PodRecord};
use crate::model::state::{BootId, BootMillis, ContainerState, ExitStatus, ProcessRef, WaitReason};
use crate::names::{ContainerId, Digest, ImageId, ImageRef, ObjectName, PodId};
use crate::translate::{PlayOptions, translate};

pub(super) const NOW: &str = "2024-05-01T12:00:00Z";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(digit: char) -> String {
    String::from(digit).repeat(64)
}

pub(super) fn image() -> ImageRecord {
    ImageRecord {
        id: ImageId::parse(&id('e')).unwrap(),
        digest: Digest::parse(&format!("sha256:{}", id('d'))).unwrap(),
        names: vec![ImageRef::parse("localhost/bb:latest").unwrap()],
        layers: Vec::new(),
        config: ImageConfig {
            cmd: vec!["sh".to_owned()],
            env: vec!["PATH=/bin".to_owned(), "A=image".to_owned()],
            ..ImageConfig::default()
        },
        created: at("2024-04-01T12:00:00Z"),
        size: 1_997_895,
        architecture: "amd64".to_owned(),
        os: "linux".to_owned(),
    }
}

const MANIFEST: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: x}, annotations: {note: read me}}
spec:
  hostname: shop
  terminationGracePeriodSeconds: 7
  securityContext: {runAsUser: 1000, runAsGroup: 2000}
  volumes:
  - {name: data, emptyDir: {}}
  - {name: host, hostPath: {path: /srv}}
  containers:
  - name: a
    image: localhost/bb
    command: [sleep]
    args: [\"1000\"]
    env:
    - {name: A, value: \"1\"}
    - {name: S, valueFrom: {secretKeyRef: {name: s, key: password}}}
    ports: [{containerPort: 80, hostPort: 8080}]
    resources: {limits: {memory: 64Mi, cpu: 500m}}
    securityContext: {capabilities: {add: [NET_ADMIN], drop: [CHOWN]}, readOnlyRootFilesystem: true}
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: host, mountPath: /srv, readOnly: true}
  - {name: b, image: localhost/bb}
  - {name: c, image: localhost/bb}
  - {name: d, image: localhost/bb}
";

/// Container `a` runs, `b` has ended, `c` waits in its back-off, `d` was never started.
pub(super) fn observed() -> Observed {
    let reading = read(
        &[Source::new("web.yaml", MANIFEST)],
        &ReadOptions::default(),
    );
    let objects = reading
        .objects
        .iter()
        .filter_map(|read| read.object.as_ref());
    let translated = translate(objects, &PlayOptions::new("/".into()));
    let spec = translated.application.pods.into_iter().next().unwrap();
    let pod = PodId::parse(&id('1')).unwrap();
    let process = ProcessRef {
        pid: 4711,
        start_time: 1,
        boot: BootId("boot".to_owned()),
    };
    let mut containers: Vec<ContainerRecord> = spec
        .containers
        .iter()
        .zip("abcd".chars())
        .map(|(container, digit)| {
            let id = ContainerId::parse(&id(digit)).unwrap();
            let created = at("2024-05-01T11:00:00Z");
            ContainerRecord::new(id, pod.clone(), container, image().id, created)
        })
        .collect();
    let end = |code, at| LastEnd {
        status: ExitStatus::Code(code),
        at,
    };
    containers[0].state = ContainerState::Running {
        process,
        since: at("2024-05-01T11:57:00Z"),
    };
    containers[0].started = Some(at("2024-05-01T11:57:00Z"));
    containers[1].state = ContainerState::Exited {
        status: ExitStatus::Code(0),
        at: at("2024-05-01T11:59:58Z"),
    };
    containers[1].started = Some(at("2024-05-01T11:58:00Z"));
    containers[2].state = ContainerState::Waiting {
        reason: WaitReason::CrashLoopBackOff,
        boot: BootId("boot".to_owned()),
        until: BootMillis(1),
    };
    containers[2].last_end = Some(end(3, at("2024-05-01T11:59:00Z")));
    containers[2].restarts = 4;
    Observed {
        pods: vec![ObservedPod {
            record: PodRecord {
                id: pod,
                application: ObjectName::parse("web").unwrap(),
                created: at("2024-05-01T11:00:00Z"),
                infra: ContainerId::parse(&id('f')).unwrap(),
                addresses: Vec::new(),
                standing: crate::model::observed::Standing::Serving,
                log_driver: crate::model::observed::LogDriver::default(),
                volume_images: Default::default(),
                spec,
            },
            containers,
        }],
        ..Observed::default()
    }
}
