//! `pod inspect`: what is recorded of a pod, and its specification whole.
//!
//! Podman shows parts of the specification a second time, as `InfraConfig` and beside it. Here JSON has
//! each attribute once, in `Spec`, as it is stored; a template may still ask for podman's fields.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::output::Object;
use super::inspect::{HostPort, cpu_period, cpu_quota, extra_hosts, port_bindings, restart_policy};
use crate::engine::paths::Paths;
use crate::model::infra::{IpcNamespace, PidNamespace, UserNamespace};
use crate::model::network::NetworkSpec;
use crate::model::observed::{AssignedAddress, ObservedPod};
use crate::model::pod::PodSpec;

/// All that is known of a pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct PodInspect {
    id: String,
    name: String,
    created: String,
    application: String,
    state: String,
    #[serde(rename = "InfraContainerID")]
    infra_container_id: String,
    cgroup_path: String,
    create_cgroup: bool,
    create_infra: bool,
    addresses: Vec<AssignedAddress>,
    num_containers: usize,
    containers: Vec<Member>,
    spec: PodSpec,
    #[serde(skip)]
    podman: Podman,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    id: String,
    name: String,
    state: &'static str,
    restart_count: u32,
    ready: bool,
}

/// podman's fields whose facts the specification holds: for templates only.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Podman {
    hostname: String,
    labels: BTreeMap<String, String>,
    cgroup_parent: String,
    namespace: &'static str,
    exit_policy: &'static str,
    restart_policy: &'static str,
    memory_limit: u64,
    #[serde(rename = "CPUPeriod")]
    cpu_period: u64,
    #[serde(rename = "CPUQuota")]
    cpu_quota: u64,
    #[serde(rename = "CPUSetCPUs")]
    cpu_set: &'static str,
    security_opts: Vec<String>,
    shared_namespaces: Vec<&'static str>,
    infra_config: InfraConfig,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InfraConfig {
    port_bindings: BTreeMap<String, Vec<HostPort>>,
    host_network: bool,
    #[serde(rename = "DNSServer")]
    dns_server: Vec<String>,
    #[serde(rename = "DNSSearch")]
    dns_search: Vec<String>,
    #[serde(rename = "DNSOption")]
    dns_option: Vec<String>,
    no_manage_hosts: bool,
    host_add: Vec<String>,
    networks: Vec<String>,
    network_options: BTreeMap<String, String>,
    #[serde(rename = "StaticIP")]
    static_ip: Option<String>,
    #[serde(rename = "StaticMAC")]
    static_mac: String,
    no_manage_resolv_conf: bool,
    #[serde(rename = "PidNS")]
    pid: &'static str,
    #[serde(rename = "UserNS")]
    user: &'static str,
    #[serde(rename = "UtsNS")]
    uts: &'static str,
}

impl Object for PodInspect {
    fn for_templates(&self) -> Option<serde_json::Value> {
        serde_json::to_value(&self.podman).ok()
    }
}

/// Returns all that is known of a pod.
pub(in crate::cli) fn inspect_pod(pod: &ObservedPod, paths: &Paths) -> PodInspect {
    let record = &pod.record;
    PodInspect {
        id: record.id.to_string(),
        name: record.spec.name.to_string(),
        created: record.created.to_string(),
        application: record.application.to_string(),
        state: pod.state().to_string(),
        infra_container_id: record.infra.to_string(),
        cgroup_path: paths.pod(&record.id).cgroup,
        create_cgroup: true,
        create_infra: true,
        addresses: record.addresses.clone(),
        num_containers: pod.containers.len(),
        containers: pod
            .containers
            .iter()
            .map(|container| Member {
                id: container.id.to_string(),
                name: record.spec.full_name(&container.name),
                state: container.state.word(),
                restart_count: container.restarts,
                ready: container.ready,
            })
            .collect(),
        podman: podman(pod, paths),
        spec: record.spec.clone(),
    }
}

