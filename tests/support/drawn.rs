//! Valid pods of every shape, drawn from bytes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use podwright::model::container::{
    CAPABILITIES, Capability, ContainerSpec, Device, Divisor, EnvFrom, EnvSource, EnvValue, EnvVar,
    FieldRef, Handler, HttpHeader, HttpScheme, KeyRef, Lifecycle, Limits, PortRef, Privileges,
    Probe, Probes, ProcMount, ProcessSpec, ResourceField, ResourceRef, Role, SeccompProfile,
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
use podwright::model::quantity::{Bytes, MilliCpu};
use podwright::model::volume::{
    Backing, DownwardFile, DownwardValue, HostPathKind, KeyItem, KeyProjection, Medium, Mount,
    NamedVolumeSpec, Owner, ProjectedSource, ProjectionForm, Propagation, SubPath, VolumeSpec,
};
use podwright::names::VolumeName;

use super::draw::Draw;

pub(crate) fn pod(d: &mut Draw<'_>) -> PodSpec {
    PodSpec {
        name: d.name(),
        namespace: d.some(Draw::name),
        labels: d.map(),
        annotations: d.map(),
        infra: infra(d),
        init_containers: d.list(|d| {
            let role = d.pick(&[Role::Init, Role::Sidecar]);
            container(d, role)
        }),
        containers: d.filled(|d| container(d, Role::App)),
        volumes: d.list(|d| (d.name(), volume(d))).into_iter().collect(),
        restart_policy: d.pick(&[
            RestartPolicy::Always,
            RestartPolicy::OnFailure,
            RestartPolicy::Never,
        ]),
        termination_grace: d.seconds(),
        active_deadline: d.some(Draw::positive),
        service_account: d.some(Draw::name),
        image_pull_secrets: d.list(Draw::name),
        naming: d.pick(&[ContainerNaming::PodPrefix, ContainerNaming::Bare]),
    }
}

fn infra(d: &mut Draw<'_>) -> InfraSpec {
    let network = match d.byte() % 4 {
        0 => NetworkSpec::Bridge {
            networks: vec![Attachment::to("podwright".parse().unwrap())],
        },
        1 => NetworkSpec::Host,
        2 => NetworkSpec::None,
        _ => NetworkSpec::Bridge {
            networks: d.filled(|d| Attachment {
                network: d.name(),
                address: d.some(Draw::ip),
                mac: d.some(|_| "aa:bb:cc:dd:ee:ff".to_owned()),
                aliases: d.list(Draw::name),
            }),
        },
    };
    InfraSpec {
        process: process(d),
        name: d.some(Draw::name),
        hostname: d.some(Draw::name),
        subdomain: d.some(Draw::name),
        network,
        dns: DnsSpec {
            policy: d.pick(&[
                DnsPolicy::ClusterFirst,
                DnsPolicy::ClusterFirstWithHostNet,
                DnsPolicy::Default,
                DnsPolicy::None,
            ]),
            nameservers: d.list(Draw::ip),
            searches: d.list(Draw::word),
            options: d.list(|d| match d.bool() {
                true => format!("{}:{}", d.word(), d.word()),
                false => d.word(),
            }),
        },
        hosts: match d.bool() {
            true => HostsFile::Image,
            false => HostsFile::Pod {
                aliases: d.list(|d| HostsEntry {
                    ip: d.ip(),
                    names: d.list(Draw::name),
                }),
            },
        },
        etc_hostname: d.pick(&[EtcHostname::Pod, EtcHostname::Image]),
        shared: SharedNamespaces {
            pid: d.pick(&[
                PidNamespace::Container,
                PidNamespace::Pod,
                PidNamespace::Host,
            ]),
            ipc: d.pick(&[IpcNamespace::Pod, IpcNamespace::Host]),
        },
        user_namespace: d.pick(&[UserNamespace::Host, UserNamespace::Pod]),
        sysctls: d.map(),
        supplemental_groups: d.list(Draw::id),
        fs_group: d.some(Draw::id),
        fs_group_change: d.pick(&[FsGroupChange::Always, FsGroupChange::OnRootMismatch]),
    }
}

fn process(d: &mut Draw<'_>) -> ProcessSpec {
    ProcessSpec {
        limits: Limits {
            cpu: d.some(Draw::cpu),
            memory: d.some(Draw::bytes),
            cpu_request: d.some(Draw::cpu),
            memory_request: d.some(Draw::bytes),
            pids: d.some(|d| d.number(0, 100_000)),
        },
        security: SecuritySettings {
            run_as_user: d.some(Draw::id),
            run_as_group: d.some(Draw::id),
            run_as_non_root: d.some(Draw::bool),
            seccomp: d.some(|d| {
                let file = d.word().into();
                d.pick(&[
                    SeccompProfile::RuntimeDefault,
                    SeccompProfile::Unconfined,
                    SeccompProfile::Localhost(file),
                ])
            }),
        },
    }
}

