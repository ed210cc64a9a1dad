//! A pod in which every leaf is set to a value that stands nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use podwright::model::container::{
    Capability, ContainerSpec, Device, Divisor, EnvFrom, EnvSource, EnvValue, EnvVar, FieldRef,
    Handler, HttpHeader, HttpScheme, KeyRef, Lifecycle, Limits, PortRef, Privileges, Probe, Probes,
    ProcMount, ProcessSpec, PullPolicy, ResourceField, ResourceRef, Role, SeccompProfile,
    SecuritySettings, StopSignal, Terminal, TerminationMessage, TerminationMessagePolicy,
};
use podwright::model::infra::{
    EtcHostname, FsGroupChange, HostsFile, InfraSpec, IpcNamespace, PidNamespace, SharedNamespaces,
    UserNamespace,
};
use podwright::model::network::{
    Attachment, ContainerPort, DnsPolicy, DnsSpec, HostPort, HostsEntry, NetworkSpec, Protocol,
};
use podwright::model::pod::{ContainerNaming, PodSpec, RestartPolicy};
use podwright::model::quantity::{Bytes, MilliCpu, Seconds};
use podwright::model::volume::{
    DownwardFile, DownwardValue, FileMode, HostPathKind, KeyItem, KeyProjection, Medium, Mount,
    ProjectedSource, ProjectionForm, Propagation, SubPath, VolumeSpec,
};

/// Draws values that stand nowhere else, and remembers them.
#[derive(Default)]
pub(crate) struct Sentinels {
    /// Each value as its JSON leaf reads.
    pub(crate) given: Vec<String>,
}

impl Sentinels {
    /// Numbers fit into a file's mode, the narrowest type there is.
    fn number(&mut self) -> u16 {
        let number = 101 + u16::try_from(self.given.len()).unwrap();
        assert!(number <= 0o777);
        self.given.push(number.to_string());
        number
    }

    fn seconds(&mut self) -> Seconds {
        Seconds(self.number().into())
    }

    fn text(&mut self) -> String {
        self.made(|number| format!("s{number}"))
    }

    fn path(&mut self) -> PathBuf {
        self.made(|number| format!("/s{number}")).into()
    }

    fn ip(&mut self) -> IpAddr {
        let mut ip = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        self.made(|number| {
            let [high, low] = number.to_be_bytes();
            ip = IpAddr::V4(Ipv4Addr::new(10, 9, high, low));
            ip.to_string()
        });
        ip
    }

    fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> T {
        self.text().parse().unwrap()
    }

    fn map(&mut self) -> BTreeMap<String, String> {
        BTreeMap::from([(self.text(), self.text())])
    }

    fn made(&mut self, make: impl FnOnce(u16) -> String) -> String {
        let number = 101 + u16::try_from(self.given.len()).unwrap();
        let text = make(number);
        self.given.push(text.clone());
        text
    }
}

/// Returns a pod with every field there is; a new field does not compile until it has its sentinel.
pub(crate) fn pod(s: &mut Sentinels) -> PodSpec {
    PodSpec {
        name: s.name(),
        namespace: Some(s.name()),
        labels: s.map(),
        annotations: s.map(),
        infra: infra(s),
        init_containers: vec![bare(s, Role::Init), bare(s, Role::Sidecar)],
        containers: vec![container(s)],
        volumes: volumes(s),
        restart_policy: RestartPolicy::OnFailure,
        termination_grace: s.seconds(),
        active_deadline: Some(s.seconds()),
        service_account: Some(s.name()),
        image_pull_secrets: vec![s.name()],
        naming: ContainerNaming::Bare,
    }
}

