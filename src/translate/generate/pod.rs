//! A pod: `PodSpec` and its infra container.

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::model::container::{Limits, ProcessSpec, SecuritySettings};
use crate::model::infra::{
    FsGroupChange, HostsFile, InfraSpec, IpcNamespace, PidNamespace, SharedNamespaces,
    UserNamespace,
};
use crate::model::network::{Attachment, DnsPolicy, DnsSpec, HostsEntry, NetworkSpec};
use crate::model::pod::{PodSpec, RestartPolicy};
use crate::names::NetworkName;

use super::super::annotations::{INFRA_NAME, PIDS_LIMIT};
use super::super::options::{NetworkChoice, PlayOptions};
use super::super::pod::DEFAULT_GRACE;
use super::{Generated, container, security, signed, some, unless, volume};

pub(super) fn pod(spec: &PodSpec) -> Generated {
    let PodSpec {
        name,
        namespace,
        labels,
        annotations,
        infra,
        init_containers,
        containers,
        volumes,
        restart_policy,
        termination_grace,
        active_deadline,
        service_account,
        image_pull_secrets,
        naming,
    } = spec;
    let mut annotations = annotations.clone();
    let mut options = PlayOptions::new(PathBuf::from("/"));
    options.naming = *naming;
    let mut pod = v1::PodSpec {
        init_containers: some(container::all(init_containers, &mut annotations)),
        containers: container::all(containers, &mut annotations),
        volumes: some(volumes.iter().map(volume::volume).collect()),
        restart_policy: unless(*restart_policy, &RestartPolicy::Always).map(restart),
        termination_grace_period_seconds: unless(*termination_grace, &DEFAULT_GRACE)
            .map(|grace| signed(grace.0)),
        active_deadline_seconds: active_deadline.map(|deadline| signed(deadline.0)),
        service_account_name: service_account.as_ref().map(ToString::to_string),
        image_pull_secrets: some(
            image_pull_secrets
                .iter()
                .map(|name| v1::LocalObjectReference {
                    name: name.to_string(),
                })
                .collect(),
        ),
        ..v1::PodSpec::default()
    };
    fill_infra(infra, &mut pod, &mut annotations, &mut options);
    let filled = |map: BTreeMap<String, String>| (!map.is_empty()).then_some(map);
    Generated {
        pod: v1::Pod {
            metadata: ObjectMeta {
                name: Some(name.to_string()),
                namespace: namespace.as_ref().map(ToString::to_string),
                labels: filled(labels.clone()),
                annotations: filled(annotations),
                ..ObjectMeta::default()
            },
            spec: Some(pod),
            status: None,
        },
        options,
    }
}

fn restart(policy: RestartPolicy) -> String {
    match policy {
        RestartPolicy::Always => "Always",
        RestartPolicy::OnFailure => "OnFailure",
        RestartPolicy::Never => "Never",
    }
    .to_owned()
}