fn container(d: &mut Draw<'_>, role: Role) -> ContainerSpec {
    let mut host_devices: Vec<PathBuf> = d.list(Draw::path);
    host_devices.sort();
    host_devices.dedup();
    let mut devices = d.list(|d| Device::Claim {
        volume: d.name(),
        path: d.path(),
    });
    devices.extend(host_devices.into_iter().map(Device::Host));
    ContainerSpec {
        // Annotations name containers: each has its own name.
        name: format!("c{}", d.0.len()).parse().unwrap(),
        role,
        image: d.image(),
        pull: d.pull(),
        command: d.some(|d| d.filled(Draw::text)),
        args: d.some(|d| d.filled(Draw::text)),
        working_dir: d.some(Draw::path),
        env_from: d.list(|d| {
            let name = d.name();
            EnvFrom {
                source: match d.bool() {
                    true => EnvSource::Secret(name),
                    false => EnvSource::ConfigMap(name),
                },
                prefix: d.text(),
                optional: d.bool(),
            }
        }),
        env: d.list(|d| EnvVar {
            name: d.some_text(),
            value: env_value(d),
        }),
        ports: d.list(|d| ContainerPort {
            name: d.some(Draw::word),
            port: d.port(),
            protocol: d.pick(&[Protocol::Tcp, Protocol::Udp, Protocol::Sctp]),
            host: d.some(|d| HostPort {
                ip: d.some(Draw::ip),
                port: d.port(),
            }),
        }),
        mounts: d.list(mount),
        devices,
        process: process(d),
        privileges: Privileges {
            privileged: d.some(Draw::bool),
            allow_escalation: d.some(Draw::bool),
            read_only_root: d.some(Draw::bool),
            add_capabilities: capabilities(d),
            drop_capabilities: capabilities(d),
            proc_mount: d.some(|d| d.pick(&[ProcMount::Default, ProcMount::Unmasked])),
        },
        probes: Probes {
            startup: d.some(probe),
            liveness: d.some(probe),
            readiness: d.some(probe),
        },
        lifecycle: Lifecycle {
            post_start: d.some(hook),
            pre_stop: d.some(hook),
            stop_signal: d.some(|d| StopSignal::parse(&d.number(1, 64).to_string()).unwrap()),
        },
        terminal: Terminal {
            tty: d.bool(),
            stdin: d.bool(),
            stdin_once: d.bool(),
        },
        termination_message: TerminationMessage {
            path: match d.bool() {
                true => d.path(),
                false => TerminationMessage::default().path,
            },
            policy: d.pick(&[
                TerminationMessagePolicy::File,
                TerminationMessagePolicy::FallbackToLogsOnError,
            ]),
        },
    }
}

fn capabilities(d: &mut Draw<'_>) -> BTreeSet<Capability> {
    let names = d.list(|d| d.pick(&CAPABILITIES));
    names
        .into_iter()
        .map(|name| Capability::parse(name).unwrap())
        .collect()
}

fn env_value(d: &mut Draw<'_>) -> EnvValue {
    let key = |d: &mut Draw<'_>| KeyRef {
        object: d.name(),
        key: d.text(),
        optional: d.bool(),
    };
    match d.byte() % 5 {
        0 => EnvValue::Literal(d.text()),
        1 => EnvValue::ConfigMapKey(key(d)),
        2 => EnvValue::SecretKey(key(d)),
        3 => EnvValue::Field(match d.bool() {
            true => d.pick(&[
                FieldRef::NodeName,
                FieldRef::ServiceAccountName,
                FieldRef::HostIp,
                FieldRef::HostIps,
                FieldRef::PodIp,
                FieldRef::PodIps,
            ]),
            false => plain_field(d),
        }),
        _ => EnvValue::Resource(resource(d)),
    }
}

/// A field that variables and files can both show.
fn plain_field(d: &mut Draw<'_>) -> FieldRef {
    let key = d.some_text();
    d.pick(&[
        FieldRef::Name,
        FieldRef::Namespace,
        FieldRef::Uid,
        FieldRef::Label(key.clone()),
        FieldRef::Annotation(key),
    ])
}

fn resource(d: &mut Draw<'_>) -> ResourceRef {
    let container = d.some(Draw::name);
    let cpu = Divisor::Cpu(d.pick(&[MilliCpu(1), MilliCpu(1000)]));
    let memory = Divisor::Memory(d.pick(&[Bytes(1), Bytes(1000), Bytes(1 << 20)]));
    let (resource, divisor) = d.pick(&[
        (ResourceField::LimitsCpu, cpu),
        (ResourceField::RequestsCpu, cpu),
        (ResourceField::LimitsMemory, memory),
        (ResourceField::RequestsMemory, memory),
    ]);
    ResourceRef {
        container,
        resource,
        divisor,
    }
}

fn mount(d: &mut Draw<'_>) -> Mount {
    Mount {
        volume: d.name(),
        path: d.path(),
        sub_path: d.some(|d| match d.bool() {
            true => SubPath::Expression(d.some_text()),
            false => SubPath::Literal(d.some_text()),
        }),
        read_only: d.bool(),
        propagation: d.pick(&[
            Propagation::None,
            Propagation::HostToContainer,
            Propagation::Bidirectional,
        ]),
        options: d.list(|d| d.pick(&["z", "Z", "U", "idmap"]).to_owned()),
    }
}