fn infra(s: &mut Sentinels) -> InfraSpec {
    InfraSpec {
        process: process(s),
        name: Some(s.name()),
        hostname: Some(s.name()),
        subdomain: Some(s.name()),
        network: NetworkSpec::Bridge {
            networks: vec![Attachment {
                network: s.name(),
                address: Some(s.ip()),
                mac: Some(s.text()),
                // Newer than the frozen form, and left out of it while there are none.
                aliases: Vec::new(),
            }],
        },
        dns: DnsSpec {
            policy: DnsPolicy::None,
            nameservers: vec![s.ip()],
            searches: vec![s.text()],
            options: vec![s.text()],
        },
        hosts: HostsFile::Pod {
            aliases: vec![HostsEntry {
                ip: s.ip(),
                names: vec![s.name()],
            }],
        },
        etc_hostname: EtcHostname::Pod,
        shared: SharedNamespaces {
            pid: PidNamespace::Pod,
            ipc: IpcNamespace::Host,
        },
        user_namespace: UserNamespace::Pod,
        sysctls: s.map(),
        supplemental_groups: vec![s.number().into()],
        fs_group: Some(s.number().into()),
        fs_group_change: FsGroupChange::OnRootMismatch,
    }
}

fn process(s: &mut Sentinels) -> ProcessSpec {
    ProcessSpec {
        limits: Limits {
            cpu: Some(MilliCpu(s.number().into())),
            memory: Some(Bytes(s.number().into())),
            cpu_request: Some(MilliCpu(s.number().into())),
            memory_request: Some(Bytes(s.number().into())),
            pids: Some(s.number().into()),
        },
        security: SecuritySettings {
            run_as_user: Some(s.number().into()),
            run_as_group: Some(s.number().into()),
            run_as_non_root: Some(true),
            seccomp: Some(SeccompProfile::Localhost(s.path())),
        },
    }
}

/// A container with what one must have.
fn bare(s: &mut Sentinels, role: Role) -> ContainerSpec {
    ContainerSpec {
        name: s.name(),
        role,
        image: s.name(),
        pull: PullPolicy::Never,
        command: None,
        args: None,
        working_dir: None,
        env_from: Vec::new(),
        env: Vec::new(),
        ports: Vec::new(),
        mounts: Vec::new(),
        devices: Vec::new(),
        process: ProcessSpec::default(),
        privileges: Privileges::default(),
        probes: Probes::default(),
        lifecycle: Lifecycle::default(),
        terminal: Terminal::default(),
        termination_message: TerminationMessage {
            path: s.path(),
            policy: TerminationMessagePolicy::File,
        },
    }
}

fn container(s: &mut Sentinels) -> ContainerSpec {
    ContainerSpec {
        name: s.name(),
        role: Role::App,
        image: s.name(),
        pull: PullPolicy::Newer,
        command: Some(vec![s.text()]),
        args: Some(vec![s.text()]),
        working_dir: Some(s.path()),
        env_from: env_from(s),
        env: env(s),
        ports: vec![ContainerPort {
            name: Some(s.text()),
            port: s.number(),
            protocol: Protocol::Sctp,
            host: Some(HostPort {
                ip: Some(s.ip()),
                port: s.number(),
            }),
        }],
        mounts: mounts(s),
        devices: vec![
            Device::Claim {
                volume: s.name(),
                path: s.path(),
            },
            Device::Host(s.path()),
        ],
        process: process(s),
        privileges: Privileges {
            privileged: Some(true),
            allow_escalation: Some(true),
            read_only_root: Some(true),
            add_capabilities: BTreeSet::from([Capability::parse("SYS_ADMIN").unwrap()]),
            drop_capabilities: BTreeSet::from([Capability::parse("CHOWN").unwrap()]),
            proc_mount: Some(ProcMount::Unmasked),
        },
        probes: probes(s),
        lifecycle: Lifecycle {
            post_start: Some(Handler::Exec {
                command: vec![s.text()],
            }),
            pre_stop: Some(Handler::Sleep(s.seconds())),
            stop_signal: Some(StopSignal::parse("SIGUSR1").unwrap()),
        },
        terminal: Terminal {
            tty: true,
            stdin: true,
            stdin_once: true,
        },
        termination_message: TerminationMessage {
            path: s.path(),
            policy: TerminationMessagePolicy::FallbackToLogsOnError,
        },
    }
}

fn env_from(s: &mut Sentinels) -> Vec<EnvFrom> {
    vec![
        EnvFrom {
            source: EnvSource::ConfigMap(s.name()),
            prefix: s.text(),
            optional: true,
        },
        EnvFrom {
            source: EnvSource::Secret(s.name()),
            prefix: s.text(),
            optional: false,
        },
    ]
}

