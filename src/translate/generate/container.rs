//! One container, of whatever role.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::model::container::{
    ContainerSpec, Device, Limits, Probes, ProcessSpec, PullPolicy, Role, Terminal,
    TerminationMessage, TerminationMessagePolicy,
};
use crate::model::network::{ContainerPort, HostPort, Protocol};
use crate::names::ImageRef;

use super::super::annotations::PIDS_LIMIT;
use super::super::container::default_pull;
use super::super::resources::HOST_DEVICE;
use super::{env, probe, security, some, text, unless, volume};

/// Gives back containers; what only annotations can say goes into the pod's.
pub(super) fn all(
    list: &[ContainerSpec],
    annotations: &mut BTreeMap<String, String>,
) -> Vec<v1::Container> {
    list.iter()
        .map(|spec| container(spec, annotations))
        .collect()
}

fn container(spec: &ContainerSpec, annotations: &mut BTreeMap<String, String>) -> v1::Container {
    let ContainerSpec {
        name,
        role,
        image,
        pull,
        command,
        args,
        working_dir,
        env_from,
        env,
        ports,
        mounts,
        devices,
        process: ProcessSpec { limits, security },
        privileges,
        probes: Probes {
            startup,
            liveness,
            readiness,
        },
        lifecycle,
        terminal: Terminal {
            tty,
            stdin,
            stdin_once,
        },
        termination_message: TerminationMessage { path, policy },
    } = spec;
    if let Some(pids) = limits.pids {
        annotations.insert(format!("{PIDS_LIMIT}/{name}"), pids.to_string());
    }
    let words = TerminationMessage::default();
    v1::Container {
        name: name.to_string(),
        image: Some(image.to_string()),
        image_pull_policy: pull_policy(*pull, image),
        restart_policy: match role {
            Role::Sidecar => Some("Always".to_owned()),
            Role::Init | Role::App => None,
        },
        command: command.clone(),
        args: args.clone(),
        working_dir: working_dir.as_deref().map(text),
        env_from: some(env_from.iter().map(env::env_from).collect()),
        env: some(env.iter().map(env::variable).collect()),
        ports: some(ports.iter().map(port).collect()),
        volume_mounts: some(mounts.iter().map(volume::mount).collect()),
        volume_devices: some(devices.iter().filter_map(claimed).collect()),
        resources: resources(limits, devices),
        security_context: security::context(security, privileges),
        startup_probe: startup.as_ref().map(probe::probe),
        liveness_probe: liveness.as_ref().map(probe::probe),
        readiness_probe: readiness.as_ref().map(probe::probe),
        lifecycle: probe::lifecycle(lifecycle),
        tty: tty.then_some(true),
        stdin: stdin.then_some(true),
        stdin_once: stdin_once.then_some(true),
        termination_message_path: unless(path.clone(), &words.path).map(|path| text(&path)),
        termination_message_policy: unless(*policy, &words.policy).map(|policy| {
            match policy {
                TerminationMessagePolicy::File => "File",
                TerminationMessagePolicy::FallbackToLogsOnError => "FallbackToLogsOnError",
            }
            .to_owned()
        }),
        resize_policy: None,
        restart_policy_rules: None,
    }
}

/// Returns the pull policy, unless the image's name says it already.
pub(super) fn pull_policy(pull: PullPolicy, image: &ImageRef) -> Option<String> {
    unless(pull, &default_pull(image)).map(|pull| {
        match pull {
            PullPolicy::Always => "Always",
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Never => "Never",
            PullPolicy::Newer => "newer",
        }
        .to_owned()
    })
}

fn port(port: &ContainerPort) -> v1::ContainerPort {
    let ContainerPort {
        name,
        port,
        protocol,
        host,
    } = port;
    let (host_ip, host_port) = match host {
        Some(HostPort { ip, port }) => (*ip, Some(*port)),
        None => (None, None),
    };
    v1::ContainerPort {
        name: name.clone(),
        container_port: i32::from(*port),
        protocol: word(*protocol),
        host_ip: host_ip.map(|ip| ip.to_string()),
        host_port: host_port.map(i32::from),
    }
}

/// Returns the protocol, unless it is what a port has anyway.
pub(super) fn word(protocol: Protocol) -> Option<String> {
    match protocol {
        Protocol::Tcp => None,
        Protocol::Udp => Some("UDP".to_owned()),
        Protocol::Sctp => Some("SCTP".to_owned()),
    }
}

fn claimed(device: &Device) -> Option<v1::VolumeDevice> {
    match device {
        Device::Claim { volume, path } => Some(v1::VolumeDevice {
            name: volume.to_string(),
            device_path: text(path),
        }),
        Device::Host(_) => None,
    }
}

/// Gives back limits, requests, and the devices that podman's resource names ask for.
pub(super) fn resources(limits: &Limits, devices: &[Device]) -> Option<v1::ResourceRequirements> {
    let Limits {
        cpu,
        memory,
        cpu_request,
        memory_request,
        // An annotation says it.
        pids: _,
    } = limits;
    let amounts = |cpu: Option<String>, memory: Option<String>| {
        let cpu = cpu.map(|cpu| ("cpu".to_owned(), Quantity(cpu)));
        let memory = memory.map(|memory| ("memory".to_owned(), Quantity(memory)));
        cpu.into_iter().chain(memory).collect::<BTreeMap<_, _>>()
    };
    let mut limits = amounts(
        cpu.map(|cpu| cpu.to_string()),
        memory.map(|memory| memory.to_string()),
    );
    for device in devices {
        if let Device::Host(path) = device {
            let name = format!("{HOST_DEVICE}{}", path.display());
            limits.insert(name, Quantity("1".to_owned()));
        }
    }
    let requests = amounts(
        cpu_request.map(|cpu| cpu.to_string()),
        memory_request.map(|memory| memory.to_string()),
    );
    let filled = |amounts: BTreeMap<_, _>| (!amounts.is_empty()).then_some(amounts);
    let resources = v1::ResourceRequirements {
        claims: None,
        limits: filled(limits),
        requests: filled(requests),
    };
    unless(resources, &v1::ResourceRequirements::default())
}