fn probe(d: &mut Draw<'_>) -> Probe {
    Probe {
        action: match d.bool() {
            true => Handler::Grpc {
                port: d.port(),
                service: d.text(),
            },
            false => action(d),
        },
        initial_delay: d.seconds(),
        period: d.positive(),
        timeout: d.positive(),
        success_threshold: d.count(),
        failure_threshold: d.count(),
        termination_grace: d.some(Draw::positive),
    }
}

fn hook(d: &mut Draw<'_>) -> Handler {
    match d.bool() {
        true => Handler::Sleep(d.seconds()),
        false => action(d),
    }
}

/// What probes and hooks can both do.
fn action(d: &mut Draw<'_>) -> Handler {
    let port = |d: &mut Draw<'_>| match d.bool() {
        true => PortRef::Name(format!("p{}", d.word())),
        false => PortRef::Number(d.port()),
    };
    match d.byte() % 3 {
        0 => Handler::Exec {
            command: d.filled(Draw::text),
        },
        1 => Handler::HttpGet {
            scheme: d.pick(&[HttpScheme::Http, HttpScheme::Https]),
            host: d.some(Draw::some_text),
            port: port(d),
            path: format!("/{}", d.text()),
            headers: d.list(|d| HttpHeader {
                name: d.word(),
                value: d.text(),
            }),
        },
        _ => Handler::TcpSocket {
            host: d.some(Draw::some_text),
            port: port(d),
        },
    }
}

fn volume(d: &mut Draw<'_>) -> VolumeSpec {
    match d.byte() % 5 {
        0 => VolumeSpec::EmptyDir {
            medium: d.pick(&[Medium::Disk, Medium::Memory]),
            size_limit: d.some(Draw::bytes),
        },
        1 => VolumeSpec::HostPath {
            path: d.path(),
            kind: d.pick(&[
                HostPathKind::Any,
                HostPathKind::DirectoryOrCreate,
                HostPathKind::Directory,
                HostPathKind::FileOrCreate,
                HostPathKind::File,
                HostPathKind::Socket,
                HostPathKind::CharDevice,
                HostPathKind::BlockDevice,
            ]),
        },
        2 => VolumeSpec::Claim {
            claim: d.name::<VolumeName>(),
            read_only: d.bool(),
        },
        3 => VolumeSpec::Image {
            reference: d.image(),
            pull: d.pull(),
        },
        _ => {
            let (form, sources) = match d.byte() % 4 {
                0 => (
                    ProjectionForm::ConfigMap,
                    vec![ProjectedSource::ConfigMap(keys(d))],
                ),
                1 => (
                    ProjectionForm::Secret,
                    vec![ProjectedSource::Secret(keys(d))],
                ),
                2 => (
                    ProjectionForm::DownwardApi,
                    vec![ProjectedSource::DownwardApi(d.list(downward))],
                ),
                _ => (ProjectionForm::Projected, d.list(source)),
            };
            VolumeSpec::Projected {
                form,
                sources,
                default_mode: d.mode(),
            }
        }
    }
}

fn keys(d: &mut Draw<'_>) -> KeyProjection {
    KeyProjection {
        object: d.name(),
        items: d.list(|d| KeyItem {
            key: d.text(),
            path: d.text(),
            mode: d.some(Draw::mode),
        }),
        optional: d.bool(),
    }
}

fn downward(d: &mut Draw<'_>) -> DownwardFile {
    DownwardFile {
        path: d.text(),
        value: match d.byte() % 3 {
            0 => DownwardValue::Field(plain_field(d)),
            1 => DownwardValue::Field(d.pick(&[FieldRef::Labels, FieldRef::Annotations])),
            _ => DownwardValue::Resource(resource(d)),
        },
        mode: d.some(Draw::mode),
    }
}

fn source(d: &mut Draw<'_>) -> ProjectedSource {
    match d.byte() % 4 {
        0 => ProjectedSource::ConfigMap(keys(d)),
        1 => ProjectedSource::Secret(keys(d)),
        2 => ProjectedSource::DownwardApi(d.list(downward)),
        _ => ProjectedSource::ServiceAccountToken {
            path: d.text(),
            audience: d.some(Draw::some_text),
            expiration: d.positive(),
        },
    }
}

pub(crate) fn named_volume(d: &mut Draw<'_>) -> NamedVolumeSpec {
    NamedVolumeSpec {
        name: d.name(),
        labels: d.map(),
        annotations: d.map(),
        size: Some(d.bytes()),
        backing: Backing {
            kind: d.some(Draw::some_text),
            device: d.some(Draw::some_text),
            options: d.some(Draw::some_text),
        },
        owner: Owner {
            user: d.some(Draw::id),
            group: d.some(Draw::id),
        },
        import: d.some(Draw::path),
    }
}