/// Writes what the infra container is into the pod's fields, its annotations, or the options.
fn fill_infra(
    infra: &InfraSpec,
    pod: &mut v1::PodSpec,
    annotations: &mut BTreeMap<String, String>,
    options: &mut PlayOptions,
) {
    let InfraSpec {
        process: ProcessSpec { limits, security },
        name,
        hostname,
        subdomain,
        network,
        dns,
        hosts,
        etc_hostname,
        shared: SharedNamespaces { pid, ipc },
        user_namespace,
        sysctls,
        supplemental_groups,
        fs_group,
        fs_group_change,
    } = infra;
    if let Some(name) = name {
        annotations.insert(INFRA_NAME.to_owned(), name.to_string());
    }
    if let Some(pids) = limits.pids {
        annotations.insert(PIDS_LIMIT.to_owned(), pids.to_string());
    }
    options.etc_hostname = *etc_hostname;
    pod.resources = resources(limits);
    pod.hostname = hostname.as_ref().map(ToString::to_string);
    pod.subdomain = subdomain.as_ref().map(ToString::to_string);
    fill_network(network, pod, options);
    fill_dns(dns, pod);
    match hosts {
        HostsFile::Image => options.no_hosts = true,
        HostsFile::Pod { aliases } => {
            pod.host_aliases = some(aliases.iter().map(alias).collect());
        }
    }
    match pid {
        PidNamespace::Container => {}
        PidNamespace::Pod => pod.share_process_namespace = Some(true),
        PidNamespace::Host => pod.host_pid = Some(true),
    }
    match ipc {
        IpcNamespace::Pod => {}
        IpcNamespace::Host => pod.host_ipc = Some(true),
    }
    match user_namespace {
        UserNamespace::Host => {}
        UserNamespace::Pod => pod.host_users = Some(false),
    }
    let SecuritySettings {
        run_as_user,
        run_as_group,
        run_as_non_root,
        seccomp,
    } = security;
    let context = v1::PodSecurityContext {
        run_as_user: run_as_user.map(i64::from),
        run_as_group: run_as_group.map(i64::from),
        run_as_non_root: *run_as_non_root,
        seccomp_profile: seccomp.as_ref().map(security::seccomp),
        sysctls: some(sysctls.iter().map(sysctl).collect()),
        supplemental_groups: some(supplemental_groups.iter().copied().map(i64::from).collect()),
        fs_group: fs_group.map(i64::from),
        fs_group_change_policy: match fs_group_change {
            FsGroupChange::Always => None,
            FsGroupChange::OnRootMismatch => Some("OnRootMismatch".to_owned()),
        },
        ..v1::PodSecurityContext::default()
    };
    pod.security_context = unless(context, &v1::PodSecurityContext::default());
}

/// A pod's own limits have no devices among them.
fn resources(limits: &Limits) -> Option<v1::ResourceRequirements> {
    container::resources(limits, &[])
}

fn fill_network(network: &NetworkSpec, pod: &mut v1::PodSpec, options: &mut PlayOptions) {
    match network {
        NetworkSpec::Host => pod.host_network = Some(true),
        NetworkSpec::None => options.network = Some(NetworkChoice::None),
        NetworkSpec::Bridge { networks } => match networks.as_slice() {
            [one] if *one == Attachment::to(NetworkName::default_network()) => {}
            several => options.network = Some(NetworkChoice::Bridge(several.to_vec())),
        },
    }
}

fn fill_dns(dns: &DnsSpec, pod: &mut v1::PodSpec) {
    let DnsSpec {
        policy,
        nameservers,
        searches,
        options,
    } = dns;
    pod.dns_policy = match policy {
        DnsPolicy::ClusterFirst => None,
        DnsPolicy::ClusterFirstWithHostNet => Some("ClusterFirstWithHostNet".to_owned()),
        DnsPolicy::Default => Some("Default".to_owned()),
        DnsPolicy::None => Some("None".to_owned()),
    };
    let config = v1::PodDNSConfig {
        nameservers: some(nameservers.iter().map(ToString::to_string).collect()),
        searches: some(searches.clone()),
        options: some(options.iter().map(|option| dns_option(option)).collect()),
    };
    pod.dns_config = unless(config, &v1::PodDNSConfig::default());
}

fn dns_option(option: &str) -> v1::PodDNSConfigOption {
    let (name, value) = match option.split_once(':') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (option, None),
    };
    v1::PodDNSConfigOption {
        name: Some(name.to_owned()),
        value,
    }
}

fn alias(entry: &HostsEntry) -> v1::HostAlias {
    let HostsEntry { ip, names } = entry;
    v1::HostAlias {
        ip: ip.to_string(),
        hostnames: some(names.iter().map(ToString::to_string).collect()),
    }
}

fn sysctl((name, value): (&String, &String)) -> v1::Sysctl {
    v1::Sysctl {
        name: name.clone(),
        value: value.clone(),
    }
}