fn podman(pod: &ObservedPod, paths: &Paths) -> Podman {
    let spec = &pod.record.spec;
    let infra = &spec.infra;
    let attached = match &infra.network {
        NetworkSpec::Bridge { networks } => networks.first(),
        NetworkSpec::Host | NetworkSpec::None => None,
    };
    let mut shared = Vec::new();
    if infra.shared.ipc == IpcNamespace::Pod {
        shared.push("ipc");
    }
    if infra.network != NetworkSpec::Host {
        shared.extend(["net", "uts"]);
    }
    if infra.shared.pid == PidNamespace::Pod {
        shared.push("pid");
    }
    Podman {
        hostname: spec
            .hostname()
            .map(|name| name.to_string())
            .unwrap_or_default(),
        labels: spec.labels.clone(),
        cgroup_parent: paths.cgroup_parent.clone(),
        namespace: "",
        exit_policy: "stop",
        memory_limit: infra.process.limits.memory.map_or(0, |memory| memory.0),
        cpu_period: cpu_period(&infra.process.limits),
        cpu_quota: cpu_quota(&infra.process.limits),
        cpu_set: "",
        security_opts: Vec::new(),
        restart_policy: restart_policy(spec.restart_policy),
        shared_namespaces: shared,
        infra_config: InfraConfig {
            port_bindings: port_bindings(pod),
            host_network: infra.network == NetworkSpec::Host,
            dns_server: infra
                .dns
                .nameservers
                .iter()
                .map(ToString::to_string)
                .collect(),
            dns_search: infra.dns.searches.clone(),
            dns_option: infra.dns.options.clone(),
            no_manage_hosts: infra.hosts == crate::model::infra::HostsFile::Image,
            host_add: extra_hosts(pod),
            networks: match &infra.network {
                NetworkSpec::Bridge { networks } => networks
                    .iter()
                    .map(|attachment| attachment.network.to_string())
                    .collect(),
                NetworkSpec::Host | NetworkSpec::None => Vec::new(),
            },
            network_options: BTreeMap::new(),
            static_ip: attached.and_then(|attachment| attachment.address.map(|ip| ip.to_string())),
            static_mac: attached
                .and_then(|attachment| attachment.mac.clone())
                .unwrap_or_default(),
            no_manage_resolv_conf: false,
            uts: if infra.network == NetworkSpec::Host {
                "host"
            } else {
                "private"
            },
            pid: match infra.shared.pid {
                PidNamespace::Host => "host",
                PidNamespace::Pod | PidNamespace::Container => "private",
            },
            user: match infra.user_namespace {
                UserNamespace::Host => "host",
                UserNamespace::Pod => "private",
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cli::output::{Format, Output};

    fn inspected(format: &str) -> String {
        let paths = Paths {
            root: "/root".into(),
            runroot: "/run/root".into(),
            cgroup_parent: "/podwright".to_owned(),
            runtime: None,
        };
        let pod = inspect_pod(&fixture::observed().pods[0], &paths);
        let mut bytes = Vec::new();
        Output::new(&mut bytes)
            .objects(&[pod], Some(&Format::parse(format).unwrap()))
            .unwrap();
        String::from_utf8(bytes).unwrap().trim_end().to_owned()
    }

    #[test]
    fn the_specification_is_shown_whole_and_once() {
        let value: serde_json::Value = serde_json::from_str(&inspected("json")).unwrap();
        let spec: PodSpec = serde_json::from_value(value[0]["Spec"].clone()).unwrap();
        assert_eq!(spec, fixture::observed().pods[0].record.spec);
        assert_eq!(inspected("json").matches("\"shop\"").count(), 1);
        assert_eq!(inspected("json").matches("\"read me\"").count(), 1);
    }

    #[test]
    fn templates_have_podmans_fields_too() {
        for (format, answer) in [
            ("{{.Name}} {{.State}} {{.NumContainers}}", "web Degraded 4"),
            (
                "{{.Hostname}} {{.Labels}} {{.SharedNamespaces}}",
                "shop map[app:x] [ipc net uts]",
            ),
            (
                "{{.InfraConfig.HostNetwork}} {{.InfraConfig.PortBindings}}",
                "false map[80/tcp:[{0.0.0.0 8080}]]",
            ),
            (
                "{{range .Containers}}{{.Name}} {{end}}",
                "web-a web-b web-c web-d",
            ),
            (
                "{{.Spec.infra.hostname}} {{.RestartPolicy}} {{.ExitPolicy}}",
                "shop always stop",
            ),
        ] {
            assert_eq!(inspected(format), answer, "{format}");
        }
    }
}