fn env(s: &mut Sentinels) -> Vec<EnvVar> {
    let key = |s: &mut Sentinels| KeyRef {
        object: s.name(),
        key: s.text(),
        optional: true,
    };
    [
        EnvValue::Literal(s.text()),
        EnvValue::ConfigMapKey(key(s)),
        EnvValue::SecretKey(key(s)),
        EnvValue::Field(FieldRef::Label(s.text())),
        EnvValue::Field(FieldRef::Annotation(s.text())),
        EnvValue::Resource(ResourceRef {
            container: Some(s.name()),
            resource: ResourceField::LimitsCpu,
            divisor: Divisor::Cpu(MilliCpu(s.number().into())),
        }),
    ]
    .into_iter()
    .map(|value| EnvVar {
        name: s.text(),
        value,
    })
    .collect()
}

fn mounts(s: &mut Sentinels) -> Vec<Mount> {
    [SubPath::Literal(s.text()), SubPath::Expression(s.text())]
        .into_iter()
        .map(|part| Mount {
            volume: s.name(),
            path: s.path(),
            sub_path: Some(part),
            read_only: true,
            propagation: Propagation::HostToContainer,
            options: vec![s.text()],
        })
        .collect()
}

fn probes(s: &mut Sentinels) -> Probes {
    let mut probe = |action: fn(&mut Sentinels) -> Handler| {
        Some(Probe {
            action: action(s),
            initial_delay: s.seconds(),
            period: s.seconds(),
            timeout: s.seconds(),
            success_threshold: s.number().into(),
            failure_threshold: s.number().into(),
            termination_grace: Some(s.seconds()),
        })
    };
    Probes {
        startup: probe(|s| Handler::HttpGet {
            scheme: HttpScheme::Https,
            host: Some(s.text()),
            port: PortRef::Name(s.text()),
            path: s.text(),
            headers: vec![HttpHeader {
                name: s.text(),
                value: s.text(),
            }],
        }),
        liveness: probe(|s| Handler::TcpSocket {
            host: Some(s.text()),
            port: PortRef::Number(s.number()),
        }),
        readiness: probe(|s| Handler::Grpc {
            port: s.number(),
            service: s.text(),
        }),
    }
}

fn volumes(s: &mut Sentinels) -> BTreeMap<podwright::names::VolumeName, VolumeSpec> {
    [
        VolumeSpec::HostPath {
            path: s.path(),
            kind: HostPathKind::Socket,
        },
        VolumeSpec::EmptyDir {
            medium: Medium::Memory,
            size_limit: Some(Bytes(s.number().into())),
        },
        VolumeSpec::Claim {
            claim: s.name(),
            read_only: true,
        },
        VolumeSpec::Image {
            reference: s.name(),
            pull: PullPolicy::Never,
        },
        VolumeSpec::Projected {
            form: ProjectionForm::Projected,
            sources: sources(s),
            default_mode: FileMode(s.number()),
        },
    ]
    .into_iter()
    .map(|spec| (s.name(), spec))
    .collect()
}

fn sources(s: &mut Sentinels) -> Vec<ProjectedSource> {
    let keys = |s: &mut Sentinels| KeyProjection {
        object: s.name(),
        items: vec![KeyItem {
            key: s.text(),
            path: s.text(),
            mode: Some(FileMode(s.number())),
        }],
        optional: true,
    };
    vec![
        ProjectedSource::ConfigMap(keys(s)),
        ProjectedSource::Secret(keys(s)),
        ProjectedSource::DownwardApi(vec![
            DownwardFile {
                path: s.text(),
                value: DownwardValue::Field(FieldRef::Labels),
                mode: Some(FileMode(s.number())),
            },
            DownwardFile {
                path: s.text(),
                value: DownwardValue::Resource(ResourceRef {
                    container: None,
                    resource: ResourceField::RequestsMemory,
                    divisor: Divisor::Memory(Bytes(s.number().into())),
                }),
                mode: None,
            },
        ]),
        ProjectedSource::ServiceAccountToken {
            path: s.text(),
            audience: Some(s.text()),
            expiration: s.seconds(),
        },
    ]
}
